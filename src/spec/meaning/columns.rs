//! Columns and their generators: which keys each takes, and which of them contradict each other.

use chrono::{DateTime, NaiveDate};
use serde_json::Value;

use super::data::{braces, min_max};
use super::look::{Look, child};
use crate::spec::parse::Path;
use crate::spec::{codes, patterns};
use crate::units::{Span, distance_us};

/// Every key that only some generators take.
const SOME: &[&str] = &[
    "template",
    "weights",
    "values",
    "start",
    "step",
    "end",
    "growth",
    "business_hours",
    "order",
    "min",
    "max",
    "distribution",
    "mean",
    "deviation",
    "exponent",
    "scale",
    "vocabulary",
    "value",
    "probability",
    "version",
    "domain",
    "references",
    "per_parent",
    "fields",
    "of",
    "network",
    "area",
    "column",
    "shortest",
    "longest",
];

/// Keys of numbers that are not spread evenly.
const SHAPED: &[&str] = &["distribution", "mean", "deviation", "exponent"];

/// Whole numbers that a 64-bit float still holds exactly.
const EXACT: f64 = 9_007_199_254_740_992.0;

pub(super) fn check(look: &mut Look<'_>) {
    for path in look.each(&["dataset", "tables", "*", "columns", "*"]) {
        column(look, &path);
    }
}

