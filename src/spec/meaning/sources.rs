//! Tables whose rows are made, and tables whose rows come from elsewhere: which keys each takes.

use serde_json::Value;

use super::look::{Look, child};
use crate::spec::codes;
use crate::spec::parse::Path;

/// Where rows may come from; one of them.
const KINDS: [&str; 4] = ["csv", "sql", "dump", "query"];
/// How a CSV file is written.
const DIALECT: [&str; 4] = ["header", "delimiter", "quote", "null_as"];

pub(super) fn check(look: &mut Look<'_>) {
    for path in look.each(&["dataset", "tables", "*"]) {
        let has = |look: &Look<'_>, key: &str| {
            look.get(&path).is_some_and(|table| table.get(key).is_some())
        };
        if !has(look, "from") {
            for key in ["rows", "columns"] {
                if !has(look, key) {
                    look.needs(&path, key, "unless the rows come `from` elsewhere");
                }
            }
            continue;
        }
        let from = child(&path, "from");
        for key in ["rows", "columns", "order"] {
            if has(look, key) {
                let why = "is for rows that are made, and these come from elsewhere";
                look.excludes(&path, key, &from, why);
            }
        }
        source(look, &from);
    }
}

fn source(look: &mut Look<'_>, path: &Path) {
    let Some(table) = look.get(path).and_then(Value::as_object) else { return };
    let told: Vec<&str> = KINDS.into_iter().filter(|kind| table.contains_key(*kind)).collect();
    let Some((first, others)) = told.split_first() else {
        return look.needs(path, "csv", "or one of `sql`, `dump` and `query`");
    };
    for other in others {
        let why = format!("is a second source beside `{first}`");
        look.excludes(path, other, &child(path, first), &why);
    }
    for key in DIALECT.into_iter().filter(|_| *first != "csv") {
        if table.contains_key(key) {
            let why = format!("says how a CSV file is written, and this is `{first}`");
            look.excludes(path, key, &child(path, first), &why);
        }
    }
    let has_header = table.get("header").is_none_or(|header| header == &Value::Bool(true));
    let has_columns = table.contains_key("columns");
    match *first {
        "csv" if !has_header && !has_columns => {
            look.needs(path, "columns", "by a CSV file without a header");
        }
        "csv" if has_header && has_columns => {
            let why = "names the columns, as the file's first line does";
            look.excludes(path, "columns", &child(path, "csv"), why);
        }
        "sql" | "dump" if has_columns => {
            let why = "names the columns, as the file itself does";
            look.excludes(path, "columns", &child(path, first), why);
        }
        _ => {}
    }
    if look.of(path, "columns").and_then(Value::as_array).is_some_and(Vec::is_empty) {
        look.bad(codes::BAD_COUNT, &child(path, "columns"), "is empty", "at least one column");
    }
    dialect(look, path);
}

/// One character each, and not the same.
fn dialect(look: &mut Look<'_>, path: &Path) {
    let is_plain =
        |text: &str| text.len() == 1 && text.bytes().all(|b| b.is_ascii_graphic() || b == b' ');
    let (delimiter, quote) = (look.text(path, "delimiter"), look.text(path, "quote"));
    if delimiter.is_some_and(|text| text != "tab" && !is_plain(text)) {
        let help = "one character, like `\";\"`, or `\"tab\"`";
        look.bad(codes::BAD_FORM, &child(path, "delimiter"), "is no delimiter", help);
    }
    if quote.is_some_and(|text| !is_plain(text)) {
        let help = "one character, like `\"'\"`";
        look.bad(codes::BAD_FORM, &child(path, "quote"), "is no quote", help);
    }
    if delimiter.unwrap_or(",") == quote.unwrap_or("\"") {
        let why = "is the quote as well";
        let other = if quote.is_some() { "quote" } else { "csv" };
        look.excludes(path, "delimiter", &child(path, other), why);
    }
}
