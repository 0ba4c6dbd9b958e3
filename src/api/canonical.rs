//! One text for one value, however it was spelled: what cache keys are made of, so that a read and a write of one row name
//! one entry.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::io::Write as _;
use std::str::FromStr as _;

use bigdecimal::BigDecimal;
use chrono::{NaiveDate, NaiveDateTime, TimeDelta};

use super::json::write_string;
use super::json_body::{Items, unquoted};
use super::value::Value;

/// What stands for NULL: no text that came with a request holds it.
const NULL: u8 = 0;

/// JSON below so many levels keeps its own spelling: what nests deeper must not exhaust the stack.
const DEEPEST: usize = 32;

/// A number of JSON that is longer, or has a longer exponent, keeps its own spelling: reading it would cost too much.
const LONGEST_NUMBER: usize = 1000;
const LONGEST_EXPONENT: usize = 4;

/// What is done with zeros that do not change how a number compares: `1.50` finds the row of `1.5`, and Postgres still
/// writes it otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Zeros {
    /// Numbers that Postgres writes differently have different texts.
    Kept,
    /// Numbers that are equal have one text.
    Dropped,
}

impl Value<'_> {
    /// Writes its text; whole numbers and texts stand there as they are.
    pub(super) fn spell(&self, zeros: Zeros, out: &mut Vec<u8>) {
        match self {
            Self::Text(text) | Self::Enum(text) => out.extend_from_slice(text.as_bytes()),
            Self::Integer(number) => push(number, out),
            Self::Bigint(number) => push(number, out),
            Self::Float(number) => match zeros {
                Zeros::Kept => push(number, out),
                // The sum of both zeros is the one without a sign.
                Zeros::Dropped => push(&(number + 0.0), out),
            },
            Self::Numeric(number) => match zeros {
                Zeros::Kept => push(&number.to_plain_string(), out),
                Zeros::Dropped => push(&number.normalized().to_plain_string(), out),
            },
            Self::Bool(truth) => push(truth, out),
            Self::Uuid(uuid) => push(&uuid.hyphenated(), out),
            Self::Date(date) => push(date, out),
            Self::Timestamp(time) => moment(*time, out),
            Self::Timestamptz(time) => {
                moment(time.naive_utc(), out);
                out.push(b'Z');
            }
            Self::Json(text) => json(text, 0, zeros, out),
            Self::Array(_, values) => array(values, zeros, out),
            Self::Null(_) => out.push(NULL),
        }
    }
}

fn push(value: &impl Display, out: &mut Vec<u8>) {
    // A vector takes whatever it is given.
    drop(write!(out, "{value}"));
}

/// Cut to microseconds, as it is when it is bound.
fn moment(time: NaiveDateTime, out: &mut Vec<u8>) {
    let epoch = NaiveDate::from_ymd_opt(2000, 1, 1).and_then(|day| day.and_hms_opt(0, 0, 0));
    let cut = epoch.and_then(|epoch| {
        let since_us = time.signed_duration_since(epoch).num_microseconds()?;
        epoch.checked_add_signed(TimeDelta::microseconds(since_us))
    });
    push(&cut.unwrap_or(time).format("%Y-%m-%dT%H:%M:%S%.f"), out);
}

