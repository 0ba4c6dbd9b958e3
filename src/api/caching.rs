//! What a cached endpoint does with its cache: looks first, fills on a miss, renews before the end where it should, and
//! trusts no entry that a write could not remove.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;

use super::cache::{Cache, Found};
use super::cache_key::{Key, LARGEST_VALUE, Stored};
use super::counters::CacheUse;
use super::doubts::{Doubts, Trust};
use super::flights::{Flights, Part, landed};
use super::handler::ask_database;
use super::laps::Stage;
use super::observe::Course;
use super::param::Given;
use super::problem::HttpProblem;
use super::request_id::mixed;
use super::start::{App, Endpoint};
use crate::plan::CachePlan;

/// Entries that are being renewed; more of them wait for the next request.
const MOST_RENEWALS: usize = 64;

/// One endpoint's share in the cache.
pub(super) struct Caching {
    pub(super) redis: Arc<Cache>,
    pub(super) plan: CachePlan,
    flights: Flights,
    renewing: Arc<Mutex<BTreeSet<Key>>>,
    /// Entries that writes made wrong and could not remove.
    doubts: Doubts,
    /// Entries stored so far: what their times differ by comes of it.
    stored: AtomicU64,
}

impl Caching {
    /// With nothing under way.
    pub(super) fn new(redis: Arc<Cache>, plan: CachePlan) -> Self {
        let life_ns = plan.ttl_ns.max(plan.negative_ttl_ns.unwrap_or(0));
        Self {
            redis,
            plan,
            flights: Flights::default(),
            renewing: Arc::default(),
            doubts: Doubts::new(Duration::from_nanos(life_ns)),
            stored: AtomicU64::new(0),
        }
    }

    /// What Redis has under a key, if it may be served.
    async fn find(&self, key: &Key) -> Found {
        match self.doubts.of(key) {
            Trust::Given => self.redis.find(key).await,
            Trust::OnceRemoved(turn) => {
                if !self.redis.forget(key).await {
                    return Found::Unreachable;
                }
                self.doubts.end(key, turn);
                Found::Unusable
            }
            Trust::Denied => Found::Unreachable,
        }
    }

    /// Removes an entry that is no longer true; false if Redis did not say that it is gone, and then nobody gets it.
    pub(super) async fn forget(&self, key: &Key) -> bool {
        let is_gone = self.redis.forget(key).await;
        if !is_gone {
            self.doubts.add(key);
        }
        is_gone
    }

    /// Puts what a write answered in the place of an entry that is no longer true; false as of [`Self::forget`].
    pub(super) async fn replace(&self, key: &Key, answer: &[u8], rows: u64) -> bool {
        if answer.len() > LARGEST_VALUE {
            return self.forget(key).await;
        }
        let is_stored = self.store(key, answer, rows).await;
        if !is_stored {
            self.doubts.add(key);
        }
        is_stored
    }

    /// Stores an answer for as long as such an answer lives; false if Redis did not take it.
    async fn store(&self, key: &Key, answer: &[u8], rows: u64) -> bool {
        let life_ns = match (rows, self.plan.negative_ttl_ns) {
            // What was there is no longer true.
            (0, None) => return self.forget(key).await,
            (0, Some(life)) => life,
            _ => self.plan.ttl_ns,
        };
        let turn = self.stored.fetch_add(1, Ordering::Relaxed);
        let life = shortened(life_ns, self.plan.jitter, turn);
        let renew_at_ms = self.plan.refresh.map(|share| {
            let fresh = life.mul_f64((1.0 - share).clamp(0.0, 1.0));
            now_ms().saturating_add(i64::try_from(fresh.as_millis()).unwrap_or(i64::MAX))
        });
        self.redis.store(key, answer, life, renew_at_ms).await
    }
}

/// A life without a random part of its jitter: entries that were stored together do not end together.
fn shortened(life_ns: u64, jitter: Option<f64>, turn: u64) -> Duration {
    // 53 bits are what a double holds.
    let share = (mixed(turn.wrapping_add(life_ns)) >> 11) as f64 / (1_u64 << 53) as f64;
    let left = (1.0 - jitter.unwrap_or(0.0) * share).clamp(0.0, 1.0);
    Duration::from_nanos(life_ns).mul_f64(left).max(Duration::from_millis(1))
}

/// Milliseconds of Unix time: processes that share a cache share it.
fn now_ms() -> i64 {
    chrono::Utc::now().timestamp_millis()
}

