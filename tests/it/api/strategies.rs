//! Caching strategies against a real Redis and a table that changes.

use std::sync::Arc;
use std::time::Duration;

use querylab::plan::{CachePlan, EndpointPlan, KeyPiece, WritesPlan};
use querylab::spec::{AnswerShape, CacheStrategy, ParamType};
use tokio::io::AsyncWriteExt as _;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::client::{Answer, Api, endpoint, param};
use super::servers::{self, Servers, execute};

const SECOND: u64 = 1_000_000_000;

/// A thing by its id, and a write to it.
fn things(cache: CachePlan, shape: AnswerShape) -> Vec<EndpointPlan> {
    let id = || param("id", ParamType::Integer);
    let mut read = endpoint("/thing", "SELECT id, n FROM things WHERE id = $1", vec![id()]);
    read.cache = Some(cache);
    read.answer = shape;
    let update = "UPDATE things SET n = $2 WHERE id = $1 RETURNING id, n";
    let mut write = endpoint("/change", update, vec![id(), param("n", ParamType::Integer)]);
    "POST".clone_into(&mut write.method);
    write.answer = shape;
    write.writes = vec![WritesPlan { endpoint: "thing".to_owned(), params: vec![0] }];
    vec![read, write]
}

fn plan() -> CachePlan {
    CachePlan::aside(vec![KeyPiece::Text("thing:".to_owned()), KeyPiece::Param(0)], 60 * SECOND)
}

async fn serve(servers: &Servers, endpoints: Vec<EndpointPlan>) -> Api {
    fill(servers).await;
    Api::start(servers.launch(endpoints)).await
}

/// Two things, as they are before anybody changes them.
async fn fill(servers: &Servers) {
    let mut boss = servers.boss().await;
    let table = "CREATE TABLE IF NOT EXISTS things (id int PRIMARY KEY, n int); GRANT ALL ON things TO api;
                 INSERT INTO things VALUES (1, 10), (2, 20) ON CONFLICT (id) DO UPDATE SET n = excluded.n";
    execute(&mut boss, table).await;
}

/// Removes all entries.
async fn empty(servers: &Servers) {
    let mut redis = servers.redis().await;
    redis::cmd("FLUSHALL").exec_async(&mut redis).await.expect("empty");
}

async fn change(api: &Api, id: u32, n: u32) -> Answer {
    api.raw(post(&format!("/change?id={id}&n={n}")).as_bytes()).await
}

