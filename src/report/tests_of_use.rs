//! Where the time goes and what was used, in the report of a made-up run that clocked its stages.

use super::fixture::{results, with_blocks};
use super::{Report, render};
use crate::plan::StageSums;
use crate::results::{DataOrigin, DatasetRecord, IndexCostRecord, PathSums, Results, Table};
use crate::spec::Metric;

/// What a request of a variant spends, in microseconds: routing, pool wait, cache, query, serialisation.
fn spends(variant: &str) -> [u64; 5] {
    match variant {
        "cached" => [2, 1, 20, 3, 4],
        "scan" => [2, 8, 0, 300_000, 6],
        _ => [2, 8, 0, 50, 6],
    }
}

/// The made-up run, as if it had clocked and counted.
fn clocked(mut results: Results) -> Results {
    for trial in &mut results.trials {
        let Some(witness) = trial.witness.as_mut() else { continue };
        let requests = witness.api_requests;
        let sum = |us: u64| us * 1000 * requests;
        let [routing, pool_wait, cache, query, serialise] = spends(&trial.variant);
        witness.stages = Some(StageSums {
            requests,
            routing_ns: sum(routing),
            pool_wait_ns: sum(pool_wait),
            cache_ns: sum(cache),
            query_ns: sum(query),
            serialise_ns: sum(serialise),
        });
        let rounds = if trial.variant == "scan" { 49 } else { 500 };
        witness.paths = (trial.load == "unloaded").then_some(PathSums {
            rounds,
            nginx_ns: 10_000 * rounds,
            api_ns: 80_000 * rounds,
            whole_ns: 120_000 * rounds,
        });
        for (component, used) in &mut witness.resources {
            let counts = component != "postgres";
            used.net_received_bytes = counts.then_some(requests * 100);
            used.net_sent_bytes = counts.then_some(requests * 300);
            if component != "generator" {
                used.voluntary_switches = Some(requests * 3);
                used.involuntary_switches = Some(requests);
                used.disk_read_bytes = Some(0);
                used.disk_written_bytes = Some(8192);
            }
        }
    }
    results
}

fn rendered(results: &Results) -> Report {
    render(results).expect("the template fits the view")
}

fn table_of<'a>(report: &'a Report, file: &str) -> &'a Table {
    report.tables.iter().find(|table| table.file == file).expect(file)
}

/// Rows of a variant's parts under a load: part and mean.
fn parts(report: &Report, variant: &str, load: &str) -> Vec<(String, Option<f64>)> {
    let rows = &table_of(report, "breakdown.csv").rows;
    let own = rows.iter().filter(|row| row[0] == variant && row[1] == load);
    own.map(|row| (row[2].clone(), row[4].parse().ok())).collect()
}

#[test]
fn parts_and_remainder_are_the_whole_and_what_was_not_measured_is_empty() {
    let report = rendered(&clocked(results()));
    let mut cells = 0;
    for (variant, load) in [
        ("btree", "unloaded"),
        ("cached", "unloaded"),
        ("scan", "unloaded"),
        ("btree", "steady"),
        ("composite", "users100"),
    ] {
        let parts = parts(&report, variant, load);
        let of = |name: &str| parts.iter().find(|(n, _)| n == name).and_then(|(_, mean)| *mean);
        let names: Vec<&str> = parts.iter().map(|(name, _)| name.as_str()).collect();
        let all = "network nginx routing pool_wait cache query serialise remainder whole";
        assert_eq!(names, all.split(' ').collect::<Vec<_>>());
        let whole = of("whole").expect("a mean service time");
        let sum: f64 =
            parts.iter().filter(|(n, _)| n != "whole").filter_map(|(_, mean)| *mean).sum();
        assert!((sum - whole).abs() <= whole * 1e-4, "{variant} {load}: {sum} of {whole}");
        // Only one user at a time, and only with rounds enough, tells Nginx' share.
        let timed = load == "unloaded" && variant != "scan";
        assert_eq!(of("network"), timed.then_some(10.0), "{variant} {load}");
        assert_eq!(of("nginx"), timed.then_some(120.0 - 80.0 - 10.0), "{variant} {load}");
        assert_eq!(of("cache"), (variant == "cached").then_some(20.0), "{variant} {load}");
        assert_eq!(of("routing"), Some(2.0));
        cells += 1;
    }
    assert_eq!(cells, 5);
}

