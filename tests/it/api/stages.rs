//! The API's own clocks: where the time of a request goes is counted where it goes, and all of it is.

use std::time::Duration;

use querylab::plan::{CachePlan, KeyPiece, StageSums};
use querylab::spec::ParamType;
use tokio::time::Instant;

use super::client::{Api, endpoint, param};
use super::servers;

const MS: u64 = 1_000_000;

fn all(stages: &StageSums) -> u64 {
    let StageSums { requests: _, routing_ns, pool_wait_ns, cache_ns, query_ns, serialise_ns } =
        stages;
    routing_ns + pool_wait_ns + cache_ns + query_ns + serialise_ns
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_query_is_time_in_the_query_and_all_times_fit_into_the_answers() {
    let Some(servers) = servers::start(true).await else { return };
    let slow = endpoint("/slow", "SELECT 1 AS one FROM pg_sleep(0.05)", vec![]);
    let many = "SELECT n, repeat('\"é', 20) AS t FROM generate_series(1, $1::int) n";
    let many = endpoint("/many", many, vec![param("n", ParamType::Integer)]);
    let mut cached = endpoint("/cached", "SELECT 1 AS one FROM pg_sleep(0.02)", vec![]);
    cached.cache = Some(CachePlan::aside(vec![KeyPiece::Text("k".into())], 60_000 * MS));
    let broken = endpoint("/broken", "SELECT 1 / (pg_sleep(0.02) IS NULL)::int AS n", vec![]);
    let api = Api::start(servers.launch(vec![slow, many, cached, broken])).await;
    let timed = async |paths: &[&str]| -> (StageSums, u64) {
        let before = api.counters().await.stages;
        let start = Instant::now();
        for path in paths {
            api.get(path).await;
        }
        let took = u64::try_from(start.elapsed().as_nanos()).expect("short");
        let stages = api.counters().await.stages.since(&before);
        assert_eq!(stages.requests, paths.len() as u64);
        assert!(all(&stages) <= took, "{stages:?} in {took} ns");
        (stages, took)
    };

    let (slow, took) = timed(&["/slow", "/slow", "/slow"]).await;
    assert!(slow.query_ns >= 150 * MS, "{slow:?}");
    assert_eq!(slow.cache_ns, 0);
    assert!(slow.pool_wait_ns > 0 && slow.routing_ns > 0 && slow.serialise_ns > 0, "{slow:?}");
    // What is not in a stage is the way to the API: much less than the queries.
    assert!(all(&slow) * 2 > took, "{slow:?} in {took} ns");

    let (many, _) = timed(&["/many?n=20000"]).await;
    assert!(many.serialise_ns > slow.serialise_ns / 3, "{many:?} beside {slow:?}");
    assert!(many.serialise_ns > MS / 2, "20,000 rows are written: {many:?}");

    let (miss, _) = timed(&["/cached"]).await;
    assert!(miss.cache_ns > 0 && miss.query_ns >= 20 * MS, "{miss:?}");
    let (hit, _) = timed(&["/cached"]).await;
    assert!(hit.cache_ns > 0 && hit.serialise_ns > 0, "{hit:?}");
    assert_eq!((hit.query_ns, hit.pool_wait_ns), (0, 0));

    let (broken, _) = timed(&["/broken"]).await;
    assert!(broken.query_ns >= 20 * MS, "an error took its time in the query: {broken:?}");
    api.stop().await.expect("stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn waiting_for_a_connection_is_no_time_in_the_query() {
    let Some(servers) = servers::start(false).await else { return };
    let slow = endpoint("/slow", "SELECT 1 AS one FROM pg_sleep(0.3)", vec![]);
    let mut launch = servers.launch(vec![slow]);
    (launch.api.pool.size, launch.api.pool.max_overflow) = (1, 0);
    let api = Api::start(launch).await;
    tokio::join!(api.get("/slow"), api.get("/slow"), api.get("/slow"));
    let counters = api.counters().await;
    let stages = counters.stages;
    assert_eq!(stages.requests, 3);
    assert!((900 * MS..1800 * MS).contains(&stages.query_ns), "{stages:?}");
    // The second waits for the first, and the third for both.
    assert!(stages.pool_wait_ns >= 850 * MS, "{stages:?}");
    let wait = Duration::from_nanos(counters.pool_wait_total_ns.abs_diff(stages.pool_wait_ns));
    assert!(wait < Duration::from_millis(200), "the pool's own count agrees: {counters:?}");
    api.stop().await.expect("stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bytes_are_those_of_the_clients_side() {
    let Some(servers) = servers::start(false).await else { return };
    let one = endpoint("/one", "SELECT repeat('x', 1000) AS x", vec![]);
    let api = Api::start(servers.launch(vec![one])).await;
    let before = api.counters().await;
    let request = "GET /one HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    let mut received = 0;
    for _ in 0..10 {
        received += api.raw(request.as_bytes()).await.body.len() as u64;
    }
    let after = api.counters().await;
    let question = "GET /__querylab/counters HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    let came_in = after.http_received_bytes - before.http_received_bytes;
    assert_eq!(came_in, (10 * request.len() + question.len()) as u64);
    // Bodies, heads, and the answer to the first question.
    let went_out = after.http_sent_bytes - before.http_sent_bytes;
    assert!((received + 500..received + 5000).contains(&went_out), "{went_out} for {received}");
    api.stop().await.expect("stops");
}
