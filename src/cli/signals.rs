//! Ctrl-C and its like: once stops cleanly, twice stops at once.

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::out;
use crate::lab::Interrupt;

/// SIGHUP, SIGINT, SIGQUIT, SIGTERM.
const SIGNALS: [i32; 4] = [1, 2, 3, 15];

/// Listens for signals until the program ends.
///
/// The second one ends the process on the spot: the guard sees its pipe close and stops every server.
pub(super) fn listen() -> std::io::Result<watch::Receiver<Interrupt>> {
    listen_saying("\nstopping the servers; what is finished is kept (again: stop at once)\n")
}

/// The same, with another word about what the first signal does.
pub(super) fn listen_saying(word: &'static str) -> std::io::Result<watch::Receiver<Interrupt>> {
    let (sender, receiver) = watch::channel(Interrupt::None);
    let sender = std::sync::Arc::new(sender);
    for number in SIGNALS {
        let mut stream = signal(SignalKind::from_raw(number))?;
        let sender = sender.clone();
        tokio::spawn(async move {
            while stream.recv().await.is_some() {
                if *sender.borrow() == Interrupt::None {
                    out::stderr(word);
                    sender.send_replace(Interrupt::Stop(number));
                } else {
                    at_once(number);
                }
            }
        });
    }
    Ok(receiver)
}

#[expect(
    clippy::exit,
    reason = "asked for twice: nothing in this process may delay the end; the guard cleans up"
)]
fn at_once(signal: i32) {
    std::process::exit(128 + signal);
}
