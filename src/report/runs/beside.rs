//! `querylab compare`: two runs beside each other, as text for people and as an object for programs.

use std::fmt::Write as _;

use serde::Serialize;

use super::{apart, moved, structure};
use crate::plan::ModelPlan;
use crate::report::cells::{cell, is_complete};
use crate::report::compared::noise;
use crate::report::values::{is_latency, name, orientation, show};
use crate::results::Results;
use crate::spec::Metric;
use crate::stats::{Because, Comparison, Question, Verdict, Why, Withheld, compare_runs};
use crate::units::{Share, share, sig3};

/// What was found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Beside {
    /// The runs.
    pub runs: [String; 2],
    /// Why they can't be compared; none where they can.
    pub apart: Vec<String>,
    /// What a reader should know.
    pub remarks: Vec<String>,
    /// What ought to be exact and changed, a line each.
    pub structure_changed: Vec<String>,
    /// Exact figures that were compared.
    pub structure_compared: usize,
    /// Variants under loads.
    pub cells: Vec<CellBeside>,
}

/// One variant under one load, by one metric.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CellBeside {
    /// The variant.
    pub variant: String,
    /// The load.
    pub load: String,
    /// The metric.
    pub metric: String,
    /// Its value in both runs, with units; none where it has none.
    pub values: [Option<String>; 2],
    /// Its ratio to the baseline of its own run, in both; none of the baseline.
    pub ratios: [Option<f64>; 2],
    /// The later ratio over the earlier one.
    pub change: Option<f64>,
    /// Its interval, adjusted for the family.
    pub interval: Option<[f64; 2]>,
    /// Of that interval: 0.95 for 95 %.
    pub confidence: f64,
    /// The verdict in words; none of the baseline, which has nothing to be held against.
    pub verdict: Option<String>,
    /// The verdict's word alone.
    pub word: Option<&'static str>,
}

/// Holds the second run against the first.
pub fn beside(a: &Results, b: &Results) -> Beside {
    let apart = apart::reasons(a, b);
    let exact = structure::exact(a, b, 0.02);
    let mut cells = Vec::new();
    for load in a.plan.loads.iter().filter(|load| b.plan.loads.contains(load)) {
        for variant in a.plan.variants.iter().map(|v| v.name.as_str()) {
            for metric in metrics(a, load) {
                cells.extend(one((a, b), variant, load, metric, apart.is_empty()));
            }
        }
    }
    Beside {
        runs: [a.manifest.run.run.clone(), b.manifest.run.run.clone()],
        remarks: apart::remarks(a, b),
        structure_compared: exact.len(),
        structure_changed: exact
            .iter()
            .filter(|e| e.is_changed())
            .map(structure::Exact::line)
            .collect(),
        apart,
        cells,
    }
}

/// The primary metric under its load, medians and throughput under the others.
fn metrics(results: &Results, load: &str) -> Vec<Metric> {
    let design = &results.plan.design;
    if design.primary_load == load {
        return vec![design.primary_metric];
    }
    let cells = || results.plan.cells.iter().filter(|c| c.load == load);
    if cells().any(|c| c.drive.search.is_some()) {
        vec![Metric::MaxRate]
    } else if cells().any(|c| matches!(c.drive.model, ModelPlan::Open { .. })) {
        // Its throughput is what it offers.
        vec![Metric::ResponseTimeP50]
    } else {
        vec![Metric::ResponseTimeP50, Metric::Throughput]
    }
}

