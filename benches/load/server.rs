//! A private Postgres for one run of the bench, gone when it is.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use querylab::dataset::Addresses;
use querylab::plan::{PostgresAddress, Whose};
use rustix::process::{Pid, Signal, kill_process};
use sqlx::ConnectOptions as _;
use sqlx::postgres::{PgConnectOptions, PgConnection};

const NOBODY: u32 = 65_534;
const PORT: u16 = 5434;
const PASSWORD: &str = "private-and-short-lived";
/// Settings as querylab's own servers have them.
const SETTINGS: [&str; 6] = [
    "listen_addresses=",
    "max_wal_size=16GB",
    "checkpoint_timeout=1h",
    "autovacuum=off",
    "shared_buffers=256MB",
    "maintenance_work_mem=128MB",
];

/// What the server writes to its log.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wal {
    /// As by default.
    Replica,
    /// No rows of a table that is made in the same transaction.
    Minimal,
}

/// The server.
pub(crate) struct Server {
    child: Child,
    programs: PathBuf,
    folder: tempfile::TempDir,
}

impl Server {
    /// Makes a cluster and starts it.
    pub(crate) async fn start(wal: Wal) -> Result<Self> {
        let programs = programs().context("no Postgres is installed")?;
        let folder = tempfile::Builder::new().prefix("ql-load-").tempdir_in("/tmp")?;
        fs::set_permissions(folder.path(), Permissions::from_mode(0o700))?;
        if rustix::process::geteuid().is_root() {
            chown(folder.path(), Some(NOBODY), Some(NOBODY))?;
        }
        fs::write(folder.path().join("password"), PASSWORD)?;
        let made = command(&programs.join("initdb"), folder.path())
            .args(["-D", "data", "-U", "boss", "-A", "scram-sha-256", "--pwfile=password"])
            .args([
                "--no-instructions",
                "-E",
                "UTF8",
                "--locale=C",
                "--data-checksums",
                "--no-sync",
            ])
            .status()?;
        ensure!(made.success(), "initdb failed");
        let mut postgres = command(&programs.join("postgres"), folder.path());
        postgres.args(["-D", "data", "-c", &format!("port={PORT}")]);
        postgres.args(["-c", &format!("unix_socket_directories={}", folder.path().display())]);
        for setting in SETTINGS {
            postgres.args(["-c", setting]);
        }
        if wal == Wal::Minimal {
            postgres.args(["-c", "wal_level=minimal", "-c", "max_wal_senders=0"]);
        }
        let server = Self { child: postgres.spawn()?, programs, folder };
        for _ in 0..1000 {
            if let Ok(mut boss) = server.boss().await {
                let role = format!("CREATE ROLE app LOGIN PASSWORD '{PASSWORD}'");
                crate::run(&mut boss, &role).await?;
                return Ok(server);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        bail!("Postgres is not ready within 20 s")
    }

    fn address(&self, user: &str) -> PostgresAddress {
        PostgresAddress {
            socket_dir: self.folder.path().to_owned(),
            port: PORT,
            user: user.to_owned(),
            password: PASSWORD.to_owned(),
            database: "postgres".to_owned(),
            whose: Whose::Ours,
        }
    }

    /// How querylab reaches it.
    pub(crate) fn addresses(&self) -> Addresses {
        Addresses { admin: self.address("boss"), app: self.address("app") }
    }

    /// A connection of the superuser's.
    pub(crate) async fn boss(&self) -> Result<PgConnection> {
        self.connect("postgres").await
    }

    /// The same, to another database.
    pub(crate) async fn connect(&self, database: &str) -> Result<PgConnection> {
        let options = PgConnectOptions::new_without_pgpass()
            .socket(self.folder.path())
            .port(PORT)
            .username("boss")
            .password(PASSWORD)
            .database(database);
        Ok(options.connect().await?)
    }

    /// Seconds that `pgbench -i` takes for rows and keys, by its own account; none if it is not installed.
    pub(crate) async fn pgbench(&self, scale: u64) -> Result<Option<f64>> {
        let program = self.programs.join("pgbench");
        if !program.is_file() {
            return Ok(None);
        }
        let mut boss = self.boss().await?;
        crate::run(&mut boss, "CREATE DATABASE pgbench").await?;
        let output = command(&program, self.folder.path())
            .args(["-i", "-I", "dtgp", "-s", &scale.to_string(), "-U", "boss"])
            .args(["-h", &self.folder.path().display().to_string(), "-p", &PORT.to_string()])
            .arg("pgbench")
            .env("PGPASSWORD", PASSWORD)
            .stderr(Stdio::piped())
            .output()?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(output.status.success(), "pgbench failed: {said}");
        crate::run(&mut boss, "DROP DATABASE pgbench WITH (FORCE)").await?;
        crate::run(&mut boss, "CHECKPOINT").await?;
        let parts = ["client-side generate ", "primary keys "].map(|part| seconds(&said, part));
        let [Some(rows), Some(keys)] = parts else {
            bail!("pgbench did not say its times: {said}")
        };
        Ok(Some(rows + keys))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Ok(pid) = i32::try_from(self.child.id()).map(Pid::from_raw)
            && let Some(pid) = pid
        {
            kill_process(pid, Signal::INT).ok();
        }
        self.child.wait().ok();
    }
}

/// The number of seconds after these words.
fn seconds(text: &str, words: &str) -> Option<f64> {
    text.rsplit_once(words)?.1.split_whitespace().next()?.parse().ok()
}

fn command(program: &Path, folder: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(folder).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    if rustix::process::geteuid().is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    command
}

/// The folder of the newest installed server's programs.
fn programs() -> Option<PathBuf> {
    let mut folders: Vec<PathBuf> =
        std::env::var_os("PATH").map(|path| std::env::split_paths(&path).collect())?;
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut installed: Vec<PathBuf> = versions.map(|entry| entry.path().join("bin")).collect();
    installed.sort();
    folders.extend(installed.into_iter().rev());
    // A folder of links does not have all of them.
    let program = |folder: PathBuf| fs::canonicalize(folder.join("initdb")).ok();
    folders.into_iter().find_map(program)?.parent().map(Path::to_path_buf)
}
