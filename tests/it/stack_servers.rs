//! Starting and stopping, as asked: who runs as whom, what can be reached, what is in force.

use std::os::unix::fs::{MetadataExt, PermissionsExt};

use querylab::stack::{DoctorOptions, Health, Part, Role, Session, Stack, doctor, setup};
use sqlx::Connection as _;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::api::servers::connect_to;
use crate::stack::{api_plan, notice, open, options, server, stack_plan, surroundings};

async fn start(session: &Session) -> Stack {
    session
        .start_stack(&stack_plan(), &api_plan(), "postgres", &mut |l| notice(&l))
        .await
        .expect("starts")
}

#[tokio::test]
async fn postgres_alone_then_a_whole_stack_twice_then_nothing() {
    let Some(session) = open(options("whole")).await else { return };
    let scratch = session.scratch().to_path_buf();
    assert_eq!(session.compiled_with(), None, "nobody has asked it yet");
    let postgres = session.start_postgres(&server(&[]), &mut |l| notice(&l)).await.expect("starts");
    let flags = session.compiled_with().expect("it tells");
    assert!(flags.split(' ').any(|flag| flag.starts_with("-O")), "{flags}");
    postgres.stop().await.expect("it stops");
    for _ in 0..2 {
        let stack = start(&session).await;
        let settings = stack.settings();
        assert_eq!(settings["postgres"]["shared_buffers"], "8192 × 8kB");
        assert_eq!(settings["postgres"]["data_checksums"], "on");
        assert_eq!(settings["redis"]["maxmemory"], "67108864");
        assert_eq!(settings["nginx"]["client_max_body_size"], "10m");
        assert_eq!(stack.pids()["api"].len(), 2);
        stack.stop().await.expect("it stops");
    }
    session.close().await.expect("it closes");
    assert!(!scratch.exists());
}

#[tokio::test]
async fn a_flipped_byte_of_a_table_is_found_by_postgres_when_it_is_read() {
    let Some(session) = open(options("flipped")).await else { return };
    let start = async || {
        let started = session.start_postgres(&server(&[]), &mut |l| notice(&l)).await;
        let postgres = started.expect("starts");
        let connection = connect_to(&postgres.address(Role::Admin, "postgres")).await;
        (postgres, connection)
    };
    let (postgres, mut boss) = start().await;
    let made = "CREATE TABLE t AS SELECT n FROM generate_series(1, 10000) AS n";
    sqlx::raw_sql(made).execute(&mut boss).await.expect("made");
    let file: String = sqlx::query_scalar("SELECT pg_relation_filepath('t')")
        .fetch_one(&mut boss)
        .await
        .expect("a file");
    boss.close().await.expect("closed");
    postgres.stop().await.expect("it stops");
    let file = session.data_dir().join(file);
    let mut bytes = std::fs::read(&file).expect("read");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&file, bytes).expect("written");
    let (postgres, mut boss) = start().await;
    let counted = sqlx::query_scalar::<_, i64>("SELECT count(*) FROM t").fetch_one(&mut boss).await;
    let why = counted.expect_err("the page is not what it was").to_string();
    assert!(why.contains("invalid page in block"), "{why}");
    boss.close().await.expect("closed");
    postgres.stop().await.expect("it stops");
    session.close().await.expect("it closes");
}

#[tokio::test]
async fn servers_are_unprivileged_reachable_by_nobody_else_and_show_no_password() {
    let Some(session) = open(options("private")).await else { return };
    let stack = start(&session).await;
    let secrets = [
        stack.postgres_address(Role::Admin, "postgres").password,
        stack.postgres_address(Role::App, "postgres").password,
        stack.redis_address().expect("there is one").password,
    ];
    for pid in stack.pids().into_values().flatten() {
        let folder = format!("/proc/{pid}");
        assert_ne!(std::fs::metadata(&folder).expect("alive").uid(), 0, "{pid} is root");
        for file in ["cmdline", "environ"] {
            let text = std::fs::read(format!("{folder}/{file}")).unwrap_or_default();
            let text = String::from_utf8_lossy(&text).into_owned();
            assert!(!secrets.iter().any(|s| text.contains(s)), "{pid}: {file}");
        }
    }
    for folder in ["run", "conf", "data", "logs"] {
        let mode = std::fs::metadata(session.scratch().join(folder)).expect("there").permissions();
        assert_eq!(mode.mode() & 0o777, 0o700, "{folder}");
    }
    let shown = format!("{:?}", stack.postgres_address(Role::App, "postgres"));
    assert!(!secrets.iter().any(|s| shown.contains(s)));
    assert!(stack.address.ip().is_loopback() && (20_000..30_000).contains(&stack.address.port()));
    let guard = session.guard_pid();
    assert_eq!(session_of(guard), i64::from(guard), "the guard leads no session of its own");
    stack.stop().await.expect("it stops");
    session.close().await.expect("it closes");
}

/// The session of a process: field 6 of proc(5) `stat`. It is read as a number and not by
/// `getsid`, because it is 0 where the leader lives outside of our PID namespace.
fn session_of(pid: u32) -> i64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("alive");
    let after_name = stat.rsplit_once(')').expect("a name in brackets").1;
    after_name.split_whitespace().nth(3).expect("a sixth field").parse().expect("a number")
}

