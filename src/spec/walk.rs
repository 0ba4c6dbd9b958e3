//! Data against the schema: every unknown key, wrong type, missing key and number out of range, each at its place.

use serde_json::{Map, Value};

use super::merge::Places;
use super::parse::Path;
use super::{Problem, codes, patterns, schema, suggest};
use crate::units;

/// A look at a file stops after so many problems: counting the column of each costs the length of its line.
pub(super) const MOST: usize = 1000;

/// A path as people read it: `claims[2].expect.about`.
pub(super) fn shown(path: &[String]) -> String {
    let mut text = String::new();
    for part in path {
        if part.bytes().all(|b| b.is_ascii_digit()) && !text.is_empty() {
            text.extend(["[", part, "]"]);
            continue;
        }
        if !text.is_empty() {
            text.push('.');
        }
        text.push_str(&word(part));
    }
    text
}

/// A key that may be anything, made fit for one line.
pub(super) fn word(key: &str) -> String {
    let bare =
        !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    let mut short: String = key.chars().take(60).collect();
    if short.len() < key.len() {
        short.push('…');
    }
    if bare { short } else { format!("\"{}\"", short.escape_debug()) }
}

/// Checks `tree` against the schema of the whole file, or of the patch at `schema`.
pub(super) fn walk(
    tree: &Value,
    schema: &'static Value,
    places: Places<'_>,
    out: &mut Vec<Problem>,
) {
    Walk { places, path: Path::new(), out }.value(schema, tree);
}

struct Walk<'a> {
    places: Places<'a>,
    path: Path,
    out: &'a mut Vec<Problem>,
}

