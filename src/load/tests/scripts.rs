//! Scripted servers, and runs against them on a paused clock.

use std::convert::Infallible;
use std::path::Path;
use std::rc::Rc;

use bytes::Bytes;
use http_body_util::Full;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt as _, DuplexStream};
use tokio::sync::{mpsc, watch};
use tokio::task::LocalSet;
use tokio::time::{Duration, Instant};

use crate::load::clock::{Clock, Waits};
use crate::load::fixtures::{example, users};
use crate::load::phases::Caller;
use crate::load::run::{Job, Requests, conduct, engine};
use crate::load::wire::Door;
use crate::load::{PhaseEvent, Recording};
use crate::plan::{LoadPlan, ModelPlan};
use crate::spec::Arrival;

/// What a scripted server does with one request.
pub(super) struct Reply {
    pub(super) after: Duration,
    pub(super) status: u16,
    pub(super) cache: &'static str,
    pub(super) body: String,
}

/// The right answer to a request of the example.
pub(super) fn right(uri: &hyper::Uri) -> String {
    let email = uri.query().unwrap_or_default().trim_start_matches("email=").replace("%40", "@");
    format!(r#"[{{"id":1,"email":"{email}","status":"active"}}]"#)
}

pub(super) fn reply(uri: &hyper::Uri, after_ms: u64) -> Reply {
    let after = Duration::from_millis(after_ms);
    Reply { after, status: 200, cache: "miss", body: right(uri) }
}

/// A door to an HTTP server that answers as `script` says, given the request and the time since the server's start.
pub(super) fn scripted(script: impl Fn(&hyper::Uri, Duration) -> Reply + 'static) -> Door {
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
pub(super) fn raw<F: Future<Output = ()> + 'static>(
    answer: impl Fn(DuplexStream) -> F + 'static,
) -> Door {
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

pub(super) fn door<F: Future<Output = ()> + 'static>(
    serve: impl Fn(DuplexStream) -> F + 'static,
) -> Door {
    Door::Memory(Rc::new(move || {
        let (ours, theirs) = tokio::io::duplex(64 * 1024);
        tokio::task::spawn_local(serve(theirs));
        Ok(ours)
    }))
}

pub(super) fn open(rate_per_s: f64, arrival: Arrival, max_in_flight: u32) -> LoadPlan {
    let model = ModelPlan::Open { rate_per_s, arrival, max_in_flight, connections: None };
    LoadPlan { model, ..example() }
}

/// The same open load on so many connections, for which arrivals wait.
pub(super) fn on_connections(mut plan: LoadPlan, most: u32) -> LoadPlan {
    if let ModelPlan::Open { connections, .. } = &mut plan.model {
        *connections = Some(most);
    }
    plan
}

pub(super) fn closed(users: u32, think_ns: u64) -> LoadPlan {
    LoadPlan { model: ModelPlan::Closed { users, think_ns }, ..example() }
}

pub(super) struct Run {
    pub(super) recording: Recording,
    pub(super) events: Vec<PhaseEvent>,
    pub(super) seconds: f64,
}

/// Drives a plan against a door on the paused clock; the run is stopped after `stop_after`, if said.
pub(super) async fn drive(plan: LoadPlan, door: Door, stop_after: Option<Duration>) -> Run {
    drive_and_keep(plan, door, stop_after, None).await
}

/// The same, with raw samples kept in a file.
pub(super) async fn drive_and_keep(
    plan: LoadPlan,
    door: Door,
    stop_after: Option<Duration>,
    samples: Option<&Path>,
) -> Run {
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
    let recording = conduct(engine, caller, samples).await.expect("a recording");
    let mut told = Vec::new();
    while let Ok(event) = heard.try_recv() {
        told.push(event);
    }
    Run { recording, events: told, seconds: clock.now() as f64 / 1e9 }
}

pub(super) fn job(plan: LoadPlan, address: std::net::SocketAddr) -> Job {
    let tables = vec![users(10_000)];
    let requests = Requests::Planned;
    Job {
        address,
        plan,
        tables,
        data_seed: 1,
        params_seed: 2,
        arrivals_seed: 3,
        requests,
        samples: None,
        processors: Vec::new(),
    }
}

pub(super) fn on_paused_clock<T>(test: impl Future<Output = T>) -> T {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_all().start_paused(true).build().expect("a runtime");
    LocalSet::new().block_on(&runtime, test)
}

pub(super) fn near(got: Option<f64>, wanted: f64, tolerance: f64) {
    let got = got.expect("a figure");
    assert!((got - wanted).abs() <= tolerance, "{got} is not {wanted} ± {tolerance}");
}
