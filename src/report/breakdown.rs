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
    title: &'static str,
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
    table(&header, &lines)
}
