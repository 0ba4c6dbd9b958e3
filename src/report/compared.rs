//! Every variant beside the baseline, under every load: the primary family, the exploratory rest, the A/A check.

use super::cells::{Cell, cell, compare, is_complete, twin};
use super::explain;
use super::values::{Missing, is_latency, orientation};
use crate::plan::ModelPlan;
use crate::results::Results;
use crate::spec::Metric;
use crate::stats::{
    Because, Comparison, Question, Verdict, Why, Withheld, benjamini_hochberg, holm,
};

/// Whether a comparison is of the declared family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    /// Declared before the run; verdicts are corrected over it.
    Primary,
    /// The rest.
    Secondary,
}

impl Family {
    /// In a column.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Primary => "primary",
            Self::Secondary => "exploratory",
        }
    }
}

/// One variant's ratio to the baseline, by one metric under one load.
#[derive(Debug, Clone)]
pub(super) struct Compared {
    /// The load.
    pub(super) load: String,
    /// The variant.
    pub(super) variant: String,
    /// The metric.
    pub(super) metric: Metric,
    /// Its family.
    pub(super) family: Family,
    /// The numbers, where they are defined, whether or not there is a verdict.
    pub(super) comparison: Option<Comparison>,
    /// Adjusted over its family: Holm, or Benjamini–Hochberg.
    pub(super) p_adjusted: Option<f64>,
    /// The words.
    pub(super) verdict: Verdict,
}

/// The baseline against itself.
#[derive(Debug, Clone)]
pub(super) struct Noise {
    /// The load.
    pub(super) load: String,
    /// The metric.
    pub(super) metric: Metric,
    /// Twin over baseline, 99 % interval.
    pub(super) comparison: Option<Comparison>,
}

/// Confidence of the A/A interval.
const NOISE_CONFIDENCE: f64 = 0.99;
/// An A/A interval that is farther than this from 1 condemns the host.
const NOISE_LIMIT: f64 = 0.02;

impl Noise {
    /// Whether the interval excludes 1.
    pub(super) fn excludes_one(&self) -> bool {
        self.comparison.and_then(|c| c.spread).is_some_and(|s| !s.interval.contains(1.0))
    }

    /// Whether it excludes 1 by more than 2 %: then no difference on this host means anything.
    pub(super) fn condemns(&self) -> bool {
        self.comparison.and_then(|c| c.spread).is_some_and(|s| {
            s.interval.low > 1.0 + NOISE_LIMIT || s.interval.high < 1.0 / (1.0 + NOISE_LIMIT)
        })
    }
}

/// The A/A check, where the design has one.
pub(super) fn noise(results: &Results) -> Option<Noise> {
    let design = &results.plan.design;
    let load = design.aa_check.clone()?;
    // The primary metric where it is a figure of this load; else what a search has found, or the median,
    // which every other load has.
    let baseline = cell(results, &design.baseline, &load)?;
    let metric = if design.primary_load == load {
        design.primary_metric
    } else if baseline.plan.drive.search.is_some() {
        Metric::MaxRate
    } else {
        Metric::ResponseTimeP50
    };
    let question = Question {
        orientation: orientation(metric),
        confidence: NOISE_CONFIDENCE,
        margin: design.margin,
        family: 1,
    };
    let pairs = twin(results, &load)?.pairs(&baseline, metric).unwrap_or_default();
    Some(Noise { load, metric, comparison: compare(results, &pairs, question).ok() })
}

/// All comparisons, by load, variant and metric in the order of the plan.
pub(super) fn comparisons(results: &Results) -> Vec<Compared> {
    let plan = &results.plan;
    let mut all = Vec::new();
    for load in &plan.loads {
        for variant in plan.variants.iter().filter(|v| v.name != plan.design.baseline) {
            for metric in metrics(results, &variant.name, load) {
                all.push(one(results, &variant.name, load, metric));
            }
        }
    }
    adjust(&mut all, Family::Primary, holm);
    adjust(&mut all, Family::Secondary, benjamini_hochberg);
    doubt_exploratory(&mut all, 1.0 - plan.design.confidence);
    all
}