#[test]
fn the_parts_that_make_a_variant_another_one_than_the_baseline_are_named_the_greatest_first() {
    let report = rendered(&clocked(results()));
    let about = |variant: &str| {
        let start = format!("- `{variant}`: ");
        let lines = report.markdown.lines().filter(|line| line.contains("for a request, "));
        lines.filter(|line| line.starts_with(&start)).map(str::to_owned).collect::<Vec<_>>()
    };
    assert!(about("btree").is_empty(), "nothing is beside itself");
    let cached = about("cached");
    assert_eq!(cached.len(), 3, "one under each load: {cached:?}");
    for line in &cached {
        assert!(
            line.contains("What differs most: ") && line.contains("100% of its requests"),
            "{line}"
        );
        assert!(
            !line.contains("client to Nginx"),
            "the same on both sides, and not among the most"
        );
    }
    // The ways of a variant that is too slow for them were not measured, and are no difference.
    let scan = about("scan");
    assert!(!scan.is_empty() && scan.iter().all(|line| !line.contains("Nginx")), "{scan:?}");
}

#[test]
fn what_is_not_known_of_somebody_elses_postgres_is_empty_and_told() {
    let mut results = results();
    let origin = Some(DataOrigin::External { could_write: true });
    results.manifest.dataset = DatasetRecord { origin, ..DatasetRecord::default() };
    for witness in results.trials.iter_mut().filter_map(|trial| trial.witness.as_mut()) {
        witness.index_scans.clear();
        (witness.buffers_hit, witness.buffers_read, witness.temp_bytes) = (None, None, None);
        witness.resources.remove("postgres");
    }
    let report = rendered(&results);
    for said in ["Postgres is not querylab's", "which is not zero", "The role could have written"] {
        assert!(report.markdown.contains(said), "{said}");
    }
    let summary = table_of(&report, "summary.csv");
    let column = |name: &str| summary.header.iter().position(|h| h == name).expect(name);
    for row in &summary.rows {
        for name in ["index_scans_per_request", "buffers_per_request"] {
            assert_eq!(row[column(name)], "", "{name} of {row:?}");
        }
    }
    let used = table_of(&report, "resources.csv");
    assert!(!used.rows.iter().flatten().any(|cell| cell == "postgres"), "{:?}", used.rows);
}

#[test]
fn a_remainder_may_be_negative_and_is_shown_as_such() {
    let mut results = clocked(results());
    for trial in &mut results.trials {
        if let Some(stages) = trial.witness.as_mut().and_then(|w| w.stages.as_mut()) {
            stages.query_ns *= 100;
        }
    }
    let report = rendered(&results);
    let left = parts(&report, "btree", "unloaded").into_iter().find(|(n, _)| n == "remainder");
    assert!(left.is_some_and(|(_, mean)| mean.is_some_and(|us| us < -1000.0)));
}

#[test]
fn one_trial_without_a_part_leaves_the_part_empty_and_the_sum_whole() {
    let mut results = clocked(with_blocks(3));
    let trial = results.trials.iter_mut().find(|t| t.variant == "btree" && t.load == "unloaded");
    trial.expect("a trial").witness.as_mut().expect("a witness").paths = None;
    let report = rendered(&results);
    let parts = parts(&report, "btree", "unloaded");
    assert_eq!(parts[0], ("network".into(), None));
    let sum: f64 = parts[..8].iter().filter_map(|(_, mean)| *mean).sum();
    let whole = parts[8].1.expect("a whole");
    assert!((sum - whole).abs() <= whole * 1e-4, "{sum} of {whole}");
}

#[test]
fn results_of_before_the_clocks_have_neither_chapter_nor_table() {
    let report = rendered(&results());
    assert!(report.tables.iter().all(|table| table.file != "breakdown.csv"));
    assert!(!report.markdown.contains("Where the time goes"));
    assert!(!report.markdown.contains("as shares and rates"));
    let header = &table_of(&report, "resources.csv").header;
    assert_eq!(header.last().map(String::as_str), Some("disk_bytes_per_request"));
}

#[test]
fn the_chapters_of_a_clocked_run() {
    let text = rendered(&clocked(with_blocks(2))).markdown;
    let (_, chapter) = text.split_once("## Where the time goes").expect("a chapter");
    let (chapter, _) = chapter.split_once("## How each variant differs").expect("the next one");
    insta::assert_snapshot!(chapter.trim());
}

