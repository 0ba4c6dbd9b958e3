//! TOML to plain data, with the bytes of every key and value beside it.

use std::collections::BTreeMap;
use std::ops::Range;

use serde_json::{Map, Value};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::codes;

/// From the root to a value: keys, and positions in lists.
pub(super) type Path = Vec<String>;

/// Tables in tables; the format itself needs eight.
const DEEPEST: usize = 16;

/// Keys and values of one file; a path is held for each.
const MOST: usize = 100_000;

/// Where a value was written.
#[derive(Debug, Clone)]
pub(super) struct Mark {
    /// The key's name; nothing for an element of a list.
    pub(super) key: Option<Range<usize>>,
    /// The value; for a table its header.
    pub(super) value: Range<usize>,
    /// TOML has dates and plain data has not: the value is one, held as text.
    pub(super) date: bool,
}

/// A mistake with its bytes, before they are a place.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) code: &'static str,
    pub(super) what: String,
    pub(super) help: Option<String>,
    pub(super) span: Range<usize>,
}

/// A text as data. A value that was refused is null, and is not looked at again.
#[derive(Debug, Default)]
pub(super) struct Parsed {
    pub(super) tree: Value,
    pub(super) marks: BTreeMap<Path, Mark>,
    pub(super) faults: Vec<Fault>,
}

/// Parses a whole file; all mistakes of syntax at once.
pub(super) fn document(text: &str) -> Parsed {
    let (table, errors) = DeTable::parse_recoverable(text);
    let mut parsed = Parsed { tree: Value::Object(Map::new()), ..Parsed::default() };
    for error in errors {
        let span = error.span().unwrap_or(0..0);
        parsed.faults.push(syntax(error.message(), span));
    }
    // After a mistake of syntax the recovered tree is a guess; a key that stands twice spoils nothing.
    if parsed.faults.iter().all(|f| f.code == codes::DUPLICATE) {
        let mut path = Path::new();
        parsed.tree = table_of(table.get_ref(), &mut path, &mut parsed);
    }
    parsed
}

/// Parses one value, as it stands in a variable or a `--set`; `None` if it is not TOML.
pub(super) fn value(text: &str) -> Option<Parsed> {
    let value = DeValue::parse(text).ok()?;
    let mut parsed = Parsed::default();
    let mut path = Path::new();
    parsed.tree = value_of(None, &value, &mut path, &mut parsed);
    Some(parsed)
}

/// Parses a dotted key, as it stands before the `=` of a `--set`.
pub(super) fn key(text: &str) -> Option<Path> {
    if text.chars().any(char::is_control) || text.contains(['=', '#']) {
        return None;
    }
    let line = format!("{text} = 0");
    let table = DeTable::parse(&line).ok()?;
    let mut path = Path::new();
    let mut table = table.get_ref();
    loop {
        let (key, value) = table.iter().next()?;
        path.push(key.get_ref().to_string());
        match value.get_ref() {
            DeValue::Table(inner) => table = inner,
            _ => return Some(path),
        }
    }
}

fn syntax(message: &str, span: Range<usize>) -> Fault {
    if message.contains("duplicate key") {
        let help = Some("keep one of the two".to_owned());
        return Fault { code: codes::DUPLICATE, what: message.to_owned(), help, span };
    }
    // The parser takes a value that is not there for a text without quotes.
    let is_nothing = span.is_empty() && message.starts_with("string values must be quoted");
    let what = if is_nothing { "a value is missing" } else { message };
    Fault { code: codes::SYNTAX, what: what.to_owned(), help: None, span }
}

fn table_of(table: &DeTable<'_>, path: &mut Path, parsed: &mut Parsed) -> Value {
    let mut map = Map::new();
    for (key, value) in table {
        path.push(key.get_ref().to_string());
        let value = value_of(Some(key.span()), value, path, parsed);
        path.pop();
        map.insert(key.get_ref().to_string(), value);
    }
    Value::Object(map)
}