fn post(path: &str) -> String {
    format!("POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
}

async fn read(api: &Api, id: u32) -> (String, String) {
    let answer = api.get(&format!("/thing?id={id}")).await;
    (answer.cache().to_owned(), answer.body)
}

fn told(part: &str, body: &str) -> (String, String) {
    (part.to_owned(), body.to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_removes_an_entry_or_becomes_it() {
    let Some(servers) = servers::start(true).await else { return };
    for (strategy, after) in
        [(CacheStrategy::CacheAside, "miss"), (CacheStrategy::WriteThrough, "hit")]
    {
        let cache = CachePlan { strategy, ..plan() };
        let api = serve(&servers, things(cache, AnswerShape::Rows)).await;
        empty(&servers).await;
        assert_eq!(read(&api, 1).await, told("miss", "[{\"id\":1,\"n\":10}]"));
        assert_eq!(read(&api, 1).await, told("hit", "[{\"id\":1,\"n\":10}]"));
        assert_eq!(change(&api, 1, 11).await.body, "[{\"id\":1,\"n\":11}]");
        assert_eq!(read(&api, 1).await, told(after, "[{\"id\":1,\"n\":11}]"), "{strategy:?}");
        assert_eq!(change(&api, 2, 21).await.status, 200);
        assert_eq!(read(&api, 1).await, told("hit", "[{\"id\":1,\"n\":11}]"), "another's write");
        assert_eq!(read(&api, 2).await, told(after, "[{\"id\":2,\"n\":21}]"));
        let counters = api.counters().await;
        let cached = counters.cache_hits + counters.cache_misses + counters.cache_errors;
        assert_eq!(counters.statements, counters.cache_bypasses + counters.cache_misses);
        assert_eq!((cached, counters.cache_bypasses, counters.cache_write_failures), (5, 2, 0));
        api.stop().await.expect("stops");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_through_that_answers_otherwise_is_refused_at_start() {
    let Some(servers) = servers::start(true).await else { return };
    let mut boss = servers.boss().await;
    let table = "CREATE TABLE things (id int PRIMARY KEY, n int); GRANT ALL ON things TO api";
    execute(&mut boss, table).await;
    let cache = CachePlan { strategy: CacheStrategy::WriteThrough, ..plan() };
    let mut endpoints = things(cache, AnswerShape::Rows);
    endpoints[1].query = "UPDATE things SET n = $2 WHERE id = $1 RETURNING n, id".to_owned();
    let refused = querylab::api::serve(servers.launch(endpoints), std::future::pending()).await;
    let error = format!("{:#}", refused.expect_err("refused"));
    assert!(error.contains("`change`") && error.contains("the same columns"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn that_there_is_nothing_is_remembered_where_it_should_be() {
    let Some(servers) = servers::start(true).await else { return };
    for (shape, nothing) in [(AnswerShape::Rows, "[]"), (AnswerShape::Row, "no-row")] {
        let cache = CachePlan { negative_ttl_ns: Some(SECOND), ..plan() };
        let api = serve(&servers, things(cache, shape)).await;
        empty(&servers).await;
        for part in ["miss", "hit", "hit"] {
            let (told, body) = read(&api, 7).await;
            assert!(told == part && body.contains(nothing), "{told} {body}");
        }
        sleep(Duration::from_millis(1200)).await;
        assert_eq!(read(&api, 7).await.0, "miss", "it has ended");
        let counters = api.counters().await;
        assert_eq!((counters.statements, counters.cache_hits), (2, 2));
        api.stop().await.expect("stops");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_that_miss_together_one_asks() {
    let Some(servers) = servers::start(true).await else { return };
    let query = "SELECT $1 AS id FROM pg_sleep(0.3)";
    let mut slow = endpoint("/slow", query, vec![param("id", ParamType::Integer)]);
    slow.cache = Some(CachePlan { single_flight: true, ..plan() });
    let api = Arc::new(Api::start(servers.launch(vec![slow])).await);
    let mut requests = JoinSet::new();
    for n in 0..40 {
        let api = Arc::clone(&api);
        requests.spawn(async move {
            let answer = api.get(&format!("/slow?id={}", n % 2)).await;
            assert_eq!(answer.body, format!("[{{\"id\":{}}}]", n % 2));
        });
    }
    while let Some(done) = requests.join_next().await {
        done.expect("no request failed");
    }
    let counters = api.counters().await;
    assert_eq!(counters.statements, 2, "{counters:?}");
    assert_eq!(counters.cache_hits + counters.cache_misses, 40);
    assert_eq!(counters.coalesced, counters.cache_misses - 2);
    assert!(counters.coalesced > 10, "{counters:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_entry_that_is_asked_for_near_its_end_is_renewed_behind_the_request_s_back() {
    let Some(servers) = servers::start(true).await else { return };
    let strategy = CacheStrategy::RefreshAhead;
    let cache = CachePlan { strategy, refresh: Some(0.75), ttl_ns: 2 * SECOND, ..plan() };
    let api = serve(&servers, things(cache, AnswerShape::Rows)).await;
    let mut boss = servers.boss().await;
    assert_eq!(read(&api, 1).await.0, "miss");
    execute(&mut boss, "UPDATE things SET n = 99 WHERE id = 1").await;
    assert_eq!(read(&api, 1).await, told("hit", "[{\"id\":1,\"n\":10}]"), "it is fresh");
    sleep(Duration::from_millis(800)).await;
    assert_eq!(read(&api, 1).await, told("hit", "[{\"id\":1,\"n\":10}]"), "this one does not wait");
    sleep(Duration::from_millis(300)).await;
    assert_eq!(read(&api, 1).await, told("hit", "[{\"id\":1,\"n\":99}]"));
    sleep(Duration::from_millis(1300)).await;
    // The first entry would have ended by now.
    assert_eq!(read(&api, 1).await.0, "hit");
    sleep(Duration::from_millis(300)).await;
    let counters = api.counters().await;
    assert_eq!((counters.cache_misses, counters.cache_hits), (1, 4));
    assert_eq!((counters.renewals, counters.statements), (2, 3));
    api.stop().await.expect("stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lives_end_at_different_times_where_they_should() {
    let Some(servers) = servers::start(true).await else { return };
    let mut one = endpoint("/one", "SELECT $1 AS id", vec![param("id", ParamType::Integer)]);
    one.cache = Some(CachePlan { jitter: Some(0.5), ..plan() });
    let api = Api::start(servers.launch(vec![one])).await;
    let mut redis = servers.redis().await;
    let mut lives = Vec::new();
    for id in 0..20 {
        api.get(&format!("/one?id={id}")).await;
        let life: i64 = redis::cmd("PTTL")
            .arg(format!("thing:{id}"))
            .query_async(&mut redis)
            .await
            .expect("asked");
        assert!((29_000..=60_000).contains(&life), "{life}");
        lives.push(life);
    }
    lives.sort_unstable();
    assert!(lives[19] - lives[0] > 10_000, "{lives:?}");
    api.stop().await.expect("stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_that_redis_does_not_hear_of_is_counted_and_still_done() {
    let Some(servers) = servers::start(true).await else { return };
    let api = serve(&servers, things(plan(), AnswerShape::Rows)).await;
    assert_eq!(read(&api, 1).await.0, "miss");
    servers.signal_redis(rustix::process::Signal::STOP);
    let answer = change(&api, 1, 5).await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "[{\"id\":1,\"n\":5}]"));
    servers.signal_redis(rustix::process::Signal::CONT);
    assert_eq!(api.counters().await.cache_write_failures, 1);
    api.stop().await.expect("stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_finds_its_entry_however_its_parameters_are_spelled() {
    let Some(servers) = servers::start(true).await else { return };
    for (strategy, after) in
        [(CacheStrategy::CacheAside, "miss"), (CacheStrategy::WriteThrough, "hit")]
    {
        let cache = CachePlan { strategy, ..plan() };
        let api = serve(&servers, things(cache, AnswerShape::Rows)).await;
        for (id, n) in [("001", 11), ("%2B1", 12)] {
            empty(&servers).await;
            read(&api, 1).await;
            assert_eq!(read(&api, 1).await.0, "hit");
            let answer = api.raw(post(&format!("/change?id={id}&n={n}")).as_bytes()).await;
            let now = format!("[{{\"id\":1,\"n\":{n}}}]");
            assert_eq!(answer.body, now);
            assert_eq!(read(&api, 1).await, told(after, &now), "{strategy:?} {id}");
            let other = api.get(&format!("/thing?id={id}")).await;
            assert_eq!((other.cache(), other.body.as_str()), ("hit", now.as_str()));
        }
        assert_eq!(api.counters().await.cache_errors, 0);
        api.stop().await.expect("stops");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_written_is_seen_although_it_could_not_be_answered() {
    let Some(servers) = servers::start(true).await else { return };
    let mut endpoints = things(plan(), AnswerShape::Row);
    let both = "UPDATE things SET n = 100 / $2 WHERE id IN ($1, $1 + 1) RETURNING id, n";
    both.clone_into(&mut endpoints[1].query);
    let api = serve(&servers, endpoints).await;
    assert_eq!(read(&api, 1).await, told("miss", "{\"id\":1,\"n\":10}"));
    assert_eq!(change(&api, 1, 0).await.status, 422);
    assert_eq!(read(&api, 1).await.0, "hit", "what Postgres has refused was not written");
    let several = change(&api, 1, 5).await;
    assert_eq!((several.status, several.json()["kind"].as_str()), (500, Some("several-rows")));
    assert_eq!(read(&api, 1).await, told("miss", "{\"id\":1,\"n\":20}"));
    assert_eq!(change(&api, 7, 1).await.status, 404);
    assert_eq!(read(&api, 1).await.0, "hit", "another's write");
    assert_eq!(api.counters().await.cache_write_failures, 0);
    api.stop().await.expect("stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_whose_client_leaves_is_seen_when_it_is_over() {
    let Some(servers) = servers::start(true).await else { return };
    let slow = "UPDATE things SET n = $2 WHERE id = $1 AND pg_sleep(0.6)::text IS NOT NULL RETURNING id, n";
    // One connection for each request, and one for several.
    for depth in [None, Some(8)] {
        fill(&servers).await;
        empty(&servers).await;
        let mut endpoints = things(plan(), AnswerShape::Rows);
        slow.clone_into(&mut endpoints[1].query);
        let mut launch = servers.launch(endpoints);
        launch.api.pool.pipeline_depth = depth;
        let api = Api::start(launch).await;
        assert_eq!(read(&api, 1).await, told("miss", "[{\"id\":1,\"n\":10}]"));
        let mut stream = tokio::net::UnixStream::connect(&api.socket).await.expect("listens");
        let request = post("/change?id=1&n=77").replace("Connection: close\r\n", "");
        stream.write_all(request.as_bytes()).await.expect("sent");
        sleep(Duration::from_millis(200)).await;
        drop(stream);
        sleep(Duration::from_millis(100)).await;
        // This one may read what was there before, and store it.
        read(&api, 1).await;
        sleep(Duration::from_secs(3)).await;
        assert_eq!(read(&api, 1).await.1, "[{\"id\":1,\"n\":77}]", "{depth:?}");
        api.stop().await.expect("stops");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_entry_that_a_frozen_redis_could_not_remove_is_not_served_when_it_is_back() {
    let Some(servers) = servers::start(true).await else { return };
    let api = serve(&servers, things(plan(), AnswerShape::Rows)).await;
    for part in ["miss", "hit"] {
        assert_eq!(read(&api, 1).await, told(part, "[{\"id\":1,\"n\":10}]"));
    }
    servers.signal_redis(rustix::process::Signal::STOP);
    // So many questions without an answer, and nothing is sent any more that Redis would find when it goes on.
    for _ in 0..30 {
        assert_eq!(read(&api, 2).await.0, "error");
    }
    assert_eq!(change(&api, 1, 5).await.status, 200);
    let now = "[{\"id\":1,\"n\":5}]";
    assert_eq!(read(&api, 1).await, told("error", now));
    assert_eq!(api.counters().await.cache_write_failures, 1);
    servers.signal_redis(rustix::process::Signal::CONT);
    let mut parts = Vec::new();
    for _ in 0..200 {
        let (part, body) = read(&api, 1).await;
        parts.push(part);
        assert_eq!(body, now, "{parts:?}");
        if parts.last().is_some_and(|part| part == "hit") {
            break;
        }
        sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(parts.last().map(String::as_str), Some("hit"), "{parts:?}");
    api.stop().await.expect("stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_to_a_cache_that_answers_in_lines_is_refused_at_start() {
    let Some(servers) = servers::start(true).await else { return };
    fill(&servers).await;
    let mut endpoints = things(plan(), AnswerShape::Rows);
    endpoints[1].answer = AnswerShape::Lines;
    let refused = querylab::api::serve(servers.launch(endpoints), std::future::pending()).await;
    let error = format!("{:#}", refused.expect_err("refused"));
    assert!(error.contains("`change`") && error.contains("in lines"), "{error}");
}
