//! Columns that need others: of the same row, or of another table.

use super::around::{Around, Mistake, mistake};
use super::build::generator;
use super::numbers::{exponent, range, shape, units};
use super::texts::clean;
use crate::rows::{ColumnSpec, FamilySize, Generator, Parents, Piece, Shape};
use crate::spec::{Column, NumberDistribution, PerParent, did_you_mean};
use crate::units::distance_us;

const DAY_US: i64 = 86_400_000_000;

/// Another column of the same table, which `name` names under `key`.
fn beside<'a>(
    around: &Around<'a>,
    name: &'a str,
    key: &str,
    other: &'a str,
) -> Result<ColumnSpec, Mistake> {
    let columns = around.tables.get(around.table).map(|table| &table.columns);
    let Some(how) = columns.and_then(|columns| columns.get(other)) else {
        let known = columns.into_iter().flatten().map(|(column, _)| column.as_str());
        let help = did_you_mean(other, known).map_or_else(
            || "name one that has a generator".into(),
            |c| format!("did you mean `{c}`?"),
        );
        let what = format!("`{}` has no generated column `{other}`", around.table);
        return mistake(key, what, help);
    };
    let around = around.needed_by(name, key, (around.table, other))?;
    let made = generator(&around, other, how).map_err(|m| m.seen_from(key, other))?;
    Ok(ColumnSpec {
        name: other.to_owned(),
        generator: made,
        null_ratio: how.null_ratio.unwrap_or(0.0),
    })
}

/// Text with row numbers and other columns in it.
pub(super) fn template<'a>(
    around: &Around<'a>,
    name: &'a str,
    column: &'a Column,
) -> Result<Generator, Mistake> {
    let Some(template) = &column.template else {
        return mistake(
            "template",
            "`template` has no template",
            "write like `\"email{row}@example.com\"`",
        );
    };
    clean("template", template)?;
    let mut pieces = Vec::new();
    let mut rest = template.as_str();
    while let Some((text, (inner, after))) =
        rest.split_once('{').and_then(|(text, rest)| Some((text, rest.split_once('}')?)))
    {
        if !text.is_empty() {
            pieces.push(Piece::Text(text.to_owned()));
        }
        pieces.push(match inner {
            "row" => Piece::Row,
            other => Piece::Column(Box::new(beside(around, name, "template", other)?)),
        });
        rest = after;
    }
    if pieces.iter().any(|piece| matches!(piece, Piece::Column(_))) {
        if !rest.is_empty() {
            pieces.push(Piece::Text(rest.to_owned()));
        }
        return Ok(Generator::Format { pieces });
    }
    Ok(Generator::Template { pieces: template.split("{row}").map(Into::into).collect() })
}

/// Values that follow from another column of the row.
pub(super) fn dependent<'a>(
    around: &Around<'a>,
    name: &'a str,
    on: &'a str,
    column: &Column,
    made: Generator,
) -> Result<Generator, Mistake> {
    if !made.is_free() {
        let what = "this generator counts rows, and rows of one value have many numbers";
        return mistake("depends_on", what, "draw it: `integer`, `choice`, `weighted`, `words`, …");
    }
    let share = column.dependence.unwrap_or(1.0);
    if !(0.0..=1.0).contains(&share) {
        return mistake("dependence", "a share is from 0 to 1", "write like `0.9`");
    }
    let on = Box::new(beside(around, name, "depends_on", on)?);
    Ok(Generator::Dependent { on, share, generator: Box::new(made) })
}