fn value_of(
    key: Option<Range<usize>>,
    value: &Spanned<DeValue<'_>>,
    path: &mut Path,
    parsed: &mut Parsed,
) -> Value {
    let span = value.span();
    let date = matches!(value.get_ref(), DeValue::Datetime(_));
    if path.len() > DEEPEST || parsed.marks.len() >= MOST {
        // Said once, where it happens first.
        if !parsed.faults.iter().any(|f| f.code == codes::TOO_LARGE) {
            let what = if path.len() > DEEPEST {
                format!("nested deeper than {DEEPEST} levels")
            } else {
                format!("more than {MOST} values in one file")
            };
            parsed.faults.push(Fault { code: codes::TOO_LARGE, what, help: None, span });
        }
        return Value::Null;
    }
    parsed.marks.insert(path.clone(), Mark { key, value: span.clone(), date });
    match value.get_ref() {
        DeValue::String(text) => Value::String(text.to_string()),
        DeValue::Boolean(truth) => Value::Bool(*truth),
        DeValue::Datetime(time) => Value::String(time.to_string()),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .map_or_else(|_| not_a_number(span, "too large a whole number", parsed), Value::from),
        DeValue::Float(number) => match number.as_str().replace('_', "").parse::<f64>() {
            Ok(number) if number.is_finite() => Value::from(number),
            _ => not_a_number(span, "not a finite number", parsed),
        },
        DeValue::Table(table) => table_of(table, path, parsed),
        DeValue::Array(array) => {
            let mut list = Vec::with_capacity(array.len().min(MOST));
            for (position, element) in array.iter().enumerate() {
                path.push(position.to_string());
                list.push(value_of(None, element, path, parsed));
                path.pop();
            }
            Value::Array(list)
        }
    }
}

fn not_a_number(span: Range<usize>, what: &str, parsed: &mut Parsed) -> Value {
    let help = Some("numbers are finite and have at most 64 bits".to_owned());
    parsed.faults.push(Fault { code: codes::NOT_A_NUMBER, what: what.to_owned(), help, span });
    Value::Null
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn codes_of(text: &str) -> Vec<&'static str> {
        document(text).faults.iter().map(|f| f.code).collect()
    }

    #[test]
    fn every_key_and_value_has_its_bytes() {
        let text = "\u{feff}[a]\r\nb = {c = [1, 2.5]}\r\nd = 2024-01-01\r\n";
        let parsed = document(text);
        assert_eq!(parsed.tree, json!({"a": {"b": {"c": [1, 2.5]}, "d": "2024-01-01"}}));
        let mark =
            |path: &str| &parsed.marks[&path.split('.').map(str::to_owned).collect::<Path>()];
        assert_eq!(&text[mark("a.b.c.1").value.clone()], "2.5");
        assert_eq!(&text[mark("a.b").key.clone().expect("a key")], "b");
        assert_eq!(&text[mark("a").value.clone()], "[a]");
        assert!(mark("a.d").date && !mark("a.b.c.0").date);
    }

    #[test]
    fn all_mistakes_of_syntax_are_found_at_once() {
        assert_eq!(codes_of("a = \nb = \"x\nc = 1\n"), ["QL0105", "QL0105"]);
        assert_eq!(codes_of("a = 1\rb = 2"), ["QL0105"], "a bare carriage return");
        assert_eq!(codes_of("a = \"\\ud800\""), ["QL0105"], "a lone surrogate");
        assert_eq!(codes_of("a = 1\na = 2\n[t]\n[t]\n"), ["QL0106", "QL0106"]);
        assert_eq!(codes_of("a = nan\nb = -inf\nc = 9223372036854775808\n"), ["QL0306"; 3]);
        assert_eq!(document("a = -0.0").tree, json!({"a": -0.0}));
    }

    #[test]
    fn deep_and_wide_files_are_bounded() {
        let deep = |n: usize| format!("a = {}{}", "[".repeat(n), "]".repeat(n));
        assert!(codes_of(&deep(15)).is_empty());
        assert_eq!(codes_of(&deep(40)), ["QL0103"]);
        assert!(codes_of(&deep(200_000)).contains(&"QL0105"));
        assert!(codes_of(&format!("{}a = 1", "a.".repeat(100_000))).contains(&"QL0105"));
        assert_eq!(codes_of(&format!("a = [{}]", "1,".repeat(200_000))), ["QL0103"]);
    }

    #[test]
    fn keys_and_values_of_overrides_are_toml() {
        assert_eq!(key("a.\"b.c\".d"), Some(vec!["a".into(), "b.c".into(), "d".into()]));
        assert!(key("a..b").is_none() && key("").is_none() && key("a\nb").is_none());
        assert_eq!(value("[1, \"x\"]").expect("TOML").tree, json!([1, "x"]));
        assert!(value("5s").is_none());
    }
}
