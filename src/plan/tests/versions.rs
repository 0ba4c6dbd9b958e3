//! Major versions of Postgres as a factor.

use super::*;

const TITLE: &str = "title    = \"Path C: partial index, active users only\"";

/// The example, its partial variant on another version.
fn on(version: &str) -> String {
    let named = format!("{TITLE}\nservices.postgres.version = \"{version}\"");
    changed(&[(TITLE, &named)])
}

#[test]
fn a_version_that_a_variant_names_is_a_database_of_its_own_and_a_factor() {
    let plan = planned(&on("18"), &Layers::default()).expect("a plan");
    let partial = plan.index_set_of("partial").expect("a set");
    assert_eq!(partial.major, Some(18));
    assert_eq!(plan.index_set_of("btree").expect("a set").major, None);
    let cells = plan.cells.iter().filter(|cell| cell.stack.postgres.major == Some(18));
    assert!(cells.clone().count() > 0 && cells.into_iter().all(|cell| cell.variant == "partial"));
    let example = example();
    assert_ne!(plan.fingerprint, example.fingerprint);
    // The rows of both versions are loaded.
    assert!(plan.estimate.time_ns > example.estimate.time_ns);
    let delta = plan.deltas.iter().find(|delta| delta.variant == "partial").expect("a delta");
    let said = format!("{delta:?}");
    assert!(said.contains("version") && said.contains("18"), "{said}");
}

#[test]
fn the_same_indexes_in_two_versions_are_two_databases() {
    let named = "[variants.cached]\nservices.postgres.version = \"18\"";
    let plan = planned(&changed(&[("[variants.cached]", named)]), &Layers::default());
    let plan = plan.expect("a plan");
    let database = |variant: &str| plan.index_set_of(variant).expect("a set").database.clone();
    assert_ne!(database("cached"), database("btree"));
    let one = example();
    assert_eq!(plan.index_sets.len(), one.index_sets.len() + 1);
}

#[test]
fn a_version_that_is_not_known_is_refused_where_it_stands() {
    for wrong in ["14", "19"] {
        let problems = planned(&on(wrong), &Layers::default()).expect_err(wrong);
        assert!(problems.iter().any(|p| p.what.contains(wrong)), "{wrong}: {problems:?}");
    }
    // Of Redis only the oldest can be said.
    let redis = changed(&[("version  = \">=7\"", "version  = \"7\"")]);
    assert!(planned(&redis, &Layers::default()).is_err());
    let path = Path::new("src/0001-email-lookup.toml");
    for text in [on("18.4"), on("newest")] {
        let problems = load_text(path, text, &Layers::default()).expect_err("has a form");
        assert!(problems.list.iter().any(|p| p.code == "QL0307"), "{:?}", problems.list);
    }
}

#[test]
fn a_setting_that_the_named_version_does_not_have_is_refused() {
    let with = |version: &str, setting: &str| {
        let lines = format!("{version}\"\nservices.postgres.settings.{setting} = \"worker");
        planned(&on(&lines), &Layers::default())
    };
    assert!(with("18", "io_method").is_ok());
    let problems = with("15", "io_method").expect_err("15 has none");
    let says: Vec<&str> = problems.iter().map(|p| p.what.as_str()).collect();
    assert!(says.contains(&"Postgres 15 has no setting `io_method`"), "{says:?}");
}
