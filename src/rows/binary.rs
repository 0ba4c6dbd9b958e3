//! Rows in COPY's binary format: the same values as in its text format, without printing and parsing them.
//!
//! Each form here is what the `…_recv` function of a type reads. A value that a column's type takes only as text has no
//! form here, and its table is copied as text.

use super::column::{Column, Form};
use super::maker::Maker;
use super::table::Rows;
use super::value::Value;

/// What the format begins with: signature, flags, no extension.
pub const BINARY_START: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
/// What it ends with.
pub const BINARY_END: &[u8] = &[0xff, 0xff];

/// Microseconds and days from 1970 to 2000, where Postgres begins to count.
const EPOCH_US: i64 = 946_684_800_000_000;
const EPOCH_DAYS: i64 = 10_957;
const DAY_US: i64 = 86_400_000_000;

/// How the values of a type travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wire {
    /// As their text: texts, JSON, labels of enums.
    Text,
    /// As a version and their text.
    Jsonb,
    /// One byte.
    Bool,
    /// Two bytes.
    Int2,
    /// Four bytes.
    Int4,
    /// Eight bytes.
    Int8,
    /// IEEE 754, four bytes.
    Float4,
    /// IEEE 754, eight bytes.
    Float8,
    /// Digits to the base of 10,000.
    Numeric,
    /// Microseconds since 2000, with a zone or without.
    Timestamp,
    /// Days since 2000.
    Date,
    /// Sixteen bytes.
    Uuid,
    /// Bytes as they are.
    Bytes,
    /// Two numbers as IEEE 754, eight bytes each.
    Point,
}

/// What a column's values are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Whole,
    Decimal,
    Real,
    Truth,
    Moment,
    Day,
    Uuid,
    Bytes,
    Point,
    Text,
}

impl Rows {
    /// Whether the values of a column can travel so.
    ///
    /// # Panics
    ///
    /// If there is no such column: positions come from [`Rows::column`].
    pub fn travels_as(&self, column: usize, wire: Wire) -> bool {
        let kind = kind(self.columns()[column].maker());
        match wire {
            Wire::Text | Wire::Jsonb => true,
            Wire::Bool => kind == Kind::Truth,
            Wire::Int2 | Wire::Int4 | Wire::Int8 => kind == Kind::Whole,
            Wire::Float4 | Wire::Float8 => {
                matches!(kind, Kind::Real | Kind::Whole | Kind::Decimal)
            }
            Wire::Numeric => matches!(kind, Kind::Whole | Kind::Decimal),
            Wire::Timestamp | Wire::Date => matches!(kind, Kind::Moment | Kind::Day),
            Wire::Uuid => kind == Kind::Uuid,
            Wire::Bytes => kind == Kind::Bytes,
            Wire::Point => kind == Kind::Point,
        }
    }

    /// Appends a row, its values in such forms.
    ///
    /// # Errors
    ///
    /// A fragment that names the column whose value its type does not hold.
    pub fn write_binary_row(
        &self,
        wires: &[Wire],
        row: u64,
        out: &mut Vec<u8>,
    ) -> Result<(), String> {
        let count = i16::try_from(wires.len()).map_err(|_| "there are too many columns")?;
        out.extend_from_slice(&count.to_be_bytes());
        for ((column, wire), spec) in self.columns().iter().zip(wires).zip(&self.spec().columns) {
            column.write_binary(*wire, row, out).map_err(|what| {
                format!("row {row} of `{}.{}`: {what}", self.spec().name, spec.name)
            })?;
        }
        Ok(())
    }
}

/// What a generator makes.
fn kind(maker: &Maker) -> Kind {
    match maker {
        Maker::Sequence { .. } | Maker::Integer { .. } | Maker::Permuted { .. } => Kind::Whole,
        Maker::Numbers(numbers) if numbers.are_whole() => Kind::Whole,
        Maker::Numbers(_) => Kind::Decimal,
        Maker::Float { .. } | Maker::Reals(_) => Kind::Real,
        Maker::Bool { .. } => Kind::Truth,
        Maker::Timestamp { .. } | Maker::Moments(_) => Kind::Moment,
        Maker::Days(_) => Kind::Day,
        Maker::Uuid | Maker::UuidV7 { .. } => Kind::Uuid,
        Maker::Bytes { .. } => Kind::Bytes,
        Maker::Point(_) => Kind::Point,
        Maker::Parent { column, .. } | Maker::Offset { column, .. } => kind(column.maker()),
        Maker::Dependent { inner, .. } => kind(inner.maker()),
        Maker::Weighted { choices, .. } => kind_of_texts(choices.iter()),
        Maker::Constant { text } => kind_of_texts(std::iter::once(text)),
        _ => Kind::Text,
    }
}

