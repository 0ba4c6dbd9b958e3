//! How many blocks a run has, where the file asks for a precision: decided once, after a pilot, by its scatter.

use crate::plan::{Plan, Role};
use crate::results::{PilotRecord, TrialRecord, Window};
use crate::spec::{Better, Metric};
use crate::stats::{
    Comparison, Orientation, PILOT_BLOCKS, Pair, Precision, Question, blocks_for_all, compare,
};

/// What the pilot says. None unless the file asks for a precision, and leaves a number to choose.
pub(super) fn decide(plan: &Plan, trials: &[PilotTrial]) -> Option<PilotRecord> {
    let half_width = plan.design.precision?;
    let most = plan.design.blocks;
    if most <= PILOT_BLOCKS {
        return None;
    }
    let confidence = plan.design.confidence;
    let comparisons = comparisons(plan, trials);
    let precision = Precision { half_width, confidence, most };
    let scatter =
        |all: &[Comparison]| all.iter().filter_map(|c| Some(c.spread?.sd_log)).fold(0.0, f64::max);
    // What can't be judged, because a value is missing or has no ratio, gets all blocks.
    let decided = comparisons.as_deref().and_then(|all| blocks_for_all(all, precision));
    Some(PilotRecord {
        blocks: PILOT_BLOCKS,
        half_width,
        confidence,
        most,
        decided: decided.unwrap_or(most),
        sd_log: decided.and(comparisons.as_deref().map(scatter)),
    })
}

/// What the pilot needs of a trial.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct PilotTrial {
    block: u32,
    variant: String,
    /// In the primary metric.
    value: Option<f64>,
}

/// A trial of the primary family; none if it is of no use to the pilot.
pub(super) fn of_trial(plan: &Plan, record: &TrialRecord) -> Option<PilotTrial> {
    let is_primary = record.load == plan.design.primary_load && record.role == Role::Variant;
    (is_primary && record.outcome.is_valid()).then(|| PilotTrial {
        block: record.block,
        variant: record.variant.clone(),
        value: record.window.as_ref().and_then(|w| value(plan.design.primary_metric, w)),
    })
}

/// Each variant against the baseline, in the primary metric under the primary load.
fn comparisons(plan: &Plan, trials: &[PilotTrial]) -> Option<Vec<Comparison>> {
    let design = &plan.design;
    let others: Vec<&str> = plan
        .cells
        .iter()
        .filter(|cell| cell.load == design.primary_load && cell.variant != design.baseline)
        .map(|cell| cell.variant.as_str())
        .collect();
    let question = Question {
        orientation: match design.primary_metric.better() {
            Better::Lower => Orientation::LowerIsBetter,
            Better::Higher => Orientation::HigherIsBetter,
        },
        confidence: design.confidence,
        margin: design.margin,
        family: 1,
    };
    let of = |variant: &str| {
        let own = trials.iter().filter(|t| t.variant == variant && t.block <= PILOT_BLOCKS);
        let mut pairs = Vec::new();
        for trial in own {
            let base =
                trials.iter().find(|b| b.variant == design.baseline && b.block == trial.block);
            let Some(base) = base else { continue };
            pairs.push(Pair { block: trial.block, baseline: base.value?, variant: trial.value? });
        }
        compare(&pairs, question).ok()
    };
    others.into_iter().map(of).collect()
}

/// The metrics whose ratios are judged; others are not what a precision is asked for.
fn value(metric: Metric, window: &Window) -> Option<f64> {
    if metric == Metric::Throughput { Some(window.rate_rps) } else { window.latency_us(metric) }
}

