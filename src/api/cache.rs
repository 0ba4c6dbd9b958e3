//! Cache-aside over one multiplexed Redis connection. Whatever Redis does, a request is answered from Postgres.
//!
//! A value is the answer's bytes behind a head of [`HEAD`] bytes: a tag, a fingerprint of the statement and of all the
//! request's parameters, and the length. So rubbish, a truncated value, another endpoint's answer or another tenant's is
//! recognised, counted and overwritten, never served. Only answers with rows are stored.
//!
//! When Redis does not answer several times in a row, or drops the connection, requests no longer wait for it: one
//! background attempt at a time reconnects.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, IntoConnectionInfo as _, RedisConnectionInfo,
    RedisError, Value,
};
use tokio::time::{sleep, timeout};

use super::param::Given;
#[cfg(test)]
use super::value::Value as Typed;
use crate::plan::{CachePlan, KeyPiece, RedisAddress};

/// Longer keys are not worth caching.
const LONGEST_KEY: usize = 1024;

/// Larger answers are served, not stored.
const LARGEST_VALUE: usize = 1024 * 1024;

/// Format of our values; a change of it makes old values unknown.
const TAG: &[u8; 4] = b"QLB1";

/// Tag, fingerprint, length.
const HEAD: usize = 4 + 8 + 4;

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
    /// The bytes of the answer.
    Hit(Bytes),
    /// Nothing there.
    Nothing,
    /// Something is there that is not this answer, or Redis refused: storing anew may help.
    Unusable,
    /// Redis is not answering: leave it alone.
    Unreachable,
}

/// Where an answer is stored, and how it is recognised.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Key {
    bytes: Vec<u8>,
    fingerprint: u64,
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
        match self.ask(redis::cmd("GET").arg(&key.bytes)).await {
            Ok(Value::Nil) => Found::Nothing,
            Ok(Value::BulkString(value)) => {
                key.answer_in(value).map_or(Found::Unusable, Found::Hit)
            }
            Ok(_) | Err(Trouble::Refused) => Found::Unusable,
            Err(Trouble::Unreachable) => Found::Unreachable,
        }
    }

    /// Stores an answer; false if Redis did not take it. An answer that is too large is left out, which is no failure.
    pub(super) async fn store(self: &Arc<Self>, key: &Key, answer: &[u8], ttl: Duration) -> bool {
        let Some(value) = key.value_of(answer) else { return true };
        let ttl = u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX).max(1);
        let mut command = redis::cmd("SET");
        command.arg(&key.bytes).arg(value).arg("PX").arg(ttl);
        matches!(self.ask(&command).await, Ok(Value::Okay))
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