/// Texts of a list may all be numbers, or truth values.
fn kind_of_texts<'t>(mut texts: impl Iterator<Item = &'t [String; 2]> + Clone) -> Kind {
    let plain = |text: &[String; 2]| text[Form::Plain as usize].clone();
    if texts.clone().all(|text| plain(text).parse::<i64>().is_ok()) {
        Kind::Whole
    } else if texts.all(|text| plain(text).parse::<bool>().is_ok()) {
        Kind::Truth
    } else {
        Kind::Text
    }
}

impl Column {
    fn write_binary(&self, wire: Wire, row: u64, out: &mut Vec<u8>) -> Result<(), String> {
        let start = out.len();
        // The length, once it is known; that of NULL until then.
        out.extend_from_slice(&(-1_i32).to_be_bytes());
        if self.is_null(row) {
            return Ok(());
        }
        match wire {
            Wire::Text => self.write(row, Form::Plain, out),
            Wire::Jsonb => {
                out.push(1);
                self.write(row, Form::Plain, out);
            }
            Wire::Point => {
                for x in self.place(row).ok_or("it is no point")? {
                    out.extend_from_slice(&x.to_be_bytes());
                }
            }
            _ => put(wire, &self.value(row), out)?,
        }
        let length = i32::try_from(out.len() - start - 4).map_err(|_| "it is too long")?;
        out[start..start + 4].copy_from_slice(&length.to_be_bytes());
        Ok(())
    }
}

/// Appends a value in the form of a type.
fn put(wire: Wire, value: &Value<'_>, out: &mut Vec<u8>) -> Result<(), String> {
    let beyond = |kind: &str| format!("{} does not fit {kind}", value.text().unwrap_or_default());
    match (wire, value) {
        (Wire::Bool, Value::Bool(truth)) => out.push(u8::from(*truth)),
        (Wire::Bool, Value::Text(text)) => {
            out.push(u8::from(text.parse::<bool>().map_err(|_| beyond("boolean"))?));
        }
        (Wire::Int2, _) => {
            let n = i16::try_from(whole(value)?).map_err(|_| beyond("smallint"))?;
            out.extend_from_slice(&n.to_be_bytes());
        }
        (Wire::Int4, _) => {
            let n = i32::try_from(whole(value)?).map_err(|_| beyond("integer"))?;
            out.extend_from_slice(&n.to_be_bytes());
        }
        (Wire::Int8, _) => out.extend_from_slice(&whole(value)?.to_be_bytes()),
        (Wire::Float8, Value::Float(x)) => out.extend_from_slice(&x.to_be_bytes()),
        // From the text, as Postgres itself would: rounded once.
        (Wire::Float8, _) => {
            let x: f64 = number(value).ok_or_else(|| beyond("double precision"))?;
            out.extend_from_slice(&x.to_be_bytes());
        }
        (Wire::Float4, _) => {
            let x: f32 = number(value).ok_or_else(|| beyond("real"))?;
            if x.is_infinite() {
                return Err(beyond("real"));
            }
            out.extend_from_slice(&x.to_be_bytes());
        }
        (Wire::Numeric, Value::Decimal(units, scale)) => put_numeric(*units, *scale, out),
        (Wire::Numeric, _) => put_numeric(whole(value)?, 0, out),
        (Wire::Timestamp, Value::TimestampUs(us)) => put_moment(*us, out),
        (Wire::Timestamp, Value::Date(day)) => put_moment(day.saturating_mul(DAY_US), out),
        (Wire::Date, Value::Date(day)) => put_day(*day, out),
        (Wire::Date, Value::TimestampUs(us)) => put_day(us.div_euclid(DAY_US), out),
        (Wire::Uuid, Value::Uuid(bytes)) => out.extend_from_slice(bytes),
        (Wire::Bytes, Value::Bytes(bytes)) => out.extend_from_slice(bytes),
        _ => return Err(beyond("the column's type")),
    }
    Ok(())
}

fn whole(value: &Value<'_>) -> Result<i64, String> {
    match value {
        Value::Int(n) => Ok(*n),
        Value::Text(text) => text.parse().map_err(|_| format!("`{text}` is no whole number")),
        other => Err(format!("{other:?} is no whole number")),
    }
}

fn number<T: std::str::FromStr>(value: &Value<'_>) -> Option<T> {
    value.text()?.parse().ok()
}

