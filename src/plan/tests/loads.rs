//! Mixes, stages and searches in plans of the worked example.

use super::*;
use crate::plan::{ModelPlan, SearchPlan, StagePlan};
use crate::spec::Metric;

const S: u64 = 1_000_000_000;

/// The cached variant of the example drives this instead of one endpoint.
fn mixed(mix: &str) -> String {
    changed(&[("endpoint = \"cached\"", &format!("mix = {mix}"))])
}

/// The steady load of the example with these lines instead of its rate and its duration.
fn steady(lines: &str) -> String {
    let at = EXAMPLE.find("rate          = \"1000/s\"").expect("a rate");
    let (before, after) = EXAMPLE.split_at(at);
    let after = after.replacen("rate          = \"1000/s\"", lines, 1);
    let after = if lines.contains("stages") {
        after.replacen("duration      = \"5s\"", "", 1)
    } else {
        after
    };
    format!("{before}{after}")
}

fn plan(text: &str) -> Plan {
    planned(text, &Layers::default()).unwrap_or_else(|problems| panic!("{problems:#?}"))
}

#[test]
fn a_mix_drives_all_its_endpoints_by_weight_and_is_one_factor() {
    let plan = plan(&mixed("{ indexed = 80, cached = 20 }"));
    let cell = plan.cell_of("cached", "unloaded").expect("a cell");
    let targets: Vec<_> =
        cell.drive.targets.iter().map(|t| (t.endpoint.as_str(), t.weight)).collect();
    assert_eq!(targets, [("cached", 20.0), ("indexed", 80.0)]);
    assert_eq!(cell.api.endpoints.len(), 2);
    assert!(cell.stack.redis.is_some());
    assert_eq!(plan.variant("cached").expect("there").endpoints, ["cached", "indexed"]);
    let delta = plan.deltas.iter().find(|d| d.variant == "cached").expect("a delta");
    let expected = ("mix", "100% indexed", "80% indexed, 20% cached");
    let (factor, base, own) = &delta.factors[0];
    assert_eq!((factor.as_str(), base.as_str(), own.as_str()), expected);
    assert_eq!(delta.factors.len(), 1, "{:?}", delta.factors);
    assert!(!plan.warnings.iter().any(|w| w.contains("`cached` differs")), "{:?}", plan.warnings);
}

#[test]
fn weights_are_relative_and_order_means_nothing() {
    let factors = |mix: &str| {
        let plan = plan(&mixed(mix));
        plan.deltas.into_iter().find(|d| d.variant == "cached").expect("a delta").factors
    };
    assert_eq!(factors("{ indexed = 80, cached = 20 }"), factors("{ cached = 1, indexed = 4 }"));
    assert_ne!(factors("{ indexed = 80, cached = 20 }"), factors("{ indexed = 1, cached = 1 }"));
}

#[test]
fn two_mixes_with_nothing_in_common_differ_in_what_they_hold_and_not_in_shares_that_agree() {
    // Statements with and without a cache, and another one with and without a bound value.
    let text = changed(&[
        ("endpoint = \"indexed\"", "mix = { indexed = 3, composite = 1 }"),
        ("endpoint = \"cached\"", "mix = { cached = 3, partial = 1 }"),
    ]);
    let text = text.replacen("expect   = { plan = { node = \"Index Scan\", index = \"idx_users_email\" }, index_scans_per_request = 1 }", "", 1);
    let plan = plan(&text);
    let delta = plan.deltas.iter().find(|d| d.variant == "cached").expect("a delta");
    let names: Vec<&str> = delta.factors.iter().map(|(name, _, _)| name.as_str()).collect();
    assert!(names.contains(&"cache") && !names.contains(&"mix"), "{names:?}");
}

#[test]
fn a_mix_that_cannot_be_drawn_is_refused_at_its_place() {
    for (mix, want) in [
        ("{}", "QL0613 variant `cached`: every weight of a mix is a number above 0"),
        ("{ indexed = 0, cached = 1 }", "QL0613 variant `cached`: every weight"),
        ("{ indexed = -1, cached = 1 }", "QL0613 variant `cached`: every weight"),
        ("{ indexd = 1, cached = 1 }", "QL0601 there is no endpoint `indexd`"),
        ("{ indexed = 1 }\nendpoint = \"cached\"", "QL0613 variant `cached` has both"),
    ] {
        let says = says(&[("endpoint = \"cached\"", &format!("mix = {mix}"))]);
        assert!(says.iter().any(|s| s.starts_with(want)), "{mix}: {says:#?}");
    }
}

