//! A file with mistakes, mended just so far that the rest of it can be checked too.
//!
//! Unknown keys are left out, and what is no value of its key is replaced by one that is. The result is never run: it is
//! there so that `plan` can find unknown names and unbound placeholders in the same pass, and an author sees all at once.

use std::path::Path;

use serde_json::{Map, Value, json};

use super::load::{Trust, owned};
use super::merge::Merged;
use super::walk::accepts;
use super::{Document, Spec, file, schema};
use crate::units;

/// How deep a file may be mended; a deeper one has been refused already.
const DEEPEST: usize = 32;

/// What is left of a file with mistakes.
pub(super) fn partial(path: &Path, profile: Option<String>, merged: Merged) -> Option<Box<Spec>> {
    let tree = mend(&merged.tree);
    let document = <Document as serde::Deserialize>::deserialize(&tree).ok()?;
    Some(Box::new(Spec {
        path: path.to_owned(),
        dir: file::folder(path),
        profile,
        profiles: Vec::new(),
        variant_order: merged.in_file_order(&owned(&["variants"])),
        warnings: Vec::new(),
        tree,
        document,
        merged_toml: String::new(),
        merged,
        trust: Trust::Mended,
    }))
}

/// The tree as the schema would have it.
pub(super) fn mend(tree: &Value) -> Value {
    mended(schema::shared(), tree, 0).unwrap_or_else(|| stand_in(schema::shared(), 0))
}

/// The value if it is right, mended if it is a table or a list; none if it can't be what it should be.
fn mended(schema: &'static Value, value: &Value, depth: usize) -> Option<Value> {
    let schema = schema::follow(schema);
    if depth > DEEPEST || value.is_null() {
        return None;
    }
    if let Some(choices) = schema["anyOf"].as_array() {
        return choices.iter().find_map(|choice| mended(choice, value, depth + 1));
    }
    if !accepts(schema, kind(value)) {
        return None;
    }
    match value {
        Value::Object(table) => Some(Value::Object(mended_table(schema, table, depth))),
        Value::Array(list) => {
            Some(list.iter().filter_map(|v| mended(&schema["items"], v, depth + 1)).collect())
        }
        Value::String(text) => {
            let is_word = schema::words(schema).is_none_or(|words| words.contains(&text.as_str()));
            let format = schema["format"].as_str().and_then(|f| units::check_format(f, text));
            (is_word && !matches!(format, Some(Err(_)))).then(|| value.clone())
        }
        Value::Number(number) => {
            let number = number.as_f64()?;
            let least = schema["minimum"].as_f64().is_none_or(|least| number >= least);
            let most = schema["maximum"].as_f64().is_none_or(|most| number <= most);
            (least && most).then(|| value.clone())
        }
        _ => Some(value.clone()),
    }
}

fn mended_table(
    schema: &'static Value,
    table: &Map<String, Value>,
    depth: usize,
) -> Map<String, Value> {
    let mut kept = Map::new();
    let rest = &schema["additionalProperties"];
    for (key, value) in table {
        let known = schema["properties"].get(key).or_else(|| rest.is_object().then_some(rest));
        let Some(known) = known else {
            if rest != false {
                kept.insert(key.clone(), value.clone());
            }
            continue;
        };
        if let Some(value) = mended(known, value, depth + 1) {
            kept.insert(key.clone(), value);
        }
    }
    for key in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if !kept.contains_key(key) {
            kept.insert(key.to_owned(), stand_in(&schema["properties"][key], depth + 1));
        }
    }
    kept
}

/// Any right value of a key: the problem of what stood there has been reported.
fn stand_in(schema: &'static Value, depth: usize) -> Value {
    let schema = schema::follow(schema);
    if depth > DEEPEST {
        return Value::Null;
    }
    if let Some(choice) = schema["anyOf"].as_array().and_then(|choices| choices.first()) {
        return stand_in(choice, depth + 1);
    }
    if let Some(word) = schema::words(schema).and_then(|words| words.first().copied()) {
        return word.into();
    }
    if let Some(example) = schema["examples"][0].as_str() {
        return example.into();
    }
    match schema["type"].as_str() {
        Some("integer") => json!(schema["minimum"].as_i64().unwrap_or(1).max(1)),
        Some("number") => json!(schema["minimum"].as_f64().unwrap_or(1.0)),
        Some("boolean") => json!(false),
        Some("array") => json!([]),
        Some("object") => Value::Object(mended_table(schema, &Map::new(), depth)),
        _ => json!("x"),
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::String(_) => "string",
        Value::Number(n) if n.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::Bool(_) => "boolean",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
        Value::Null => "null",
    }
}
