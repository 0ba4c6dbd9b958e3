//! What keeps two runs apart: another machine, other data, other versions. What makes them two revisions is said, too.

use std::collections::{BTreeMap, BTreeSet};

use crate::report::cells::cell;
use crate::results::{Results, State, lasting};

/// Whether two runs are of the same machine, as far as it can be told from what both know of it.
pub(super) fn machines(a: &Results, b: &Results) -> Vec<String> {
    let (a, b) = (lasting(&a.manifest.host), lasting(&b.manifest.host));
    if a.is_empty() || b.is_empty() {
        return vec!["the machine of one of them is not known".into()];
    }
    different(&a, &b, "another machine")
}

/// Why two runs can't be compared, a line each.
pub(super) fn reasons(a: &Results, b: &Results) -> Vec<String> {
    let mut reasons = Vec::new();
    if a.plan.experiment.id != b.plan.experiment.id {
        let (a, b) = (&a.plan.experiment.id, &b.plan.experiment.id);
        reasons.push(format!("another experiment: `{a}` and `{b}`"));
    }
    reasons.extend(machines(a, b));
    reasons.extend(data(a, b));
    reasons.extend(baseline(a, b));
    reasons.extend(different(&a.manifest.versions, &b.manifest.versions, "another version"));
    if a.manifest.querylab != b.manifest.querylab {
        let (a, b) = (&a.manifest.querylab, &b.manifest.querylab);
        reasons.push(format!("another version of querylab: {a} and {b}"));
    }
    reasons
}

/// Cells of the first run, variant and load, that the second was not to measure.
pub(super) fn cells(a: &Results, b: &Results) -> Vec<(String, String)> {
    let of = |results: &Results| -> Vec<(String, String)> {
        let cells = results.plan.cells.iter();
        cells.map(|cell| (cell.variant.clone(), cell.load.clone())).collect()
    };
    let others = of(b);
    of(a).into_iter().filter(|cell| !others.contains(cell)).collect()
}

/// Why a variant's ratio to the baseline is another one: within a run, processors are a factor like others; between runs, one of
/// them and all of them are two machines.
pub(super) fn processors(
    a: &Results,
    b: &Results,
    (variant, load): (&str, &str),
) -> Option<String> {
    let of = |results: &Results| {
        [variant, results.plan.design.baseline.as_str()]
            .map(|name| cell(results, name, load).and_then(|cell| cell.plan.drive.processors))
    };
    (of(a) != of(b)).then(|| "driven on another number of processors than in the kept run".into())
}

/// Ratios to different baselines are of different things.
pub(super) fn baseline(a: &Results, b: &Results) -> Vec<String> {
    let (a, b) = (&a.plan.design.baseline, &b.plan.design.baseline);
    if a == b { Vec::new() } else { vec![format!("another baseline: `{a}` and `{b}`")] }
}

/// What differs in the data.
pub(super) fn data(a: &Results, b: &Results) -> Vec<String> {
    let mut reasons = Vec::new();
    if a.plan.seed != b.plan.seed {
        reasons.push(format!("another seed: {} and {}", a.plan.seed, b.plan.seed));
    }
    let (old, new) = (&a.plan.dataset, &b.plan.dataset);
    if old.migration_digests != new.migration_digests {
        reasons.push("other data: the migrations differ".into());
    }
    if old.data_seed != new.data_seed || old.tables != new.tables || old.sources != new.sources {
        reasons.push("other data: the tables, their rows or their columns differ".into());
    }
    if old.after_load != new.after_load {
        reasons.push("other data: what is done after the load differs".into());
    }
    let rows = |results: &Results| -> BTreeMap<String, String> {
        let tables = results.manifest.dataset.tables.iter();
        tables.map(|t| (t.name.clone(), format!("{} rows, {}", t.rows, t.checksum))).collect()
    };
    let (a, b) = (rows(a), rows(b));
    if reasons.is_empty() && !a.is_empty() && !b.is_empty() {
        reasons.extend(different(&a, &b, "other data"));
    }
    reasons
}

