//! The view: everything that the template places, as texts and tables that are Markdown already.

use std::collections::BTreeMap;

use serde::Serialize;

use super::cells::{blocks, is_complete};
use super::claims::{Counts, Judged};
use super::compared::{Compared, Family, Noise};
use super::errors::Errors;
use super::markdown::{Align, cell as escaped, code, prose, table};
use super::options::{OptionView, PlanView};
use super::plots::Plots;
use super::thresholds::Limit;
use super::{again, breakdown, claims_view, costs, decision, loads, options, threats, usage};
use crate::results::Results;
use crate::units::duration_ns;

/// The report as the template sees it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct View {
    pub(super) title: String,
    pub(super) status: Vec<(String, String)>,
    pub(super) question: String,
    pub(super) decision_table: String,
    pub(super) effects_plot: String,
    pub(super) sweep_plots: Vec<String>,
    pub(super) primary: String,
    pub(super) design: String,
    pub(super) noise_floor: String,
    pub(super) claims_count: String,
    pub(super) thresholds_count: String,
    pub(super) accounting: String,
    pub(super) context: String,
    pub(super) drivers: String,
    pub(super) options: Vec<OptionView>,
    pub(super) decision: String,
    pub(super) verdicts: Vec<String>,
    pub(super) consequences: String,
    pub(super) claims_data: String,
    pub(super) claims_table: String,
    pub(super) thresholds_table: String,
    pub(super) loads: Vec<LoadView>,
    pub(super) index_table: String,
    pub(super) write_table: String,
    pub(super) write_note: String,
    pub(super) heap_table: String,
    pub(super) plan_table: String,
    pub(super) plans: Vec<PlanView>,
    pub(super) breakdown: Vec<UnderLoad>,
    pub(super) resources: Vec<UnderLoad>,
    pub(super) usage: Vec<UnderLoad>,
    pub(super) deltas: String,
    pub(super) warnings: Vec<String>,
    pub(super) threats: Vec<String>,
    pub(super) failures: String,
    pub(super) command: String,
    pub(super) provenance: Vec<(String, String)>,
    pub(super) settings: String,
    pub(super) files: Vec<String>,
}

/// One load.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct LoadView {
    pub(super) heading: String,
    pub(super) description: String,
    pub(super) figures: String,
    pub(super) remarks: Vec<String>,
    pub(super) beside: String,
    pub(super) plots: Vec<String>,
}

/// A table under a load, and a plot where there is one.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct UnderLoad {
    pub(super) load: String,
    pub(super) table: String,
    pub(super) plot: String,
}

/// What was found out before the view is built.
pub(super) struct Found<'a> {
    /// Comparisons.
    pub(super) compared: Vec<Compared>,
    /// Differences of error shares.
    pub(super) errors: Vec<Errors>,
    /// A/A check.
    pub(super) noise: Option<Noise>,
    /// Claims.
    pub(super) claims: Vec<Judged<'a>>,
    /// Their counts.
    pub(super) counts: Counts,
    /// Thresholds.
    pub(super) limits: Vec<Limit>,
    /// Plots.
    pub(super) plots: Plots,
}

impl<'a> Found<'a> {
    /// Judges results, and draws them.
    pub(super) fn of(results: &'a Results) -> Self {
        let compared = super::compared::comparisons(results);
        let noise = super::compared::noise(results);
        let claims = super::claims::judge(results);
        Self {
            errors: super::errors::compared(results),
            counts: Counts::of(&claims),
            limits: super::thresholds::judge(results),
            plots: Plots::of(results, &compared, noise.as_ref()),
            compared,
            noise,
            claims,
        }
    }
}