impl Key {
    /// The key of a request; none where it is too long.
    ///
    /// With one parameter in it, a key is the plan's text with the value pasted in. With several, their lengths follow
    /// behind a NUL, which no parameter can hold: otherwise `a:b` + `c` and `a` + `b:c` would be one key.
    pub(super) fn new(plan: &CachePlan, sql: &str, given: &[Given<'_>]) -> Option<Self> {
        let mut bytes = Vec::with_capacity(64);
        let mut lengths = Vec::new();
        for piece in &plan.key {
            match piece {
                KeyPiece::Text(text) => bytes.extend_from_slice(text.as_bytes()),
                KeyPiece::Param(place) => {
                    let raw = given.get(*place)?.raw.as_bytes();
                    bytes.extend_from_slice(raw);
                    lengths.push(raw.len());
                }
            }
        }
        if lengths.len() > 1 {
            bytes.push(0);
            for length in lengths {
                bytes.extend_from_slice(length.to_string().as_bytes());
                bytes.push(b',');
            }
        }
        let mut fingerprint = fnv(FNV_START, sql.as_bytes());
        for given in given {
            let raw = given.raw.as_bytes();
            fingerprint = fnv(fnv(fingerprint, &raw.len().to_be_bytes()), raw);
        }
        (bytes.len() <= LONGEST_KEY).then_some(Self { bytes, fingerprint })
    }

    fn value_of(&self, answer: &[u8]) -> Option<Vec<u8>> {
        let length = u32::try_from(answer.len()).ok()?;
        if answer.len() > LARGEST_VALUE {
            return None;
        }
        let mut value = Vec::with_capacity(HEAD + answer.len());
        value.extend_from_slice(TAG);
        value.extend_from_slice(&self.fingerprint.to_be_bytes());
        value.extend_from_slice(&length.to_be_bytes());
        value.extend_from_slice(answer);
        Some(value)
    }

    fn answer_in(&self, value: Vec<u8>) -> Option<Bytes> {
        let (tag, rest) = value.split_first_chunk::<4>()?;
        let (fingerprint, rest) = rest.split_first_chunk::<8>()?;
        let (length, answer) = rest.split_first_chunk::<4>()?;
        let ours = tag == TAG
            && *fingerprint == self.fingerprint.to_be_bytes()
            && usize::try_from(u32::from_be_bytes(*length)).ok() == Some(answer.len());
        ours.then(|| Bytes::from(value).slice(HEAD..))
    }
}

const FNV_START: u64 = 0xcbf2_9ce4_8422_2325;

/// FNV-1a: to tell answers apart that were mixed up, not to resist anybody who can write to our private Redis.
fn fnv(start: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(start, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use proptest::prelude::*;

    use super::*;

    fn given(raw: &str) -> Given<'_> {
        Given { raw: Cow::Borrowed(raw), value: Typed::Text(Cow::Borrowed(raw)) }
    }

    fn plan(pieces: Vec<KeyPiece>) -> CachePlan {
        CachePlan { key: pieces, ttl_ns: 1 }
    }

    fn text(text: &str) -> KeyPiece {
        KeyPiece::Text(text.to_owned())
    }

    fn pair() -> CachePlan {
        plan(vec![text("k:"), KeyPiece::Param(0), text(":"), KeyPiece::Param(1)])
    }

    #[test]
    fn a_key_of_one_parameter_reads_as_the_plan_wrote_it() {
        let plan = plan(vec![text("user:email:"), KeyPiece::Param(0)]);
        let key = Key::new(&plan, "SELECT 1", &[given("a@b.c")]).expect("short");
        assert_eq!(key.bytes, b"user:email:a@b.c");
        assert_eq!(Key::new(&plan, "SELECT 1", &[given(&"x".repeat(2000))]), None);
    }

    #[test]
    fn what_is_not_this_answer_is_recognised() {
        let plan = plan(vec![text("k:"), KeyPiece::Param(0)]);
        let key = Key::new(&plan, "SELECT 1", &[given("a")]).expect("short");
        let value = key.value_of(b"[{\"id\":1}]").expect("small");
        let answer = key.answer_in(value.clone());
        assert_eq!(answer.as_deref(), Some(&b"[{\"id\":1}]"[..]));
        for length in 0..value.len() {
            assert_eq!(key.answer_in(value[..length].to_vec()), None, "cut to {length}");
        }
        assert_eq!(key.answer_in([&value[..], b" "].concat()), None);
        assert_eq!(key.answer_in(b"rubbish that is long enough".to_vec()), None);
        let other_tenant = Key::new(&plan, "SELECT 1", &[given("b")]).expect("short");
        assert_eq!(other_tenant.answer_in(value.clone()), None);
        let other_endpoint = Key::new(&plan, "SELECT 2", &[given("a")]).expect("short");
        assert_eq!(other_endpoint.answer_in(value.clone()), None);
        let not_in_the_key = Key::new(&plan, "SELECT 1", &[given("a"), given("x")]).expect("short");
        assert_eq!(not_in_the_key.answer_in(value), None);
    }

    proptest! {
        #[test]
        fn different_parameters_never_share_a_key(
            one in ("[a:]{0,6}", "[a:]{0,6}"), two in ("[a:]{0,6}", "[a:]{0,6}")
        ) {
            let key = |(a, b): &(String, String)| {
                Key::new(&pair(), "SELECT 1", &[given(a), given(b)]).expect("short").bytes
            };
            prop_assert_eq!(one == two, key(&one) == key(&two));
        }
    }
}
