//! The generator alone: one stack is up, and Nginx answers by itself, so that what is slow is the instrument.

use std::net::SocketAddr;

use anyhow::Context as _;
use tokio::sync::{mpsc, watch};

use super::embedded::Embedded;
use super::figures::{Ceiling, Lag};
use super::run::measurement;
use crate::lab::watched::interrupted;
use crate::lab::{Event, Interrupt, Served, Serving, Stop, serve};
use crate::load::{self, Extras, Job, Recording, Requests, WindowRecording};
use crate::plan::{LoadPlan, ModelPlan, Plan};
use crate::stack::{STATIC_PATH, SessionOptions};

/// The generator's figures.
pub(super) struct Instrument {
    pub(super) schedule: Vec<Lag>,
    pub(super) ceiling: Ceiling,
}

/// Boots the stack, drives each load at the static answer, and stops the stack.
pub(super) async fn look(
    embedded: &Embedded,
    options: SessionOptions,
    interrupt: watch::Receiver<Interrupt>,
    events: &mut (dyn FnMut(Event) + Send),
) -> Result<Instrument, Stop> {
    let (told, mut heard) = mpsc::unbounded_channel();
    let mut work = Box::pin(up(embedded, options, interrupt, told));
    loop {
        tokio::select! {
            // What was said comes before the end.
            biased;
            Some(event) = heard.recv() => events(event),
            looked = &mut work => return looked,
        }
    }
}

async fn up(
    embedded: &Embedded,
    options: SessionOptions,
    interrupt: watch::Receiver<Interrupt>,
    events: mpsc::UnboundedSender<Event>,
) -> Result<Instrument, Stop> {
    let (spec, plan) = &embedded.instrument;
    let (stop, stopped) = watch::channel(Interrupt::None);
    let (ready, mut is_ready) = mpsc::channel::<Served>(1);
    // Who no longer listens does not stop the work.
    let mut say = |event| drop(events.send(event));
    let mut ready = |served| drop(ready.try_send(served));
    let variant = plan.design.baseline.as_str();
    // Its few rows are made faster than they are found.
    let options = Serving { session: options, cache: None };
    let mut serving =
        Box::pin(serve(spec, plan, variant, options, stopped, (&mut say, &mut ready)));
    let looked = tokio::select! {
        ended = &mut serving => {
            let early = Stop::Measurement("the servers ended before they were asked to".into());
            return Err(ended.err().unwrap_or(early));
        }
        looked = async {
            let served = is_ready.recv().await.context("the servers never came up")?;
            let address = served.url.trim_start_matches("http://").parse::<SocketAddr>();
            drive_all(plan, address.context("the servers' address")?, &events).await
        } => looked.map_err(|e| measurement(&e)),
        signal = interrupted(interrupt) => Err(Stop::Interrupted(signal)),
    };
    stop.send_replace(Interrupt::Stop(TERM));
    let closed = serving.await;
    let looked = looked?;
    closed.map(|()| looked)
}

/// SIGTERM: what ends the servers from here.
const TERM: i32 = 15;

async fn drive_all(
    plan: &Plan,
    address: SocketAddr,
    events: &mpsc::UnboundedSender<Event>,
) -> anyhow::Result<Instrument> {
    let mut schedule = Vec::new();
    let mut ceiling = None;
    for cell in plan.cells.iter().filter(|cell| cell.variant == plan.design.baseline) {
        let text = format!("the generator alone at Nginx' static answer: load `{}`", cell.load);
        drop(events.send(Event::Notice { text }));
        let recording = drive(plan, &cell.drive, address);
        let recording = recording.await.with_context(|| format!("load `{}`", cell.load))?;
        let window = &recording.window;
        match cell.drive.model {
            ModelPlan::Open { rate_per_s, .. } => schedule.push(lag(rate_per_s, window)),
            ModelPlan::Closed { users, .. } => ceiling = Some(ceiling_of(users, window)),
        }
    }
    Ok(Instrument { schedule, ceiling: ceiling.context("no closed load was driven")? })
}

fn lag(offered_rps: f64, window: &WindowRecording) -> Lag {
    let lag = |q: f64| window.lag.value_at_quantile(q) as f64 / 1e3;
    Lag {
        offered_rps,
        rate_rps: window.rate_rps(),
        sent: window.sent,
        dropped: window.dropped,
        lag_p50_us: lag(0.5),
        lag_p99_us: lag(0.99),
        lag_max_us: window.lag.max() as f64 / 1e3,
    }
}

fn ceiling_of(users: u32, window: &WindowRecording) -> Ceiling {
    Ceiling {
        users,
        rate_rps: window.rate_rps(),
        cpu_per_request_us: window.generator_cpu_ns as f64 / 1e3 / window.sent.max(1) as f64,
        generator_cpu_share: window.generator_cpu_share(),
    }
}

/// One load, to its end.
async fn drive(plan: &Plan, load: &LoadPlan, address: SocketAddr) -> anyhow::Result<Recording> {
    let job = Job {
        address,
        plan: load.clone(),
        tables: Vec::new(),
        data_seed: 0,
        params_seed: 0,
        arrivals_seed: plan.seed,
        requests: Requests::Same {
            uri: STATIC_PATH.into(),
            host: address.to_string(),
            extras: Extras::default(),
        },
        samples: None,
        processors: Vec::new(),
    };
    let (phases, _) = mpsc::unbounded_channel();
    let (_cancel, cancelled) = watch::channel(false);
    let recording = load::run(job, phases, cancelled).await?;
    if let Some(failure) = &recording.failure {
        anyhow::bail!("{failure}");
    }
    let window = &recording.window;
    if let Some((kind, n)) = window.failures.first_key_value() {
        anyhow::bail!("{n} of {} requests failed: {kind}", window.sent);
    }
    Ok(recording)
}
