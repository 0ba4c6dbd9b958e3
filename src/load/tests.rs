//! Whole loads against scripted servers: on a paused clock where time is all that matters, on real sockets where the
//! network is.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::rc::Rc;

use bytes::Bytes;
use http_body_util::Full;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio::sync::{mpsc, watch};
use tokio::task::LocalSet;
use tokio::time::{Duration, Instant};

use super::clock::{Clock, Waits};
use super::fixtures::{MS, S, example, users};
use super::phases::{Caller, Conductor};
use super::run::{Job, engine};
use super::wire::Door;
use super::{PhaseEvent, Recording};
use crate::plan::{FillPlan, LoadPlan, ModelPlan, Until, WarmupPlan};
use crate::spec::Arrival;

/// What a scripted server does with one request.
struct Reply {
    after: Duration,
    status: u16,
    cache: &'static str,
    body: String,
}

/// The right answer to a request of the example.
fn right(uri: &hyper::Uri) -> String {
    let email = uri.query().unwrap_or_default().trim_start_matches("email=").replace("%40", "@");
    format!(r#"[{{"id":1,"email":"{email}","status":"active"}}]"#)
}

fn reply(uri: &hyper::Uri, after_ms: u64) -> Reply {
    let after = Duration::from_millis(after_ms);
    Reply { after, status: 200, cache: "miss", body: right(uri) }
}

/// A door to an HTTP server that answers as `script` says, given the request and the time since the server's start.
fn scripted(script: impl Fn(&hyper::Uri, Duration) -> Reply + 'static) -> Door {
    let script = Rc::new(script);
    let start = Instant::now();
    door(move |stream| {
        let script = Rc::clone(&script);
        async move {
            let service = service_fn(move |request: Request<hyper::body::Incoming>| {
                let reply = script(request.uri(), start.elapsed());
                async move {
                    tokio::time::sleep(reply.after).await;
                    let response = Response::builder().status(reply.status);
                    let response = response.header("X-Cache", reply.cache);
                    let body = Full::new(Bytes::from(reply.body));
                    Ok::<_, Infallible>(response.body(body).expect("a response"))
                }
            });
            let server = hyper::server::conn::http1::Builder::new();
            drop(server.serve_connection(TokioIo::new(stream), service).await);
        }
    })
}

/// A door to a server that reads a request's head and does what `answer` does with the stream, once.
fn raw<F: Future<Output = ()> + 'static>(answer: impl Fn(DuplexStream) -> F + 'static) -> Door {
    let answer = Rc::new(answer);
    door(move |mut stream| {
        let answer = Rc::clone(&answer);
        async move {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let Ok(byte) = stream.read_u8().await else { return };
                head.push(byte);
            }
            answer(stream).await;
        }
    })
}

fn door<F: Future<Output = ()> + 'static>(serve: impl Fn(DuplexStream) -> F + 'static) -> Door {
    Door::Memory(Rc::new(move || {
        let (ours, theirs) = tokio::io::duplex(64 * 1024);
        tokio::task::spawn_local(serve(theirs));
        Ok(ours)
    }))
}

fn open(rate_per_s: f64, arrival: Arrival, max_in_flight: u32) -> LoadPlan {
    let model = ModelPlan::Open { rate_per_s, arrival, max_in_flight };
    LoadPlan { model, ..example() }
}

fn closed(users: u32, think_ns: u64) -> LoadPlan {
    LoadPlan { model: ModelPlan::Closed { users, think_ns }, ..example() }
}

struct Run {
    recording: Recording,
    events: Vec<PhaseEvent>,
    seconds: f64,
}

/// Drives a plan against a door on the paused clock; the run is stopped after `stop_after`, if said.
async fn drive(plan: LoadPlan, door: Door, stop_after: Option<Duration>) -> Run {
    let (events, mut heard) = mpsc::unbounded_channel();
    let (stop, cancel) = watch::channel(false);
    if let Some(after) = stop_after {
        tokio::task::spawn_local(async move {
            tokio::time::sleep(after).await;
            stop.send(true).expect("the run still listens");
        });
    }
    let clock = Clock::start(Waits::Tokio);
    let engine = engine(&job(plan, ([127, 0, 0, 1], 1).into()), door, clock).expect("a good job");
    let caller = Caller { events, cancel, is_gone: Box::new(|| false) };
    let conductor = Conductor::new(Rc::new(engine), caller).expect("a conductor");
    let recording = conductor.run().await.expect("a recording");
    let mut told = Vec::new();
    while let Ok(event) = heard.try_recv() {
        told.push(event);
    }
    Run { recording, events: told, seconds: clock.now() as f64 / 1e9 }
}