/// What is compared under a load: quantiles, and throughput where the load does not fix it. One user's
/// throughput is the inverse of its latency, and an open load's is the offered rate unless it was not sustained.
fn metrics(results: &Results, variant: &str, load: &str) -> Vec<Metric> {
    let design = &results.plan.design;
    let mut metrics = Vec::new();
    let cell = cell(results, variant, load);
    if cell.as_ref().is_some_and(|cell| cell.plan.drive.search.is_some()) {
        // Each window is driven at a rate of its own: only the rates can be compared.
        metrics = vec![Metric::MaxRate];
    } else if let Some(cell) = cell {
        metrics = vec![Metric::ResponseTimeP50, Metric::ResponseTimeP95, Metric::ResponseTimeP99];
        let throughput_is_free = match cell.plan.drive.model {
            ModelPlan::Closed { users, .. } => users > 1,
            ModelPlan::Open { .. } => cell.is_overloaded(),
        };
        if throughput_is_free {
            metrics.push(Metric::Throughput);
        }
    }
    if load == design.primary_load && !metrics.contains(&design.primary_metric) {
        metrics.insert(0, design.primary_metric);
    }
    metrics
}

fn one(results: &Results, variant: &str, load: &str, metric: Metric) -> Compared {
    let design = &results.plan.design;
    let is_primary = load == design.primary_load && metric == design.primary_metric;
    let family = if is_primary { Family::Primary } else { Family::Secondary };
    let question = Question {
        orientation: orientation(metric),
        confidence: design.confidence,
        margin: design.margin,
        family: if is_primary { primary_family(results) } else { 1 },
    };
    let cells = (cell(results, variant, load), cell(results, &design.baseline, load));
    let (comparison, verdict) = match cells {
        (Some(v), Some(b)) => judge(results, &v, &b, metric, question),
        _ => (None, Verdict::NoVerdict(Why::NotRun)),
    };
    Compared {
        load: load.into(),
        variant: variant.into(),
        metric,
        family,
        comparison,
        p_adjusted: None,
        verdict,
    }
}

/// Comparisons in the primary family, by design and not by outcome.
fn primary_family(results: &Results) -> u32 {
    let plan = &results.plan;
    let others = plan
        .cells
        .iter()
        .filter(|c| c.load == plan.design.primary_load && c.variant != plan.design.baseline);
    u32::try_from(others.count()).unwrap_or(u32::MAX).max(1)
}

/// The ratio is shown wherever it is defined; the words are the first that apply, from the gravest down.
fn judge(
    results: &Results,
    variant: &Cell<'_>,
    baseline: &Cell<'_>,
    metric: Metric,
    question: Question,
) -> (Option<Comparison>, Verdict) {
    if is_latency(metric) && (variant.is_overloaded() || baseline.is_overloaded()) {
        let verdict =
            grave(results, variant, baseline).unwrap_or(Verdict::Withheld(Withheld::Saturated));
        return (None, verdict);
    }
    let pairs = match variant.pairs(baseline, metric) {
        Ok(pairs) => pairs,
        Err(missing) => return (None, no_value(results, variant, baseline, missing)),
    };
    match compare(results, &pairs, question) {
        Ok(comparison) => {
            let moving = is_latency(metric) && (variant.is_unsteady() || baseline.is_unsteady());
            let verdict = grave(results, variant, baseline).unwrap_or_else(|| {
                let verdict = Verdict::of(&comparison);
                // Without a verdict there is nothing to withhold.
                if moving && !matches!(verdict, Verdict::NoVerdict(_)) {
                    Verdict::Withheld(Withheld::NoSteadyState)
                } else {
                    verdict
                }
            });
            (Some(comparison), verdict)
        }
        Err(none) => {
            let verdict = grave(results, variant, baseline)
                .unwrap_or_else(|| Verdict::NoVerdict(none.into()));
            (None, verdict)
        }
    }
}

fn no_value(
    results: &Results,
    variant: &Cell<'_>,
    baseline: &Cell<'_>,
    missing: Missing,
) -> Verdict {
    grave(results, variant, baseline).unwrap_or(Verdict::NoVerdict(missing.why()))
}

/// What forbids a verdict whatever the numbers are.
fn grave(results: &Results, variant: &Cell<'_>, baseline: &Cell<'_>) -> Option<Verdict> {
    if !is_complete(results) {
        Some(Verdict::NoVerdict(Why::Incomplete))
    } else if [variant, baseline].iter().any(|c| is_wrong(results, c)) {
        Some(Verdict::NotComparable(Because::Correctness))
    } else if !variant.plan.drive.arrives_like(&baseline.plan.drive) {
        Some(Verdict::NotComparable(Because::LoadModel))
    } else if noise(results).is_some_and(|n| n.condemns()) {
        Some(Verdict::NoVerdict(Why::HostUnreliable))
    } else {
        None
    }
}

