//! Columns and their generators, parameters and where their values come from, templates.

use chrono::DateTime;
use serde_json::Value;

use super::look::{Look, child};
use crate::spec::parse::Path;
use crate::spec::walk::word;
use crate::spec::{codes, patterns};
use crate::units::{Share, Span};

/// Every key that only some generators take.
const SOME: &[&str] =
    &["template", "weights", "start", "step", "min", "max", "value", "probability"];

/// Where a parameter's values may come from; one of them.
const SOURCES: [&str; 4] = ["from", "values", "from_csv", "from_log"];

/// Whole numbers that a 64-bit float still holds exactly.
const EXACT: f64 = 9_007_199_254_740_992.0;

pub(super) fn check(look: &mut Look<'_>) {
    for path in look.each(&["dataset", "tables", "*", "columns", "*"]) {
        column(look, &path);
    }
    for path in look.both(&["params", "*"]) {
        param(look, &path);
    }
    for path in look.both(&["endpoints", "*", "cache", "key"]) {
        let help = "write it like `\"user:email:{email}\"`; braces hold the name of a param";
        braces(look, &path, help, |name| patterns::check(patterns::NAME, name) == Some(Ok(())));
    }
    for path in look.both(&["endpoints", "*", "route"]) {
        let help = "write it like `\"GET /users/{id}\"`; braces hold the name of a param";
        braces(look, &path, help, |name| patterns::check(patterns::NAME, name) == Some(Ok(())));
    }
}

/// Keys that a generator needs, and keys that it takes beside them.
fn keys(generator: &str) -> Option<(&'static [&'static str], &'static [&'static str])> {
    Some(match generator {
        "sequence" => (&[], &["start", "step"]),
        "template" => (&["template"], &[]),
        "weighted" => (&["weights"], &[]),
        "timestamp" => (&["start", "step"], &[]),
        "integer" | "float" | "words" => (&["min", "max"], &[]),
        "bool" => (&[], &["probability"]),
        "constant" => (&["value"], &[]),
        "person-name" | "uuid" => (&[], &[]),
        _ => return None,
    })
}

fn column(look: &mut Look<'_>, path: &Path) {
    if look.get(path).is_some_and(|c| c.get("generator").is_none()) {
        return look.needs(path, "generator", "to know how the values are made");
    }
    let Some(generator) = look.text(path, "generator") else { return };
    let Some((needed, taken)) = keys(generator) else { return };
    for key in SOME {
        let is_there = look.get(path).is_some_and(|c| c.get(key).is_some());
        if needed.contains(key) && !is_there {
            look.needs(path, key, &format!("by the generator `{generator}`"));
        } else if is_there && !needed.contains(key) && !taken.contains(key) {
            let why = format!("is not a key of the generator `{generator}`");
            look.excludes(path, key, &child(path, "generator"), &why);
        }
    }
    match generator {
        "template" => {
            let help = "`{row}`, the number of the row from 1, is all that a template may hold in \
                        braces";
            braces(look, &child(path, "template"), help, |name| name == "row");
        }
        "weighted" => weights(look, &child(path, "weights")),
        "timestamp" => timestamp(look, path),
        "sequence" => {
            for key in ["start", "step"] {
                if look.of(path, key).is_some_and(|v| !v.is_i64()) {
                    let help = "write it like `1`";
                    look.bad(codes::WRONG_TYPE, &child(path, key), "must be a whole number", help);
                }
            }
        }
        "integer" | "words" => whole(look, path, generator == "words"),
        _ => {}
    }
    min_max(look, path);
}

fn whole(look: &mut Look<'_>, path: &Path, words: bool) {
    let (least, most) = if words { (1.0, 1000.0) } else { (-EXACT, EXACT) };
    for key in ["min", "max"] {
        let Some(number) = look.number(path, key) else { continue };
        if number.fract() != 0.0 {
            let help = "this generator makes whole numbers";
            look.bad(codes::WRONG_TYPE, &child(path, key), "must be a whole number", help);
        } else if number < least || number > most {
            let help = format!("from {least} to {most}");
            look.bad(codes::OUT_OF_RANGE, &child(path, key), "is out of range", &help);
        }
    }
}

fn min_max(look: &mut Look<'_>, path: &Path) {
    if let (Some(min), Some(max)) = (look.number(path, "min"), look.number(path, "max"))
        && min > max
    {
        look.reversed(path, "min", "max");
    }
}

fn weights(look: &mut Look<'_>, path: &Path) {
    let Some(table) = look.get(path).and_then(Value::as_object) else { return };
    let mut sum = 0.0;
    for (value, weight) in table {
        // Refused already where it is no number.
        let Some(weight) = weight.as_f64() else { return };
        if weight < 0.0 {
            look.bad(codes::BAD_WEIGHTS, &child(path, value), "is negative", "0 or more");
        }
        sum += weight;
    }
    if !(sum > 0.0 && sum.is_finite()) {
        let help = "write some like `{ active = 70, inactive = 30 }`";
        look.bad(codes::BAD_WEIGHTS, path, "have no positive, finite sum", help);
    }
}

