//! Work on files beside the runtime, and the signal that ends it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::watch;

use super::event::{Interrupt, Stop};

/// Does the work on a thread of its own. It is told to stop when somebody interrupts, and waited for: it looks at that
/// after every few megabytes.
pub(super) async fn offload<T: Send + 'static>(
    interrupt: &watch::Receiver<Interrupt>,
    work: impl FnOnce(&AtomicBool) -> anyhow::Result<T> + Send + 'static,
) -> Result<anyhow::Result<T>, Stop> {
    let stop = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&stop);
    let mut task = tokio::task::spawn_blocking(move || work(&told));
    tokio::select! {
        done = &mut task => Ok(done.map_err(anyhow::Error::from).and_then(|done| done)),
        signal = interrupted(interrupt.clone()) => {
            stop.store(true, Ordering::Relaxed);
            // What it did is of no interest any more, but it must not go on.
            drop(task.await);
            Err(Stop::Interrupted(signal))
        }
    }
}

/// The signal, when it comes.
pub(super) async fn interrupted(mut interrupt: watch::Receiver<Interrupt>) -> i32 {
    match interrupt.wait_for(|wish| *wish != Interrupt::None).await.map(|wish| *wish) {
        Ok(Interrupt::Stop(signal)) => signal,
        // The sender lives as long as the program: without it nobody can interrupt.
        _ => std::future::pending().await,
    }
}
