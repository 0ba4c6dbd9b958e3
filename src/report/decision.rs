//! What the report opens with: one row for each variant, and whether the numbers may be believed.

use super::cells::{Cell, cell, data_value, is_complete};
use super::compared::{Compared, Noise, primary};
use super::explain;
use super::loads::{one, range, ratio};
use super::markdown::{Align, cell as escaped, code, table};
use super::values::{Missing, name};
use crate::plan::{LoadPlan, ModelPlan};
use crate::results::{BROKEN_ACCOUNTS, Outcome, Results, Witness};
use crate::spec::Metric;
use crate::stats::{Verdict, Why};
use crate::units::{bytes, count, latency_ns, sig3};

/// Which loads the columns are of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Columns {
    /// The first closed load of one user, else the primary one.
    unloaded: String,
    /// The first open load.
    offered: Option<String>,
    /// The closed load of most users, more than one.
    busiest: Option<String>,
    /// The first load that searches for a rate.
    searched: Option<String>,
}

fn drive_of<'a>(results: &'a Results, load: &str) -> Option<&'a LoadPlan> {
    let plan = &results.plan;
    let of = |variant: &str| plan.cells.iter().find(|c| c.variant == variant && c.load == load);
    let cell =
        of(&plan.design.baseline).or_else(|| plan.variants.iter().find_map(|v| of(&v.name)))?;
    Some(&cell.drive)
}

/// The model of a load that stays at one level.
fn model_of<'a>(results: &'a Results, load: &str) -> Option<&'a ModelPlan> {
    drive_of(results, load).filter(|drive| drive.is_level()).map(|drive| &drive.model)
}

fn users(results: &Results, load: &str) -> Option<u32> {
    match model_of(results, load)? {
        ModelPlan::Closed { users, .. } => Some(*users),
        ModelPlan::Open { .. } => None,
    }
}

pub(super) fn columns(results: &Results) -> Columns {
    let plan = &results.plan;
    let loads = &plan.loads;
    let unloaded = loads.iter().find(|l| users(results, l) == Some(1));
    let offered =
        loads.iter().find(|l| matches!(model_of(results, l), Some(ModelPlan::Open { .. })));
    let searched = loads.iter().find(|l| drive_of(results, l).is_some_and(|d| d.search.is_some()));
    let mut busiest: Option<(&String, u32)> = None;
    for load in loads {
        if let Some(n) = users(results, load).filter(|n| *n > 1)
            && busiest.is_none_or(|(_, most)| n > most)
        {
            busiest = Some((load, n));
        }
    }
    Columns {
        unloaded: unloaded.unwrap_or(&plan.design.primary_load).clone(),
        offered: offered.cloned(),
        busiest: busiest.map(|(load, _)| load.clone()),
        searched: searched.cloned(),
    }
}

/// The decision table, as Markdown.
pub(super) fn decision_table(results: &Results, all: &[Compared]) -> String {
    let columns = columns(results);
    let header = header(results, &columns);
    let header: Vec<(&str, Align)> = header.iter().map(|(h, a)| (h.as_str(), *a)).collect();
    let rows: Vec<Vec<String>> =
        results.plan.variants.iter().map(|v| row(results, all, &columns, &v.name)).collect();
    table(&header, &rows)
}

fn header(results: &Results, columns: &Columns) -> Vec<(String, Align)> {
    let design = &results.plan.design;
    let unloaded = match users(results, &columns.unloaded) {
        Some(1) => "p50, 1 user".to_owned(),
        _ => format!("p50, {}", escaped(&columns.unloaded)),
    };
    let mut header = vec![
        ("variant".to_owned(), Align::Left),
        (unloaded, Align::Right),
        (format!("ratio to {}", code(&design.baseline)), Align::Right),
    ];
    if let Some(load) = &columns.offered
        && let Some(ModelPlan::Open { rate_per_s, .. }) = model_of(results, load)
    {
        header.push((format!("p95 at {rate_per_s}/s"), Align::Right));
    }
    if let Some(n) = columns.busiest.as_ref().and_then(|l| users(results, l)) {
        header.push((format!("throughput, {n} users"), Align::Right));
    }
    if let Some(load) = &columns.searched {
        header.push((format!("max rate, {}", escaped(load)), Align::Right));
    }
    header.push(("index build".into(), Align::Right));
    header.push(("index size".into(), Align::Right));
    header.push(("plan".into(), Align::Left));
    header.push(("verdict".into(), Align::Left));
    header
}

fn row(results: &Results, all: &[Compared], columns: &Columns, variant: &str) -> Vec<String> {
    let value = |load: &str, metric| match cell(results, variant, load) {
        Some(cell) => one(&cell, metric),
        None => Missing::NotRun.text(),
    };
    let is_baseline = variant == results.plan.design.baseline;
    let primary = primary(all, variant);
    let mut row = vec![
        code(variant),
        value(&columns.unloaded, Metric::ResponseTimeP50),
        match primary.and_then(|p| p.comparison) {
            _ if is_baseline => "1".into(),
            Some(comparison) => ratio(&comparison),
            None => "–".into(),
        },
    ];
    row.extend(columns.offered.iter().map(|l| value(l, Metric::ResponseTimeP95)));
    row.extend(columns.busiest.iter().map(|l| value(l, Metric::Throughput)));
    row.extend(columns.searched.iter().map(|l| value(l, Metric::MaxRate)));
    row.push(match data_value(results, Metric::IndexBuildTime, variant) {
        Some(0.0) => "–".into(),
        Some(us) => latency_ns(us * 1e3),
        None => Missing::NotMeasured.text(),
    });
    row.push(match data_value(results, Metric::IndexBytes, variant) {
        Some(0.0) => "–".into(),
        Some(size) => bytes(size),
        None => Missing::NotMeasured.text(),
    });
    row.push(proof(results, variant));
    row.push(match primary {
        _ if is_baseline => "baseline".into(),
        Some(compared) => compared.verdict.text(),
        None => Verdict::NoVerdict(Why::NotRun).text(),
    });
    row
}

