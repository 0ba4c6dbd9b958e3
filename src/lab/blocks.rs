//! The blocks of a run: every trial once, what was disturbed once more, and no more blocks than were asked for.

use std::path::PathBuf;

use tokio::sync::watch;
use tokio::time::Instant;

use super::done::{Again, Done};
use super::event::{Event, Interrupt, Stop};
use super::ready::Ready;
use super::record::{self, Recorder};
use super::so_far::{SoFar, Turn};
use super::trial::{self, Bench, millis};
use super::versions::Sessions;
use super::{clock, validity};
use crate::plan::{Partition, Plan, TrialPlan};
use crate::results::{Failure, FailureKind, Gathered, Outcome, Run, TrialRecord};
use crate::spec::Samples;
use crate::stats::PILOT_BLOCKS;

/// Everything that the blocks need from their run.
pub(super) struct Course<'a> {
    /// The plan.
    pub(super) plan: &'a Plan,
    /// The servers' sessions.
    pub(super) sessions: &'a Sessions,
    /// What the person at the keyboard wants.
    pub(super) interrupt: &'a watch::Receiver<Interrupt>,
    /// When the run began.
    pub(super) start: Instant,
    /// Trials of before, of a run that is gone on with.
    pub(super) kept: &'a [TrialRecord],
    /// Only these blocks.
    pub(super) partition: Option<Partition>,
}

impl Course<'_> {
    /// The trial with this number at this place, if it was kept before.
    fn kept(&self, number: u32, order: u32) -> Option<&TrialRecord> {
        self.kept.iter().find(|kept| kept.number == number && kept.order == order)
    }

    /// Trials that this run is to have.
    fn planned(&self) -> u32 {
        let own = self.plan.trials.iter();
        let own = own.filter(|t| self.partition.is_none_or(|part| part.has(t.block)));
        u32::try_from(own.count()).unwrap_or(u32::MAX)
    }
}

/// The reason of trials that are not run.
pub(super) const WRONG_BEFORE: &str = "not run: an earlier trial of this cell was wrong";

/// What follows from a trial.
enum Next {
    /// The next one.
    Go,
    /// It was not valid, and runs again at the end of its block.
    Repeat,
    /// The run is over.
    End(Stop),
}

/// All blocks, or as many as the precision asks for or the time budget allows.
pub(super) async fn run(
    course: &Course<'_>,
    recorder: &mut Recorder<'_>,
    gathered: &mut Gathered,
) -> Option<Stop> {
    let plan = course.plan;
    let ready = Ready::new(plan);
    let mut so_far = SoFar::new(ready, validity::repetitions(plan.trials.len()));
    // A run that is gone on with had its first load when it began.
    so_far.is_before_load = course.kept.is_empty();
    let of_this_run = |block: u32| course.partition.is_none_or(|part| part.has(block));
    for of_block in plan.trials.chunk_by(|a, b| a.block == b.block) {
        let block = of_block[0].block;
        if !of_this_run(block) {
            continue;
        }
        let was_begun = course.kept.iter().any(|kept| kept.block == block);
        if let Some(note) = enough(course, block, &so_far).filter(|_| !was_begun) {
            recorder.say(Event::Notice { text: note.clone() });
            gathered.notes.push(note);
            break;
        }
        so_far.blocks += 1;
        let mut again = Vec::new();
        for trial in of_block {
            if let Some(kept) = course.kept(trial.number, trial.order) {
                if so_far.recall(plan, trial, kept, Turn::First) {
                    again.push(trial);
                }
                continue;
            }
            let kept = (&mut *recorder, &mut *gathered);
            match one(course, trial, Turn::First, &mut so_far, kept).await {
                Next::Go => {}
                Next::Repeat => again.push(trial),
                Next::End(stop) => return Some(stop),
            }
        }
        so_far.learn();
        for (order, trial) in (of_block.len() + 1..).zip(again) {
            let order = u32::try_from(order).unwrap_or(u32::MAX);
            let trial = TrialPlan { order, ..trial.clone() };
            if let Some(kept) = course.kept(trial.number, order) {
                so_far.recall(plan, &trial, kept, Turn::Last);
                continue;
            }
            let kept = (&mut *recorder, &mut *gathered);
            if let Next::End(stop) = one(course, &trial, Turn::Last, &mut so_far, kept).await {
                return Some(stop);
            }
        }
        so_far.learn();
        if block == PILOT_BLOCKS {
            so_far.decide(plan, recorder, gathered);
        }
    }
    recorder.say(Event::Measured {
        ms: millis(so_far.measuring),
        trials: recorder.archive.trials_written(),
        failed: so_far.failures,
    });
    so_far.worst.take().or_else(|| so_far.unmeasured(plan))
}

