//! A generator, checked and unfolded: lists sorted, shares turned into thresholds, texts escaped once.

use super::column::Column;
use super::draw::{Key, threshold};
use super::inet::Network;
use super::nested::escape_copy;
use super::numbers::{Numbers, Reals};
use super::parents::Choice;
use super::permute::Permutation;
use super::shapes::Piece;
use super::spec::{ColumnSpec, Generator};
use super::texts::{Mail, Text};
use super::times::Moments;

/// More words in one value than this is a mistake, not a text.
const MOST_WORDS: u32 = 10_000;
/// More bytes, or elements of an array, than this is a mistake too.
const MOST_BYTES: u32 = 100_000;
const MOST_ELEMENTS: u32 = 1000;
/// 0001-01-01 and 9999-12-31 in microseconds since 1970: what prints as a plain date.
pub(super) const TIMES_US: std::ops::RangeInclusive<i64> =
    -62_135_596_800_000_000..=253_402_300_799_999_999;
/// The same in days.
pub(super) const DAYS: std::ops::RangeInclusive<i64> = -719_162..=2_932_896;

/// The generator, unfolded. Texts stand twice: as they are, and as COPY escapes them.
#[derive(Debug, Clone)]
pub(super) enum Maker {
    Sequence {
        start: i64,
        step: i64,
    },
    Template {
        pieces: Vec<[String; 2]>,
    },
    PersonName,
    Weighted {
        below: Vec<u64>,
        choices: Vec<[String; 2]>,
    },
    Timestamp {
        start_us: i64,
        step_us: i64,
    },
    Integer {
        min: i64,
        span: u64,
    },
    Float {
        min: f64,
        max: f64,
    },
    Bool {
        below: u64,
        always: bool,
    },
    Words {
        min: u32,
        max: u32,
    },
    Uuid,
    Constant {
        text: [String; 2],
    },
    Numbers(Numbers),
    Reals(Reals),
    Moments(Moments),
    Days(Moments),
    UuidV7 {
        start_us: i64,
        step_us: i64,
    },
    Mail(Box<Mail>),
    Company,
    Text(Text),
    Format(Vec<Part>),
    Permuted {
        min: i64,
        places: Permutation,
    },
    Parent {
        column: Box<Column>,
        choice: Choice,
    },
    /// Each with its name as JSON writes it.
    Json(Vec<(String, Column)>),
    Array {
        of: Box<Column>,
        min: u32,
        max: u32,
    },
    Bytes {
        min: u32,
        max: u32,
    },
    Inet(Network),
    Point([f64; 4]),
    Offset {
        column: Box<Column>,
        distance: Numbers,
    },
    Dependent {
        on: Box<Column>,
        below: u64,
        always: bool,
        inner: Box<Column>,
    },
}

/// A part of a text.
#[derive(Debug, Clone)]
pub(super) enum Part {
    Text(String),
    Row,
    Column(Column),
}

/// Where a column stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Site<'s> {
    pub(super) seed: u64,
    pub(super) table: &'s str,
    pub(super) rows: u64,
    pub(super) column: &'s str,
    pub(super) key: Key,
}

impl Site<'_> {
    /// Another column of the same table.
    fn beside(&self, column: &ColumnSpec) -> Result<Box<Column>, String> {
        Column::new(self.seed, self.table, self.rows, column).map(Box::new)
    }

    /// A part of this column's values, with a key of its own.
    fn within(&self, part: &str, column: &ColumnSpec) -> Result<Column, String> {
        let name = format!("{}{part}", self.column);
        Column::new(self.seed, self.table, self.rows, &ColumnSpec { name, ..column.clone() })
    }
}

impl Maker {
    pub(super) fn new(site: &Site<'_>, generator: &Generator) -> Result<Self, String> {
        let rows = site.rows;
        Ok(match generator {
            Generator::Sequence { start, step } => {
                last_of(*start, *step, rows)
                    .ok_or_else(|| format!("row {rows} of the sequence does not fit 64 bits"))?;
                Self::Sequence { start: *start, step: *step }
            }
            Generator::Template { pieces } if pieces.is_empty() => {
                return Err("the template is empty".into());
            }
            Generator::Template { pieces } => {
                Self::Template { pieces: pieces.iter().map(both).collect::<Result<_, _>>()? }
            }
            Generator::PersonName => Self::PersonName,
            Generator::Weighted { choices } => weighted(choices)?,
            Generator::Timestamp { start_us, step_us } => {
                check_times(*start_us, *step_us, rows)?;
                Self::Timestamp { start_us: *start_us, step_us: *step_us }
            }
            Generator::Integer { min, max } if min > max => {
                return Err(format!("min {min} is above max {max}"));
            }
            // A span of 2^64 becomes 0, which `whole` reads as "every word".
            Generator::Integer { min, max } => {
                Self::Integer { min: *min, span: max.abs_diff(*min).wrapping_add(1) }
            }
            Generator::Float { min, max } => {
                if !(min.is_finite() && max.is_finite() && min < max && (max - min).is_finite()) {
                    return Err(format!("{min} to {max} is no range of numbers"));
                }
                Self::Float { min: *min, max: *max }
            }
            Generator::Bool { probability } => {
                if !(0.0..=1.0).contains(probability) {
                    return Err(format!("probability {probability} is not between 0 and 1"));
                }
                Self::Bool { below: threshold(*probability), always: *probability >= 1.0 }
            }
            Generator::Words { min, max } => {
                check_length(*min, *max, MOST_WORDS)?;
                Self::Words { min: *min, max: *max }
            }
            Generator::Uuid => Self::Uuid,
            Generator::Constant { value } => Self::Constant { text: both(value)? },
            plain => return Self::shaped(site, plain),
        })
    }

