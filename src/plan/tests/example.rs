//! The worked example in its three sizes.

use super::*;
use crate::plan::{DistributionPlan, DrawSource, KeyPiece, ModelPlan, Role};
use crate::spec::Metric;

#[test]
fn the_example_has_five_variants_four_databases_and_fourteen_cells() {
    let plan = example();
    assert_eq!(plan.loads, ["unloaded", "steady", "users100"]);
    let variants: Vec<(&str, usize)> =
        plan.variants.iter().map(|v| (v.name.as_str(), v.index_set)).collect();
    let want = [("scan", 0), ("btree", 1), ("partial", 2), ("composite", 3), ("cached", 1)];
    assert_eq!(variants, want);
    let sets: Vec<String> = plan
        .index_sets
        .iter()
        .map(|s| {
            let names: Vec<&str> = s.indexes.iter().map(|i| i.name.as_str()).collect();
            format!("{} {}", s.database, names.join(" "))
        })
        .collect();
    insta::assert_snapshot!(sets.join("\n"));
    assert_eq!(plan.cells.len(), 14, "scan × steady is excluded");
    assert!(plan.cell_of("scan", "steady").is_none());
    assert_eq!(plan.trials.len(), 8 * 15, "every cell and the twin, eight times");
    let twins: Vec<_> = plan.trials.iter().filter(|t| t.role == Role::Twin).collect();
    assert_eq!(twins.len(), 8);
    assert!(twins.iter().all(|t| plan.cell(t).variant == "btree"));
    assert!(twins.iter().all(|t| plan.cell(t).load == "unloaded"));
    let btree = plan.index_set_of("cached").expect("a set");
    assert_eq!(btree.database, "ql_set_1");
    assert_eq!(plan.variant("cached").map(|v| v.endpoints.clone()), Some(vec!["cached".into()]));
}

#[test]
fn a_variants_patch_reaches_its_cells_and_no_others() {
    let plan = example();
    let drive = |v: &str, l: &str| plan.cell_of(v, l).expect("a cell").drive.clone();
    let second = 1_000_000_000;
    assert_eq!(drive("scan", "unloaded").duration_ns, 30 * second);
    assert_eq!(drive("btree", "unloaded").duration_ns, 5 * second);
    let scan = drive("scan", "users100");
    assert_eq!((scan.duration_ns, scan.timeout_ns), (40 * second, 90 * second));
    assert_eq!((scan.warmup.min_ns, scan.warmup.max_ns), (0, 15 * second), "laid key by key");
    assert_eq!(scan.model, ModelPlan::Closed { users: 100, think_ns: 0 });
    let cell = plan.cell_of("scan", "users100").expect("a cell");
    assert_eq!(cell.api.statement_timeout_ns, 90 * second);
    assert!(drive("cached", "steady").fill.is_some());
    assert!(drive("btree", "steady").fill.is_none());
}

#[test]
fn all_variants_get_the_same_servers() {
    let plan = example();
    for cell in &plan.cells {
        let other = plan.cell_of("btree", &cell.load).expect("a cell");
        assert_eq!(cell.stack, other.stack, "{} {}", cell.variant, cell.load);
    }
    let stack = &plan.cells[0].stack;
    assert_eq!(stack.postgres.min_version, [15]);
    assert_eq!(stack.postgres.settings["max_connections"], "100");
    assert_eq!(stack.postgres.settings["jit"], "off");
    assert_eq!(stack.redis.as_ref().map(|r| r.settings["maxmemory"].as_str()), Some("256mb"));
    let clients = |load: &str| plan.cell_of("btree", load).map(|c| c.stack.client_connections);
    assert_eq!(clients("users100"), Some(110), "users and those of the fill");
    assert_eq!(clients("steady"), Some(1010));
}

#[test]
fn endpoints_keys_and_checks_are_positions_not_names() {
    let plan = example();
    let cell = plan.cell_of("cached", "steady").expect("a cell");
    let endpoint = &cell.api.endpoints[0];
    assert_eq!((endpoint.method.as_str(), endpoint.path.as_str()), ("GET", "/users/cached"));
    let cache = endpoint.cache.as_ref().expect("a cache");
    assert_eq!(cache.key, [KeyPiece::Text("user:email:".into()), KeyPiece::Param(0)]);
    let draw = &cell.drive.targets[0].draws[0];
    let want = DistributionPlan::Zipfian { exponent: 0.99, keys: 10_000 };
    assert_eq!(draw.distribution, want);
    let DrawSource::Column { table, column, conditions } = &draw.source else {
        panic!("drawn from a column")
    };
    assert_eq!((table.as_str(), column.as_str()), ("users", "email"));
    assert_eq!(conditions, &[("status".to_owned(), "active".to_owned())]);
}

#[test]
fn claims_and_thresholds_are_ranges_in_the_metrics_unit() {
    let plan = example();
    let range = |id: &str| {
        let claim = plan.claims.iter().find(|c| c.id == id).expect("a claim");
        [claim.low, claim.high].map(|x| x.map(|x| (x * 1e6).round() / 1e6))
    };
    assert_eq!(range("scan-8000ms"), [Some(6_000_000.0), Some(10_000_000.0)], "µs");
    assert_eq!(range("partial-30-percent-smaller"), [Some(0.665), Some(0.735)]);
    assert_eq!(range("hits-94-percent"), [Some(0.94), None]);
    assert_eq!(plan.thresholds[0].variants.len(), 4);
    assert_eq!(plan.thresholds[0].loads, plan.loads);
    assert_eq!(plan.thresholds[0].max, Some(0.001));
    assert_eq!(plan.design.primary_metric, Metric::ResponseTimeP50);
    let regression = plan.regression.expect("limits");
    assert_eq!(regression.structure, Some(0.02));
}

#[test]
fn the_sizes_of_the_example_resolve_with_their_warnings() {
    let mut lines: Vec<String> = Vec::new();
    for (name, layers) in
        [("full", Layers::default()), ("smoke", profile("smoke")), ("ci", profile("ci"))]
    {
        let plan = planned(EXAMPLE, &layers).expect("right");
        assert_eq!(plan.profile, name);
        lines.push(format!(
            "{name}: {} cells, {} trials, {} s, {} MB memory, {} MB disk",
            plan.cells.len(),
            plan.trials.len(),
            plan.estimate.time_ns / 1_000_000_000,
            plan.estimate.memory_bytes >> 20,
            plan.estimate.disk_bytes >> 20,
        ));
        for warning in &plan.warnings {
            lines.push(format!("  {warning}"));
        }
    }
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn the_table_of_deltas_names_factors_and_levels() {
    let mut lines: Vec<String> = Vec::new();
    for delta in example().deltas {
        for (factor, base, own) in delta.factors {
            lines.push(format!("{}: {factor}: {base} -> {own}", delta.variant));
        }
    }
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn a_plan_survives_being_written_and_read() {
    let plan = example();
    let json = serde_json::to_string(&plan).expect("writes");
    let again: Plan = serde_json::from_str(&json).expect("reads");
    assert_eq!(plan, again);
}

#[test]
fn the_order_of_the_examples_first_block_and_its_seeds_never_change() {
    let plan = example();
    let mut lines = vec![format!("data {:016x}", plan.dataset.data_seed)];
    for t in plan.trials.iter().take(15) {
        let cell = plan.cell(t);
        lines.push(format!(
            "{} {}-{} {} {} {:?} {:016x} {:016x}",
            t.number,
            t.block,
            t.order,
            cell.variant,
            cell.load,
            t.role,
            t.params_seed,
            t.arrivals_seed
        ));
    }
    insta::assert_snapshot!(lines.join("\n"));
}
