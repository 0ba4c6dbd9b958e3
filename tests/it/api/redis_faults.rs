//! Redis emptied, poisoned, frozen, stopped and restarted while requests come: every answer is right, and none waits longer
//! than for the cache's deadline and the database.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use querylab::plan::{CachePlan, EndpointPlan, KeyPiece};
use querylab::spec::ParamType;
use redis::AsyncTypedCommands as _;
use rustix::process::Signal;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::client::{Answer, Api, endpoint, param};
use super::servers::{self, Servers};

/// Of the cache, for one question.
const DEADLINE: Duration = Duration::from_millis(100);
/// What a busy machine may add to the slowest of some thousand requests.
const SLACK: Duration = Duration::from_millis(100);
/// Who ask at the same time, half of them past the cache.
const USERS: u32 = 8;
const KEYS: u32 = 9;
/// Answers that say something about a fault.
const ENOUGH: u32 = 100;

fn reads(path: &str) -> EndpointPlan {
    let query = "SELECT n, n * 2 AS twice FROM generate_series(1, 9) n WHERE n = $1";
    endpoint(path, query, vec![param("n", ParamType::Integer)])
}

/// What was seen since it was looked at last.
#[derive(Debug, Default)]
struct Seen {
    /// Answers by the cache's part in them.
    parts: BTreeMap<String, u32>,
    slowest: Duration,
    /// The same past the cache: what the database takes on this machine now.
    database: Duration,
    wrong: Vec<String>,
}

impl Seen {
    fn note(&mut self, answer: &Answer, right: &str, took: Duration, is_cached: bool) {
        if answer.status != 200 || answer.body != right {
            self.wrong.push(format!("{answer:?} instead of {right}"));
        }
        if is_cached {
            *self.parts.entry(answer.cache().to_owned()).or_default() += 1;
            self.slowest = self.slowest.max(took);
        } else {
            self.database = self.database.max(took);
        }
    }
}

async fn user(number: u32, api: Arc<Api>, seen: Arc<Mutex<Seen>>, stop: Arc<AtomicBool>) {
    let mut turn = number;
    while !stop.load(Ordering::Relaxed) {
        turn += 1;
        let (n, is_cached) = (turn % KEYS + 1, number.is_multiple_of(2));
        let path = if is_cached { "cached" } else { "plain" };
        let asked = Instant::now();
        let answer = api.get(&format!("/{path}?n={n}")).await;
        let took = asked.elapsed();
        let right = format!("[{{\"n\":{n},\"twice\":{}}}]", n * 2);
        seen.lock().unwrap().note(&answer, &right, took, is_cached);
        // Not as fast as they can: the processors are others', too.
        sleep(Duration::from_millis(1)).await;
    }
}

/// A second, and until enough was asked, however busy the machine is.
async fn enough(seen: &Mutex<Seen>) {
    sleep(Duration::from_secs(1)).await;
    for _ in 0..200 {
        if seen.lock().unwrap().parts.values().sum::<u32>() >= ENOUGH {
            return;
        }
        sleep(Duration::from_millis(100)).await;
    }
}

/// What was seen while something was done to Redis; all of it right, and in time.
fn looked_at(what: &str, seen: &Mutex<Seen>) -> BTreeMap<String, u32> {
    let seen = std::mem::take(&mut *seen.lock().unwrap());
    assert!(seen.wrong.is_empty(), "{what}: {:?}", seen.wrong);
    let limit = DEADLINE + seen.database + SLACK;
    assert!(seen.slowest <= limit, "{what}: {:?}, and the limit is {limit:?}", seen.slowest);
    let answers: u32 = seen.parts.values().sum();
    assert!(answers >= ENOUGH, "{what}: {answers} answers");
    seen.parts
}

/// Where nothing is wrong with Redis, a stall of a busy machine may be longer than the cache's deadline. Everybody waits in one,
/// and how many were answered beside it depends on the machine.
fn errors_are_rare(parts: &BTreeMap<String, u32>) -> bool {
    parts.get("error").copied().unwrap_or(0) <= parts.values().sum::<u32>() / 100 + USERS
}

