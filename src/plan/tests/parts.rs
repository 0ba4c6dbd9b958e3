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

#[test]
fn a_part_of_what_takes_too_long_may_be_short_enough() {
    let mut layers = Layers::default();
    layers.sets.push("design.blocks=100".into());
    let spec = spec_of(EXAMPLE, &layers);
    let refused = resolve(&spec).expect_err("too long");
    assert!(refused.iter().any(|p| p.what.contains("6 hours is the most")), "{refused:#?}");
    let whole = resolve_of_any_length(&spec).expect("nothing else is wrong");
    assert_eq!(check_length(&spec, &whole), Err(refused));
    let small = part(whole, |variant, load| variant == "btree" && load == "unloaded");
    assert_eq!(check_length(&spec, &small), Ok(()));
    assert_eq!(small.trials.len(), 200, "each block of it, and the twin");
}

#[test]
fn limits_of_what_no_load_changes_stay_and_what_is_not_judged_is_named() {
    let text = changed(&[(
        "[[thresholds]]\n",
        "[[thresholds]]\nmetric = \"index_bytes\"\nvariants = [\"btree\"]\nmax = \"1GB\"\n[[thresholds]]\n\
         metric = \"throughput\"\nloads = [\"users100\"]\nmin = 1\n[[thresholds]]\n",
    )]);
    let whole = planned(&text, &Layers::default()).expect("right");
    let small = part(whole, |variant, load| variant == "btree" && load == "unloaded");
    let limited: Vec<&str> = small.thresholds.iter().map(|t| t.metric.name()).collect();
    assert_eq!(limited, ["index_bytes", "error_ratio"]);
    let said = small.warnings.join("\n");
    assert!(said.contains("a threshold of `throughput` is not about this part"), "{said}");
    assert!(said.contains("claims that are not about this part are not judged: `scan-"), "{said}");
}

#[test]
fn a_share_of_a_core_may_be_more_than_one_and_a_share_of_requests_may_not() {
    let limited = |metric: &str, max: &str| {
        let added = format!("[[thresholds]]\nmetric = \"{metric}\"\nmax = {max}\n[[thresholds]]\n");
        planned(&changed(&[("[[thresholds]]\n", &added)]), &Layers::default())
    };
    let plan = limited("postgres_cpu_share", "1.7").expect("two cores");
    assert_eq!(plan.thresholds[0].max, Some(1.7));
    // `spec` says it first; the plan would say it too.
    let refused = load_text(
        Path::new("src/0001-email-lookup.toml"),
        changed(&[("max      = 0.001", "max      = 1.7")]),
        &Layers::default(),
    );
    assert!(refused.is_err_and(|p| p.list.iter().any(|p| p.code == "QL0303")));
}
