//! Thresholds: absolute limits, judged by the mean over the blocks.
//!
//! What could not be measured does not hold: a limit on p99 that too few samples reach is not kept by silence.

use super::cells::{cell, data_value, is_complete};
use super::values::{name, show};
use crate::plan::ThresholdPlan;
use crate::results::Results;
use crate::spec::Metric;

/// One limit of one cell (or of one variant's data), judged.
#[derive(Debug, Clone)]
pub(super) struct Limit {
    /// The metric.
    pub(super) metric: Metric,
    /// The variant.
    pub(super) variant: String,
    /// The load; none for metrics of data.
    pub(super) load: Option<String>,
    /// `at most 0.100%`.
    pub(super) allowed: String,
    /// What was measured.
    pub(super) measured: String,
    /// Whether it holds.
    pub(super) holds: bool,
}

impl Limit {
    /// One line: what, where, measured, limit.
    pub(super) fn line(&self) -> String {
        let under = self.load.as_ref().map(|l| format!(" under {l}")).unwrap_or_default();
        let what = name(self.metric);
        format!("{what} of {}{under}: {}, limit {}", self.variant, self.measured, self.allowed)
    }
}

/// All limits, in the order of the file.
pub(super) fn judge(results: &Results) -> Vec<Limit> {
    let mut all = Vec::new();
    for threshold in &results.plan.thresholds {
        for variant in &threshold.variants {
            if threshold.metric.is_of_data() {
                let value = data_value(results, threshold.metric, variant)
                    .ok_or_else(|| "not recorded".to_owned());
                all.push(limit(threshold, variant, None, value));
                continue;
            }
            for load in &threshold.loads {
                let Some(cell) = cell(results, variant, load) else { continue };
                // An interrupted run has not failed what it never came to.
                if !is_complete(results) && cell.trials.is_empty() {
                    continue;
                }
                // Errors are pooled: the mean of ratios of trials of different length is nobody's error ratio.
                let sums = cell.sums();
                let value = match threshold.metric {
                    Metric::ErrorRatio if sums.due > 0 => Ok(sums.failed as f64 / sums.due as f64),
                    metric => {
                        cell.value(metric).map(|e| e.mean).map_err(super::values::Missing::text)
                    }
                };
                all.push(limit(threshold, variant, Some(load), value));
            }
        }
    }
    all
}

fn limit(
    threshold: &ThresholdPlan,
    variant: &str,
    load: Option<&String>,
    value: Result<f64, String>,
) -> Limit {
    let metric = threshold.metric;
    let allowed = match (threshold.min, threshold.max) {
        (Some(min), Some(max)) => format!("{} to {}", show(metric, min), show(metric, max)),
        (Some(min), None) => format!("at least {}", show(metric, min)),
        (None, Some(max)) => format!("at most {}", show(metric, max)),
        (None, None) => "none".into(),
    };
    let holds = value.as_ref().is_ok_and(|value| {
        threshold.min.is_none_or(|min| *value >= min)
            && threshold.max.is_none_or(|max| *value <= max)
    });
    Limit {
        metric,
        variant: variant.into(),
        load: load.cloned(),
        allowed,
        measured: value.map_or_else(|reason| reason, |value| show(metric, value)),
        holds,
    }
}