    /// Numbers, moments and texts with a shape.
    fn shaped(site: &Site<'_>, generator: &Generator) -> Result<Self, String> {
        let rows = site.rows;
        Ok(match generator {
            Generator::Numeric { min, max, scale, shape } => {
                Self::Numbers(Numbers::new(*min, *max, *scale, *shape)?)
            }
            Generator::Real { min, max, shape } => Self::Reals(Reals::new(*min, *max, *shape)?),
            Generator::Date { first, last, growth, order } => {
                if !DAYS.contains(first) || !DAYS.contains(last) {
                    return Err("days leave the years 1 to 9999".into());
                }
                Self::Days(Moments::new((*first, *last + 1), rows, *growth, None, *order)?)
            }
            Generator::Moment { start_us, end_us, growth, hours, order } => {
                if !TIMES_US.contains(start_us) || !TIMES_US.contains(end_us) {
                    return Err("timestamps leave the years 1 to 9999".into());
                }
                let range = (*start_us, *end_us);
                Self::Moments(Moments::new(range, rows, *growth, *hours, *order)?)
            }
            Generator::UuidV7 { start_us, step_us } => {
                check_times(*start_us, *step_us, rows)?;
                if *start_us < 0 || *step_us < 0 {
                    return Err("a UUID of version 7 has no time before 1970".into());
                }
                Self::UuidV7 { start_us: *start_us, step_us: *step_us }
            }
            Generator::Email { domain } => Self::Mail(Box::new(Mail::new(domain.as_deref())?)),
            Generator::Company => Self::Company,
            Generator::Prose { unit, min, max, vocabulary, exponent } => {
                Self::Text(Text::new(*unit, (*min, *max), *vocabulary, *exponent)?)
            }
            Generator::Permutation { min, max } => {
                let count = max.abs_diff(*min).saturating_add(1);
                if min > max || count < rows || count > 1 << 62 {
                    return Err(format!("{min} to {max} are not enough numbers for {rows} rows"));
                }
                Self::Permuted { min: *min, places: Permutation::new(count, site.key) }
            }
            Generator::Bytes { min, max } => {
                check_length(*min, *max, MOST_BYTES)?;
                Self::Bytes { min: *min, max: *max }
            }
            Generator::Inet { network } => Self::Inet(Network::new(network)?),
            Generator::Point { area } => {
                let [left, low, right, high] = *area;
                let is_range = |a: f64, b: f64| a.is_finite() && b.is_finite() && a < b;
                if !(is_range(left, right) && is_range(low, high)) {
                    return Err("the area is empty".into());
                }
                Self::Point(*area)
            }
            other => return Self::composed(site, other),
        })
    }

