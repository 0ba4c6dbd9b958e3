//! File, profile, environment, `--set`: later wins, and each value knows where it came from.

use serde_json::json;

use super::{WORKED, changed, codes_and_lines, load_as_worked};
use crate::spec::{Color, Layers, Place, Spec, render};

fn with(profile: Option<&str>, environment: &[(&str, &str)], sets: &[&str]) -> Layers {
    Layers {
        profile: profile.map(str::to_owned),
        environment: environment.iter().map(|(n, v)| ((*n).into(), (*v).into())).collect(),
        sets: sets.iter().map(|s| (*s).to_owned()).collect(),
    }
}

fn spec(layers: &Layers) -> Spec {
    load_as_worked(WORKED, layers)
        .unwrap_or_else(|problems| panic!("{}", render(&problems, Color::Plain)))
}

#[test]
fn the_worked_example_loads_with_and_without_its_profiles() {
    let whole = spec(&with(None, &[], &[]));
    assert_eq!(whole.document.dataset.tables["users"].rows, 10_000_000);
    assert_eq!(whole.profile, None);
    assert_eq!(whole.variant_order, ["scan", "btree", "partial", "composite", "cached"]);
    assert!(whole.warnings.is_empty());
    assert!(whole.tree.get("profiles").is_none());

    let smoke = spec(&with(Some("smoke"), &[], &[]));
    assert_eq!(smoke.document.dataset.tables["users"].rows, 10_000);
    assert_eq!(smoke.document.dataset.tables["users"].columns.len(), 4, "tables merge");
    assert_eq!(smoke.document.design.loads, ["unloaded"], "lists are replaced");
    assert_eq!(smoke.tree["variants"]["scan"]["load"]["users100"]["timeout"], "90s");
    assert_eq!(smoke.variant_order, whole.variant_order);
    let fill = smoke.document.variants["cached"].fill.as_ref().expect("a fill");
    assert_eq!((fill.users, fill.max.secs().to_string()), (10, "5".into()));

    let ci = spec(&with(Some("ci"), &[], &[]));
    assert_eq!((ci.document.design.blocks, ci.profile.as_deref()), (6, Some("ci")));
}

#[test]
fn later_layers_win() {
    let blocks = |layers: &Layers| spec(layers).document.design.blocks;
    let env = [("QUERYLAB__DESIGN__BLOCKS", "4"), ("QUERYLAB_LOG", "debug"), ("PGHOST", "prod")];
    assert_eq!(blocks(&with(None, &[], &[])), 8);
    assert_eq!(blocks(&with(Some("smoke"), &[], &[])), 2);
    assert_eq!(blocks(&with(Some("smoke"), &env, &[])), 4);
    assert_eq!(blocks(&with(Some("smoke"), &env, &["design.blocks=5"])), 5);
    assert_eq!(blocks(&with(None, &env, &["design.blocks=5", "design = { blocks = 7 }"])), 7);
}

#[test]
fn every_value_knows_where_it_was_written_last() {
    let env = [("QUERYLAB__LOAD__STEADY__RATE", "10/s")];
    let spec = spec(&with(Some("smoke"), &env, &["design.blocks=3"]));
    let line = |path: &[&str]| match spec.place_of(path) {
        Place::File { line, start, end, .. } => format!("{line} {}", &WORKED[start..end]),
        Place::Environment(name) => name,
        Place::CommandLine(typed) => typed,
        Place::Nowhere => "nowhere".into(),
    };
    let row = |what: &str| WORKED.lines().position(|l| l.starts_with(what)).expect("a line") + 1;
    assert_eq!(line(&["experiment", "seed"]), format!("{} 20250105", row("seed")));
    let rows = row("dataset.tables.users.rows = 10_000");
    assert_eq!(line(&["dataset", "tables", "users", "rows"]), format!("{rows} 10_000"));
    assert_eq!(line(&["load", "steady", "rate"]), "QUERYLAB__LOAD__STEADY__RATE");
    assert_eq!(line(&["design", "blocks"]), "design.blocks=3");
    let scan = format!("{} scan", row("[variants.scan]"));
    assert_eq!(line(&["variants", "scan", "no", "such"]), scan, "the nearest above");
    assert!(matches!(spec.place_of_key(&["endpoints", "cached"]),
        Place::File { start, end, .. } if &WORKED[start..end] == "cached"));
    assert!(matches!(spec.place_of_key(&["claims", "1"]),
        Place::File { start, end, .. } if &WORKED[start..end] == "[[claims]]"));
}

