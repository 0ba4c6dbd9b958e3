//! Columns of texts: lists to choose from, words, addresses.

use super::around::{Mistake, mistake};
use super::numbers::{range, whole};
use crate::rows::{Generator, Prose};
use crate::spec::Column;

/// Different words where the file states no other number: those of the list.
const VOCABULARY: u64 = 300;
/// Longest text, in characters.
const MOST_CHARACTERS: u32 = 100_000;

/// Postgres' text can hold anything but NUL.
pub(super) fn clean(key: &str, text: &str) -> Result<String, Mistake> {
    if text.contains('\0') {
        return mistake(key, "a text holds a NUL character", "Postgres can't store one");
    }
    Ok(text.to_owned())
}

pub(super) fn weighted(column: &Column) -> Result<Generator, Mistake> {
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

pub(super) fn choice(column: &Column) -> Result<Generator, Mistake> {
    let help = "write like `values = [\"new\", \"old\"]`";
    let values = match &column.values {
        Some(values) if !values.is_empty() => values,
        _ => return mistake("values", "`choice` has nothing to choose from", help),
    };
    let mut choices: Vec<(String, f64)> = Vec::with_capacity(values.len());
    for value in values {
        let text = clean("values", &value.to_string())?;
        if choices.iter().any(|(earlier, _)| *earlier == text) {
            let what = format!("`{text}` is there twice");
            return mistake("values", what, "write `weighted` for values that differ in weight");
        }
        choices.push((text, 1.0));
    }
    Ok(Generator::Weighted { choices })
}

/// So many words, sentences or characters.
pub(super) fn prose(column: &Column, unit: Prose) -> Result<Generator, Mistake> {
    let (min, max) = match unit {
        Prose::Characters => length(column, 0, MOST_CHARACTERS)?,
        Prose::Words | Prose::Sentences => length(column, 1, 1000)?,
    };
    // The first generator of words, whose rows must not change.
    if unit == Prose::Words && column.vocabulary.is_none() && column.exponent.is_none() {
        return Ok(Generator::Words { min, max });
    }
    let vocabulary = column.vocabulary.unwrap_or(VOCABULARY);
    if !(1..=1_000_000).contains(&vocabulary) {
        let what = "a vocabulary has 1 to 1,000,000 words";
        return mistake("vocabulary", what, "write like `10_000`");
    }
    let exponent = column.exponent.unwrap_or(0.0);
    if !(0.0..=20.0).contains(&exponent) {
        return mistake("exponent", "an exponent is above 0 and up to 20", "write like `1.0`");
    }
    Ok(Generator::Prose { unit, min, max, vocabulary, exponent })
}

/// `min` and `max` as a number of parts.
pub(super) fn length(column: &Column, least: u32, most: u32) -> Result<(u32, u32), Mistake> {
    let (min, max) = range(column)?;
    let count = |key, x| match u32::try_from(whole(key, x)?) {
        Ok(n) if (least..=most).contains(&n) => Ok(n),
        _ => {
            let what = format!("a length is from {least} to {most}");
            mistake(key, what, format!("write a number from {least} to {most}"))
        }
    };
    Ok((count("min", min)?, count("max", max)?))
}

pub(super) fn email(column: &Column) -> Result<Generator, Mistake> {
    let fits = |b: u8| b.is_ascii_alphanumeric() || b == b'.' || b == b'-';
    match &column.domain {
        Some(domain) if domain.is_empty() || domain.len() > 200 || !domain.bytes().all(fits) => {
            let help = "letters, digits, dots and hyphens, like `\"example.com\"`";
            mistake("domain", format!("`{domain}` is no domain"), help)
        }
        domain => Ok(Generator::Email { domain: domain.clone() }),
    }
}
