//! One column, made ready: its key, and its generator checked and unfolded.
//!
//! A value is a keyed mix of the row number and nothing else: two rounds of `SplitMix64`'s finaliser (Steele, Lea and
//! Flood, OOPSLA 2014) under a 128-bit key that is the SHA-256 of seed, table and column. Rows are input, so any row is
//! as cheap as the next one and no state is shared between threads. A stream cipher would do the same at five times
//! the cost; nobody attacks these rows, they only have to look independent and be the same everywhere.

use std::borrow::Cow;

use sha2::{Digest, Sha256};

use super::names::{FIRST, LAST, WORDS};
use super::spec::{ColumnSpec, Generator};
use super::value::{Value, write_unsigned};

/// More words in one value than this is a mistake, not a text.
const MOST_WORDS: u32 = 10_000;
/// 0001-01-01 and 9999-12-31 in microseconds since 1970: what prints as a plain date.
const TIMES_US: std::ops::RangeInclusive<i64> = -62_135_596_800_000_000..=253_402_300_799_999_999;

/// One column, made ready.
#[derive(Debug, Clone)]
pub(super) struct Column {
    key: [u64; 2],
    null_key: [u64; 2],
    /// Rows whose mix is below it are NULL; none at 0.
    null_below: u64,
    maker: Maker,
}

/// The generator, unfolded. Texts stand twice: as they are, and as COPY escapes them.
#[derive(Debug, Clone)]
enum Maker {
    Sequence { start: i64, step: i64 },
    Template { pieces: Vec<[String; 2]> },
    PersonName,
    Weighted { below: Vec<u64>, choices: Vec<[String; 2]> },
    Timestamp { start_us: i64, step_us: i64 },
    Integer { min: i64, span: u64 },
    Float { min: f64, max: f64 },
    Bool { below: u64, always: bool },
    Words { min: u32, max: u32 },
    Uuid,
    Constant { text: [String; 2] },
}

/// How texts are to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// As they are.
    Plain,
    /// With the escapes of COPY's text format.
    Copy,
}

impl Column {
    /// Checks a column and makes it ready for rows 1 to `rows`.
    pub(super) fn new(
        seed: u64,
        table: &str,
        rows: u64,
        spec: &ColumnSpec,
    ) -> Result<Self, String> {
        if !(0.0..=1.0).contains(&spec.null_ratio) {
            return Err(format!("null ratio {} is not between 0 and 1", spec.null_ratio));
        }
        let mut hash = Sha256::new();
        hash.update(b"querylab rows 1");
        hash.update(seed.to_le_bytes());
        for part in [table, &spec.name] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part.as_bytes());
        }
        let digest = hash.finalize();
        let word = |i: usize| {
            u64::from_le_bytes(
                digest[i * 8..i * 8 + 8].try_into().expect("eight bytes of a digest"),
            )
        };
        Ok(Self {
            key: [word(0), word(1)],
            null_key: [word(2), word(3)],
            null_below: threshold(spec.null_ratio),
            maker: Maker::new(&spec.generator, rows)?,
        })
    }

    /// The value of a row.
    pub(super) fn value(&self, row: u64) -> Value<'_> {
        if self.is_null(row) {
            return Value::Null;
        }
        let word = mix(self.key, row, 0);
        match &self.maker {
            Maker::Sequence { start, step } => Value::Int(along(*start, *step, row)),
            Maker::Timestamp { start_us, step_us } => {
                Value::TimestampUs(along(*start_us, *step_us, row))
            }
            Maker::Integer { min, span } => Value::Int(whole(*min, *span, word)),
            Maker::Float { min, max } => Value::Float(real(*min, *max, word)),
            Maker::Bool { below, always } => Value::Bool(*always || word < *below),
            Maker::Uuid => Value::Uuid(self.uuid(row, word)),
            Maker::Weighted { below, choices } => {
                Value::Text(Cow::Borrowed(&choices[pick(below, word)][Form::Plain as usize]))
            }
            Maker::Constant { text } => Value::Text(Cow::Borrowed(&text[Form::Plain as usize])),
            Maker::Template { .. } | Maker::PersonName | Maker::Words { .. } => {
                let mut out = Vec::new();
                self.write(row, Form::Plain, &mut out);
                Value::Text(Cow::Owned(String::from_utf8(out).expect("made of whole texts")))
            }
        }
    }

    /// Appends the text of a row's value; `\N` for NULL in the form of COPY, else nothing.
    pub(super) fn write(&self, row: u64, form: Form, out: &mut Vec<u8>) {
        if self.is_null(row) {
            if form == Form::Copy {
                out.extend_from_slice(b"\\N");
            }
            return;
        }
        match &self.maker {
            Maker::Template { pieces } => {
                for (i, piece) in pieces.iter().enumerate() {
                    if i > 0 {
                        write_unsigned(row, out);
                    }
                    out.extend_from_slice(piece[form as usize].as_bytes());
                }
            }
            Maker::PersonName => {
                let word = mix(self.key, row, 0);
                out.extend_from_slice(FIRST[one_of(FIRST.len(), word >> 32)].as_bytes());
                out.push(b' ');
                out.extend_from_slice(LAST[one_of(LAST.len(), word & 0xffff_ffff)].as_bytes());
            }
            Maker::Weighted { below, choices } => {
                let choice = pick(below, mix(self.key, row, 0));
                out.extend_from_slice(choices[choice][form as usize].as_bytes());
            }
            Maker::Words { min, max } => {
                let count = min + scaled(max - min + 1, mix(self.key, row, 0) >> 32);
                for i in 1..=u64::from(count) {
                    if i > 1 {
                        out.push(b' ');
                    }
                    let word = mix(self.key, row, i) >> 32;
                    out.extend_from_slice(WORDS[one_of(WORDS.len(), word)].as_bytes());
                }
            }
            Maker::Constant { text } => out.extend_from_slice(text[form as usize].as_bytes()),
            // Numbers, times and UUIDs hold nothing that COPY would escape.
            _ => self.value(row).write_text(out),
        }
    }

    /// Whether a row's value is NULL.
    pub(super) fn is_null(&self, row: u64) -> bool {
        self.null_below > 0 && mix(self.null_key, row, 0) < self.null_below
    }

    fn uuid(&self, row: u64, word: u64) -> [u8; 16] {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&word.to_be_bytes());
        bytes[8..].copy_from_slice(&mix(self.key, row, 1).to_be_bytes());
        bytes[6] = bytes[6] & 0x0f | 0x40;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        bytes
    }
}

