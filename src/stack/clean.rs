//! `querylab clean`: ends and removes what dead runs have left, and the fetched servers if asked to. Only what bears our
//! mark is touched.

use std::fs;

use super::error::{StackError, environment};
use super::surroundings::Surroundings;
use super::{janitor, scratch};

/// Whether the servers that were fetched stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cache {
    /// They stay.
    Keep,
    /// They go.
    Remove,
}

/// Clears up, and says in a line each what was done.
///
/// # Errors
///
/// `Environment` where a folder of ours can't be removed.
pub async fn clean(surroundings: &Surroundings, cache: Cache) -> Result<Vec<String>, StackError> {
    let uid = rustix::process::geteuid().as_raw();
    let base = scratch::base(surroundings.scratch_base.as_deref(), uid)?;
    let mut done = janitor::sweep(&base).await;
    if cache == Cache::Remove {
        // Only the folder that the fetcher fills: a user-given cache folder may hold other things.
        let servers = surroundings.cache(uid)?.join("servers");
        match fs::remove_dir_all(&servers) {
            Ok(()) => done.push(format!("removed {}", servers.display())),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
            Err(e) => return Err(environment(&format!("cannot remove {}", servers.display()), e)),
        }
    }
    Ok(done)
}