fn array(values: &[Value<'_>], zeros: Zeros, out: &mut Vec<u8>) {
    out.push(b'[');
    for (place, value) in values.iter().enumerate() {
        if place > 0 {
            out.push(b',');
        }
        match value {
            Value::Text(text) | Value::Enum(text) => write_string(text, out),
            Value::Uuid(_) | Value::Date(_) | Value::Timestamp(_) | Value::Timestamptz(_) => {
                out.push(b'"');
                value.spell(zeros, out);
                out.push(b'"');
            }
            _ => value.spell(zeros, out),
        }
    }
    out.push(b']');
}

/// As `jsonb` compares it: without white space, members in order, the last one of several with one name.
fn json(text: &str, depth: usize, zeros: Zeros, out: &mut Vec<u8>) {
    let text = text.trim_matches([' ', '\t', '\n', '\r']);
    match text.as_bytes().first() {
        Some(b'{') if depth < DEEPEST => object(text, depth, zeros, out),
        Some(b'[') if depth < DEEPEST => {
            out.push(b'[');
            for (place, item) in Items::of_array(text).into_iter().flatten().enumerate() {
                if place > 0 {
                    out.push(b',');
                }
                json(item, depth + 1, zeros, out);
            }
            out.push(b']');
        }
        Some(b'"') => match unquoted(text) {
            Ok(plain) => write_string(&plain, out),
            Err(_) => out.extend_from_slice(text.as_bytes()),
        },
        Some(b'-' | b'0'..=b'9') => json_number(text, zeros, out),
        _ => out.extend_from_slice(text.as_bytes()),
    }
}

fn object(text: &str, depth: usize, zeros: Zeros, out: &mut Vec<u8>) {
    let mut members: BTreeMap<Cow<'_, str>, &str> = BTreeMap::new();
    let mut items = Items::of_object(text).into_iter().flatten();
    while let (Some(name), Some(value)) = (items.next(), items.next()) {
        members.insert(unquoted(name).unwrap_or(Cow::Borrowed(name)), value);
    }
    out.push(b'{');
    for (place, (name, value)) in members.iter().enumerate() {
        if place > 0 {
            out.push(b',');
        }
        write_string(name, out);
        out.push(b':');
        json(value, depth + 1, zeros, out);
    }
    out.push(b'}');
}

/// Its digits are read as they stand, never through a double: other numbers must not become this one.
fn json_number(text: &str, zeros: Zeros, out: &mut Vec<u8>) {
    let exponent = text.split(['e', 'E']).nth(1).unwrap_or_default();
    let is_long = text.len() > LONGEST_NUMBER || exponent.len() > LONGEST_EXPONENT;
    let number = if is_long { None } else { BigDecimal::from_str(text).ok() };
    let Some(number) = number else { return out.extend_from_slice(text.as_bytes()) };
    let number = if zeros == Zeros::Dropped { number.normalized() } else { number };
    if (-40..=40).contains(&number.fractional_digit_count()) {
        push(&number.to_plain_string(), out);
    } else {
        // Written out, ten bytes could ask for a million zeros.
        let (digits, scale) = number.into_bigint_and_exponent();
        push(&digits, out);
        out.extend_from_slice(b"e-");
        push(&scale, out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::array;
    use crate::api::value::Kind;
    use crate::spec::ParamType;

    fn spelled(value: &Value<'_>, zeros: Zeros) -> String {
        let mut out = Vec::new();
        value.spell(zeros, &mut out);
        String::from_utf8(out).expect("text")
    }

    fn one(r#type: ParamType, text: &str) -> String {
        let value = Value::parse(r#type, &Cow::Borrowed(text)).expect(text);
        spelled(&value, Zeros::Dropped)
    }

    fn several(r#type: ParamType, text: &str) -> String {
        spelled(&array::parse(r#type, text, |_| Ok(())).expect(text), Zeros::Dropped)
    }

    #[test]
    fn a_value_has_one_text_however_it_is_spelled() {
        let uuid = "67e55044-10b1-426f-9247-bb680e5fe0c8";
        for (r#type, text, others) in [
            (ParamType::Text, "007", &["007"][..]),
            (ParamType::Enum, "+7", &["+7"]),
            (ParamType::Integer, "7", &["7", "007", "+7"]),
            (ParamType::Integer, "0", &["0", "-0", "+0"]),
            (ParamType::Bigint, "-7", &["-7", "-007"]),
            (ParamType::Float, "1.5", &["1.5", "1.50", "15e-1", "+1.5"]),
            (ParamType::Float, "0", &["0", "-0", "0.0"]),
            (ParamType::Numeric, "1.5", &["1.5", "1.50", "01.5"]),
            (ParamType::Numeric, "100", &["100", "100.00"]),
            (ParamType::Bool, "true", &["true"]),
            (ParamType::Uuid, uuid, &["67E5504410B1426F9247BB680E5FE0C8", uuid]),
            (ParamType::Date, "2024-02-29", &["2024-02-29"]),
            (
                ParamType::Timestamp,
                "2024-01-01T00:00:00",
                &["2024-01-01 00:00:00", "2024-01-01T00:00:00.0000001"],
            ),
            (
                ParamType::Timestamptz,
                "2024-01-01T00:00:00Z",
                &["2024-01-01T00:00:00+00:00", "2024-01-01T02:00:00.000+02:00"],
            ),
            (
                ParamType::Json,
                "{\"a\":[1,2.5],\"b\":\"é\"}",
                &[
                    " {\"b\":\"\\u00e9\", \"a\" : [1.0, 25e-1]}",
                    "{\"a\":0,\"b\":\"é\",\"a\":[1,2.5]}",
                ],
            ),
        ] {
            for other in others {
                assert_eq!(one(r#type, other), text, "{type:?} {other}");
            }
        }
        assert_eq!(several(ParamType::Integer, "[1,  2 ]"), "[1,2]");
        assert_eq!(several(ParamType::Text, " [ \"a\\u0062\" , \"\\\"\" ]"), "[\"ab\",\"\\\"\"]");
        let upper = format!("[\"{}\"]", uuid.to_uppercase());
        assert_eq!(several(ParamType::Uuid, &upper), format!("[\"{uuid}\"]"));
        let nothing = Value::Null(Kind::One(ParamType::Text));
        assert_eq!(spelled(&nothing, Zeros::Dropped), "\0");
    }

    #[test]
    fn other_values_have_other_texts() {
        for (r#type, a, b) in [
            (ParamType::Text, "7", "07"),
            (ParamType::Bigint, "9007199254740993", "9007199254740992"),
            (ParamType::Numeric, "1.5", "1.05"),
            (ParamType::Timestamp, "2024-01-01T00:00:00.000001", "2024-01-01T00:00:00"),
            (ParamType::Json, "[9007199254740993]", "[9007199254740992]"),
            (ParamType::Json, "[1e300]", "[1e301]"),
            (ParamType::Json, "[\"1\"]", "[1]"),
            (ParamType::Json, "[[],[1]]", "[[1],[]]"),
        ] {
            assert_ne!(one(r#type, a), one(r#type, b), "{type:?}");
        }
        assert_ne!(
            several(ParamType::Text, "[\"a,b\"]"),
            several(ParamType::Text, "[\"a\",\"b\"]")
        );
    }

    #[test]
    fn numbers_that_are_equal_and_written_differently_can_still_be_told_apart() {
        let kept = |r#type, text: &'static str| {
            let value = Value::parse(r#type, &Cow::Borrowed(text)).expect(text);
            spelled(&value, Zeros::Kept)
        };
        assert_eq!(kept(ParamType::Numeric, "01.50"), "1.50");
        assert_eq!(kept(ParamType::Float, "-0"), "-0");
        assert_eq!(kept(ParamType::Integer, "007"), "7");
    }

    #[test]
    fn json_that_is_deep_or_has_endless_numbers_is_no_burden() {
        let deep = "[".repeat(100_000) + &"]".repeat(100_000);
        assert_eq!(one(ParamType::Json, &deep), deep);
        let long = "7".repeat(5000);
        for number in ["1e999999999", "1e-99999999999999999999", long.as_str()] {
            assert_eq!(one(ParamType::Json, number), number);
        }
        assert_eq!(one(ParamType::Json, "1e9000"), "1e--9000");
    }
}
