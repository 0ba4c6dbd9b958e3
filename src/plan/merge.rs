//! A variant is a patch: the file's tree with the variant's tables laid over it, decoded again.

use serde_json::Value;

use super::notes::Notes;
use crate::spec::{Document, Problem, Spec};

/// The tables that a variant may lay its own over.
const PATCHED: [&str; 4] = ["services", "endpoints", "params", "load"];

/// Lays `patch` over `base`: tables key by key, everything else replaced whole, arrays too.
pub(super) fn lay(base: &mut Value, patch: &Value) {
    match (base, patch) {
        (Value::Object(base), Value::Object(patch)) => {
            for (key, value) in patch {
                match base.get_mut(key) {
                    Some(old) => lay(old, value),
                    None => {
                        base.insert(key.clone(), value.clone());
                    }
                }
            }
        }
        (base, patch) => *base = patch.clone(),
    }
}

/// The file as one variant sees it.
///
/// # Errors
///
/// What does not decode once the patch is laid, located in the patch.
pub(super) fn document_of(spec: &Spec, variant: &str) -> Result<Document, Vec<Problem>> {
    let own = &spec.tree["variants"][variant];
    if PATCHED.iter().all(|section| own.get(section).is_none()) {
        return Ok(spec.document.clone());
    }
    let mut tree = spec.tree.clone();
    for section in PATCHED {
        if let (Some(patch), Some(root)) = (own.get(section), tree.as_object_mut()) {
            let base = root.entry(section).or_insert_with(|| Value::Object(serde_json::Map::new()));
            lay(base, patch);
        }
    }
    spec.decode_variant(variant, &tree)
}

/// Notes patches of things that do not exist: a mistyped name would patch nothing, and nobody would notice.
pub(super) fn check_patches(notes: &mut Notes<'_>, spec: &Spec, variant: &str) {
    let file = &spec.document;
    let Some(own) = file.variants.get(variant) else { return };
    let mut check = |section: &'static str, kind, patch: &Option<Value>, known: Vec<&str>| {
        let Some(Value::Object(patch)) = patch else { return };
        for name in patch.keys().filter(|name| !known.contains(&name.as_str())) {
            let place = ["variants", variant, section, name];
            notes.unknown_key(&place, kind, name, known.iter().copied());
        }
    };
    check("load", "load profile", &own.load, file.load.keys().map(String::as_str).collect());
    check("params", "param", &own.params, file.params.keys().map(String::as_str).collect());
    check(
        "endpoints",
        "endpoint",
        &own.endpoints,
        file.endpoints.keys().map(String::as_str).collect(),
    );
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn tables_are_laid_key_by_key_and_arrays_are_replaced_whole() {
        let mut base = json!({ "a": { "x": 1, "y": [1, 2, 3] }, "b": 1 });
        lay(&mut base, &json!({ "a": { "y": [9], "z": { "new": true } }, "c": "text" }));
        assert_eq!(
            base,
            json!({ "a": { "x": 1, "y": [9], "z": { "new": true } }, "b": 1, "c": "text" })
        );
    }

    #[test]
    fn a_table_over_a_scalar_replaces_it() {
        let mut base = json!({ "a": 1 });
        lay(&mut base, &json!({ "a": { "b": 2 } }));
        assert_eq!(base, json!({ "a": { "b": 2 } }));
    }
}