#[test]
fn a_variant_is_decoded_with_mistakes_at_its_patch() {
    let text = changed(&[("users100 = { duration = \"40s\"", "users100 = { rate = \"1/s\"")]);
    let spec = load_as_worked(&text, &Layers::default()).expect("the patch alone is right");
    let mut tree = spec.tree.clone();
    tree["load"]["users100"]["timeout"] = json!("90s");
    let document = spec.decode_variant("scan", &tree).expect("right");
    assert_eq!(document.load["users100"].timeout.secs().to_string(), "90");
    tree["load"]["users100"]["rate"] = json!("1/s");
    let problems = spec.decode_variant("scan", &tree).expect_err("closed has no rate");
    let [problem] = problems.as_slice() else { panic!("{problems:?}") };
    assert_eq!(problem.code, "QL0401");
    let Place::File { start, end, .. } = problem.place else { panic!("{problem:?}") };
    assert_eq!(&text[start..end], "rate");
    let Some((Place::File { start, end, .. }, _)) = problem.other else { panic!("{problem:?}") };
    assert_eq!(&text[start..end], "\"closed\"");
}

#[test]
fn the_merged_file_is_toml_of_the_same_tree() {
    let spec = spec(&with(Some("ci"), &[], &["experiment.title=a \"title\""]));
    let back: toml::Table = spec.merged_toml.parse().expect("TOML");
    assert_eq!(serde_json::to_value(back).expect("data"), spec.tree);
    let at = |name: &str| spec.merged_toml.find(name).expect("a section");
    assert!(at("[variants.scan]") < at("[variants.btree]"));
    assert!(at("[variants.composite]") < at("[variants.cached]"));
    let again = crate::spec::load_text(&spec.path, spec.merged_toml.clone(), &Layers::default());
    let again = again.unwrap_or_else(|p| panic!("{}", render(&p, Color::Plain)));
    assert_eq!(again.merged_toml, spec.merged_toml, "and loads to itself");
    assert_eq!(again.variant_order, spec.variant_order);
}

#[test]
fn layers_that_mean_nothing_are_refused() {
    let cases: &[(Layers, &[&str])] = &[
        (with(Some("smok"), &[], &[]), &["QL0203 --profile smok"]),
        (
            with(None, &[("QUERYLAB__DESING__BLOCKS", "1")], &[]),
            &["QL0204 QUERYLAB__DESING__BLOCKS"],
        ),
        (with(None, &[("QUERYLAB__", "1")], &[]), &["QL0204 QUERYLAB__"]),
        (
            with(None, &[("QUERYLAB__DESIGN__BLOCKS", "x")], &[]),
            &["QL0301 QUERYLAB__DESIGN__BLOCKS"],
        ),
        (with(None, &[], &["design.blocks=0"]), &["QL0302 design.blocks=0"]),
        (with(None, &[], &["design.blocks"]), &["QL0107 design.blocks"]),
        (with(None, &[], &["variants.scn.title=x"]), &["QL0204 variants.scn.title=x"]),
        (with(None, &[], &["design.margin=nan"]), &["QL0303 design.margin=nan"]),
        (
            with(None, &[], &["load.steady.duration=2024-01-01"]),
            &["QL0303 load.steady.duration=2024-01-01"],
        ),
    ];
    for (layers, expected) in cases {
        assert_eq!(&codes_and_lines(WORKED, layers), expected);
    }
}

#[test]
fn mistakes_of_a_profile_that_is_not_chosen_are_found_too() {
    let text = changed(&[
        (
            "variants.cached.fill.max = \"5s\"",
            "variants.cached.fill.max = \"0s\"\nload.steady.users = 3",
        ),
        ("[profiles.ci]", "[profiles.ci]\ndesing = 1\nload.unloaded.rate = 5"),
    ]);
    let row = |what: &str| text.lines().position(|l| l.starts_with(what)).expect("a line") + 1;
    let expected = [
        format!("QL0308 {}", row("variants.cached.fill.max")),
        format!("QL0401 {}", row("load.steady.users")),
        format!("QL0201 {}", row("desing")),
    ];
    let found = codes_and_lines(&text, &Layers::default());
    for problem in expected {
        assert!(found.contains(&problem), "{problem} in {found:?}");
    }
}
