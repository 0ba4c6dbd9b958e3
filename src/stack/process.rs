//! The only file that starts processes. Everything else asks the guard, and the guard asks here.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use super::protocol::{ChildSpec, GuardSpec, Program};

/// Our own program, whatever became of its file since.
const OURSELVES: &str = "/proc/self/exe";

/// Starts the guard, from the runner, with pipes to its standard input and output. Its diagnostics go to `log`.
pub(super) fn start_guard(
    program: Option<&Path>,
    spec: &GuardSpec,
    log: File,
) -> io::Result<tokio::process::Child> {
    #[expect(clippy::disallowed_methods, reason = "this is the file that starts processes")]
    let mut command = tokio::process::Command::new(program.unwrap_or(Path::new(OURSELVES)));
    command
        .arg0("querylab")
        .arg("__guard")
        .arg(serde_json::to_string(spec)?)
        .env_clear()
        .env("LC_ALL", "C.UTF-8")
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(log)
        .kill_on_drop(false)
        .spawn()
}

/// Starts the trampoline, from the guard's main thread (the death signal goes with the thread). Gives its pid.
pub(super) fn start_child(spec: &ChildSpec, log: File) -> io::Result<u32> {
    #[expect(clippy::disallowed_methods, reason = "this is the file that starts processes")]
    let mut command = Command::new(OURSELVES);
    let child = command
        .arg0("querylab")
        .arg("__child")
        .arg(serde_json::to_string(spec)?)
        .env_clear()
        .envs(&spec.env)
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .spawn()?;
    Ok(child.id())
}

/// Becomes the program; only comes back if that failed.
pub(super) fn become_program(program: &Program) -> io::Error {
    let Program::Exec { path, args, libraries } = program else {
        return io::Error::other("the API is no program of its own");
    };
    #[expect(clippy::disallowed_methods, reason = "this is the file that starts processes")]
    let mut command = Command::new(path);
    command.args(args);
    if !libraries.is_empty()
        && let Ok(folders) = std::env::join_paths(libraries)
    {
        command.env("LD_LIBRARY_PATH", folders);
    }
    command.exec()
}

/// Starts this program again in place of itself, without the variables that change what database clients do (`PG*`).
/// Comes back at once where none is set; fails only if the start fails.
///
/// sqlx takes `PGOPTIONS` from the environment and offers no way to unset it, so the environment itself is cleaned.
pub fn relaunch_without_foreign_settings() -> io::Result<()> {
    let foreign = |name: &OsString| name.to_string_lossy().starts_with("PG");
    let names: Vec<OsString> = std::env::vars_os().map(|(name, _)| name).filter(foreign).collect();
    if names.is_empty() {
        return Ok(());
    }
    let mut arguments = std::env::args_os();
    #[expect(clippy::disallowed_methods, reason = "this is the file that starts processes")]
    let mut command = Command::new(OURSELVES);
    if let Some(own) = arguments.next() {
        command.arg0(own);
    }
    command.args(arguments);
    for name in names {
        command.env_remove(name);
    }
    Err(command.exec())
}

/// Removes a System V shared memory segment: there is no safe call for it, only the system's program.
pub(super) fn remove_shared_memory(id: &str) {
    #[expect(clippy::disallowed_methods, reason = "this is the file that starts processes")]
    let mut command = Command::new("ipcrm");
    let quiet = command.args(["-m", id]).stdin(Stdio::null()).stdout(Stdio::null());
    // Where it is missing or refuses, a few bytes stay until the next boot.
    drop(quiet.stderr(Stdio::null()).env_clear().env("PATH", "/usr/bin:/bin").status());
}