/// What the planner chose, and whether that is what the file asserts.
fn proof(results: &Results, variant: &str) -> String {
    let mut scans: Vec<String> =
        explain::of_variant(results, variant).into_iter().flat_map(explain::scans).collect();
    scans.dedup();
    if scans.is_empty() {
        return "no plan recorded".into();
    }
    let said = match explain::as_asserted(results, variant) {
        None => " (not asserted)",
        Some(true) => " (as asserted)",
        Some(false) => " (**not as asserted**)",
    };
    escaped(&scans.join(", ")) + said
}

/// How large a difference this host shows where there is none.
pub(super) fn noise_floor(results: &Results, noise: Option<&Noise>) -> String {
    let Some(noise) = noise else {
        return "none: the design has no A/A check, so the host's own noise is not known.".into();
    };
    let what = format!("{} under {}", name(noise.metric), code(&noise.load));
    let Some(comparison) = noise.comparison else {
        return format!("no figure: the twin of the baseline has no valid pair ({what}).");
    };
    let baseline = code(&results.plan.design.baseline);
    let n = comparison.n;
    match comparison.spread {
        None => format!(
            "{baseline} beside itself {}x (n={n} block, no interval; {what}).",
            sig3(comparison.ratio)
        ),
        Some(s) => format!(
            "{baseline} beside itself {}x (99% CI {}, n={n} blocks; {what}): {}.",
            sig3(comparison.ratio),
            range(s.interval),
            match (noise.condemns(), noise.excludes_one()) {
                (true, _) => "**it excludes 1 by more than 2%: host unreliable, no verdicts**",
                (false, true) => "**it excludes 1**, though by no more than 2%",
                (false, false) => "it holds 1, as it must",
            }
        ),
    }
}

/// "yes (n = …)", or where the books do not balance.
pub(super) fn accounting(results: &Results) -> String {
    let (mut due, mut windows, mut broken) = (0_u64, 0_u32, Vec::new());
    for trial in &results.trials {
        let cause = match &trial.outcome {
            Outcome::Failed(failure) => Some(&failure.reason),
            _ => None,
        };
        let said = cause.into_iter().chain(&trial.notes);
        for sums in said.filter_map(|reason| reason.strip_prefix(BROKEN_ACCOUNTS)) {
            broken.push(format!("trial {}: {sums}", trial.number));
        }
        let Some(w) = &trial.window else { continue };
        windows += 1;
        due += w.due;
        if w.due != w.sent + w.dropped || w.sent != w.answered + w.failed {
            broken.push(format!(
                "trial {} (due {}, sent {}, dropped {}, answered {}, failed {})",
                trial.number, w.due, w.sent, w.dropped, w.answered, w.failed
            ));
        }
    }
    if windows == 0 {
        return "**no**: no window was measured.".into();
    }
    if broken.is_empty() {
        let asked = results.trials.iter().filter_map(|trial| trial.witness.as_ref()).count();
        return format!(
            "yes (n = {}): due = sent + dropped and sent = answered + failed in each of {windows} windows, and {} agree over \
             each of {asked} trials.",
            count(due),
            witnesses(results)
        );
    }
    broken.truncate(10);
    format!("**NO**: {}.", broken.join("; "))
}

/// Who has counted the requests of each trial. Not each run has a Redis, not each Postgres counts statements, and older
/// results do not know what Nginx counted.
fn witnesses(results: &Results) -> String {
    let all: Vec<&Witness> =
        results.trials.iter().filter_map(|trial| trial.witness.as_ref()).collect();
    let mut names = vec!["client"];
    if all.iter().all(|w| w.nginx_requests.is_some()) {
        names.push("Nginx");
    }
    names.push("API");
    if all.iter().any(|w| w.redis_hits.is_some()) {
        names.push("Redis");
    }
    if all.iter().all(|w| w.postgres_statements.is_some()) {
        names.push("Postgres");
    }
    let last = names.pop().unwrap_or_default();
    format!("{} and {last}", names.join(", "))
}

/// The same in a few lines for a terminal: no Markdown.
pub(super) fn headline(results: &Results, all: &[Compared]) -> Vec<String> {
    let columns = columns(results);
    let mut lines = Vec::new();
    if !is_complete(results) {
        lines.push("INCOMPLETE: no verdicts".into());
    }
    let width = results.plan.variants.iter().map(|v| v.name.chars().count()).max().unwrap_or(0);
    for v in &results.plan.variants {
        let p50 = cell(results, &v.name, &columns.unloaded)
            .map_or_else(|| Missing::NotRun.text(), |c: Cell<'_>| one(&c, Metric::ResponseTimeP50));
        let words = match primary(all, &v.name) {
            Some(compared) => compared.verdict.text(),
            None if v.name == results.plan.design.baseline => "baseline".into(),
            None => Verdict::NoVerdict(Why::NotRun).text(),
        };
        let words = words.replace("**", "");
        lines.push(format!("{:<width$}  {p50:>10}  {words}", v.name));
    }
    lines
}