/// Values of another table.
pub(super) fn foreign_key<'a>(
    around: &Around<'a>,
    name: &'a str,
    column: &'a Column,
) -> Result<Generator, Mistake> {
    let key = "references";
    let Some((table, other)) = column.references.as_deref().and_then(|r| r.split_once('.')) else {
        return mistake(key, "it refers to no column", "write like `references = \"users.id\"`");
    };
    let Some(parent) = around.tables.get(table) else {
        let known = around.tables.keys().map(String::as_str);
        let help = did_you_mean(table, known)
            .map_or_else(|| "fill that table too".into(), |c| format!("did you mean `{c}`?"));
        return mistake(key, format!("no table `{table}` has generated rows"), help);
    };
    if parent.from.is_some() {
        let what =
            format!("the rows of `{table}` come from elsewhere, so its keys are not known here");
        let help = "name its keys: `choice` or `weighted`, or numbers of a range";
        return mistake(key, what, help);
    }
    if parent.rows == 0 && around.rows > 0 {
        let what = format!("`{table}` has no rows that could be referred to");
        return mistake(key, what, "give it some");
    }
    let generator = match parent.columns.get(other) {
        Some(how) => {
            if how.null_ratio.is_some_and(|ratio| ratio > 0.0) {
                let what = format!("some values of `{table}.{other}` are NULL");
                return mistake(key, what, "take their `null_ratio` away");
            }
            let there = around.needed_by(name, key, (table, other))?;
            generator(&there, other, how).map_err(|m| m.seen_from(key, other))?
        }
        // A column that the file does not name, and that is referred to, is a serial key.
        None if around.migrations.is_none_or(|m| m.mention(other)) => {
            Generator::Sequence { start: 1, step: 1 }
        }
        None => {
            let known = parent.columns.keys().map(String::as_str);
            let help = did_you_mean(other, known)
                .map_or_else(|| "name its key".into(), |c| format!("did you mean `{c}`?"));
            return mistake(key, format!("`{table}` has no column `{other}`"), help);
        }
    };
    if !generator.is_unique() {
        let what = format!("`{table}.{other}` may have the same value twice");
        return mistake(key, what, "refer to a `sequence`, `permutation`, `uuid` or the like");
    }
    let parents = match (column.per_parent, column.distribution) {
        (Some(PerParent::Equal), _) => Parents::Families(FamilySize::Equal),
        (Some(PerParent::Uniform), _) => Parents::Families(FamilySize::Uniform),
        (Some(PerParent::Exponential), _) => Parents::Families(FamilySize::Exponential),
        (None, None | Some(NumberDistribution::Uniform)) => Parents::Uniform,
        (None, Some(NumberDistribution::Zipfian)) => {
            Parents::Zipfian { exponent: exponent(column)? }
        }
        (None, Some(_)) => {
            let what = "rows of another table are drawn `uniform` or `zipfian`";
            return mistake("distribution", what, "or taken in turn, by `per_parent`");
        }
    };
    Ok(Generator::ForeignKey {
        table: table.to_owned(),
        rows: parent.rows,
        column: Box::new(ColumnSpec { name: other.to_owned(), generator, null_ratio: 0.0 }),
        parents,
    })
}

/// What is added to a value.
enum Unit {
    /// A number with so many digits after the point.
    Number(u32),
    Microseconds,
    Days,
}

fn unit(generator: &Generator) -> Option<Unit> {
    match generator {
        Generator::Sequence { .. } | Generator::Integer { .. } | Generator::Permutation { .. } => {
            Some(Unit::Number(0))
        }
        Generator::Numeric { scale, .. } => Some(Unit::Number(*scale)),
        Generator::Timestamp { .. } | Generator::Moment { .. } => Some(Unit::Microseconds),
        Generator::Date { .. } => Some(Unit::Days),
        Generator::Offset { column, .. } | Generator::ForeignKey { column, .. } => {
            unit(&column.generator)
        }
        Generator::Dependent { generator, .. } => unit(generator),
        _ => None,
    }
}

/// Another column of the row, and a number or a duration more.
pub(super) fn offset<'a>(
    around: &Around<'a>,
    name: &'a str,
    column: &'a Column,
) -> Result<Generator, Mistake> {
    let Some(other) = &column.column else {
        return mistake("column", "`offset` has no other column", "write `column = \"…\"`");
    };
    let base = beside(around, name, "column", other)?;
    let (min, max, shape) = match unit(&base.generator) {
        Some(Unit::Number(scale)) => numbers(column, scale)?,
        Some(Unit::Microseconds) => durations(column, 1)?,
        Some(Unit::Days) => durations(column, DAY_US)?,
        None => {
            let what = format!("nothing can be added to `{other}`");
            let help = "name a column of whole numbers, decimals, days or timestamps";
            return mistake("column", what, help);
        }
    };
    Ok(Generator::Offset { column: Box::new(base), min, max, shape })
}

fn numbers(column: &Column, scale: u32) -> Result<(i64, i64, Shape), Mistake> {
    let (low, high) = range(column)?;
    let (min, max) = (units("min", low, scale)?, units("max", high, scale)?);
    let ten = f64::from(10_u32.pow(scale));
    // Distances are drawn in units of the last digit, and so is their shape.
    let shape = match shape(column, low, high)? {
        Shape::Normal { mean, deviation } => {
            Shape::Normal { mean: mean * ten, deviation: deviation * ten }
        }
        Shape::Exponential { mean } => Shape::Exponential { mean: mean * ten },
        other => other,
    };
    Ok((min, max, shape))
}

fn durations(column: &Column, unit_us: i64) -> Result<(i64, i64, Shape), Mistake> {
    let span = |key, text: &Option<String>| match text.as_deref().map(distance_us) {
        None => Ok(None),
        Some(Ok(us)) if us % unit_us == 0 => Ok(Some(us / unit_us)),
        Some(Ok(_)) => mistake(key, "a day has no hours", "write whole days, like `\"3d\"`"),
        Some(Err(bad)) => mistake(key, bad.what, bad.hint),
    };
    let min = span("shortest", &column.shortest)?.unwrap_or(0);
    let Some(max) = span("longest", &column.longest)? else {
        let what = "it says not by how long it may be later";
        return mistake("longest", what, "write like `longest = \"3d\"`");
    };
    if min > max {
        return mistake("shortest", "`shortest` is more than `longest`", "swap them");
    }
    Ok((min, max, Shape::Uniform))
}
