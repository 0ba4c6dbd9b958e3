//! What a variant costs beside time: indexes, CPU, memory.

use std::collections::BTreeMap;

use super::cells::{Cell, cell, data_value};
use super::markdown::{Align, code, table};
use super::values::digits;
use crate::results::{IndexCostRecord, Resources, Results};
use crate::spec::Metric;
use crate::stats::median;
use crate::units::{bytes, latency_ns, sig3};

/// What one component used, over the valid trials of a cell.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Used {
    /// Requests sent in those windows.
    pub(super) requests: u64,
    /// CPU microseconds for each.
    pub(super) cpu_us_per_request: f64,
    /// Median over the trials of the proportional set size at the end.
    pub(super) pss_bytes: Option<f64>,
    /// Context switches for each request.
    pub(super) switches_per_request: Option<f64>,
    /// Bytes to and from disk for each request.
    pub(super) disk_bytes_per_request: Option<f64>,
    /// CPU time over the windows' lengths: 1 is one core.
    pub(super) cpu_share: Option<f64>,
    /// Of the switches, those of threads that had nothing to do.
    pub(super) voluntary_switches_per_request: Option<f64>,
    /// Of the switches, those that made room for another.
    pub(super) involuntary_switches_per_request: Option<f64>,
    /// Bytes read from disk.
    pub(super) disk_read_bytes_per_s: Option<f64>,
    /// Bytes written to disk.
    pub(super) disk_written_bytes_per_s: Option<f64>,
    /// Bytes that came in.
    pub(super) net_received_bytes_per_s: Option<f64>,
    /// Bytes that went out.
    pub(super) net_sent_bytes_per_s: Option<f64>,
}

impl Used {
    /// Whether the trials knew more than older results do.
    pub(super) fn is_detailed(&self) -> bool {
        self.voluntary_switches_per_request.or(self.net_sent_bytes_per_s).is_some()
    }
}

/// Components in the order of a request's way; names that we do not know follow.
pub(super) const WAY: [&str; 5] = ["generator", "nginx", "api", "redis", "postgres"];

/// By component: pooled over the trials, because CPU and requests are sums.
pub(super) fn used(cell: &Cell<'_>) -> Vec<(String, Used)> {
    let mut all: BTreeMap<&str, Vec<InWindow<'_>>> = BTreeMap::new();
    for trial in cell.valid() {
        let (Some(window), Some(witness)) = (&trial.window, &trial.witness) else { continue };
        for (component, resources) in &witness.resources {
            let of_window = (window.sent, window.duration_ns, resources);
            all.entry(component).or_default().push(of_window);
        }
    }
    let place = |name: &str| WAY.iter().position(|w| *w == name).unwrap_or(WAY.len());
    let mut components: Vec<_> = all.into_iter().collect();
    components.sort_by_key(|(name, _)| (place(name), *name));
    components.into_iter().map(|(name, trials)| (name.to_owned(), pool(&trials))).collect()
}

/// Requests sent, nanoseconds, and what was used.
type InWindow<'a> = (u64, u64, &'a Resources);

