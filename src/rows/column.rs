//! One column, made ready: its keys, and what makes its values.

use std::borrow::Cow;

use super::draw::{Key, keys, mix, one_of, pick, real, scaled, threshold, whole, word_of};
use super::maker::{DAYS, Maker, Part, Site, TIMES_US};
use super::names::{FIRST, LAST, WORDS, write_word};
use super::nested::{array_element, escape_copy, json_string};
use super::numbers::Numbers;
use super::spec::ColumnSpec;
use super::texts::write_company;
use super::times::uuid_v7;
use super::value::{Value, write_hex, write_unsigned};

/// Lane of what is drawn beside a value, which no value uses.
const BESIDE: u64 = u64::MAX;

/// One column, made ready.
#[derive(Debug, Clone)]
pub(super) struct Column {
    key: Key,
    null_key: Key,
    /// Rows whose mix is below it are NULL; none at 0.
    null_below: u64,
    maker: Maker,
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
        let [key, null_key] = keys(seed, table, &spec.name);
        let site = Site { seed, table, rows, column: &spec.name, key };
        Ok(Self {
            key,
            null_key,
            null_below: threshold(spec.null_ratio),
            maker: Maker::new(&site, &spec.generator)?,
        })
    }

    pub(super) fn maker(&self) -> &Maker {
        &self.maker
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
            Maker::Numbers(numbers) => numbers.value(self.key, row),
            Maker::Reals(numbers) => Value::Float(numbers.value(self.key, row)),
            Maker::Moments(moments) => Value::TimestampUs(moments.at(self.key, row)),
            Maker::Days(days) => Value::Date(days.at(self.key, row)),
            Maker::UuidV7 { start_us, step_us } => {
                Value::Uuid(uuid_v7(along(*start_us, *step_us, row), word))
            }
            Maker::Permuted { min, places } => {
                Value::Int(min.wrapping_add_unsigned(places.at(row.wrapping_sub(1))))
            }
            Maker::Parent { column, choice } => column.value(choice.of(self.key, row)),
            Maker::Offset { column, distance } => self.shifted(column, distance, row),
            Maker::Dependent { on, below, always, inner } => {
                inner.value(self.source(on, (*below, *always), row))
            }
            Maker::Bytes { .. } => Value::Bytes(self.bytes(row).collect()),
            Maker::Template { .. }
            | Maker::PersonName
            | Maker::Words { .. }
            | Maker::Mail(_)
            | Maker::Company
            | Maker::Text(_)
            | Maker::Format(_)
            | Maker::Json(_)
            | Maker::Array { .. }
            | Maker::Inet(_)
            | Maker::Point(_) => {
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
                    write_word(one_of(WORDS.len(), word), out);
                }
            }
            Maker::Constant { text } => out.extend_from_slice(text[form as usize].as_bytes()),
            Maker::Mail(mail) => mail.write(self.key, row, out),
            Maker::Company => write_company(self.key, row, out),
            Maker::Text(text) => text.write(self.key, row, out),
            Maker::Inet(network) => network.write(self.key, row, out),
            Maker::Parent { column, choice } => column.write(choice.of(self.key, row), form, out),
            Maker::Dependent { on, below, always, inner } => {
                inner.write(self.source(on, (*below, *always), row), form, out);
            }
            Maker::Bytes { .. } => {
                out.extend_from_slice(if form == Form::Copy { "\\\\x" } else { "\\x" }.as_bytes());
                for byte in self.bytes(row) {
                    write_hex(byte, out);
                }
            }
            Maker::Format(_) | Maker::Json(_) | Maker::Array { .. } | Maker::Point(_) => {
                let start = out.len();
                self.write_composed(row, out);
                if form == Form::Copy {
                    escape_copy(out, start);
                }
            }
            // Numbers, times and UUIDs hold nothing that COPY would escape.
            _ => self.value(row).write_text(out),
        }
    }

    /// Whether a row's value is NULL.
    pub(super) fn is_null(&self, row: u64) -> bool {
        let follows = matches!(&self.maker, Maker::Offset { column, .. } if column.is_null(row));
        follows || self.null_below > 0 && mix(self.null_key, row, 0) < self.null_below
    }

    fn uuid(&self, row: u64, word: u64) -> [u8; 16] {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&word.to_be_bytes());
        bytes[8..].copy_from_slice(&mix(self.key, row, 1).to_be_bytes());
        bytes[6] = bytes[6] & 0x0f | 0x40;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        bytes
    }

    /// The bytes of a row; none where the column has no bytes.
    fn bytes(&self, row: u64) -> impl Iterator<Item = u8> {
        let (min, max) = match self.maker {
            Maker::Bytes { min, max } => (min, max),
            _ => (0, 0),
        };
        let count = min + scaled(max - min + 1, mix(self.key, row, 0) >> 32);
        let words = (1_u64..).map(move |lane| mix(self.key, row, lane).to_be_bytes());
        words.flatten().take(count as usize)
    }

    /// The other column's value and a distance; NULL where nothing can be added.
    fn shifted(&self, column: &Self, distance: &Numbers, row: u64) -> Value<'_> {
        let by = distance.units(self.key, row);
        match column.value(row) {
            Value::Int(n) => Value::Int(n.saturating_add(by)),
            Value::Decimal(units, scale) => Value::Decimal(units.saturating_add(by), scale),
            Value::TimestampUs(us) => {
                let (least, most) = (*TIMES_US.start(), *TIMES_US.end());
                Value::TimestampUs(us.saturating_add(by).clamp(least, most))
            }
            Value::Date(day) => {
                Value::Date(day.saturating_add(by).clamp(*DAYS.start(), *DAYS.end()))
            }
            _ => Value::Null,
        }
    }

    /// The number that stands for a row: the same for equal values of another column, but for some rows their own.
    fn source(&self, on: &Self, (below, always): (u64, bool), row: u64) -> u64 {
        let follows = always || mix(self.key, row, BESIDE) < below;
        if follows { word_of(&on.value(row)) } else { row }
    }

    /// The point of a row; none where it is NULL, or the column has no points.
    pub(super) fn place(&self, row: u64) -> Option<[f64; 2]> {
        match &self.maker {
            _ if self.is_null(row) => None,
            Maker::Point([left, low, right, high]) => {
                let word = |lane| mix(self.key, row, lane);
                Some([real(*left, *right, word(0)), real(*low, *high, word(1))])
            }
            Maker::Parent { column, choice } => column.place(choice.of(self.key, row)),
            Maker::Dependent { on, below, always, inner } => {
                inner.place(self.source(on, (*below, *always), row))
            }
            _ => None,
        }
    }

    fn write_composed(&self, row: u64, out: &mut Vec<u8>) {
        match &self.maker {
            Maker::Format(parts) => {
                for part in parts {
                    match part {
                        Part::Text(text) => out.extend_from_slice(text.as_bytes()),
                        Part::Row => write_unsigned(row, out),
                        Part::Column(column) => column.write(row, Form::Plain, out),
                    }
                }
            }
            Maker::Json(fields) => {
                for (i, (name, column)) in fields.iter().enumerate() {
                    out.extend_from_slice(if i == 0 { "{" } else { ", " }.as_bytes());
                    out.extend_from_slice(name.as_bytes());
                    column.write_json(row, out);
                }
                out.extend_from_slice(if fields.is_empty() { "{}" } else { "}" }.as_bytes());
            }
            Maker::Array { of, .. } => {
                out.push(b'{');
                for (i, element) in self.elements(row).enumerate() {
                    if i > 0 {
                        out.push(b',');
                    }
                    if of.is_null(element) {
                        out.extend_from_slice(b"NULL");
                    } else if of.maker.is_bare() {
                        of.write(element, Form::Plain, out);
                    } else {
                        array_element(out, |out| of.write(element, Form::Plain, out));
                    }
                }
                out.push(b'}');
            }
            Maker::Point(_) => {
                let [x, y] = self.place(row).unwrap_or_default();
                out.push(b'(');
                Value::Float(x).write_text(out);
                out.push(b',');
                Value::Float(y).write_text(out);
                out.push(b')');
            }
            _ => {}
        }
    }

    /// The numbers that stand for the elements of a row's array.
    fn elements(&self, row: u64) -> impl Iterator<Item = u64> {
        let (min, max) = match &self.maker {
            Maker::Array { min, max, .. } => (*min, *max),
            _ => (0, 0),
        };
        let count = min + scaled(max - min + 1, mix(self.key, row, 0) >> 32);
        (1..=u64::from(count)).map(move |lane| mix(self.key, row, lane))
    }

    /// Appends a row's value as JSON.
    fn write_json(&self, row: u64, out: &mut Vec<u8>) {
        if self.is_null(row) {
            return out.extend_from_slice(b"null");
        }
        match &self.maker {
            Maker::Json(_) => self.write_composed(row, out),
            Maker::Array { of, .. } => {
                out.push(b'[');
                for (i, element) in self.elements(row).enumerate() {
                    if i > 0 {
                        out.extend_from_slice(b", ");
                    }
                    of.write_json(element, out);
                }
                out.push(b']');
            }
            Maker::Parent { column, choice } => column.write_json(choice.of(self.key, row), out),
            Maker::Dependent { on, below, always, inner } => {
                inner.write_json(self.source(on, (*below, *always), row), out);
            }
            maker if maker.is_bare() => self.write(row, Form::Plain, out),
            _ => json_string(out, |out| self.write(row, Form::Plain, out)),
        }
    }
}

fn along(start: i64, step: i64, row: u64) -> i64 {
    start.wrapping_add(step.wrapping_mul(row.wrapping_sub(1).cast_signed()))
}
