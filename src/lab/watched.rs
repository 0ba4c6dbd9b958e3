//! Work that ends early where a server dies or the person at the keyboard has had enough.

use std::time::Duration;

use tokio::sync::watch;

use super::event::{Interrupt, Stop};
use crate::stack::Stack;

/// The longest that a trial may take to end by itself after a signal.
const HEARD_WITHIN: Duration = Duration::from_secs(3);

/// The signal, when it comes.
pub(super) async fn interrupted(mut interrupt: watch::Receiver<Interrupt>) -> i32 {
    match interrupt.wait_for(|wish| *wish != Interrupt::None).await.map(|wish| *wish) {
        Ok(Interrupt::Stop(signal)) => signal,
        // The sender lives as long as the program: without it nobody can interrupt.
        _ => std::future::pending().await,
    }
}

/// A signal that the trial has not ended for by itself: a load closes its books when it comes, but a CHECKPOINT or an
/// ANALYZE hears nothing, and may take minutes.
pub(super) async fn unheard(interrupt: watch::Receiver<Interrupt>) -> i32 {
    let signal = interrupted(interrupt).await;
    tokio::time::sleep(HEARD_WITHIN).await;
    signal
}

/// Does the work, unless a server of the stack dies or a signal comes before it is done: then it is dropped.
///
/// # Errors
///
/// Why it was not done.
pub(super) async fn watched<T>(
    work: impl Future<Output = T>,
    stack: &Stack,
    interrupt: watch::Receiver<Interrupt>,
) -> Result<T, Stop> {
    tokio::select! {
        done = work => Ok(done),
        text = stack.died() => Err(Stop::Measurement(text)),
        signal = interrupted(interrupt) => Err(Stop::Interrupted(signal)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_signal_is_unheard_only_after_the_time_to_hear_it() {
        let (sender, receiver) = watch::channel(Interrupt::None);
        let began = tokio::time::Instant::now();
        sender.send_replace(Interrupt::Stop(15));
        assert_eq!(unheard(receiver).await, 15);
        assert!(began.elapsed() >= HEARD_WITHIN);
    }

    #[tokio::test]
    async fn a_signal_is_told_whenever_it_came_and_nobody_waits_for_one_that_cannot() {
        let (sender, receiver) = watch::channel(Interrupt::None);
        let waiting = interrupted(receiver.clone());
        sender.send_replace(Interrupt::Stop(2));
        assert_eq!(waiting.await, 2);
        assert_eq!(interrupted(receiver).await, 2, "long ago");
        let (sender, receiver) = watch::channel(Interrupt::None);
        drop(sender);
        let never = interrupted(receiver);
        let waited = tokio::time::timeout(Duration::from_millis(20), never).await;
        assert!(waited.is_err());
    }
}
