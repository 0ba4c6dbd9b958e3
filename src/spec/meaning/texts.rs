//! Names, counts, and what no text may hold.

use serde_json::Value;

use super::look::Look;
use crate::spec::codes;
use crate::spec::parse::Path;

/// Most entries of each table of names: what a report can still show, and a run still do.
const MOST: &[(&[&str], usize)] = &[
    (&["variants"], 64),
    (&["load"], 64),
    (&["endpoints"], 256),
    (&["params"], 256),
    (&["indexes"], 256),
    (&["dataset", "tables"], 256),
    (&["dataset", "tables", "*", "columns"], 1600),
    (&["dataset", "tables", "*", "from", "columns"], 1600),
    (&["claims"], 500),
    (&["thresholds"], 500),
    (&["experiment", "tags"], 32),
    (&["params", "*", "values"], 10_000),
    (&["params", "*", "one_of"], 1000),
    (&["endpoints", "*", "body"], 256),
    (&["endpoints", "*", "writes"], 16),
];

pub(super) fn check(look: &mut Look<'_>) {
    for (pattern, most) in MOST {
        for path in look.each(pattern) {
            let count = match look.get(&path) {
                Some(Value::Object(table)) => table.len(),
                Some(Value::Array(list)) => list.len(),
                _ => continue,
            };
            if count > *most {
                let what = format!("has {count} entries; at most {most} are allowed");
                look.bad(codes::BAD_COUNT, &path, &what, "leave some out");
            }
        }
    }
    for key in ["endpoints", "load", "variants"] {
        let path = [key.to_owned()];
        if look.get(&path).and_then(Value::as_object).is_some_and(serde_json::Map::is_empty) {
            look.bad(codes::BAD_COUNT, &path, "is empty", "at least one is needed");
        }
    }
    for path in look.each(&["load", "none"]) {
        let help = "`design.aa_check = \"none\"` means that there is no such check";
        look.bad(codes::BAD_NAME, &path, "cannot be the name of a load", help);
    }
    for path in look.each(&["dataset", "migrations"]) {
        if look.get(&path).and_then(Value::as_str) == Some("") {
            let help = "name the folder, like `\"../migrations/users\"`";
            look.bad(codes::BAD_LENGTH, &path, "is empty", help);
        }
    }
    let tree = look.tree;
    visit(look, tree, &mut Path::new());
}

fn visit(look: &mut Look<'_>, value: &Value, path: &mut Path) {
    match value {
        Value::Object(table) => {
            for (key, value) in table {
                path.push(key.clone());
                visit(look, value, path);
                path.pop();
            }
        }
        Value::Array(list) => {
            for (position, value) in list.iter().enumerate() {
                path.push(position.to_string());
                visit(look, value, path);
                path.pop();
            }
        }
        Value::String(text) => one(look, text, path),
        _ => {}
    }
}

fn one(look: &mut Look<'_>, text: &str, path: &[String]) {
    let has_lines = is_prose_or_sql(path);
    let wrong = |c: char| c.is_control() && !(has_lines && matches!(c, '\n' | '\r' | '\t'));
    if text.chars().any(wrong) {
        let help = if has_lines { "remove them" } else { "write one line" };
        look.bad(codes::CONTROL, path, "has control characters", help);
    }
    if !has_lines && interpolates(text) {
        let help = "files are not interpolated: write the value, or override the key with a \
                    variable like `QUERYLAB__DESIGN__BLOCKS`";
        look.bad(codes::INTERPOLATION, path, "has a `${…}` in it", help);
    }
}

fn is_prose_or_sql(path: &[String]) -> bool {
    let parts: Vec<&str> = path.iter().map(String::as_str).collect();
    matches!(
        parts.as_slice(),
        ["experiment", "context" | "drivers" | "decision" | "consequences" | "question"]
            | ["indexes", _]
            | ["dataset", "after_load", _]
            | ["dataset", "tables", _, "from", "query"]
            | ["claims", _, "text"]
            | ["endpoints", _, "query"]
            | ["variants", _, "endpoints", _, "query"]
    )
}

fn interpolates(text: &str) -> bool {
    text.match_indices("${").any(|(at, open)| {
        let rest = &text[at + open.len()..];
        // Only as far as a name goes, because the next brace may be a million characters away.
        let name = rest.bytes().take_while(|b| b.is_ascii_alphanumeric() || *b == b'_').count();
        name > 0 && rest[name..].starts_with('}')
    })
}
