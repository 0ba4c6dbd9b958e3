//! What a run knows between its trials: what went wrong, what may be repeated, and what earlier blocks say.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;

use super::blocks::{WRONG_BEFORE, stop_for};
use super::done::Done;
use super::event::{Event, Stop};
use super::pilot::{self, PilotTrial};
use super::ready::Ready;
use super::record::Recorder;
use super::validity::{self, Attempts, Ruling};
use crate::plan::{Plan, TrialPlan};
use crate::results::{Gathered, Outcome, PilotRecord, TrialRecord};
use crate::stats::median;

/// What is known so far.
pub(super) struct SoFar {
    /// When the first trial began.
    pub(super) measuring: Instant,
    /// Whether no load has begun yet.
    pub(super) is_before_load: bool,
    /// What the servers' surroundings remember.
    pub(super) ready: Ready,
    /// Cells that are wrong each time.
    pub(super) hopeless: BTreeSet<usize>,
    /// Cells of which a trial counts.
    counted: BTreeSet<usize>,
    /// Cells of which one does not, and why: the first reason of each.
    void: BTreeMap<usize, String>,
    /// Trials that failed.
    pub(super) failures: u32,
    /// The gravest of what went wrong.
    pub(super) worst: Option<Stop>,
    /// Trials that may still be repeated.
    repetitions: usize,
    /// Trials that ended, repeated ones each time.
    ended: usize,
    /// Planned trials that ended once at least, by number.
    tried: BTreeSet<u32>,
    /// Of them, those of before the run was interrupted took so long.
    pub(super) spent: Duration,
    /// Blocks that were begun.
    pub(super) blocks: u32,
    /// Median response times of the baseline, by load.
    baseline_us: BTreeMap<String, Vec<f64>>,
    /// What earlier blocks say of it: what is held against it must not depend on the order within a block.
    pub(super) known_us: BTreeMap<String, f64>,
    pilot_trials: Vec<PilotTrial>,
    /// How many blocks there will be, once a pilot has decided it.
    pub(super) pilot: Option<PilotRecord>,
}

/// Which attempt at a trial it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// In its planned place.
    First,
    /// At the end of its block.
    Last,
}

impl SoFar {
    /// Nothing is known; so many trials may be repeated.
    pub(super) fn new(ready: Ready, repetitions: usize) -> Self {
        Self {
            measuring: Instant::now(),
            is_before_load: true,
            ready,
            hopeless: BTreeSet::new(),
            counted: BTreeSet::new(),
            void: BTreeMap::new(),
            failures: 0,
            worst: None,
            repetitions,
            ended: 0,
            tried: BTreeSet::new(),
            spent: Duration::ZERO,
            blocks: 0,
            baseline_us: BTreeMap::new(),
            known_us: BTreeMap::new(),
            pilot_trials: Vec::new(),
            pilot: None,
        }
    }

