//! Parameters and where their values come from, templates.

use serde_json::Value;

use super::look::{Look, child};
use crate::spec::parse::Path;
use crate::spec::walk::word;
use crate::spec::{codes, patterns};
use crate::units::Share;

/// Where a parameter's values may come from; one of them.
const SOURCES: [&str; 4] = ["from", "values", "from_csv", "from_log"];

pub(super) fn check(look: &mut Look<'_>) {
    for path in look.both(&["params", "*"]) {
        param(look, &path);
    }
    for path in look.both(&["endpoints", "*", "cache"]) {
        refresh(look, &path);
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

/// Only what is renewed ahead has a share of its life left for that; shares of a life are above 0 and below 1.
fn refresh(look: &mut Look<'_>, path: &Path) {
    let strategy = look.text(path, "strategy");
    if strategy.is_some_and(|s| s != "refresh-ahead") && look.of(path, "refresh").is_some() {
        let why = "belongs to the strategy `refresh-ahead`";
        look.excludes(path, "refresh", &child(path, "strategy"), why);
    }
    for key in ["refresh", "jitter"] {
        let share = look.text(path, key).and_then(|text| text.parse::<Share>().ok());
        if share.is_some_and(|share| share.0 <= 0.0 || share.0 >= 1.0) {
            let what = "must be more than 0% and less than 100%";
            look.bad(codes::OUT_OF_RANGE, &child(path, key), what, "write like `\"20%\"`");
        }
    }
}

/// `min` is at most `max`.
pub(super) fn min_max(look: &mut Look<'_>, path: &Path) {
    if let (Some(min), Some(max)) = (look.number(path, "min"), look.number(path, "max"))
        && min > max
    {
        look.reversed(path, "min", "max");
    }
}

/// Braces must be closed, and hold what `allowed` says.
pub(super) fn braces(look: &mut Look<'_>, path: &Path, help: &str, allowed: impl Fn(&str) -> bool) {
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
        let text = kind == "text";
        for (key, fits) in [
            ("max_length", text),
            ("min_length", text),
            ("pattern", text),
            ("one_of", text || kind == "enum"),
            ("min", numeric),
            ("max", numeric),
        ] {
            if !fits && look.of(path, key).is_some() {
                let why = format!("means nothing for the type `{kind}`");
                look.excludes(path, key, &child(path, "type"), &why);
            }
        }
    }
    choices(look, path, is_patch);
    distribution(look, path, is_patch);
}

/// Which values there are, and whether one must be given.
fn choices(look: &mut Look<'_>, path: &Path, is_patch: bool) {
    if let (Some(least), Some(most)) =
        (look.number(path, "min_length"), look.number(path, "max_length"))
        && least > most
    {
        look.reversed(path, "min_length", "max_length");
    }
    if look.of(path, "one_of").and_then(Value::as_array).is_some_and(Vec::is_empty) {
        look.bad(codes::BAD_COUNT, &child(path, "one_of"), "is empty", "at least one value");
    }
    if look.text(path, "type") == Some("enum") && look.of(path, "one_of").is_none() && !is_patch {
        look.needs(path, "one_of", "by the type `enum`");
    }
    if look.of(path, "default").is_some() && look.of(path, "required").is_some() {
        let why = "says what a default says already";
        look.excludes(path, "required", &child(path, "default"), why);
    }
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
