//! Whether an answer is right: every answer is looked at, in one pass over its body.

use std::fmt;

use chrono::NaiveDateTime;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use crate::plan::{AnswerPlan, CheckPlan, FieldCheck, TargetPlan};

/// Bytes of a body that a text about it shows.
const SHOWN: usize = 200;

/// Who says whether an answer is right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Judge {
    /// The plan: its status, rows and fields.
    Plan,
    /// The status alone: 200 to 399.
    Status,
}

/// What is wrong with a single request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wrong {
    /// It was answered, and the answer is not the right one.
    Answer,
    /// There was no answer, or an error instead of one.
    Exchange,
}

/// What is wrong with the body of a right status that came whole; none if nothing is.
pub(super) fn wrong(
    target: &TargetPlan,
    params: &[(String, String)],
    body: &[u8],
) -> Option<String> {
    let check = &target.check;
    // Such answers have no body by definition.
    if body.is_empty() && matches!(check.status, 204 | 304) && check.rows.is_none_or(|n| n == 0) {
        return None;
    }
    if check.rows.is_none() && check.fields.is_empty() {
        let whole = serde_json::from_slice::<IgnoredAny>(body);
        return whole.err().map(|e| format!("the body is no JSON: {e}"));
    }
    let rows = RowsCheck { check, params };
    let mut reader = serde_json::Deserializer::from_slice(body);
    let read = match target.answer {
        AnswerPlan::Row => RowCheck(rows).deserialize(&mut reader).map(|()| 1),
        AnswerPlan::Rows | AnswerPlan::Lines => rows.deserialize(&mut reader),
    };
    let read = read.and_then(|rows| reader.end().map(|()| rows));
    match read {
        Err(e) => Some(e.to_string()),
        Ok(count) if check.rows.is_some_and(|wanted| wanted != count) => {
            let wanted = check.rows.unwrap_or(count);
            Some(format!("{count} rows instead of {wanted}"))
        }
        Ok(_) => None,
    }
}

/// What is wrong with one line of an answer in lines; none if nothing is.
pub(super) fn wrong_row(
    check: &CheckPlan,
    params: &[(String, String)],
    line: &[u8],
) -> Option<String> {
    let mut reader = serde_json::Deserializer::from_slice(line);
    let read = RowCheck(RowsCheck { check, params }).deserialize(&mut reader);
    let wrong = read.and_then(|()| reader.end()).err()?.to_string();
    // A line is one line, whatever its reader calls it.
    Some(wrong.split(" at line ").next().unwrap_or_default().to_owned())
}

/// The version in an answer of one row, a whole number or its digits.
///
/// # Errors
///
/// What is wrong with it.
pub(super) fn version(column: &str, body: &[u8]) -> Result<i64, String> {
    let body: Value = serde_json::from_slice(body).map_err(|e| e.to_string())?;
    let row = body.get(0).unwrap_or(&body);
    let number = match row.get(column) {
        Some(Value::String(digits)) => digits.parse().ok(),
        Some(value) => value.as_i64(),
        None => return Err(format!("the row lacks its version `{column}`")),
    };
    number.ok_or_else(|| format!("the version `{column}` is no whole number"))
}

/// The beginning of a body, for people.
pub(super) fn shown(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(&body[..body.len().min(SHOWN)]);
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if body.len() > SHOWN { format!("{text}…") } else { text }
}

/// Reads an array of rows, checks the fields of each, gives their number.
#[derive(Clone, Copy)]
struct RowsCheck<'a> {
    check: &'a CheckPlan,
    params: &'a [(String, String)],
}

impl<'de> DeserializeSeed<'de> for RowsCheck<'_> {
    type Value = u64;

    fn deserialize<D: Deserializer<'de>>(self, body: D) -> Result<u64, D::Error> {
        body.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for RowsCheck<'_> {
    type Value = u64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of rows")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut rows: A) -> Result<u64, A::Error> {
        let mut count = 0;
        while rows.next_element_seed(RowCheck(self))?.is_some() {
            count += 1;
        }
        Ok(count)
    }
}

struct RowCheck<'a>(RowsCheck<'a>);

