//! The blocks of a run: every trial once, what was disturbed once more, and no more blocks than were asked for.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use tokio::sync::watch;
use tokio::time::Instant;

use super::clock;
use super::done::{Again, Done};
use super::event::{Event, Interrupt, Stop};
use super::manifest::Gathered;
use super::pilot::{self, PilotTrial};
use super::ready::Ready;
use super::record::{self, Recorder};
use super::trial::{self, Bench, millis};
use super::validity::{self, Attempts, Ruling};
use crate::plan::{Plan, TrialPlan};
use crate::results::{Failure, FailureKind, Outcome, PilotRecord, Run, TrialRecord};
use crate::spec::Samples;
use crate::stack::Session;
use crate::stats::{PILOT_BLOCKS, median};

/// Everything that the blocks need from their run.
pub(super) struct Course<'a> {
    /// The plan.
    pub(super) plan: &'a Plan,
    /// The servers' session.
    pub(super) session: &'a Session,
    /// What the person at the keyboard wants.
    pub(super) interrupt: &'a watch::Receiver<Interrupt>,
    /// When the run began.
    pub(super) start: Instant,
}

/// What is known so far.
struct SoFar {
    measuring: Instant,
    ready: Ready,
    /// Cells that are wrong each time.
    hopeless: BTreeSet<usize>,
    failed: u32,
    worst: Option<Stop>,
    /// Trials that may still be repeated.
    repetitions: usize,
    /// Trials that ended.
    ended: usize,
    /// Median response times of the baseline, by load.
    baseline_us: BTreeMap<String, Vec<f64>>,
    /// What earlier blocks say of it: what is held against it must not depend on the order within a block.
    known_us: BTreeMap<String, f64>,
    pilot_trials: Vec<PilotTrial>,
    pilot: Option<PilotRecord>,
}

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
    let mut so_far = SoFar {
        measuring: Instant::now(),
        ready: Ready::new(plan),
        hopeless: BTreeSet::new(),
        failed: 0,
        worst: None,
        repetitions: validity::repetitions(plan.trials.len()),
        ended: 0,
        baseline_us: BTreeMap::new(),
        known_us: BTreeMap::new(),
        pilot_trials: Vec::new(),
        pilot: None,
    };
    for of_block in plan.trials.chunk_by(|a, b| a.block == b.block) {
        if let Some(note) = enough(course, of_block[0].block, &so_far) {
            recorder.say(Event::Notice { text: note.clone() });
            gathered.notes.push(note);
            break;
        }
        let mut again = Vec::new();
        for trial in of_block {
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
            let kept = (&mut *recorder, &mut *gathered);
            if let Next::End(stop) = one(course, &trial, Turn::Last, &mut so_far, kept).await {
                return Some(stop);
            }
        }
        so_far.learn();
        if of_block[0].block == PILOT_BLOCKS {
            so_far.decide(plan, recorder, gathered);
        }
    }
    recorder.say(Event::Measured {
        ms: millis(so_far.measuring),
        trials: recorder.archive.trials_written(),
        failed: so_far.failed,
    });
    so_far.worst
}

