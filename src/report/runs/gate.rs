//! Gates: a run held against a kept one, in tiers from what is certain to what is measured.
//!
//! Answers first; then structure, which is the same on any machine; then times, only as ratios to the baseline of the same
//! run. What a tier can't tell is inconclusive, with the reason, and never passed in silence.

use serde::Serialize;

use super::looks::{self, CONFIRMED_FROM};
use super::{apart, moved, structure};
use crate::plan::RegressionPlan;
use crate::report::cells::{Cell, cell, is_complete};
use crate::report::compared::noise;
use crate::report::values::{name, orientation};
use crate::results::{Look, Results};
use crate::spec::Metric;
use crate::stats::{FEWEST_BLOCKS, OfBlock, Orientation, Shift, holm, none_in, shift};
use crate::units::{Share, share, sig3};

/// The share of errors may rise by so much.
const ERRORS: f64 = 0.001;
/// Blocks of the twin that scatter more than this are of a machine on which times mean nothing.
const SCATTER: f64 = 0.08;

/// What is judged, from the certain to the measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tier {
    /// Answers, plans and accounts of the run itself; the share of errors.
    Answers,
    /// What is exact on any machine.
    Structure,
    /// Ratios to the baseline.
    Timing,
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Passes {
    /// It holds.
    Yes,
    /// It can't be told.
    Unknown,
    /// It does not hold.
    No,
}

/// One thing that was judged.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Judgement {
    /// Of which tier.
    pub tier: Tier,
    /// What became of it.
    pub passes: Passes,
    /// What, with its figures.
    pub text: String,
    /// Variant and load, where it is of one.
    pub of: Option<(String, Option<String>)>,
    /// Whether more blocks could tell.
    pub more_would_tell: bool,
}

/// What became of a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Gated {
    /// In the order of the tiers.
    pub judgements: Vec<Judgement>,
}

impl Gated {
    /// The gravest of them.
    pub fn passes(&self) -> Passes {
        self.judgements.iter().map(|j| j.passes).max().unwrap_or(Passes::Unknown)
    }

    /// Those that are so.
    pub fn of(&self, passes: Passes) -> impl Iterator<Item = &Judgement> {
        self.judgements.iter().filter(move |j| j.passes == passes)
    }

    /// The same where the second look came to nothing: what only that could have confirmed can't be told.
    #[must_use]
    pub fn unconfirmed(mut self) -> Self {
        for judged in self.judgements.iter_mut().filter(|j| j.more_would_tell) {
            if judged.passes == Passes::No {
                judged.passes = Passes::Unknown;
                judged.text.push_str(": it could not be measured once more");
            }
        }
        self
    }

    /// Variants and loads whose times are to be measured once more before anything is said of them.
    pub fn to_confirm(&self) -> Vec<(String, String)> {
        let open = self.judgements.iter().filter(|j| j.more_would_tell && j.passes != Passes::Yes);
        open.filter_map(|j| j.of.clone()).filter_map(|(v, l)| Some((v, l?))).collect()
    }
}

/// Holds a run against a kept one; `confirmed` is a second run of what the first look did not pass.
pub fn gate(
    now: &Results,
    kept: &Results,
    confirmed: Option<&Results>,
    limits: &RegressionPlan,
) -> Gated {
    gate_again((now, kept, confirmed), &[], limits)
}

/// The same together with what earlier runs of the same code have measured: running again until it passes does not work.
pub fn gate_again(
    (now, kept, confirmed): (&Results, &Results, Option<&Results>),
    earlier: &[Look],
    limits: &RegressionPlan,
) -> Gated {
    let mut judgements = unfinished(now, kept);
    judgements.extend(answers(now, kept));
    if let Some(tolerance) = limits.structure {
        judgements.extend(of_structure(now, kept, tolerance));
    }
    if !limits.ratios.is_empty() {
        judgements.extend(timing((now, kept, confirmed, earlier), limits));
    }
    Gated { judgements }
}

fn judged(tier: Tier, passes: Passes, text: String) -> Judgement {
    Judgement { tier, passes, text, of: None, more_would_tell: false }
}