impl Walk<'_> {
    fn report(&mut self, code: &'static str, what: String, help: Option<String>) {
        let place = self.places.value(&self.path);
        self.out.push(Problem::error(code, what, place).with_help(help));
    }

    fn value(&mut self, schema: &'static Value, value: &Value) {
        // Null is a value that was refused already.
        if value.is_null() || self.out.len() >= MOST {
            return;
        }
        let schema = schema::follow(schema);
        let kind = self.kind(value);
        if let Some(choices) = schema["anyOf"].as_array() {
            match choices.iter().find(|c| accepts(schema::follow(c), kind)) {
                Some(choice) => self.value(choice, value),
                None => self.wrong_type(schema, kind),
            }
            return;
        }
        if !accepts(schema, kind) {
            return self.wrong_type(schema, kind);
        }
        match value {
            Value::Object(table) => self.table(schema, table),
            Value::Array(list) => {
                for (position, element) in list.iter().enumerate() {
                    self.path.push(position.to_string());
                    self.value(&schema["items"], element);
                    self.path.pop();
                }
            }
            Value::String(text) => self.text(schema, text),
            Value::Number(number) => self.number(schema, number),
            _ => {}
        }
    }

    fn kind(&self, value: &Value) -> &'static str {
        match value {
            Value::String(_) if self.places.is_date(&self.path) => "date",
            Value::String(_) => "string",
            Value::Number(n) if n.is_f64() => "number",
            Value::Number(_) => "integer",
            Value::Bool(_) => "boolean",
            Value::Array(_) => "array",
            Value::Object(_) => "object",
            Value::Null => "null",
        }
    }

    fn wrong_type(&mut self, schema: &'static Value, found: &str) {
        let wanted = kinds(schema);
        let mut names: Vec<&str> = wanted.iter().map(|k| name_of(k)).collect();
        names.dedup();
        let what = format!(
            "`{}` must be {}, but is {}",
            shown(&self.path),
            names.join(" or "),
            if found == "number" { "a number with a fraction" } else { name_of(found) }
        );
        let example = schema["examples"][0].as_str();
        let help = match (example, found) {
            (Some(example), _) => Some(format!("write it like `\"{example}\"`")),
            (None, "date") => Some("put it in quotes".into()),
            (None, "string" | "integer" | "boolean") if wanted == ["array"] => {
                Some("put it in brackets".into())
            }
            (None, "string") if wanted == ["integer"] || wanted == ["boolean"] => {
                Some("write it without quotes".into())
            }
            (None, "number") if wanted == ["integer"] => {
                Some("write it without a decimal point".into())
            }
            _ => None,
        };
        self.report(codes::WRONG_TYPE, what, help);
    }

    fn table(&mut self, schema: &'static Value, table: &Map<String, Value>) {
        let names = schema::follow(&schema["propertyNames"]);
        let pattern = names["pattern"].as_str();
        let words = schema::words(names);
        for (key, value) in table {
            self.path.push(key.clone());
            if let Some(Err(help)) = pattern.and_then(|p| patterns::check(p, key)) {
                let what = format!("`{}` is not a name", word(key));
                let place = self.places.key(&self.path);
                self.out.push(
                    Problem::error(codes::BAD_NAME, what, place).with_help(Some(help.into())),
                );
            }
            if let Some(words) = words.as_ref().filter(|w| !w.contains(&key.as_str())) {
                self.unknown(words, key);
            }
            let rest = &schema["additionalProperties"];
            if let Some(known) = schema["properties"].get(key) {
                self.value(known, value);
            } else if rest.is_object() {
                self.value(rest, value);
            } else if rest == false {
                let known = schema["properties"].as_object();
                let known: Vec<&str> =
                    known.into_iter().flat_map(Map::keys).map(String::as_str).collect();
                self.unknown(&known, key);
            }
            self.path.pop();
        }
        for key in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            if !table.contains_key(key) {
                self.path.push(key.to_owned());
                self.missing(&schema["properties"][key]);
                self.path.pop();
            }
        }
    }

    fn unknown(&mut self, known: &[&str], key: &str) {
        let above = &self.path[..self.path.len() - 1];
        let home = if above.is_empty() { String::new() } else { format!(" in `{}`", shown(above)) };
        let place = self.places.key(&self.path);
        let what = format!("unknown key `{}`{home}", word(key));
        let help = suggest::help(key, known.iter().copied());
        self.out.push(Problem::error(codes::UNKNOWN_KEY, what, place).with_help(help));
    }

    /// Names the leaves: an author who has nothing yet is told what to write, not that a table is missing.
    fn missing(&mut self, schema: &'static Value) {
        let followed = schema::follow(schema);
        let required = followed["required"].as_array().filter(|r| !r.is_empty());
        for key in required.into_iter().flatten().filter_map(Value::as_str) {
            self.path.push(key.to_owned());
            self.missing(&followed["properties"][key]);
            self.path.pop();
        }
        if required.is_none() {
            let place = self.places.key(&self.path);
            let what = format!("`{}` is required", shown(&self.path));
            let help = schema["description"].as_str().map(|d| d.replace('\n', " "));
            self.out.push(Problem::error(codes::REQUIRED, what, place).with_help(help));
        }
    }

    fn text(&mut self, schema: &'static Value, text: &str) {
        let at = shown(&self.path);
        if let Some(words) = schema::words(schema) {
            if !words.contains(&text) {
                let what = format!("`{at}` is none of the words that it may be");
                self.report(codes::UNKNOWN_WORD, what, suggest::help(text, words));
            }
            return;
        }
        if let Some(Err(bad)) = schema["format"].as_str().and_then(|f| units::check_format(f, text))
        {
            let what = format!("`{at}`: {}", bad.what.escape_debug());
            self.report(codes::BAD_UNIT, what, Some(bad.hint));
            return;
        }
        let length = text.chars().count() as u64;
        let least = schema["minLength"].as_u64().unwrap_or(0);
        let most = schema["maxLength"].as_u64().unwrap_or(u64::MAX);
        if length < least {
            self.report(codes::BAD_LENGTH, format!("`{at}` is empty"), None);
        } else if length > most {
            let what = format!("`{at}` is longer than {most} characters");
            self.report(codes::BAD_LENGTH, what, None);
        } else if let Some(Err(help)) =
            schema["pattern"].as_str().and_then(|p| patterns::check(p, text))
        {
            let what = format!("`{at}` does not have its form");
            self.report(codes::BAD_FORM, what, Some(help.into()));
        }
    }

    fn number(&mut self, schema: &'static Value, number: &serde_json::Number) {
        let Some(value) = number.as_f64() else { return };
        let format_most = match schema["format"].as_str() {
            Some("uint16") => Some(f64::from(u16::MAX)),
            Some("uint32") => Some(f64::from(u32::MAX)),
            _ => None,
        };
        let least = schema["minimum"].as_f64();
        let most = schema["maximum"].as_f64().or(format_most);
        if least.is_none_or(|l| value >= l) && most.is_none_or(|m| value <= m) {
            return;
        }
        let at = shown(&self.path);
        if self.path == ["experiment", "format"] {
            let what = if value > 1.0 {
                "this file has a newer format than this querylab reads".to_owned()
            } else {
                "there never was such a format".to_owned()
            };
            let help = "write `format = 1`, or use a querylab that reads this one";
            return self.report(codes::FORMAT, what, Some(help.into()));
        }
        let what = match (least, most) {
            (Some(least), Some(most)) => format!("`{at}` must be {least}..={most}"),
            (Some(least), None) => format!("`{at}` must be at least {least}"),
            (None, most) => format!("`{at}` must be at most {}", most.unwrap_or_default()),
        };
        self.report(codes::OUT_OF_RANGE, what, None);
    }
}

fn kinds(schema: &'static Value) -> Vec<&'static str> {
    if let Some(choices) = schema["anyOf"].as_array() {
        return choices.iter().flat_map(|c| kinds(schema::follow(c))).collect();
    }
    match &schema["type"] {
        Value::String(kind) => vec![kind],
        Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
        _ if schema::words(schema).is_some() => vec!["string"],
        _ => Vec::new(),
    }
}

/// Whether a value of the kind may stand where `schema` is; a whole number is a number too.
pub(super) fn accepts(schema: &'static Value, kind: &str) -> bool {
    let kinds = kinds(schema);
    kinds.is_empty() || kinds.contains(&kind) || (kind == "integer" && kinds.contains(&"number"))
}

fn name_of(kind: &str) -> &'static str {
    match kind {
        "string" => "a text",
        "integer" => "a whole number",
        "number" => "a number",
        "boolean" => "true or false",
        "array" => "a list",
        "object" => "a table",
        "date" => "a date",
        _ => "nothing",
    }
}
