//! The design: which variants meet which loads, what they are compared with, and how often.

use std::collections::BTreeSet;

use super::codes;
use super::notes::Notes;
use super::types::DesignPlan;
use crate::spec::{LoadModel, Metric, Spec};
use crate::stats::{FEWEST_BLOCKS, PILOT_BLOCKS};
use crate::units;

/// A block is hours long before it has more cells.
const MOST_CELLS: usize = 256;
const NONE: &str = "none";

/// The design, decided.
pub(super) struct Design {
    /// In the order of the report.
    pub(super) variants: Vec<String>,
    /// In the order of the report.
    pub(super) loads: Vec<String>,
    /// Variant and load of each cell: variants in order, each under its loads in order.
    pub(super) cells: Vec<(String, String)>,
    pub(super) plan: DesignPlan,
}

impl Design {
    /// Whether a cell is run.
    pub(super) fn runs(&self, variant: &str, load: &str) -> bool {
        self.cells.iter().any(|(v, l)| v == variant && l == load)
    }
}

/// Decides the design, noting what compares nothing.
pub(super) fn resolve(notes: &mut Notes<'_>, spec: &Spec) -> Design {
    let file = &spec.document;
    let all: Vec<&str> = spec.variant_order.iter().map(String::as_str).collect();
    let variants = match &file.design.variants {
        Some(asked) => names(notes, "variant", &["design", "variants"], asked, &all),
        None => spec.variant_order.clone(),
    };
    let known: Vec<&str> = file.load.keys().map(String::as_str).collect();
    let loads = names(notes, "load profile", &["design", "loads"], &file.design.loads, &known);
    let excluded = excluded(notes, spec, &all, &known);
    let excluded = |v: &str, l: &str| excluded.contains(&(v.to_owned(), l.to_owned()));
    let mut cells = Vec::new();
    for variant in &variants {
        let before = cells.len();
        let run = loads.iter().filter(|load| !excluded(variant, load));
        cells.extend(run.take(MOST_CELLS + 1).map(|load| (variant.clone(), load.clone())));
        if cells.len() == before && !loads.is_empty() {
            let what = format!("variant `{variant}` is excluded from every load");
            let help = "take it out of `design.variants`, or exclude less";
            notes.error(codes::DESIGN, &["design", "exclude"], what, help);
        }
    }
    let total = variants.len().saturating_mul(loads.len());
    if cells.len() > MOST_CELLS {
        let what = format!("{} variants × {} loads are {total} cells", variants.len(), loads.len());
        let help = format!("a run has at most {MOST_CELLS}: compare less at once");
        notes.error(codes::TOO_MUCH, &["design"], what, help);
    }
    let plan = plan(notes, spec, &variants, &loads, &all);
    let design = Design { variants, loads, cells, plan };
    check_cells(notes, spec, &design);
    design
}

/// Names that are known; the others are noted.
fn names(
    notes: &mut Notes<'_>,
    kind: &str,
    path: &[&str],
    asked: &[String],
    known: &[&str],
) -> Vec<String> {
    let mut kept: Vec<String> = Vec::new();
    for (position, name) in asked.iter().enumerate() {
        let position = position.to_string();
        let path: Vec<&str> = path.iter().copied().chain([position.as_str()]).collect();
        if known.contains(&name.as_str()) {
            kept.push(name.clone());
        } else {
            notes.unknown(&path, kind, name, known.iter().copied());
        }
    }
    kept
}

fn excluded(
    notes: &mut Notes<'_>,
    spec: &Spec,
    variants: &[&str],
    loads: &[&str],
) -> BTreeSet<(String, String)> {
    let mut excluded = BTreeSet::new();
    for (position, cell) in spec.document.design.exclude.iter().enumerate() {
        let position = position.to_string();
        let path = |key| ["design", "exclude", &position, key];
        if !variants.contains(&cell.variant.as_str()) {
            notes.unknown(&path("variant"), "variant", &cell.variant, variants.iter().copied());
        }
        if !loads.contains(&cell.load.as_str()) {
            notes.unknown(&path("load"), "load profile", &cell.load, loads.iter().copied());
        }
        if !excluded.insert((cell.variant.clone(), cell.load.clone())) {
            let what = format!("`{}` under `{}` is excluded twice", cell.variant, cell.load);
            notes.error(codes::DESIGN, &path("variant"), what, "once is enough");
        }
    }
    excluded
}

