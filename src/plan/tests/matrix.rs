//! `[matrix]` in a plan: cells for each value, compared with the baseline at the same value, less what is left out.

use std::path::Path;

use crate::spec::{Layers, load_text};

#[test]
fn each_value_is_a_load_with_its_baseline_and_excluded_cells_are_not_run() {
    let file =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tiny/experiments/tiny.toml");
    let text = std::fs::read_to_string(&file)
        .expect("a fixture")
        .replace("load = \"one\", at_most", "load = \"one-users-4\", at_most");
    let matrix = "[matrix]\nusers = [1, 4]\n[[design.exclude]]\nvariant = \"cached\"\nload = \"one-users-1\"\n";
    let spec = load_text(&file, format!("{text}\n{matrix}"), &Layers::default()).expect("a file");
    let plan = crate::plan::resolve(&spec).expect("a plan");
    let cells: Vec<(&str, &str)> =
        plan.cells.iter().map(|c| (c.variant.as_str(), c.load.as_str())).collect();
    assert_eq!(cells.len(), 3, "{cells:?}");
    assert!(!cells.contains(&("cached", "one-users-1")));
    assert_eq!(plan.loads, ["one-users-1", "one-users-4"]);
    assert_eq!(plan.claims[0].load.as_deref(), Some("one-users-4"));
    assert_eq!(plan.design.primary_load, "one-users-1");
}

#[test]
fn points_of_curves_are_cells_with_their_place_on_each_axis() {
    let file =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tiny/experiments/tiny.toml");
    let text = std::fs::read_to_string(&file).expect("a fixture");
    let text = text.replace(
        "variant = \"cached\", load = \"one\"",
        "variant = \"cached-size-4\", load = \"one-users-2\"",
    );
    let matrix = "[matrix]\nusers = [1, 2]\n\"services.api.pool.size\" = [4, 8]\n";
    let spec = load_text(&file, format!("{text}\n{matrix}"), &Layers::default()).expect("a file");
    let plan = crate::plan::resolve(&spec).expect("a plan");
    assert_eq!((plan.cells.len(), plan.design.baseline.as_str()), (8, "btree-size-4"));
    let cell = plan.cells.iter().find(|c| c.variant == "cached-size-8" && c.load == "one-users-2");
    let cell = cell.expect("a cell");
    assert_eq!(cell.api.pool.size, 8);
    let point = cell.point.as_ref().expect("a point");
    assert_eq!((point.variant.as_str(), point.load.as_str()), ("cached", "one"));
    let at: Vec<(&str, &str)> = point.at.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    assert_eq!(at, [("services.api.pool.size", "8"), ("users", "2")]);
    let delta = plan.deltas.iter().find(|d| d.variant == "btree-size-8").expect("a delta");
    assert_eq!(delta.factors.len(), 1, "{:?}", delta.factors);
}