/// Redis, then Postgres, then Redis again. A request is counted once, when Redis' part in it is over.
pub(super) async fn answer(
    app: &Arc<App>,
    endpoint: &Arc<Endpoint>,
    (caching, key): (&Arc<Caching>, Key),
    given: &[Given<'_>],
    course: &mut Course,
) -> Result<Bytes, HttpProblem> {
    let found = caching.find(&key).await;
    course.laps.lap(Stage::Cache);
    let (part, is_reachable) = match found {
        Found::Hit(stored) => {
            course.settle(app, CacheUse::Hit);
            if caching.plan.refresh.is_some() && stored.is_due(now_ms()) {
                renew(app, endpoint, (caching, key), given);
            }
            return known(stored);
        }
        Found::Nothing => (CacheUse::Miss, true),
        Found::Unusable => (CacheUse::Error, true),
        Found::Unreachable => (CacheUse::Error, false),
    };
    let fresh = Fresh { app, endpoint, caching, key: &key, is_reachable };
    let (outcome, part) = if caching.plan.single_flight {
        fresh.shared(given, course, part).await
    } else {
        fresh.asked(given, course, part).await
    };
    course.settle(app, part);
    outcome
}

/// An entry as an answer.
fn known(stored: Stored) -> Result<Bytes, HttpProblem> {
    if stored.answer.is_empty() { Err(HttpProblem::no_row()) } else { Ok(stored.answer) }
}

/// A request whose answer Redis does not have.
struct Fresh<'a> {
    app: &'a Arc<App>,
    endpoint: &'a Arc<Endpoint>,
    caching: &'a Arc<Caching>,
    key: &'a Key,
    is_reachable: bool,
}

type Asked = (Result<Bytes, HttpProblem>, CacheUse);

impl Fresh<'_> {
    /// Asks, unless another request is asking already.
    async fn shared(&self, given: &[Given<'_>], course: &mut Course, part: CacheUse) -> Asked {
        match self.caching.flights.join(self.key) {
            Part::Leads(leader) => {
                let (outcome, part) = self.asked(given, course, part).await;
                leader.land(outcome.clone());
                (outcome, part)
            }
            Part::Follows(other) => {
                let outcome = landed(other).await;
                course.laps.lap(Stage::Query);
                let Some(outcome) = outcome else { return self.asked(given, course, part).await };
                self.app.counters.coalesced();
                (outcome, part)
            }
        }
    }

    /// Asks the database, and stores what it says.
    async fn asked(&self, given: &[Given<'_>], course: &mut Course, part: CacheUse) -> Asked {
        let answer = ask_database(self.app, self.endpoint, given, course).await;
        let (body, rows) = match &answer {
            Ok(answer) => (answer.body.as_slice(), answer.rows),
            Err(problem) if problem.is_no_row() => (&b""[..], 0),
            Err(_) => return (answer.map(|answer| Bytes::from(answer.body)), part),
        };
        let mut part = part;
        if self.is_reachable && (rows > 0 || self.caching.plan.negative_ttl_ns.is_some()) {
            if !self.caching.store(self.key, body, rows).await {
                part = CacheUse::Error;
            }
            course.laps.lap(Stage::Cache);
        }
        (answer.map(|answer| Bytes::from(answer.body)), part)
    }
}

/// One entry that is being renewed; it no longer is when this goes.
struct Renewal {
    renewing: Arc<Mutex<BTreeSet<Key>>>,
    key: Key,
}

impl Renewal {
    fn begin(caching: &Caching, key: Key) -> Option<Self> {
        let renewing = Arc::clone(&caching.renewing);
        let mut keys = renewing.lock().unwrap_or_else(PoisonError::into_inner);
        let begins = keys.len() < MOST_RENEWALS && keys.insert(key.clone());
        drop(keys);
        // Not `then_some`: a renewal that does not begin must not end another one.
        if begins { Some(Self { renewing, key }) } else { None }
    }
}

impl Drop for Renewal {
    fn drop(&mut self) {
        self.renewing.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
    }
}

/// Renews an entry behind the request's back; the request has its answer already.
fn renew(
    app: &Arc<App>,
    endpoint: &Arc<Endpoint>,
    (caching, key): (&Arc<Caching>, Key),
    given: &[Given<'_>],
) {
    let Some(renewal) = Renewal::begin(caching, key) else { return };
    let given: Vec<Given<'static>> = given.iter().map(Given::owned).collect();
    let (app, endpoint, caching) = (Arc::clone(app), Arc::clone(endpoint), Arc::clone(caching));
    tokio::spawn(async move {
        let mut course = Course::renewal(&app);
        let answer = ask_database(&app, &endpoint, &given, &mut course).await;
        let stored = match answer {
            Ok(answer) => caching.store(&renewal.key, &answer.body, answer.rows).await,
            Err(problem) if problem.is_no_row() => caching.store(&renewal.key, b"", 0).await,
            // The entry stays, and ends when it ends.
            Err(_) => true,
        };
        if !stored {
            app.counters.cache_write_failed();
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lives_are_shortened_by_up_to_their_jitter_and_differ() {
        let second = 1_000_000_000;
        assert_eq!(shortened(second, None, 7), Duration::from_secs(1));
        let lives: Vec<f64> =
            (0..1000).map(|turn| shortened(second, Some(0.2), turn).as_secs_f64()).collect();
        let mean = lives.iter().sum::<f64>() / 1000.0;
        assert!((mean - 0.9).abs() < 0.01, "{mean}");
        assert!(lives.iter().all(|life| (0.8..=1.0).contains(life)));
    }
}
