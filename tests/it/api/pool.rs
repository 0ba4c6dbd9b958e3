//! The pool, as Postgres sees it: backends are counted in `pg_stat_activity`.

use std::sync::Arc;
use std::time::Duration;

use querylab::spec::ParamType;
use sqlx::postgres::PgConnection;
use tokio::io::AsyncWriteExt as _;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::client::{Api, endpoint, param};
use super::servers::{self, execute};

async fn backends(boss: &mut PgConnection) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM pg_stat_activity WHERE usename = 'api'")
        .fetch_one(boss)
        .await
        .expect("counted")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixty_requests_share_eight_connections_and_five_of_them_stay() {
    let Some(servers) = servers::start(false).await else { return };
    let sleepy = endpoint("/sleep", "SELECT pg_sleep(0.03)::text AS slept", vec![]);
    let api = Arc::new(Api::start(servers.launch(vec![sleepy])).await);
    let mut boss = servers.boss().await;
    let mut requests = JoinSet::new();
    for _ in 0..60 {
        let api = Arc::clone(&api);
        requests.spawn(async move {
            for _ in 0..4 {
                assert_eq!(api.get("/sleep").await.status, 200);
            }
        });
    }
    let mut most = 0;
    while !requests.is_empty() {
        most = most.max(backends(&mut boss).await);
        while let Some(done) = requests.try_join_next() {
            done.expect("no request failed");
        }
        sleep(Duration::from_millis(2)).await;
    }
    assert_eq!(most, 8, "all of the pool is used, and nothing beyond it");
    // What is too much goes after a tenth of a second without use.
    sleep(Duration::from_millis(800)).await;
    assert_eq!(backends(&mut boss).await, 5);
    let counters = api.counters().await;
    assert_eq!((counters.requests, counters.statements), (240, 240));
    assert_eq!(
        counters.connections_opened, 8,
        "a waiter takes what comes back: nothing is reopened"
    );
    assert!(counters.pool_wait_max_ns > 1_000_000 && counters.server_errors == 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_is_given_up_costs_its_connection_and_its_query_ends() {
    let Some(servers) = servers::start(false).await else { return };
    let mut launch = servers.launch(vec![
        endpoint("/sleep", "SELECT pg_sleep(20)::text AS slept", vec![]),
        endpoint("/one", "SELECT 1 AS one", vec![]),
    ]);
    launch.api.pool.size = 1;
    launch.api.pool.max_overflow = 0;
    let api = Api::start(launch).await;
    let mut boss = servers.boss().await;
    let mut stream = tokio::net::UnixStream::connect(&api.socket).await.expect("listens");
    stream.write_all(b"GET /sleep HTTP/1.1\r\nHost: x\r\n\r\n").await.expect("sent");
    sleep(Duration::from_millis(500)).await;
    drop(stream);
    let asked = Instant::now();
    assert_eq!(api.get("/one").await.status, 200);
    assert!(asked.elapsed() < Duration::from_secs(2), "the old answer was waited for");
    sleep(Duration::from_millis(2500)).await;
    let sleeping: i64 =
        sqlx::query_scalar("SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(20)%' AND state = 'active' AND usename = 'api'")
            .fetch_one(&mut boss)
            .await
            .expect("counted");
    assert_eq!(sleeping, 0, "the backend noticed that its client has gone");
    api.stop().await.expect("stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exhaustion_timeouts_and_constraints_have_their_own_problems() {
    let Some(servers) = servers::start(false).await else { return };
    let mut boss = servers.boss().await;
    execute(
        &mut boss,
        "CREATE TABLE things (id int PRIMARY KEY, n int CHECK (n > 0)); GRANT ALL ON things TO api",
    )
    .await;
    let insert = "INSERT INTO things VALUES ($1, $2)";
    let ints = || vec![param("id", ParamType::Integer), param("n", ParamType::Integer)];
    let mut insert = endpoint("/things", insert, ints());
    insert.method = "POST".to_owned();
    let mut launch = servers.launch(vec![
        insert,
        endpoint("/sleep", "SELECT pg_sleep(0.8)::text AS slept", vec![]),
        endpoint("/forever", "SELECT pg_sleep(60)::text AS slept", vec![]),
        endpoint("/divide", "SELECT 1 / $1 AS n", vec![param("n", ParamType::Integer)]),
    ]);
    launch.api.pool.size = 1;
    launch.api.pool.max_overflow = 0;
    launch.api.pool.acquire_timeout_ns = 200_000_000;
    launch.api.statement_timeout_ns = 1_500_000_000;
    let api = Api::start(launch).await;
    let post = |query: &str| {
        format!(
            "POST /things?{query} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
        )
    };
    let created = api.raw(post("id=1&n=1").as_bytes()).await;
    assert_eq!((created.status, created.body.as_str()), (200, "{\"affected\":1}"));
    let again = api.raw(post("id=1&n=1").as_bytes()).await;
    assert_eq!((again.status, again.json()["sqlstate"].as_str()), (409, Some("23505")));
    let zero = api.get("/divide?n=0").await;
    assert_eq!((zero.status, zero.json()["kind"].as_str()), (422, Some("invalid-data")));
    let (slow, crowded) = tokio::join!(api.get("/sleep"), async {
        sleep(Duration::from_millis(200)).await;
        api.get("/divide?n=1").await
    });
    assert_eq!(slow.status, 200);
    assert_eq!((crowded.status, crowded.headers["retry-after"].as_str()), (503, "1"));
    assert_eq!(crowded.json()["kind"], "pool-timeout");
    let endless = api.get("/forever").await;
    assert_eq!((endless.status, endless.json()["kind"].as_str()), (504, Some("statement-timeout")));
    assert_eq!(api.get("/divide?n=1").await.status, 200);
    let counters = api.counters().await;
    assert_eq!((counters.requests, counters.server_errors), (7, 2));
    assert_eq!(counters.connections_opened, 1, "errors of the database do not cost a connection");
    api.stop().await.expect("stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_the_server_killed_is_replaced_before_it_is_used() {
    let Some(servers) = servers::start(false).await else { return };
    let api = Api::start(servers.launch(vec![endpoint("/one", "SELECT 1 AS one", vec![])])).await;
    let mut boss = servers.boss().await;
    for _ in 0..3 {
        assert_eq!(api.get("/one").await.body, "[{\"one\":1}]");
        execute(
            &mut boss,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'api'",
        )
        .await;
        sleep(Duration::from_millis(100)).await;
    }
    let counters = api.counters().await;
    assert_eq!((counters.server_errors, counters.connections_opened), (0, 3));
    api.stop().await.expect("stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_exhausted_pool_answers_everybody_in_time_and_recovers() {
    let Some(servers) = servers::start(false).await else { return };
    let sleepy = endpoint("/sleep", "SELECT pg_sleep(0.1)::text AS slept", vec![]);
    let mut launch = servers.launch(vec![sleepy]);
    (launch.api.pool.size, launch.api.pool.max_overflow) = (2, 0);
    launch.api.pool.acquire_timeout_ns = 400_000_000;
    launch.api.pool.max_waiting = Some(20);
    let api = Arc::new(Api::start(launch).await);
    assert_eq!(api.get("/sleep").await.status, 200);
    let mut requests = JoinSet::new();
    for _ in 0..100 {
        let api = Arc::clone(&api);
        requests.spawn(async move {
            let asked = Instant::now();
            let answer = api.get("/sleep").await;
            (answer.status, answer.body, asked.elapsed())
        });
    }
    let (mut served, mut full, mut late) = (0, 0, 0);
    while let Some(done) = requests.join_next().await {
        let (status, body, took) = done.expect("no request hangs");
        assert!(took < Duration::from_secs(3), "{took:?}");
        match (status, body.contains("pool-full"), body.contains("pool-timeout")) {
            (200, ..) => served += 1,
            (503, true, false) => full += 1,
            (503, false, true) => late += 1,
            other => panic!("{other:?}: {body}"),
        }
    }
    // Two are served at once and two more every 100 ms, for as long as the others may wait.
    assert!((4..=14).contains(&served) && full >= 70 && late >= 8, "{served} {full} {late}");
    let counters = api.counters().await;
    assert_eq!((counters.pool_full, counters.pool_timeouts), (full, late));
    assert_eq!(counters.unconnected, full + late);
    let asked = Instant::now();
    assert_eq!(api.get("/sleep").await.status, 200);
    assert!(asked.elapsed() < Duration::from_secs(1), "{:?}", asked.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_are_wanted_again_soon_are_not_opened_anew() {
    let Some(servers) = servers::start(false).await else { return };
    let sleepy = endpoint("/sleep", "SELECT pg_sleep(0.05)::text AS slept", vec![]);
    let api = Arc::new(Api::start(servers.launch(vec![sleepy])).await);
    for _ in 0..5 {
        let mut requests = JoinSet::new();
        for _ in 0..8 {
            let api = Arc::clone(&api);
            requests.spawn(async move { assert_eq!(api.get("/sleep").await.status, 200) });
        }
        while let Some(done) = requests.join_next().await {
            done.expect("no request failed");
        }
        sleep(Duration::from_millis(10)).await;
    }
    // On a busy machine one may come back a moment after its answer is there; without being kept there would be forty.
    let opened = api.counters().await.connections_opened;
    assert!((8..=14).contains(&opened), "{opened}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_that_was_altered_is_noticed_by_old_connections_and_by_new_ones() {
    let Some(servers) = servers::start(false).await else { return };
    let mut boss = servers.boss().await;
    let table = "CREATE TABLE things (id int); INSERT INTO things VALUES (7); GRANT SELECT ON things TO api";
    execute(&mut boss, table).await;
    let things = endpoint("/things", "SELECT id FROM things", vec![]);
    let api = Api::start(servers.launch(vec![things])).await;
    assert_eq!(api.get("/things").await.body, "[{\"id\":7}]");
    execute(&mut boss, "ALTER TABLE things ALTER COLUMN id TYPE text").await;
    let old = api.get("/things").await;
    assert_eq!((old.status, old.json()["sqlstate"].as_str()), (500, Some("0A000")));
    let kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'api'";
    execute(&mut boss, kill).await;
    sleep(Duration::from_millis(100)).await;
    let new = api.get("/things").await;
    assert_eq!((new.status, new.json()["kind"].as_str()), (500, Some("schema-changed")));
    api.stop().await.expect("stops");
}

/// What one user was told: 200, `pool-full` and `pool-timeout`.
async fn insists(api: Arc<Api>, until: Instant) -> (u64, u64, u64) {
    let (mut served, mut full, mut late) = (0, 0, 0);
    while Instant::now() < until {
        let asked = Instant::now();
        let answer = api.get("/sleep").await;
        assert!(asked.elapsed() < Duration::from_secs(2), "{:?}", asked.elapsed());
        if answer.status == 200 {
            served += 1;
            continue;
        }
        assert_eq!((answer.status, answer.headers["retry-after"].as_str()), (503, "1"));
        match answer.json()["kind"].as_str() {
            Some("pool-full") => full += 1,
            Some("pool-timeout") => late += 1,
            other => panic!("{other:?}"),
        }
        // Not as fast as they can: the processors are others', too.
        sleep(Duration::from_millis(10)).await;
    }
    (served, full, late)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_users_who_insist_on_one_connection_are_told_and_are_served_when_they_stop() {
    let Some(servers) = servers::start(false).await else { return };
    let sleepy = endpoint("/sleep", "SELECT pg_sleep(0.05)::text AS slept", vec![]);
    let mut launch = servers.launch(vec![sleepy]);
    (launch.api.pool.size, launch.api.pool.max_overflow) = (1, 0);
    // A request whose time is over in the middle of a ping takes the connection along.
    launch.api.pool.pre_ping = false;
    launch.api.pool.acquire_timeout_ns = 200_000_000;
    launch.api.pool.max_waiting = Some(20);
    let api = Arc::new(Api::start(launch).await);
    assert_eq!(api.get("/sleep").await.status, 200);
    let until = Instant::now() + Duration::from_secs(3);
    let mut users = JoinSet::new();
    for _ in 0..100 {
        users.spawn(insists(Arc::clone(&api), until));
    }
    // The first one was served before they came.
    let (mut served, mut full, mut late) = (1, 0, 0);
    while let Some(told) = users.join_next().await {
        let told = told.expect("no user hangs");
        (served, full, late) = (served + told.0, full + told.1, late + told.2);
    }
    let asked = Instant::now();
    assert_eq!(api.get("/sleep").await.status, 200);
    assert!(asked.elapsed() < Duration::from_secs(1), "{:?}", asked.elapsed());
    // Three seconds hold sixty statements of a twentieth each, and the last ones wait for their turn.
    assert!((20..=66).contains(&served) && full > 100 && late > 0, "{served} {full} {late}");
    let counters = api.counters().await;
    assert_eq!((counters.pool_full, counters.pool_timeouts), (full, late));
    assert_eq!((counters.unconnected, counters.server_errors), (full + late, full + late));
    assert_eq!((counters.statements, counters.requests), (served + 1, served + 1 + full + late));
    assert_eq!(counters.connections_opened, 1, "nobody took the connection along");
}
