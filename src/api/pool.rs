//! Database connections: `size` of them stay, `max_overflow` more come on demand and are closed on return.
//!
//! The same rules as `SQLAlchemy`'s `QueuePool`: one fair queue for all, a round trip before each use where `pre_ping` is
//! on, and a connection that comes back while enough others lie idle is closed. A connection whose request went away in
//! the middle of a statement is closed too: the next request would have to wait for the old answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use deadpool::managed::{Manager, Metrics, Object, Pool, PoolError, RecycleResult};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions as _, Connection as _};
use tokio::time::{Instant, timeout};

use super::counters::Counters;
use crate::plan::PoolPlan;

/// Saying goodbye to the server is a courtesy: the socket is closed anyway.
const GOODBYE_WITHIN: Duration = Duration::from_secs(1);

/// The bounded pool.
#[derive(Clone)]
pub(super) struct Connections {
    pool: Pool<Opener>,
    size: usize,
    acquire_timeout: Duration,
    /// Requests that have a connection or ask for one.
    users: Arc<AtomicUsize>,
    most_users: usize,
    counters: Arc<Counters>,
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
    Unreachable(sqlx::Error),
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

/// Opens connections, and counts those that lie idle.
struct Opener {
    options: PgConnectOptions,
    pre_ping: bool,
    idle: Arc<AtomicUsize>,
    counters: Arc<Counters>,
}

/// Empty while its connection is being closed: only then is its place in the pool free.
struct Slot(Option<PgConnection>);

impl Manager for Opener {
    type Type = Slot;
    type Error = sqlx::Error;

    async fn create(&self) -> Result<Slot, sqlx::Error> {
        let connection = self.options.connect().await?;
        self.counters.connection_opened();
        Ok(Slot(Some(connection)))
    }

    async fn recycle(&self, slot: &mut Slot, _: &Metrics) -> RecycleResult<sqlx::Error> {
        // deadpool calls this once for each connection that it takes from the idle ones, with no await in between.
        self.idle.fetch_sub(1, Ordering::AcqRel);
        if let (true, Some(connection)) = (self.pre_ping, &mut slot.0) {
            connection.ping().await?;
        }
        Ok(())
    }
}

impl Connections {
    /// An empty pool; nothing is opened yet.
    ///
    /// # Errors
    ///
    /// If the pool would hold no connection at all.
    pub(super) fn new(
        plan: &PoolPlan,
        options: PgConnectOptions,
        counters: Arc<Counters>,
    ) -> anyhow::Result<Self> {
        let size = usize::try_from(plan.size)?;
        let most = size.saturating_add(usize::try_from(plan.max_overflow)?);
        anyhow::ensure!(most > 0, "a pool of no connections serves nobody");
        let opener = Opener {
            options,
            pre_ping: plan.pre_ping,
            idle: Arc::new(AtomicUsize::new(0)),
            counters: Arc::clone(&counters),
        };
        let pool = Pool::builder(opener).max_size(most).build().context("building the pool")?;
        let acquire_timeout = Duration::from_nanos(plan.acquire_timeout_ns.max(1_000_000));
        let waiting = usize::try_from(plan.max_waiting.unwrap_or(MOST_WAITING))?;
        let most_users = most.saturating_add(waiting);
        let users = Arc::new(AtomicUsize::new(0));
        Ok(Self { pool, size, acquire_timeout, users, most_users, counters })
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
        let got = timeout(self.acquire_timeout, self.pool.get()).await;
        self.counters.waited(asked.elapsed());
        match got {
            Ok(Ok(object)) => Ok(Lease { object: Some(object), pool: self.clone(), _user: user }),
            Ok(Err(PoolError::Backend(error))) => Err(NoConnection::Unreachable(error)),
            Ok(Err(PoolError::Closed)) => Err(NoConnection::Closed),
            Ok(Err(_)) | Err(_) => Err(NoConnection::Timeout),
        }
    }

    /// What it holds now.
    pub(super) fn state(&self) -> PoolState {
        let status = self.pool.status();
        PoolState {
            in_use: status.size.saturating_sub(status.available),
            idle: status.available,
            waiting: status.waiting,
        }
    }

    /// Refuses further requests and closes what lies idle.
    pub(super) async fn close(&self) {
        let idle = self.pool.retain(|_, _| false).removed;
        self.pool.close();
        for connection in idle.into_iter().filter_map(|slot| slot.0) {
            say_goodbye(connection).await;
        }
    }

    /// Whether a returned connection may stay; if so it already counts as idle.
    fn keep(&self) -> bool {
        let idle = &self.pool.manager().idle;
        let room = |idle: usize| (idle < self.size).then_some(idle + 1);
        if idle.fetch_update(Ordering::AcqRel, Ordering::Acquire, room).is_ok() {
            return true;
        }
        // All that may stay are there, but somebody in the queue is about to take one of them or this one.
        let wanted = self.pool.status().waiting > 0;
        if wanted {
            idle.fetch_add(1, Ordering::AcqRel);
        }
        wanted
    }
}

async fn say_goodbye(connection: PgConnection) {
    if let Ok(Err(error)) = timeout(GOODBYE_WITHIN, connection.close()).await {
        tracing::debug!(%error, "closing a connection");
    }
}

/// A connection on loan. Dropped without [`Lease::give_back`], it is closed.
pub(super) struct Lease {
    object: Option<Object<Opener>>,
    pool: Connections,
    _user: User,
}

impl Lease {
    /// The connection; none only if it was taken out already, which no path does.
    pub(super) fn connection(&mut self) -> Option<&mut PgConnection> {
        self.object.as_mut().and_then(|object| object.0.as_mut())
    }

    /// Returns it in good order: it stays, or is closed if enough others stay.
    pub(super) fn give_back(mut self) {
        let Some(mut object) = self.object.take() else { return };
        if self.pool.keep() {
            drop(object);
            return;
        }
        let connection = object.0.take();
        // As many of these as there is overflow, at most: each one holds its place until the server has been told.
        tokio::spawn(async move {
            if let Some(connection) = connection {
                say_goodbye(connection).await;
            }
            drop(Object::take(object));
        });
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(object) = self.object.take() {
            drop(Object::take(object));
        }
    }
}
