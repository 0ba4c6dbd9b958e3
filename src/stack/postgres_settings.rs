//! The settings of Postgres: what it gets unless the file says otherwise, what the file may not say, and whether what was
//! asked for is in force.

use std::path::Path;

use super::amounts::PgSetting;
use super::config::{self, Settings};
use super::error::StackError;
use super::locate::Part;
use super::room;
use super::shared::Shared;
use crate::plan::ServerPlan;

/// Part of the socket's name; nobody listens on TCP.
pub(super) const PORT: u16 = 5432;

/// Unless the file says otherwise. Nothing in here makes Postgres less safe than it is by default.
pub(super) const DEFAULTS: [(&str, &str); 17] = [
    ("autovacuum", "off"),
    ("checkpoint_timeout", "1h"),
    ("cluster_name", "querylab"),
    ("dynamic_shared_memory_type", "posix"),
    ("jit", "off"),
    ("lc_messages", "C"),
    ("listen_addresses", ""),
    ("log_line_prefix", "%m [%p] "),
    ("log_timezone", "UTC"),
    ("logging_collector", "off"),
    ("max_wal_size", "16GB"),
    ("password_encryption", "scram-sha-256"),
    ("restart_after_crash", "off"),
    ("shared_preload_libraries", ""),
    ("timezone", "UTC"),
    ("track_io_timing", "off"),
    ("unix_socket_permissions", "0700"),
];

/// The library that counts statements, and how: what is executed, without what only manages; nothing is kept on disk.
const COUNTING: [(&str, &str); 3] = [
    ("shared_preload_libraries", "pg_stat_statements"),
    ("pg_stat_statements.save", "off"),
    ("pg_stat_statements.track_utility", "off"),
];

/// What the stack decides itself.
const OWNED: [&str; 22] = [
    "archive_cleanup_command",
    "archive_command",
    "archive_library",
    "cluster_name",
    "config_file",
    "data_directory",
    "dynamic_library_path",
    "external_pid_file",
    "hba_file",
    "ident_file",
    "listen_addresses",
    "log_destination",
    "log_directory",
    "log_filename",
    "logging_collector",
    "port",
    "recovery_end_command",
    "restart_after_crash",
    "restore_command",
    "ssl_passphrase_command",
    "unix_socket_directories",
    "unix_socket_permissions",
];

/// Whether the stack decides this setting itself.
pub(super) fn is_owned(name: &str) -> bool {
    OWNED.contains(&name)
}

/// Reported beside what is set: what else decides how fast it is.
pub(super) const TELLING: [&str; 14] = [
    "data_checksums",
    "effective_cache_size",
    "effective_io_concurrency",
    "fsync",
    "full_page_writes",
    "maintenance_work_mem",
    "max_connections",
    "max_parallel_workers_per_gather",
    "plan_cache_mode",
    "random_page_cost",
    "server_version",
    "shared_buffers",
    "synchronous_commit",
    "work_mem",
];

/// Each asked setting must be in force: Postgres takes some without a word and clamps others.
pub(super) fn verify(plan: &ServerPlan, rows: &[PgSetting]) -> Result<(), StackError> {
    for (name, asked) in &plan.settings {
        let row = rows.iter().find(|s| s.name.eq_ignore_ascii_case(name));
        let wrong = match row {
            None => format!("postgres has no setting of that name (asked for: {asked:?})"),
            Some(s) if !s.is(asked) => {
                format!("{asked:?} was asked for, {} is in force", s.shown())
            }
            Some(_) => continue,
        };
        return Err(StackError::Provisioning(format!(
            "services.postgres.settings.{name}: {wrong}"
        )));
    }
    Ok(())
}

/// All settings of the server's file.
pub(super) fn settings(
    shared: &Shared,
    plan: &ServerPlan,
    connections: u32,
    notice: &mut dyn FnMut(String),
) -> Result<Settings, StackError> {
    let mut settings = config::lay_over("postgres", &DEFAULTS, &OWNED, &plan.settings)?;
    if has_counting_library(&shared.program(Part::Postgres)?.program) {
        settings.extend(COUNTING.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }
    let sockets = shared.workshop.scratch.sockets.display().to_string();
    settings.insert("unix_socket_directories".into(), quoted_list(&sockets));
    settings.insert("port".into(), PORT.to_string());
    settings
        .entry("max_connections".into())
        .or_insert_with(|| connections.saturating_add(20).max(100).to_string());
    if !plan.settings.contains_key("dynamic_shared_memory_type")
        && let Some((free, need)) = room::shared_memory_is_short(plan)
    {
        notice(format!(
            "/dev/shm (shared memory) has {} MiB free and {} MiB may be needed: Postgres keeps its parallel workers' memory in files instead (dynamic_shared_memory_type = mmap)",
            free >> 20,
            need >> 20
        ));
        settings.insert("dynamic_shared_memory_type".into(), "mmap".into());
    }
    Ok(settings)
}

/// Whether the server came with the library that counts statements: beside its programs, as packages have it.
fn has_counting_library(program: &Path) -> bool {
    // Where it really is: people link servers into their PATH.
    let Ok(program) = program.canonicalize() else { return false };
    let root = program.parent().and_then(Path::parent);
    let library = "pg_stat_statements.so";
    root.is_some_and(|root| {
        ["lib", "lib/postgresql", "lib64", "lib64/pgsql"]
            .iter()
            .any(|folder| root.join(folder).join(library).is_file())
    })
}

/// One folder in a list of folders: a blank or a comma in it must not end it.
fn quoted_list(folder: &str) -> String {
    format!("\"{}\"", folder.replace('"', "\"\""))
}