fn different(
    a: &BTreeMap<String, String>,
    b: &BTreeMap<String, String>,
    what: &str,
) -> Vec<String> {
    let keys: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
    let says = |map: &BTreeMap<String, String>, key| {
        map.get(key).map_or("unknown", String::as_str).to_owned()
    };
    keys.into_iter()
        .filter(|key| a.get(*key) != b.get(*key))
        .map(|key| format!("{what}: {key} is {} and {}", says(a, key), says(b, key)))
        .collect()
}

/// What a reader should know of two runs that may be compared: revisions, sizes, states.
pub(super) fn remarks(a: &Results, b: &Results) -> Vec<String> {
    let mut remarks = Vec::new();
    if a.plan.fingerprint == b.plan.fingerprint {
        remarks.push("the same plan, to the last key".into());
    } else {
        remarks.push("two revisions of the experiment: their plans differ".into());
    }
    if a.plan.profile != b.plan.profile {
        let (a, b) = (&a.plan.profile, &b.plan.profile);
        remarks.push(format!("profile `{a}` beside profile `{b}`"));
    }
    for results in [a, b] {
        if results.manifest.run.state != State::Complete {
            remarks.push(format!("{} is not complete", results.manifest.run.run));
        }
    }
    remarks.extend(settings(a, b));
    for (these, those, which) in [(a, b, "first"), (b, a, "second")] {
        let other: BTreeSet<&str> = those.plan.variants.iter().map(|v| v.name.as_str()).collect();
        let only: Vec<&str> = these
            .plan
            .variants
            .iter()
            .map(|v| v.name.as_str())
            .filter(|v| !other.contains(v))
            .collect();
        if !only.is_empty() {
            remarks.push(format!("only in the {which}: variant {}", only.join(", ")));
        }
    }
    remarks
}

/// Settings in force that differ, for variants that both have.
fn settings(a: &Results, b: &Results) -> Vec<String> {
    let mut by_change: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for (place, old) in &a.manifest.settings {
        let Some(new) = b.manifest.settings.get(place) else { continue };
        for change in different(old, new, "another setting") {
            by_change.entry(change).or_default().push(place);
        }
    }
    by_change
        .into_iter()
        .map(|(change, places)| format!("{change} ({})", places.join(", ")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture::results;

    #[test]
    fn a_run_beside_itself_is_not_apart_whatever_the_load_of_the_machine_was() {
        let (a, mut b) = (results(), results());
        b.manifest.host.insert("load_average_before".into(), "3.2".into());
        assert_eq!(reasons(&a, &b), Vec::<String>::new());
        assert_eq!(remarks(&a, &b), ["the same plan, to the last key"]);
    }

    #[test]
    fn each_thing_that_keeps_runs_apart_is_named() {
        type Change = fn(&mut Results);
        let changes: [(Change, &str); 8] = [
            (
                |r| r.manifest.host = [("cpu".to_owned(), "other".to_owned())].into(),
                "another machine: cpu is AMD EPYC and other",
            ),
            (|r| r.manifest.host.clear(), "the machine of one of them is not known"),
            (|r| r.plan.seed += 1, "another seed"),
            (|r| r.plan.design.baseline = "scan".into(), "another baseline: `btree` and `scan`"),
            (|r| r.plan.dataset.after_load.push("x".into()), "what is done after the load differs"),
            (|r| r.manifest.dataset.tables[0].checksum = "x".into(), "other data: users is"),
            (
                |r| drop(r.manifest.versions.insert("postgres".into(), "17.1".into())),
                "another version: postgres is 15.18 and 17.1",
            ),
            (|r| r.manifest.querylab = "9".into(), "another version of querylab"),
        ];
        for (change, want) in changes {
            let mut other = results();
            change(&mut other);
            let found = reasons(&results(), &other).join("\n");
            assert!(found.contains(want), "{want}: {found}");
        }
    }
}
