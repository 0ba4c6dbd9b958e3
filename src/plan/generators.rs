//! From a column of the file to its generator: which keys each takes, and what they may hold.

use crate::rows::Generator;
use crate::spec::{Column, GeneratorKind, Scalar};
use crate::units::Span;

/// The last moment that fits a Postgres timestamp and four digits of year, in microseconds.
const LAST_US: i64 = 253_402_300_799_999_999;

/// A mistake in a column: the key that it is about, what is wrong, what to write.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Mistake {
    pub(super) key: &'static str,
    pub(super) what: String,
    pub(super) help: String,
}

fn mistake<T>(
    key: &'static str,
    what: impl Into<String>,
    help: impl Into<String>,
) -> Result<T, Mistake> {
    Err(Mistake { key, what: what.into(), help: help.into() })
}

/// The generator of a column of a table with so many rows. `spec` has seen to it that the column states the keys of its
/// generator and no others.
///
/// # Errors
///
/// What no row, or not the last one, could hold.
pub(super) fn generator(column: &Column, rows: u64) -> Result<Generator, Mistake> {
    let Some(kind) = column.generator else {
        return mistake("generator", "the column has no generator", "write `generator = \"…\"`");
    };
    build(kind, column, rows)
}

fn build(kind: GeneratorKind, column: &Column, rows: u64) -> Result<Generator, Mistake> {
    Ok(match kind {
        GeneratorKind::PersonName => Generator::PersonName,
        GeneratorKind::Uuid => Generator::Uuid,
        GeneratorKind::Sequence => sequence(column, rows)?,
        GeneratorKind::Timestamp => timestamp(column, rows)?,
        GeneratorKind::Template => template(column)?,
        GeneratorKind::Weighted => weighted(column)?,
        GeneratorKind::Integer => {
            let (min, max) = range(column)?;
            Generator::Integer { min: whole("min", min)?, max: whole("max", max)? }
        }
        GeneratorKind::Float => {
            let (min, max) = range(column)?;
            Generator::Float { min, max }
        }
        GeneratorKind::Words => {
            let (min, max) = range(column)?;
            let count = |key, x| match u32::try_from(whole(key, x)?) {
                Ok(n) if (1..=1000).contains(&n) => Ok(n),
                _ => mistake(key, "a text has 1 to 1000 words", "write a number from 1 to 1000"),
            };
            Generator::Words { min: count("min", min)?, max: count("max", max)? }
        }
        GeneratorKind::Bool => match column.probability.unwrap_or(0.5) {
            probability if (0.0..=1.0).contains(&probability) => Generator::Bool { probability },
            _ => return mistake("probability", "a share is from 0 to 1", "write like `0.3`"),
        },
        GeneratorKind::Constant => match &column.value {
            Some(value) => Generator::Constant { value: clean("value", &value.to_string())? },
            None => return mistake("value", "`constant` has no value", "write `value = \"…\"`"),
        },
    })
}

/// Postgres' text can hold anything but NUL.
fn clean(key: &'static str, text: &str) -> Result<String, Mistake> {
    if text.contains('\0') {
        return mistake(key, "a text holds a NUL character", "Postgres can't store one");
    }
    Ok(text.to_owned())
}

fn sequence(column: &Column, rows: u64) -> Result<Generator, Mistake> {
    let number = |key, value: &Option<Scalar>| match value {
        None => Ok(1),
        Some(Scalar::Int(n)) => Ok(*n),
        Some(_) => mistake(key, "a sequence counts in whole numbers", "write like `1`"),
    };
    let (start, step) = (number("start", &column.start)?, number("step", &column.step)?);
    let steps = i64::try_from(rows.saturating_sub(1)).unwrap_or(i64::MAX);
    match step.checked_mul(steps).and_then(|distance| distance.checked_add(start)) {
        Some(_) => Ok(Generator::Sequence { start, step }),
        None => mistake("step", "the last row's number is too large", "take smaller steps"),
    }
}

fn timestamp(column: &Column, rows: u64) -> Result<Generator, Mistake> {
    let help = "write like `start = \"2024-01-01T00:00:00Z\"`";
    let start_us = match &column.start {
        Some(Scalar::Text(text)) => match chrono::DateTime::parse_from_rfc3339(text) {
            Ok(moment) => moment.timestamp_micros(),
            Err(_) => return mistake("start", "this is no moment in RFC 3339", help),
        },
        Some(_) => return mistake("start", "a moment is written as text", help),
        None => return mistake("start", "`timestamp` has no start", help),
    };
    let step_us = match &column.step {
        None => 1_000_000,
        Some(Scalar::Text(text)) => match text.parse::<Span>() {
            Ok(span) if span.0 % 1000 == 0 => i64::try_from(span.0 / 1000).unwrap_or(i64::MAX),
            Ok(_) => {
                return mistake(
                    "step",
                    "Postgres counts in whole microseconds",
                    "write like `1us`",
                );
            }
            Err(bad) => return mistake("step", bad.what, bad.hint),
        },
        Some(_) => return mistake("step", "a step has a unit", "write like `step = \"1s\"`"),
    };
    let steps = i64::try_from(rows.saturating_sub(1)).unwrap_or(i64::MAX);
    let last = step_us.checked_mul(steps).and_then(|distance| distance.checked_add(start_us));
    match last {
        Some(last) if last <= LAST_US => Ok(Generator::Timestamp { start_us, step_us }),
        _ => mistake("step", "the last row is after the year 9999", "take smaller steps"),
    }
}

