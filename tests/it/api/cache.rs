//! Cache-aside against a real Redis: hits, and everything that a cache may do to those who trust it.

use std::time::Duration;

use querylab::plan::{CachePlan, EndpointPlan, KeyPiece};
use querylab::spec::ParamType;
use redis::AsyncTypedCommands as _;
use rustix::process::Signal;
use tokio::time::{Instant, sleep};

use super::client::{Api, endpoint, param};
use super::servers;

fn cached() -> EndpointPlan {
    let query = "SELECT n, n * 2 AS twice FROM generate_series(1, 9) n WHERE n = $1";
    let mut endpoint = endpoint("/cached", query, vec![param("n", ParamType::Integer)]);
    let key = vec![KeyPiece::Text("n:".to_owned()), KeyPiece::Param(0)];
    endpoint.cache = Some(CachePlan::aside(key, 60_000_000_000));
    endpoint
}

const SEVEN: &str = "[{\"n\":7,\"twice\":14}]";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_with_rows_is_stored_and_found_again() {
    let Some(servers) = servers::start(true).await else { return };
    let plain = endpoint("/plain", "SELECT 1 AS one", vec![]);
    let api = Api::start(servers.launch(vec![cached(), plain])).await;
    for (path, part, body) in [
        ("/cached?n=7", "miss", SEVEN),
        ("/cached?n=7", "hit", SEVEN),
        ("/cached?n=70", "miss", "[]"),
        ("/cached?n=70", "miss", "[]"),
        ("/plain", "bypass", "[{\"one\":1}]"),
    ] {
        let answer = api.get(path).await;
        assert_eq!((answer.cache(), answer.body.as_str()), (part, body), "{path}");
    }
    let ttl = servers.redis().await.pttl("n:7").await.expect("asked");
    assert!(format!("{ttl:?}").contains("59"), "{ttl:?}");
    let counters = api.counters().await;
    assert_eq!((counters.requests, counters.statements), (5, 4));
    assert_eq!((counters.cache_hits, counters.cache_misses, counters.cache_errors), (1, 3, 0));
    assert_eq!(api.get("/health/ready").await.status, 200);
    api.stop().await.expect("stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn poisoned_values_are_not_served_and_are_mended() {
    let Some(servers) = servers::start(true).await else { return };
    let api = Api::start(servers.launch(vec![cached()])).await;
    let mut redis = servers.redis().await;
    assert_eq!(api.get("/cached?n=7").await.cache(), "miss");
    assert_eq!(api.get("/cached?n=8").await.cache(), "miss");
    let good: Vec<u8> = redis::cmd("GET").arg("n:7").query_async(&mut redis).await.expect("there");
    let other: Vec<u8> = redis::cmd("GET").arg("n:8").query_async(&mut redis).await.expect("there");
    let cut = good[..good.len() - 3].to_vec();
    for poison in [b"rubbish".to_vec(), Vec::new(), b"[{\"n\":666}]".to_vec(), cut, other] {
        redis.set("n:7", poison).await.expect("poisoned");
        for part in ["error", "hit"] {
            let answer = api.get("/cached?n=7").await;
            assert_eq!((answer.cache(), answer.body.as_str()), (part, SEVEN));
        }
    }
    redis.del("n:7").await.expect("gone");
    redis.lpush("n:7", "a list").await.expect("poisoned");
    for part in ["error", "hit"] {
        assert_eq!(api.get("/cached?n=7").await.cache(), part);
    }
    redis::cmd("CONFIG")
        .arg("SET")
        .arg("maxmemory")
        .arg(1)
        .exec_async(&mut redis)
        .await
        .expect("set");
    let full = api.get("/cached?n=6").await;
    assert_eq!((full.status, full.cache()), (200, "error"));
    let counters = api.counters().await;
    assert_eq!((counters.cache_hits, counters.cache_misses, counters.cache_errors), (6, 2, 7));
    api.stop().await.expect("stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hung_redis_costs_its_timeout_and_a_dead_one_nothing() {
    let Some(servers) = servers::start(true).await else { return };
    let api = Api::start(servers.launch(vec![cached()])).await;
    assert_eq!(api.get("/cached?n=7").await.cache(), "miss");
    servers.signal_redis(Signal::STOP);
    let mut took = Vec::new();
    for _ in 0..30 {
        let asked = Instant::now();
        let answer = api.get("/cached?n=7").await;
        assert_eq!((answer.status, answer.cache(), answer.body.as_str()), (200, "error", SEVEN));
        took.push(asked.elapsed());
    }
    // Nobody waits for more than the timeout of 50 ms, and after a while nobody waits: the machine may be busy, but the best
    // of ten is not.
    assert!(took.iter().all(|took| *took < Duration::from_secs(2)), "{took:?}");
    assert!(took[20..].iter().any(|took| *took < Duration::from_millis(50)), "{took:?}");
    assert_eq!(api.get("/health/ready").await.status, 503);
    servers.signal_redis(Signal::CONT);
    let mut is_back = false;
    for _ in 0..100 {
        sleep(Duration::from_millis(100)).await;
        is_back = api.get("/cached?n=7").await.cache() == "hit";
        if is_back {
            break;
        }
    }
    assert!(is_back, "it reconnects by itself");
    servers.signal_redis(Signal::KILL);
    sleep(Duration::from_millis(100)).await;
    for _ in 0..5 {
        let asked = Instant::now();
        let answer = api.get("/cached?n=7").await;
        assert_eq!((answer.status, answer.cache(), answer.body.as_str()), (200, "error", SEVEN));
        assert!(asked.elapsed() < Duration::from_secs(2), "{:?}", asked.elapsed());
    }
    let counters = api.counters().await;
    assert_eq!(
        counters.cache_hits + counters.cache_misses + counters.cache_errors,
        counters.requests
    );
    api.stop().await.expect("stops");
}
