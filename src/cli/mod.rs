//! The door: arguments, printing, exit codes.

use std::process::ExitCode;

/// The program.
pub fn main() -> ExitCode {
    let args: Vec<String> =
        std::env::args_os().map(|a| a.to_string_lossy().into_owned()).collect();
    match args.get(1).map(String::as_str) {
        Some("__guard") => crate::stack::guard_main(&args[2..]),
        Some("__child") => crate::stack::child_main(&args[2..], |_| ExitCode::SUCCESS),
        _ => ExitCode::SUCCESS,
    }
}