fn plan(
    notes: &mut Notes<'_>,
    spec: &Spec,
    variants: &[String],
    loads: &[String],
    all: &[&str],
) -> DesignPlan {
    let design = &spec.document.design;
    let baseline = &design.baseline;
    if !all.contains(&baseline.as_str()) {
        notes.unknown(&["design", "baseline"], "variant", baseline, all.iter().copied());
    } else if !variants.contains(baseline) {
        let what = format!("the baseline `{baseline}` is not among `design.variants`");
        let other = (&["design", "variants"][..], "the variants that are run");
        let help = "add it there, or choose another baseline";
        notes.contradiction(codes::DESIGN, &["design", "baseline"], what, help, other);
    } else if variants.len() == 1 {
        let what = format!("the baseline `{baseline}` is the only variant");
        notes.error(codes::DESIGN, &["design", "baseline"], what, "add one to compare it with");
    }
    check_numbers(notes, spec);
    let (primary_metric, primary_load) = primary(notes, spec, loads);
    let aa_check = (design.aa_check != NONE).then(|| design.aa_check.clone());
    if let Some(load) = aa_check.as_ref().filter(|load| !loads.contains(load)) {
        let path = ["design", "aa_check"];
        let known: Vec<&str> = loads.iter().map(String::as_str).chain([NONE]).collect();
        if spec.document.load.contains_key(load) {
            let what = format!("the A/A check is under load `{load}`, which is not run");
            let help = format!("write one of `{}`", known.join("`, `"));
            notes.error(codes::DESIGN, &path, what, help);
        } else {
            notes.unknown(&path, "load profile", load, known);
        }
    }
    DesignPlan {
        baseline: baseline.clone(),
        blocks: design.blocks,
        aa_check,
        confidence: design.confidence,
        margin: design.margin.0,
        primary_metric,
        primary_load,
        time_budget_ns: design.time_budget.map(|b| b.0),
        precision: design.precision.map(|share| share.0),
        cache_state: design.cache_state,
        samples: design.samples,
        index_costs: design.index_costs,
    }
}

fn check_numbers(notes: &mut Notes<'_>, spec: &Spec) {
    let design = &spec.document.design;
    if !(design.margin.0 > 0.0 && design.margin.0 <= 1.0) {
        let what = "a margin is more than 0% and at most 100%";
        notes.error(codes::DESIGN, &["design", "margin"], what, "write like `\"5%\"`");
    }
    if usize::try_from(design.blocks).is_ok_and(|blocks| blocks < FEWEST_BLOCKS) {
        notes.warn(format!(
            "no verdicts below {FEWEST_BLOCKS} blocks: this run has {}",
            design.blocks
        ));
    }
    if let Some(precision) = design.precision {
        notes.warn(if design.blocks > PILOT_BLOCKS {
            format!(
                "a pilot of {PILOT_BLOCKS} blocks decides how many are run for intervals of ±{}: {} at most, for which the estimate is",
                units::share(precision.0),
                design.blocks
            )
        } else {
            format!(
                "`design.precision` has nothing to decide: a pilot takes {PILOT_BLOCKS} blocks, and this run has {}",
                design.blocks
            )
        });
    }
}

/// The primary metric and its load; tails for arrivals by the clock, throughput for users who wait, and what was
/// searched where a rate is.
fn primary(notes: &mut Notes<'_>, spec: &Spec, loads: &[String]) -> (Metric, String) {
    let file = &spec.document;
    let Some(primary) = &file.design.primary else {
        let first = loads.first().cloned().unwrap_or_default();
        let metric = match file.load.get(&first) {
            Some(load) if load.search.is_some() => Metric::MaxRate,
            Some(load) if load.model == LoadModel::Open => Metric::ResponseTimeP95,
            _ => Metric::Throughput,
        };
        return (metric, first);
    };
    let path = ["design", "primary", "load"];
    if !file.load.contains_key(&primary.load) {
        let known = file.load.keys().map(String::as_str);
        notes.unknown(&path, "load profile", &primary.load, known);
    } else if !loads.contains(&primary.load) {
        let what = format!("the primary metric is under load `{}`, which is not run", primary.load);
        let help = format!("write one of `{}`", loads.join("`, `"));
        notes.error(codes::DESIGN, &path, what, help);
    }
    if primary.metric.is_of_data() {
        let what = format!("`{}` is the same in every block", primary.metric.name());
        let help = "choose a metric of requests, like `response_time_p95`";
        notes.error(codes::DESIGN, &["design", "primary", "metric"], what, help);
    }
    let searched = file.load.get(&primary.load).is_none_or(|load| load.search.is_some());
    if primary.metric == Metric::MaxRate && !searched {
        let what = format!("load `{}` searches no rate", primary.load);
        notes.error(codes::DESIGN, &path, what, "name a load with a `search`");
    }
    (primary.metric, primary.load.clone())
}

/// What is left after the exclusions must still compare something.
fn check_cells(notes: &mut Notes<'_>, spec: &Spec, design: &Design) {
    let DesignPlan { baseline, aa_check, primary_load, .. } = &design.plan;
    if !spec.variant_order.contains(baseline) {
        return;
    }
    if let Some(load) = aa_check.as_ref().filter(|l| design.loads.contains(l))
        && !design.runs(baseline, load)
    {
        let what =
            format!("the baseline is excluded from `{load}`, under which it is to run twice");
        let help = "choose another load, or write `\"none\"`";
        notes.error(codes::DESIGN, &["design", "aa_check"], what, help);
    }
    if design.loads.contains(primary_load)
        && design.variants.contains(baseline)
        && !design.runs(baseline, primary_load)
    {
        let what = format!("the baseline is excluded from the primary load `{primary_load}`");
        let help = "choose another primary load, or exclude less";
        notes.error(codes::DESIGN, &["design", "exclude"], what, help);
    }
    for load in design.loads.iter().filter(|load| !design.runs(baseline, load)) {
        notes.warn(format!(
            "under load `{load}` nothing is compared: the baseline `{baseline}` is excluded"
        ));
    }
}