async fn status_of(stack: &Stack, path: &str) -> String {
    let mut stream = tokio::net::TcpStream::connect(stack.address).await.expect("connects");
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("answered");
    answer.lines().next().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn clients_reach_the_api_but_not_its_insides_and_nginx_counts_them() {
    let Some(session) = open(options("nginx")).await else { return };
    let mut stack = start(&session).await;
    let before = stack.nginx_requests().await.expect("counts");
    assert_eq!(status_of(&stack, "/health/ready").await, "HTTP/1.1 200 OK");
    assert_eq!(status_of(&stack, "/__querylab/counters").await, "HTTP/1.1 404 Not Found");
    assert_eq!(status_of(&stack, "/__querylab/static").await, "HTTP/1.1 200 OK");
    assert_eq!(status_of(&stack, "/__querylab/static/").await, "HTTP/1.1 404 Not Found");
    assert_eq!(status_of(&stack, "/x/../__querylab/counters").await, "HTTP/1.1 404 Not Found");
    let after = stack.nginx_requests().await.expect("counts");
    assert_eq!(after - before, 5 + 1, "five of ours, and the question itself");
    stack.stop_api().await.expect("it stops");
    assert!(tokio::net::TcpStream::connect(stack.address).await.is_err());
    let fsync = stack
        .postgres()
        .expect("ours")
        .settings_in_force(&["fsync"])
        .await
        .expect("it still answers");
    assert_eq!(fsync["fsync"], "on");
    stack.stop().await.expect("it stops");
    session.close().await.expect("it closes");
}

#[tokio::test]
async fn setup_and_doctor_agree_about_what_is_here() {
    let options = DoctorOptions { run_as: None, surroundings: surroundings() };
    let Ok(lines) = setup(None, &options, &mut |l| notice(&l)).await else {
        notice("SKIPPED, no servers here");
        assert!(std::env::var_os("QUERYLAB_REQUIRE_SERVERS").is_none());
        return;
    };
    assert_eq!(lines.len(), Part::ALL.len(), "{lines:?}");
    let findings = doctor(&options).await;
    for part in Part::ALL {
        let finding = findings.iter().find(|f| f.part == part.name()).expect("looked at");
        assert_eq!(finding.state, Health::Good, "{finding:?}");
    }
    for part in ["user", "disk", "shared memory", "open files", "lock", "fetching"] {
        assert!(findings.iter().any(|f| f.part == part), "{part} in {findings:?}");
    }
}

#[tokio::test]
async fn an_access_log_has_each_request_with_its_upstream_and_changes_no_count() {
    let Some(session) = open(options("access")).await else { return };
    let mut counts = Vec::new();
    for value in ["off", "on"] {
        let mut plan = stack_plan();
        plan.nginx.settings.insert("access_log".into(), value.into());
        let started =
            session.start_stack(&plan, &api_plan(), "postgres", &mut |l| notice(&l)).await;
        let stack = started.expect("starts");
        assert_eq!(stack.settings()["nginx"]["access_log"], value);
        let before = stack.nginx_requests().await.expect("counts");
        for path in ["/health/ready", "/health/live", "/health/live?a=%22b", "/no\"where"] {
            status_of(&stack, path).await;
        }
        status_of(&stack, "/__querylab/static").await;
        counts.push(stack.nginx_requests().await.expect("counts") - before);
        stack.stop().await.expect("it stops");
        assert_eq!(session.access_logs().is_empty(), value == "off");
    }
    assert_eq!(counts, [6, 6], "the last question counts itself");
    let (log, name) = session.access_logs().remove(0);
    assert_eq!(name, "nginx-access.jsonl");
    let text = std::fs::read_to_string(log).expect("a log");
    let lines = text.lines().map(|line| serde_json::from_str(line).expect("JSON"));
    let lines: Vec<serde_json::Value> = lines.collect();
    let of = |uri: &str| lines.iter().find(|line| line["uri"] == uri).expect("its line");
    let live = of("/health/live");
    assert_eq!((&live["method"], &live["status_code"]), (&"GET".into(), &200.into()));
    let seconds = live["upstream_response_time_s"].as_str().expect("a text");
    assert!(seconds.parse::<f64>().is_ok_and(|s| (0.0..5.0).contains(&s)), "{live}");
    assert!(live["request_time_s"].as_f64().is_some_and(|s| (0.0..5.0).contains(&s)), "{live}");
    assert!(live["request_id"].as_str().is_some_and(|id| id.len() == 32), "{live}");
    assert_eq!(of("/health/live?a=%22b")["status_code"], 200);
    // Two API processes take turns.
    let upstreams: std::collections::BTreeSet<&str> =
        lines.iter().filter_map(|line| line["upstream"].as_str()).collect();
    assert_eq!(upstreams.len(), 2, "{upstreams:?}");
    assert!(lines.iter().all(|line| line["uri"] != "/__querylab/static"));
    session.close().await.expect("it closes");
}