fn pool(trials: &[InWindow<'_>]) -> Used {
    let requests: u64 = trials.iter().map(|(sent, ..)| sent).sum();
    let seconds = trials.iter().map(|(_, ns, _)| ns).sum::<u64>() as f64 / 1e9;
    let rate = |sum: u64| if seconds > 0.0 { sum as f64 / seconds } else { 0.0 };
    let per = |sum: u64| if requests == 0 { 0.0 } else { sum as f64 / requests as f64 };
    // None as soon as one trial could not count it: a sum with a hole is no sum.
    let sum = |of: fn(&Resources) -> Option<u64>| {
        trials.iter().map(|(_, _, r)| of(r)).sum::<Option<u64>>()
    };
    let cpu_us: u64 = trials.iter().map(|(_, _, r)| r.cpu_us).sum();
    let pss: Vec<f64> =
        trials.iter().filter_map(|(_, _, r)| r.pss_bytes).map(|b| b as f64).collect();
    Used {
        requests,
        cpu_us_per_request: per(cpu_us),
        pss_bytes: median(&pss),
        switches_per_request: sum(|r| r.context_switches).map(per),
        disk_bytes_per_request: sum(|r| r.disk_bytes).map(per),
        cpu_share: (seconds > 0.0).then(|| cpu_us as f64 / 1e6 / seconds),
        voluntary_switches_per_request: sum(|r| r.voluntary_switches).map(per),
        involuntary_switches_per_request: sum(|r| r.involuntary_switches).map(per),
        disk_read_bytes_per_s: sum(|r| r.disk_read_bytes).map(rate),
        disk_written_bytes_per_s: sum(|r| r.disk_written_bytes).map(rate),
        net_received_bytes_per_s: sum(|r| r.net_received_bytes).map(rate),
        net_sent_bytes_per_s: sum(|r| r.net_sent_bytes).map(rate),
    }
}

/// Table of indexes: statement and size of each, and beside the baseline's.
pub(super) fn index_table(results: &Results) -> String {
    let baseline = data_value(results, Metric::IndexBytes, &results.plan.design.baseline);
    let mut rows = Vec::new();
    for variant in &results.plan.variants {
        let own: Vec<_> = results
            .manifest
            .dataset
            .indexes
            .iter()
            .filter(|i| i.variants.contains(&variant.name))
            .collect();
        let total = data_value(results, Metric::IndexBytes, &variant.name);
        if own.is_empty() {
            let none = if total == Some(0.0) { "none" } else { "not recorded" };
            let blank = || "–".to_owned();
            rows.push(vec![code(&variant.name), none.into(), blank(), blank(), blank()]);
        }
        for index in own {
            let size = index.index_bytes as f64;
            rows.push(vec![
                code(&variant.name),
                code(&index.name),
                latency_ns(index.build_ms as f64 * 1e6),
                bytes(size),
                baseline
                    .filter(|b| *b > 0.0)
                    .map(|b| format!("{}x", sig3(size / b)))
                    .unwrap_or_default(),
            ]);
        }
    }
    let beside = format!("size / {}", code(&results.plan.design.baseline));
    table(
        &[
            ("variant", Align::Left),
            ("index", Align::Left),
            ("build", Align::Right),
            ("size", Align::Right),
            (&beside, Align::Right),
        ],
        &rows,
    )
}

/// Table of what each index set costs those who write; nothing where it was not measured. Older results do not know how far
/// the passes lay apart: then it has no columns for that.
pub(super) fn write_table(results: &Results) -> String {
    let costs = &results.manifest.dataset.index_costs;
    let has_range = costs.iter().any(IndexCostRecord::has_range);
    let mut rows = Vec::new();
    for variant in &results.plan.variants {
        for cost in costs.iter().filter(|cost| cost.variants.contains(&variant.name)) {
            let mut row = vec![code(&variant.name), code(&cost.table)];
            row.extend(written(
                (cost.insert_us, cost.insert_slowdown, cost.insert_wal_bytes),
                has_range.then_some((cost.insert_min_us, cost.insert_max_us)),
            ));
            row.extend(written(
                (cost.update_us, cost.update_slowdown, cost.update_wal_bytes),
                has_range.then_some((cost.update_min_us, cost.update_max_us)),
            ));
            row.push(cost.hot_update_ratio.map(crate::units::share).unwrap_or_default());
            rows.push(row);
        }
    }
    if rows.is_empty() {
        return String::new();
    }
    let mut header = vec![("variant", Align::Left), ("table", Align::Left)];
    for kind in ["insert", "update"] {
        header.push((kind, Align::Right));
        header.extend(has_range.then_some(("passes", Align::Right)));
        header.extend([("/ no index", Align::Right), ("log", Align::Right)]);
    }
    header.push(("HOT", Align::Right));
    table(&header, &rows)
}

/// Cells of one kind of write: microseconds, how many times those of no index, bytes of the log; and between them, where a
/// column is for it, the least and the most microseconds.
fn written(
    (us, slowdown, wal_bytes): (Option<f64>, Option<f64>, Option<u64>),
    range_us: Option<(Option<f64>, Option<f64>)>,
) -> Vec<String> {
    let time = |us: f64| latency_ns(us * 1e3);
    let mut cells = vec![us.map(time).unwrap_or_default()];
    cells.extend(range_us.map(|(min, max)| {
        let ends = min.zip(max);
        ends.map(|(min, max)| format!("{} - {}", time(min), time(max))).unwrap_or_default()
    }));
    cells.push(slowdown.map(|x| format!("{}x", sig3(x))).unwrap_or_default());
    cells.push(wal_bytes.map(|n| bytes(n as f64)).unwrap_or_default());
    cells
}

/// How the table of writes was measured, and what its own noise is; nothing of results that do not know it.
pub(super) fn write_note(results: &Results) -> String {
    let costs = &results.manifest.dataset.index_costs;
    if !costs.iter().any(IndexCostRecord::has_range) {
        return String::new();
    }
    let note = "Of one row written in a clone of the variant's database, one server's work without the commit: the median of \
                five transactions of 5,000 rows, and of two such medians, the second taken in the reverse order of the \
                variants, the mean. `passes` is the range of all ten. Beside it the same in a clone without any of these \
                indexes. An update changes nothing that an index holds: it is HOT, and needs no new entry, where the row's \
                page has room. The log does not hold images of whole pages.";
    match write_noise(results) {
        Some(noise) => format!("{note} {noise}"),
        None => note.to_owned(),
    }
}

/// A set without indexes is priced like any other, and beside what it is itself: the difference is the table's own.
fn write_noise(results: &Results) -> Option<String> {
    let is_bare = |cost: &&IndexCostRecord| {
        let mut sets = results.plan.index_sets.iter();
        sets.any(|set| set.database == cost.database && set.indexes.is_empty())
    };
    let bare = results.manifest.dataset.index_costs.iter().filter(is_bare);
    let bare: Vec<&IndexCostRecord> = bare.collect();
    let ratios = bare.iter().flat_map(|cost| [cost.insert_slowdown, cost.update_slowdown]);
    let most = ratios.flatten().map(|x| (x - 1.0).abs()).reduce(f64::max)?;
    let mut names: Vec<String> = Vec::new();
    for name in bare.iter().flat_map(|cost| &cost.variants).map(|name| code(name)) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    if names.is_empty() {
        return None;
    }
    Some(format!(
        "What {} has is no index either, so its ratios should be 1: they are up to {} away from it, and differences of that \
         size say nothing here.",
        names.join(" or "),
        crate::units::share(most)
    ))
}

/// Table of heaps: what the rows themselves take.
pub(super) fn heap_table(results: &Results) -> String {
    let rows: Vec<Vec<String>> = results
        .manifest
        .dataset
        .tables
        .iter()
        .map(|t| {
            vec![
                code(&t.name),
                crate::units::count(t.rows),
                bytes(t.table_bytes as f64),
                latency_ns(t.load_ms as f64 * 1e6),
            ]
        })
        .collect();
    if rows.is_empty() {
        return String::new();
    }
    table(
        &[
            ("table", Align::Left),
            ("rows", Align::Right),
            ("size", Align::Right),
            ("load (COPY)", Align::Right),
        ],
        &rows,
    )
}

/// CPU milliseconds for 1000 requests (that is microseconds for one) by component, and memory in all.
pub(super) fn resource_table(results: &Results, load: &str) -> String {
    let mut found: Vec<(String, Vec<(String, Used)>)> = Vec::new();
    for variant in &results.plan.variants {
        if let Some(cell) = cell(results, &variant.name, load) {
            found.push((variant.name.clone(), used(&cell)));
        }
    }
    let mut components: Vec<String> = Vec::new();
    for (name, _) in found.iter().flat_map(|(_, used)| used) {
        if !components.contains(name) {
            components.push(name.clone());
        }
    }
    if components.is_empty() {
        return String::new();
    }
    let mut rows = Vec::new();
    for (variant, used) in &found {
        let mut row = vec![code(variant)];
        let of = |name: &String| used.iter().find(|(n, _)| n == name).map(|(_, u)| u);
        row.extend(
            components
                .iter()
                .map(|c| of(c).map(|u| digits(u.cpu_us_per_request)).unwrap_or_default()),
        );
        row.extend(
            components
                .iter()
                .filter(|c| *c != "generator")
                .map(|c| of(c).and_then(|u| u.pss_bytes).map(bytes).unwrap_or_default()),
        );
        rows.push(row);
    }
    let mut header = vec![("variant".to_owned(), Align::Left)];
    header.extend(components.iter().map(|c| (format!("{c} CPU (ms)"), Align::Right)));
    header.extend(
        components
            .iter()
            .filter(|c| *c != "generator")
            .map(|c| (format!("{c} memory"), Align::Right)),
    );
    let header: Vec<(&str, Align)> = header.iter().map(|(h, a)| (h.as_str(), *a)).collect();
    table(&header, &rows)
}