fn timestamp(look: &mut Look<'_>, path: &Path) {
    if let Some(start) = look.of(path, "start")
        && start.as_str().is_none_or(|t| DateTime::parse_from_rfc3339(t).is_err())
    {
        let help = "write it in RFC 3339, like `\"2024-01-01T00:00:00Z\"`";
        look.bad(codes::BAD_TIMESTAMP, &child(path, "start"), "is no point in time", help);
    }
    if let Some(step) = look.of(path, "step") {
        match step.as_str().map(str::parse::<Span>) {
            Some(Ok(_)) => {}
            Some(Err(bad)) => {
                look.bad(codes::BAD_UNIT, &child(path, "step"), "is no duration", &bad.hint);
            }
            None => {
                let help = "write it like `\"1s\"`";
                look.bad(codes::BAD_UNIT, &child(path, "step"), "is no duration", help);
            }
        }
    }
}

/// Braces must be closed, and hold what `allowed` says.
fn braces(look: &mut Look<'_>, path: &Path, help: &str, allowed: impl Fn(&str) -> bool) {
    let Some(text) = look.get(path).and_then(Value::as_str) else { return };
    let mut rest = text;
    while let Some(open) = rest.find(['{', '}']) {
        let Some(inner) = rest[open..].strip_prefix('{') else {
            return look.bad(codes::BAD_TEMPLATE, path, "has a `}` without its `{`", help);
        };
        let Some(close) = inner.find('}') else {
            return look.bad(codes::BAD_TEMPLATE, path, "has a `{` without its `}`", help);
        };
        if !allowed(&inner[..close]) {
            let what = format!("has `{{{}}}` in it", word(&inner[..close]));
            return look.bad(codes::BAD_TEMPLATE, path, &what, help);
        }
        rest = &inner[close + 1..];
    }
}

fn param(look: &mut Look<'_>, path: &Path) {
    let is_patch = path[0] == "variants";
    let told: Vec<&str> = SOURCES.into_iter().filter(|key| look.of(path, key).is_some()).collect();
    if let [first, others @ ..] = told.as_slice() {
        for other in others {
            let why = format!("is a second source beside `{first}`");
            look.excludes(path, other, &child(path, first), &why);
        }
    }
    if look.of(path, "from_log").is_some() && look.of(path, "distribution").is_some() {
        let why = "says how often, and a log has an order of its own";
        look.excludes(path, "distribution", &child(path, "from_log"), why);
    }
    if let Some(from) = look.text(path, "from") {
        let parts: Vec<&str> = from.split('.').collect();
        if parts.len() != 2 || !parts.iter().all(|p| patterns::identifier(p)) {
            let help = "write it like `\"users.email\"`";
            look.bad(codes::BAD_FORM, &child(path, "from"), "is no table and column", help);
        }
    } else if !is_patch && look.of(path, "where").is_some_and(|w| w != &serde_json::json!({})) {
        look.needs(path, "from", "by `where`");
    }
    if look.of(path, "values").and_then(Value::as_array).is_some_and(Vec::is_empty) {
        look.bad(codes::BAD_COUNT, &child(path, "values"), "is empty", "at least one value");
    }
    min_max(look, path);
    if let Some(kind) = look.text(path, "type") {
        let numeric = ["integer", "bigint", "float", "numeric"].contains(&kind);
        for (key, fits) in [("max_length", kind == "text"), ("min", numeric), ("max", numeric)] {
            if !fits && look.of(path, key).is_some() {
                let why = format!("means nothing for the type `{kind}`");
                look.excludes(path, key, &child(path, "type"), &why);
            }
        }
    }
    distribution(look, path, is_patch);
}

fn distribution(look: &mut Look<'_>, param: &Path, is_patch: bool) {
    let path = child(param, "distribution");
    let kind = look.text(&path, "kind");
    if kind.is_none() && is_patch {
        return;
    }
    let kind = kind.unwrap_or("uniform");
    let own = [("exponent", "zipfian"), ("hot_keys", "hot-set"), ("hot_requests", "hot-set")];
    for (key, owner) in own {
        if kind != owner && look.of(&path, key).is_some() {
            let why = format!("belongs to the kind `{owner}`, and the kind is `{kind}`");
            look.excludes(&path, key, &child(&path, "kind"), &why);
        }
    }
    let is_listed = ["values", "from_csv"].iter().any(|key| look.of(param, key).is_some());
    // A key that is there but was refused is null, and was reported already.
    let table = look.get(&path);
    let has = |key: &str| table.is_some_and(|d| d.get(key).is_some());
    let is_counted = ["zipfian", "hot-set", "sequential"].contains(&kind);
    if is_counted && !has("keys") && !is_listed && !is_patch {
        look.needs(&path, "keys", &format!("by the kind `{kind}`"));
    }
    for key in ["hot_keys", "hot_requests"] {
        if kind == "hot-set" && !has(key) && !is_patch {
            look.needs(&path, key, "by the kind `hot-set`");
        }
        let share = look.text(&path, key).and_then(|text| text.parse::<Share>().ok());
        if share.is_some_and(|share| share.0 <= 0.0 || share.0 >= 1.0) {
            let help = "of 0% or 100% all keys would be alike: write `kind = \"uniform\"`";
            let what = "must be more than 0% and less than 100%";
            look.bad(codes::OUT_OF_RANGE, &child(&path, key), what, help);
        }
    }
}
