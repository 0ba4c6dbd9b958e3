//! Texts as TOML takes them, and texts of people as names.

use std::collections::BTreeSet;

/// A text in quotes.
pub(super) fn quoted(text: &str) -> String {
    // JSON's escapes are all TOML's too; DEL alone stands bare in JSON only.
    let json = serde_json::Value::String(text.to_owned()).to_string();
    json.replace('\u{7f}', "\\u007F")
}

/// A number without an exponent.
pub(super) fn number(x: f64) -> String {
    format!("{x}")
}

/// A list of quoted texts.
pub(super) fn list<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    let texts: Vec<String> = texts.into_iter().map(quoted).collect();
    format!("[{}]", texts.join(", "))
}

/// A text for comments: one line, no control characters, not endless.
pub(super) fn remark(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let line: String = words.join(" ").chars().filter(|c| !c.is_control()).take(240).collect();
    line
}

/// A name in SQL, in quotes only where it needs them.
pub(super) fn identifier(name: &str) -> String {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    let starts = name.bytes().next().is_some_and(|b| b.is_ascii_lowercase() || b == b'_');
    if starts && name.bytes().all(plain) && RESERVED.split(' ').all(|word| word != name) {
        name.to_owned()
    } else {
        format!("\"{}\"", name.replace('"', "\"\""))
    }
}

/// Words that are no column's name without quotes.
const RESERVED: &str = "all analyse analyze and any array as asc asymmetric authorization binary both case cast check \
    collate collation column concurrently constraint create cross current_catalog current_date \
    current_role current_schema current_time current_timestamp current_user default deferrable desc \
    distinct do else end except false fetch for foreign freeze from full grant group having ilike in \
    initially inner intersect into is isnull join lateral leading left like limit localtime \
    localtimestamp natural not notnull null offset on only or order outer overlaps placing primary \
    references returning right select session_user similar some symmetric system_user table tablesample \
    then to trailing true union unique user using variadic verbose when where window with";

/// Names of the file: short, lower case, each once.
#[derive(Debug, Default)]
pub(super) struct Names(BTreeSet<String>);

impl Names {
    /// A name like `wanted` that nothing else has.
    pub(super) fn make(&mut self, wanted: &str, filler: char) -> String {
        let fit = |c: char| match c.to_ascii_lowercase() {
            c if c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-' => c,
            _ => filler,
        };
        let mut base: String = wanted.chars().map(fit).collect();
        if !base.bytes().next().is_some_and(|b| b.is_ascii_lowercase()) {
            base.insert(0, 'x');
        }
        base.truncate(44);
        let mut name = base.clone();
        let mut number = 2_u32;
        while !self.0.insert(name.clone()) {
            name = format!("{base}{filler}{number}");
            number += 1;
        }
        name
    }
}
