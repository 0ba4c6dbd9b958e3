//! Load profiles, warm-ups, fills and the durations of everything.

use serde_json::Value;

use super::look::{Look, child};
use super::stages;
use crate::spec::codes;
use crate::spec::metric::Metric;
use crate::spec::parse::Path;
use crate::units::Span;

/// Durations of which zero would mean that nothing happens.
const NEVER_ZERO: &[&[&str]] = &[
    &["services", "api", "pool", "acquire_timeout"],
    &["services", "api", "cache_timeout"],
    &["endpoints", "*", "cache", "ttl"],
    &["load", "*", "duration"],
    &["load", "*", "timeout"],
    &["load", "*", "stages", "*", "duration"],
    &["load", "*", "search", "step"],
    &["fill", "max"],
    &["design", "time_budget"],
];

const OPEN: &[&str] = &["rate", "arrival", "max_in_flight", "connections", "search"];
const CLOSED: &[&str] = &["users", "think_time"];

pub(super) fn check(look: &mut Look<'_>) {
    for pattern in NEVER_ZERO {
        for path in look.both(pattern) {
            never_zero(look, &path);
        }
    }
    for path in look.both(&["load", "*"]) {
        model(look, &path);
        stages::check(look, &path);
        warmup(look, &child(&path, "warmup"));
    }
    for path in look.both(&["load", "*", "warmup", "until"]) {
        until(look, &path);
    }
    for path in look.each(&["variants", "*", "fill", "until"]) {
        until(look, &path);
    }
}

fn never_zero(look: &mut Look<'_>, path: &Path) {
    let Some(span) = look.get(path).and_then(|v| v.as_str()?.parse::<Span>().ok()) else { return };
    // Redis keeps times in milliseconds, and so do the timeouts of Postgres.
    if span < Span::from_millis(1) {
        look.bad(codes::ZERO, path, "is zero", "at least `\"1ms\"`");
    }
}

fn model(look: &mut Look<'_>, path: &[String]) {
    let Some(model) = look.text(path, "model") else { return };
    let (own, others, level) = match model {
        "closed" => ("closed", OPEN, "users"),
        "open" => ("open", CLOSED, "rate"),
        _ => return,
    };
    for key in others {
        if look.of(path, key).is_some() {
            let other = if own == "closed" { "open" } else { "closed" };
            let why = format!("belongs to the {other} model, and the model is \"{own}\"");
            look.excludes(path, key, &child(path, "model"), &why);
        }
    }
    // A key that is there but was refused is null, and was reported already.
    let table = look.get(path);
    let is_there = |key: &str| table.is_some_and(|t: &Value| t.get(key).is_some());
    if path.first().is_some_and(|p| p == "variants") {
        return;
    }
    let is_said = is_there(level) || is_there("stages") || (own == "open" && is_there("search"));
    if !is_said {
        look.needs(path, level, &format!("by the {own} model"));
    }
    if !is_there("duration") && !is_there("stages") {
        look.needs(path, "duration", "by the window");
    }
}

fn warmup(look: &mut Look<'_>, path: &[String]) {
    let (min, max) = (look.span(path, "min"), look.span(path, "max"));
    match (min, max) {
        (Some(min), Some(max)) if min > max => look.reversed(path, "min", "max"),
        // What a patch leaves out may stand in the file; there it is the default.
        _ if path.first().is_some_and(|p| p == "variants") => {}
        (None, Some(max)) if look.of(path, "min").is_none() && max < Span::from_secs(1) => {
            let help = "write `min` too: it is `\"1s\"` where it is left out";
            look.bad(codes::REVERSED, &child(path, "max"), "is less than `min`", help);
        }
        (Some(min), None) if look.of(path, "max").is_none() && min > Span::from_secs(10) => {
            let help = "write `max` too: it is `\"10s\"` where it is left out";
            look.bad(codes::REVERSED, &child(path, "min"), "is more than `max`", help);
        }
        _ => {}
    }
}

/// `steady`, or `cache_hit_ratio >= 0.94`.
fn until(look: &mut Look<'_>, path: &Path) {
    const FORM: &str = "write `\"steady\"`, or a condition like `\"cache_hit_ratio >= 0.94\"`";
    let Some(text) = look.get(path).and_then(|v| v.as_str()) else { return };
    if text == "steady" {
        return;
    }
    let parts: Vec<&str> = text.split_whitespace().collect();
    let [metric, sign, bound] = parts.as_slice() else {
        return look.bad(codes::BAD_CONDITION, path, "is no condition", FORM);
    };
    if !Metric::ALL.iter().any(|m| m.name() == *metric) {
        return look.bad(codes::BAD_CONDITION, path, "names no metric", FORM);
    }
    if *metric != "cache_hit_ratio" || *sign != ">=" {
        return look.bad(codes::NOT_YET, path, "is a condition that is not supported yet", FORM);
    }
    let is_share = bound.parse::<f64>().is_ok_and(|b| b > 0.0 && b <= 1.0);
    if !is_share || !bound.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
        look.bad(codes::BAD_CONDITION, path, "needs a share above 0 and up to 1", FORM);
    }
}