#[test]
fn the_metrics_of_parts_and_use_are_those_of_the_tables() {
    let mut results = clocked(results());
    let claim = results.plan.claims[0].clone();
    let value = |results: &mut Results, metric: Metric, load: &str| {
        results.plan.claims = vec![crate::plan::ClaimPlan {
            metric,
            variant: "btree".into(),
            load: Some(load.into()),
            vs: None,
            ..claim.clone()
        }];
        let report = rendered(results);
        let row = table_of(&report, "claims.csv").rows[0].clone();
        (row[11].parse::<f64>().ok(), row[4].clone())
    };
    let mut of = |metric, load: &str| value(&mut results, metric, load);
    assert_eq!(of(Metric::TimeInQuery, "users100"), (Some(50.0), "us".into()));
    assert_eq!(of(Metric::TimeInNginx, "unloaded"), (Some(30.0), "us".into()));
    assert_eq!(of(Metric::TimeInNginx, "steady").0, None);
    assert_eq!(of(Metric::TimeInCache, "steady").0, None);
    // 41 µs for each of 1000 requests a second.
    assert_eq!(of(Metric::PostgresCpuShare, "steady"), (Some(0.041), "share".into()));
    let (memory, unit) = of(Metric::PostgresPssBytes, "steady");
    assert!(memory.is_some_and(|b| (b / f64::from(310 << 20) - 1.0).abs() < 1e-5), "{memory:?}");
    assert_eq!(unit, "bytes");
    assert_eq!(of(Metric::NetworkRate, "steady"), (Some(400_000.0), "bytes_per_s".into()));
}

#[test]
fn the_price_of_writes_is_told_where_it_was_measured() {
    let mut results = results();
    let said = rendered(&results);
    assert!(said.tables.iter().all(|table| table.file != "index_costs.csv"));
    assert!(!said.markdown.contains("HOT"), "nothing was measured");
    results.manifest.dataset.index_costs = vec![IndexCostRecord {
        database: "ql_set_1".into(),
        variants: vec!["btree".into(), "cached".into()],
        table: "users".into(),
        insert_us: Some(3.25),
        insert_slowdown: Some(1.5),
        insert_wal_bytes: Some(210),
        hot_update_ratio: Some(0.125),
        ..IndexCostRecord::default()
    }];
    let said = rendered(&results);
    let costs = table_of(&said, "index_costs.csv");
    assert_eq!(costs.rows.len(), 2, "a row for each variant that has the set");
    assert_eq!(
        costs.rows[0],
        ["btree", "ql_set_1", "users", "3.25", "1.5", "210", "", "", "", "0.125"]
    );
    let line = said.markdown.lines().find(|line| line.contains("12.5%")).expect("a row");
    for part in ["`btree`", "`users`", "3.25 µs", "1.50x", "210 B"] {
        assert!(line.contains(part), "{part} in {line}");
    }
    assert!(said.markdown.contains("the median of five transactions of 5,000 rows in a clone"));
    assert!(!said.markdown.contains(" passes |"), "older results do not know it");
}

#[test]
fn the_range_of_what_writes_cost_is_told_and_a_set_without_indexes_is_its_noise() {
    let mut results = results();
    let priced = |set: &str, variant: &str, slowdown| IndexCostRecord {
        database: set.into(),
        variants: vec![variant.into()],
        table: "users".into(),
        insert_us: Some(3.25),
        insert_min_us: Some(3.0),
        insert_max_us: Some(4.5),
        insert_slowdown: Some(slowdown),
        ..IndexCostRecord::default()
    };
    let priced = [priced("ql_set_0", "scan", 0.875), priced("ql_set_1", "btree", 1.5)];
    results.manifest.dataset.index_costs = priced.to_vec();
    let said = rendered(&results);
    let costs = table_of(&said, "index_costs.csv");
    let ranges = ["insert_min_us", "insert_max_us", "update_min_us", "update_max_us"];
    assert_eq!(costs.header[10..], ranges);
    assert_eq!(costs.rows[0][10..], ["3", "4.5", "", ""]);
    let text = &said.markdown;
    assert!(text.contains("3.00 µs - 4.50 µs") && text.contains(" passes |"), "{text}");
    assert!(text.contains("What `scan` has is no index either"), "{text}");
    assert!(text.contains("up to 12.5% away from it"), "{text}");
    assert!(!text.contains("the median of five transactions of 5,000 rows in a clone"), "{text}");
}

#[test]
fn a_machine_that_was_busy_before_a_run_is_a_threat() {
    let mut results = results();
    let sentence = "The machine was not at rest when the run began: load average 3.54 on 2 cores.";
    assert!(!rendered(&results).markdown.contains("not at rest"));
    for (key, value) in [("load_average_before", "3.54"), ("cores", "2")] {
        results.manifest.host.insert(key.into(), value.into());
    }
    assert!(rendered(&results).markdown.contains(sentence));
}