/// A moment is in the years 1 to 9999, so nothing overflows.
fn put_moment(us: i64, out: &mut Vec<u8>) {
    out.extend_from_slice(&us.saturating_sub(EPOCH_US).to_be_bytes());
}

fn put_day(day: i64, out: &mut Vec<u8>) {
    let day = i32::try_from(day.saturating_sub(EPOCH_DAYS)).unwrap_or(i32::MAX);
    out.extend_from_slice(&day.to_be_bytes());
}

/// Units of the last of `scale` digits after the point, which are 9 at most.
fn put_numeric(units: i64, scale: u32, out: &mut Vec<u8>) {
    const BASE: u64 = 10_000;
    const ONES: [u64; 10] =
        [1, 10, 100, 1000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000, 1_000_000_000];
    let scale = (scale as usize).min(9);
    let (one, groups) = (ONES[scale], scale.div_ceil(4));
    let (mut before, after) = (units.unsigned_abs() / one, units.unsigned_abs() % one);
    // As many digits as fill the groups: 12 where nine are asked for.
    let mut after = after * ([1, BASE, BASE * BASE, BASE * BASE * BASE][groups] / one);
    // The least significant digit first: three after the point at most, five before it.
    let mut digits = [0_u16; 8];
    let mut used = 0;
    for _ in 0..groups {
        digits[used] = (after % BASE) as u16;
        after /= BASE;
        used += 1;
    }
    while before > 0 {
        digits[used] = (before % BASE) as u16;
        before /= BASE;
        used += 1;
    }
    let digits = &digits[..used];
    let low = digits.iter().take_while(|digit| **digit == 0).count();
    let high = digits.iter().rev().take_while(|digit| **digit == 0).count();
    let shown = if low < used { &digits[low..used - high] } else { &[] };
    // Eight digits at most, three of them after the point.
    let small = |n: usize| i16::try_from(n).unwrap_or(i16::MAX);
    let weight = if shown.is_empty() { 0 } else { small(used - high) - small(groups) - 1 };
    out.extend_from_slice(&small(shown.len()).to_be_bytes());
    out.extend_from_slice(&weight.to_be_bytes());
    out.extend_from_slice(if units < 0 { &[0x40, 0] } else { &[0, 0] });
    out.extend_from_slice(&small(scale).to_be_bytes());
    for digit in shown.iter().rev() {
        out.extend_from_slice(&digit.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::rows::{ColumnSpec, Generator, RowOrder, TableSpec};

    fn bytes(wire: Wire, value: &Value<'_>) -> Vec<u8> {
        let mut out = Vec::new();
        put(wire, value, &mut out).expect("it fits");
        out
    }

    #[test]
    fn values_are_what_postgres_sends_for_them() {
        assert_eq!(bytes(Wire::Int4, &Value::Int(-2)), [255, 255, 255, 254]);
        assert_eq!(bytes(Wire::Int2, &Value::Text("7".into())), [0, 7]);
        assert_eq!(bytes(Wire::Float4, &Value::Decimal(15, 1)), [0x3f, 0xc0, 0, 0]);
        assert_eq!(bytes(Wire::Float8, &Value::Int(1)), [0x3f, 0xf0, 0, 0, 0, 0, 0, 0]);
        let (moment, day) = (Value::TimestampUs(EPOCH_US + 1), Value::Date(EPOCH_DAYS - 1));
        assert_eq!(bytes(Wire::Timestamp, &moment), [0, 0, 0, 0, 0, 0, 0, 1]);
        assert_eq!(bytes(Wire::Date, &day), [255, 255, 255, 255]);
        assert_eq!(bytes(Wire::Date, &Value::TimestampUs(EPOCH_US - 1)), [255, 255, 255, 255]);
        assert_eq!(bytes(Wire::Timestamp, &day), (-DAY_US).to_be_bytes());
        let numeric = |units, scale| bytes(Wire::Numeric, &Value::Decimal(units, scale));
        // Digits, weight, sign, scale, and the digits: 12345.67, -0.05, 0.00, 10000, 0.000000012.
        assert_eq!(numeric(1_234_567, 2), [0, 3, 0, 1, 0, 0, 0, 2, 0, 1, 0x09, 0x29, 0x1a, 0x2c]);
        assert_eq!(numeric(-5, 2), [0, 1, 255, 255, 0x40, 0, 0, 2, 0x01, 0xf4]);
        assert_eq!(numeric(0, 2), [0, 0, 0, 0, 0, 0, 0, 2]);
        assert_eq!(numeric(10_000, 0), [0, 1, 0, 1, 0, 0, 0, 0, 0, 1]);
        assert_eq!(numeric(12, 9), [0, 2, 255, 254, 0, 0, 0, 9, 0, 1, 0x07, 0xd0]);
    }

    #[test]
    fn what_a_type_does_not_hold_is_an_error() {
        for (wire, value) in [
            (Wire::Int2, Value::Int(40_000)),
            (Wire::Int4, Value::Int(1 << 40)),
            (Wire::Int8, Value::Text("x".into())),
            (Wire::Float4, Value::Float(1e300)),
            (Wire::Uuid, Value::Int(1)),
        ] {
            assert!(put(wire, &value, &mut Vec::new()).is_err(), "{wire:?} {value:?}");
        }
    }

    #[test]
    fn a_point_is_the_two_numbers_of_its_text() {
        let point = Generator::Point { area: [-180.0, -90.0, 180.0, 90.0] };
        let column = ColumnSpec { name: "p".into(), generator: point, null_ratio: 0.0 };
        let columns = vec![column];
        let spec = TableSpec { name: "t".into(), rows: 9, columns, order: RowOrder::Clustered };
        let rows = Rows::new(1, spec).expect("good");
        assert!(rows.travels_as(0, Wire::Point) && !rows.travels_as(0, Wire::Float8));
        let (mut out, mut text) = (Vec::new(), Vec::new());
        rows.write_binary_row(&[Wire::Point], 3, &mut out).expect("it fits");
        rows.write_text(0, 3, &mut text);
        let number =
            |at: usize| f64::from_be_bytes(out[at..at + 8].try_into().expect("eight bytes"));
        assert_eq!(format!("({},{})", number(6), number(14)).into_bytes(), text);
        assert_eq!(out.len(), 22);
    }

    #[test]
    fn a_row_has_its_columns_with_their_lengths() {
        let column = |name: &str, generator, null_ratio| ColumnSpec {
            name: name.into(),
            generator,
            null_ratio,
        };
        let choices = ["1", "2"].map(|text| (text.to_owned(), 1.0)).to_vec();
        let columns = vec![
            column("n", Generator::Sequence { start: 7, step: 1 }, 0.0),
            column("none", Generator::Uuid, 1.0),
            column("text", Generator::Constant { value: "a\tb".into() }, 0.0),
            column("some", Generator::Weighted { choices }, 0.0),
        ];
        let spec = TableSpec { name: "t".into(), rows: 9, columns, order: RowOrder::Clustered };
        let rows = Rows::new(1, spec).expect("good");
        let wires = [Wire::Int4, Wire::Uuid, Wire::Text, Wire::Int2];
        assert!((0..4).all(|at| rows.travels_as(at, wires[at])));
        assert!(!rows.travels_as(2, Wire::Int4) && !rows.travels_as(3, Wire::Bool));
        let mut out = Vec::new();
        rows.write_binary_row(&wires, 2, &mut out).expect("it fits");
        let start = [0, 4, 0, 0, 0, 4, 0, 0, 0, 8, 255, 255, 255, 255, 0, 0, 0, 3];
        assert_eq!(out[..18], start);
        assert_eq!(out[18..26], *b"a\tb\0\0\0\x02\0");
        assert_eq!(out.len(), 27);
        let wrong = rows.write_binary_row(&[Wire::Bytes], 2, &mut Vec::new()).unwrap_err();
        assert!(wrong.starts_with("row 2 of `t.n`: "), "{wrong}");
    }

    /// The value of a numeric, in units of the last digit, read back as `numeric_recv` does.
    fn read_numeric(bytes: &[u8], scale: u32) -> i128 {
        let word = |at: usize| i16::from_be_bytes([bytes[2 * at], bytes[2 * at + 1]]);
        let (count, weight) = (word(0), i32::from(word(1)));
        let mut units = 0_i128;
        for at in 0..count {
            let power = 4 * (weight - i32::from(at)) + i32::try_from(scale).expect("small");
            let digit = i128::from(word(4 + usize::try_from(at).expect("a count")));
            units += if power >= 0 {
                digit * 10_i128.pow(power.unsigned_abs())
            } else {
                let below = 10_i128.pow(power.unsigned_abs());
                assert_eq!(digit % below, 0, "a digit beyond the scale");
                digit / below
            };
        }
        if word(2) == 0 { units } else { -units }
    }

    proptest! {
        #[test]
        fn every_decimal_is_itself(units: i64, scale in 0u32..=9) {
            let bytes = bytes(Wire::Numeric, &Value::Decimal(units, scale));
            prop_assert_eq!(read_numeric(&bytes, scale), i128::from(units));
        }
    }
}