impl Maker {
    fn new(generator: &Generator, rows: u64) -> Result<Self, String> {
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
                let last = last_of(*start_us, *step_us, rows);
                if !TIMES_US.contains(start_us) || !last.is_some_and(|t| TIMES_US.contains(&t)) {
                    return Err("timestamps leave the years 1 to 9999".into());
                }
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
                if min > max || *max > MOST_WORDS {
                    return Err(format!("{min} to {max} words: give min <= max <= {MOST_WORDS}"));
                }
                Self::Words { min: *min, max: *max }
            }
            Generator::Uuid => Self::Uuid,
            Generator::Constant { value } => Self::Constant { text: both(value)? },
        })
    }
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

/// A text as it is, and as COPY's text format writes it.
fn both(text: impl AsRef<str>) -> Result<[String; 2], String> {
    let text = text.as_ref();
    if text.contains('\0') {
        return Err("a text holds a NUL, which Postgres refuses".into());
    }
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' => escaped.push_str("\\\\"),
            '\t' => escaped.push_str("\\t"),
            '\n' => escaped.push_str("\\n"),
            '\r' => escaped.push_str("\\r"),
            c => escaped.push(c),
        }
    }
    Ok([text.into(), escaped])
}

/// The smallest word that is not below a share of all words.
fn threshold(share: f64) -> u64 {
    // As casts saturate, a share of 1 becomes the largest word; 2^-64 of the rows escape it.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 0 and 2^64, and the cast saturates"
    )]
    let word = (share * 18_446_744_073_709_551_616.0) as u64;
    word
}

fn last_of(start: i64, step: i64, rows: u64) -> Option<i64> {
    let steps = i64::try_from(rows.saturating_sub(1)).ok()?;
    start.checked_add(step.checked_mul(steps)?)
}

fn along(start: i64, step: i64, row: u64) -> i64 {
    start.wrapping_add(step.wrapping_mul(row.wrapping_sub(1).cast_signed()))
}

/// Multiply and shift instead of a remainder: the bias is below span / 2^64, which no dataset can show.
fn whole(min: i64, span: u64, word: u64) -> i64 {
    let offset =
        if span == 0 { word } else { ((u128::from(word) * u128::from(span)) >> 64) as u64 };
    min.wrapping_add(offset.cast_signed())
}

fn real(min: f64, max: f64, word: u64) -> f64 {
    let unit = (word >> 11) as f64 / 9_007_199_254_740_992.0;
    let x = min + unit * (max - min);
    // Rounding may reach `max`, which is not in the range.
    if x < max { x } else { max.next_down() }
}

/// Position below `count` from 32 random bits.
fn scaled(count: u32, bits: u64) -> u32 {
    ((u64::from(count) * (bits & 0xffff_ffff)) >> 32) as u32
}

fn one_of(count: usize, bits: u64) -> usize {
    scaled(u32::try_from(count).expect("the lists are short"), bits) as usize
}

fn pick(below: &[u64], word: u64) -> usize {
    below.partition_point(|limit| word >= *limit)
}

/// The keyed mix: a well spread word for each (key, row, lane).
fn mix(key: [u64; 2], row: u64, lane: u64) -> u64 {
    const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;
    let counter = row.wrapping_mul(GOLDEN).wrapping_add(key[0]);
    finalise(finalise(counter) ^ key[1].wrapping_add(lane.wrapping_mul(GOLDEN)))
}

fn finalise(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