#[test]
fn stages_are_levels_and_ramps_that_begin_where_the_one_before_ended() {
    let plan = plan(&steady(
        r#"stages = [{ duration = "10s", rate = "500/s" }, { duration = "20s", ramp_to = "2000/s" }, { duration = "5s", rate = "100/s" }, { duration = "5s", ramp_to = "200/s" }]"#,
    ));
    let drive = &plan.cell_of("btree", "steady").expect("a cell").drive;
    assert!(matches!(drive.model, ModelPlan::Open { rate_per_s: 500.0, .. }), "{:?}", drive.model);
    assert_eq!(drive.duration_ns, 40 * S);
    let stage = |seconds, from, to| StagePlan { duration_ns: seconds * S, from, to };
    assert_eq!(
        drive.stages,
        [
            stage(10, 500.0, 500.0),
            stage(20, 500.0, 2000.0),
            stage(5, 100.0, 100.0),
            stage(5, 100.0, 200.0)
        ]
    );
}

#[test]
fn users_come_in_stages_too_and_the_servers_expect_the_most_of_them() {
    let text = changed(&[
        ("users    = 100\n", ""),
        ("users100 = { duration = \"40s\", ", "users100 = { "),
        ("load.users100 = { duration = \"2s\", ", "load.users100 = { "),
        (", users100 = { duration = \"10s\" } }", " }"),
    ]);
    let at = text.find("[load.users100]").expect("there");
    let (before, after) = text.split_at(at);
    let stages =
        r#"stages = [{ duration = "4s", users = 10 }, { duration = "8s", ramp_to_users = 300 }]"#;
    let text = format!("{before}{}", after.replacen("duration = \"5s\"", stages, 1));
    let plan = plan(&text);
    let cell = plan.cell_of("btree", "users100").expect("a cell");
    assert!(matches!(cell.drive.model, ModelPlan::Closed { users: 10, .. }));
    assert_eq!(cell.drive.most_under_way(), 300);
    assert!(cell.stack.client_connections >= 300, "{}", cell.stack.client_connections);
}

const SEARCH: &str =
    r#"search = { objective = "response_time_p99 <= 50ms", start = "100/s", most = "20000/s" }"#;

#[test]
fn a_search_is_decided_and_its_metric_is_the_primary_one_of_its_load() {
    let text = steady(SEARCH).replacen(
        "primary     = { metric = \"response_time_p50\", load = \"unloaded\" }",
        "primary = { metric = \"max_rate\", load = \"steady\" }",
        1,
    );
    let plan = plan(&text);
    let cell = plan.cell_of("btree", "steady").expect("a cell");
    assert!(matches!(cell.drive.model, ModelPlan::Open { rate_per_s: 100.0, .. }));
    let expected = SearchPlan {
        metric: Metric::ResponseTimeP99,
        at_most_ns: 50_000_000,
        most_per_s: 20_000.0,
        step_ns: 5 * S,
        settle_ns: S,
        precision: 0.05,
        error_ratio_max: cell.expect.error_ratio_max,
    };
    assert_eq!(cell.drive.search, Some(expected));
    assert_eq!(plan.design.primary_metric, Metric::MaxRate);
    assert!(plan.estimate.time_ns > example().estimate.time_ns);
}

#[test]
fn what_was_searched_is_asked_for_only_where_something_is() {
    let claim = (
        "metric = \"cache_hit_ratio\", variant = \"cached\", load = \"users100\"",
        "metric = \"max_rate\", variant = \"cached\", load = \"users100\"",
    );
    for (changes, want) in [
        (
            vec![(
                "primary     = { metric = \"response_time_p50\"",
                "primary = { metric = \"max_rate\"",
            )],
            "QL0615 load `unloaded` searches no rate",
        ),
        (
            vec![("metric   = \"error_ratio\"", "metric = \"max_rate\"\nloads = [\"steady\"]")],
            "QL0617 load `steady` searches no rate",
        ),
        (vec![claim], "QL0616 load `users100` searches no rate"),
    ] {
        let says = says(&changes);
        assert!(says.iter().any(|s| s.starts_with(want)), "{changes:?}: {says:#?}");
    }
}
