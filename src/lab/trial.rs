//! One trial: fresh servers, proof, right answers, warm-up, window, witnesses, sums.

use std::collections::BTreeSet;
use std::path::PathBuf;

use anyhow::Context as _;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::breakdown::{self, Edge, Watch};
use super::done::{Again, Done};
use super::event::{Event, Interrupt, Stop, stop_of};
use super::proof::{self, Plans};
use super::ready::{self, Reached, Ready};
use super::watched::{interrupted, unheard, watched};
use super::witness::{self, Sums};
use super::{around, counts, validity};
use crate::load::{self, Job, PhaseEvent, Recording, Requests};
use crate::plan::{CellPlan, Plan, TrialPlan};
use crate::probe::{self, Memory};
use crate::results::FailureKind;
use crate::stack::{Place, Role, Session, Stack, StackError};

/// Requests whose statements are explained, of each endpoint.
const KEYS: u64 = 20;
/// Requests to each endpoint before the load.
const CHECKS: u64 = 3;

/// Everything that a trial needs from its run.
pub(super) struct Bench<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// The servers' session.
    pub session: &'a Session,
    /// Who listens.
    pub events: &'a mut (dyn FnMut(Event) + Send),
    /// What the person at the keyboard wants.
    pub interrupt: watch::Receiver<Interrupt>,
    /// What the run remembers between its trials.
    pub ready: &'a mut Ready,
    /// Median response time of the baseline under the same load in earlier blocks, if known.
    pub baseline_p50_us: Option<f64>,
    /// Where raw samples are written, if they are kept.
    pub samples: Option<PathBuf>,
}

/// Runs one trial from fresh servers to their end. Never fails itself: what went wrong is in `Done`.
pub(super) async fn run(bench: &mut Bench<'_>, trial: &TrialPlan) -> Done {
    let plan = bench.plan;
    let cell = &plan.cells[trial.cell];
    let mut done = Done::new();
    let mut notices = Vec::new();
    let interrupt = bench.interrupt.clone();
    // What has been started so far is stopped with the session.
    let started = tokio::select! {
        started = start(bench, (trial, cell), &mut notices, &mut done) => started,
        signal = interrupted(interrupt) => {
            done.stop_for(Stop::Interrupted(signal));
            return done;
        }
    };
    for text in notices {
        (bench.events)(Event::Notice { text });
    }
    let mut stack = match started {
        Ok(Ok(stack)) => stack,
        Ok(Err(e)) => {
            done.fail(FailureKind::Provisioning, e.to_string());
            done.stop = Some(stop_of(&e));
            return done;
        }
        Err(e) => {
            done.fail(FailureKind::Measurement, format!("{e:#}"));
            return done;
        }
    };
    done.settings = stack.settings();
    let unheard = unheard(bench.interrupt.clone());
    let attended = tokio::select! {
        attended = attend(bench, trial, cell, &mut stack, &mut done) => Ok(attended),
        signal = unheard => Err(signal),
    };
    match attended {
        Ok(Ok(())) => {}
        Ok(Err(e)) => {
            let text = format!("{e:#}");
            done.fail(FailureKind::Measurement, text);
        }
        Err(signal) => done.stop_for(Stop::Interrupted(signal)),
    }
    if let Err(e) = stack.stop().await {
        done.fail(FailureKind::Measurement, e.to_string());
        // A lost guard is why the servers died, whatever was noticed first.
        if done.stop.is_none() || matches!(e, StackError::GuardLost(_)) {
            done.stop = Some(stop_of(&e));
        }
    }
    done
}

/// An idle machine, files in the declared state, and then the servers.
async fn start(
    bench: &mut Bench<'_>,
    (trial, cell): (&TrialPlan, &CellPlan),
    notices: &mut Vec<String>,
    done: &mut Done,
) -> anyhow::Result<Result<Stack, StackError>> {
    let mut notice = |text: String| notices.push(text);
    done.notes.extend(bench.ready.machine(&mut *bench.events).await?);
    bench.ready.files(bench.plan, (trial, cell), bench.session, &mut notice).await?;
    let place = Place {
        padding_bytes: ready::padding(bench.plan, trial),
        processors: probe::processors(cell.drive.processors)?,
    };
    let (stack, api) = (&cell.stack, &cell.api);
    Ok(bench.session.start_stack_at(&place, stack, api, &cell.database, &mut notice).await)
}

