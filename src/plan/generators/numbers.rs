//! Columns of numbers: their range and their shape.

use super::around::{Mistake, mistake};
use crate::rows::{Generator, Shape};
use crate::spec::{Column, NumberDistribution};

/// Exponent of Zipf's law where the file states none: YCSB's.
const EXPONENT: f64 = 0.99;
/// Digits after the point of `numeric` where the file states none: cents.
const SCALE: u32 = 2;
/// Beyond 2^53 a float no longer holds every whole number, so the author's could not be kept.
const EXACT: f64 = 9_007_199_254_740_992.0;

pub(super) fn integer(column: &Column) -> Result<Generator, Mistake> {
    let (low, high) = range(column)?;
    let (min, max) = (whole("min", low)?, whole("max", high)?);
    Ok(match shape(column, low, high)? {
        Shape::Uniform => Generator::Integer { min, max },
        shape => Generator::Numeric { min, max, scale: 0, shape },
    })
}

pub(super) fn float(column: &Column) -> Result<Generator, Mistake> {
    let (min, max) = range(column)?;
    if min >= max || !(max - min).is_finite() {
        let what = format!("no numbers lie between {min} and {max}");
        return mistake("max", what, "widen the range, or write `generator = \"constant\"`");
    }
    Ok(match shape(column, min, max)? {
        Shape::Uniform => Generator::Float { min, max },
        Shape::Zipfian { .. } => {
            let what = "Zipf's law counts ranks, and a float has none";
            return mistake("distribution", what, "write `generator = \"integer\"`");
        }
        shape => Generator::Real { min, max, shape },
    })
}

pub(super) fn numeric(column: &Column) -> Result<Generator, Mistake> {
    let scale = column.scale.unwrap_or(SCALE);
    let (low, high) = range(column)?;
    let (min, max) = (units("min", low, scale)?, units("max", high, scale)?);
    Ok(Generator::Numeric { min, max, scale, shape: shape(column, low, high)? })
}

pub(super) fn permutation(column: &Column, rows: u64) -> Result<Generator, Mistake> {
    let end = |key, value: Option<f64>| value.map(|x| whole(key, x)).transpose();
    let min = end("min", column.min)?.unwrap_or(1);
    let needed = i64::try_from(rows.max(1) - 1).unwrap_or(i64::MAX);
    let max = end("max", column.max)?.unwrap_or(min.saturating_add(needed));
    if min > max || max.abs_diff(min) < rows.max(1) - 1 {
        let count = if min > max { 0 } else { max.abs_diff(min) + 1 };
        let what = format!("{rows} rows can't have {rows} of only {count} numbers");
        return mistake(
            if column.max.is_some() { "max" } else { "min" },
            what,
            "widen the range, or take fewer rows",
        );
    }
    Ok(Generator::Permutation { min, max })
}

/// `min` and `max` of a column, the one not above the other.
pub(super) fn range(column: &Column) -> Result<(f64, f64), Mistake> {
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

/// How often which number from `min` to `max`.
pub(super) fn shape(column: &Column, min: f64, max: f64) -> Result<Shape, Mistake> {
    Ok(match column.distribution.unwrap_or(NumberDistribution::Uniform) {
        NumberDistribution::Uniform => Shape::Uniform,
        NumberDistribution::Normal => {
            let mean = column.mean.unwrap_or(f64::midpoint(min, max));
            let deviation = column.deviation.unwrap_or((max - min) / 6.0);
            if !(min..=max).contains(&mean) {
                let what = format!("the mean {mean} is not from {min} to {max}");
                return mistake("mean", what, "put it into the range, or move the range");
            }
            if !(deviation > 0.0 && deviation <= max - min) {
                let what = format!("a deviation of {deviation} makes no bell from {min} to {max}");
                return mistake("deviation", what, "more than 0, at most `max` - `min`");
            }
            Shape::Normal { mean, deviation }
        }
        NumberDistribution::Exponential => {
            let Some(mean) = column.mean.filter(|mean| *mean > min && mean.is_finite()) else {
                let what = format!("the mean is not above {min}, the smallest number");
                return mistake("mean", what, "write the mean that it would have without `max`");
            };
            Shape::Exponential { mean }
        }
        NumberDistribution::Zipfian => Shape::Zipfian { exponent: exponent(column)? },
    })
}

/// The exponent of Zipf's law.
pub(super) fn exponent(column: &Column) -> Result<f64, Mistake> {
    match column.exponent.unwrap_or(EXPONENT) {
        exponent if exponent > 0.0 && exponent <= 20.0 => Ok(exponent),
        _ => mistake("exponent", "an exponent is above 0 and up to 20", "write like `0.99`"),
    }
}

/// A whole number.
pub(super) fn whole(key: &str, x: f64) -> Result<i64, Mistake> {
    if x.fract() != 0.0 || x.abs() > EXACT {
        return mistake(key, format!("{x} is no whole number"), "write a whole number");
    }
    #[expect(clippy::cast_possible_truncation, reason = "whole and within 2^53")]
    let n = x as i64;
    Ok(n)
}

/// A number in units of its last digit.
pub(super) fn units(key: &str, x: f64, scale: u32) -> Result<i64, Mistake> {
    let Some(ten) = 10_u32.checked_pow(scale).map(f64::from) else {
        return mistake("scale", format!("{scale} digits are too many"), "at most 9");
    };
    let exact = x * ten;
    let rounded = exact.round();
    if (exact - rounded).abs() > 1e-6 {
        let what = format!("{x} has more than {scale} digits after the point");
        return mistake(key, what, "state a larger `scale`, or round it");
    }
    if rounded.abs() > EXACT {
        let what = format!("{x} with {scale} digits after the point is too large");
        return mistake(key, what, "units of the last digit must be below 2^53");
    }
    whole(key, rounded)
}