/// Which attempt at a trial it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    /// In its planned place.
    First,
    /// At the end of its block.
    Last,
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
        left_ns: left_ns(plan, so_far),
    });
    let began = Instant::now();
    let at = clock::utc_now();
    let mut done = if so_far.hopeless.contains(&trial.cell) {
        skipped()
    } else {
        let samples = samples(plan, recorder.archive);
        let mut say = |event| recorder.say(event);
        let mut bench = Bench {
            plan,
            session: course.session,
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
        Ok(kept) => so_far.remember(plan, &kept),
        Err(e) => return Next::End(Stop::Environment(format!("{e:#}"))),
    }
    if let Outcome::Failed(failure) = &done.outcome {
        so_far.failed += 1;
        if done.again == Again::Useless {
            so_far.hopeless.insert(trial.cell);
        }
        let stop = stop_for(failure, trial, &cell.variant, &cell.load);
        so_far.worst = Some(graver(so_far.worst.take(), stop));
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

impl SoFar {
    /// Applies the rules of validity to a trial that went well; tells whether it is to be repeated.
    fn rule(&mut self, done: &mut Done, turn: Turn) -> bool {
        if !done.outcome.is_valid() {
            return false;
        }
        let left = turn == Turn::First && self.repetitions > 0;
        let attempts = if left { Attempts::Left } else { Attempts::Over };
        match validity::ruling(&done.faults, attempts) {
            Ruling::Counts => false,
            Ruling::CountsWith(note) => {
                done.notes.push(note);
                false
            }
            Ruling::Void(reason) => {
                done.outcome = Outcome::Invalid(reason);
                false
            }
            Ruling::Repeat(reason) => {
                done.outcome = Outcome::Invalid(reason);
                self.repetitions -= 1;
                true
            }
        }
    }

    fn remember(&mut self, plan: &Plan, kept: &TrialRecord) {
        self.ended += 1;
        let p50 = kept.window.as_ref().and_then(|w| w.response_time.p50_us);
        if let Some(p50) = p50.filter(|_| kept.variant == plan.design.baseline) {
            self.baseline_us.entry(kept.load.clone()).or_default().push(p50);
        }
        self.pilot_trials.extend(pilot::of_trial(plan, kept));
    }

    /// What has been seen of the baseline may now be held against what follows.
    fn learn(&mut self) {
        for (load, seen) in &self.baseline_us {
            if let Some(middle) = median(seen) {
                self.known_us.insert(load.clone(), middle);
            }
        }
    }

    /// After the pilot: how many blocks it takes.
    fn decide(&mut self, plan: &Plan, recorder: &mut Recorder<'_>, gathered: &mut Gathered) {
        self.pilot = pilot::decide(plan, &self.pilot_trials);
        if let Some(pilot) = &self.pilot {
            let text = pilot::sentence(pilot);
            recorder.say(Event::Notice { text: text.clone() });
            gathered.notes.push(text);
        }
        gathered.pilot.clone_from(&self.pilot);
    }
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
    over_budget(course, block, so_far.measuring).then(|| {
        format!(
            "the time budget ended the run after {} of {} blocks",
            block - 1,
            course.plan.design.blocks
        )
    })
}

/// Where raw samples go, if the plan keeps them.
fn samples(plan: &Plan, archive: &Run) -> Option<PathBuf> {
    (plan.design.samples == Samples::Keep).then(|| archive.samples_path())
}

/// A wrong plan, index set or answer is wrong each time: later trials of the cell are rows, but take no time.
fn skipped() -> Done {
    let mut done = Done::new();
    done.fail(FailureKind::Correctness, "not run: an earlier trial of this cell was wrong");
    done
}

fn stop_for(failure: &Failure, trial: &TrialPlan, variant: &str, load: &str) -> Stop {
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

/// Wrong is graver than broken; of two of a kind the first is the cause.
fn graver(so_far: Option<Stop>, new: Stop) -> Stop {
    match so_far {
        Some(old)
            if matches!(old, Stop::Correctness(_)) || !matches!(new, Stop::Correctness(_)) =>
        {
            old
        }
        _ => new,
    }
}

/// A block is begun only if it can be expected to end within the budget, judged by the blocks before it.
fn over_budget(course: &Course<'_>, block: u32, measuring: Instant) -> bool {
    let Some(budget_ns) = course.plan.design.time_budget_ns else { return false };
    if block == 1 {
        return false;
    }
    let block_ns = measuring.elapsed().as_nanos() / u128::from(block - 1);
    course.start.elapsed().as_nanos() + block_ns > u128::from(budget_ns)
}

/// Time left: by what the trials so far took, once there are some.
fn left_ns(plan: &Plan, so_far: &SoFar) -> u64 {
    if so_far.ended == 0 {
        return plan.estimate.time_ns;
    }
    let left = plan.trials.len().saturating_sub(so_far.ended) as u128;
    let each = so_far.measuring.elapsed().as_nanos() / so_far.ended as u128;
    u64::try_from(each * left).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::validity::{Fault, Weight};

    fn so_far(repetitions: usize) -> SoFar {
        SoFar {
            measuring: Instant::now(),
            ready: Ready::with_patience(0),
            hopeless: BTreeSet::new(),
            failed: 0,
            worst: None,
            repetitions,
            ended: 0,
            baseline_us: BTreeMap::new(),
            known_us: BTreeMap::new(),
            pilot_trials: Vec::new(),
            pilot: None,
        }
    }

    fn broken(weight: Weight) -> Done {
        let mut done = Done::new();
        done.faults.push(Fault { weight, what: "x".into(), figure: "1".into() });
        done
    }

    #[test]
    fn a_disturbed_trial_is_repeated_once_and_then_counts_with_a_note() {
        let mut so_far = so_far(1);
        let mut first = broken(Weight::Disturbed);
        assert!(so_far.rule(&mut first, Turn::First));
        assert_eq!(first.outcome, Outcome::Invalid("x (1)".into()));
        let mut second = broken(Weight::Disturbed);
        assert!(!so_far.rule(&mut second, Turn::Last));
        assert_eq!((second.outcome, second.notes.len()), (Outcome::Ok, 1));
        let mut other = broken(Weight::Disturbed);
        assert!(!so_far.rule(&mut other, Turn::First), "the run has no more repetitions");
        assert!(other.outcome.is_valid());
    }

    #[test]
    fn a_void_trial_never_counts_and_a_failed_one_is_not_excused() {
        let mut so_far = so_far(0);
        let mut void = broken(Weight::Void);
        assert!(!so_far.rule(&mut void, Turn::Last));
        assert!(matches!(void.outcome, Outcome::Invalid(_)));
        let mut failed = broken(Weight::Void);
        failed.fail(FailureKind::Correctness, "wrong");
        assert!(!so_far.rule(&mut failed, Turn::First));
        assert!(matches!(failed.outcome, Outcome::Failed(_)));
    }

    #[test]
    fn what_is_wrong_outweighs_what_is_broken() {
        let (wrong, broken) = (Stop::Correctness("a".into()), Stop::Measurement("b".into()));
        assert_eq!(graver(Some(broken.clone()), wrong.clone()), wrong);
        assert_eq!(graver(Some(wrong.clone()), broken.clone()), wrong);
        assert_eq!(graver(Some(broken.clone()), Stop::Measurement("c".into())), broken);
    }
}
