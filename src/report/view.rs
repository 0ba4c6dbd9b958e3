//! The view: everything that the template places, as texts and tables that are Markdown already.

use std::collections::BTreeMap;

use serde::Serialize;

use super::cells::{blocks, is_complete};
use super::claims::{Counts, Judged};
use super::compared::{Compared, Family, Noise};
use super::errors::Errors;
use super::markdown::{Align, cell as escaped, code, fenced, one_line, prose, table};
use super::options::{OptionView, PlanView};
use super::thresholds::Limit;
use super::{breakdown, claims_view, costs, decision, loads, options, threats, usage};
use crate::results::Results;
use crate::units::duration_ns;

/// The report as the template sees it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct View {
    title: String,
    status: Vec<(String, String)>,
    question: String,
    decision_table: String,
    primary: String,
    design: String,
    noise_floor: String,
    claims_count: String,
    thresholds_count: String,
    accounting: String,
    context: String,
    drivers: String,
    options: Vec<OptionView>,
    decision: String,
    verdicts: Vec<String>,
    consequences: String,
    claims_data: String,
    claims_table: String,
    thresholds_table: String,
    loads: Vec<LoadView>,
    index_table: String,
    write_table: String,
    heap_table: String,
    plans: Vec<PlanView>,
    breakdown: Vec<(String, String)>,
    resources: Vec<(String, String)>,
    usage: Vec<(String, String)>,
    deltas: String,
    warnings: Vec<String>,
    threats: Vec<String>,
    failures: String,
    command: String,
    provenance: Vec<(String, String)>,
    settings: String,
}

/// One load.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct LoadView {
    heading: String,
    description: String,
    figures: String,
    remarks: Vec<String>,
    beside: String,
}

/// What was found out before the view is built.
pub(super) struct Found<'a> {
    /// Comparisons.
    pub(super) compared: &'a [Compared],
    /// Differences of error shares.
    pub(super) errors: &'a [Errors],
    /// A/A check.
    pub(super) noise: Option<&'a Noise>,
    /// Claims.
    pub(super) claims: &'a [Judged<'a>],
    /// Their counts.
    pub(super) counts: Counts,
    /// Thresholds.
    pub(super) limits: &'a [Limit],
}

pub(super) fn view(results: &Results, found: &Found<'_>) -> View {
    let plan = &results.plan;
    let experiment = &plan.experiment;
    let incomplete = if is_complete(results) { "" } else { " (INCOMPLETE)" };
    View {
        title: format!("{}: {}{incomplete}", experiment.id, escaped(&experiment.title)),
        status: status(results),
        question: escaped(&experiment.question),
        decision_table: decision::decision_table(results, found.compared),
        primary: primary(results),
        design: super::design::design(results),
        noise_floor: decision::noise_floor(results, found.noise),
        claims_count: claims_view::count(found.counts),
        thresholds_count: thresholds_count(found.limits),
        accounting: decision::accounting(results),
        context: prose(&experiment.context),
        drivers: prose(&experiment.drivers),
        options: options::options(results),
        decision: prose(&experiment.decision),
        verdicts: verdicts(results, found.compared),
        consequences: prose(&experiment.consequences),
        claims_data: super::host::data(results),
        claims_table: claims_view::table(found.claims),
        thresholds_table: thresholds_table(found.limits),
        loads: plan.loads.iter().map(|load| load_view(results, found, load)).collect(),
        index_table: costs::index_table(results),
        write_table: costs::write_table(results),
        heap_table: costs::heap_table(results),
        plans: options::plans(results),
        breakdown: by_load(results, breakdown::part_table),
        resources: by_load(results, costs::resource_table),
        usage: by_load(results, usage::usage_table),
        deltas: options::deltas(results),
        warnings: plan.warnings.iter().map(|w| escaped(w)).collect(),
        threats: threats::threats(results, found.compared, found.noise),
        failures: super::failures::failures(results),
        command: fenced("sh", &command(&results.manifest.command)),
        provenance: provenance(results),
        settings: settings(&results.manifest.settings),
    }
}

/// A table for each load under which there is one.
fn by_load(results: &Results, table: fn(&Results, &str) -> String) -> Vec<(String, String)> {
    let tables = results.plan.loads.iter().map(|load| (code(load), table(results, load)));
    tables.filter(|(_, table)| !table.is_empty()).collect()
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
        remarks: loads::remarks(results, found.errors, load),
        beside: loads::beside(results, found.compared, found.noise, load),
    }
}

/// The command as typed, but for the folder of the program: that is of this machine. Variables that override keys stand
/// before it.
fn command(words: &[String]) -> String {
    let variables = words.iter().take_while(|word| word.starts_with("QUERYLAB__")).count();
    let (variables, words) = words.split_at(variables);
    let mut line: Vec<String> = variables
        .iter()
        .map(|word| {
            let (name, value) = word.split_once('=').unwrap_or((word, ""));
            format!("{name}={}", quoted(value))
        })
        .collect();
    let program = words.first().map(String::as_str).unwrap_or_default();
    let program = program.rsplit('/').next().unwrap_or_default();
    line.push(if program.is_empty() { "querylab".into() } else { quoted(program) });
    line.extend(words.iter().skip(1).map(|w| quoted(w)));
    line.join(" ")
}

/// A word of a shell.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,@%+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", one_line(word).replace('\'', "'\\''"))
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

#[cfg(test)]
mod tests {
    use super::command;

    #[test]
    fn a_command_can_be_typed_again_with_the_variables_before_it() {
        let said =
            |words: &[&str]| command(&words.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>());
        assert_eq!(
            said(&["/opt/x/querylab", "run", "a b.toml", "--set", "design.blocks=3"]),
            "querylab run 'a b.toml' --set design.blocks=3"
        );
        assert_eq!(
            said(&[
                "QUERYLAB__DATASET__MIGRATIONS=../migrations/users",
                "QUERYLAB__EXPERIMENT__TITLE=it's two",
                "querylab",
                "run",
                "x.toml"
            ]),
            "QUERYLAB__DATASET__MIGRATIONS=../migrations/users QUERYLAB__EXPERIMENT__TITLE='it'\\''s two' querylab run x.toml"
        );
        assert_eq!(said(&[]), "querylab");
    }
}
