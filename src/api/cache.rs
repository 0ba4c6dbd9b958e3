//! One multiplexed Redis connection. Whatever Redis does, a request is answered from Postgres.
//!
//! When Redis does not answer several times in a row, or drops the connection, requests no longer wait for it: one
//! background attempt at a time reconnects.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use anyhow::Context as _;
use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, IntoConnectionInfo as _, RedisConnectionInfo,
    RedisError, Value,
};
use tokio::time::{sleep, timeout};

use super::cache_key::{Key, Stored};
use crate::plan::RedisAddress;

/// So many timeouts in a row, and the connection is given up.
const PATIENCE: u32 = 16;

/// Connecting and authenticating may take this long, and failing is not repeated more often than this.
const CONNECT_WITHIN: Duration = Duration::from_millis(500);

/// The connection to Redis.
pub(super) struct Cache {
    client: Client,
    response_timeout: Duration,
    connection: RwLock<Option<MultiplexedConnection>>,
    connecting: AtomicBool,
    timeouts: AtomicU32,
}

/// What Redis says to a key.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// What was stored.
    Hit(Stored),
    /// Nothing there.
    Nothing,
    /// Something is there that is not this answer, or Redis refused: storing anew may help.
    Unusable,
    /// Redis is not answering: leave it alone.
    Unreachable,
}

impl Cache {
    /// Connects once, so that a wrong address or password is known before anything is served.
    ///
    /// # Errors
    ///
    /// If Redis does not let us in.
    pub(super) async fn connect(
        address: &RedisAddress,
        response_timeout: Duration,
    ) -> anyhow::Result<Arc<Self>> {
        let settings =
            RedisConnectionInfo::default().set_password(&address.password).set_skip_set_lib_name();
        let info = ConnectionAddr::Unix(address.socket.clone())
            .into_connection_info()
            .context("the address of Redis")?
            .set_redis_settings(settings);
        let cache = Self {
            client: Client::open(info).context("the address of Redis")?,
            response_timeout: response_timeout.max(Duration::from_millis(1)),
            connection: RwLock::new(None),
            connecting: AtomicBool::new(false),
            timeouts: AtomicU32::new(0),
        };
        let connection = cache.open().await.context("connecting to Redis")?;
        cache.set(Some(connection));
        Ok(Arc::new(cache))
    }

    /// The answer stored under a key.
    pub(super) async fn find(self: &Arc<Self>, key: &Key) -> Found {
        match self.ask(redis::cmd("GET").arg(key.bytes())).await {
            Ok(Value::Nil) => Found::Nothing,
            Ok(Value::BulkString(value)) => {
                key.answer_in(value).map_or(Found::Unusable, Found::Hit)
            }
            Ok(_) | Err(Trouble::Refused) => Found::Unusable,
            Err(Trouble::Unreachable) => Found::Unreachable,
        }
    }

    /// Stores an answer; false if Redis did not take it. An answer that is too large is left out, which is no failure.
    /// From `renew_at_ms` on, in milliseconds of Unix time, whoever finds it should renew it.
    pub(super) async fn store(
        self: &Arc<Self>,
        key: &Key,
        answer: &[u8],
        ttl: Duration,
        renew_at_ms: Option<i64>,
    ) -> bool {
        let Some(value) = key.value_of(answer, renew_at_ms) else { return true };
        let ttl = u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX).max(1);
        let mut command = redis::cmd("SET");
        command.arg(key.bytes()).arg(value).arg("PX").arg(ttl);
        matches!(self.ask(&command).await, Ok(Value::Okay))
    }

    /// Removes what is stored under a key; false if Redis did not say that it is gone.
    pub(super) async fn forget(self: &Arc<Self>, key: &Key) -> bool {
        self.ask(redis::cmd("DEL").arg(key.bytes())).await.is_ok()
    }

    /// Whether Redis answers.
    pub(super) async fn ping(self: &Arc<Self>) -> bool {
        self.ask(&redis::cmd("PING")).await.is_ok()
    }

    async fn ask(self: &Arc<Self>, command: &redis::Cmd) -> Result<Value, Trouble> {
        let connection =
            self.connection.read().unwrap_or_else(PoisonError::into_inner).as_ref().cloned();
        let Some(mut connection) = connection else {
            self.reconnect();
            return Err(Trouble::Unreachable);
        };
        match connection.send_packed_command(command).await {
            Ok(Value::ServerError(_)) => Err(Trouble::Refused),
            Ok(value) => {
                if self.timeouts.load(Ordering::Relaxed) != 0 {
                    self.timeouts.store(0, Ordering::Relaxed);
                }
                Ok(value)
            }
            Err(error) => Err(self.blame(&error)),
        }
    }

    /// Sorts an error, and gives the connection up if it is dead.
    fn blame(self: &Arc<Self>, error: &RedisError) -> Trouble {
        let silent =
            error.is_timeout() && self.timeouts.fetch_add(1, Ordering::Relaxed) + 1 >= PATIENCE;
        if silent || error.is_connection_dropped() || error.is_unrecoverable_error() {
            self.set(None);
            self.reconnect();
            return Trouble::Unreachable;
        }
        if error.is_timeout() || error.is_io_error() {
            return Trouble::Unreachable;
        }
        Trouble::Refused
    }

    fn set(&self, connection: Option<MultiplexedConnection>) {
        *self.connection.write().unwrap_or_else(PoisonError::into_inner) = connection;
    }

    /// Starts one attempt, unless one is under way. A failed attempt blocks the next one for [`CONNECT_WITHIN`].
    fn reconnect(self: &Arc<Self>) {
        if self.connecting.swap(true, Ordering::AcqRel) {
            return;
        }
        let cache = Arc::clone(self);
        tokio::spawn(async move {
            match cache.open().await {
                Ok(connection) => {
                    cache.timeouts.store(0, Ordering::Relaxed);
                    cache.set(Some(connection));
                    tracing::warn!("connected to Redis again");
                }
                Err(error) => {
                    tracing::warn!(%error, "Redis is unreachable");
                    sleep(CONNECT_WITHIN).await;
                }
            }
            cache.connecting.store(false, Ordering::Release);
        });
    }

    async fn open(&self) -> anyhow::Result<MultiplexedConnection> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_WITHIN))
            .set_response_timeout(Some(self.response_timeout));
        let connect = self.client.get_multiplexed_async_connection_with_config(&config);
        let mut connection =
            timeout(CONNECT_WITHIN, connect).await.context("no connection in time")??;
        // Behind a hung server connecting succeeds, because the kernel does it: only an answer counts.
        let ping = redis::cmd("PING");
        let answer = connection.send_packed_command(&ping);
        timeout(CONNECT_WITHIN, answer).await.context("no answer in time")??;
        Ok(connection)
    }
}

/// Why Redis gave no value.
enum Trouble {
    /// It answered with an error.
    Refused,
    /// It did not answer.
    Unreachable,
}