fn one(
    (a, b): (&Results, &Results),
    variant: &str,
    load: &str,
    metric: Metric,
    may_judge: bool,
) -> Option<CellBeside> {
    let (old, new) = (cell(a, variant, load)?, cell(b, variant, load)?);
    let value = |of: Result<crate::stats::Estimate, _>| of.ok().map(|e| show(metric, e.mean));
    let mut found = CellBeside {
        variant: variant.into(),
        load: load.into(),
        metric: metric.name().into(),
        values: [value(old.value(metric)), value(new.value(metric))],
        ratios: [None, None],
        change: None,
        interval: None,
        confidence: a.plan.design.confidence,
        verdict: None,
        word: None,
    };
    let is_baseline = |r: &Results| r.plan.design.baseline == variant;
    if is_baseline(a) || is_baseline(b) {
        return Some(found);
    }
    let ratios = |r: &Results| moved::log_ratios(r, variant, load, metric);
    let (before, after) = match (ratios(a), ratios(b)) {
        (Ok(before), Ok(after)) => (before, after),
        (Err(why), _) | (_, Err(why)) => {
            let none = Verdict::NoVerdict(Why::Undefined).word();
            found.verdict = may_judge.then(|| format!("**{none}**: {why}"));
            found.word = may_judge.then_some(none);
            return Some(found);
        }
    };
    let mean = |of: &[crate::stats::OfBlock]| {
        (of.iter().map(|(_, x)| x).sum::<f64>() / of.len() as f64).exp()
    };
    found.ratios = [Some(mean(&before)), Some(mean(&after))];
    let design = &a.plan.design;
    let question = Question {
        orientation: orientation(metric),
        confidence: design.confidence,
        margin: design.margin,
        family: family(a, b, load, metric),
    };
    let compared = compare_runs(&before, &after, question).ok();
    found.change = compared.map(|c| c.ratio);
    found.interval = compared.and_then(|c| c.spread).map(|s| [s.adjusted.low, s.adjusted.high]);
    if may_judge {
        // Within a run the processors are a factor; between runs they are another load.
        let same_load = old.plan.drive.arrives_like(&new.plan.drive)
            && old.plan.drive.processors == new.plan.drive.processors;
        let moving = is_latency(metric) && [a, b].iter().any(|r| is_moving(r, variant, load));
        let mut verdict = verdict((a, b), same_load, compared.as_ref());
        if moving && !matches!(verdict, Verdict::NoVerdict(_) | Verdict::NotComparable(_)) {
            verdict = Verdict::Withheld(Withheld::NoSteadyState);
        }
        found.word = Some(verdict.word());
        found.verdict = Some(verdict.text());
    }
    Some(found)
}

/// Variants beside the baseline under the load by which verdicts are corrected; elsewhere each stands for itself.
fn family(a: &Results, b: &Results, load: &str, metric: Metric) -> u32 {
    let design = &a.plan.design;
    if design.primary_load != load || design.primary_metric != metric {
        return 1;
    }
    let others = a.plan.variants.iter().filter(|v| {
        v.name != design.baseline
            && cell(a, &v.name, load).is_some()
            && cell(b, &v.name, load).is_some()
    });
    u32::try_from(others.count()).unwrap_or(u32::MAX).max(1)
}

/// Whether the variant, or what it is held against, still moved in its windows.
fn is_moving(results: &Results, variant: &str, load: &str) -> bool {
    let of = [variant, results.plan.design.baseline.as_str()];
    of.iter().any(|variant| cell(results, variant, load).is_some_and(|cell| cell.is_unsteady()))
}

fn verdict(
    (a, b): (&Results, &Results),
    same_load: bool,
    compared: Option<&Comparison>,
) -> Verdict {
    let both = [a, b];
    if both.iter().any(|r| !is_complete(r)) {
        Verdict::NoVerdict(Why::Incomplete)
    } else if !same_load {
        Verdict::NotComparable(Because::LoadModel)
    } else if both.iter().any(|r| noise(r).is_some_and(|n| n.condemns())) {
        Verdict::NoVerdict(Why::HostUnreliable)
    } else {
        compared.map_or(Verdict::NoVerdict(Why::FewBlocks { valid: 0 }), Verdict::of)
    }
}

impl Beside {
    /// Markdown.
    pub fn text(&self) -> String {
        let mut text = String::new();
        let [a, b] = &self.runs;
        line(&mut text, &format!("# {a} and {b}\n"));
        for why in &self.apart {
            line(&mut text, &format!("- apart: {why}"));
        }
        for remark in &self.remarks {
            line(&mut text, &format!("- {remark}"));
        }
        if !self.apart.is_empty() {
            line(
                &mut text,
                "\nWhat is apart is not judged: the figures are told, and nothing follows from them.",
            );
        }
        let (changed, all) = (self.structure_changed.len(), self.structure_compared);
        line(&mut text, &format!("\n## What is exact: {changed} of {all} figures changed\n"));
        for changed in &self.structure_changed {
            line(&mut text, &format!("- {changed}"));
        }
        if changed > 0 {
            text.push('\n');
        }
        line(&mut text, "## What was measured\n");
        line(
            &mut text,
            "Each variant's ratio to the baseline of its own run, and how that moved. Values themselves belong to their hour.\n",
        );
        line(
            &mut text,
            "| load | variant | metric | first | second | ratio first | ratio second | moved | verdict |",
        );
        line(&mut text, "|---|---|---|---|---|---|---|---|---|");
        for cell in &self.cells {
            line(&mut text, &cell.row());
        }
        text
    }
}