/// Keys that a generator needs, and keys that it takes beside them.
fn keys(generator: &str) -> Option<(&'static [&'static str], &'static [&'static str])> {
    Some(match generator {
        "sequence" => (&[], &["start", "step"]),
        "template" => (&["template"], &[]),
        "weighted" => (&["weights"], &[]),
        "choice" => (&["values"], &[]),
        "timestamp" => (&["start"], &["step", "end", "growth", "business_hours", "order"]),
        "date" => (&["start", "end"], &["growth", "order"]),
        "integer" | "float" => (&["min", "max"], SHAPED),
        "numeric" => (&["min", "max"], &["distribution", "mean", "deviation", "exponent", "scale"]),
        "words" | "sentences" | "text" => (&["min", "max"], &["vocabulary", "exponent"]),
        "bool" => (&[], &["probability"]),
        "constant" => (&["value"], &[]),
        "uuid" => (&[], &["version", "start", "step"]),
        "email" => (&[], &["domain"]),
        "permutation" => (&[], &["min", "max"]),
        "foreign-key" => (&["references"], &["distribution", "exponent", "per_parent"]),
        "json" => (&["fields"], &[]),
        "array" => (&["of", "min", "max"], &[]),
        "bytea" => (&["min", "max"], &[]),
        "inet" => (&[], &["network"]),
        "point" => (&[], &["area"]),
        "offset" => (
            &["column"],
            &["min", "max", "shortest", "longest", "distribution", "mean", "deviation", "exponent"],
        ),
        "person-name" | "company" => (&[], &[]),
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
    if look.of(path, "dependence").is_some() {
        let has_on = look.get(path).is_some_and(|c| c.get("depends_on").is_some());
        if !has_on {
            look.needs(path, "depends_on", "by `dependence`");
        }
    }
    match generator {
        "template" => {
            let help = "a template may hold `{row}`, the number of the row from 1, and columns of \
                        the same table in braces";
            // Parts of a document stand deeper than the columns of their table.
            let columns = look.get(&path[..4]).and_then(Value::as_object);
            let known = |name: &str| columns.is_some_and(|columns| columns.contains_key(name));
            braces(look, &child(path, "template"), help, |name| name == "row" || known(name));
        }
        "weighted" => weights(look, &child(path, "weights")),
        "timestamp" => timestamp(look, path),
        "uuid" => uuid(look, path),
        "date" => {
            for key in ["start", "end"] {
                day(look, path, key);
            }
        }
        "sequence" => {
            for key in ["start", "step"] {
                if look.of(path, key).is_some_and(|v| !v.is_i64()) {
                    let help = "write it like `1`";
                    look.bad(codes::WRONG_TYPE, &child(path, key), "must be a whole number", help);
                }
            }
        }
        "integer" | "permutation" => whole(look, path, -EXACT, EXACT),
        "words" | "sentences" => whole(look, path, 1.0, 1000.0),
        "text" | "bytea" => whole(look, path, 0.0, 100_000.0),
        "array" => {
            whole(look, path, 0.0, 1000.0);
            column(look, &child(path, "of"));
        }
        "json" => {
            let fields = child(path, "fields");
            let names = look.get(&fields).and_then(Value::as_object).into_iter().flatten();
            let names: Vec<&String> = names.map(|(name, _)| name).collect();
            for name in names {
                column(look, &child(&fields, name));
            }
        }
        "offset" => offset(look, path),
        "foreign-key" => foreign_key(look, path),
        _ => {}
    }
    if taken.contains(&"distribution") {
        distribution(look, path, generator, taken);
    }
    min_max(look, path);
}

fn whole(look: &mut Look<'_>, path: &Path, least: f64, most: f64) {
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

fn moment(look: &mut Look<'_>, path: &Path, key: &str) {
    if let Some(start) = look.of(path, key)
        && start.as_str().is_none_or(|t| DateTime::parse_from_rfc3339(t).is_err())
    {
        let help = "write it in RFC 3339, like `\"2024-01-01T00:00:00Z\"`";
        look.bad(codes::BAD_TIMESTAMP, &child(path, key), "is no point in time", help);
    }
}

fn day(look: &mut Look<'_>, path: &Path, key: &str) {
    if let Some(day) = look.of(path, key)
        && day.as_str().is_none_or(|t| t.parse::<NaiveDate>().is_err())
    {
        let help = "write it like `\"2024-01-31\"`";
        look.bad(codes::BAD_TIMESTAMP, &child(path, key), "is no day", help);
    }
}

fn span(look: &mut Look<'_>, path: &Path, key: &str) {
    if let Some(span) = look.of(path, key) {
        match span.as_str().map(str::parse::<Span>) {
            Some(Ok(_)) => {}
            Some(Err(bad)) => {
                look.bad(codes::BAD_UNIT, &child(path, key), "is no duration", &bad.hint);
            }
            None => {
                let help = "write it like `\"1s\"`";
                look.bad(codes::BAD_UNIT, &child(path, key), "is no duration", help);
            }
        }
    }
}

/// Moments come by steps, or lie between start and end.
fn timestamp(look: &mut Look<'_>, path: &Path) {
    moment(look, path, "start");
    moment(look, path, "end");
    span(look, path, "step");
    let has = |look: &Look<'_>, key: &str| look.get(path).is_some_and(|c| c.get(key).is_some());
    if has(look, "end") {
        if has(look, "step") {
            let why = "says how many there are, and moments up to an `end` are as many as rows";
            look.excludes(path, "step", &child(path, "end"), why);
        }
        return;
    }
    if !has(look, "step") {
        look.needs(path, "step", "by the generator `timestamp`, or an `end`");
    }
    for key in ["growth", "business_hours", "order"] {
        if has(look, key) {
            look.needs(path, "end", &format!("by `{key}`"));
        }
    }
}

fn uuid(look: &mut Look<'_>, path: &Path) {
    moment(look, path, "start");
    span(look, path, "step");
    let version = look.number(path, "version").unwrap_or(4.0);
    let is_by_time = version > 6.0;
    if !is_by_time && version > 4.0 {
        let help = "write 4 for random ones, or 7 for ones that rise with time";
        look.bad(codes::OUT_OF_RANGE, &child(path, "version"), "is no version made here", help);
    }
    for key in ["start", "step"] {
        let is_there = look.get(path).is_some_and(|c| c.get(key).is_some());
        if is_by_time && !is_there {
            look.needs(path, key, "by `version = 7`");
        } else if !is_by_time && is_there {
            let why = "belongs to `version = 7`, and this is version 4";
            look.excludes(path, key, &child(path, "generator"), why);
        }
    }
}

/// A number is added between `min` and `max`, a duration between `shortest` and `longest`.
fn offset(look: &mut Look<'_>, path: &Path) {
    let distance = |look: &Look<'_>, key: &str| look.text(path, key).map(distance_us);
    for key in ["shortest", "longest"] {
        if let Some(Err(bad)) = distance(look, key) {
            look.bad(codes::BAD_UNIT, &child(path, key), "is no duration", &bad.hint);
        }
    }
    let has = |look: &Look<'_>, key: &str| look.get(path).is_some_and(|c| c.get(key).is_some());
    if has(look, "shortest") || has(look, "longest") {
        for key in ["min", "max", "distribution"] {
            if has(look, key) {
                let why = "is for numbers, and a duration is stated too";
                let other = if has(look, "longest") { "longest" } else { "shortest" };
                look.excludes(path, key, &child(path, other), why);
            }
        }
        if !has(look, "longest") {
            look.needs(path, "longest", "by `shortest`");
        }
        if let (Some(Ok(least)), Some(Ok(most))) =
            (distance(look, "shortest"), distance(look, "longest"))
            && least > most
        {
            look.reversed(path, "shortest", "longest");
        }
        return;
    }
    for key in ["min", "max"] {
        if !has(look, key) {
            look.needs(path, key, "by the generator `offset` (or `longest`, for a duration)");
        }
    }
}

fn foreign_key(look: &mut Look<'_>, path: &Path) {
    if let Some(references) = look.text(path, "references") {
        let parts: Vec<&str> = references.split('.').collect();
        if parts.len() != 2 || !parts.iter().all(|part| patterns::identifier(part)) {
            let help = "write it like `\"users.id\"`";
            look.bad(codes::BAD_FORM, &child(path, "references"), "is no table and column", help);
        }
    }
    if look.of(path, "distribution").is_some() && look.of(path, "per_parent").is_some() {
        let why = "draws any row, and `per_parent` takes them one after the other";
        look.excludes(path, "distribution", &child(path, "per_parent"), why);
    }
}

fn distribution(look: &mut Look<'_>, path: &Path, generator: &str, taken: &[&str]) {
    let kind = look.text(path, "distribution").unwrap_or("uniform");
    let own: [(&str, &[&str]); 3] = [
        ("mean", &["normal", "exponential"]),
        ("deviation", &["normal"]),
        ("exponent", &["zipfian"]),
    ];
    for (key, owners) in own {
        if taken.contains(&key) && !owners.contains(&kind) && look.of(path, key).is_some() {
            let why = format!("means nothing to the distribution `{kind}`");
            let is_stated = look.of(path, "distribution").is_some();
            let other = if is_stated { "distribution" } else { "generator" };
            look.excludes(path, key, &child(path, other), &why);
        }
    }
    let fits = match generator {
        "float" => kind != "zipfian",
        "foreign-key" => matches!(kind, "uniform" | "zipfian"),
        _ => true,
    };
    if !fits {
        let why = format!("`{kind}` is none that the generator `{generator}` has");
        look.excludes(path, "distribution", &child(path, "generator"), &why);
    } else if kind == "exponential" && look.get(path).is_some_and(|c| c.get("mean").is_none()) {
        look.needs(path, "mean", "by the distribution `exponential`");
    }
}
