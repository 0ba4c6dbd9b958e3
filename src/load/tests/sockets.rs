//! Real sockets, the kernel's timers, and the thread that a load runs on.

use std::convert::Infallible;
use std::net::SocketAddr;

use bytes::Bytes;
use http_body_util::Full;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::time::Duration;

use super::scripts::{closed, job, open, right};
use crate::load::fixtures::{MS, S};
use crate::load::{Checked, Recording, check_once, run};
use crate::plan::{LoadPlan, Until, WarmupPlan};
use crate::spec::Arrival;

/// A server that answers right, and ends each connection after `per_connection` answers without a word.
async fn server(per_connection: u64) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.expect("a connection");
            tokio::spawn(async move {
                let left = std::sync::atomic::AtomicU64::new(per_connection);
                let service = service_fn(|request: Request<hyper::body::Incoming>| {
                    let last = left.fetch_sub(1, std::sync::atomic::Ordering::Relaxed) <= 1;
                    let body = Full::new(Bytes::from(right(request.uri())));
                    let mut response = Response::new(body);
                    if last {
                        let close = hyper::header::HeaderValue::from_static("close");
                        response.headers_mut().insert(hyper::header::CONNECTION, close);
                    }
                    async move { Ok::<_, Infallible>(response) }
                });
                let connection = hyper::server::conn::http1::Builder::new();
                drop(connection.serve_connection(TokioIo::new(stream), service).await);
            });
        }
    });
    address
}

fn short(plan: LoadPlan) -> LoadPlan {
    let warmup = WarmupPlan { min_ns: 0, max_ns: 200 * MS, until: Until::Steady };
    LoadPlan { warmup, duration_ns: S, ..plan }
}

async fn drive(plan: LoadPlan, address: SocketAddr) -> Recording {
    let (events, _heard) = mpsc::unbounded_channel();
    let (_stop, cancel) = watch::channel(false);
    run(job(plan, address), events, cancel).await.expect("a recording")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_open_load_keeps_its_rate_and_sends_on_time() {
    let address = server(u64::MAX).await;
    let mut lags_us = Vec::new();
    // Others share this machine, so the best of five counts. tokio's own timer would miss by half a millisecond in
    // each: at this rate arrivals are due at all parts of a millisecond.
    let recording = loop {
        let recording = drive(short(open(470.0, Arrival::Constant, 1000)), address).await;
        lags_us.push(recording.window.lag.value_at_quantile(0.5) as f64 / 1e3);
        if lags_us.last().is_some_and(|lag| *lag < 300.0) {
            break recording;
        }
        assert!(lags_us.len() < 5, "median lags in µs: {lags_us:?}");
    };
    let window = &recording.window;
    assert_eq!((window.due, window.dropped, window.failed), (470, 0, 0));
    assert_eq!(window.answered, 470);
    assert_eq!(recording.failure, None);
    let p50 = window.quantile_response_us(0.5).expect("a median");
    assert!(p50 > 10.0 && p50 < 50_000.0, "{p50}");
    assert!(window.generator_cpu_ns > 0 && window.generator_cpu_share() < 1.1);
    assert!(window.response_bytes > 470 * 40);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn connections_that_a_server_ends_are_opened_anew_without_a_failure() {
    let recording = drive(short(closed(4, 0)), server(10).await).await;
    assert_eq!(recording.failure, None);
    assert_eq!(recording.failed_total, 0);
    assert!(recording.answered_total > 100, "{}", recording.answered_total);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn nobody_listening_is_a_failure_of_the_run_that_names_the_kind() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    drop(listener);
    let mut plan = short(closed(10, 0));
    plan.duration_ns = 20 * S;
    let recording = drive(plan, address).await;
    let why = recording.failure.expect("a failure");
    assert!(why.starts_with("most requests fail: connect x "), "{why}");
    assert_eq!(recording.sent_total, recording.failed_total);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn answers_are_checked_one_by_one_before_the_load() {
    let address = server(u64::MAX).await;
    let right = check_once(job(closed(1, 0), address), 20).await.expect("checked");
    assert_eq!(right, Checked { sent: 20, mismatches: vec![], faults: vec![] });
    let mut plan = closed(1, 0);
    plan.targets[0].check.rows = Some(2);
    let wrong = check_once(job(plan, address), 5).await.expect("checked");
    assert_eq!((wrong.sent, wrong.mismatches.len()), (5, 5));
    let said = &wrong.mismatches[0];
    assert!(said.starts_with("GET /users/indexed?email=") && said.contains("1 rows instead of 2"));
    let mut plan = closed(1, 0);
    let mut rare = plan.targets[0].clone();
    (rare.weight, rare.check.rows) = (1e-9, Some(2));
    plan.targets.push(rare);
    let wrong = check_once(job(plan, address), 3).await.expect("checked");
    assert_eq!((wrong.sent, wrong.mismatches.len()), (6, 3), "each target is looked at");
    let mut plan = closed(1, 0);
    plan.targets[0].check.status = 404;
    let wrong = check_once(job(plan, address), 1).await.expect("checked");
    assert!(wrong.mismatches[0].ends_with(": status-200"), "{:?}", wrong.mismatches);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_load_that_nobody_waits_for_stops() {
    let address = server(u64::MAX).await;
    let (events, mut heard) = mpsc::unbounded_channel();
    let (_stop, cancel) = watch::channel(false);
    let mut plan = closed(1, 0);
    plan.duration_ns = 3600 * S;
    let load = run(job(plan, address), events, cancel);
    assert!(tokio::time::timeout(Duration::from_millis(300), load).await.is_err());
    // The thread lets go of the channel when it ends.
    let silent = async { while heard.recv().await.is_some() {} };
    tokio::time::timeout(Duration::from_secs(10), silent).await.expect("the thread ended");
}

#[tokio::test]
async fn a_job_whose_keys_do_not_exist_is_an_error() {
    let mut job = job(closed(1, 0), ([127, 0, 0, 1], 1).into());
    job.tables.clear();
    let (events, _heard) = mpsc::unbounded_channel();
    let (_stop, cancel) = watch::channel(false);
    let said = format!("{:#}", run(job, events, cancel).await.expect_err("no table"));
    assert_eq!(said, "endpoint `indexed`: parameter `email`: no table `users` is generated");
}