fn job(plan: LoadPlan, address: std::net::SocketAddr) -> Job {
    let tables = vec![users(10_000)];
    Job { address, plan, tables, data_seed: 1, params_seed: 2, arrivals_seed: 3 }
}

fn on_paused_clock<T>(test: impl Future<Output = T>) -> T {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_all().start_paused(true).build().expect("a runtime");
    LocalSet::new().block_on(&runtime, test)
}

fn near(got: Option<f64>, wanted: f64, tolerance: f64) {
    let got = got.expect("a figure");
    assert!((got - wanted).abs() <= tolerance, "{got} is not {wanted} ± {tolerance}");
}

#[test]
fn a_constant_latency_is_measured_and_every_request_is_accounted_for() {
    let run = on_paused_clock(async {
        drive(open(500.0, Arrival::Constant, 100), scripted(|uri, _| reply(uri, 4)), None).await
    });
    let window = &run.recording.window;
    assert_eq!(run.recording.failure, None);
    assert_eq!((window.due, window.sent, window.answered), (5000, 5000, 5000));
    assert_eq!((window.dropped, window.failed), (0, 0));
    assert_eq!(window.cache, BTreeMap::from([("miss".into(), 5000)]));
    near(window.quantile_response_us(0.5), 4000.0, 1010.0);
    near(window.quantile_response_us(0.99), 4000.0, 1010.0);
    assert!((window.rate_rps() - 500.0).abs() < 1e-9);
    assert!(run.recording.warmup_reached);
    assert_eq!(run.recording.warmup_ns, 2 * S);
    near(Some(run.seconds), 12.0, 0.05);
    let milestones: Vec<_> =
        run.events.iter().filter(|e| !matches!(e, PhaseEvent::Progress { .. })).collect();
    assert_eq!(
        milestones,
        [
            &PhaseEvent::WarmupStarted,
            &PhaseEvent::WindowStarted,
            &PhaseEvent::WindowEnded,
            &PhaseEvent::Drained
        ]
    );
    let told = run.events.len() - milestones.len();
    assert!((20..=24).contains(&told), "{told} words of progress in 12 s");
    assert_eq!(run.recording.slices.len(), 13);
    assert_eq!(run.recording.slices[5].answered, 500);
}

#[test]
fn a_server_that_stalls_for_a_second_shows_in_an_open_load_and_hides_in_a_closed_one() {
    let stall = |uri: &hyper::Uri, now: Duration| {
        let until = Duration::from_secs(6);
        let is_stalled = now >= Duration::from_secs(5) && now < until;
        let mut reply = reply(uri, 1);
        reply.after += if is_stalled { until - now } else { Duration::ZERO };
        reply
    };
    let open = on_paused_clock(async {
        drive(open(500.0, Arrival::Constant, 1000), scripted(stall), None).await
    });
    // A tenth of the requests waited between 0 and 1 s.
    let window = &open.recording.window;
    assert_eq!(window.answered, 5000);
    near(window.quantile_response_us(0.95), 500_000.0, 20_000.0);
    near(window.quantile_response_us(0.99), 900_000.0, 20_000.0);
    near(window.max_response_us(), 1_000_000.0, 5000.0);
    let closed = on_paused_clock(async { drive(closed(10, 0), scripted(stall), None).await });
    assert!(closed.recording.window.answered > 10_000);
    near(closed.recording.window.quantile_response_us(0.99), 1000.0, 1010.0);
}

#[test]
fn a_generator_that_stalls_confesses_it_as_response_time_and_lag_but_not_as_service_time() {
    let run = on_paused_clock(async {
        tokio::task::spawn_local(async {
            tokio::time::sleep(Duration::from_secs(5)).await;
            tokio::time::advance(Duration::from_secs(1)).await;
        });
        drive(open(500.0, Arrival::Constant, 1000), scripted(|uri, _| reply(uri, 1)), None).await
    });
    let window = &run.recording.window;
    assert_eq!(window.answered, 5000);
    near(window.quantile_response_us(0.99), 900_000.0, 20_000.0);
    assert!(window.lag_p99_us() > 880_000.0);
    near(window.quantile_service_us(0.99), 1000.0, 1010.0);
}

