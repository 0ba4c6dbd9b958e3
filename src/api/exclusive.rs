//! Connections that one request has at a time: opened on demand, warm ones first, closed when there are too many of them.
//!
//! Those beyond the pool's size are not closed at once. Under a load that needs them they would be wanted again a moment
//! later, and to open one (a process, a password, the statements) costs as much as dozens of requests.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use deadpool::managed::{
    Manager, Metrics, Object, Pool, PoolError, QueueMode, RecycleError, RecycleResult,
};
use tokio::time::{sleep, timeout};

use super::counters::Counters;
use super::pipeline::PING_WITHIN;
use super::pool::NoConnection;
use super::session::{Door, Session};

/// A connection beyond the pool's size that nobody has wanted for so long is closed.
const LINGER: Duration = Duration::from_millis(100);

/// The pool.
#[derive(Clone)]
pub(super) struct Exclusive {
    pool: Pool<Opener>,
    /// Connections that stay.
    size: usize,
}

/// Opens connections, and counts those that lie idle.
struct Opener {
    door: Door,
    pre_ping: bool,
    idle: Idle,
    counters: Arc<Counters>,
}

/// Connections that lie idle.
#[derive(Default)]
struct Idle {
    now: AtomicUsize,
    /// The fewest since somebody looked.
    fewest: AtomicUsize,
    /// Whether somebody looks.
    is_watched: AtomicBool,
}

/// Empty while its connection is being closed: only then is its place in the pool free.
struct Slot(Option<Box<Session>>);

impl Manager for Opener {
    type Type = Slot;
    type Error = tokio_postgres::Error;

    async fn create(&self) -> Result<Slot, tokio_postgres::Error> {
        let session = self.door.open().await?;
        self.counters.connection_opened();
        Ok(Slot(Some(Box::new(session))))
    }

    async fn recycle(&self, slot: &mut Slot, _: &Metrics) -> RecycleResult<tokio_postgres::Error> {
        // deadpool calls this once for each connection that it takes from the idle ones, with no await in between.
        let before = self.idle.now.fetch_sub(1, Ordering::AcqRel);
        self.idle.fewest.fetch_min(before.saturating_sub(1), Ordering::AcqRel);
        let Some(session) = &slot.0 else { return Ok(()) };
        if !session.is_open() {
            return Err(RecycleError::message("the server has closed it"));
        }
        if self.pre_ping {
            let pinged = timeout(PING_WITHIN, session.ping()).await;
            pinged.map_err(|_| RecycleError::message("the server does not answer"))??;
        }
        Ok(())
    }
}

impl Exclusive {
    /// An empty pool; nothing is opened yet.
    ///
    /// # Errors
    ///
    /// If there can be no such pool.
    pub(super) fn new(
        (size, most): (usize, usize),
        (door, pre_ping): (Door, bool),
        counters: Arc<Counters>,
    ) -> anyhow::Result<Self> {
        let opener = Opener { door, pre_ping, idle: Idle::default(), counters };
        let pool = Pool::builder(opener).max_size(most).queue_mode(QueueMode::Lifo);
        Ok(Self { pool: pool.build().context("building the pool")?, size })
    }

    /// A connection, after waiting in the queue if there is none.
    ///
    /// # Errors
    ///
    /// See [`NoConnection`].
    pub(super) async fn get(&self) -> Result<Own, NoConnection> {
        match self.pool.get().await {
            Ok(object) => Ok(Own { object: Some(object), home: self.clone() }),
            Err(PoolError::Backend(error)) => Err(NoConnection::Unreachable(error)),
            Err(PoolError::Closed) => Err(NoConnection::Closed),
            Err(_) => Err(NoConnection::Timeout),
        }
    }

    /// How many are in use, lie idle, and are waited for.
    pub(super) fn state(&self) -> (usize, usize, usize) {
        let status = self.pool.status();
        (status.size.saturating_sub(status.available), status.available, status.waiting)
    }

    /// Refuses further requests and closes what lies idle.
    pub(super) async fn close(&self) {
        let idle = self.pool.retain(|_, _| false).removed;
        self.pool.close();
        for session in idle.into_iter().filter_map(|slot| slot.0) {
            session.close().await;
        }
    }

    /// Closes what is too much for longer than a moment; ends when nothing is. One at a time does so.
    async fn watch(self) {
        let idle = &self.pool.manager().idle;
        while !self.pool.is_closed() {
            idle.fewest.store(idle.now.load(Ordering::Acquire), Ordering::Release);
            sleep(LINGER).await;
            let unwanted = idle.fewest.load(Ordering::Acquire).saturating_sub(self.size);
            // Those that have lain for longest stand first: the warm ones stay.
            let mut left = unwanted;
            let gone = self.pool.retain(|_, _| {
                let goes = left > 0;
                left -= usize::from(goes);
                !goes
            });
            idle.now.fetch_sub(gone.removed.len(), Ordering::AcqRel);
            for session in gone.removed.into_iter().filter_map(|slot| slot.0) {
                session.close().await;
            }
            if idle.now.load(Ordering::Acquire) > self.size {
                continue;
            }
            idle.is_watched.store(false, Ordering::Release);
            // One may have come back between the two lines before.
            let is_over = idle.now.load(Ordering::Acquire) <= self.size;
            if is_over || idle.is_watched.swap(true, Ordering::AcqRel) {
                return;
            }
        }
    }
}

/// A connection that nobody else has; closed where it goes without being given back.
pub(super) struct Own {
    object: Option<Object<Opener>>,
    home: Exclusive,
}

impl Own {
    /// The connection; none only if it was taken out already, which no path does.
    pub(super) fn session(&self) -> Option<&Session> {
        self.object.as_ref().and_then(|object| object.0.as_deref())
    }

    /// Returns it in good order.
    pub(super) fn give_back(mut self) {
        let Some(object) = self.object.take() else { return };
        let idle = &self.home.pool.manager().idle;
        let others = idle.now.fetch_add(1, Ordering::AcqRel);
        drop(object);
        if others >= self.home.size && !idle.is_watched.swap(true, Ordering::AcqRel) {
            tokio::spawn(self.home.clone().watch());
        }
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        if let Some(object) = self.object.take() {
            drop(Object::take(object));
        }
    }
}
