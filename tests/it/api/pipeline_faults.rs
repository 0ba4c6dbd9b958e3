//! Shared connections under everything that becomes of servers: bounds are kept, what is lost is said, and the next request
//! is answered.

use std::sync::Arc;
use std::time::Duration;

use querylab::plan::EndpointPlan;
use rustix::process::{Pid, Signal, kill_process};
use sqlx::postgres::PgConnection;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::client::{Api, endpoint};
use super::pipeline::shared;
use super::servers::{self, execute};

fn one() -> EndpointPlan {
    endpoint("/one", "SELECT 1 AS one", vec![])
}

fn sleepy(seconds: &str) -> EndpointPlan {
    endpoint("/sleep", &format!("SELECT pg_sleep({seconds})::text AS slept"), vec![])
}

/// The API's backends, the oldest first.
async fn backends(boss: &mut PgConnection) -> Vec<i32> {
    sqlx::query_scalar(
        "SELECT pid FROM pg_stat_activity WHERE usename = 'api' ORDER BY backend_start",
    )
    .fetch_all(boss)
    .await
    .expect("listed")
}

/// A process that stands still until this goes.
struct Frozen(Pid);

impl Frozen {
    fn new(pid: i32) -> Self {
        let pid = Pid::from_raw(pid).expect("a pid");
        kill_process(pid, Signal::STOP).expect("signalled");
        Self(pid)
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        kill_process(self.0, Signal::CONT).ok();
    }
}

async fn kill(boss: &mut PgConnection, pid: i32) {
    execute(boss, &format!("SELECT pg_terminate_backend({pid}, 2000)")).await;
}