/// The trial between the servers' start and their end.
async fn attend(
    bench: &mut Bench<'_>,
    trial: &TrialPlan,
    cell: &CellPlan,
    stack: &mut Stack,
    done: &mut Done,
) -> anyhow::Result<()> {
    let app = stack.postgres_address(Role::App, &cell.database);
    let mut session = probe::connect(&stack.postgres_address(Role::Admin, &cell.database)).await?;
    if let Some(wrong) = proof::wrong_indexes(bench.plan, cell, &session.index_names().await?) {
        done.fail(FailureKind::Correctness, wrong);
        done.again = Again::Useless;
        return Ok(());
    }
    // Somebody else's is taken as it is.
    if stack.postgres().is_some() {
        done.notes.extend(bench.ready.database(trial.block, &cell.database, &mut session).await?);
    }
    let processors = probe::processors(cell.drive.processors)?;
    let samples = bench.samples.clone();
    let job = Job { samples, processors, ..job(bench.plan, trial, cell, stack) };
    let samples = sampled(&job)?;
    let plans = proof::explain_all(cell, &app, &samples).await?;
    if let Some(wrong) = proof::wrong_plan(cell, &plans, "before") {
        done.plans = Some(plans);
        done.fail(FailureKind::Correctness, wrong);
        done.again = Again::Useless;
        return Ok(());
    }
    done.notes.extend(plans.notes());
    let shapes = plans.shapes();
    done.plans = Some(plans);
    let before = counts::before(stack, cell, &mut session).await?;
    let asked_before = stack.nginx_requests().await.context("Nginx' own counts")?;

    let Some(page_cache_share) = in_memory(bench, cell, done).await? else { return Ok(()) };

    (bench.events)(Event::TrialPhase { phase: "check" });
    let Some(checked) = check(bench, job.clone(), stack, done).await? else { return Ok(()) };
    let driven = drive(bench, job.clone(), stack, &mut session).await?;
    let recording = match (driven.stop, driven.recording) {
        (Some(stop), recording) => {
            done.stop_for(stop);
            done.recording = recording.ok();
            return Ok(());
        }
        (None, Ok(recording)) => recording,
        (None, Err(e)) => {
            done.fail(FailureKind::Measurement, format!("{e:#}"));
            return Ok(());
        }
    };
    // What the client saw is kept and judged first: whatever the witnesses do, it was measured.
    let window = witness::window(&recording);
    let seen = around::observed(
        (bench.plan, cell),
        &recording.window,
        driven.around.as_ref(),
        servers_cpu_ns(driven.snapshots.as_ref()),
        bench.baseline_p50_us,
    );
    done.faults = validity::faults(&seen);
    witness::judge_client(cell, &recording, &window, done);
    let asked = async {
        let interrupt = bench.interrupt.clone();
        let paths = breakdown::time_paths(job, stack, &recording, interrupt, done).await?;
        if done.stop.is_some() {
            return Ok(());
        }
        let sent = checked.sent + recording.sent_total;
        let sums = Sums::ask(stack, (sent, paths), asked_before).await?;
        let counted = counts::since(before, stack, cell, session).await?;
        let counted = counted.as_ref();
        let mut witness =
            sums.witness(bench.plan, cell, &recording, counted, driven.snapshots.as_ref());
        let around = driven.around.as_ref().filter(|_| counted.is_some());
        witness.foreign_cpu_share = around.map(|_| seen.foreign_share);
        witness.page_cache_share = page_cache_share;
        let failed = sums.failed(&recording);
        witness::judge_sums(cell, failed, &window, (&witness, sums.beside()), done);
        done.witness = Some(witness);
        // Last, because planning may itself look into an index and be counted.
        let after = proof::explain_all(cell, &app, &samples).await?;
        judge_plans_after(cell, &after, &shapes, done);
        Ok(())
    }
    .await;
    done.window = Some(window);
    done.recording = Some(recording);
    asked
}

/// Requests to each target, whose statements are explained.
fn sampled(job: &Job) -> anyhow::Result<Vec<load::Shot>> {
    let shots = load::Shots::new(&job.plan, &job.tables, job.data_seed, job.params_seed)?;
    Ok((0..job.plan.targets.len()).flat_map(|target| shots.samples(target, KEYS)).collect())
}

/// Whether the plans are still the right ones, and still those of before.
fn judge_plans_after(
    cell: &CellPlan,
    after: &Plans,
    shapes: &BTreeSet<(String, String)>,
    done: &mut Done,
) {
    if let Some(wrong) = proof::wrong_plan(cell, after, "after") {
        done.fail(FailureKind::Correctness, wrong);
    } else if after.shapes() != *shapes {
        done.notes.push("the plans changed between the start and the end of the trial".into());
    }
}

/// How much of the database is in the page cache, where the design says how much should be. None where the trial ends
/// here, because the state was not reached.
async fn in_memory(
    bench: &Bench<'_>,
    cell: &CellPlan,
    done: &mut Done,
) -> anyhow::Result<Option<Option<f64>>> {
    let state = bench.plan.design.cache_state;
    bench.ready.warm(state, bench.session, &cell.database).await?;
    let (share, reached) = bench.ready.reached(state, bench.session, &cell.database).await?;
    match reached {
        Reached::Yes => {}
        Reached::Hardly(note) => done.notes.push(note),
        Reached::No(why) => {
            done.fail(FailureKind::Measurement, why);
            return Ok(None);
        }
    }
    Ok(Some(share))
}

