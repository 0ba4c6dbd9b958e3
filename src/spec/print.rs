//! The merged tree as TOML, for the archive: the same bytes for the same tree, in the order of the file.

use serde_json::{Map, Value};

use super::merge::Merged;

/// Sections in the order in which the format is explained.
const SECTIONS: &[&str] = &[
    "experiment",
    "services",
    "dataset",
    "indexes",
    "params",
    "endpoints",
    "load",
    "variants",
    "design",
    "claims",
    "thresholds",
    "regression",
];

/// Sections whose entries are printed one by one, because their order says something.
const ORDERED: &[&str] = &["params", "endpoints", "load", "variants"];

/// Prints `tree`, which is `merged` without its profiles.
pub(super) fn toml(tree: &Value, merged: &Merged) -> Result<String, toml::ser::Error> {
    let mut text = String::new();
    for section in SECTIONS {
        let Some(value) = tree.get(section) else { continue };
        if ORDERED.contains(section) {
            for name in merged.in_file_order(&[(*section).to_owned()]) {
                push(&mut text, &nested(&[section, &name], value[&name].clone()))?;
            }
        } else {
            push(&mut text, &nested(&[section], value.clone()))?;
        }
    }
    Ok(text)
}

fn nested(path: &[&str], value: Value) -> Value {
    path.iter()
        .rev()
        .fold(value, |inner, key| Value::Object(Map::from_iter([((*key).to_owned(), inner)])))
}

fn push(text: &mut String, section: &Value) -> Result<(), toml::ser::Error> {
    if !text.is_empty() {
        text.push('\n');
    }
    text.push_str(&toml::to_string_pretty(section)?);
    Ok(())
}