#[test]
fn arrivals_beyond_the_bound_are_dropped_and_counted() {
    let run = on_paused_clock(async {
        drive(open(100.0, Arrival::Constant, 10), scripted(|uri, _| reply(uri, 500)), None).await
    });
    let window = &run.recording.window;
    // Ten places, each busy for half a second: 20 answers a second.
    assert_eq!(window.due, 1000);
    assert!((195..=210).contains(&window.answered), "{}", window.answered);
    assert_eq!(window.dropped, window.due - window.answered);
    assert!(!run.recording.warmup_reached);
}

#[test]
fn users_think_and_their_wait_for_each_other_is_none() {
    let run = on_paused_clock(async {
        drive(closed(5, 99 * MS), scripted(|uri, _| reply(uri, 1)), None).await
    });
    // Each sends ten times a second; tokio's timer adds up to a millisecond to both pauses.
    let answered = run.recording.window.answered;
    assert!((480..=505).contains(&answered), "{answered}");
    near(run.recording.window.quantile_response_us(0.5), 1000.0, 1010.0);
}

#[test]
fn the_windows_of_two_variants_send_the_same_requests_after_any_warm_up() {
    let requests = |warm_ms: u64| {
        on_paused_clock(async {
            let seen = Rc::new(RefCell::new(Vec::new()));
            let all = Rc::clone(&seen);
            let mut plan = open(200.0, Arrival::Poisson, 100);
            plan.warmup = WarmupPlan { min_ns: 0, max_ns: warm_ms * MS, until: Until::Steady };
            plan.duration_ns = S;
            let from = Duration::from_millis(warm_ms);
            let door = scripted(move |uri, now| {
                // At the very edge tokio's clock, which rounds to milliseconds, may still send a request of the warm-up.
                if now > from {
                    all.borrow_mut().push((uri.to_string(), now - from));
                }
                reply(uri, 0)
            });
            assert!(drive(plan, door, None).await.recording.window.answered > 100);
            seen.take()
        })
    };
    let (short, long) = (requests(500), requests(700));
    assert!(short == long, "{:?} {:?}", short.first(), long.first());
}

#[test]
fn a_fill_ends_at_its_hit_ratio_and_one_that_never_gets_there_is_a_failure() {
    let fill = |wanted| {
        on_paused_clock(async move {
            let mut plan = open(100.0, Arrival::Constant, 10);
            let until = Until::CacheHitRatioAtLeast(wanted);
            plan.fill = Some(FillPlan { users: 4, max_ns: 20 * S, until });
            let asked = Cell::new(0u64);
            let door = scripted(move |uri, _| {
                asked.set(asked.get() + 1);
                let cache = if asked.get() > 5000 && asked.get() % 10 > 0 { "hit" } else { "miss" };
                Reply { cache, ..reply(uri, 1) }
            });
            drive(plan, door, None).await
        })
    };
    let full = fill(0.85).recording;
    assert!(full.fill_reached && full.failure.is_none());
    assert!(full.fill_ns.is_some_and(|ns| (2 * S..8 * S).contains(&ns)), "{:?}", full.fill_ns);
    assert_eq!(full.window.answered, 1000);
    assert_eq!(full.sent_total, full.answered_total);
    let never = fill(0.95).recording;
    assert!(!never.fill_reached);
    let why = never.failure.expect("a failure");
    assert_eq!(why, "the fill did not reach a cache hit ratio of 0.95 in its time: it was 0.900");
    assert_eq!(never.window.due, 0);
}

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
            tokio::time::sleep(Duration::from_secs(3600)).await;
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
            let status = if now > Duration::from_secs(4) { 502 } else { 200 };
            Reply { status, ..reply(uri, 1) }
        };
        drive(closed(10, 0), scripted(storm), None).await
    });
    let why = run.recording.failure.clone().expect("a failure");
    assert!(
        why.starts_with("most requests fail: status-502 x ") || why.contains("no right answer")
    );
    assert!(why.contains("status-502"), "{why}");
    assert!(run.seconds < 11.0, "{}", run.seconds);
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
