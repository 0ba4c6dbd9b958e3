//! The door of this room: a load runs on a thread of its own, so that nothing else of the runner can disturb it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use anyhow::Context as _;
use rustix::thread::{CpuSet, sched_setaffinity};
use tokio::runtime::{Builder, LocalOptions, LocalRuntime};
use tokio::sync::{mpsc, oneshot, watch};

use super::check::{Judge, Wrong};
use super::clock::{Clock, Waits};
use super::engine::{Bounds, Engine};
use super::mould::Extras;
use super::phases::{Caller, Conductor, PhaseEvent};
use super::recording::Recording;
use super::samples;
use super::shots::Shots;
use super::wire::{Door, Wire};
use crate::plan::{LoadPlan, ModelPlan};
use crate::rows::TableSpec;

/// A load to be driven.
#[derive(Debug, Clone)]
pub struct Job {
    /// The server.
    pub address: SocketAddr,
    /// What is driven, and how.
    pub plan: LoadPlan,
    /// Tables that keys are drawn from.
    pub tables: Vec<TableSpec>,
    /// Seed of the rows.
    pub data_seed: u64,
    /// Seed of the order of keys.
    pub params_seed: u64,
    /// Seed of the arrival times.
    pub arrivals_seed: u64,
    /// Whether requests are the plan's.
    pub requests: Requests,
    /// A file for the raw samples of the window, if they are to be kept.
    pub samples: Option<PathBuf>,
    /// Processors that the generator keeps to; none named: it goes where the kernel puts it.
    pub processors: Vec<usize>,
}

/// What is sent, and what a right answer to it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Requests {
    /// The plan's targets, with drawn keys; each answer is checked as the plan says.
    Planned,
    /// The method of the plan's only target to a URI as it stands; an answer of status 200 to 399 is right, whatever
    /// its body.
    Same {
        /// Path and query.
        uri: String,
        /// The `Host` header.
        host: String,
        /// What else each request says.
        extras: Extras,
    },
}

/// What came of a look at the answers before a load.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// Requests sent.
    pub sent: u64,
    /// What was wrong, for people: one text for each request that failed.
    pub mismatches: Vec<String>,
    /// Why requests were not answered at all, or with an error of the server.
    pub faults: Vec<String>,
}

/// Drives a load and gives its recording. Dropped before its end, or told so by `cancel`, the load stops.
///
/// # Errors
///
/// If the load cannot be prepared (keys that do not exist), the generator itself fails, or a request is lost. A server
/// that fails is no error here: see [`Recording::failure`].
pub async fn run(
    job: Job,
    phases: mpsc::UnboundedSender<PhaseEvent>,
    cancel: watch::Receiver<bool>,
) -> anyhow::Result<Recording> {
    let (answer, recording) = oneshot::channel::<anyhow::Result<Recording>>();
    on_a_thread(&job.processors.clone(), move |runtime| {
        // `answer` is asked whether anybody still waits, and used at the end.
        let answer = Rc::new(answer);
        let waiting = Rc::clone(&answer);
        let is_gone = Box::new(move || waiting.is_closed());
        let caller = Caller { events: phases, cancel, is_gone };
        let load = async move {
            let engine = engine(&job, Door::Tcp(job.address), Clock::start(Waits::Kernel))?;
            conduct(engine, caller, job.samples.as_deref()).await
        };
        let recording = runtime.and_then(|runtime| runtime.block_on(load));
        if let Some(answer) = Rc::into_inner(answer) {
            drop(answer.send(recording));
        }
    })?;
    recording.await.context("the load generator's thread ended without a recording")?
}

/// From the first connection to the last answer, and to the last sample on disk.
pub(super) async fn conduct(
    engine: Engine,
    caller: Caller,
    samples: Option<&Path>,
) -> anyhow::Result<Recording> {
    let mut writer = None;
    if let Some(path) = samples {
        let (keeper, written) = samples::keep(path)?;
        engine.ledger.borrow_mut().keep_samples(keeper);
        writer = Some(written);
    }
    let mut recording = Conductor::new(Rc::new(engine), caller)?.run().await?;
    // A disk that refuses them takes nothing from what was measured.
    match writer.map(samples::Writer::finish).transpose() {
        Ok(kept) => recording.samples = kept,
        Err(e) => {
            recording.failure.get_or_insert(format!("raw samples are lost: {e:#}"));
        }
    }
    Ok(recording)
}