pub(super) fn view(results: &Results, found: &Found<'_>) -> View {
    let plan = &results.plan;
    let experiment = &plan.experiment;
    let incomplete = if is_complete(results) { "" } else { " (INCOMPLETE)" };
    View {
        title: format!("{}: {}{incomplete}", experiment.id, escaped(&experiment.title)),
        status: status(results),
        question: escaped(&experiment.question),
        decision_table: decision::decision_table(results, &found.compared),
        effects_plot: found.plots.link("effects"),
        sweep_plots: [found.plots.links("sweep-"), found.plots.links("curve-")].concat(),
        primary: primary(results),
        design: super::design::design(results),
        noise_floor: decision::noise_floor(results, found.noise.as_ref()),
        claims_count: claims_view::count(found.counts),
        thresholds_count: thresholds_count(&found.limits),
        accounting: decision::accounting(results),
        context: prose(&experiment.context),
        drivers: prose(&experiment.drivers),
        options: options::options(results),
        decision: prose(&experiment.decision),
        verdicts: verdicts(results, &found.compared),
        consequences: prose(&experiment.consequences),
        claims_data: super::host::data(results),
        claims_table: claims_view::table(&found.claims),
        thresholds_table: thresholds_table(&found.limits),
        loads: plan.loads.iter().map(|load| load_view(results, found, load)).collect(),
        index_table: costs::index_table(results),
        write_table: costs::write_table(results),
        write_note: costs::write_note(results),
        heap_table: costs::heap_table(results),
        plan_table: options::plan_table(results),
        plans: options::plans(results),
        breakdown: by_load(results, found, breakdown::part_table, "breakdown"),
        resources: by_load(results, found, costs::resource_table, "resources"),
        usage: by_load(results, found, usage::usage_table, ""),
        deltas: options::deltas(results),
        warnings: plan.warnings.iter().map(|w| escaped(w)).collect(),
        threats: threats::threats(results, &found.compared, found.noise.as_ref()),
        failures: super::failures::failures(results),
        command: again::commands(results),
        provenance: provenance(results),
        settings: settings(&results.manifest.settings),
        files: again::files(results),
    }
}

/// A table for each load under which there is one, with the plot of that name.
fn by_load(
    results: &Results,
    found: &Found<'_>,
    table: fn(&Results, &str) -> String,
    plot: &str,
) -> Vec<UnderLoad> {
    let tables = results.plan.loads.iter().map(|load| UnderLoad {
        load: code(load),
        table: table(results, load),
        plot: found.plots.link(&format!("{plot}-{load}")),
    });
    tables.filter(|under| !under.table.is_empty()).collect()
}

fn status(results: &Results) -> Vec<(String, String)> {
    let manifest = &results.manifest;
    let run = &manifest.run;
    let state = match run.state {
        crate::results::State::Complete => "measured".to_owned(),
        _ => format!("INCOMPLETE, {}", escaped(run.reason.as_deref().unwrap_or("no reason"))),
    };
    let day = run.started_at.get(..10).unwrap_or(&run.started_at);
    let mut status = vec![
        ("Status".to_owned(), state),
        ("Date".to_owned(), escaped(day)),
        (
            "Profile".to_owned(),
            format!("{}, {} blocks", code(&results.plan.profile), blocks(results)),
        ),
    ];
    let list = |map: &BTreeMap<String, String>| {
        let items: Vec<String> =
            map.iter().map(|(k, v)| format!("{} {}", escaped(k), escaped(v))).collect();
        items.join(", ")
    };
    status.push(("Data".to_owned(), super::host::data_and_origin(results)));
    status.push(("Machine".to_owned(), super::host::machine(&manifest.host)));
    status.push((
        "Versions".to_owned(),
        format!("querylab {}, {}", escaped(&manifest.querylab), list(&manifest.versions)),
    ));
    status.retain(|(_, text)| !text.is_empty());
    status
}

fn primary(results: &Results) -> String {
    let design = &results.plan.design;
    format!(
        "Ratios and verdicts are of {} under {}, variant over {}. The interval beside a ratio is of that comparison alone; \
         a verdict's is corrected for all of them. n is the number of blocks, and a difference under {} is not relevant.",
        super::values::name(design.primary_metric),
        code(&design.primary_load),
        code(&design.baseline),
        crate::units::Share(design.margin)
    )
}

fn thresholds_count(limits: &[Limit]) -> String {
    let failed = limits.iter().filter(|l| !l.holds).count();
    match (limits.len(), failed) {
        (0, _) => "none are set.".into(),
        (all, 0) => format!("all {all} hold."),
        (all, failed) => format!("**{failed} of {all} failed**."),
    }
}

