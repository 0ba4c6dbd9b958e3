//! Thresholds and regression limits, in the metric's unit and over what is run.

use super::claims::value;
use super::codes;
use super::design::Design;
use super::migrations::relative;
use super::notes::Notes;
use super::types::{RegressionPlan, ThresholdPlan};
use crate::spec::{Metric, Scalar, Spec, Threshold};

/// Thresholds over the cells that are run.
pub(super) fn thresholds(
    notes: &mut Notes<'_>,
    spec: &Spec,
    design: &Design,
) -> Vec<ThresholdPlan> {
    let mut plans = Vec::new();
    for (position, threshold) in spec.document.thresholds.iter().enumerate() {
        let position = position.to_string();
        plans.extend(one_threshold(notes, spec, design, &position, threshold));
    }
    plans
}

fn one_threshold(
    notes: &mut Notes<'_>,
    spec: &Spec,
    design: &Design,
    position: &str,
    threshold: &Threshold,
) -> Option<ThresholdPlan> {
    let Threshold { metric, variants, loads, max, min } = threshold;
    let file = &spec.document;
    let known: Vec<&str> = file.variants.keys().map(String::as_str).collect();
    let variants = scope(notes, position, "variants", variants.as_ref(), &known, &design.variants);
    let known: Vec<&str> = file.load.keys().map(String::as_str).collect();
    let mut scoped = scope(notes, position, "loads", loads.as_ref(), &known, &design.loads);
    if metric.is_of_data() {
        scoped.clear();
    }
    if *metric == Metric::MaxRate {
        let is_level = |load: &String| file.load.get(load).is_some_and(|l| l.search.is_none());
        for (at, load) in loads.iter().flatten().enumerate().filter(|(_, load)| is_level(load)) {
            let at = at.to_string();
            let path = ["thresholds", position, "loads", &at];
            let what = format!("load `{load}` searches no rate");
            notes.error(codes::LIMIT, &path, what, "name loads with a `search`");
        }
        scoped.retain(|load| !is_level(load));
    }
    let mut read = |key: &str, stated: &Option<Scalar>| {
        stated.as_ref().and_then(|text| match value(*metric, text) {
            Ok(x) => Some(x),
            Err(help) => {
                let path = ["thresholds", position, key];
                let what = format!("this is no value of `{}`", metric.name());
                notes.error(codes::LIMIT, &path, what, help);
                None
            }
        })
    };
    let (low, high) = (read("min", min), read("max", max));
    if variants.is_empty() || (scoped.is_empty() && !metric.is_of_data()) {
        notes.warn(format!(
            "a threshold of `{}` is about cells that are not run here: it is not judged",
            metric.name()
        ));
        return None;
    }
    Some(ThresholdPlan {
        metric: *metric,
        better: metric.better(),
        variants,
        loads: scoped,
        min: low,
        max: high,
    })
}

/// The names that a threshold is about and that are run; all that are run where it names none.
fn scope(
    notes: &mut Notes<'_>,
    position: &str,
    key: &str,
    asked: Option<&Vec<String>>,
    known: &[&str],
    run: &[String],
) -> Vec<String> {
    let Some(asked) = asked else { return run.to_vec() };
    let kind = if key == "variants" { "variant" } else { "load profile" };
    for (at, name) in asked.iter().enumerate().filter(|(_, name)| !known.contains(&name.as_str())) {
        let at = at.to_string();
        notes.unknown(&["thresholds", position, key, &at], kind, name, known.iter().copied());
    }
    asked.iter().filter(|name| run.contains(name)).cloned().collect()
}

/// Limits against a kept run.
pub(super) fn regression(notes: &mut Notes<'_>, spec: &Spec) -> Option<RegressionPlan> {
    let asked = spec.document.regression.as_ref()?;
    if !relative(&asked.kept) {
        let help =
            "name a folder relative to this file, like `\"../results/0001-email-lookup/ci\"`";
        let what = "the kept run is not at a relative path";
        notes.error(codes::PATH, &["regression", "kept"], what, help);
    }
    Some(RegressionPlan {
        kept: asked.kept.clone(),
        structure: asked.structure.map(|s| s.0),
        ratios: asked.ratios.iter().map(|(metric, share)| (*metric, share.0)).collect(),
    })
}
