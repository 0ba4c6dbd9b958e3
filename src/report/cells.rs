//! Results by cell: which trials of a variant under a load are valid, and what they measured.

use std::collections::BTreeMap;

use super::values::{Missing, is_latency, of_trial, scale};
use crate::plan::{CellPlan, Role};
use crate::results::{FailureKind, Outcome, Results, State, TrialRecord};
use crate::spec::Metric;
use crate::stats::{
    Comparison, Estimate, Interval, NoComparison, Pair, Question, compare_after_pilot, estimate,
    lacks_steady_state, median, none_in,
};

/// One variant (or the baseline's twin) under one load.
#[derive(Debug, Clone)]
pub(super) struct Cell<'a> {
    /// What was to be done.
    pub(super) plan: &'a CellPlan,
    /// Every attempt, in the order in which they ran.
    pub(super) trials: Vec<&'a TrialRecord>,
    /// Of its intervals.
    pub(super) confidence: f64,
}

/// The cell of a variant under a load; none where the design leaves it out.
pub(super) fn cell<'a>(results: &'a Results, variant: &str, load: &str) -> Option<Cell<'a>> {
    with_role(results, variant, load, Role::Variant)
}

/// The baseline's second trials under the load of the A/A check.
pub(super) fn twin<'a>(results: &'a Results, load: &str) -> Option<Cell<'a>> {
    with_role(results, &results.plan.design.baseline, load, Role::Twin)
}

fn with_role<'a>(results: &'a Results, variant: &str, load: &str, role: Role) -> Option<Cell<'a>> {
    let plan = results.plan.cells.iter().find(|c| c.variant == variant && c.load == load)?;
    let trials = results
        .trials
        .iter()
        .filter(|t| t.variant == variant && t.load == load && t.role == role)
        .collect();
    Some(Cell { plan, trials, confidence: results.plan.design.confidence })
}

/// Whether the run is all there: else no verdicts.
pub(super) fn is_complete(results: &Results) -> bool {
    results.manifest.run.state == State::Complete
}

/// Blocks that this run was to have: fixed beforehand, or as many as its pilot asked for.
pub(super) fn blocks(results: &Results) -> u32 {
    results.manifest.pilot.as_ref().map_or(results.plan.design.blocks, |pilot| pilot.decided)
}

/// The attempt that was made after this one, in the same block: a trial that is not valid is repeated at most once.
pub(super) fn attempt_after<'a>(
    results: &'a Results,
    trial: &TrialRecord,
) -> Option<&'a TrialRecord> {
    results.trials.iter().find(|t| t.number == trial.number && t.order > trial.order)
}

/// Compares pairs of this run. Where a pilot chose their number, its scatter counts if it is the larger one.
pub(super) fn compare(
    results: &Results,
    pairs: &[Pair],
    question: Question,
) -> Result<Comparison, NoComparison> {
    let pilot = results.manifest.pilot.as_ref().map_or(0, |pilot| pilot.blocks);
    compare_after_pilot(pairs, pilot, question)
}

/// Sums over the valid trials of a cell.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Sums {
    /// Requests due.
    pub(super) due: u64,
    /// Dropped.
    pub(super) dropped: u64,
    /// Answered right.
    pub(super) answered: u64,
    /// Failed.
    pub(super) failed: u64,
}

