//! The JSON schema of the format: generated from the types, and the one source for editors and for `walk`.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use serde_json::{Map, Value, json};

use super::Document;
use super::patterns::{IDENTIFIER, NAME};

/// Tables whose keys are names chosen by the author: definition (empty for the root), property, pattern.
const NAMED: &[(&str, &str, &str)] = &[
    ("", "indexes", NAME),
    ("", "params", NAME),
    ("", "endpoints", NAME),
    ("", "load", NAME),
    ("", "variants", NAME),
    ("", "profiles", NAME),
    ("Dataset", "tables", IDENTIFIER),
    ("Table", "columns", IDENTIFIER),
    ("Param", "where", IDENTIFIER),
    ("Variant", "mix", NAME),
    ("Variant", "endpoints", NAME),
    ("Variant", "params", NAME),
    ("Variant", "load", NAME),
];

/// The format as a JSON schema, draft 07. Patches have definitions of their own, in which nothing is required.
pub fn json_schema() -> Value {
    shared().clone()
}

/// The same, generated once.
pub(super) fn shared() -> &'static Value {
    static SCHEMA: OnceLock<Value> = OnceLock::new();
    SCHEMA.get_or_init(generate)
}

fn generate() -> Value {
    let generator = schemars::generate::SchemaSettings::draft07().into_generator();
    let mut root = generator.into_root_schema_for::<Document>().to_value();
    root["title"] = "A querylab experiment".into();
    without_null(&mut root);
    for (definition, property, pattern) in NAMED {
        let owner =
            if definition.is_empty() { &mut root } else { &mut root["definitions"][definition] };
        owner["properties"][property]["propertyNames"] = json!({ "pattern": pattern });
    }
    root["definitions"]["Regression"]["properties"]["ratios"]["propertyNames"] =
        json!({ "$ref": "#/definitions/Metric" });
    add_patches(&mut root);
    root
}

/// TOML has no null: what may be left out is not required, and that is all.
fn without_null(schema: &mut Value) {
    match schema {
        Value::Object(map) => {
            if map.get("default").is_some_and(Value::is_null) {
                map.remove("default");
            }
            if let Some(Value::Array(kinds)) = map.get_mut("type") {
                kinds.retain(|kind| kind != "null");
                if let [only] = kinds.as_slice() {
                    map["type"] = only.clone();
                }
            }
            if let Some(Value::Array(choices)) = map.get_mut("anyOf") {
                choices.retain(|choice| choice["type"] != "null");
                if let [only] = choices.as_slice() {
                    let only = only.clone();
                    map.remove("anyOf");
                    map.insert("allOf".into(), json!([only]));
                }
            }
            map.retain(|key, value| {
                key != "default"
                    || !value.as_object().is_some_and(|d| d.values().any(Value::is_null))
            });
            for (key, value) in map.iter_mut() {
                // The members of `properties` are named by authors' keys, one of which is `default`.
                match (key.as_str(), value) {
                    ("properties", Value::Object(members)) => {
                        members.values_mut().for_each(without_null);
                    }
                    (_, value) => without_null(value),
                }
            }
        }
        Value::Array(list) => list.iter_mut().for_each(without_null),
        _ => {}
    }
}

/// Replaces each definition marked `x-patch` by a copy of what it patches without `required`.
fn add_patches(root: &mut Value) {
    let mut document = root.as_object().cloned().unwrap_or_default();
    for key in ["$schema", "definitions", "title"] {
        document.remove(key);
    }
    let mut definitions =
        root["definitions"].as_object_mut().map(std::mem::take).unwrap_or_default();
    definitions.insert("Document".into(), Value::Object(document));
    let marked: BTreeMap<String, String> = definitions
        .iter()
        .filter(|(_, schema)| schema["x-patch"] == true)
        .filter_map(|(name, schema)| {
            let target = schema["allOf"][0]["$ref"].as_str()?;
            Some((name.clone(), target.strip_prefix("#/definitions/").unwrap_or("Document").into()))
        })
        .collect();
    definitions.retain(|name, _| !marked.contains_key(name));
    for schema in definitions.values_mut().chain(std::iter::once(&mut *root)) {
        redirect(schema, &|name| marked.get(name).map(|target| format!("{target}Patch")));
    }
    let mut todo: Vec<String> = marked.into_values().collect();
    while let Some(name) = todo.pop() {
        if definitions.contains_key(&format!("{name}Patch")) {
            continue;
        }
        let mut patch = definitions.get(&name).cloned().unwrap_or_default();
        relax(&mut patch, &definitions, &mut todo);
        definitions.insert(format!("{name}Patch"), patch);
    }
    if let Some(Value::Object(patch)) = definitions.get_mut("DocumentPatch") {
        patch["properties"].as_object_mut().map(|p| p.remove("profiles"));
        patch.insert("description".into(), "A partial copy of the file.".into());
    }
    definitions.remove("Document");
    root["definitions"] = Value::Object(definitions);
}

