//! Everything that was judged about a run, one by one: what JUnit, annotations and job summaries are made of.

use super::gate::{Gated, Passes, Tier};
use crate::report::{claims, thresholds};
use crate::results::{Outcome, Results};
use crate::stats::Held;

/// Whether a refuted claim is a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claims {
    /// It is.
    Strict,
    /// It is told.
    Told,
}

/// One thing that was judged.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    /// `trials`, `thresholds`, `claims`, or a tier of the gate.
    pub group: &'static str,
    /// What, unique in its group.
    pub name: String,
    /// What became of it.
    pub passes: Passes,
    /// What was found, where it did not pass.
    pub text: String,
    /// The key of the experiment file that it is about.
    pub key: Vec<String>,
}

/// All cases of a run: its trials by cell, its thresholds, its claims, and its gate if it has one.
pub fn cases(results: &Results, gated: Option<&Gated>, strict: Claims) -> Vec<Case> {
    let mut all = of_trials(results);
    all.extend(of_thresholds(results));
    all.extend(of_claims(results, strict));
    all.extend(gated.into_iter().flat_map(of_gate));
    all
}

fn key(parts: &[&str]) -> Vec<String> {
    parts.iter().map(|part| (*part).to_owned()).collect()
}

fn of_trials(results: &Results) -> Vec<Case> {
    let mut all = Vec::new();
    for cell in &results.plan.cells {
        let (variant, load) = (&cell.variant, &cell.load);
        let trials = || results.trials.iter().filter(|t| t.variant == *variant && t.load == *load);
        let failed: Vec<String> = trials()
            .filter_map(|t| match &t.outcome {
                Outcome::Failed(failure) => Some(format!("block {}: {}", t.block, failure.reason)),
                _ => None,
            })
            .collect();
        let passes = match (failed.is_empty(), trials().any(|t| t.outcome.is_valid())) {
            (false, _) => Passes::No,
            (true, true) => Passes::Yes,
            (true, false) => Passes::Unknown,
        };
        let text = if failed.is_empty() { "no trial is valid".into() } else { failed.join("\n") };
        let key = key(&["variants", variant]);
        all.push(Case {
            group: "trials",
            name: format!("{variant} under {load}"),
            passes,
            text,
            key,
        });
    }
    all
}

fn of_thresholds(results: &Results) -> Vec<Case> {
    let position = |limit: &thresholds::Limit| {
        let is_it = |t: &crate::plan::ThresholdPlan| {
            let is_under = limit.load.as_ref().is_none_or(|load| t.loads.contains(load));
            t.metric == limit.metric && t.variants.contains(&limit.variant) && is_under
        };
        results.plan.thresholds.iter().position(is_it).unwrap_or(0).to_string()
    };
    let case = |limit: thresholds::Limit| {
        let under = limit.load.as_ref().map(|load| format!(" under {load}")).unwrap_or_default();
        Case {
            group: "thresholds",
            name: format!(
                "{} of {}{under} is {}",
                limit.metric.name(),
                limit.variant,
                limit.allowed
            ),
            passes: if limit.holds { Passes::Yes } else { Passes::No },
            text: limit.line(),
            key: key(&["thresholds", &position(&limit)]),
        }
    };
    thresholds::judge(results).into_iter().map(case).collect()
}

fn of_claims(results: &Results, strict: Claims) -> Vec<Case> {
    let case = |(n, judged): (usize, claims::Judged<'_>)| {
        let passes = match (judged.held, strict) {
            (Held::Supported, _) => Passes::Yes,
            (Held::Refuted, Claims::Strict) => Passes::No,
            (Held::Refuted | Held::Inconclusive, _) => Passes::Unknown,
        };
        let (claimed, measured) = (judged.claimed(), judged.measured());
        let word = judged.held.word();
        Case {
            group: "claims",
            name: judged.claim.id.clone(),
            passes,
            text: format!("{word}: claimed {claimed}, measured {measured}: {}", judged.claim.text),
            key: key(&["claims", &n.to_string()]),
        }
    };
    claims::judge(results).into_iter().enumerate().map(case).collect()
}

fn of_gate(gated: &Gated) -> Vec<Case> {
    let case = |(n, judged): (usize, &super::gate::Judgement)| {
        let (group, key_of_tier) = match judged.tier {
            Tier::Answers => ("gate answers", key(&["regression"])),
            Tier::Structure => ("gate structure", key(&["regression", "structure"])),
            Tier::Timing => ("gate timing", key(&["regression", "ratios"])),
        };
        let key = match (&judged.of, judged.passes) {
            (Some((variant, _)), Passes::No) => key(&["variants", variant]),
            _ => key_of_tier,
        };
        // Figures differ from run to run; a name should not.
        let what = judged.text.split([':', ',']).next().unwrap_or(&judged.text);
        let name = if judged.of.is_some() { what.to_owned() } else { format!("{what} ({n})") };
        Case { group, name, passes: judged.passes, text: judged.text.clone(), key }
    };
    gated.judgements.iter().enumerate().map(case).collect()
}

impl Case {
    /// One line: group and finding.
    pub fn line(&self) -> String {
        format!("{}: {}", self.group, self.text.replace('\n', "; "))
    }
}