impl<'a> Cell<'a> {
    /// The first valid trial of each block.
    pub(super) fn valid(&self) -> Vec<&'a TrialRecord> {
        let mut by_block = BTreeMap::new();
        for trial in &self.trials {
            if trial.window.is_some() && trial.outcome.is_valid() {
                by_block.entry(trial.block).or_insert(*trial);
            }
        }
        by_block.into_values().collect()
    }

    /// Whether a trial dropped requests.
    pub(super) fn is_overloaded(&self) -> bool {
        self.trials.iter().any(|t| t.outcome == Outcome::Overloaded)
    }

    /// Whether the figures of too many valid trials still moved in their windows.
    pub(super) fn is_unsteady(&self) -> bool {
        lacks_steady_state(self.unsteady(), self.valid().len())
    }

    /// Valid trials whose figures still moved in their windows.
    pub(super) fn unsteady(&self) -> usize {
        self.valid().iter().filter(|t| t.is_unsteady()).count()
    }

    /// How far the median moved over a window, as a share of itself: the median of the valid trials that know it.
    pub(super) fn drift(&self) -> Option<f64> {
        let windows = self.valid().into_iter().filter_map(|t| t.window.as_ref());
        median(&windows.filter_map(|w| w.drift).collect::<Vec<f64>>())
    }

    /// Whether a trial gave wrong answers, used a wrong plan or lost count.
    pub(super) fn is_incorrect(&self) -> bool {
        self.trials
            .iter()
            .any(|t| matches!(&t.outcome, Outcome::Failed(f) if f.kind == FailureKind::Correctness))
    }

    /// Sums over the valid trials.
    pub(super) fn sums(&self) -> Sums {
        let mut sums = Sums::default();
        for window in self.valid().into_iter().filter_map(|t| t.window.as_ref()) {
            sums.due += window.due;
            sums.dropped += window.dropped;
            sums.answered += window.answered;
            sums.failed += window.failed;
        }
        sums
    }

    /// Failures by kind over the valid trials.
    pub(super) fn failures(&self) -> BTreeMap<&'a str, u64> {
        let mut kinds = BTreeMap::new();
        for window in self.valid().into_iter().filter_map(|t| t.window.as_ref()) {
            for (kind, n) in &window.failures {
                *kinds.entry(kind.as_str()).or_insert(0) += n;
            }
        }
        kinds
    }

    /// The mean over the valid trials with its interval. Every one of them must have a value: a mean over those
    /// that happen to have one would flatter.
    pub(super) fn value(&self, metric: Metric) -> Result<Estimate, Missing> {
        if is_latency(metric) && self.is_overloaded() {
            return Err(Missing::Saturated);
        }
        let valid = self.valid();
        if valid.is_empty() {
            let never = self.trials.is_empty();
            return Err(if never { Missing::NotRun } else { Missing::NoTrials });
        }
        let values: Vec<f64> =
            valid.iter().map(|t| of_trial(metric, t)).collect::<Result<_, _>>()?;
        let mut estimate =
            estimate(&values, scale(metric), self.confidence).ok_or(Missing::NotMeasured)?;
        self.keep_in_range(metric, &mut estimate);
        Ok(estimate)
    }

    /// A share stays within 0 and 1, and no errors seen are no proof of none.
    fn keep_in_range(&self, metric: Metric, estimate: &mut Estimate) {
        let Some(interval) = &mut estimate.interval else { return };
        if matches!(metric, Metric::ErrorRatio | Metric::CacheHitRatio | Metric::StaleRatio) {
            *interval = Interval { low: interval.low.max(0.0), high: interval.high.min(1.0) };
        }
        if metric == Metric::ErrorRatio && self.sums().failed == 0 {
            interval.high = none_in(self.sums().due);
        }
    }

    /// Pairs by block of this cell (the variant) with another (the baseline).
    pub(super) fn pairs(&self, baseline: &Self, metric: Metric) -> Result<Vec<Pair>, Missing> {
        let mut values = BTreeMap::new();
        for trial in baseline.valid() {
            values.insert(trial.block, of_trial(metric, trial)?);
        }
        let mut pairs = Vec::new();
        for trial in self.valid() {
            let variant = of_trial(metric, trial)?;
            if let Some(baseline) = values.get(&trial.block) {
                pairs.push(Pair { block: trial.block, baseline: *baseline, variant });
            }
        }
        Ok(pairs)
    }
}

/// A data metric of a variant: known, or none where it was not recorded.
pub(super) fn data_value(results: &Results, metric: Metric, variant: &str) -> Option<f64> {
    let plan = &results.plan;
    let set = plan.variants.iter().find(|v| v.name == variant)?.index_set;
    let planned = plan.index_sets.get(set)?.indexes.len();
    let dataset = &results.manifest.dataset;
    let own: Vec<_> =
        dataset.indexes.iter().filter(|i| i.variants.iter().any(|v| v == variant)).collect();
    match metric {
        Metric::TableBytes if dataset.tables.is_empty() => None,
        Metric::TableBytes => Some(dataset.tables.iter().map(|t| t.table_bytes as f64).sum()),
        // Of somebody else's Postgres no size is known.
        _ if super::host::external(results).is_some() => None,
        // Fewer than planned: not recorded, which is not zero.
        _ if own.len() < planned => None,
        Metric::IndexBytes => Some(own.iter().map(|i| i.index_bytes as f64).sum()),
        Metric::IndexBuildTime => Some(own.iter().map(|i| i.build_ms as f64 * 1e3).sum()),
        _ => None,
    }
}
