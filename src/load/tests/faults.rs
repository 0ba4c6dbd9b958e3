//! Servers that fail: each failure has a kind, no run hangs, and the books balance.

use std::rc::Rc;

use tokio::io::AsyncWriteExt as _;
use tokio::time::{Duration, Instant};

use super::scripts::{Reply, closed, drive, on_paused_clock, open, raw, reply, scripted};
use crate::load::wire::Door;
use crate::spec::Arrival;

#[test]
fn bodies_that_end_early_are_failures_of_their_own_kind() {
    let heads = [
        ("Content-Length: 1000\r\n\r\n[{\"id\":", "body-truncated"),
        ("Transfer-Encoding: chunked\r\n\r\n5\r\n[{\"id", "body-truncated"),
        ("Content-Length: -5\r\n\r\n[]", "bad-response"),
        ("Content-Length: 2\r\n\r\n[]", "wrong-answer"),
    ];
    for (head, kind) in heads {
        let run = on_paused_clock(async move {
            let door = raw(move |mut stream| async move {
                let head = format!("HTTP/1.1 200 OK\r\n{head}");
                drop(stream.write_all(head.as_bytes()).await);
            });
            drive(open(100.0, Arrival::Constant, 10), door, None).await
        });
        let why = run.recording.failure.expect("a failure");
        assert!(why.starts_with(&format!("most requests fail: {kind} x ")), "{head:?}: {why}");
        assert_eq!(run.recording.answered_total, 0);
        assert_eq!(run.recording.wrong_answers.len(), if kind == "wrong-answer" { 3 } else { 0 });
    }
}

#[test]
fn a_blackhole_ends_the_run_after_three_timeouts() {
    let run = on_paused_clock(async {
        let door = raw(|stream| async move {
            tokio::time::sleep(Duration::from_hours(1)).await;
            drop(stream);
        });
        drive(closed(2, 0), door, None).await
    });
    let why = run.recording.failure.expect("a failure");
    assert!(why.starts_with("no right answer for 6.0"), "{why}");
    assert!(run.seconds < 7.0, "{}", run.seconds);
    assert_eq!(run.recording.sent_total, run.recording.failed_total);
}

#[test]
fn a_trickle_of_bytes_does_not_hold_off_the_deadline() {
    let run = on_paused_clock(async {
        let door = raw(|mut stream| async move {
            drop(stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n").await);
            while stream.write_all(b" ").await.is_ok() {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        });
        drive(closed(2, 0), door, None).await
    });
    let why = run.recording.failure.expect("a failure");
    assert!(why.contains("timeout x "), "{why}");
}

#[test]
fn a_storm_of_502_ends_the_run_early_and_is_named() {
    let run = on_paused_clock(async {
        let storm = |uri: &hyper::Uri, now: Duration| {
            let status = if now > Duration::from_millis(2200) { 502 } else { 200 };
            Reply { status, ..reply(uri, 1) }
        };
        drive(closed(3, 0), scripted(storm), None).await
    });
    let why = run.recording.failure.clone().expect("a failure");
    assert!(why.starts_with("most requests fail: status-502 x "), "{why}");
    assert!(run.seconds < 6.0, "{}", run.seconds);
    run.recording.window.balance().expect("balanced");
    assert!(run.recording.window.failures["status-502"] > 0);
}

#[test]
fn a_server_that_is_killed_in_the_window_leaves_balanced_books() {
    let run = on_paused_clock(async {
        let alive = scripted(|uri, _| reply(uri, 1));
        let Door::Memory(connect) = alive else { panic!("a door of a test") };
        let start = Instant::now();
        let door = Door::Memory(Rc::new(move || {
            if start.elapsed() > Duration::from_secs(5) {
                return Err(std::io::ErrorKind::ConnectionRefused.into());
            }
            // Connections die with the server, in the middle of whatever they do.
            let (mut ours, theirs) = tokio::io::duplex(64 * 1024);
            let mut inner = connect()?;
            tokio::task::spawn_local(async move {
                let dead = tokio::time::sleep_until(start + Duration::from_secs(5));
                tokio::select! {
                    () = dead => {}
                    copied = tokio::io::copy_bidirectional(&mut ours, &mut inner) => drop(copied),
                }
            });
            Ok(theirs)
        }));
        drive(open(500.0, Arrival::Poisson, 100), door, None).await
    });
    let recording = run.recording;
    let why = recording.failure.expect("a failure");
    assert!(why.contains("connect x "), "{why}");
    assert!(recording.window.failed > 200, "{}", recording.window.failed);
    assert!(recording.window.answered > 500);
    assert_eq!(recording.sent_total, recording.answered_total + recording.failed_total);
}

#[test]
fn a_run_that_is_cancelled_stops_at_once_with_balanced_books() {
    let run = on_paused_clock(async {
        let door = scripted(|uri, _| reply(uri, 700));
        drive(open(50.0, Arrival::Constant, 100), door, Some(Duration::from_secs(7))).await
    });
    assert!(run.recording.cancelled && run.recording.failure.is_none());
    assert!(run.seconds < 7.1, "{}", run.seconds);
    assert!(run.recording.window.failures["cancelled"] > 10);
    run.recording.window.balance().expect("balanced");
}
