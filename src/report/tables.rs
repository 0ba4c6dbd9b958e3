//! The CSV tables: machine numbers, units in the header, missing is empty.
//!
//! Six significant digits: more than any of these numbers deserves, and fewer than those in which two machines'
//! logarithms may differ.

use super::cells::{Cell, blocks, cell};
use super::claims::Judged;
use super::compared::{Compared, Family, Noise};
use super::errors::Errors;
use super::values::Missing;
use crate::plan::DesignPlan;
use crate::results::{IndexCostRecord, Results, Table};
use crate::spec::Metric;
use crate::stats::{Comparison, Estimate, none_in};

/// A table from its columns' names, a blank between them.
pub(super) fn table(file: &str, header: &str, rows: Vec<Vec<String>>) -> Table {
    Table { file: file.into(), header: header.split(' ').map(str::to_owned).collect(), rows }
}

/// Six significant digits, no exponent, no trailing zeros.
pub(super) fn number(x: f64) -> String {
    if !x.is_finite() {
        return String::new();
    }
    // Through the exponent form, which rounds exactly; then back to plain digits.
    let rounded: f64 = format!("{x:.5e}").parse().unwrap_or(x);
    format!("{rounded}")
}

/// The same, and nothing for nothing.
pub(super) fn maybe(x: Option<f64>) -> String {
    x.map(number).unwrap_or_default()
}

/// `summary.csv`: a row for each cell.
pub(super) fn summary(results: &Results) -> Table {
    let plan = &results.plan;
    let mut rows = Vec::new();
    // Tables without a search stay byte for byte what they were.
    let searches = plan.cells.iter().any(|cell| cell.drive.search.is_some());
    let mut targets = plan.cells.iter().flat_map(|cell| &cell.drive.targets);
    let is_dated = targets.any(|target| target.version.is_some());
    for load in &plan.loads {
        for variant in &plan.variants {
            if let Some(cell) = cell(results, &variant.name, load) {
                let mut row = summary_row(&cell, blocks(results));
                if searches {
                    row.extend(three(cell.value(Metric::MaxRate)));
                }
                if is_dated {
                    row.push(maybe(cell.value(Metric::StaleRatio).ok().map(|e| e.mean)));
                }
                rows.push(row);
            }
        }
    }
    let mut table = table(
        "summary.csv",
        "variant load blocks_planned blocks_valid trials trials_failed trials_overloaded due dropped answered failed \
         error_ratio error_ratio_upper_95 rate_rps rate_low_rps rate_high_rps cache_hit_ratio \
         response_time_p50_us response_time_p50_low_us response_time_p50_high_us response_time_p90_us \
         response_time_p95_us response_time_p95_low_us response_time_p95_high_us response_time_p99_us \
         response_time_p999_us service_time_p50_us service_time_p95_us service_time_p99_us \
         index_scans_per_request buffers_per_request statements_per_request",
        rows,
    );
    if searches {
        let names = ["max_rate_rps", "max_rate_low_rps", "max_rate_high_rps"];
        table.header.extend(names.map(str::to_owned));
    }
    if is_dated {
        table.header.push("stale_ratio".into());
    }
    table
}

fn summary_row(cell: &Cell<'_>, planned: u32) -> Vec<String> {
    use crate::results::Outcome;
    let sums = cell.sums();
    let count = |is: fn(&Outcome) -> bool| {
        cell.trials.iter().filter(|t| is(&t.outcome)).count().to_string()
    };
    let error_ratio = (sums.due > 0).then(|| sums.failed as f64 / sums.due as f64);
    let upper = (sums.due > 0 && sums.failed == 0).then(|| none_in(sums.due));
    let value = |metric| cell.value(metric);
    let mean = |metric| maybe(value(metric).ok().map(|e| e.mean));
    let with_interval = |metric| three(value(metric));
    let mut row = vec![
        cell.plan.variant.clone(),
        cell.plan.load.clone(),
        planned.to_string(),
        cell.valid().len().to_string(),
        cell.trials.len().to_string(),
        count(|o| matches!(o, Outcome::Failed(_))),
        count(|o| *o == Outcome::Overloaded),
        sums.due.to_string(),
        sums.dropped.to_string(),
        sums.answered.to_string(),
        sums.failed.to_string(),
        maybe(error_ratio),
        maybe(upper),
    ];
    row.extend(with_interval(Metric::Throughput));
    row.push(mean(Metric::CacheHitRatio));
    row.extend(with_interval(Metric::ResponseTimeP50));
    row.push(mean(Metric::ResponseTimeP90));
    row.extend(with_interval(Metric::ResponseTimeP95));
    row.extend(
        [
            Metric::ResponseTimeP99,
            Metric::ResponseTimeP999,
            Metric::ServiceTimeP50,
            Metric::ServiceTimeP95,
            Metric::ServiceTimeP99,
            Metric::IndexScansPerRequest,
            Metric::BuffersPerRequest,
            Metric::StatementsPerRequest,
        ]
        .map(mean),
    );
    row
}