/// A run that was stopped has not measured what it was to measure.
fn unfinished(now: &Results, kept: &Results) -> Vec<Judgement> {
    let both = [(now, "this run"), (kept, "the kept run")].into_iter();
    let text = both
        .filter(|(run, _)| !is_complete(run))
        .map(|(_, which)| format!("{which} is not complete"));
    text.map(|text| judged(Tier::Answers, Passes::Unknown, text)).collect()
}

fn answers(now: &Results, kept: &Results) -> Vec<Judgement> {
    let mut all = Vec::new();
    for plan in &now.plan.cells {
        let (variant, load) = (plan.variant.as_str(), plan.load.as_str());
        let Some(own) = cell(now, variant, load) else { continue };
        let what = format!("{variant} under {load}");
        let (passes, text) = if own.is_incorrect() {
            (Passes::No, format!("{what}: a trial failed its checks"))
        } else if own.valid().is_empty() {
            (Passes::Unknown, format!("{what}: no trial of it is valid"))
        } else {
            errors(&what, &own, cell(kept, variant, load).as_ref())
        };
        let of = Some((variant.to_owned(), Some(load.to_owned())));
        all.push(Judgement { of, ..judged(Tier::Answers, passes, text) });
    }
    // That nothing was found where nothing was measured says nothing.
    all.extend(apart::cells(kept, now).into_iter().map(|(variant, load)| {
        let text = format!("{variant} under {load}: in the kept run, and not in this one");
        Judgement {
            of: Some((variant, Some(load))),
            ..judged(Tier::Answers, Passes::Unknown, text)
        }
    }));
    all
}

/// Errors that the kept run had not.
fn errors(what: &str, now: &Cell<'_>, kept: Option<&Cell<'_>>) -> (Passes, String) {
    let ratio = |cell: &Cell<'_>| {
        let sums = cell.sums();
        if sums.due == 0 { 0.0 } else { sums.failed as f64 / sums.due as f64 }
    };
    let failed = ratio(now);
    let Some(kept) = kept.filter(|kept| !kept.valid().is_empty()) else {
        return (Passes::Yes, format!("{what}: right answers, {} errors", share(failed)));
    };
    // Neither run knows a share that it had too few requests to see.
    let unseen = none_in(kept.sums().due).max(none_in(now.sums().due));
    let allowed = ratio(kept).max(unseen) + ERRORS;
    if failed <= allowed && now.is_overloaded() && !kept.is_overloaded() {
        return (Passes::Unknown, format!("{what}: requests were dropped, none in the kept run"));
    }
    let passes = if failed > allowed { Passes::No } else { Passes::Yes };
    let (now, then) = (share(failed), share(ratio(kept)));
    (passes, format!("{what}: right answers, {now} errors, was {then}"))
}

fn of_structure(now: &Results, kept: &Results, tolerance: f64) -> Vec<Judgement> {
    let other = apart::data(kept, now);
    if !other.is_empty() {
        let text = format!("not held against the kept run: {}", other.join("; "));
        return vec![judged(Tier::Structure, Passes::Unknown, text)];
    }
    let exact = structure::exact(kept, now, tolerance);
    if exact.is_empty() {
        let text = "the kept run and this one have no figure in common".to_owned();
        return vec![judged(Tier::Structure, Passes::Unknown, text)];
    }
    let judge = |e: &structure::Exact| Judgement {
        of: Some((e.variant.clone(), e.load.clone())),
        ..judged(Tier::Structure, e.change.passes(), e.line())
    };
    exact.iter().map(judge).collect()
}

/// This run, the kept one, what was measured once more, and what earlier runs had measured.
type Runs<'a> = (&'a Results, &'a Results, Option<&'a Results>, &'a [Look]);

/// One ratio, before it is judged with its family.
struct Moved<'a> {
    variant: &'a str,
    load: &'a str,
    metric: Metric,
    tolerance: f64,
    /// Up is worse.
    worse: Shift,
}

