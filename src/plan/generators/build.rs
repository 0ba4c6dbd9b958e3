//! One column: its kind, and where each kind is made.

use super::around::{Around, Mistake, mistake};
use super::{links, numbers, parts, texts, times};
use crate::rows::{Generator, Prose};
use crate::spec::{Column, GeneratorKind, Scalar};

/// The generator of a column. `spec` has seen to it that the column states the keys of its generator and no others.
///
/// # Errors
///
/// What no row, or not the last one, could hold.
pub(in crate::plan) fn generator<'a>(
    around: &Around<'a>,
    name: &'a str,
    column: &'a Column,
) -> Result<Generator, Mistake> {
    let Some(kind) = column.generator else {
        return mistake("generator", "the column has no generator", "write `generator = \"…\"`");
    };
    let made = build(kind, around, name, column)?;
    match &column.depends_on {
        None => Ok(made),
        Some(on) => links::dependent(around, name, on, column, made),
    }
}

fn build<'a>(
    kind: GeneratorKind,
    around: &Around<'a>,
    name: &'a str,
    column: &'a Column,
) -> Result<Generator, Mistake> {
    let rows = around.rows;
    match kind {
        GeneratorKind::PersonName => Ok(Generator::PersonName),
        GeneratorKind::Company => Ok(Generator::Company),
        GeneratorKind::Uuid => times::uuid(column, rows),
        GeneratorKind::Sequence => sequence(column, rows),
        GeneratorKind::Timestamp => times::timestamp(column, rows),
        GeneratorKind::Date => times::date(column),
        GeneratorKind::Template => links::template(around, name, column),
        GeneratorKind::Weighted => texts::weighted(column),
        GeneratorKind::Choice => texts::choice(column),
        GeneratorKind::Integer => numbers::integer(column),
        GeneratorKind::Float => numbers::float(column),
        GeneratorKind::Numeric => numbers::numeric(column),
        GeneratorKind::Permutation => numbers::permutation(column, rows),
        GeneratorKind::Words => texts::prose(column, Prose::Words),
        GeneratorKind::Sentences => texts::prose(column, Prose::Sentences),
        GeneratorKind::Text => texts::prose(column, Prose::Characters),
        GeneratorKind::Email => texts::email(column),
        GeneratorKind::Bool => match column.probability.unwrap_or(0.5) {
            probability if (0.0..=1.0).contains(&probability) => {
                Ok(Generator::Bool { probability })
            }
            _ => mistake("probability", "a share is from 0 to 1", "write like `0.3`"),
        },
        GeneratorKind::Constant => match &column.value {
            Some(value) => {
                Ok(Generator::Constant { value: texts::clean("value", &value.to_string())? })
            }
            None => mistake("value", "`constant` has no value", "write `value = \"…\"`"),
        },
        GeneratorKind::ForeignKey => links::foreign_key(around, name, column),
        GeneratorKind::Offset => links::offset(around, name, column),
        GeneratorKind::Json => parts::json(around, name, column),
        GeneratorKind::Array => parts::array(around, name, column),
        GeneratorKind::Bytea => parts::bytes(column),
        GeneratorKind::Inet => parts::inet(column),
        GeneratorKind::Point => parts::point(column),
    }
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
