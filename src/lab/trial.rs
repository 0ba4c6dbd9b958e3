//! One trial: fresh servers, proof, right answers, warm-up, window, witnesses, sums.

use anyhow::Context as _;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::breakdown::{self, Edge, Watch};
use super::done::{Again, Done};
use super::event::{Event, Interrupt, Stop, stop_of};
use super::proof;
use super::witness::{self, Sums};
use crate::load::{self, Job, PhaseEvent, Recording, Requests};
use crate::plan::{CellPlan, Plan, TrialPlan};
use crate::probe::{self, Memory};
use crate::results::FailureKind;
use crate::stack::{Role, Session, Stack, StackError};

/// Requests before the load.
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
}

/// Runs one trial from fresh servers to their end. Never fails itself: what went wrong is in `Done`.
pub(super) async fn run(bench: &mut Bench<'_>, trial: &TrialPlan) -> Done {
    let plan = bench.plan;
    let cell = &plan.cells[trial.cell];
    let mut done = Done::new();
    let mut notices = Vec::new();
    let mut notice = |text: String| notices.push(text);
    let mut interrupt = bench.interrupt.clone();
    // What has been started so far is stopped with the session.
    let started = tokio::select! {
        started = bench.session.start_stack(&cell.stack, &cell.api, &cell.database, &mut notice) => {
            started
        }
        Ok(wish) = interrupt.wait_for(|wish| *wish != Interrupt::None) => {
            if let Interrupt::Stop(signal) = *wish {
                done.stop = Some(Stop::Interrupted(signal));
            }
            return done;
        }
    };
    for text in notices {
        (bench.events)(Event::Notice { text });
    }
    let mut stack = match started {
        Ok(stack) => stack,
        Err(e) => {
            done.fail(FailureKind::Provisioning, e.to_string());
            done.stop = Some(stop_of(&e));
            return done;
        }
    };
    done.settings = stack.settings();
    let attended = attend(bench, trial, cell, &mut stack, &mut done).await;
    if let Err(e) = attended {
        let text = format!("{e:#}");
        done.fail(FailureKind::Measurement, text);
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
    let job = job(bench.plan, trial, cell, stack);
    let sample = load::Shots::new(&job.plan, &job.tables, job.data_seed, job.params_seed)?.get(0);
    let plans = proof::explain_all(cell, &app, &sample.params).await?;
    if let Some(wrong) = proof::wrong_plan(cell, &plans, "before") {
        done.plans = Some(plans);
        done.fail(FailureKind::Correctness, wrong);
        done.again = Again::Useless;
        return Ok(());
    }
    let shape = plans.hash();
    done.plans = Some(plans);
    let before = session.database_stats().await?;
    let asked_before = stack.nginx_requests().await.context("Nginx' own counts")?;

    (bench.events)(Event::TrialPhase { phase: "check" });
    let Some(checked) = check(bench, job.clone(), stack, done).await? else { return Ok(()) };
    let driven = drive(bench, job.clone(), stack).await?;
    let recording = match (driven.stop, driven.recording) {
        (Some(stop), recording) => {
            done.fail(FailureKind::Measurement, stop.to_string());
            done.stop = Some(stop);
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
    witness::judge_client(cell, &recording, &window, done);
    let interrupt = bench.interrupt.clone();
    let paths = breakdown::time_paths(job, stack, &recording, interrupt, done).await?;
    if done.stop.is_some() {
        done.window = Some(window);
        done.recording = Some(recording);
        return Ok(());
    }
    let sent = checked.sent + recording.sent_total;
    let sums = Sums::ask(stack, (sent, paths), asked_before).await?;
    stack.stop_api().await.map_err(|e| anyhow::anyhow!("{e}"))?;
    session.wait_for_no_clients(&app.user).await?;
    let counted = session.database_stats().await?.since(&before);
    session.close().await?;
    let witness = sums.witness(bench.plan, cell, &recording, &counted, driven.snapshots.as_ref());
    witness::judge_sums(cell, sums.failed(&recording), &window, &witness, done);
    done.window = Some(window);
    done.witness = Some(witness);
    done.recording = Some(recording);
    // Last, because planning may itself look into an index and be counted.
    let after = proof::explain_all(cell, &app, &sample.params).await?;
    if let Some(wrong) = proof::wrong_plan(cell, &after, "after") {
        done.fail(FailureKind::Correctness, wrong);
    } else if after.hash() != shape {
        done.notes
            .push("the plan's shape changed between the start and the end of the trial".into());
    }
    Ok(())
}

/// Requests one by one before any load: answers come right before they come fast. None where the trial ends here.
async fn check(
    bench: &Bench<'_>,
    job: Job,
    stack: &Stack,
    done: &mut Done,
) -> anyhow::Result<Option<load::Checked>> {
    let mut interrupt = bench.interrupt.clone();
    let checked = tokio::select! {
        checked = load::check_once(job, CHECKS) => checked?,
        text = stack.died() => {
            done.fail(FailureKind::Measurement, text.clone());
            done.stop = Some(Stop::Measurement(text));
            return Ok(None);
        }
        Ok(wish) = interrupt.wait_for(|wish| *wish != Interrupt::None) => {
            if let Interrupt::Stop(signal) = *wish {
                done.stop = Some(Stop::Interrupted(signal));
            }
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
    }
}

/// What driving a load gave.
struct Driven {
    recording: anyhow::Result<Recording>,
    /// At the window's start and end.
    snapshots: Option<(Edge, Edge)>,
    stop: Option<Stop>,
}

/// Drives the load, watches the servers and the keyboard, and takes snapshots at the window's edges.
async fn drive(bench: &mut Bench<'_>, job: Job, stack: &mut Stack) -> anyhow::Result<Driven> {
    let (phases, mut heard) = mpsc::unbounded_channel();
    let (cancel, cancelled) = watch::channel(false);
    let watch = Watch::of(stack);
    let mut load = std::pin::pin!(load::run(job, phases, cancelled));
    let mut interrupt = bench.interrupt.clone();
    let mut start = None;
    let mut end = None;
    let mut stop = None;
    let recording = loop {
        tokio::select! {
            // What was said comes before the end: the window's edges must not be missed.
            biased;
            Some(phase) = heard.recv() => {
                match phase {
                    PhaseEvent::WindowStarted => start = Some(watch.edge(Memory::Skip).await?),
                    PhaseEvent::WindowEnded => end = Some(watch.edge(Memory::Measure).await?),
                    _ => {}
                }
                (bench.events)(said(&phase));
            }
            recording = &mut load => break recording,
            text = stack.died(), if stop.is_none() => {
                stop = Some(Stop::Measurement(text));
                cancel.send_replace(true);
            }
            Ok(wish) = interrupt.wait_for(|wish| *wish != Interrupt::None), if stop.is_none() => {
                if let Interrupt::Stop(signal) = *wish {
                    stop = Some(Stop::Interrupted(signal));
                }
                cancel.send_replace(true);
            }
        }
    };
    Ok(Driven { recording, snapshots: start.zip(end), stop })
}

fn said(phase: &PhaseEvent) -> Event {
    let phase = match phase {
        PhaseEvent::FillStarted => "fill",
        PhaseEvent::WarmupStarted => "warm-up",
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