impl<'de> DeserializeSeed<'de> for RowCheck<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, row: D) -> Result<(), D::Error> {
        row.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for RowCheck<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a row as an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut row: A) -> Result<(), A::Error> {
        use serde::de::Error as _;
        let RowsCheck { check, params } = self.0;
        let mut seen = 0;
        while let Some(name) = row.next_key::<std::borrow::Cow<'_, str>>()? {
            let Some((field, wanted)) = check.fields.iter().find(|(field, _)| *field == name)
            else {
                row.next_value::<IgnoredAny>()?;
                continue;
            };
            seen += 1;
            let got: Value = row.next_value()?;
            let (right, wanted) = match wanted {
                FieldCheck::Value(value) => (same(&got, value), value.to_string()),
                FieldCheck::Param(param) => {
                    let text = params.iter().find(|(name, _)| name == param).map(|(_, v)| v);
                    let Some(text) = text else {
                        return Err(A::Error::custom(format!("no parameter `{param}` was sent")));
                    };
                    (same_text(&got, text), format!("{text:?}"))
                }
            };
            if !right {
                return Err(A::Error::custom(format!(
                    "field `{field}` is {got} instead of {wanted}"
                )));
            }
        }
        if seen < check.fields.len() {
            let names: Vec<_> = check.fields.iter().map(|(name, _)| name.as_str()).collect();
            return Err(A::Error::custom(format!("a row lacks one of: {}", names.join(", "))));
        }
        Ok(())
    }
}

/// Equal as JSON, where 1 is 1.0.
fn same(got: &Value, wanted: &Value) -> bool {
    match (got.as_f64(), wanted.as_f64()) {
        // Whole numbers beyond 2^53 are compared as they are written.
        (Some(a), Some(b)) if got.is_f64() || wanted.is_f64() => a.total_cmp(&b).is_eq(),
        _ => got == wanted,
    }
}

/// Whether a JSON value is what a parameter's text means: texts are equal to the letter; numbers, moments and documents
/// in value.
fn same_text(got: &Value, text: &str) -> bool {
    match got {
        Value::String(s) => s == text || moment(s).is_some_and(|m| moment(text) == Some(m)),
        Value::Bool(b) => text.parse() == Ok(*b),
        Value::Number(n) => {
            n.to_string() == text || text.parse::<Value>().is_ok_and(|wanted| same(got, &wanted))
        }
        Value::Array(_) | Value::Object(_) => {
            text.parse::<Value>().is_ok_and(|wanted| *got == wanted)
        }
        Value::Null => false,
    }
}