/// Asks so many times at once; the statuses and kinds that came.
async fn at_once(api: &Arc<Api>, path: &'static str, times: usize) -> Vec<(u16, String)> {
    let mut requests = JoinSet::new();
    for _ in 0..times {
        let api = Arc::clone(api);
        requests.spawn(async move {
            let answer = api.get(path).await;
            let kind = answer.json()["kind"].as_str().unwrap_or_default().to_owned();
            (answer.status, kind)
        });
    }
    requests.join_all().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_small_depth_spreads_requests_over_all_connections() {
    let Some(servers) = servers::start(false).await else { return };
    let slow =
        endpoint("/who", "SELECT pg_backend_pid() AS pid, pg_sleep(0.6)::text AS slept", vec![]);
    let api = Arc::new(Api::start(shared(&servers, vec![slow], (2, 1))).await);
    // Both are opened by the first two; of those who come later neither waits behind the other.
    for _ in 0..4 {
        let mut requests = JoinSet::new();
        for _ in 0..2 {
            let api = Arc::clone(&api);
            requests.spawn(async move { api.get("/who").await.json()[0]["pid"].as_i64() });
        }
        let who = requests.join_all().await;
        assert!(who[0].is_some() && who[1].is_some() && who[0] != who[1], "{who:?}");
    }
    assert_eq!(api.counters().await.connections_opened, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ping_finds_a_connection_whose_server_stands_still_within_two_seconds() {
    let Some(servers) = servers::start(false).await else { return };
    let mut boss = servers.boss().await;
    // One that requests share, and one of a pool.
    for depth in [Some(8), None] {
        let mut launch = shared(&servers, vec![one()], (2, 8));
        (launch.api.pool.pre_ping, launch.api.pool.pipeline_depth) = (true, depth);
        let api = Api::start(launch).await;
        assert_eq!(api.get("/one").await.status, 200);
        let frozen = Frozen::new(backends(&mut boss).await[0]);
        let asked = Instant::now();
        assert_eq!(api.get("/one").await.body, "[{\"one\":1}]", "{depth:?}");
        let took = asked.elapsed();
        assert!((Duration::from_millis(900)..Duration::from_secs(3)).contains(&took), "{took:?}");
        assert_eq!(api.get("/one").await.status, 200);
        drop(frozen);
        let counters = api.counters().await;
        assert_eq!((counters.connections_opened, counters.server_errors), (2, 0), "{depth:?}");
        api.stop().await.expect("stops");
        // The one that stood still hears now that nobody is there.
        for _ in 0..200 {
            if backends(&mut boss).await.is_empty() {
                break;
            }
            sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(backends(&mut boss).await, [0; 0]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_ping_a_connection_whose_server_stands_still_is_given_up_after_the_deadline() {
    let Some(servers) = servers::start(false).await else { return };
    let mut launch = shared(&servers, vec![one()], (1, 8));
    // Two seconds more are the server's to say that it was too long.
    launch.api.statement_timeout_ns = 200_000_000;
    let api = Api::start(launch).await;
    let mut boss = servers.boss().await;
    assert_eq!(api.get("/one").await.status, 200);
    let frozen = Frozen::new(backends(&mut boss).await[0]);
    let asked = Instant::now();
    let answer = api.get("/one").await;
    assert_eq!((answer.status, answer.json()["kind"].as_str()), (504, Some("statement-timeout")));
    assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
    // Its place is free, and the connection another one, as soon as the server has kept silent for as long again.
    let mut statuses = Vec::new();
    for _ in 0..4 {
        statuses.push(api.get("/one").await.status);
        if statuses.last() == Some(&200) {
            break;
        }
    }
    assert_eq!(statuses.last(), Some(&200), "{statuses:?}");
    drop(frozen);
    assert_eq!(api.counters().await.connections_opened, 2);
    api.stop().await.expect("stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_one_of_two_connections_cannot_be_opened_the_other_has_the_requests() {
    let Some(servers) = servers::start(false).await else { return };
    let api = Arc::new(Api::start(shared(&servers, vec![one(), sleepy("0.3")], (2, 10))).await);
    let mut boss = servers.boss().await;
    // The first is where requests go while there are few; opened at once, either could be the older.
    assert_eq!(api.get("/one").await.status, 200);
    at_once(&api, "/sleep", 12).await;
    let both = backends(&mut boss).await;
    assert_eq!(both.len(), 2, "{both:?}");
    execute(&mut boss, "ALTER ROLE api CONNECTION LIMIT 1").await;
    kill(&mut boss, both[0]).await;
    sleep(Duration::from_millis(100)).await;
    for _ in 0..10 {
        let answer = api.get("/one").await;
        assert_eq!(answer.status, 200, "{}", answer.body);
    }
    let answers = at_once(&api, "/one", 15).await;
    assert!(answers.iter().all(|(status, _)| *status == 200), "{answers:?}");
    assert_eq!(backends(&mut boss).await, both[1..]);
    execute(&mut boss, "ALTER ROLE api CONNECTION LIMIT -1").await;
    assert_eq!(api.get("/one").await.status, 200);
    let counters = api.counters().await;
    assert_eq!((counters.connections_opened, counters.unconnected), (3, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_lost_under_several_requests_fails_each_of_them_and_no_other() {
    let Some(servers) = servers::start(false).await else { return };
    let api = Arc::new(Api::start(shared(&servers, vec![one(), sleepy("5")], (1, 8))).await);
    let mut boss = servers.boss().await;
    assert_eq!(api.get("/one").await.status, 200);
    let pid = backends(&mut boss).await[0];
    let asked = Instant::now();
    let (answers, ()) = tokio::join!(at_once(&api, "/sleep", 4), async {
        sleep(Duration::from_millis(500)).await;
        kill(&mut boss, pid).await;
    });
    assert!(asked.elapsed() < Duration::from_secs(4), "{:?}", asked.elapsed());
    // Whose statement was at work hears the server's own words, those behind it only that it is gone.
    let is_told = |(status, kind): &(u16, String)| {
        *status == 503 && ["database-lost", "database-unavailable"].contains(&kind.as_str())
    };
    assert!(answers.len() == 4 && answers.iter().all(is_told), "{answers:?}");
    assert_eq!(api.get("/one").await.body, "[{\"one\":1}]");
    let counters = api.counters().await;
    assert_eq!((counters.connections_opened, counters.server_errors), (2, 4));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_that_was_altered_costs_a_shared_connection_and_is_noticed_by_the_next() {
    let Some(servers) = servers::start(false).await else { return };
    let mut boss = servers.boss().await;
    let table = "CREATE TABLE things (id int); INSERT INTO things VALUES (7); GRANT SELECT ON things TO api";
    execute(&mut boss, table).await;
    let things = endpoint("/things", "SELECT id FROM things", vec![]);
    let api = Api::start(shared(&servers, vec![things, one()], (1, 8))).await;
    assert_eq!(api.get("/things").await.body, "[{\"id\":7}]");
    execute(&mut boss, "ALTER TABLE things ALTER COLUMN id TYPE text").await;
    let old = api.get("/things").await;
    assert_eq!((old.status, old.json()["sqlstate"].as_str()), (500, Some("0A000")));
    let new = api.get("/things").await;
    assert_eq!((new.status, new.json()["kind"].as_str()), (500, Some("schema-changed")));
    assert_eq!(api.get("/one").await.body, "[{\"one\":1}]");
    execute(&mut boss, "ALTER TABLE things ALTER COLUMN id TYPE int USING id::int").await;
    assert_eq!(api.get("/things").await.body, "[{\"id\":7}]");
    // A column that nobody asks for changes no answer.
    execute(&mut boss, "ALTER TABLE things ADD COLUMN note text").await;
    assert_eq!(api.get("/things").await.body, "[{\"id\":7}]");
    assert_eq!(api.counters().await.connections_opened, 2);
    api.stop().await.expect("stops");
}