fn verdicts(results: &Results, compared: &[Compared]) -> Vec<String> {
    let baseline = code(&results.plan.design.baseline);
    compared
        .iter()
        .filter(|c| c.family == Family::Primary)
        .map(|c| format!("{} beside {baseline}: {}", code(&c.variant), c.verdict.text()))
        .collect()
}

fn thresholds_table(limits: &[Limit]) -> String {
    if limits.is_empty() {
        return String::new();
    }
    let rows: Vec<Vec<String>> = limits
        .iter()
        .map(|l| {
            vec![
                super::values::name(l.metric),
                code(&l.variant),
                l.load.as_deref().map(code).unwrap_or_default(),
                l.measured.clone(),
                l.allowed.clone(),
                if l.holds { "holds".into() } else { "**failed**".into() },
            ]
        })
        .collect();
    table(
        &[
            ("threshold", Align::Left),
            ("variant", Align::Left),
            ("load", Align::Left),
            ("measured", Align::Right),
            ("limit", Align::Left),
            ("", Align::Left),
        ],
        &rows,
    )
}

fn load_view(results: &Results, found: &Found<'_>, load: &str) -> LoadView {
    LoadView {
        heading: code(load),
        description: loads::describe(results, load),
        figures: loads::figures(results, load),
        remarks: loads::remarks(results, &found.errors, load),
        beside: loads::beside(results, &found.compared, found.noise.as_ref(), load),
        plots: ["effects", "percentiles", "timeline"]
            .map(|plot| found.plots.link(&format!("{plot}-{load}")))
            .into_iter()
            .filter(|link| !link.is_empty())
            .collect(),
    }
}

fn provenance(results: &Results) -> Vec<(String, String)> {
    let manifest = &results.manifest;
    let revision = manifest.revision.as_deref().unwrap_or("none, not a git checkout");
    let wall = duration_ns(manifest.wall_ms.saturating_mul(1_000_000));
    vec![
        ("Run".into(), code(&manifest.run.run)),
        ("Revision".into(), code(revision)),
        ("Seed".into(), results.plan.seed.to_string()),
        ("Plan fingerprint".into(), code(&results.plan.fingerprint)),
        (
            "Trials".into(),
            format!("{}, in {wall}", trials(results.trials.len(), manifest.run.trials_planned)),
        ),
    ]
}

/// How many there were: a disturbed one is repeated, so there may be more than were planned.
fn trials(all: usize, planned: u32) -> String {
    match all.checked_sub(planned as usize) {
        None => format!("{all} of {planned}"),
        Some(0) => format!("{planned} of {planned}"),
        Some(more) => format!("{planned} of {planned}, and {more} repeated"),
    }
}

/// Settings in force: one row where all variants agree, else one for each value.
fn settings(all: &BTreeMap<String, BTreeMap<String, String>>) -> String {
    let mut by_setting: BTreeMap<(&str, &str), BTreeMap<&str, Vec<&str>>> = BTreeMap::new();
    let mut variants_of: BTreeMap<&str, usize> = BTreeMap::new();
    for (key, settings) in all {
        let (variant, server) = key.rsplit_once('/').unwrap_or(("", key));
        *variants_of.entry(server).or_insert(0) += 1;
        for (name, value) in settings {
            let values = by_setting.entry((server, name)).or_default();
            values.entry(value).or_default().push(variant);
        }
    }
    let mut rows = Vec::new();
    for ((server, name), values) in by_setting {
        for (value, variants) in values {
            let whose = if variants_of.get(server) == Some(&variants.len()) {
                "all".to_owned()
            } else {
                variants.iter().map(|v| code(v)).collect::<Vec<_>>().join(", ")
            };
            let value = if value.is_empty() { "(empty)".to_owned() } else { escaped(value) };
            rows.push(vec![escaped(server), code(name), value, whose]);
        }
    }
    if rows.is_empty() {
        return String::new();
    }
    table(
        &[
            ("server", Align::Left),
            ("setting", Align::Left),
            ("in force", Align::Left),
            ("variants", Align::Left),
        ],
        &rows,
    )
}