fn timing(runs: Runs<'_>, limits: &RegressionPlan) -> Vec<Judgement> {
    if let Some(why) = untold(runs) {
        return vec![judged(Tier::Timing, Passes::Unknown, why)];
    }
    let (now, kept, _, earlier) = runs;
    let mut moved: Vec<Moved<'_>> = Vec::new();
    let mut all = Vec::new();
    let baseline = now.plan.design.baseline.as_str();
    let variants = || now.plan.variants.iter().map(|v| v.name.as_str());
    for (metric, tolerance) in &limits.ratios {
        for load in &now.plan.loads {
            let from = moved.len();
            for variant in variants().filter(|variant| *variant != baseline) {
                match ratio(runs, (variant, load), *metric) {
                    Ok(Some(worse)) => {
                        let (metric, tolerance) = (*metric, *tolerance);
                        moved.push(Moved { variant, load, metric, tolerance, worse });
                    }
                    Ok(None) => {}
                    Err(why) => {
                        let text = format!("{} of {variant} under {load}: {why}", name(*metric));
                        let of = Some((variant.to_owned(), Some(load.clone())));
                        all.push(Judgement { of, ..judged(Tier::Timing, Passes::Unknown, text) });
                    }
                }
            }
            all.extend(lost_by_the_baseline(&moved[from..], baseline, earlier));
        }
    }
    let p: Vec<f64> = moved.iter().map(|m| m.worse.p_above(m.tolerance.ln_1p())).collect();
    let elsewhere = !apart::machines(kept, now).is_empty();
    all.extend(moved.iter().zip(holm(&p)).map(|(m, p)| m.judge(p, elsewhere, earlier)));
    if all.is_empty() {
        let text = "no ratio to the baseline is in both runs".to_owned();
        all.push(judged(Tier::Timing, Passes::Unknown, text));
    }
    all
}

/// Why no ratio of these runs means anything.
fn untold((now, kept, confirmed, _): Runs<'_>) -> Option<String> {
    let both = [(now, "this run"), (kept, "the kept run")];
    for (results, which) in both {
        let blocks = results.blocks_run();
        if blocks < FEWEST_BLOCKS {
            return Some(format!(
                "{FEWEST_BLOCKS} blocks is the minimum for a 95% interval: {which} has {blocks}"
            ));
        }
    }
    let again = confirmed.map(|again| (again, "the second look"));
    let mut all = both.into_iter().chain(again);
    if let Some(why) = all.find_map(|(results, which)| unreliable(results, which)) {
        return Some(why);
    }
    let mut other = apart::data(kept, now);
    other.extend(apart::baseline(kept, now));
    (!other.is_empty()).then(|| format!("not held against the kept run: {}", other.join("; ")))
}

/// What a run's A/A check says against its machine.
pub(super) fn unreliable(results: &Results, which: &str) -> Option<String> {
    let noise = noise(results)?;
    if noise.condemns() {
        return Some(format!("host unreliable: the A/A check of {which} found a difference"));
    }
    let scatter = noise.comparison.and_then(|c| c.spread).map_or(0.0, |s| s.sd_log);
    (scatter > SCATTER).then(|| {
        let scatter = share(scatter);
        format!("host unreliable: the A/A check of {which} scatters by {scatter} a block")
    })
}

/// How far the ratio moved, up being worse; none where not both runs have such a cell, or neither has such a figure.
fn ratio(
    runs: Runs<'_>,
    (variant, load): (&str, &str),
    metric: Metric,
) -> Result<Option<Shift>, String> {
    let (now, kept, ..) = runs;
    let both = (cell(now, variant, load), cell(kept, variant, load));
    let (Some(new), Some(old)) = both else { return Ok(None) };
    let Some((before, after)) = samples(runs, (variant, load), metric)? else { return Ok(None) };
    apart::processors(kept, now, (variant, load)).map_or(Ok(()), Err)?;
    if !old.plan.drive.arrives_like(&new.plan.drive) {
        return Err("driven by another load than in the kept run".into());
    }
    // Blocks that were begun are no pairs: their trials may be void.
    let fewest = before.len().min(after.len());
    if fewest < FEWEST_BLOCKS {
        return Err(format!("{fewest} valid pairs, {FEWEST_BLOCKS} are needed"));
    }
    let values = |of: &[OfBlock]| of.iter().map(|(_, x)| *x).collect::<Vec<f64>>();
    let moved = shift(&values(&before), &values(&after)).ok_or("a ratio is not finite")?;
    let is_lower = orientation(metric) == Orientation::LowerIsBetter;
    Ok(Some(if is_lower { moved } else { moved.inverted() }))
}