/// Sends `count` requests to each target, one by one, and says which answers are wrong: answers come right before they
/// come fast. The requests are not those of a later [`run`] of the same job.
///
/// # Errors
///
/// If the load cannot be prepared, or the generator itself fails.
pub async fn check_once(job: Job, count: u64) -> anyhow::Result<Checked> {
    let (answer, checked) = oneshot::channel::<anyhow::Result<Checked>>();
    on_a_thread(&job.processors.clone(), move |runtime| {
        let door = Door::Tcp(job.address);
        let check = async {
            let engine = engine(&job, door, Clock::start(Waits::Kernel))?;
            let mut wire = Wire::default();
            let mut checked = Checked { sent: 0, mismatches: Vec::new(), faults: Vec::new() };
            for target in 0..job.plan.targets.len() {
                for _ in 0..count {
                    if answer.is_closed() {
                        break;
                    }
                    checked.sent += 1;
                    match engine.shoot_once(&mut wire, target).await {
                        Some((Wrong::Answer, text)) => checked.mismatches.push(text),
                        Some((Wrong::Exchange, text)) => checked.faults.push(text),
                        None => {}
                    }
                }
            }
            Ok(checked)
        };
        let checked = runtime.and_then(|runtime| runtime.block_on(check));
        drop(answer.send(checked));
    })?;
    checked.await.context("the load generator's thread ended without an answer")?
}

/// Runs `work` on a new thread with a runtime of that thread alone.
pub(super) fn on_a_thread(
    processors: &[usize],
    work: impl FnOnce(anyhow::Result<LocalRuntime>) + Send + 'static,
) -> anyhow::Result<()> {
    let thread = std::thread::Builder::new().name("querylab-load".into());
    let processors = set_of(processors);
    let begin = move || {
        let runtime =
            Builder::new_current_thread().enable_all().build_local(LocalOptions::default());
        let runtime = runtime.context("cannot start the load generator's runtime");
        work(kept_to(processors.as_ref()).and(runtime));
    };
    thread.spawn(begin).context("cannot start the load generator's thread")?;
    Ok(())
}

fn set_of(processors: &[usize]) -> Option<CpuSet> {
    let mut set = CpuSet::new();
    for number in processors {
        set.set(*number);
    }
    (!processors.is_empty()).then_some(set)
}

/// This thread runs on no other processors.
fn kept_to(processors: Option<&CpuSet>) -> anyhow::Result<()> {
    let Some(set) = processors else { return Ok(()) };
    sched_setaffinity(None, set).context("cannot keep the load generator to its processors")
}

/// The engine of a job.
pub(super) fn engine(job: &Job, door: Door, clock: Clock) -> anyhow::Result<Engine> {
    let nothing = Extras::default();
    let (shots, host, extras) = match &job.requests {
        Requests::Planned => {
            let shots = Shots::new(&job.plan, &job.tables, job.data_seed, job.params_seed)?;
            (shots, job.address.to_string(), &nothing)
        }
        Requests::Same { uri, host, extras } => (Shots::one(uri.clone()), host.clone(), extras),
    };
    let judge = match &job.requests {
        Requests::Planned => Judge::Plan,
        Requests::Same { .. } => Judge::Status,
    };
    let busy = job.plan.most_under_way();
    let bounds = match job.plan.model {
        ModelPlan::Closed { .. } => Bounds { busy, waiting: 0 },
        ModelPlan::Open { max_in_flight, .. } => {
            let waiting = usize::try_from(max_in_flight.saturating_sub(busy)).unwrap_or(usize::MAX);
            Bounds { busy, waiting }
        }
    };
    let sent = (shots, (host.as_str(), extras), judge);
    Ok(Engine::new(job.plan.clone(), sent, job.arrivals_seed, door, clock, bounds))
}
