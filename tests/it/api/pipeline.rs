//! Connections that requests share: few backends, each answer to whoever asked, and the bounds of a pool.

use std::sync::Arc;
use std::time::Duration;

use querylab::plan::{ApiLaunch, EndpointPlan};
use querylab::spec::ParamType;
use sqlx::postgres::PgConnection;
use tokio::io::AsyncWriteExt as _;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::client::{Api, endpoint, param};
use super::servers::{self, Servers, execute};

/// `size` connections for `depth` requests each.
pub(super) fn shared(
    servers: &Servers,
    endpoints: Vec<EndpointPlan>,
    (size, depth): (u32, u32),
) -> ApiLaunch {
    let mut launch = servers.launch(endpoints);
    let pool = &mut launch.api.pool;
    (pool.size, pool.max_overflow, pool.pipeline_depth) = (size, 0, Some(depth));
    pool.pre_ping = false;
    launch
}

fn divide() -> EndpointPlan {
    let query = "SELECT 100 / ($1 % 10) AS n, $1 AS asked FROM pg_sleep(0.001)";
    endpoint("/divide", query, vec![param("n", ParamType::Integer)])
}

async fn backends(boss: &mut PgConnection) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM pg_stat_activity WHERE usename = 'api'")
        .fetch_one(boss)
        .await
        .expect("counted")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_of_many_gets_its_own_answer_over_two_connections_and_errors_are_their_own() {
    let Some(servers) = servers::start(false).await else { return };
    let api = Arc::new(Api::start(shared(&servers, vec![divide()], (2, 20))).await);
    let mut boss = servers.boss().await;
    let mut requests = JoinSet::new();
    for n in 0..200 {
        let api = Arc::clone(&api);
        requests.spawn(async move {
            let answer = api.get(&format!("/divide?n={n}")).await;
            if n % 10 == 0 {
                assert_eq!(
                    (answer.status, answer.json()["sqlstate"].as_str()),
                    (422, Some("22012"))
                );
            } else {
                let wanted = format!("[{{\"n\":{},\"asked\":{n}}}]", 100 / (n % 10));
                assert_eq!((answer.status, answer.body), (200, wanted));
            }
        });
    }
    let mut most = 0;
    while let Some(done) = requests.join_next().await {
        done.expect("the right answer");
        most = most.max(backends(&mut boss).await);
    }
    assert_eq!(most, 2);
    let counters = api.counters().await;
    assert_eq!((counters.requests, counters.statements, counters.server_errors), (200, 200, 0));
    assert_eq!((counters.connections_opened, counters.unconnected), (2, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_more_than_may_share_a_connection_are_let_in_and_the_others_wait_in_vain_or_not_at_all()
{
    let Some(servers) = servers::start(false).await else { return };
    let sleepy = endpoint("/sleep", "SELECT pg_sleep(0.3)::text AS slept", vec![]);
    let mut launch = shared(&servers, vec![sleepy], (1, 2));
    launch.api.pool.acquire_timeout_ns = 100_000_000;
    launch.api.pool.max_waiting = Some(1);
    let api = Arc::new(Api::start(launch).await);
    assert_eq!(api.get("/sleep").await.status, 200);
    let ask = |after_ms| {
        let api = Arc::clone(&api);
        async move {
            sleep(Duration::from_millis(after_ms)).await;
            let asked = Instant::now();
            let answer = api.get("/sleep").await;
            (answer.status, answer.json()["kind"].as_str().map(str::to_owned), asked.elapsed())
        }
    };
    let (first, second, third, fourth) = tokio::join!(ask(0), ask(20), ask(40), ask(60));
    assert_eq!((first.0, second.0), (200, 200));
    // The second is worked off behind the first, on the same connection.
    assert!(second.2 >= Duration::from_millis(500), "{second:?}");
    assert_eq!((third.0, third.1.as_deref()), (503, Some("pool-timeout")));
    assert_eq!((fourth.0, fourth.1.as_deref()), (503, Some("pool-full")));
    assert_eq!(ask(0).await.0, 200);
    let counters = api.counters().await;
    assert_eq!(
        (counters.pool_timeouts, counters.pool_full, counters.connections_opened),
        (1, 1, 1)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_is_given_up_keeps_its_place_until_its_statement_is_over() {
    let Some(servers) = servers::start(false).await else { return };
    let endpoints = vec![
        endpoint("/sleep", "SELECT pg_sleep(1)::text AS slept", vec![]),
        endpoint("/one", "SELECT 1 AS one", vec![]),
    ];
    let api = Api::start(shared(&servers, endpoints, (1, 1))).await;
    let mut stream = tokio::net::UnixStream::connect(&api.socket).await.expect("listens");
    stream.write_all(b"GET /sleep HTTP/1.1\r\nHost: x\r\n\r\n").await.expect("sent");
    sleep(Duration::from_millis(300)).await;
    drop(stream);
    let asked = Instant::now();
    assert_eq!(api.get("/one").await.body, "[{\"one\":1}]");
    let waited = asked.elapsed();
    assert!((Duration::from_millis(300)..Duration::from_secs(3)).contains(&waited), "{waited:?}");
    let counters = api.counters().await;
    assert_eq!((counters.statements, counters.connections_opened), (2, 1));
    assert!(counters.pool_wait_max_ns > 300_000_000, "it waited for its turn, not for an answer");
    api.stop().await.expect("stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shared_connection_that_the_server_killed_is_replaced() {
    let Some(servers) = servers::start(false).await else { return };
    let one = endpoint("/one", "SELECT 1 AS one", vec![]);
    let api = Api::start(shared(&servers, vec![one], (1, 8))).await;
    let mut boss = servers.boss().await;
    for _ in 0..3 {
        assert_eq!(api.get("/one").await.body, "[{\"one\":1}]");
        let kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'api'";
        execute(&mut boss, kill).await;
        sleep(Duration::from_millis(100)).await;
    }
    let counters = api.counters().await;
    assert_eq!((counters.server_errors, counters.connections_opened), (0, 3));
    api.stop().await.expect("stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_in_lines_need_a_connection_of_their_own() {
    let Some(servers) = servers::start(false).await else { return };
    let mut lines = endpoint("/lines", "SELECT 1 AS one", vec![]);
    lines.answer = querylab::spec::AnswerShape::Lines;
    let refused = querylab::api::serve(shared(&servers, vec![lines], (1, 8)), async {}).await;
    let text = format!("{:#}", refused.expect_err("refused"));
    assert!(text.contains("it needs a pool"), "{text}");
}
