//! `[matrix]`: one load profile, or one variant, for each value of an axis, so that a figure becomes a curve.
//!
//! The tree is written out before anything else looks at it: below here nobody knows that there was a matrix, only that
//! profiles and variants are points of curves.

use serde_json::{Map, Value};

use super::load::owned;
use super::merge::{Merged, Places};
use super::parse::{self, Path};
use super::split::{Values, split_load, split_variant};
use super::{Problem, codes, schema};

/// Load profiles, or variants, that may come of it.
const MOST: usize = 64;

/// What becomes one for each value, and where the value goes in it.
struct Axis {
    kind: Kind,
    names: Vec<String>,
    /// Below the load profile or the variant.
    path: Path,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Load,
    Variant,
}

impl Kind {
    fn section(self) -> &'static str {
        match self {
            Self::Load => "load",
            Self::Variant => "variants",
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Load => "load profile",
            Self::Variant => "variant",
        }
    }
}

/// Code, what is wrong, what to do.
type Wrong = (&'static str, String, String);

/// Writes `[matrix]` out, and takes it away.
pub(super) fn expand(merged: &mut Merged, found: &mut Vec<Problem>) {
    let Some(Value::Object(axes)) = merged.tree.as_object_mut().and_then(|t| t.remove("matrix"))
    else {
        return;
    };
    let mut tree = std::mem::take(&mut merged.tree);
    let mut made = Vec::new();
    for (key, values) in &axes {
        let Some(values) = values.as_array() else { continue };
        let done = axis(&tree, key, values)
            .and_then(|axis| write_out(&mut tree, merged, (key, &axis), values, &mut made));
        // What could not be written out is as if it were not there: the rest of the file is judged all the same.
        if let Err((code, what, help)) = done {
            let place = Places { merged, variant: None }.key(&owned(&["matrix", key]));
            found.push(Problem::error(code, what, place).with_help(Some(help)));
        }
    }
    drop_excluded(&mut tree, &made);
    merged.tree = tree;
}

/// What an axis is about.
fn axis(tree: &Value, key: &str, values: &[Value]) -> Result<Axis, Wrong> {
    if values.is_empty() {
        let help = "list some, like `users = [1, 10, 100]`".into();
        return Err((codes::BAD_COUNT, format!("the axis `{key}` has no values"), help));
    }
    let path = parse::key(key).unwrap_or_default();
    let are = |section: &'static str| move |name: &String| tree[section].get(name).is_some();
    let steps: Vec<&str> = path.iter().map(String::as_str).collect();
    let axis = match steps.as_slice() {
        [one] => {
            let stated = |load: &String| tree["load"][load].get(one).is_some();
            let names: Vec<String> = loads(tree).into_iter().filter(stated).collect();
            Axis { kind: Kind::Load, names, path: path.clone() }
        }
        ["load", name, _, ..] => {
            let names = loads(tree).into_iter().filter(|load| load == name).filter(are("load"));
            let names = names.collect();
            Axis { kind: Kind::Load, names, path: path[2..].to_vec() }
        }
        ["variants", name, _, ..] => {
            let names = variants(tree).into_iter().filter(|own| own == name);
            let names = names.filter(are("variants")).collect();
            Axis { kind: Kind::Variant, names, path: path[2..].to_vec() }
        }
        ["services" | "params" | "endpoints", _, _, ..] => {
            let names = variants(tree).into_iter().filter(|v| is_moved(tree, v, &path)).collect();
            Axis { kind: Kind::Variant, names, path: path.clone() }
        }
        ["dataset", ..] => {
            let what = format!("`{key}` is the same for everything that a run compares");
            let help =
                "rows are of the whole run: write a profile for each size, and run each".into();
            return Err((codes::UNKNOWN_KEY, what, help));
        }
        _ => Axis { kind: Kind::Variant, names: Vec::new(), path: Path::new() },
    };
    known(key, axis)
}

/// An axis that moves something, by a key that the format has.
fn known(key: &str, axis: Axis) -> Result<Axis, Wrong> {
    let Some(name) = axis.names.first() else {
        let what = if axis.path.len() == 1 && axis.kind == Kind::Load {
            format!("no load profile of `design.loads` has the key `{key}`")
        } else {
            format!("nothing that the design runs has the key `{key}`, or all state it themselves")
        };
        let help = "an axis is a key that load profiles state, like `users`, or a whole one in quotes, like \
                    `\"load.steady.rate\"`, `\"services.api.pool.size\"` or `\"variants.cached.endpoint\"`";
        return Err((codes::UNKNOWN_KEY, what, help.into()));
    };
    let whole: Path =
        owned(&[axis.kind.section(), name]).into_iter().chain(axis.path.clone()).collect();
    if schema::at(&whole).is_none() {
        let what = format!("the format has no key `{key}`");
        return Err((codes::UNKNOWN_KEY, what, "look for it in the list of keys".into()));
    }
    Ok(axis)
}

/// Writes one axis into a tree.
fn write_out(
    tree: &mut Value,
    merged: &mut Merged,
    (key, axis): (&str, &Axis),
    values: &[Value],
    made: &mut Vec<(Kind, String)>,
) -> Result<(), Wrong> {
    let (section, word) = (axis.kind.section(), axis.kind.word());
    let there = match axis.kind {
        Kind::Load => loads(tree).len(),
        Kind::Variant => variants(tree).len(),
    };
    if there + axis.names.len() * values.len() > MOST {
        let what = format!("`matrix` makes more than {MOST} {word}s");
        return Err((codes::BAD_COUNT, what, "take fewer values or fewer axes".into()));
    }
    for name in &axis.names {
        let mut news: Vec<(String, &Value)> = Vec::new();
        for value in values {
            let new = called(name, &axis.path, value);
            if tree[section].get(&new).is_some() || news.iter().any(|(old, _)| *old == new) {
                let what = format!("`matrix` makes the {word} `{new}` twice");
                let help =
                    "names are made of letters and digits only: take values that differ in them";
                return Err((codes::BAD_NAME, what, help.into()));
            }
            news.push((new, value));
        }
        let values = Values { name, key, path: &axis.path, news: &news };
        match axis.kind {
            Kind::Load => split_load(tree, &values),
            Kind::Variant => split_variant(tree, &values),
        }
        for (number, (new, _)) in news.iter().enumerate() {
            merged.is_made_of(section, new, name, number);
        }
        made.retain(|(kind, old)| (*kind, old) != (axis.kind, name));
        made.extend(news.iter().map(|(new, _)| (axis.kind, new.clone())));
    }
    Ok(())
}

fn loads(tree: &Value) -> Vec<String> {
    texts(&tree["design"]["loads"])
}

/// Those that the design names, or all.
fn variants(tree: &Value) -> Vec<String> {
    let named = texts(&tree["design"]["variants"]);
    let all = || tree["variants"].as_object().into_iter().flat_map(Map::keys).cloned().collect();
    if named.is_empty() { all() } else { named }
}

fn texts(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().filter_map(|x| x.as_str().map(str::to_owned)).collect()
}

/// Whether a key of the file says something about a variant: not where that states it itself, nor where it is of an
/// endpoint that it does not drive.
fn is_moved(tree: &Value, variant: &str, path: &[String]) -> bool {
    let own = &tree["variants"][variant];
    let states = path.iter().try_fold(own, |at, key| at.get(key)).is_some();
    let drives =
        || own["endpoint"].as_str() == Some(&path[1]) || own["mix"].get(&path[1]).is_some();
    !states && own.is_object() && (path[0] != "endpoints" || drives())
}

/// `steady-users-10`, `open-rate-500-s`, `cached-size-20`.
fn called(name: &str, path: &[String], value: &Value) -> String {
    let plain = |text: &str| -> String {
        let of = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
        text.chars().map(of).collect::<String>().trim_matches('-').to_owned()
    };
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    format!("{name}-{}-{}", plain(path.last().map_or("", String::as_str)), plain(&text))
}

/// A point that is excluded everywhere is none.
fn drop_excluded(tree: &mut Value, made: &[(Kind, String)]) {
    for (kind, name) in made {
        let (loads, variants) = (loads(tree), variants(tree));
        let excluded = |variant: &str, load: &str| {
            let mut cells = tree["design"]["exclude"].as_array().into_iter().flatten();
            cells.any(|cell| {
                cell["variant"].as_str() == Some(variant) && cell["load"].as_str() == Some(load)
            })
        };
        let gone = match kind {
            Kind::Load => {
                !variants.is_empty() && variants.iter().all(|variant| excluded(variant, name))
            }
            Kind::Variant => !loads.is_empty() && loads.iter().all(|load| excluded(name, load)),
        };
        if !gone {
            continue;
        }
        let (list, key) = match kind {
            Kind::Load => ("loads", "load"),
            Kind::Variant => ("variants", "variant"),
        };
        if let Some(table) = tree[kind.section()].as_object_mut() {
            table.remove(name);
        }
        let design = &mut tree["design"];
        if let Some(list) = design.get_mut(list).and_then(Value::as_array_mut) {
            list.retain(|one| one.as_str() != Some(name));
        }
        if let Some(cells) = design.get_mut("exclude").and_then(Value::as_array_mut) {
            cells.retain(|cell| cell[key].as_str() != Some(name));
        }
    }
}