fn three(value: Result<Estimate, Missing>) -> [String; 3] {
    let value = value.ok();
    let interval = value.and_then(|v| v.interval);
    [maybe(value.map(|v| v.mean)), maybe(interval.map(|i| i.low)), maybe(interval.map(|i| i.high))]
}

/// `comparisons.csv`: a row for each comparison, and the A/A check first.
pub(super) fn comparisons(
    results: &Results,
    all: &[Compared],
    errors: &[Errors],
    noise: Option<&Noise>,
) -> Table {
    let baseline = &results.plan.design.baseline;
    let mut rows = Vec::new();
    if let Some(noise) = noise {
        let mut row = vec![
            noise.load.clone(),
            format!("{baseline} (twin)"),
            baseline.clone(),
            noise.metric.name().into(),
            "a-a".into(),
        ];
        row.extend(ratio_columns(noise.comparison.as_ref()));
        row.extend([String::new(), String::new(), String::new()]);
        rows.push(row);
    }
    for c in all {
        let mut row = vec![
            c.load.clone(),
            c.variant.clone(),
            baseline.clone(),
            c.metric.name().into(),
            c.family.word().into(),
        ];
        row.extend(ratio_columns(c.comparison.as_ref()));
        row.push(maybe(c.p_adjusted));
        row.push(match (c.family, c.p_adjusted) {
            (_, None) => String::new(),
            (Family::Primary, Some(_)) => "holm".into(),
            (Family::Secondary, Some(_)) => "benjamini-hochberg".into(),
        });
        row.push(c.verdict.word().into());
        rows.push(row);
    }
    let mut header = String::from(
        "load variant baseline metric family blocks confidence ratio low high adjusted_low adjusted_high equivalence_90_low \
         equivalence_90_high hodges_lehmann rank_95_low rank_95_high sd_log detectable_share blocks_needed \
         p_value p_adjusted adjustment verdict",
    );
    // Where nobody failed there are no such columns either: tables of before them stay what they are.
    if !errors.is_empty() {
        header += " difference_share difference_low_share difference_high_share";
        for row in &mut rows {
            row.extend([String::new(), String::new(), String::new()]);
        }
        rows.extend(errors.iter().map(|e| error_row(e, &results.plan.design)));
    }
    table("comparisons.csv", &header, rows)
}

fn error_row(errors: &Errors, design: &DesignPlan) -> Vec<String> {
    let d = &errors.difference;
    let mut row = vec![
        errors.load.clone(),
        errors.variant.clone(),
        design.baseline.clone(),
        Metric::ErrorRatio.name().into(),
        "errors".into(),
        d.n.to_string(),
        number(design.confidence),
    ];
    // No ratio, and nothing that follows from one.
    row.extend(std::iter::repeat_n(String::new(), 13));
    row.extend([number(d.p_value), number(errors.p_adjusted), "benjamini-hochberg".into()]);
    row.push(String::new());
    row.extend([
        number(d.mean),
        maybe(d.interval.map(|i| i.low)),
        maybe(d.interval.map(|i| i.high)),
    ]);
    row
}

fn ratio_columns(comparison: Option<&Comparison>) -> Vec<String> {
    let Some(c) = comparison else { return vec![String::new(); 16] };
    let mut row = vec![c.n.to_string(), number(c.question.confidence), number(c.ratio)];
    let Some(s) = c.spread else {
        row.extend(std::iter::repeat_n(String::new(), 13));
        return row;
    };
    row.extend(
        [
            s.interval.low,
            s.interval.high,
            s.adjusted.low,
            s.adjusted.high,
            s.equivalence.low,
            s.equivalence.high,
            s.hodges_lehmann,
        ]
        .map(number),
    );
    row.push(maybe(s.rank_interval.map(|i| i.low)));
    row.push(maybe(s.rank_interval.map(|i| i.high)));
    row.push(number(s.sd_log));
    row.push(number(s.detectable));
    row.push(s.blocks_needed.to_string());
    row.push(number(s.p_value));
    row
}

