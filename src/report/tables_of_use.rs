//! The CSV tables of what a run used: `resources.csv`, and `breakdown.csv` where stages were clocked.

use super::breakdown;
use super::cells::{Cell, cell};
use super::costs::{Used, used};
use super::tables::{maybe, number, table};
use super::usage::steal_share;
use crate::results::{Results, Table};

/// Columns that older results do not have.
const DETAILS: &str = " cpu_core_share voluntary_switches_per_request involuntary_switches_per_request \
                       disk_read_bytes_per_s disk_written_bytes_per_s net_received_bytes_per_s net_sent_bytes_per_s \
                       steal_share";

/// `resources.csv`: a row for each component of each cell, over its valid trials.
pub(super) fn resources(results: &Results) -> Table {
    let mut found: Vec<(Cell<'_>, String, Used)> = Vec::new();
    for (variant, load) in cells(results) {
        let Some(cell) = cell(results, variant, load) else { continue };
        for (component, used) in used(&cell) {
            found.push((cell.clone(), component, used));
        }
    }
    let has_details = found.iter().any(|(_, _, used)| used.is_detailed());
    let rows = found.iter().map(|(cell, component, used)| {
        let mut row = vec![
            cell.plan.variant.clone(),
            cell.plan.load.clone(),
            component.clone(),
            cell.valid().len().to_string(),
            used.requests.to_string(),
            number(used.cpu_us_per_request),
            maybe(used.pss_bytes),
            maybe(used.switches_per_request),
            maybe(used.disk_bytes_per_request),
        ];
        if has_details {
            let details = [
                used.cpu_share,
                used.voluntary_switches_per_request,
                used.involuntary_switches_per_request,
                used.disk_read_bytes_per_s,
                used.disk_written_bytes_per_s,
                used.net_received_bytes_per_s,
                used.net_sent_bytes_per_s,
                steal_share(cell),
            ];
            row.extend(details.map(maybe));
        }
        row
    });
    let header = "variant load component blocks requests cpu_per_request_us pss_bytes context_switches_per_request \
                  disk_bytes_per_request";
    let header = if has_details { format!("{header}{DETAILS}") } else { header.to_owned() };
    table("resources.csv", &header, rows.collect())
}

/// `breakdown.csv`: a row for each part of each cell; none where nothing was clocked.
pub(super) fn breakdown(results: &Results) -> Option<Table> {
    let mut rows = Vec::new();
    for (variant, load) in cells(results) {
        let Some(cell) = cell(results, variant, load) else { continue };
        let Some(parts) = breakdown::rows(&cell) else { continue };
        let whole = parts.last().and_then(|whole| whole.mean).map(|whole| whole.mean);
        for part in parts {
            let interval = part.mean.and_then(|e| e.interval);
            rows.push(vec![
                variant.to_owned(),
                load.to_owned(),
                part.name.to_owned(),
                part.mean.map(|e| e.n.to_string()).unwrap_or_default(),
                maybe(part.mean.map(|e| e.mean)),
                maybe(interval.map(|i| i.low)),
                maybe(interval.map(|i| i.high)),
                maybe(part.mean.zip(whole).map(|(e, whole)| e.mean / whole)),
            ]);
        }
    }
    let header = "variant load part trials mean_us mean_low_us mean_high_us share";
    (!rows.is_empty()).then(|| table("breakdown.csv", header, rows))
}

/// Names of all cells, loads outside.
fn cells(results: &Results) -> impl Iterator<Item = (&str, &str)> {
    let plan = &results.plan;
    let of_load = |load| plan.variants.iter().map(move |v| (v.name.as_str(), load));
    plan.loads.iter().flat_map(move |load| of_load(load.as_str()))
}