/// A moment without a zone, with a `T` or a space before the time and any number of digits behind its second.
fn moment(text: &str) -> Option<NaiveDateTime> {
    text.replacen(' ', "T", 1).parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::fixtures::example;

    fn says(rows: Option<u64>, fields: &[(&str, FieldCheck)], body: &str) -> String {
        let fields = fields.iter().map(|(name, check)| ((*name).into(), check.clone())).collect();
        let check = CheckPlan { status: 200, rows, fields };
        shaped(AnswerPlan::Rows, check, body)
    }

    fn shaped(answer: AnswerPlan, check: CheckPlan, body: &str) -> String {
        let params = [("email".into(), "a@b".into()), ("id".into(), "7".into())];
        let target = TargetPlan { check, answer, ..example().targets.remove(0) };
        wrong(&target, &params, body.as_bytes()).unwrap_or_default()
    }

    #[test]
    fn one_object_is_one_row() {
        let said = |rows, body: &str| {
            let fields = vec![("affected".into(), FieldCheck::Value(1.into()))];
            shaped(AnswerPlan::Row, CheckPlan { status: 200, rows, fields }, body)
        };
        assert_eq!(said(Some(1), r#"{"affected":1}"#), "");
        assert_eq!(said(None, r#" {"affected":1} "#), "");
        assert!(said(None, r#"{"affected":0}"#).contains("is 0 instead of 1"));
        assert!(said(Some(2), r#"{"affected":1}"#).contains("1 rows instead of 2"));
        assert!(said(None, r#"[{"affected":1}]"#).contains("expected a row as an object"));
    }

    #[test]
    fn the_version_of_a_row_is_a_whole_number() {
        let of = |body: &str| version("v", body.as_bytes());
        assert_eq!(of(r#"[{"a":1,"v":7}]"#), Ok(7));
        assert_eq!(of(r#"{"v":"9007199254740993"}"#), Ok(9_007_199_254_740_993));
        for body in [r#"[{"v":1.5}]"#, r#"[{"v":null}]"#, r#"[{"w":1}]"#, "[]", "{}", "7", "["] {
            assert!(of(body).is_err(), "{body}");
        }
    }

    #[test]
    fn right_answers_pass() {
        let email = || ("email", FieldCheck::Param("email".into()));
        let id = || ("id", FieldCheck::Param("id".into()));
        let active = || ("status", FieldCheck::Value("active".into()));
        let body = r#"[{"id": 7, "email": "a@b", "status": "active", "x": {"y": [1]}}]"#;
        assert_eq!(says(Some(1), &[email(), id(), active()], body), "");
        assert_eq!(says(Some(0), &[email()], " [] "), "");
        assert_eq!(says(None, &[id()], r#"[{"id": 7.0}, {"id": 7}]"#), "");
        assert_eq!(says(None, &[("n", FieldCheck::Value(1.into()))], r#"[{"n": 1.0}]"#), "");
        assert_eq!(says(None, &[], r#"{"ok": true}"#), "");
    }

    #[test]
    fn moments_and_documents_are_compared_by_what_they_mean() {
        let at = Value::from("2024-01-01T00:00:00.5");
        assert!(same_text(&at, "2024-01-01 00:00:00.500000"));
        assert!(!same_text(&at, "2024-01-01 00:00:00.500001"));
        assert!(!same_text(&Value::from("x"), "2024-01-01 00:00:00"));
        let document = serde_json::json!({ "a": [1, null], "b": 2 });
        assert!(same_text(&document, "{\"b\": 2, \"a\": [1, null]}"));
        assert!(!same_text(&document, "{\"b\": 2}") && !same_text(&document, "{"));
    }

    #[test]
    fn wrong_answers_are_told_with_both_sides() {
        let email = [("email", FieldCheck::Param("email".into()))];
        let starts = |rows, body: &str, wanted: &str| {
            let said = says(rows, &email, body);
            assert!(said.starts_with(wanted), "{body}: {said}");
        };
        starts(Some(1), "[]", "0 rows instead of 1");
        starts(Some(1), r#"[{"email":"a@b"},{"email":"a@b"}]"#, "2 rows instead of 1");
        starts(Some(1), r#"[{"email":"c@d"}]"#, r#"field `email` is "c@d" instead of "a@b""#);
        starts(Some(1), r#"[{"email":null}]"#, "field `email` is null instead of");
        starts(Some(1), r#"[{"id":7}]"#, "a row lacks one of: email");
        starts(Some(1), r#"{"email":"a@b"}"#, "invalid type: map, expected an array of rows");
        starts(Some(1), r#"[{"email":"a@b"}"#, "EOF while parsing");
        starts(Some(1), r#"[{"email":"a@b"}] x"#, "trailing characters");
        starts(Some(1), "", "EOF while parsing");
        starts(Some(1), "[7]", "invalid type: integer `7`, expected a row as an object");
        assert!(says(None, &[], "<html>").contains("no JSON"));
        assert!(
            says(None, &[("n", FieldCheck::Param("nix".into()))], r#"[{"n":1}]"#).contains("nix")
        );
    }

    #[test]
    fn whole_numbers_are_not_rounded_to_equal() {
        let big =
            |body| says(None, &[("n", FieldCheck::Value(9_007_199_254_740_993u64.into()))], body);
        assert_eq!(big(r#"[{"n": 9007199254740993}]"#), "");
        assert_ne!(big(r#"[{"n": 9007199254740992}]"#), "");
    }

    #[test]
    fn a_body_is_shown_in_short_and_without_control_characters() {
        assert_eq!(shown(b"a\nb\x1b"), "a b ");
        assert!(shown(&[b'x'; 5000]).len() < 250);
    }
}