/// Rubbish under every key, of another kind for each, and one key's answer under another.
async fn poison(servers: &Servers) {
    let mut redis = servers.redis().await;
    for n in 1..=KEYS {
        let key = format!("n:{n}");
        let other = format!("n:{}", n % KEYS + 1);
        let other: redis::RedisResult<Option<Vec<u8>>> =
            redis::cmd("GET").arg(other).query_async(&mut redis).await;
        let rubbish = match n % 4 {
            0 => b"[{\"n\":666,\"twice\":666}]".to_vec(),
            1 => vec![0xff; 300],
            2 => other.unwrap_or_default().unwrap_or_default(),
            _ => {
                redis.del(&key).await.unwrap();
                // A request may have mended it in between; then it is no list.
                redis.lpush(&key, "a list").await.ok();
                continue;
            }
        };
        redis.set(&key, rubbish).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_becomes_of_redis_under_load_answers_are_right_and_in_time() {
    let Some(mut servers) = servers::start(true).await else { return };
    let mut cached = reads("/cached");
    let key = vec![KeyPiece::Text("n:".to_owned()), KeyPiece::Param(0)];
    cached.cache = Some(CachePlan::aside(key, 60_000_000_000));
    let mut launch = servers.launch(vec![cached, reads("/plain")]);
    launch.api.cache_timeout_ns = u64::try_from(DEADLINE.as_nanos()).unwrap();
    let api = Arc::new(Api::start(launch).await);
    let (seen, stop) = (Arc::new(Mutex::new(Seen::default())), Arc::new(AtomicBool::new(false)));
    let mut users = JoinSet::new();
    for number in 0..USERS {
        users.spawn(user(number, Arc::clone(&api), Arc::clone(&seen), Arc::clone(&stop)));
    }
    let while_it_lasts = || enough(&seen);

    while_it_lasts().await;
    let calm = looked_at("calm", &seen);
    assert!(calm["hit"] > calm["miss"] && errors_are_rare(&calm), "{calm:?}");

    let mut redis = servers.redis().await;
    for _ in 0..10 {
        redis::cmd("FLUSHALL").exec_async(&mut redis).await.unwrap();
        sleep(Duration::from_millis(50)).await;
    }
    while_it_lasts().await;
    let emptied = looked_at("emptied", &seen);
    assert!(emptied["miss"] >= 10 && errors_are_rare(&emptied), "{emptied:?}");

    for _ in 0..10 {
        poison(&servers).await;
        sleep(Duration::from_millis(50)).await;
    }
    while_it_lasts().await;
    let poisoned = looked_at("poisoned", &seen);
    assert!(poisoned["error"] >= 10 && poisoned["hit"] > 0, "{poisoned:?}");

    servers.signal_redis(Signal::STOP);
    while_it_lasts().await;
    servers.signal_redis(Signal::CONT);
    let frozen = looked_at("frozen", &seen);
    assert!(frozen["error"] > ENOUGH / 2, "{frozen:?}");
    until_hits("thawed", &seen).await;

    servers.signal_redis(Signal::KILL);
    while_it_lasts().await;
    let stopped = looked_at("stopped", &seen);
    assert!(stopped["error"] > ENOUGH / 2, "{stopped:?}");
    servers.start_redis_again().await;
    until_hits("restarted", &seen).await;

    stop.store(true, Ordering::Relaxed);
    while let Some(user) = users.join_next().await {
        user.expect("no user panics");
    }
    let counters = api.counters().await;
    let asked = counters.cache_hits + counters.cache_misses + counters.cache_errors;
    assert_eq!(counters.cache_bypasses + asked, counters.requests, "each is one of the four");
    let api = Arc::into_inner(api).expect("nobody else has it");
    api.stop().await.expect("stops");
}

/// Soon most answers are hits again, without anybody's help.
async fn until_hits(what: &str, seen: &Mutex<Seen>) {
    sleep(Duration::from_secs(1)).await;
    enough(seen).await;
    looked_at(what, seen);
    enough(seen).await;
    let again = looked_at(what, seen);
    let hits = again.get("hit").copied().unwrap_or(0);
    assert!(hits * 10 > again.values().sum::<u32>() * 8, "{what}: {again:?}");
}
