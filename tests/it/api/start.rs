//! Starting and stopping: what is refused at start, and what a stop waits for.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::client::{Api, endpoint};
use super::servers;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_superuser_a_wrong_password_and_a_missing_redis_are_refused_at_start() {
    let Some(servers) = servers::start(false).await else { return };
    let one = || vec![endpoint("/one", "SELECT 1 AS one", vec![])];
    let mut superuser = servers.launch(one());
    superuser.postgres.user = "boss".to_owned();
    let mut stranger = servers.launch(one());
    stranger.postgres.password = "wrong-canary".to_owned();
    let mut cached = one();
    cached[0].cache = Some(querylab::plan::CachePlan::aside(vec![], 1));
    let mut twice = one();
    twice.extend(one());
    for (launch, wanted) in [
        (superuser, "superuser"),
        (stranger, "connecting to Postgres"),
        (servers.launch(cached), "there is no Redis"),
        (servers.launch(twice), "another endpoint answers GET /one already"),
        (
            servers.launch(vec![endpoint("/health/live", "SELECT 1 AS one", vec![])]),
            "path of querylab",
        ),
    ] {
        let socket = launch.listen.clone();
        let error = querylab::api::serve(launch, std::future::pending()).await;
        let error = format!("{:#}", error.expect_err("refused"));
        assert!(error.contains(wanted) && !error.contains("canary"), "{error}");
        assert!(!socket.exists(), "nothing listens before all is well");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_waits_for_requests_under_way_and_leaves_no_connection() {
    let Some(servers) = servers::start(false).await else { return };
    let sleepy = endpoint("/sleep", "SELECT pg_sleep(0.6)::text AS slept", vec![]);
    let api = Api::start(servers.launch(vec![sleepy])).await;
    let socket = api.socket.clone();
    let request = b"GET /sleep HTTP/1.1\r\nHost: x\r\n\r\n";
    let under_way = tokio::spawn({
        let socket = socket.clone();
        async move { super::client::raw(&socket, request).await }
    });
    sleep(Duration::from_millis(200)).await;
    let asked = Instant::now();
    api.stop().await.expect("stops");
    assert!(asked.elapsed() < Duration::from_secs(2));
    assert_eq!(under_way.await.expect("no panic").status, 200);
    assert!(!socket.exists());
    sleep(Duration::from_millis(200)).await;
    let mut boss = servers.boss().await;
    let left: i64 =
        sqlx::query_scalar("SELECT count(*) FROM pg_stat_activity WHERE usename = 'api'")
            .fetch_one(&mut boss)
            .await
            .expect("counted");
    assert_eq!(left, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn health_tells_life_from_readiness() {
    let Some(mut servers) = servers::start(false).await else { return };
    let api = Api::start(servers.launch(vec![])).await;
    assert_eq!(api.get("/health/live").await.body, "{\"status\":\"live\"}");
    assert_eq!(api.get("/health/ready").await.body, "{\"status\":\"ready\"}");
    servers.stop_postgres();
    assert_eq!(api.get("/health/live").await.status, 200);
    assert_eq!(api.get("/health/ready").await.status, 503);
}