/// Wrong answers or lost counts in a trial, or a captured plan that is not the asserted one.
fn is_wrong(results: &Results, cell: &Cell<'_>) -> bool {
    let planned = explain::as_asserted(results, &cell.plan.variant);
    cell.is_incorrect() || planned == Some(false)
}

fn adjust(all: &mut [Compared], family: Family, method: impl Fn(&[f64]) -> Vec<f64>) {
    let p_of = |c: &Compared| c.comparison.and_then(|c| c.spread).map(|s| s.p_value);
    let mut of_family: Vec<&mut Compared> =
        all.iter_mut().filter(|c| c.family == family && p_of(c).is_some()).collect();
    let p: Vec<f64> = of_family.iter().filter_map(|c| p_of(c)).collect();
    for (compared, adjusted) in of_family.iter_mut().zip(method(&p)) {
        compared.p_adjusted = Some(adjusted);
    }
}

/// An exploratory difference that does not survive the correction for having looked at many is none.
fn doubt_exploratory(all: &mut [Compared], alpha: f64) {
    for compared in all.iter_mut().filter(|c| c.family == Family::Secondary) {
        let is_doubtful =
            !compared.names_no_side() && compared.p_adjusted.is_some_and(|p| p > alpha);
        let spread = compared.comparison.and_then(|c| c.spread);
        if let (true, Some(spread)) = (is_doubtful, spread) {
            compared.verdict = Verdict::Inconclusive {
                detectable: spread.detectable,
                blocks_needed: spread.blocks_needed,
            };
        }
    }
}

impl Compared {
    /// Whether the words name no side, so that a reader wants to know what would have been seen.
    pub(super) fn names_no_side(&self) -> bool {
        !matches!(
            self.verdict,
            Verdict::Faster(_)
                | Verdict::Slower(_)
                | Verdict::SlightlyFaster(_)
                | Verdict::SlightlySlower(_)
        )
    }
}

/// The primary comparison of a variant; none for the baseline.
pub(super) fn primary<'a>(all: &'a [Compared], variant: &str) -> Option<&'a Compared> {
    all.iter().find(|c| c.family == Family::Primary && c.variant == variant)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::{Orientation, Pair, compare};

    /// An exploratory comparison of eight blocks with this mean and standard deviation of the log-ratios.
    fn exploratory(mean: f64, sd: f64) -> Compared {
        let step = sd * (7.0_f64 / 8.0).sqrt();
        let pairs: Vec<Pair> = (1..=8)
            .map(|block| {
                let d = if block % 2 == 0 { mean + step } else { mean - step };
                Pair { block, baseline: 1.0, variant: d.exp() }
            })
            .collect();
        let question = Question {
            orientation: Orientation::LowerIsBetter,
            confidence: 0.95,
            margin: 0.05,
            family: 1,
        };
        let comparison = compare(&pairs, question).expect("pairs");
        Compared {
            load: "l".into(),
            variant: "v".into(),
            metric: Metric::ResponseTimeP99,
            family: Family::Secondary,
            comparison: Some(comparison),
            p_adjusted: None,
            verdict: Verdict::of(&comparison),
        }
    }

    #[test]
    fn one_small_difference_among_many_looks_is_none() {
        // p = 0.03 or so alone; times ten for having looked ten times.
        let mut all = vec![exploratory(0.10, 0.105)];
        assert_eq!(all[0].verdict.word(), "slightly slower");
        all.extend((0..9).map(|_| exploratory(0.001, 0.1)));
        adjust(&mut all, Family::Secondary, benjamini_hochberg);
        doubt_exploratory(&mut all, 0.05);
        assert_eq!(all[0].verdict.word(), "inconclusive");
    }

    #[test]
    fn a_large_difference_among_many_looks_stays() {
        let mut all = vec![exploratory(1.0, 0.1)];
        all.extend((0..9).map(|_| exploratory(0.001, 0.1)));
        adjust(&mut all, Family::Secondary, benjamini_hochberg);
        doubt_exploratory(&mut all, 0.05);
        assert_eq!(all[0].verdict.word(), "slower");
    }
}
