//! `[matrix]`: what becomes of the file, and what is refused.

use std::path::Path;

use crate::spec::{Layers, Spec, load_text};

/// The smallest experiment with these lines more.
fn with(lines: &str) -> Result<Spec, String> {
    let file =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tiny/experiments/tiny.toml");
    let text = std::fs::read_to_string(&file).expect("a fixture");
    load_text(&file, format!("{text}\n{lines}"), &Layers::default()).map_err(|p| p.to_string())
}

#[test]
fn a_load_becomes_one_for_each_value_wherever_it_is_named() {
    let spec = with("[matrix]\nusers = [1, 4]\n[[design.exclude]]\nvariant = \"cached\"\nload = \"one-users-4\"\n")
        .expect("a file");
    let d = &spec.document;
    assert_eq!(d.design.loads, ["one-users-1", "one-users-4"]);
    assert_eq!(d.load.keys().collect::<Vec<_>>(), ["one-users-1", "one-users-4"]);
    assert_eq!(d.design.aa_check, "one-users-1");
    // What is archived has no matrix any more, and reads as the same.
    assert!(!spec.merged_toml.contains("[matrix]"));
    assert!(spec.merged_toml.contains("[load.one-users-4]"), "{}", spec.merged_toml);
}

#[test]
fn axes_multiply_and_texts_make_names() {
    let spec = with("[matrix]\nusers = [1, 2]\nduration = [\"500ms\", \"1s\"]\n").expect("a file");
    assert_eq!(spec.document.design.loads.len(), 4);
    assert!(
        spec.document.load.contains_key("one-duration-500ms-users-2"),
        "{:?}",
        spec.document.load.keys()
    );
}

#[test]
fn an_axis_without_values_of_no_key_or_with_too_many_is_refused() {
    for (lines, why) in [
        ("users = []", "QL0315"),
        ("rate = [\"5/s\"]", "no load profile of `design.loads` has the key `rate`"),
        ("users = [1, 1]", "makes the load profile `one-users-1` twice"),
        ("users = [0]", "users"),
    ] {
        let refused = with(&format!("[matrix]\n{lines}\n")).expect_err(lines);
        assert!(refused.contains(why), "{lines}: {refused}");
    }
    let many: Vec<String> = (1..=70).map(|n| n.to_string()).collect();
    let refused =
        with(&format!("[matrix]\nusers = [{}]\n", many.join(", "))).expect_err("70 loads");
    assert!(refused.contains("more than 64 load profiles"), "{refused}");
}

#[test]
fn a_whole_key_makes_variants_that_are_points_of_curves() {
    let lines = "[matrix]\n\"services.api.pool.size\" = [2, 16, 4]\n\
                 [[design.exclude]]\nvariant = \"cached-size-16\"\nload = \"one\"\n";
    let spec = with(lines).expect("a file");
    let d = &spec.document;
    // In the order of the file and of the values; what is excluded everywhere is not there.
    assert_eq!(
        spec.variant_order,
        ["btree-size-2", "btree-size-16", "btree-size-4", "cached-size-2", "cached-size-4"]
    );
    assert_eq!(d.design.baseline, "btree-size-2");
    assert!(d.design.exclude.is_empty());
    let own = &d.variants["cached-size-4"];
    assert_eq!(own.curve.as_deref(), Some("cached"));
    assert_eq!(own.at["services.api.pool.size"].to_string(), "4");
    assert_eq!(own.services.as_ref().expect("a patch")["api"]["pool"]["size"], 4);
    // The archived file is read as the same.
    let again = load_text(&spec.path, spec.merged_toml.clone(), &Layers::default());
    let again = again.map_err(|p| p.to_string()).expect("the archived file");
    assert_eq!(again.merged_toml, spec.merged_toml);
    assert_eq!(again.variant_order, spec.variant_order);
}

#[test]
fn axes_of_variants_and_loads_multiply_and_a_variants_own_value_stays() {
    let lines = "[variants.cached.services.api.pool]\nsize = 9\n[matrix]\nusers = [1, 4]\n\
                 \"services.api.pool.size\" = [2, 4]\n\"variants.cached.services.api.instances\" = [1, 2]\n";
    let spec = with(lines).expect("a file");
    assert_eq!(
        spec.variant_order,
        ["btree-size-2", "btree-size-4", "cached-instances-1", "cached-instances-2"]
    );
    assert_eq!(spec.document.design.loads, ["one-users-1", "one-users-4"]);
    let load = &spec.document.load["one-users-4"];
    assert_eq!((load.curve.as_deref(), load.at.len()), (Some("one"), 1));
}

#[test]
fn an_axis_that_moves_nothing_or_the_rows_is_refused_at_its_key() {
    for (key, why) in [
        ("dataset.tables.users.rows", "the same for everything that a run compares"),
        ("services.api.pool.sise", "the format has no key `services.api.pool.sise`"),
        ("variants.nobody.endpoint", "nothing that the design runs has the key"),
        ("endpoints.nobody.cache.ttl", "nothing that the design runs has the key"),
        ("design.blocks", "nothing that the design runs has the key"),
        ("load.one.", "nothing that the design runs has the key"),
    ] {
        let refused = with(&format!("[matrix]\n\"{key}\" = [1, 2]\n")).expect_err(key);
        assert!(refused.contains(why), "{key}: {refused}");
    }
    let wrong = with("[matrix]\n\"services.api.pool.size\" = [1, \"many\"]\n").expect_err("a text");
    assert!(wrong.contains("size"), "{wrong}");
}
