//! Database connections: `size` of them stay, `max_overflow` more come on demand and go when they are not wanted any more.
//!
//! The rules of `SQLAlchemy`'s `QueuePool`, but for when a connection is closed: one fair queue for all, with a bound and a
//! deadline; a round trip before each use where `pre_ping` is on. Behind the queue a request has a connection of its own
//! (`exclusive`), and one that went away in the middle of a statement takes its connection along: the next request would
//! have to wait for the old answer. Or, where the plan says so, requests share their connections (`pipeline`).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::counters::Counters;
use super::exclusive::{Exclusive, Own};
use super::pipeline::{Pipeline, Share};
use super::session::{Door, Session};
use crate::plan::PoolPlan;

/// The bounded pool.
#[derive(Clone)]
pub(super) struct Connections {
    source: Source,
    acquire_timeout: Duration,
    /// Requests that have a connection or ask for one.
    users: Arc<AtomicUsize>,
    /// Requests that may have one at the same time.
    most: usize,
    most_users: usize,
    counters: Arc<Counters>,
}

/// Where a connection comes from.
#[derive(Clone)]
enum Source {
    /// One for each request.
    Pool(Exclusive),
    /// One for several.
    Pipeline(Arc<Pipeline>),
}

/// Requests that may wait, where the plan does not say.
const MOST_WAITING: u32 = 1024;

/// One request that has a connection or asks for one; it no longer does when this goes, however that comes.
struct User(Arc<AtomicUsize>);

impl Drop for User {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What the pool holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PoolState {
    /// Connections on loan, being opened or being closed.
    pub(super) in_use: usize,
    /// Connections that lie idle.
    pub(super) idle: usize,
    /// Requests that wait for one.
    pub(super) waiting: usize,
}

/// Why there is no connection.
#[derive(Debug)]
pub(super) enum NoConnection {
    /// None came free in time.
    Timeout,
    /// As many as may wait are waiting.
    Full,
    /// The server cannot be reached, or does not let us in.
    Unreachable(tokio_postgres::Error),
    /// The API is stopping.
    Closed,
}

/// Kinds of [`NoConnection`], for counting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unconnected {
    /// Waited in vain.
    Timeout,
    /// Did not even wait.
    Full,
    /// The server is away, or the API is stopping.
    Unreachable,
}

impl NoConnection {
    /// Its kind.
    pub(super) fn kind(&self) -> Unconnected {
        match self {
            Self::Timeout => Unconnected::Timeout,
            Self::Full => Unconnected::Full,
            Self::Unreachable(_) | Self::Closed => Unconnected::Unreachable,
        }
    }
}

impl Connections {
    /// An empty pool; nothing is opened yet. `patience` is the longest that a statement may take.
    ///
    /// # Errors
    ///
    /// If the pool would hold no connection at all.
    pub(super) fn new(
        plan: &PoolPlan,
        door: Door,
        patience: Duration,
        counters: Arc<Counters>,
    ) -> anyhow::Result<Self> {
        let size = usize::try_from(plan.size)?;
        let (door, of_pool) = ((door, plan.pre_ping), Arc::clone(&counters));
        let (source, most) = if let Some(depth) = plan.pipeline_depth {
            let depth = usize::try_from(depth)?;
            let pipeline = Pipeline::new((size, depth), door, patience, of_pool);
            (Source::Pipeline(Arc::new(pipeline)), size.saturating_mul(depth))
        } else {
            let most = size.saturating_add(usize::try_from(plan.max_overflow)?);
            (Source::Pool(Exclusive::new((size, most), door, of_pool)?), most)
        };
        anyhow::ensure!(most > 0, "a pool of no connections serves nobody");
        let acquire_timeout = Duration::from_nanos(plan.acquire_timeout_ns.max(1_000_000));
        let waiting = usize::try_from(plan.max_waiting.unwrap_or(MOST_WAITING))?;
        let most_users = most.saturating_add(waiting);
        let users = Arc::new(AtomicUsize::new(0));
        Ok(Self { source, acquire_timeout, users, most, most_users, counters })
    }

    /// A connection, after waiting in the queue if there is none.
    ///
    /// # Errors
    ///
    /// See [`NoConnection`].
    pub(super) async fn lease(&self) -> Result<Lease, NoConnection> {
        let others = self.users.fetch_add(1, Ordering::Relaxed);
        let user = User(Arc::clone(&self.users));
        if others >= self.most_users {
            return Err(NoConnection::Full);
        }
        let asked = Instant::now();
        let got = timeout(self.acquire_timeout, self.held()).await;
        self.counters.waited(asked.elapsed());
        let held = got.unwrap_or(Err(NoConnection::Timeout))?;
        Ok(Lease { held, _user: user })
    }

    async fn held(&self) -> Result<Held, NoConnection> {
        match &self.source {
            Source::Pool(pool) => pool.get().await.map(Held::Own),
            Source::Pipeline(pipeline) => pipeline.share().await.map(Held::Shared),
        }
    }

    /// What it holds now.
    pub(super) fn state(&self) -> PoolState {
        match &self.source {
            Source::Pool(pool) => {
                let (in_use, idle, waiting) = pool.state();
                PoolState { in_use, idle, waiting }
            }
            Source::Pipeline(pipeline) => {
                let (in_use, idle, room) = pipeline.state();
                let served = self.most.saturating_sub(room);
                let waiting = self.users.load(Ordering::Relaxed).saturating_sub(served);
                PoolState { in_use, idle, waiting }
            }
        }
    }

    /// Refuses further requests and closes what lies idle.
    pub(super) async fn close(&self) {
        match &self.source {
            Source::Pool(pool) => pool.close().await,
            Source::Pipeline(pipeline) => pipeline.close().await,
        }
    }
}

/// A connection on loan. Dropped without [`Lease::give_back`], it is not used again before its statement is over.
pub(super) struct Lease {
    held: Held,
    _user: User,
}

enum Held {
    Own(Own),
    Shared(Share),
}

impl Lease {
    /// The connection; none only if it was taken out already, which no path does.
    pub(super) fn session(&self) -> Option<&Session> {
        match &self.held {
            Held::Own(own) => own.session(),
            Held::Shared(share) => share.session(),
        }
    }

    /// Has it closed when those who are on it have their answers; who comes later gets another one.
    pub(super) fn retire(self) {
        if let Some(session) = self.session() {
            session.retire();
        }
    }

    /// Returns it in good order: it stays, or is closed if enough others stay.
    pub(super) fn give_back(self) {
        match self.held {
            Held::Own(own) => own.give_back(),
            Held::Shared(share) => share.give_back(),
        }
    }
}
