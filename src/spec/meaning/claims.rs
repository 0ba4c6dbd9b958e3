//! Claims, thresholds, expectations and the lists of the design.

use std::collections::BTreeSet;

use serde_json::Value;

use super::look::{Look, child};
use crate::spec::metric::{Metric, Unit};
use crate::spec::parse::Path;
use crate::spec::{codes, patterns};
use crate::units::{Bytes, Span};

const SAYS: [&str; 4] = ["about", "ratio", "at_least", "at_most"];

pub(super) fn check(look: &mut Look<'_>) {
    for path in look.each(&["claims", "*", "expect"]) {
        claim(look, &path);
    }
    for path in look.each(&["thresholds", "*"]) {
        threshold(look, &path);
    }
    for limit in ["cache_hit_ratio", "error_ratio"] {
        for path in look.each(&["variants", "*", "expect", limit]) {
            shares(look, &path);
        }
    }
    for path in look.each(&["variants", "*", "expect", "index_scans_per_request"]) {
        if look.get(&path).and_then(Value::as_f64).is_some_and(|n| n < 0.0) {
            look.bad(codes::OUT_OF_RANGE, &path, "is negative", "0 or more");
        }
    }
    for list in [["design", "loads"], ["design", "variants"]] {
        for path in look.each(&list) {
            names(look, &path);
        }
    }
    for list in ["variants", "loads"] {
        for path in look.each(&["thresholds", "*", list]) {
            names(look, &path);
        }
    }
    for path in look.each(&["design", "aa_check"]) {
        if let Some(name) = look.get(&path).and_then(Value::as_str)
            && patterns::check(patterns::NAME, name) != Some(Ok(()))
        {
            let help = "name a load profile, or write `\"none\"`";
            look.bad(codes::BAD_NAME, &path, "is not a name", help);
        }
    }
    unique_ids(look);
}

fn unique_ids(look: &mut Look<'_>) {
    let mut seen = BTreeSet::new();
    for path in look.each(&["claims", "*", "id"]) {
        let id = look.get(&path).and_then(Value::as_str).unwrap_or_default();
        if !seen.insert(id) {
            look.bad(codes::TWICE, &path, "is the id of another claim too", "choose another id");
        }
    }
}

fn metric(look: &Look<'_>, path: &[String]) -> Option<Metric> {
    let name = look.text(path, "metric")?;
    Metric::ALL.into_iter().find(|m| m.name() == name)
}

fn claim(look: &mut Look<'_>, path: &Path) {
    let said: Vec<&str> = SAYS.into_iter().filter(|k| look.of(path, k).is_some()).collect();
    let table = look.get(path);
    let there = |key: &str| table.is_some_and(|t| t.get(key).is_some());
    match said.as_slice() {
        [] if SAYS.into_iter().any(there) => {}
        [] => {
            let help = "write one of `about`, `ratio`, `at_least`, `at_most`";
            look.bad(codes::CLAIM, path, "claims nothing", help);
        }
        [_] => {}
        [first, second, ..] => {
            let why = format!("is a second claim beside `{first}`");
            look.excludes(path, second, &child(path, first), &why);
        }
    }
    let is_about = there("about") || there("ratio");
    if is_about && !there("tolerance") {
        look.needs(path, "tolerance", "by `about` and `ratio`");
    } else if !is_about
        && there("tolerance")
        && let Some(bound) = said.first()
    {
        look.excludes(path, "tolerance", &child(path, bound), "is for `about` and `ratio`");
    }
    if there("ratio") && !there("vs") {
        look.needs(path, "vs", "by `ratio`");
    }
    if there("about") && there("vs") {
        look.excludes(path, "about", &child(path, "vs"), "is not compared; use `ratio`");
    }
    if look.number(path, "ratio").is_some_and(|r| r <= 0.0) {
        look.bad(codes::OUT_OF_RANGE, &child(path, "ratio"), "is not positive", "above 0");
    }
    let Some(metric) = metric(look, path) else { return };
    match (metric.is_of_data(), there("load")) {
        (true, true) => {
            let why = "means nothing for a size or a build time";
            look.excludes(path, "load", &child(path, "metric"), why);
        }
        (false, false) => look.needs(path, "load", &format!("by `{}`", metric.name())),
        _ => {}
    }
    for key in ["about", "at_least", "at_most"] {
        let is_ratio = there("vs") && key != "about";
        quantity(look, &child(path, key), (!is_ratio).then_some(metric));
    }
}

