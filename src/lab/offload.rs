//! Work on files beside the runtime, until it is done or a signal ends it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::watch;

use super::event::{Interrupt, Stop};
use super::watched::interrupted;

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
