//! Loads that are more than one level: stages and searches. Each thing is said once, and in the words of its model.

use serde_json::Value;

use super::look::{Look, child};
use crate::spec::codes;
use crate::spec::document::Search;
use crate::units::{Rate, Share};

/// More stages than this are a curve, and a ramp says it better.
const MOST_STAGES: usize = 100;
/// A bracket is one factor of the ramp wide, so a coarser precision would not be one.
const COARSEST: f64 = 0.25;

/// What replaces what: a key, and those that it makes superfluous.
const REPLACES: [(&str, &[&str]); 2] =
    [("stages", &["rate", "users", "duration", "search"]), ("search", &["rate"])];

/// Checks the stages and the search of the load at `path`.
pub(super) fn check(look: &mut Look<'_>, path: &[String]) {
    for (key, others) in REPLACES {
        if look.of(path, key).is_none() {
            continue;
        }
        for other in others {
            if look.of(path, other).is_none() {
                continue;
            }
            // A search in a closed load has been refused for that.
            let of_other_model = match look.text(path, "model") {
                Some("closed") => *other == "rate" || *other == "search",
                Some("open") => *other == "users",
                _ => false,
            };
            if !of_other_model {
                let why = format!("is said by `{key}` already");
                look.excludes(path, other, &child(path, key), &why);
            }
        }
    }
    stages(look, path);
    search(look, &child(path, "search"));
}

fn stages(look: &mut Look<'_>, path: &[String]) {
    let list = child(path, "stages");
    let Some(count) = look.get(&list).and_then(Value::as_array).map(Vec::len) else { return };
    if count == 0 || count > MOST_STAGES {
        let help = format!("write 1 to {MOST_STAGES}");
        return look.bad(codes::BAD_COUNT, &list, &format!("has {count} stages"), &help);
    }
    let (level, ramp, foreign) = match look.text(path, "model") {
        Some("open") => ("rate", "ramp_to", ["users", "ramp_to_users"]),
        Some("closed") => ("users", "ramp_to_users", ["rate", "ramp_to"]),
        // A patch is looked at again when it is laid over the load that it is about.
        _ => return,
    };
    for position in 0..count {
        let stage = child(&list, &position.to_string());
        let Some(table) = look.get(&stage).filter(|stage| stage.is_object()) else { continue };
        let is_there = |key: &str| table.get(key).is_some();
        let (has_level, has_ramp) = (is_there(level), is_there(ramp));
        let mut has_foreign = false;
        for key in foreign {
            if look.of(&stage, key).is_some() {
                has_foreign = true;
                let why = "belongs to the other model";
                look.excludes(&stage, key, &child(path, "model"), why);
            }
        }
        match (has_level, has_ramp) {
            (true, true) => {
                let why = format!("makes a ramp of a stage that has a `{level}`");
                look.excludes(&stage, ramp, &child(&stage, level), &why);
            }
            (false, true) if position == 0 => {
                look.needs(&stage, level, "by the first stage: a ramp begins where one ended");
            }
            (false, false) if !has_foreign => {
                look.needs(&stage, level, &format!("(or `{ramp}`) by a stage"));
            }
            _ => {}
        }
    }
}

fn search(look: &mut Look<'_>, path: &[String]) {
    const FORM: &str = "write it like `\"response_time_p99 <= 50ms\"`";
    if let Some(text) = look.text(path, "objective")
        && let Err(what) = Search::read_objective(text)
    {
        look.bad(codes::BAD_CONDITION, &child(path, "objective"), what, FORM);
    }
    let rate = |key: &str| look.text(path, key).and_then(|text| text.parse::<Rate>().ok());
    if let (Some(start), Some(most)) = (rate("start"), rate("most"))
        && start > most
    {
        look.reversed(path, "start", "most");
    }
    let precision = look.text(path, "precision").and_then(|text| text.parse::<Share>().ok());
    if precision.is_some_and(|share| !(0.001..=COARSEST).contains(&share.0)) {
        let help = "write 0.1% to 25%";
        look.bad(codes::OUT_OF_RANGE, &child(path, "precision"), "is out of range", help);
    }
}
