//! What the machine was used for under a load, as shares and rates. Memory stands in the table of costs.

use super::cells::{Cell, cell};
use super::costs::{Used, WAY, used};
use super::markdown::{Align, code, table};
use super::values::digits;
use crate::results::Results;
use crate::stats::{Scale, estimate};
use crate::units::{bytes, share};

/// A figure of a component, and how it is said.
type Figure = (&'static str, fn(&Used) -> Option<f64>, fn(f64) -> String);

/// What is told of each component, in this order.
const FIGURES: [Figure; 7] = [
    ("CPU, of a core", |u| u.cpu_share, share),
    ("disk read", |u| u.disk_read_bytes_per_s, per_second),
    ("disk written", |u| u.disk_written_bytes_per_s, per_second),
    ("network in", |u| u.net_received_bytes_per_s, per_second),
    ("network out", |u| u.net_sent_bytes_per_s, per_second),
    ("context switches per request", |u| u.voluntary_switches_per_request, digits),
    ("forced ones", |u| u.involuntary_switches_per_request, digits),
];

fn per_second(n: f64) -> String {
    format!("{}/s", bytes(n))
}

/// Components and their figures under a load, variants side by side; empty where results are older than these figures.
pub(super) fn usage_table(results: &Results, load: &str) -> String {
    let cells: Vec<Cell<'_>> = results
        .plan
        .variants
        .iter()
        .filter_map(|v| cell(results, &v.name, load))
        .filter(|cell| !cell.valid().is_empty())
        .collect();
    let found: Vec<Vec<(String, Used)>> = cells.iter().map(used).collect();
    if !found.iter().flatten().any(|(_, used)| used.is_detailed()) {
        return String::new();
    }
    let mut rows = Vec::new();
    for component in WAY {
        for (title, figure, say) in FIGURES {
            let of = |all: &Vec<(String, Used)>| {
                let (_, used) = all.iter().find(|(name, _)| name == component)?;
                figure(used)
            };
            let values: Vec<Option<f64>> = found.iter().map(of).collect();
            // A row of zeros is in the CSV; here it would hide those that say something.
            if values.iter().flatten().any(|x| *x > 0.0) {
                let texts = values.into_iter().map(|x| x.map(say).unwrap_or_default());
                rows.push(std::iter::once(format!("{component}: {title}")).chain(texts).collect());
            }
        }
    }
    let stolen = cells.iter().map(|cell| steal_share(cell).map(share).unwrap_or_default());
    rows.push(std::iter::once("stolen from the machine".to_owned()).chain(stolen).collect());
    let names: Vec<String> = cells.iter().map(|cell| code(&cell.plan.variant)).collect();
    let mut header = vec![("", Align::Left)];
    header.extend(names.iter().map(|name| (name.as_str(), Align::Right)));
    table(&header, &rows)
}

/// Mean share of the machine's time that others had.
pub(super) fn steal_share(cell: &Cell<'_>) -> Option<f64> {
    let shares: Vec<f64> =
        cell.valid().iter().filter_map(|t| Some(t.witness.as_ref()?.steal_share)).collect();
    estimate(&shares, Scale::Linear, cell.confidence).map(|e| e.mean)
}
