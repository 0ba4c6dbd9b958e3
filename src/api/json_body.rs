//! JSON that came with a request, taken apart without a tree: the members of an object and the elements of an array, each
//! as the text that stands there, so that no digit of a number is lost on the way to Postgres.

use std::borrow::Cow;

use crate::spec::ParamType;

/// The values in a JSON array, or names and values of an object in turn. Only made of text that is JSON.
#[derive(Debug, Clone)]
pub(super) struct Items<'a> {
    rest: &'a str,
}

/// What is between the brackets; none if the text is no JSON, or begins otherwise.
fn inside(text: &str, open: char, close: char) -> Option<&str> {
    serde_json::from_str::<serde::de::IgnoredAny>(text).ok()?;
    text.trim_matches(WHITE).strip_prefix(open)?.strip_suffix(close)
}

/// What JSON takes for white space.
const WHITE: [char; 4] = [' ', '\t', '\n', '\r'];

impl<'a> Items<'a> {
    /// The elements of an array; none if the text is none.
    pub(super) fn of_array(text: &'a str) -> Option<Self> {
        inside(text, '[', ']').map(|rest| Self { rest })
    }

    /// Names, still in quotes, and values of an object in turn; none if the text is none.
    pub(super) fn of_object(text: &'a str) -> Option<Self> {
        inside(text, '{', '}').map(|rest| Self { rest })
    }
}

impl<'a> Iterator for Items<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let between = |c: char| WHITE.contains(&c) || c == ',' || c == ':';
        let rest = self.rest.trim_start_matches(between);
        if rest.is_empty() {
            return None;
        }
        let (value, rest) = rest.split_at(length_of_first(rest.as_bytes()));
        self.rest = rest;
        Some(value)
    }
}

/// Bytes of the value that JSON text begins with.
fn length_of_first(text: &[u8]) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        match byte {
            b'"' => {
                at += string_length(&text[at..]);
                if depth == 0 {
                    return at;
                }
                continue;
            }
            b'[' | b'{' => depth += 1,
            b']' | b'}' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return at + 1;
                }
            }
            b',' | b' ' | b'\t' | b'\n' | b'\r' if depth == 0 => return at,
            _ => {}
        }
        at += 1;
    }
    text.len()
}

/// Bytes of the string that a text begins with, both quotes included.
fn string_length(text: &[u8]) -> usize {
    let mut at = 1;
    while let Some(byte) = text.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    text.len()
}

/// A JSON string without its quotes and escapes.
///
/// # Errors
///
/// If it has half of a surrogate pair in it, or a NUL.
pub(super) fn unquoted(json: &str) -> Result<Cow<'_, str>, &'static str> {
    let plain = json.get(1..json.len().saturating_sub(1)).unwrap_or_default();
    if !plain.contains('\\') {
        return Ok(Cow::Borrowed(plain));
    }
    match serde_json::from_str::<String>(json) {
        Ok(text) if text.contains('\0') => Err("holds a NUL character"),
        Ok(text) => Ok(Cow::Owned(text)),
        Err(_) => Err("is not Unicode text"),
    }
}

/// A JSON value as it would stand in a query string; none for `null`.
///
/// # Errors
///
/// What kind of JSON the type wants.
pub(super) fn text_of(r#type: ParamType, json: &str) -> Result<Option<Cow<'_, str>>, &'static str> {
    let is_number = json.starts_with(|c: char| c == '-' || c.is_ascii_digit());
    let is_string = json.starts_with('"');
    let (fits, wanted) = match r#type {
        _ if json == "null" => return Ok(None),
        ParamType::Json => (true, ""),
        ParamType::Bool => (json == "true" || json == "false", "must be true or false"),
        ParamType::Integer | ParamType::Float => (is_number, "must be a JSON number"),
        // Readers that turn JSON numbers into doubles write these as strings.
        ParamType::Bigint | ParamType::Numeric => {
            (is_number || is_string, "must be a JSON number, or its digits as a JSON string")
        }
        ParamType::Text
        | ParamType::Enum
        | ParamType::Uuid
        | ParamType::Date
        | ParamType::Timestamp
        | ParamType::Timestamptz => (is_string, "must be a JSON string"),
    };
    if !fits {
        return Err(wanted);
    }
    let is_text = is_string && r#type != ParamType::Json;
    if is_text { unquoted(json).map(Some) } else { Ok(Some(Cow::Borrowed(json))) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn elements(text: &str) -> Option<Vec<&str>> {
        Some(Items::of_array(text)?.collect())
    }

    #[test]
    fn values_keep_the_text_that_they_were_written_with() {
        let text = " [1.50 , -2e3,\"a\\\"],{\" , {\"a\":[1,{}]},[ [] ] ,null,true] ";
        let wanted = ["1.50", "-2e3", "\"a\\\"],{\"", "{\"a\":[1,{}]}", "[ [] ]", "null", "true"];
        assert_eq!(elements(text).as_deref(), Some(&wanted[..]));
        assert_eq!(elements("[]"), Some(vec![]));
        let object: Vec<&str> =
            Items::of_object("{\"a\" : 1,\n\"b:,\": {}}").expect("one").collect();
        assert_eq!(object, ["\"a\"", "1", "\"b:,\"", "{}"]);
        for wrong in ["", "[1", "{\"a\":1}", "1", "[1] 2", "[,]", "[1,]"] {
            assert_eq!(elements(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn each_type_wants_its_own_kind_of_json() {
        let text = |r#type, json| text_of(r#type, json).map(|text| text.map(Cow::into_owned));
        assert_eq!(text(ParamType::Numeric, "1.10"), Ok(Some("1.10".to_owned())));
        assert_eq!(text(ParamType::Numeric, "\"1.10\""), Ok(Some("1.10".to_owned())));
        assert_eq!(text(ParamType::Text, "\"\\u00e9\""), Ok(Some("é".to_owned())));
        assert_eq!(text(ParamType::Json, "\"a\""), Ok(Some("\"a\"".to_owned())));
        assert_eq!(text(ParamType::Text, "null"), Ok(None));
        for (r#type, json) in [
            (ParamType::Text, "1"),
            (ParamType::Text, "\"a\\u0000b\""),
            (ParamType::Text, "\"\\ud800\""),
            (ParamType::Integer, "\"1\""),
            (ParamType::Bool, "\"true\""),
            (ParamType::Uuid, "{}"),
        ] {
            assert!(text(r#type, json).is_err(), "{type:?} {json}");
        }
    }

    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map(any::<String>(), inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn elements_and_members_are_those_that_a_parser_sees(
            list in prop::collection::vec(json(), 0..5), pretty in any::<bool>()
        ) {
            let write = if pretty { serde_json::to_string_pretty } else { serde_json::to_string };
            let text = write(&Value::from(list.clone())).expect("JSON");
            let parsed: Vec<Value> = Items::of_array(&text)
                .expect("an array")
                .map(|item| serde_json::from_str(item).expect("an item is JSON"))
                .collect();
            prop_assert_eq!(parsed, list);
        }

        #[test]
        fn no_text_panics(text in "[\\[\\]{}\",:\\\\ 0-9a]*") {
            for items in [Items::of_array(&text), Items::of_object(&text)].into_iter().flatten() {
                prop_assert!(items.count() <= text.len());
            }
        }
    }
}
