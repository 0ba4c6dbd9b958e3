//! Where the time of a request goes: the API's own clocks, Nginx by difference, and what no part explains.
//!
//! All are arithmetic means, because parts are added up. The remainder is shown and never spread over the parts; it may
//! be negative, where parts that were measured apart are together longer than the whole.

use super::cells::{Cell, cell};
use super::markdown::{Align, code, table};
use super::values::digits;
use crate::results::{Results, TrialRecord, Witness};
use crate::spec::Metric;
use crate::stats::{Estimate, FEWEST_ROUNDS, Scale, estimate};

/// A part of a request's time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// From the client to Nginx and back.
    Network,
    /// What Nginx adds by standing before the API.
    Nginx,
    /// In the API: head to parameters.
    Routing,
    /// In the API: waiting for a connection.
    PoolWait,
    /// In the API: Redis.
    Cache,
    /// In the API: Postgres.
    Query,
    /// In the API: rows to JSON.
    Serialise,
}

/// A row of the table: a part, what is left, or all of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Row {
    /// Its name in `breakdown.csv`.
    pub(super) name: &'static str,
    pub(super) title: &'static str,
    /// None where it cannot be measured.
    pub(super) mean: Option<Estimate>,
}

impl Part {
    /// In the order of a request's way.
    const ALL: [Self; 7] = [
        Self::Network,
        Self::Nginx,
        Self::Routing,
        Self::PoolWait,
        Self::Cache,
        Self::Query,
        Self::Serialise,
    ];

    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Network => ("network", "client to Nginx"),
            Self::Nginx => ("nginx", "Nginx"),
            Self::Routing => ("routing", "API: routing"),
            Self::PoolWait => ("pool_wait", "API: wait for a connection"),
            Self::Cache => ("cache", "API: cache (Redis)"),
            Self::Query => ("query", "API: query (Postgres)"),
            Self::Serialise => ("serialise", "API: serialisation"),
        }
    }

    /// The part that a metric is about, if it is one of these.
    pub(super) fn of(metric: Metric) -> Option<Self> {
        Some(match metric {
            Metric::TimeInNetwork => Self::Network,
            Metric::TimeInNginx => Self::Nginx,
            Metric::TimeInRouting => Self::Routing,
            Metric::TimeInPoolWait => Self::PoolWait,
            Metric::TimeInCache => Self::Cache,
            Metric::TimeInQuery => Self::Query,
            Metric::TimeInSerialise => Self::Serialise,
            _ => return None,
        })
    }

    /// Its mean in one trial, in microseconds; none where it was not measured, or there was nothing to measure.
    pub(super) fn of_trial(self, trial: &TrialRecord) -> Option<f64> {
        let witness = trial.witness.as_ref()?;
        match self {
            Self::Network | Self::Nginx => self.by_difference(witness),
            _ => self.by_clock(witness),
        }
    }

    fn by_difference(self, witness: &Witness) -> Option<f64> {
        let paths = witness.paths.filter(|paths| paths.rounds >= FEWEST_ROUNDS)?;
        let mean_us = |ns: u64| ns as f64 / paths.rounds as f64 / 1e3;
        let network = mean_us(paths.nginx_ns);
        // The way to Nginx is in the whole way too: counted once.
        let nginx = mean_us(paths.whole_ns) - mean_us(paths.api_ns) - network;
        Some(if self == Self::Network { network } else { nginx })
    }

    fn by_clock(self, witness: &Witness) -> Option<f64> {
        let stages = witness.stages.filter(|stages| stages.requests > 0)?;
        let cached = witness.api_cache_hits + witness.api_cache_misses + witness.api_cache_errors;
        let asked = witness.api_statements + witness.api_unconnected.unwrap_or(0);
        let ns = match self {
            Self::Routing => stages.routing_ns,
            Self::PoolWait if asked > 0 => stages.pool_wait_ns,
            Self::Cache if cached > 0 => stages.cache_ns,
            Self::Query if witness.api_statements > 0 => stages.query_ns,
            Self::Serialise => stages.serialise_ns,
            _ => return None,
        };
        Some(ns as f64 / stages.requests as f64 / 1e3)
    }
}

/// The rows of a cell: parts, remainder and the mean service time; none if nothing was clocked in its trials.
///
/// A part is there if every valid trial has it; so parts and remainder add up to the whole, up to the last digit.
pub(super) fn rows(cell: &Cell<'_>) -> Option<Vec<Row>> {
    let trials = cell.valid();
    let clocked = |t: &&TrialRecord| t.witness.as_ref().is_some_and(|w| w.stages.is_some());
    if trials.is_empty() || !trials.iter().all(clocked) {
        return None;
    }
    let mean = |values: &[f64]| estimate(values, Scale::Linear, cell.confidence);
    let values_of = |part: Part| -> Option<Vec<f64>> {
        trials.iter().map(|trial| part.of_trial(trial)).collect()
    };
    let whole: Option<Vec<f64>> =
        trials.iter().map(|t| t.window.as_ref()?.service_time.mean_us).collect();
    let mut left = whole.clone();
    let mut rows = Vec::new();
    for part in Part::ALL {
        let values = values_of(part);
        for (left, value) in left.iter_mut().flatten().zip(values.iter().flatten()) {
            *left -= value;
        }
        let (name, title) = part.words();
        rows.push(Row { name, title, mean: values.and_then(|values| mean(&values)) });
    }
    let of = |values: &Option<Vec<f64>>| values.as_ref().and_then(|values| mean(values));
    rows.push(Row { name: "remainder", title: "remainder", mean: of(&left) });
    rows.push(Row { name: "whole", title: "**service time, mean**", mean: of(&whole) });
    Some(rows)
}

