//! Results under one load: the figures of each variant, and each beside the baseline.

use super::cells::{Cell, blocks, cell};
use super::compared::{Compared, Family, Noise};
use super::errors::Errors;
use super::markdown::{Align, code, table};
use super::values::{Missing, arrives, name, show};
use crate::plan::ModelPlan;
use crate::results::{Outcome, Results};
use crate::spec::Metric;
use crate::stats::{Comparison, FEWEST_BLOCKS, Interval, Spread, none_in};
use crate::units::{count, share, sig3};

/// What is said about a load before its tables.
pub(super) fn describe(results: &Results, load: &str) -> String {
    let plan = &results.plan;
    let Some(first) = cell(results, &plan.design.baseline, load)
        .or_else(|| plan.variants.iter().find_map(|v| cell(results, &v.name, load)))
    else {
        return "No variant is run under it.".into();
    };
    let drive = &first.plan.drive;
    let mut text = format!(
        "{}, windows of {}",
        capital(&arrives(drive)),
        crate::units::Span(drive.duration_ns)
    );
    for variant in &plan.variants {
        let Some(other) = cell(results, &variant.name, load) else { continue };
        let theirs = &other.plan.drive;
        if arrives(theirs) != arrives(drive) {
            text.extend(["; ", &code(&variant.name), ": ", &arrives(theirs)]);
        }
        if theirs.duration_ns != drive.duration_ns {
            let span = crate::units::Span(theirs.duration_ns).to_string();
            text.extend([" (", &code(&variant.name), ": ", &span, ")"]);
        }
    }
    text += match drive.model {
        ModelPlan::Closed { .. } => {
            ". In a closed loop users wait for their answers, so a slow answer delays the next request: these are \
             service times of a closed loop, not to be set beside those of an open load."
        }
        ModelPlan::Open { .. } => {
            ". Requests come by the clock, and response time counts from when a request was due."
        }
    };
    text
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|c| c.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

/// Figures of each variant under the load.
pub(super) fn figures(results: &Results, load: &str) -> String {
    let cells: Vec<Cell<'_>> =
        results.plan.variants.iter().filter_map(|v| cell(results, &v.name, load)).collect();
    let has_cache = cells.iter().any(|c| c.value(Metric::CacheHitRatio).is_ok());
    let is_dated = cells.iter().any(|c| c.value(Metric::StaleRatio).is_ok());
    let searches = cells.iter().any(|c| c.plan.drive.search.is_some());
    let has_drift = cells.iter().any(|c| c.drift().is_some());
    let mut rows = Vec::new();
    for c in &cells {
        let value = |metric| one(c, metric);
        let mut row = vec![
            code(&c.plan.variant),
            format!("{}/{}", c.valid().len(), blocks(results)),
            value(Metric::ResponseTimeP50),
            value(Metric::ResponseTimeP90),
            value(Metric::ResponseTimeP95),
            value(Metric::ResponseTimeP99),
            value(Metric::ServiceTimeP50),
            value(Metric::Throughput),
            errors(c),
        ];
        if has_cache {
            row.push(match c.value(Metric::CacheHitRatio) {
                Ok(e) => share(e.mean),
                Err(_) => "–".into(),
            });
        }
        if is_dated {
            row.push(c.value(Metric::StaleRatio).map_or_else(|_| "–".into(), |e| share(e.mean)));
        }
        if searches {
            row.push(value(Metric::MaxRate));
        }
        if has_drift {
            row.push(drift(c));
        }
        rows.push(row);
    }
    let mut header = vec![("variant", Align::Left)];
    header.extend(
        ["n", "p50", "p90", "p95", "p99", "service p50", "throughput", "errors"]
            .map(|h| (h, Align::Right)),
    );
    if has_cache {
        header.push(("hit ratio", Align::Right));
    }
    if is_dated {
        header.push(("stale", Align::Right));
    }
    if searches {
        header.push(("max rate", Align::Right));
    }
    if has_drift {
        header.push(("drift", Align::Right));
    }
    table(&header, &rows)
}

/// The mean over the blocks, or why there is none.
pub(super) fn one(cell: &Cell<'_>, metric: Metric) -> String {
    cell.value(metric).map_or_else(Missing::text, |e| show(metric, e.mean))
}

/// `+1.20%, 2 moved`: how the median went over the windows, and how many of them had not come to rest.
fn drift(cell: &Cell<'_>) -> String {
    let Some(drift) = cell.drift() else { return blank() };
    let sign = if drift < 0.0 { "−" } else { "+" };
    let moved = match cell.unsteady() {
        0 => String::new(),
        n => format!(", {n} moved"),
    };
    format!("{sign}{}{moved}", share(drift.abs()))
}

fn errors(cell: &Cell<'_>) -> String {
    let sums = cell.sums();
    if sums.due == 0 {
        return String::new();
    }
    if sums.failed == 0 {
        return format!("0 of {} (< {})", count(sums.due), share(none_in(sums.due)));
    }
    let ratio = sums.failed as f64 / sums.due as f64;
    format!("{} of {} ({})", count(sums.failed), count(sums.due), share(ratio))
}

/// What the table of figures does not say: overload, failed trials, kinds of errors, longer windows.
pub(super) fn remarks(results: &Results, errors: &[Errors], load: &str) -> Vec<String> {
    let mut remarks = Vec::new();
    for variant in &results.plan.variants {
        let named = code(&variant.name);
        let Some(c) = cell(results, &variant.name, load) else {
            remarks.push(format!("{named} is left out under this load by design."));
            continue;
        };
        let count_of =
            |is: fn(&Outcome) -> bool| c.trials.iter().filter(|t| is(&t.outcome)).count();
        let overloaded = count_of(|o| *o == Outcome::Overloaded);
        if overloaded > 0 {
            let rate = match &c.plan.drive.model {
                ModelPlan::Open { rate_per_s, .. } if c.plan.drive.is_level() => {
                    format!(" at {rate_per_s}/s")
                }
                _ => String::new(),
            };
            remarks.push(format!(
                "{named} was overloaded in {overloaded} of {} trials: {} of {} requests were dropped. Its latency is not \
                 sustainable{rate} and is withheld; only its throughput is compared.",
                c.trials.len(),
                count(c.sums().dropped),
                count(c.sums().due),
            ));
        }
        let failed = count_of(|o| matches!(o, Outcome::Failed(_)));
        if failed > 0 {
            remarks.push(format!(
                "{named}: {failed} of {} trials failed (reasons under “Failed trials”) and are in no figure.",
                c.trials.len()
            ));
        }
        let invalid = count_of(|o| matches!(o, Outcome::Invalid(_)));
        if invalid > 0 {
            remarks.push(format!(
                "{named}: {invalid} of {} trials were not valid (reasons under “Failed trials”) and are in no figure.",
                c.trials.len()
            ));
        }
        let kinds: Vec<String> = c
            .failures()
            .into_iter()
            .map(|(kind, n)| format!("{} {}", count(n), super::markdown::cell(kind)))
            .collect();
        if !kinds.is_empty() {
            remarks.push(format!("{named}, failed requests by kind: {}.", kinds.join(", ")));
        }
    }
    let design = &results.plan.design;
    let here = errors.iter().filter(|e| e.load == load);
    remarks.extend(here.map(|e| e.text(&design.baseline, design.confidence)));
    remarks
}

/// What stands where there is nothing to say.
fn blank() -> String {
    "–".to_owned()
}

/// Each variant beside the baseline under the load; first the baseline beside itself, if that is where it runs twice.
pub(super) fn beside(
    results: &Results,
    all: &[Compared],
    noise: Option<&Noise>,
    load: &str,
) -> String {
    let design = &results.plan.design;
    let twin = noise.filter(|n| n.load == load);
    let mut rows: Vec<Vec<String>> =
        twin.map(|n| twin_row(n, &design.baseline)).into_iter().collect();
    rows.extend(all.iter().filter(|c| c.load == load).map(beside_row));
    if rows.is_empty() {
        return String::new();
    }
    let interval = format!("{} CI", crate::units::Share(design.confidence));
    table(
        &[
            ("variant", Align::Left),
            ("metric", Align::Left),
            ("n", Align::Right),
            ("ratio", Align::Right),
            (&interval, Align::Right),
            ("corrected", Align::Right),
            ("Hodges–Lehmann (95%)", Align::Right),
            ("would have seen", Align::Right),
            ("blocks needed", Align::Right),
            ("family", Align::Left),
            ("verdict", Align::Left),
        ],
        &rows,
    )
}

fn beside_row(c: &Compared) -> Vec<String> {
    let spread = c.comparison.and_then(|c| c.spread);
    // Of a difference that was found nobody asks what would have been.
    let missed = spread.filter(|_| c.names_no_side());
    vec![
        code(&c.variant),
        name(c.metric),
        c.comparison.map_or_else(blank, |c| c.n.to_string()),
        c.comparison.map_or_else(blank, |c| format!("{}x", sig3(c.ratio))),
        spread.map_or_else(blank, |s| range(s.interval)),
        match (c.family, spread) {
            (Family::Primary, Some(s)) => range(s.adjusted),
            _ => blank(),
        },
        spread.map_or_else(blank, ranks),
        missed.map_or_else(blank, |s| seen(s.detectable)),
        missed.map_or_else(blank, |s| needed(s.blocks_needed)),
        c.family.word().into(),
        c.verdict.text(),
    ]
}

/// The A/A check as a row like the others: what the machine shows where there is nothing to see.
fn twin_row(noise: &Noise, baseline: &str) -> Vec<String> {
    let spread = noise.comparison.and_then(|c| c.spread);
    vec![
        format!("{} again", code(baseline)),
        name(noise.metric),
        noise.comparison.map_or_else(blank, |c| c.n.to_string()),
        noise.comparison.map_or_else(blank, |c| format!("{}x", sig3(c.ratio))),
        spread.map_or_else(blank, |s| format!("{} (99%)", range(s.interval))),
        blank(),
        spread.map_or_else(blank, ranks),
        spread.map_or_else(blank, |s| seen(s.detectable)),
        spread.map_or_else(blank, |s| needed(s.blocks_needed)),
        "A/A".into(),
        match spread {
            None => "noise floor: no interval".into(),
            Some(_) if noise.excludes_one() => "noise floor: **excludes 1**".into(),
            Some(_) => "noise floor: holds 1".into(),
        },
    ]
}

fn ranks(s: Spread) -> String {
    s.rank_interval.map_or_else(blank, |i| format!("{}x ({})", sig3(s.hodges_lehmann), range(i)))
}

/// The smallest difference that so many blocks with this spread show in four of five runs.
fn seen(detectable: f64) -> String {
    // Ten times as much is no answer that helps.
    if detectable < 10.0 { format!(">= {}", share(detectable)) } else { ">= 1000%".into() }
}

/// Blocks for an interval of the margin's half-width; three digits of an estimate, and no fewer than carry a verdict.
fn needed(blocks: u64) -> String {
    let blocks = blocks.max(u64::try_from(FEWEST_BLOCKS).unwrap_or(u64::MAX));
    if blocks < 1000 { blocks.to_string() } else { super::values::digits(blocks as f64) }
}

/// An interval whose ends are farther apart than this says nothing that a reader could use.
const WIDEST: f64 = 1e6;

/// `0.452-0.488`.
pub(super) fn range(i: Interval) -> String {
    if i.low > 0.0 && i.high / i.low > WIDEST {
        return "too wide to print".into();
    }
    format!("{}-{}", sig3(i.low), sig3(i.high))
}

/// `0.469x (0.452-0.488)`.
pub(super) fn ratio(c: &Comparison) -> String {
    match c.spread {
        Some(s) => format!("{}x ({})", sig3(c.ratio), range(s.interval)),
        None => format!("{}x", sig3(c.ratio)),
    }
}
