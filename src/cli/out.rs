//! The two streams, and whether they take colour. A reader who has seen enough (`| head`) is no error.

use std::io::{IsTerminal, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use super::args::{MessageFormat, When};
use super::exit::Exit;

/// One of the two streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stream {
    /// Everything else.
    Stderr,
}

static COLOR: AtomicU8 = AtomicU8::new(0);

/// Remembers `--color` for the whole process: it is one terminal.
pub(super) fn set_color(when: When) {
    let word = match when {
        When::Auto => 0,
        When::Always => 1,
        When::Never => 2,
    };
    COLOR.store(word, Ordering::Relaxed);
}

static JSON: AtomicBool = AtomicBool::new(false);

/// Remembers `--message-format` for the whole process: answers and errors, wherever they come from.
pub(super) fn set_format(format: MessageFormat) {
    JSON.store(format == MessageFormat::Json, Ordering::Relaxed);
}

/// Whether a stream takes colour: `--color`, then `NO_COLOR` and its like, then whether it is a terminal.
pub(super) fn is_colored(stream: Stream) -> bool {
    match COLOR.load(Ordering::Relaxed) {
        1 => true,
        2 => false,
        _ => {
            let choice = match stream {
                Stream::Stderr => anstream::AutoStream::choice(&std::io::stderr()),
            };
            choice != anstream::ColorChoice::Never
        }
    }
}

/// Whether a person looks at standard error.
pub(super) fn stderr_is_terminal() -> bool {
    std::io::stderr().is_terminal()
}

/// Writes what was asked for.
///
/// A closed pipe ends the program with success; anything else is an error of the environment.
pub(super) fn stdout(text: &str) -> Result<(), Exit> {
    raw(text.as_bytes())
}

/// Writes a file that goes to standard output; a reader who has seen enough changes nothing about how the program ends.
pub(super) fn bytes(bytes: &[u8]) -> Result<(), Exit> {
    match raw(bytes) {
        Err(Exit::Done) => Ok(()),
        written => written,
    }
}

fn raw(bytes: &[u8]) -> Result<(), Exit> {
    let mut out = std::io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Ok(()) => Ok(()),
        Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe => Err(Exit::Done),
        Err(e) => {
            stderr(&format!("error: cannot write to stdout: {e}\n"));
            Err(Exit::Environment)
        }
    }
}

/// Writes what was asked for, where a reader who has seen enough changes nothing about how the program ends.
pub(super) fn tell(text: &str) -> Result<(), Exit> {
    bytes(text.as_bytes())
}

/// Whether answers are objects, one a line: `--message-format json`.
pub(super) fn is_json() -> bool {
    JSON.load(Ordering::Relaxed)
}

/// Writes one object on a line of its own.
pub(super) fn object(value: &serde_json::Value) -> Result<(), Exit> {
    tell(&format!("{value}\n"))
}

/// A path as JSON can hold it: what is no Unicode of it is replaced.
pub(super) fn path(path: &Path) -> String {
    path.display().to_string()
}

/// Writes a diagnostic; if even that fails there is nobody to tell.
pub(super) fn stderr(text: &str) {
    let mut err = std::io::stderr().lock();
    err.write_all(text.as_bytes()).and_then(|()| err.flush()).ok();
}

/// Prints `error: …` and returns the exit; with `--message-format json` also as an object on standard output.
pub(super) fn fail(exit: Exit, text: impl std::fmt::Display) -> Exit {
    if is_json() {
        let error = serde_json::json!({ "event": "error", "exit": exit.number(), "text": text.to_string() });
        // Where nobody reads, the exit code still tells.
        stdout(&format!("{error}\n")).unwrap_or_default();
    }
    let (red, reset) =
        if is_colored(Stream::Stderr) { ("\x1b[1;31m", "\x1b[0m") } else { ("", "") };
    stderr(&format!("{red}error{reset}: {text}\n"));
    exit
}