fn template(column: &Column) -> Result<Generator, Mistake> {
    let Some(template) = &column.template else {
        return mistake(
            "template",
            "`template` has no template",
            "write like `\"email{row}@example.com\"`",
        );
    };
    let pieces: Vec<String> = clean("template", template)?.split("{row}").map(Into::into).collect();
    for piece in &pieces {
        if let Some(inner) = piece.split_once('{').and_then(|(_, rest)| rest.split_once('}')) {
            return mistake(
                "template",
                format!("a template has no `{{{}}}`", inner.0),
                "only `{row}` is filled in: the number of the row, from 1",
            );
        }
    }
    Ok(Generator::Template { pieces })
}

fn weighted(column: &Column) -> Result<Generator, Mistake> {
    let help = "write like `weights = { active = 70, inactive = 30 }`";
    let weights = match &column.weights {
        Some(weights) if !weights.is_empty() => weights,
        _ => return mistake("weights", "`weighted` has nothing to choose from", help),
    };
    let sum: f64 = weights.values().sum();
    if !(sum > 0.0 && sum.is_finite()) || weights.values().any(|w| *w < 0.0) {
        return mistake("weights", "the weights have no positive, finite sum", help);
    }
    let mut choices = Vec::with_capacity(weights.len());
    for (value, weight) in weights.iter().filter(|(_, weight)| **weight > 0.0) {
        choices.push((clean("weights", value)?, *weight));
    }
    Ok(Generator::Weighted { choices })
}

fn range(column: &Column) -> Result<(f64, f64), Mistake> {
    let end = |key, value: Option<f64>| match value {
        Some(x) if x.is_finite() => Ok(x),
        Some(_) => mistake(key, "this is no finite number", "write a number"),
        None => mistake(key, format!("the generator has no `{key}`"), format!("write `{key} = …`")),
    };
    let (min, max) = (end("min", column.min)?, end("max", column.max)?);
    if min > max {
        return mistake("min", format!("`min` {min} is more than `max` {max}"), "swap them");
    }
    Ok((min, max))
}

fn whole(key: &'static str, x: f64) -> Result<i64, Mistake> {
    // Beyond 2^53 a float no longer holds every whole number, so the author's could not be kept.
    if x.fract() != 0.0 || x.abs() > 9_007_199_254_740_992.0 {
        return mistake(key, format!("{x} is no whole number"), "write a whole number");
    }
    #[expect(clippy::cast_possible_truncation, reason = "whole and within 2^53")]
    let n = x as i64;
    Ok(n)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn made(column: serde_json::Value, rows: u64) -> Result<Generator, &'static str> {
        let column: Column = serde_json::from_value(column).expect("a column");
        generator(&column, rows).map_err(|m| m.key)
    }

    #[test]
    fn columns_become_generators() {
        let cases = [
            (
                json!({ "generator": "template", "template": "email{row}@example.com" }),
                Generator::Template { pieces: vec!["email".into(), "@example.com".into()] },
            ),
            (
                json!({ "generator": "timestamp", "start": "1970-01-01T00:00:01Z", "step": "1s" }),
                Generator::Timestamp { start_us: 1_000_000, step_us: 1_000_000 },
            ),
            (
                json!({ "generator": "weighted", "weights": { "b": 30, "a": 70 } }),
                Generator::Weighted { choices: vec![("a".into(), 70.0), ("b".into(), 30.0)] },
            ),
            (json!({ "generator": "sequence" }), Generator::Sequence { start: 1, step: 1 }),
            (
                json!({ "generator": "integer", "min": -3, "max": 5 }),
                Generator::Integer { min: -3, max: 5 },
            ),
            (json!({ "generator": "bool" }), Generator::Bool { probability: 0.5 }),
            (
                json!({ "generator": "constant", "value": 7 }),
                Generator::Constant { value: "7".into() },
            ),
        ];
        for (column, want) in cases {
            assert_eq!(made(column.clone(), 10), Ok(want), "{column}");
        }
    }

    #[test]
    fn what_no_generator_could_follow_is_refused_by_key() {
        let cases = [
            (json!({ "template": "x" }), "generator"),
            (json!({ "generator": "template" }), "template"),
            (json!({ "generator": "template", "template": "{id}" }), "template"),
            (json!({ "generator": "template", "template": "x\u{0}" }), "template"),
            (json!({ "generator": "weighted", "weights": {} }), "weights"),
            (json!({ "generator": "weighted", "weights": { "a": 1, "b": -1 } }), "weights"),
            (json!({ "generator": "weighted", "weights": { "a": 1e308, "b": 1e308 } }), "weights"),
            (json!({ "generator": "integer", "min": 5, "max": 1 }), "min"),
            (json!({ "generator": "integer", "min": 0.5, "max": 1 }), "min"),
            (json!({ "generator": "words", "min": 0, "max": 3 }), "min"),
            (json!({ "generator": "sequence", "step": 9_223_372_036_854_775_807_i64 }), "step"),
            (json!({ "generator": "timestamp", "start": "yesterday" }), "start"),
            (json!({ "generator": "timestamp", "start": "9999-12-31T23:59:59Z" }), "step"),
            (json!({ "generator": "bool", "probability": 1.5 }), "probability"),
        ];
        for (column, keys) in cases {
            assert_eq!(made(column.clone(), 10), Err(keys), "{column}");
        }
    }
}