/// One attempt at one trial, kept whatever came of it.
async fn one(
    course: &Course<'_>,
    trial: &TrialPlan,
    turn: Turn,
    so_far: &mut SoFar,
    (recorder, gathered): (&mut Recorder<'_>, &mut Gathered),
) -> Next {
    let plan = course.plan;
    if let Interrupt::Stop(signal) = *course.interrupt.borrow() {
        return Next::End(Stop::Interrupted(signal));
    }
    let cell = &plan.cells[trial.cell];
    recorder.say(Event::TrialStarted {
        number: trial.number + 1,
        of: u32::try_from(plan.trials.len()).unwrap_or(u32::MAX),
        block: trial.block,
        variant: cell.variant.clone(),
        load: cell.load.clone(),
        left_ns: so_far.left_ns(plan, course.planned()),
    });
    let began = Instant::now();
    let at = clock::utc_now();
    let Some(session) = course.sessions.of(cell) else {
        let text = format!("variant {} has no servers", cell.variant);
        return Next::End(Stop::Provisioning(text));
    };
    let mut done = if so_far.hopeless.contains(&trial.cell) {
        skipped()
    } else {
        let samples = samples(plan, recorder.archive);
        let is_before = &mut so_far.is_before_load;
        let mut say = |event| {
            if *is_before && begins_a_load(&event) {
                *is_before = false;
                let ms = millis(course.start);
                recorder.archive.first_load(ms);
                recorder.say(Event::FirstLoad { ms });
            }
            recorder.say(event);
        };
        let mut bench = Bench {
            plan,
            session,
            events: &mut say,
            interrupt: course.interrupt.clone(),
            ready: &mut so_far.ready,
            samples,
            baseline_p50_us: so_far.known_us.get(&cell.load).copied(),
        };
        trial::run(&mut bench, trial).await
    };
    if let Some(stop @ Stop::Interrupted(_)) = done.stop {
        return Next::End(stop);
    }
    let repeats = so_far.rule(&mut done, turn);
    if let (true, Outcome::Invalid(reason)) = (repeats, &done.outcome) {
        let (variant, load) = (&cell.variant, &cell.load);
        let block = trial.block;
        let text = format!("block {block}, {variant} under {load} is repeated: {reason}");
        recorder.say(Event::Notice { text });
    }
    match record::keep(plan, trial, &done, (at, millis(began)), recorder, gathered) {
        Ok(kept) => so_far.remember(plan, trial.cell, &kept),
        Err(e) => return Next::End(Stop::Environment(format!("{e:#}"))),
    }
    if let Outcome::Failed(failure) = &done.outcome {
        so_far.failed(stop_for(failure, trial, &cell.variant, &cell.load));
        if done.again == Again::Useless {
            so_far.hopeless.insert(trial.cell);
        }
    }
    match done.stop {
        Some(stop) => Next::End(match so_far.worst.take() {
            Some(wrong @ Stop::Correctness(_)) => wrong,
            _ => in_trial(stop, trial, &cell.variant),
        }),
        None if repeats => Next::Repeat,
        None => Next::Go,
    }
}

/// Whether requests of a load follow.
fn begins_a_load(event: &Event) -> bool {
    matches!(event, Event::TrialPhase { phase: "fill" | "warm-up" })
}

/// Why no further block is begun, if none is.
fn enough(course: &Course<'_>, block: u32, so_far: &SoFar) -> Option<String> {
    let pilot = so_far.pilot.as_ref().filter(|pilot| block > pilot.decided);
    if let Some(pilot) = pilot {
        return Some(format!(
            "the run ended after {} of {} possible blocks, as its pilot had decided",
            block - 1,
            pilot.most
        ));
    }
    over_budget(course, so_far).then(|| {
        let (done, all) = (so_far.blocks, course.plan.design.blocks);
        format!("the time budget ended the run after {done} of {all} blocks")
    })
}

/// Where raw samples go, if the plan keeps them.
fn samples(plan: &Plan, archive: &Run) -> Option<PathBuf> {
    (plan.design.samples == Samples::Keep).then(|| archive.samples_path())
}

/// A wrong plan, index set or answer is wrong each time: later trials of the cell are rows, but take no time.
fn skipped() -> Done {
    let mut done = Done::new();
    done.fail(FailureKind::Correctness, WRONG_BEFORE);
    done
}

/// The exit reason that a trial's failure stands for.
pub(super) fn stop_for(failure: &Failure, trial: &TrialPlan, variant: &str, load: &str) -> Stop {
    let text = format!("block {}, variant {variant}, load {load}: {}", trial.block, failure.reason);
    match failure.kind {
        FailureKind::Provisioning => Stop::Provisioning(text),
        FailureKind::Measurement => Stop::Measurement(text),
        FailureKind::Correctness => Stop::Correctness(text),
    }
}

fn in_trial(stop: Stop, trial: &TrialPlan, variant: &str) -> Stop {
    let add = |text: String| format!("{text} in block {}, variant {variant}", trial.block);
    match stop {
        Stop::Measurement(text) => Stop::Measurement(add(text)),
        Stop::Provisioning(text) => Stop::Provisioning(add(text)),
        other => other,
    }
}

/// A block is begun only if it can be expected to end within the budget, judged by the blocks before it.
fn over_budget(course: &Course<'_>, so_far: &SoFar) -> bool {
    let Some(budget_ns) = course.plan.design.time_budget_ns else { return false };
    if so_far.blocks == 0 {
        return false;
    }
    // What was spent before a run was interrupted counts, the pause does not.
    let spent = so_far.spent.as_nanos();
    let block_ns = (so_far.measuring.elapsed().as_nanos() + spent) / u128::from(so_far.blocks);
    course.start.elapsed().as_nanos() + spent + block_ns > u128::from(budget_ns)
}
