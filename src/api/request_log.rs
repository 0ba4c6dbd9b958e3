//! One line a request, written behind the requests' backs.
//!
//! A request leaves a few facts in a bounded queue, without a system call and without waking anybody. Ten times a second
//! they are taken out, made into lines and written by a thread that serves no requests. Where more come than the queue
//! holds, lines are left out and counted: a request never waits for its line.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::http::Method;
use tokio::sync::Notify;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{Instant, sleep, timeout};

use super::counters::CacheUse;
use super::log_lines::Lines;
use super::request_id::RequestId;
use super::start::Endpoint;

/// Lines that wait; 160,000 requests a second fill it between two writes.
const MOST_WAITING: usize = 16_384;

/// Between two writes.
const PAUSE: Duration = Duration::from_millis(100);

/// The last lines get this long.
const LAST_WITHIN: Duration = Duration::from_secs(2);

/// The facts of one request.
pub(super) struct Entry {
    pub(super) arrived: Instant,
    pub(super) id: RequestId,
    /// None where no endpoint was meant.
    pub(super) endpoint: Option<Arc<Endpoint>>,
    pub(super) method: Method,
    /// As it came; none where the endpoint's own path says all.
    pub(super) path: Option<Box<str>>,
    pub(super) query: Option<Box<str>>,
    pub(super) query_ns: u64,
    pub(super) cache: CacheUse,
    pub(super) statements: u32,
    pub(super) status: u16,
    pub(super) bytes: u64,
}

/// The queue and who empties it.
pub(super) struct RequestLog {
    shared: Arc<Shared>,
    writing: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Default)]
struct Shared {
    waiting: Mutex<Vec<Entry>>,
    dropped: AtomicU64,
    stopping: Notify,
}

impl RequestLog {
    /// Lines go to this file; see [`Lines::open`].
    ///
    /// # Errors
    ///
    /// If the file cannot be written.
    pub(super) fn start(path: &Path) -> anyhow::Result<Self> {
        let lines = Lines::open(path)?;
        let shared = Arc::new(Shared::default());
        let writing = tokio::spawn(write_all(Arc::clone(&shared), lines));
        Ok(Self { shared, writing: Mutex::new(Some(writing)) })
    }

    /// Leaves the facts of a request.
    pub(super) fn push(&self, entry: Entry) {
        self.shared.push(entry);
    }

    /// Lines that were left out so far.
    pub(super) fn dropped(&self) -> u64 {
        self.shared.dropped.load(Ordering::Relaxed)
    }

    /// Writes what waits, and ends.
    pub(super) async fn stop(&self) {
        self.shared.stopping.notify_one();
        let writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(writing) = writing
            && timeout(LAST_WITHIN, writing).await.is_err()
        {
            tracing::warn!("the last lines of the request log could not be written in time");
        }
    }
}

impl Shared {
    fn push(&self, entry: Entry) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() < MOST_WAITING {
            waiting.push(entry);
        } else {
            drop(waiting);
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Takes what waits, and leaves an empty list with room.
    fn take(&self, room: Vec<Entry>) -> Vec<Entry> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *waiting, room)
    }
}

async fn write_all(shared: Arc<Shared>, mut lines: Lines) {
    let mut room = Vec::new();
    let mut is_last = false;
    while !is_last {
        tokio::select! {
            () = sleep(PAUSE) => {}
            () = shared.stopping.notified() => is_last = true,
        }
        let mut entries = shared.take(room);
        if entries.is_empty() {
            room = entries;
            continue;
        }
        let written = spawn_blocking(move || {
            let lost = lines.write(&entries);
            entries.clear();
            (lines, entries, lost)
        });
        // The thread neither panics nor is cancelled; should it, there is nobody left who could write.
        let Ok((back, entries, lost)) = written.await else { return };
        (lines, room) = (back, entries);
        if lost > 0 {
            shared.dropped.fetch_add(lost, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// The facts of a request to no endpoint.
    pub(in crate::api) fn entry() -> Entry {
        Entry {
            arrived: Instant::now(),
            id: crate::api::request_id::Ids::new()
                .expect("randomness")
                .name(&axum::http::HeaderMap::default()),
            endpoint: None,
            method: Method::GET,
            path: Some("/x".into()),
            query: None,
            query_ns: 0,
            cache: CacheUse::Bypass,
            statements: 0,
            status: 404,
            bytes: 3,
        }
    }

    #[test]
    fn what_does_not_fit_is_left_out_and_counted() {
        let shared = Shared::default();
        for _ in 0..MOST_WAITING + 3 {
            shared.push(entry());
        }
        assert_eq!(shared.take(Vec::new()).len(), MOST_WAITING);
        assert_eq!(shared.dropped.load(Ordering::Relaxed), 3);
        shared.push(entry());
        assert_eq!(shared.take(Vec::new()).len(), 1);
    }

    #[tokio::test]
    async fn all_lines_are_there_after_the_end() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("requests.jsonl");
        let log = RequestLog::start(&path).expect("started");
        for _ in 0..100 {
            log.push(entry());
        }
        log.stop().await;
        let text = std::fs::read_to_string(&path).expect("written");
        assert_eq!((text.lines().count(), log.dropped()), (100, 0));
    }
}