/// Takes `required` and defaults away, and points at patches of the tables below. Elements of lists stay whole,
/// because lists are replaced and not merged.
fn relax(schema: &mut Value, definitions: &Map<String, Value>, todo: &mut Vec<String>) {
    let Value::Object(map) = schema else { return };
    map.remove("required");
    map.remove("default");
    if let Some(name) = map.get("$ref").and_then(Value::as_str).and_then(definition) {
        let is_table = definitions.get(name).is_some_and(|d| d.get("properties").is_some());
        if is_table && !name.ends_with("Patch") {
            todo.push(name.to_owned());
            let target = format!("#/definitions/{name}Patch");
            map.insert("$ref".into(), target.into());
        }
    }
    for (key, value) in map.iter_mut() {
        match (key.as_str(), value) {
            ("properties", Value::Object(properties)) => {
                for property in properties.values_mut() {
                    relax(property, definitions, todo);
                }
            }
            ("additionalProperties", value) => relax(value, definitions, todo),
            ("allOf", Value::Array(parts)) => {
                for part in parts {
                    relax(part, definitions, todo);
                }
            }
            _ => {}
        }
    }
}

fn redirect(schema: &mut Value, to: &impl Fn(&str) -> Option<String>) {
    match schema {
        Value::Object(map) => {
            if let Some(target) =
                map.get("$ref").and_then(Value::as_str).and_then(definition).and_then(to)
            {
                map.insert("$ref".into(), format!("#/definitions/{target}").into());
            }
            map.values_mut().for_each(|value| redirect(value, to));
        }
        Value::Array(list) => list.iter_mut().for_each(|value| redirect(value, to)),
        _ => {}
    }
}

fn definition(reference: &str) -> Option<&str> {
    reference.strip_prefix("#/definitions/")
}

/// The schema that a schema stands for: references and single-part combinations followed.
pub(super) fn follow(mut schema: &'static Value) -> &'static Value {
    // Bounded, because a reference to itself would never end.
    for _ in 0..8 {
        if let Some(name) = schema["$ref"].as_str().and_then(definition) {
            schema = &shared()["definitions"][name];
        } else if let Some([only]) = schema["allOf"].as_array().map(Vec::as_slice) {
            schema = only;
        } else {
            break;
        }
    }
    schema
}

/// The schema of the value at `path`, if the format has one.
pub(super) fn at(path: &[String]) -> Option<&'static Value> {
    let mut schema = follow(shared());
    for key in path {
        let next = schema["properties"].get(key).or_else(|| {
            schema.get("additionalProperties").or(schema.get("items")).filter(|s| s.is_object())
        })?;
        schema = follow(next);
    }
    Some(schema)
}

/// The allowed words of an enumeration.
pub(super) fn words(schema: &'static Value) -> Option<Vec<&'static str>> {
    if let Some(words) = schema["enum"].as_array() {
        return Some(words.iter().filter_map(Value::as_str).collect());
    }
    schema["oneOf"].as_array()?.iter().map(|choice| choice["const"].as_str()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::patterns;

    #[test]
    fn the_checked_in_schema_is_the_generated_one() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/infra/schema/experiment.schema.json");
        let kept = std::fs::read_to_string(path).expect("the checked-in schema");
        let generated = serde_json::to_string_pretty(&json_schema()).expect("JSON") + "\n";
        assert!(
            kept == generated,
            "write it anew: querylab schema > infra/schema/experiment.schema.json"
        );
    }

    #[test]
    fn every_pattern_and_format_of_the_schema_has_its_check() {
        fn visit(schema: &Value, found: &mut usize) {
            match schema {
                Value::Object(map) => {
                    if let Some(pattern) = map.get("pattern").and_then(Value::as_str) {
                        assert!(patterns::check(pattern, "").is_some(), "{pattern}");
                        *found += 1;
                    }
                    if let Some(format) = map.get("format").and_then(Value::as_str) {
                        let number = ["double", "uint16", "uint32", "uint64"].contains(&format);
                        assert!(
                            number || crate::units::check_format(format, "").is_some(),
                            "{format}"
                        );
                    }
                    map.values().for_each(|v| visit(v, found));
                }
                Value::Array(list) => list.iter().for_each(|v| visit(v, found)),
                _ => {}
            }
        }
        let mut found = 0;
        visit(shared(), &mut found);
        assert!(found > NAMED.len());
    }

    #[test]
    fn a_patch_requires_nothing_but_in_lists() {
        let definitions = &shared()["definitions"];
        assert_eq!(definitions["Load"]["required"], json!(["model"]));
        assert!(definitions["LoadPatch"].get("required").is_none());
        let profile = at(&["profiles".into(), "ci".into()]).expect("a schema");
        assert!(profile["properties"].get("profiles").is_none(), "no profiles in profiles");
        let load = &profile["properties"]["load"]["additionalProperties"]["$ref"];
        assert_eq!(load, "#/definitions/LoadPatch");
        let claims = &profile["properties"]["claims"]["items"]["$ref"];
        assert_eq!(claims, "#/definitions/Claim");
        let text = shared().to_string();
        assert!(!text.contains("x-patch") && !text.contains("\"null\""));
    }

    #[test]
    fn every_reference_leads_somewhere() {
        let text = shared().to_string();
        for reference in text.split("\"$ref\":\"").skip(1) {
            let name = reference.split('"').next().and_then(definition).expect("a definition");
            assert!(shared()["definitions"][name].is_object(), "{name}");
        }
    }
}