    /// Values made of those of other columns.
    fn composed(site: &Site<'_>, generator: &Generator) -> Result<Self, String> {
        Ok(match generator {
            Generator::Format { pieces } => {
                let part = |piece: &Piece| {
                    Ok::<_, String>(match piece {
                        Piece::Text(text) => Part::Text(without_nul(text)?.to_owned()),
                        Piece::Row => Part::Row,
                        Piece::Column(column) => Part::Column(*site.beside(column)?),
                    })
                };
                Self::Format(pieces.iter().map(part).collect::<Result<_, _>>()?)
            }
            Generator::ForeignKey { table, rows, column, parents } => Self::Parent {
                column: Box::new(Column::new(site.seed, table, *rows, column)?),
                choice: Choice::new(*parents, *rows, site.rows, site.key)?,
            },
            Generator::Json { fields } => {
                let field = |field: &ColumnSpec| {
                    let name = without_nul(&field.name)?;
                    let quoted = serde_json::to_string(name).map_err(|e| e.to_string())?;
                    let column = site.within(&format!(".{name}"), field)?;
                    Ok::<_, String>((quoted + ": ", column))
                };
                Self::Json(fields.iter().map(field).collect::<Result<_, _>>()?)
            }
            Generator::Array { of, min, max } => {
                check_length(*min, *max, MOST_ELEMENTS)?;
                if !of.generator.is_free() || matches!(of.generator, Generator::Array { .. }) {
                    return Err("elements can't count rows, nor be arrays".into());
                }
                Self::Array { of: Box::new(site.within("[]", of)?), min: *min, max: *max }
            }
            Generator::Offset { column, min, max, shape } => {
                let column = site.beside(column)?;
                if !column.maker().is_countable() {
                    return Err("nothing can be added to the other column".into());
                }
                Self::Offset { column, distance: Numbers::new(*min, *max, 0, *shape)? }
            }
            Generator::Dependent { on, share, generator } => {
                if !(0.0..=1.0).contains(share) || !generator.is_free() {
                    return Err("only values that don't count rows can follow others".into());
                }
                let inner = ColumnSpec {
                    name: site.column.to_owned(),
                    generator: (**generator).clone(),
                    null_ratio: 0.0,
                };
                Self::Dependent {
                    on: site.beside(on)?,
                    below: threshold(*share),
                    always: *share >= 1.0,
                    inner: site.beside(&inner)?,
                }
            }
            other => return Err(format!("{other:?} is made elsewhere")),
        })
    }

    /// Whether something can be added to the values.
    fn is_countable(&self) -> bool {
        match self {
            Self::Timestamp { .. } | Self::Moments(_) | Self::Days(_) => true,
            Self::Float { .. } | Self::Reals(_) | Self::Bool { .. } => false,
            Self::Offset { column, .. } | Self::Parent { column, .. } => {
                column.maker().is_countable()
            }
            Self::Dependent { inner, .. } => inner.maker().is_countable(),
            other => other.is_bare(),
        }
    }

    /// Whether JSON and arrays take the text of the values without quotes.
    pub(super) fn is_bare(&self) -> bool {
        match self {
            Self::Sequence { .. }
            | Self::Integer { .. }
            | Self::Float { .. }
            | Self::Bool { .. }
            | Self::Numbers(_)
            | Self::Reals(_)
            | Self::Permuted { .. } => true,
            Self::Offset { column, .. } | Self::Parent { column, .. } => column.maker().is_bare(),
            Self::Dependent { inner, .. } => inner.maker().is_bare(),
            _ => false,
        }
    }
}

fn check_length(min: u32, max: u32, most: u32) -> Result<(), String> {
    if min > max || max > most {
        return Err(format!("lengths of {min} to {max}: give min <= max <= {most}"));
    }
    Ok(())
}

fn check_times(start_us: i64, step_us: i64, rows: u64) -> Result<(), String> {
    let last = last_of(start_us, step_us, rows);
    if !TIMES_US.contains(&start_us) || !last.is_some_and(|t| TIMES_US.contains(&t)) {
        return Err("timestamps leave the years 1 to 9999".into());
    }
    Ok(())
}

/// Sorted by value, so that the order in a file does not change the rows.
fn weighted(choices: &[(String, f64)]) -> Result<Maker, String> {
    let mut sorted = choices.to_vec();
    sorted.sort_by(|a, b| a.0.cmp(&b.0));
    let total: f64 = sorted.iter().map(|(_, weight)| weight).sum();
    if sorted.is_empty()
        || !total.is_finite()
        || sorted.iter().any(|(_, w)| w.is_nan() || *w <= 0.0)
    {
        return Err("weights must be above 0 and finite in sum".into());
    }
    let mut sum = 0.0;
    let mut below = Vec::new();
    for (_, weight) in &sorted[..sorted.len() - 1] {
        sum += weight;
        below.push(threshold(sum / total));
    }
    let choices = sorted.iter().map(|(value, _)| both(value)).collect::<Result<_, _>>()?;
    Ok(Maker::Weighted { below, choices })
}

fn without_nul(text: &str) -> Result<&str, String> {
    if text.contains('\0') {
        return Err("a text holds a NUL, which Postgres refuses".into());
    }
    Ok(text)
}

/// A text as it is, and as COPY's text format writes it.
fn both(text: impl AsRef<str>) -> Result<[String; 2], String> {
    let text = without_nul(text.as_ref())?;
    let mut escaped = text.as_bytes().to_vec();
    escape_copy(&mut escaped, 0);
    Ok([text.into(), String::from_utf8(escaped).map_err(|e| e.to_string())?])
}

fn last_of(start: i64, step: i64, rows: u64) -> Option<i64> {
    let steps = i64::try_from(rows.saturating_sub(1)).ok()?;
    start.checked_add(step.checked_mul(steps)?)
}