/// What was decided, for people.
pub(super) fn sentence(pilot: &PilotRecord) -> String {
    let width = crate::units::share(pilot.half_width);
    match pilot.sd_log {
        Some(sd) => format!(
            "a pilot of {} blocks scattered by {} (standard deviation of a block's log-ratio): {} blocks are run for intervals of ±{width}, of {} at most",
            pilot.blocks,
            crate::units::share(sd),
            pilot.decided,
            pilot.most
        ),
        None => format!(
            "a pilot of {} blocks could not be judged (a value is missing, or its metric has no ratio): all {} blocks are run",
            pilot.blocks, pilot.most
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::results::Outcome;
    use crate::spec::{Layers, load};

    /// The smallest experiment, with a precision and as many blocks as given.
    fn plan(blocks: u32) -> Plan {
        let file =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tiny/experiments/tiny.toml");
        let sets = vec![format!("design.blocks={blocks}"), "design.precision=\"3%\"".to_owned()];
        let spec = load(&file, &Layers { sets, ..Layers::default() }).expect("a file");
        crate::plan::resolve(&spec).expect("a plan")
    }

    /// Six blocks in which the variant is as fast as the baseline, one way or the other by `scatter`.
    fn trials(scatter: f64) -> Vec<PilotTrial> {
        let step = (scatter * (5.0_f64 / 6.0).sqrt()).exp();
        let of = |variant: &str, block: u32, value: f64| PilotTrial {
            block,
            variant: variant.to_owned(),
            value: Some(value),
        };
        (1..=PILOT_BLOCKS)
            .flat_map(|block| {
                let value = if block % 2 == 0 { 100.0 * step } else { 100.0 / step };
                [of("btree", block, 100.0), of("cached", block, value)]
            })
            .collect()
    }

    #[test]
    fn the_scatter_of_the_pilot_decides_and_is_kept() {
        let pilot = decide(&plan(40), &trials(0.05)).expect("a decision");
        assert_eq!((pilot.blocks, pilot.most, pilot.decided), (6, 40, 19));
        assert!(pilot.sd_log.is_some_and(|sd| (sd - 0.05).abs() < 1e-9), "{pilot:?}");
        assert_eq!(decide(&plan(12), &trials(0.05)).map(|p| p.decided), Some(12), "the most");
        assert_eq!(decide(&plan(40), &trials(0.001)).map(|p| p.decided), Some(6), "the fewest");
        assert!(sentence(&pilot).contains("19 blocks are run"), "{}", sentence(&pilot));
    }

    #[test]
    fn without_a_precision_or_a_choice_nothing_is_decided() {
        assert_eq!(decide(&plan(6), &trials(0.05)), None);
        let mut plain = plan(40);
        plain.design.precision = None;
        assert_eq!(decide(&plain, &trials(0.05)), None);
    }

    #[test]
    fn a_pilot_that_cannot_be_judged_gets_all_blocks() {
        let mut missing = trials(0.05);
        missing[3].value = None;
        let pilot = decide(&plan(40), &missing).expect("a decision");
        assert_eq!((pilot.decided, pilot.sd_log), (40, None));
        assert!(sentence(&pilot).contains("all 40 blocks"), "{}", sentence(&pilot));
        assert_eq!(decide(&plan(40), &[]).map(|p| p.decided), Some(40));
    }

    #[test]
    fn more_blocks_and_a_precision_change_no_earlier_trial() {
        let (few, many) = (plan(8), plan(40));
        assert_eq!(few.trials[..], many.trials[..few.trials.len()]);
    }

    #[test]
    fn only_valid_trials_of_the_primary_family_are_looked_at() {
        let plan = plan(40);
        let record = |outcome, role| TrialRecord {
            format: 1,
            number: 0,
            block: 1,
            order: 1,
            variant: "btree".into(),
            load: plan.design.primary_load.clone(),
            role,
            outcome,
            started_at: String::new(),
            wall_ms: 0,
            fill_ms: None,
            warmup_ms: None,
            warmup_reached: None,
            window: Some(Window { rate_rps: 7.0, ..Window::default() }),
            witness: None,
            plan_hash: None,
            notes: Vec::new(),
        };
        let value = |r: &TrialRecord| of_trial(&plan, r).map(|t| t.value);
        assert_eq!(value(&record(Outcome::Ok, Role::Variant)), Some(Some(7.0)));
        assert_eq!(value(&record(Outcome::Ok, Role::Twin)), None);
        assert_eq!(value(&record(Outcome::Invalid("x".into()), Role::Variant)), None);
    }
}
