//! Parts of a plan: what `--variant` and `--load` leave, and what is said of what they take away.

use super::*;

fn part(plan: Plan, keeps: impl Fn(&str, &str) -> bool) -> Plan {
    plan.restricted_to(keeps).expect("something is left")
}

#[test]
fn a_part_is_estimated_as_what_is_left_of_it() {
    let whole = example();
    let half = part(whole.clone(), |variant, _| variant == "btree" || variant == "partial");
    let one = part(whole.clone(), |variant, _| variant == "btree");
    let (all, some, least) = (whole.estimate, half.estimate, one.estimate);
    assert!(
        least.time_ns < some.time_ns && some.time_ns < all.time_ns,
        "{all:?} {some:?} {least:?}"
    );
    assert!(least.disk_bytes < some.disk_bytes && some.disk_bytes < all.disk_bytes);
    let everything = part(whole.clone(), |_, _| true);
    assert_eq!(everything.estimate, whole.estimate);
}

#[test]
fn a_part_that_fits_into_the_budget_is_not_said_to_exceed_it() {
    let mut layers = Layers::default();
    layers.sets.push("design.time_budget=\"10m\"".into());
    let whole = planned(EXAMPLE, &layers).expect("right");
    let over = |plan: &Plan| plan.warnings.iter().filter(|w| w.contains("its budget of")).count();
    assert_eq!(over(&whole), 1);
    assert_eq!(over(&part(whole.clone(), |_, load| load == "unloaded")), 1, "still over it");
    let small = part(whole, |variant, load| variant == "btree" && load == "unloaded");
    assert_eq!(over(&small), 0, "{:#?}", small.warnings);
}

#[test]
fn a_part_without_the_primary_load_or_the_twin_says_so() {
    let whole = example();
    assert_eq!(whole.design.primary_load, "unloaded");
    assert_eq!(whole.design.aa_check.as_deref(), Some("unloaded"));
    let same_load = part(whole.clone(), |_, load| load == "unloaded");
    assert_eq!(same_load.design, whole.design);
    assert!(!same_load.warnings.iter().any(|w| w.contains("primary") || w.contains("A/A")));

    let other = part(whole, |_, load| load != "unloaded");
    assert_eq!(other.design.aa_check, None, "no trial of it is left");
    let said = other.warnings.join("\n");
    for part in [
        "the primary load `unloaded` is not in this part: every comparison is exploratory",
        "the A/A check under `unloaded` is not in this part",
    ] {
        assert!(said.contains(part), "{part} in\n{said}");
    }
}