/// Parts under a load, in microseconds, variants side by side; empty if nothing was clocked.
pub(super) fn part_table(results: &Results, load: &str) -> String {
    let variants = &results.plan.variants;
    let found: Vec<_> = variants
        .iter()
        .filter_map(|v| Some((v.name.as_str(), rows(&cell(results, &v.name, load)?)?)))
        .collect();
    let Some((_, first)) = found.first() else { return String::new() };
    let lines: Vec<Vec<String>> = (0..first.len())
        .map(|i| {
            let values = found.iter().map(|(_, rows)| rows[i].mean);
            let texts = values.map(|mean| mean.map(|e| digits(e.mean)).unwrap_or_default());
            std::iter::once(first[i].title.to_owned()).chain(texts).collect()
        })
        .collect();
    let names: Vec<String> = found.iter().map(|(name, _)| code(name)).collect();
    let mut header = vec![("µs", Align::Left)];
    header.extend(names.iter().map(|name| (name.as_str(), Align::Right)));
    let mut text = vec![table(&header, &lines)];
    let baseline = results.plan.design.baseline.as_str();
    let base = found.iter().find(|(name, _)| *name == baseline);
    for (name, rows) in found.iter().filter(|(name, _)| *name != baseline) {
        let Some(said) = base.and_then(|(_, base)| beside(baseline, base, rows)) else { continue };
        let hits = cell(results, name, load).and_then(|cell| hits(&cell)).unwrap_or_default();
        // A list begins after an empty line.
        let gap = if text.len() == 1 { "\n" } else { "" };
        text.push(format!("{gap}- {}: {said}{hits}", code(name)));
    }
    text.join("\n")
}

/// Parts that are named where a variant's time is set beside the baseline's.
const MOST_NAMED: usize = 4;

/// A difference of a part that is a smaller share of the baseline's whole is not named.
const LEAST_NAMED: f64 = 0.01;

/// Which parts make a variant's mean another one than the baseline's. It says what was read off the clocks, and is no
/// verdict.
fn beside(baseline: &str, base: &[Row], rows: &[Row]) -> Option<String> {
    let ((base_whole, base), (whole, rows)) = (base.split_last()?, rows.split_last()?);
    let (was, is) = (base_whole.mean?.mean, whole.mean?.mean);
    let mut parts: Vec<(&str, f64)> = base
        .iter()
        .zip(rows)
        .filter_map(|(base, row)| match (base.mean, row.mean) {
            (Some(was), Some(is)) => Some((row.title, is.mean - was.mean)),
            // A way that was only measured on one side is in the other's remainder; a clock that never ran stood still.
            (Some(was), None) if !is_by_difference(row) => Some((row.title, -was.mean)),
            (None, Some(is)) if !is_by_difference(row) => Some((row.title, is.mean)),
            _ => None,
        })
        .collect();
    parts.sort_by(|(_, a), (_, b)| b.abs().total_cmp(&a.abs()));
    let sign = |value: f64| if value < 0.0 { "−" } else { "+" };
    let named: Vec<String> = parts
        .iter()
        .filter(|(_, value)| value.abs() >= was * LEAST_NAMED)
        .take(MOST_NAMED)
        .map(|(title, value)| format!("{title} {}{}", sign(*value), digits(value.abs())))
        .collect();
    let more = if is < was { "less" } else { "more" };
    let most = if named.is_empty() {
        String::new()
    } else {
        format!(" What differs most: {}.", named.join(", "))
    };
    let (difference, baseline) = (digits((is - was).abs()), code(baseline));
    let (is, was) = (digits(is), digits(was));
    Some(format!("{difference} µs {more} than {baseline} for a request, {is} beside {was}.{most}"))
}

fn is_by_difference(row: &Row) -> bool {
    [Part::Network, Part::Nginx].iter().any(|part| part.words().0 == row.name)
}

/// How many of a cache's answers are in such a mean; none where there is no cache.
fn hits(cell: &Cell<'_>) -> Option<String> {
    let (mut hits, mut asked) = (0, 0);
    for witness in cell.valid().into_iter().filter_map(|trial| trial.witness.as_ref()) {
        hits += witness.api_cache_hits;
        asked += witness.api_cache_hits + witness.api_cache_misses + witness.api_cache_errors;
    }
    let share = hits as f64 / asked as f64 * 100.0;
    (asked > 0).then(|| format!(" {}% of its requests were answered by the cache.", digits(share)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(part: Option<Part>, mean: Option<f64>) -> Row {
        let (name, title) = part.map_or(("whole", "whole"), Part::words);
        Row { name, title, mean: mean.map(|mean| Estimate { n: 1, mean, interval: None }) }
    }

    #[test]
    fn the_greatest_differences_are_named_first_and_small_ones_not_at_all() {
        let base = [
            row(Some(Part::Network), Some(10.0)),
            row(Some(Part::Query), Some(80.0)),
            row(Some(Part::Cache), None),
            row(Some(Part::Routing), Some(5.0)),
            row(None, Some(100.0)),
        ];
        let rows = [
            row(Some(Part::Network), None),
            row(Some(Part::Query), Some(8.0)),
            row(Some(Part::Cache), Some(20.0)),
            row(Some(Part::Routing), Some(5.5)),
            row(None, Some(45.0)),
        ];
        let said = beside("btree", &base, &rows).expect("both are whole");
        let parts = "API: query (Postgres) −72.0, API: cache (Redis) +20.0.";
        let whole = "55.0 µs less than `btree` for a request, 45.0 beside 100.";
        assert_eq!(said, format!("{whole} What differs most: {parts}"));
        assert!(beside("btree", &base, &[row(None, None)]).is_none());
    }
}