fn threshold(look: &mut Look<'_>, path: &Path) {
    if !look.get(path).is_some_and(Value::is_object) {
        return;
    }
    no_bound(look, path);
    let Some(metric) = metric(look, path) else { return };
    let [min, max] = ["min", "max"].map(|key| quantity(look, &child(path, key), Some(metric)));
    if let (Some(min), Some(max)) = (min, max)
        && min > max
    {
        look.reversed(path, "min", "max");
    }
    let loads = look.of(path, "loads");
    if metric.is_of_data() && loads.is_some() {
        let why = "means nothing for a size or a build time";
        look.excludes(path, "loads", &child(path, "metric"), why);
    }
}

fn no_bound(look: &mut Look<'_>, path: &Path) {
    if look.get(path).is_some_and(|t| t.get("min").is_none() && t.get("max").is_none()) {
        look.bad(codes::NO_BOUND, path, "limits nothing", "write `min`, `max` or both");
    }
}

fn shares(look: &mut Look<'_>, path: &Path) {
    if !look.get(path).is_some_and(Value::is_object) {
        return;
    }
    no_bound(look, path);
    let [min, max] = ["min", "max"].map(|key| {
        let share = look.number(path, key)?;
        if !(0.0..=1.0).contains(&share) {
            look.bad(codes::OUT_OF_RANGE, &child(path, key), "must be 0..=1", "a share, like 0.9");
        }
        Some(share)
    });
    if let (Some(min), Some(max)) = (min, max)
        && min > max
    {
        look.reversed(path, "min", "max");
    }
}

/// A value in the metric's unit, or a plain number where there is none; the number, if it is right.
fn quantity(look: &mut Look<'_>, path: &Path, metric: Option<Metric>) -> Option<f64> {
    let value = look.get(path)?;
    let (number, help) = match metric.map(Metric::unit) {
        Some(Unit::Micros) => (
            value.as_str().and_then(|t| t.parse::<Span>().ok()).map(Span::secs),
            "write a duration with its unit, like `\"8000ms\"`",
        ),
        Some(Unit::Bytes | Unit::BytesPerSecond) => (
            value.as_str().and_then(|t| t.parse::<Bytes>().ok()).map(|b| b.0 as f64),
            "write a size with its unit, like `\"256MB\"`",
        ),
        Some(Unit::Share) => (
            value.as_f64().filter(|n| (0.0..=1.0).contains(n)),
            "write a share from 0 to 1, like `0.94`",
        ),
        Some(Unit::CoreShare) => (
            value.as_f64().filter(|n| *n >= 0.0),
            "write a share of a core, like `0.85`, or `1.5` for one and a half",
        ),
        Some(Unit::PerSecond) => {
            (value.as_f64().filter(|n| *n >= 0.0), "write a number per second, like `500`")
        }
        Some(Unit::Number) | None => {
            (value.as_f64().filter(|n| *n >= 0.0), "write a number, like `1.5`")
        }
    };
    if number.is_none() {
        let what = match metric {
            Some(metric) => format!("is not in the unit of `{}`", metric.name()),
            None => "must be a ratio".to_owned(),
        };
        look.bad(codes::BAD_UNIT, path, &what, help);
    }
    number
}

fn names(look: &mut Look<'_>, path: &Path) {
    let Some(list) = look.get(path).and_then(Value::as_array) else { return };
    if list.is_empty() {
        look.bad(codes::BAD_COUNT, path, "is empty", "name at least one, or leave the key out");
    }
    let mut seen = BTreeSet::new();
    for (position, name) in list.iter().enumerate() {
        if let Some(name) = name.as_str()
            && !seen.insert(name)
        {
            let path = child(path, &position.to_string());
            look.bad(codes::TWICE, &path, "is in the list already", "name it once");
        }
    }
}
