//! Variables and `--set`: from a key as someone types it to a path of the format, and from a text to a value.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::merge::{Layer, Origin};
use super::parse::{self, Path};
use super::walk::{accepts, shown, word};
use super::{Place, Problem, codes, schema, secrets, suggest};

const PREFIX: &str = "QUERYLAB__";

/// The layer of one variable; `None` for a variable that is not ours.
pub(super) fn variable(
    name: &str,
    value: &str,
    tree: &Value,
) -> Option<Result<Layer, Box<Problem>>> {
    let keys = name.strip_prefix(PREFIX)?;
    let typed: Path = keys.split("__").map(str::to_owned).collect();
    let origin = Origin::Environment(name.to_owned());
    Some(layer(&typed, value, tree, Spelling::Loose, origin))
}

/// The layer of one `--set KEY=VALUE`.
pub(super) fn set(typed: &str, tree: &Value) -> Result<Layer, Box<Problem>> {
    let refuse = |what: &str| {
        let shown = typed.split('=').next().unwrap_or_default().to_owned();
        let problem = Problem::error(codes::OVERRIDE, what, Place::CommandLine(shown));
        Box::new(problem.with_help(Some("write it like `--set design.blocks=3`".into())))
    };
    let (key, value) = typed.split_once('=').ok_or_else(|| refuse("no `=` in `--set`"))?;
    let path = parse::key(key.trim()).ok_or_else(|| refuse("not a key of the file"))?;
    let is_secret =
        secrets::in_url(value) || path.last().is_some_and(|k| secrets::is_secret_key(k));
    let shown = if is_secret { format!("{}=***", key.trim()) } else { typed.to_owned() };
    layer(&path, value.trim(), tree, Spelling::Exact, Origin::CommandLine(shown))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Spelling {
    /// As in the file.
    Exact,
    /// Any case, `_` for `-`: a shell's variables allow no more.
    Loose,
}

fn layer(
    typed: &[String],
    text: &str,
    tree: &Value,
    spelling: Spelling,
    origin: Origin,
) -> Result<Layer, Box<Problem>> {
    let place = match &origin {
        Origin::Environment(name) => Place::Environment(name.clone()),
        Origin::CommandLine(typed) => Place::CommandLine(typed.clone()),
        Origin::File => Place::Nowhere,
    };
    let path = resolve(typed, tree, spelling).map_err(|(what, help)| {
        Box::new(Problem::error(codes::UNKNOWN_OVERRIDE, what, place.clone()).with_help(help))
    })?;
    let leaf = value(&path, text).map_err(|what| {
        Box::new(Problem::error(
            codes::NOT_A_NUMBER,
            format!("`{}` is {what}", shown(&path)),
            place,
        ))
    })?;
    let tree = path
        .iter()
        .rev()
        .fold(leaf, |inner, key| Value::Object(std::iter::once((key.clone(), inner)).collect()));
    Ok(Layer { origin, tree, marks: Arc::new(BTreeMap::new()) })
}

/// TOML where it is TOML of a kind that the key takes, else a text.
fn value(path: &[String], text: &str) -> Result<Value, String> {
    let schema = schema::at(path);
    let as_text = || Ok(Value::String(text.to_owned()));
    let Some(parsed) = parse::value(text) else { return as_text() };
    let kind = match &parsed.tree {
        Value::Bool(_) => "boolean",
        Value::Number(n) if n.is_f64() => "number",
        Value::Number(_) => "integer",
        // A number that was refused, like `nan`.
        Value::Null => "number",
        _ => "other",
    };
    let is_date = parsed.marks.values().any(|m| m.date);
    let wants_text = schema.is_some_and(|s| accepts(s, "string"));
    if wants_text && (is_date || (kind != "other" && schema.is_some_and(|s| !accepts(s, kind)))) {
        return as_text();
    }
    match parsed.faults.into_iter().next() {
        Some(fault) => Err(fault.what),
        None => Ok(parsed.tree),
    }
}

type Unknown = (String, Option<String>);

/// The path that was meant: keys of the file as it stands, else keys of the format.
fn resolve(typed: &[String], tree: &Value, spelling: Spelling) -> Result<Path, Unknown> {
    let mut path = Path::new();
    let mut here = Some(tree);
    for word_typed in typed {
        if here.is_some_and(Value::is_array) {
            let what = format!("`{}` is a list, which is replaced whole", shown(&path));
            return Err((what, Some("give all of it: `KEY=[…]`".into())));
        }
        let key = step(word_typed, &path, here, spelling)?;
        here = here.and_then(|h| h.get(&key));
        path.push(key);
        if path == ["profiles"] {
            let help = "set the key itself: overrides are laid over the profile";
            return Err(("profiles cannot be overridden".into(), Some(help.into())));
        }
    }
    Ok(path)
}

fn step(
    typed: &str,
    path: &[String],
    here: Option<&Value>,
    spelling: Spelling,
) -> Result<String, Unknown> {
    let at = schema::at(path);
    let mut known: Vec<&str> = here
        .and_then(Value::as_object)
        .into_iter()
        .flat_map(|t| t.keys().map(String::as_str))
        .collect();
    let format = at.and_then(|s| s["properties"].as_object());
    known.extend(format.into_iter().flat_map(|p| p.keys().map(String::as_str)));
    known.sort_unstable();
    known.dedup();
    let same = |k: &&&str| match spelling {
        Spelling::Exact => **k == typed,
        Spelling::Loose => suggest::plain(k) == suggest::plain(typed),
    };
    let matching: Vec<&&str> = known.iter().filter(same).collect();
    match matching.as_slice() {
        [one] => return Ok((**one).to_owned()),
        [] => {}
        [first, second, ..] => {
            let what = format!("`{}` may be `{first}` or `{second}`", word(typed));
            return Err((what, Some("use `--set`, where `-` and `_` differ".into())));
        }
    }
    // New settings and weights may be named; a new variant or table cannot be made by one key of it.
    let rest = at.map(|s| &s["additionalProperties"]).filter(|r| r.is_object());
    let is_entry = rest.is_some_and(|r| schema::follow(r)["type"] == "object");
    let in_variant = path.first().is_some_and(|p| p == "variants") && path.len() >= 2;
    if !typed.is_empty() && rest.is_some() && (!is_entry || in_variant) {
        return Ok(match spelling {
            Spelling::Exact => typed.to_owned(),
            Spelling::Loose => typed.to_lowercase(),
        });
    }
    let home = if path.is_empty() { "the file".to_owned() } else { format!("`{}`", shown(path)) };
    Err((format!("{home} has no key `{}`", word(typed)), suggest::help(typed, known)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn tree() -> Value {
        json!({
            "design": {"blocks": 8, "loads": ["a"]},
            "services": {"redis": {"settings": {"maxmemory-policy": "x"}}},
            "load": {"steady": {"rate": "5/s"}},
            "variants": {"a-b": {}, "scan": {"title": "t"}},
        })
    }

    fn env(name: &str, value: &str) -> Result<Value, String> {
        let layer = variable(name, value, &tree()).expect("ours");
        layer.map(|l| l.tree).map_err(|p| p.what)
    }

    #[test]
    fn variables_find_their_key_in_any_case() {
        assert_eq!(env("QUERYLAB__DESIGN__BLOCKS", "3"), Ok(json!({"design": {"blocks": 3}})));
        assert_eq!(
            env("QUERYLAB__SERVICES__REDIS__SETTINGS__MAXMEMORY_POLICY", "allkeys-lru"),
            Ok(json!({"services": {"redis": {"settings": {"maxmemory-policy": "allkeys-lru"}}}}))
        );
        assert_eq!(
            env("QUERYLAB__VARIANTS__A_B__LOAD__STEADY__DURATION", "5s"),
            Ok(json!({"variants": {"a-b": {"load": {"steady": {"duration": "5s"}}}}}))
        );
        assert_eq!(
            env("QUERYLAB__SERVICES__POSTGRES__SETTINGS__WORK_MEM", "4MB"),
            Ok(json!({"services": {"postgres": {"settings": {"work_mem": "4MB"}}}}))
        );
        assert!(variable("QUERYLAB_LOG", "x", &tree()).is_none());
        assert!(variable("querylab__design__blocks", "x", &tree()).is_none());
    }

    #[test]
    fn a_text_key_takes_what_looks_like_a_number() {
        assert_eq!(
            env("QUERYLAB__EXPERIMENT__TITLE", "123"),
            Ok(json!({"experiment": {"title": "123"}}))
        );
        assert_eq!(
            env("QUERYLAB__LOAD__STEADY__RATE", "5"),
            Ok(json!({"load": {"steady": {"rate": "5"}}}))
        );
        assert_eq!(
            env("QUERYLAB__DESIGN__LOADS", "[\"b\"]"),
            Ok(json!({"design": {"loads": ["b"]}}))
        );
        assert!(env("QUERYLAB__DESIGN__CONFIDENCE", "nan").is_err());
    }

    #[test]
    fn unknown_keys_are_named() {
        assert_eq!(
            env("QUERYLAB__DESING__BLOCKS", "3"),
            Err("the file has no key `DESING`".into())
        );
        assert_eq!(
            env("QUERYLAB__VARIANTS__SCN__TITLE", "3"),
            Err("`variants` has no key `SCN`".into())
        );
        assert_eq!(
            env("QUERYLAB__DESIGN____BLOCKS", "3"),
            Err("`design` has no key `\"\"`".into())
        );
        assert!(env("QUERYLAB__DESIGN__LOADS__0", "3").is_err());
        assert!(env("QUERYLAB__PROFILES", "3").is_err());
        for bad in ["design.blocks", "=3", "design..blocks=3", "design.Blocks=3", "a\nb=1"] {
            assert!(set(bad, &tree()).is_err(), "{bad}");
        }
        assert_eq!(
            set("design.blocks = 3", &tree()).map(|l| l.tree).ok(),
            Some(json!({"design": {"blocks": 3}}))
        );
    }
}