/// `claims.csv`: a row for each claim. Values are in the metric's unit, or ratios where there is a `vs`.
pub(super) fn claims(all: &[Judged<'_>]) -> Table {
    let rows = all
        .iter()
        .map(|j| {
            let c = j.claim;
            let interval = j.measured.and_then(|m| m.interval);
            vec![
                c.id.clone(),
                c.text.clone(),
                c.source.clone().unwrap_or_default(),
                c.metric.name().into(),
                unit(c.metric, c.vs.is_some()).into(),
                c.variant.clone(),
                c.load.clone().unwrap_or_default(),
                c.vs.clone().unwrap_or_default(),
                maybe(c.low),
                maybe(c.high),
                j.measured.map(|m| m.n.to_string()).unwrap_or_default(),
                maybe(j.measured.map(|m| m.mean)),
                maybe(interval.map(|i| i.low)),
                maybe(interval.map(|i| i.high)),
                j.held.word().into(),
                j.reason.clone().unwrap_or_default(),
            ]
        })
        .collect();
    table(
        "claims.csv",
        "id text source metric unit variant load vs claimed_low claimed_high blocks measured measured_low measured_high \
         verdict reason",
        rows,
    )
}

fn unit(metric: Metric, is_ratio: bool) -> &'static str {
    use crate::spec::Unit;
    match metric.unit() {
        _ if is_ratio => "ratio",
        Unit::Micros => "us",
        Unit::Bytes => "bytes",
        Unit::PerSecond => "rps",
        Unit::BytesPerSecond => "bytes_per_s",
        Unit::Share | Unit::CoreShare => "share",
        Unit::Number => "number",
    }
}

/// `indexes.csv`: a row for each index of each variant.
pub(super) fn indexes(results: &Results) -> Table {
    let mut rows = Vec::new();
    for variant in &results.plan.variants {
        for index in &results.manifest.dataset.indexes {
            if index.variants.contains(&variant.name) {
                rows.push(vec![
                    variant.name.clone(),
                    index.database.clone(),
                    index.name.clone(),
                    index.build_ms.to_string(),
                    index.index_bytes.to_string(),
                    index.sql.clone(),
                ]);
            }
        }
    }
    table("indexes.csv", "variant database index build_time_ms index_bytes sql", rows)
}

/// `index_costs.csv`: a row for each variant and table; none where it was not measured.
pub(super) fn index_costs(results: &Results) -> Option<Table> {
    let costs = &results.manifest.dataset.index_costs;
    let has_range = costs.iter().any(IndexCostRecord::has_range);
    let mut rows = Vec::new();
    for variant in &results.plan.variants {
        for cost in costs.iter().filter(|cost| cost.variants.contains(&variant.name)) {
            let whole = |n: Option<u64>| n.map(|n| n.to_string()).unwrap_or_default();
            let mut row = vec![
                variant.name.clone(),
                cost.database.clone(),
                cost.table.clone(),
                maybe(cost.insert_us),
                maybe(cost.insert_slowdown),
                whole(cost.insert_wal_bytes),
                maybe(cost.update_us),
                maybe(cost.update_slowdown),
                whole(cost.update_wal_bytes),
                maybe(cost.hot_update_ratio),
            ];
            if has_range {
                let ranges = [
                    (cost.insert_min_us, cost.insert_max_us),
                    (cost.update_min_us, cost.update_max_us),
                ];
                row.extend(ranges.iter().flat_map(|(min, max)| [maybe(*min), maybe(*max)]));
            }
            rows.push(row);
        }
    }
    let mut header = "variant database table insert_us insert_slowdown insert_wal_bytes update_us update_slowdown \
                      update_wal_bytes hot_update_ratio"
        .to_owned();
    if has_range {
        header.push_str(" insert_min_us insert_max_us update_min_us update_max_us");
    }
    (!costs.is_empty()).then(|| table("index_costs.csv", &header, rows))
}

#[cfg(test)]
mod cells_of_numbers {
    use super::number;

    #[test]
    fn numbers_have_six_digits_and_no_exponent() {
        let cases = [
            (1_234_567.8, "1234570"),
            (0.000_012_345_678, "0.0000123457"),
            (3.0, "3"),
            (0.1 + 0.2, "0.3"),
            (f64::NAN, ""),
            (0.0, "0"),
        ];
        for (x, want) in cases {
            assert_eq!(number(x), want);
        }
    }
}
