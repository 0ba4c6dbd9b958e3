//! Starting and stopping, as asked: who runs as whom, what can be reached, what is in force.

use std::os::unix::fs::{MetadataExt, PermissionsExt};

use querylab::stack::{DoctorOptions, Health, Part, Role, Session, Stack, doctor, setup};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

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
    let postgres = session.start_postgres(&server(&[]), &mut |l| notice(&l)).await.expect("starts");
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
    let fsync = stack.postgres().settings_in_force(&["fsync"]).await.expect("it still answers");
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