/// Requests one by one before any load: answers come right before they come fast. None where the trial ends here.
async fn check(
    bench: &Bench<'_>,
    job: Job,
    stack: &Stack,
    done: &mut Done,
) -> anyhow::Result<Option<load::Checked>> {
    let checked = match watched(load::check_once(job, CHECKS), stack, bench.interrupt.clone()).await
    {
        Ok(checked) => checked?,
        Err(stop) => {
            done.stop_for(stop);
            return Ok(None);
        }
    };
    if let Some(wrong) = checked.mismatches.first() {
        done.fail(FailureKind::Correctness, format!("a wrong answer before any load: {wrong}"));
        done.again = Again::Useless;
        return Ok(None);
    }
    if let Some(fault) = checked.faults.first() {
        done.fail(FailureKind::Measurement, format!("no answer before any load: {fault}"));
        return Ok(None);
    }
    Ok(Some(checked))
}

fn job(plan: &Plan, trial: &TrialPlan, cell: &CellPlan, stack: &Stack) -> Job {
    Job {
        address: stack.address,
        plan: cell.drive.clone(),
        tables: plan.dataset.tables.clone(),
        data_seed: plan.dataset.data_seed,
        params_seed: trial.params_seed,
        arrivals_seed: trial.arrivals_seed,
        requests: Requests::Planned,
        samples: None,
        processors: Vec::new(),
    }
}

/// What driving a load gave.
struct Driven {
    recording: anyhow::Result<Recording>,
    /// At the window's start and end.
    snapshots: Option<(Edge, Edge)>,
    /// What went on around, at the same edges.
    around: Option<(around::Edge, around::Edge)>,
    stop: Option<Stop>,
}

/// CPU of the servers between two snapshots.
fn servers_cpu_ns(snapshots: Option<&(Edge, Edge)>) -> u64 {
    snapshots.map_or(0, |(start, end)| end.cpu_us_since(start).saturating_mul(1000))
}

/// Drives the load, watches the servers and the keyboard, and takes snapshots at the window's edges.
async fn drive(
    bench: &mut Bench<'_>,
    job: Job,
    stack: &mut Stack,
    session: &mut probe::Session,
) -> anyhow::Result<Driven> {
    let (phases, mut heard) = mpsc::unbounded_channel();
    let (cancel, cancelled) = watch::channel(false);
    let (watch, pids) = (Watch::of(stack), stack.pids());
    let mut load = std::pin::pin!(load::run(job, phases, cancelled));
    let mut signalled = std::pin::pin!(interrupted(bench.interrupt.clone()));
    let (mut start, mut end) = (None, None);
    let (mut before, mut after) = (None, None);
    let mut stop = None;
    let recording = loop {
        tokio::select! {
            // What was said comes before the end: the window's edges must not be missed.
            biased;
            Some(phase) = heard.recv() => {
                match phase {
                    PhaseEvent::WindowStarted => {
                        start = Some(watch.edge(Memory::Skip).await?);
                        before = Some(around::Edge::see(session, &pids).await?);
                    }
                    PhaseEvent::WindowEnded => {
                        // First what is counted: the questions of the other edge take time in which servers work on.
                        end = Some(watch.edge(Memory::Measure).await?);
                        after = Some(around::Edge::see(session, &pids).await?);
                    }
                    _ => {}
                }
                (bench.events)(said(&phase));
            }
            recording = &mut load => break recording,
            text = stack.died(), if stop.is_none() => {
                stop = Some(Stop::Measurement(text));
                cancel.send_replace(true);
            }
            signal = &mut signalled, if stop.is_none() => {
                stop = Some(Stop::Interrupted(signal));
                cancel.send_replace(true);
            }
        }
    };
    Ok(Driven { recording, snapshots: start.zip(end), around: before.zip(after), stop })
}

fn said(phase: &PhaseEvent) -> Event {
    let phase = match phase {
        PhaseEvent::FillStarted => "fill",
        PhaseEvent::WarmupStarted => "warm-up",
        PhaseEvent::SearchStarted => "search",
        PhaseEvent::Stepped { rate_per_s, end, figure_us } => {
            let (rate_per_s, figure_us) = (*rate_per_s, *figure_us);
            return Event::SearchStep { rate_per_s, end: end.word(), figure_us };
        }
        PhaseEvent::WindowStarted => "window",
        PhaseEvent::WindowEnded => "drain",
        PhaseEvent::Drained => "proof",
        PhaseEvent::Progress { answered, rate_rps, .. } => {
            return Event::TrialProgress { answered: *answered, rate_rps: *rate_rps };
        }
    };
    Event::TrialPhase { phase }
}

/// How long something took, in milliseconds.
pub(super) fn millis(start: Instant) -> u64 {
    u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX)
}
