//! One load profile or variant becomes several, wherever it is named.

use serde_json::{Map, Value};

/// One of them, and what becomes of it.
pub(super) struct Values<'a> {
    /// It.
    pub(super) name: &'a str,
    /// The axis, as it is written in `[matrix]`.
    pub(super) key: &'a str,
    /// Where the value goes.
    pub(super) path: &'a [String],
    /// The new names, each with its value.
    pub(super) news: &'a [(String, &'a Value)],
}

impl Values<'_> {
    fn names(&self) -> Vec<Value> {
        self.news.iter().map(|(new, _)| new.clone().into()).collect()
    }
}

/// Puts a profile for each value in the place of one.
pub(super) fn split_load(tree: &mut Value, values: &Values<'_>) {
    if let Some(table) = tree.get_mut("load") {
        in_table(table, values, Split::Points);
    }
    if let Some(variants) = tree.get_mut("variants").and_then(Value::as_object_mut) {
        for variant in variants.values_mut() {
            if let Some(patches) = variant.get_mut("load") {
                in_table(patches, values, Split::Patches);
            }
        }
    }
    let news = values.names();
    let first = news.first().cloned().unwrap_or_default();
    if let Some(design) = tree.get_mut("design") {
        in_list(design.get_mut("loads"), values.name, &news);
        // Verdicts and the A/A check are of one load: the first, unless another is named.
        in_place(design.get_mut("aa_check"), values.name, &first);
        in_place(design.get_mut("primary").and_then(|p| p.get_mut("load")), values.name, &first);
        excluded(design.get_mut("exclude"), "load", values.name, &news);
    }
    in_thresholds(tree, "loads", values.name, &news);
}

/// Puts a variant for each value in the place of one.
pub(super) fn split_variant(tree: &mut Value, values: &Values<'_>) {
    if let Some(table) = tree.get_mut("variants") {
        in_table(table, values, Split::Points);
    }
    let news = values.names();
    let first = news.first().cloned().unwrap_or_default();
    if let Some(design) = tree.get_mut("design") {
        in_list(design.get_mut("variants"), values.name, &news);
        // All are compared with one: the first.
        in_place(design.get_mut("baseline"), values.name, &first);
        excluded(design.get_mut("exclude"), "variant", values.name, &news);
    }
    in_thresholds(tree, "variants", values.name, &news);
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Split {
    /// Each has its value, and says of which curve it is a point.
    Points,
    /// A variant's patch of a profile stays what it is beside the axis.
    Patches,
}

fn in_table(table: &mut Value, values: &Values<'_>, how: Split) {
    let Some(table) = table.as_object_mut() else { return };
    let Some(old) = table.remove(values.name) else { return };
    for (new, value) in values.news {
        let mut own = old.clone();
        match how {
            Split::Patches => without(&mut own, values.path),
            Split::Points => {
                put(&mut own, values.path, value);
                if own.get("curve").is_none() {
                    put(&mut own, &["curve".into()], &values.name.into());
                }
                put(&mut own, &["at".into(), values.key.into()], value);
            }
        }
        table.insert(new.clone(), own);
    }
}

fn put(own: &mut Value, path: &[String], value: &Value) {
    let Some((key, rest)) = path.split_first() else {
        *own = value.clone();
        return;
    };
    // What stands in the way of a table is wrong in itself, and said elsewhere.
    if !own.is_object() {
        *own = Value::Object(Map::new());
    }
    if let Some(table) = own.as_object_mut() {
        put(table.entry(key.clone()).or_insert(Value::Null), rest, value);
    }
}

fn without(own: &mut Value, path: &[String]) {
    let Some((last, above)) = path.split_last() else { return };
    let table = above.iter().try_fold(own, |at, key| at.get_mut(key));
    if let Some(table) = table.and_then(Value::as_object_mut) {
        table.remove(last);
    }
}

fn in_list(list: Option<&mut Value>, name: &str, news: &[Value]) {
    let Some(list) = list.and_then(Value::as_array_mut) else { return };
    if let Some(at) = list.iter().position(|one| one.as_str() == Some(name)) {
        list.splice(at..=at, news.iter().cloned());
    }
}

fn in_place(text: Option<&mut Value>, name: &str, new: &Value) {
    if let Some(text) = text.filter(|text| text.as_str() == Some(name)) {
        *text = new.clone();
    }
}

fn in_thresholds(tree: &mut Value, list: &str, name: &str, news: &[Value]) {
    for threshold in tree.get_mut("thresholds").and_then(Value::as_array_mut).into_iter().flatten()
    {
        in_list(threshold.get_mut(list), name, news);
    }
}

/// A cell that is left out is left out at every value; one of them is named by the new name.
fn excluded(list: Option<&mut Value>, key: &str, name: &str, news: &[Value]) {
    let Some(list) = list.and_then(Value::as_array_mut) else { return };
    let mut all = Vec::new();
    for cell in std::mem::take(list) {
        if cell.get(key).and_then(Value::as_str) != Some(name) {
            all.push(cell);
            continue;
        }
        for new in news {
            let mut own: Map<String, Value> = cell.as_object().cloned().unwrap_or_default();
            own.insert(key.into(), new.clone());
            all.push(Value::Object(own));
        }
    }
    *list = all;
}