type Samples = (Vec<OfBlock>, Vec<OfBlock>);

/// Log-ratios of the kept run and of this one; none where neither has any.
fn samples(
    (now, kept, confirmed, earlier): Runs<'_>,
    (variant, load): (&str, &str),
    metric: Metric,
) -> Result<Option<Samples>, String> {
    let ratios = |results: &Results| moved::log_ratios(results, variant, load, metric);
    let before = match ratios(kept) {
        Ok(before) => before,
        // A figure that this load does not have.
        Err(_) if ratios(now).is_err() => return Ok(None),
        Err(why) => return Err(format!("the kept run has none: {why}")),
    };
    let mut after = ratios(now)?;
    if let Some(again) = confirmed.filter(|again| cell(again, variant, load).is_some()) {
        let more =
            ratios(again).map_err(|why| format!("measured once more, it has none: {why}"))?;
        after.extend(more.into_iter().map(|(block, x)| (block + CONFIRMED_FROM, x)));
    }
    after.extend(looks::earlier_ratios(earlier, (variant, load), metric));
    Ok(Some((before, after)))
}

/// A baseline that lost makes every variant look better beside it. Whether it lost or all others won, ratios can't tell.
fn lost_by_the_baseline(
    others: &[Moved<'_>],
    baseline: &str,
    earlier: &[Look],
) -> Option<Judgement> {
    let first = others.first()?;
    let sure = looks::fail_level(earlier);
    let is_better = |m: &Moved<'_>| m.worse.p_below(-m.tolerance.ln_1p()) <= sure;
    // Each of them for certain: a test that needs all of them needs no correction for their number.
    if !others.iter().all(is_better) {
        return None;
    }
    let text = format!(
        "{} of {baseline}, the baseline, under {}: every variant is better beside it than kept, by more than {}x: it lost, or all others won",
        name(first.metric),
        first.load,
        sig3(1.0 + first.tolerance),
    );
    let of = Some((baseline.to_owned(), Some(first.load.to_owned())));
    Some(Judgement { of, ..judged(Tier::Timing, Passes::Unknown, text) })
}

impl Moved<'_> {
    fn judge(&self, p_adjusted: f64, elsewhere: bool, earlier: &[Look]) -> Judgement {
        let limit = self.tolerance.ln_1p();
        let fails = p_adjusted <= looks::fail_level(earlier);
        let pass_level = looks::pass_level(earlier);
        let (passes, more_would_tell, why) = if fails && elsewhere {
            (Passes::Unknown, false, ", on another machine than the kept run")
        } else if fails {
            (Passes::No, true, "")
        } else if self.worse.p_below(limit) <= pass_level {
            (Passes::Yes, false, "")
        } else {
            (Passes::Unknown, true, ": more blocks would tell")
        };
        let confidence = 1.0 - 2.0 * pass_level;
        let i = self.worse.interval(confidence);
        let together = match earlier.len() {
            0 => String::new(),
            n => format!(", measured {} times", n + 1),
        };
        let text = format!(
            "{} of {} under {}, beside the baseline{together}: {}x as bad as kept ({} CI {}x to {}x), limit {}x{why}",
            name(self.metric),
            self.variant,
            self.load,
            sig3(self.worse.mean.exp()),
            Share(confidence),
            sig3(i.low),
            sig3(i.high),
            sig3(1.0 + self.tolerance),
        );
        let of = Some((self.variant.to_owned(), Some(self.load.to_owned())));
        Judgement { tier: Tier::Timing, passes, text, of, more_would_tell }
    }
}
