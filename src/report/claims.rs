//! Claims: sentences of a document beside what was measured.

use super::cells::{cell, compare, data_value, is_complete};
use super::compared::noise;
use super::values::{Missing, is_latency, orientation, scale, show};
use crate::plan::ClaimPlan;
use crate::results::Results;
use crate::spec::Metric;
use crate::stats::{Estimate, FEWEST_BLOCKS, Held, Interval, Question, Scale, Why, hold};
use crate::units::sig3;

/// A claim, judged.
#[derive(Debug, Clone)]
pub(super) struct Judged<'a> {
    /// The claim.
    pub(super) claim: &'a ClaimPlan,
    /// What was measured: the value, or the ratio where there is a `vs`.
    pub(super) measured: Option<Estimate>,
    /// What became of it.
    pub(super) held: Held,
    /// Why it is inconclusive, where not because of the interval.
    pub(super) reason: Option<String>,
}

/// How many claims are what.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Their interval is within what they say.
    pub supported: u32,
    /// It is outside.
    pub refuted: u32,
    /// Neither, or not measured well enough to say.
    pub inconclusive: u32,
}

impl Counts {
    /// Counts them.
    pub(super) fn of(judged: &[Judged<'_>]) -> Self {
        let mut counts = Self::default();
        for j in judged {
            match j.held {
                Held::Supported => counts.supported += 1,
                Held::Refuted => counts.refuted += 1,
                Held::Inconclusive => counts.inconclusive += 1,
            }
        }
        counts
    }
}

/// All claims, in the order of the file.
pub(super) fn judge(results: &Results) -> Vec<Judged<'_>> {
    results.plan.claims.iter().map(|claim| judge_one(results, claim)).collect()
}

fn judge_one<'a>(results: &'a Results, claim: &'a ClaimPlan) -> Judged<'a> {
    let measured =
        if claim.metric.is_of_data() { of_data(results, claim) } else { of_trials(results, claim) };
    let (measured, reason) = match measured {
        Ok(measured) => (Some(measured), doubt(results, claim, &measured)),
        Err(reason) => (None, Some(reason)),
    };
    let held = match (&measured, &reason) {
        (Some(Estimate { interval: Some(interval), .. }), None) => {
            hold(*interval, claim.low, claim.high)
        }
        _ => Held::Inconclusive,
    };
    Judged { claim, measured, held, reason }
}

/// One number decides by itself: a size has no noise, and of a build there is one.
fn of_data(results: &Results, claim: &ClaimPlan) -> Result<Estimate, String> {
    let value = |variant: &str| {
        data_value(results, claim.metric, variant)
            .ok_or_else(|| format!("not recorded of {variant}"))
    };
    let mut mean = value(&claim.variant)?;
    if let Some(vs) = &claim.vs {
        let other = value(vs)?;
        if other <= 0.0 {
            return Err(format!("{vs} has none: a ratio is not defined"));
        }
        mean /= other;
    }
    Ok(Estimate { n: 1, mean, interval: Some(Interval { low: mean, high: mean }) })
}

fn of_trials(results: &Results, claim: &ClaimPlan) -> Result<Estimate, String> {
    let load = claim.load.as_deref().ok_or("the claim names no load")?;
    let of = |variant: &str| {
        cell(results, variant, load).ok_or_else(|| format!("{variant} is not run under {load}"))
    };
    let variant = of(&claim.variant)?;
    let says = |missing: Missing| format!("no value: {}", missing.text());
    let Some(vs) = &claim.vs else {
        if variant.is_incorrect() {
            return Err("a trial failed its checks".into());
        }
        return variant.value(claim.metric).map_err(says);
    };
    let baseline = of(vs)?;
    if variant.is_incorrect() || baseline.is_incorrect() {
        return Err("a trial failed its checks".into());
    }
    if is_latency(claim.metric) && (variant.is_overloaded() || baseline.is_overloaded()) {
        return Err(says(Missing::Saturated));
    }
    if !variant.plan.drive.arrives_like(&baseline.plan.drive) {
        return Err("driven by different load models".into());
    }
    let pairs = variant.pairs(&baseline, claim.metric).map_err(says)?;
    let design = &results.plan.design;
    let question = Question {
        orientation: orientation(claim.metric),
        confidence: design.confidence,
        margin: design.margin,
        family: 1,
    };
    let ratio = compare(results, &pairs, question).map_err(|none| Why::from(none).text())?;
    Ok(Estimate { n: ratio.n, mean: ratio.ratio, interval: ratio.spread.map(|s| s.interval) })
}

/// Why a measured value decides nothing; never because of what the value is.
fn doubt(results: &Results, claim: &ClaimPlan, measured: &Estimate) -> Option<String> {
    if claim.metric.is_of_data() {
        None
    } else if !is_complete(results) {
        Some(Why::Incomplete.text())
    } else if measured.n < FEWEST_BLOCKS {
        Some(Why::FewBlocks { valid: measured.n }.text())
    } else if claim.vs.is_some() && noise(results).is_some_and(|n| n.condemns()) {
        Some(Why::HostUnreliable.text())
    } else {
        None
    }
}

impl Judged<'_> {
    /// What the claim says, as limits.
    pub(super) fn claimed(&self) -> String {
        let c = self.claim;
        match (c.low.map(|x| self.one(x)), c.high.map(|x| self.one(x))) {
            (Some(low), Some(high)) => format!("{low} to {high}"),
            (Some(low), None) => format!("at least {low}"),
            (None, Some(high)) => format!("at most {high}"),
            (None, None) => "anything".into(),
        }
    }

    /// What was measured, with its interval.
    pub(super) fn measured(&self) -> String {
        let mut text = match &self.measured {
            None => String::new(),
            Some(Estimate { mean, interval: None, .. }) => self.one(*mean),
            Some(_) if self.claim.metric == Metric::IndexBuildTime => {
                format!("{} (one build)", self.one(self.measured.map_or(0.0, |m| m.mean)))
            }
            Some(Estimate { mean, .. }) if self.claim.metric.is_of_data() => self.one(*mean),
            Some(Estimate { mean, interval: Some(i), n }) => {
                format!("{} ({} to {}, n={n})", self.one(*mean), self.one(i.low), self.one(i.high))
            }
        };
        if let Some(reason) = &self.reason {
            if !text.is_empty() {
                text.push_str("; ");
            }
            text.push_str(reason);
        }
        text
    }

    fn one(&self, x: f64) -> String {
        let plain = scale(self.claim.metric) == Scale::Linear && x == 0.0;
        if self.claim.vs.is_some() {
            format!("{}x", sig3(x))
        } else if plain {
            "0".into()
        } else {
            show(self.claim.metric, x)
        }
    }
}