/// A String takes all.
fn line(text: &mut String, more: &str) {
    writeln!(text, "{more}").unwrap_or_default();
}

impl CellBeside {
    fn row(&self) -> String {
        let value = |v: &Option<String>| v.clone().unwrap_or_else(|| "n/a".into());
        let ratio = |r: Option<f64>| r.map_or_else(|| "–".to_owned(), |r| format!("{}x", sig3(r)));
        let moved = match (self.change, self.interval) {
            (Some(change), Some([low, high])) => {
                let percent = share((change - 1.0).abs());
                let sign = if change < 1.0 { "−" } else { "+" };
                let sure = Share(self.confidence);
                format!("{sign}{percent} ({sure} CI {}x to {}x)", sig3(low), sig3(high))
            }
            _ => "–".into(),
        };
        let metric = Metric::ALL.into_iter().find(|m| m.name() == self.metric).map(name);
        format!(
            "| {} | {} | {} | {} | {} | {} | {} | {moved} | {} |",
            self.load,
            self.variant,
            metric.unwrap_or_default(),
            value(&self.values[0]),
            value(&self.values[1]),
            ratio(self.ratios[0]),
            ratio(self.ratios[1]),
            self.verdict.as_deref().unwrap_or("–"),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture::results;

    /// Every variant of that name this much slower.
    fn slower(variant: &str, factor: f64) -> Results {
        let mut results = results();
        for trial in results.trials.iter_mut().filter(|t| t.variant == variant) {
            let Some(window) = &mut trial.window else { continue };
            window.response_time.p50_us = window.response_time.p50_us.map(|x| x * factor);
        }
        results
    }

    fn word(found: &Beside, variant: &str, load: &str) -> Option<&'static str> {
        found.cells.iter().find(|c| c.variant == variant && c.load == load)?.word
    }

    #[test]
    fn a_slower_variant_is_slower_and_the_others_are_not() {
        let found = beside(&results(), &slower("cached", 1.3));
        assert_eq!(word(&found, "cached", "unloaded"), Some("slower"));
        assert_eq!(word(&found, "partial", "unloaded"), Some("no relevant difference"));
        assert_eq!(word(&found, "btree", "unloaded"), None, "the baseline");
        assert!(found.structure_changed.is_empty() && found.structure_compared > 40);
        insta::assert_snapshot!(found.text());
    }

    #[test]
    fn a_machine_that_is_slower_as_a_whole_moves_no_ratio() {
        let mut other = results();
        for window in other.trials.iter_mut().filter_map(|t| t.window.as_mut()) {
            window.response_time.p50_us = window.response_time.p50_us.map(|x| x * 1.5);
        }
        let found = beside(&results(), &other);
        let p50 = |c: &&CellBeside| c.metric == "response_time_p50" && c.change.is_some();
        assert!(found.cells.iter().filter(p50).count() > 5);
        for cell in found.cells.iter().filter(p50) {
            assert!((cell.change.unwrap_or(0.0) - 1.0).abs() < 1e-9, "{cell:?}");
        }
    }

    #[test]
    fn runs_that_are_apart_have_figures_and_no_verdict() {
        let mut other = slower("cached", 1.3);
        other.manifest.host.insert("cpu".into(), "another".into());
        let found = beside(&results(), &other);
        assert_eq!(found.apart.len(), 1);
        assert!(found.cells.iter().all(|c| c.verdict.is_none()));
        assert!(found.cells.iter().any(|c| c.change.is_some()));
    }

    #[test]
    fn figures_that_still_moved_have_no_word_for_their_difference() {
        let mut other = slower("cached", 1.3);
        for trial in other.trials.iter_mut().filter(|t| t.variant == "cached") {
            trial.notes.push(crate::results::UNSTEADY.into());
        }
        let found = beside(&results(), &other);
        assert_eq!(word(&found, "cached", "unloaded"), Some("(no steady state)"));
        assert_eq!(word(&found, "partial", "unloaded"), Some("no relevant difference"));
    }

    #[test]
    fn an_incomplete_run_has_no_verdict() {
        let mut other = results();
        other.manifest.run.state = crate::results::State::Interrupted;
        let found = beside(&results(), &other);
        assert_eq!(word(&found, "cached", "unloaded"), Some("no verdict"));
    }
}