    /// Applies the rules of validity to a trial that went well; tells whether it is to be repeated.
    pub(super) fn rule(&mut self, done: &mut Done, turn: Turn) -> bool {
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

    /// A trial that was kept before the run was interrupted, as if it had just ended; tells whether it is to be repeated.
    pub(super) fn recall(
        &mut self,
        plan: &Plan,
        trial: &TrialPlan,
        kept: &TrialRecord,
        turn: Turn,
    ) -> bool {
        self.spent += Duration::from_millis(kept.wall_ms);
        self.remember(plan, trial.cell, kept);
        match &kept.outcome {
            Outcome::Failed(failure) => {
                self.failed(stop_for(failure, trial, &kept.variant, &kept.load));
                if failure.reason == WRONG_BEFORE {
                    self.hopeless.insert(trial.cell);
                }
                false
            }
            // A trial is void at its first turn only where no repetition was left.
            Outcome::Invalid(_) if turn == Turn::First && self.repetitions > 0 => {
                self.repetitions -= 1;
                true
            }
            Outcome::Ok | Outcome::Overloaded | Outcome::Invalid(_) => false,
        }
    }

    /// A trial failed, for which the run would end so.
    pub(super) fn failed(&mut self, stop: Stop) {
        self.failures += 1;
        self.worst = Some(graver(self.worst.take(), stop));
    }

    /// A trial of this cell is kept.
    pub(super) fn remember(&mut self, plan: &Plan, cell: usize, kept: &TrialRecord) {
        self.ended += 1;
        self.tried.insert(kept.number);
        match &kept.outcome {
            Outcome::Ok | Outcome::Overloaded => {
                self.counted.insert(cell);
            }
            Outcome::Invalid(reason) => {
                self.void.entry(cell).or_insert_with(|| reason.clone());
            }
            // Is told by itself.
            Outcome::Failed(_) => {}
        }
        let p50 = kept.window.as_ref().and_then(|w| w.response_time.p50_us);
        if let Some(p50) = p50.filter(|_| kept.variant == plan.design.baseline) {
            self.baseline_us.entry(kept.load.clone()).or_default().push(p50);
        }
        self.pilot_trials.extend(pilot::of_trial(plan, kept));
    }

    /// What has been seen of the baseline may now be held against what follows.
    pub(super) fn learn(&mut self) {
        for (load, seen) in &self.baseline_us {
            if let Some(middle) = median(seen) {
                self.known_us.insert(load.clone(), middle);
            }
        }
    }

    /// After the pilot: how many blocks it takes.
    pub(super) fn decide(
        &mut self,
        plan: &Plan,
        recorder: &mut Recorder<'_>,
        gathered: &mut Gathered,
    ) {
        // Decided once: a run that is gone on with has it already.
        if gathered.pilot.is_some() {
            self.pilot.clone_from(&gathered.pilot);
            return;
        }
        self.pilot = pilot::decide(plan, &self.pilot_trials);
        if let Some(pilot) = &self.pilot {
            let text = pilot::sentence(pilot);
            recorder.say(Event::Notice { text: text.clone() });
            gathered.notes.push(text);
        }
        gathered.pilot.clone_from(&self.pilot);
    }

    /// After the last block: a cell of which no trial counts, because each was void, was not measured.
    pub(super) fn unmeasured(&self, plan: &Plan) -> Option<Stop> {
        let (cell, reason) = self.void.iter().find(|(cell, _)| !self.counted.contains(cell))?;
        let cell = &plan.cells[*cell];
        let (variant, load) = (&cell.variant, &cell.load);
        let text = format!("no trial of variant {variant} under load {load} is valid: {reason}");
        Some(Stop::Measurement(text))
    }

    /// Time left: by what the trials so far took, once there are some.
    pub(super) fn left_ns(&self, plan: &Plan, planned: u32) -> u64 {
        if self.ended == 0 {
            return plan.estimate.time_ns;
        }
        let left = (planned as usize).saturating_sub(self.tried.len()) as u128;
        let each = (self.measuring.elapsed() + self.spent).as_nanos() / self.ended as u128;
        u64::try_from(each * left).unwrap_or(u64::MAX)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::validity::{Fault, Weight};
    use crate::plan::Role;
    use crate::results::FailureKind;
    use crate::spec::{Layers, load};

    fn so_far(repetitions: usize) -> SoFar {
        SoFar::new(Ready::with_patience(0), repetitions)
    }

    fn broken(weight: Weight) -> Done {
        let mut done = Done::new();
        done.faults.push(Fault { weight, what: "x".into(), figure: "1".into() });
        done
    }

    fn tiny() -> Plan {
        let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/fixtures/tiny/experiments/tiny.toml");
        let spec = load(&file, &Layers::default()).expect("a file");
        crate::plan::resolve(&spec).expect("a plan")
    }

    fn kept(outcome: Outcome) -> TrialRecord {
        TrialRecord {
            format: 1,
            number: 0,
            block: 1,
            order: 1,
            variant: "btree".into(),
            load: "one".into(),
            role: Role::Variant,
            outcome,
            started_at: String::new(),
            wall_ms: 0,
            fill_ms: None,
            warmup_ms: None,
            warmup_reached: None,
            window: None,
            witness: None,
            plan_hash: None,
            notes: Vec::new(),
        }
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
    fn a_cell_of_which_every_trial_was_void_was_not_measured() {
        let plan = tiny();
        let busy = || kept(Outcome::Invalid("the generator was busy".into()));
        let mut so_far = so_far(0);
        so_far.remember(&plan, 0, &kept(Outcome::Ok));
        so_far.remember(&plan, 0, &busy());
        assert_eq!(so_far.unmeasured(&plan), None);
        so_far.remember(&plan, 1, &busy());
        let why = "no trial of variant cached under load one is valid: the generator was busy";
        assert_eq!(so_far.unmeasured(&plan), Some(Stop::Measurement(why.into())));
        so_far.remember(&plan, 1, &kept(Outcome::Overloaded));
        assert_eq!(so_far.unmeasured(&plan), None);
    }

    #[test]
    fn what_was_kept_before_is_recalled_as_if_it_had_just_ended() {
        let plan = tiny();
        let trial = &plan.trials[0];
        let mut so_far = so_far(1);
        let busy = || TrialRecord { wall_ms: 40, ..kept(Outcome::Invalid("busy".into())) };
        assert!(so_far.recall(&plan, trial, &busy(), Turn::First), "it was to be repeated");
        assert!(!so_far.recall(&plan, trial, &busy(), Turn::Last));
        assert!(!so_far.recall(&plan, trial, &busy(), Turn::First), "no repetition was left");
        assert!(!so_far.recall(&plan, trial, &kept(Outcome::Ok), Turn::First));
        let failure = |reason: &str| {
            let kind = FailureKind::Correctness;
            kept(Outcome::Failed(crate::results::Failure { kind, reason: reason.into() }))
        };
        so_far.recall(&plan, trial, &failure("wrong answer"), Turn::First);
        assert!(so_far.hopeless.is_empty(), "it is tried once more");
        so_far.recall(&plan, trial, &failure(WRONG_BEFORE), Turn::First);
        assert!(so_far.hopeless.contains(&trial.cell));
        assert_eq!((so_far.failures, so_far.spent), (2, Duration::from_millis(120)));
        assert!(
            matches!(&so_far.worst, Some(Stop::Correctness(text)) if text.ends_with("wrong answer"))
        );
    }

    #[test]
    fn what_is_wrong_outweighs_what_is_broken_and_of_two_of_a_kind_the_first_is_the_cause() {
        let (wrong, broken) = (Stop::Correctness("a".into()), Stop::Measurement("b".into()));
        for (stops, worst) in [
            ([&broken, &wrong], &wrong),
            ([&wrong, &broken], &wrong),
            ([&broken, &Stop::Measurement("c".into())], &broken),
        ] {
            let mut so_far = so_far(0);
            for stop in stops {
                so_far.failed(stop.clone());
            }
            assert_eq!((so_far.worst.as_ref(), so_far.failures), (Some(worst), 2));
        }
    }
}
