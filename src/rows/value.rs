//! One value, and the text that Postgres takes for it.

use std::borrow::Cow;

/// Microseconds of a day.
const DAY_US: i64 = 86_400_000_000;

/// One generated value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value<'a> {
    /// No value.
    Null,
    /// A whole number.
    Int(i64),
    /// A finite number.
    Float(f64),
    /// A number with a fixed number of digits after the point: units of the last one, and how many there are.
    Decimal(i64, u32),
    /// A truth value.
    Bool(bool),
    /// A text.
    Text(Cow<'a, str>),
    /// Microseconds since 1970 UTC, in the years 1 to 9999.
    TimestampUs(i64),
    /// Days since 1970-01-01, in the years 1 to 9999.
    Date(i64),
    /// Bytes.
    Bytes(Vec<u8>),
    /// The bytes of a UUID in their order of print.
    Uuid([u8; 16]),
}

impl Value<'_> {
    /// Appends the text that Postgres takes as input of the value's type; nothing for NULL, which has no text.
    pub fn write_text(&self, out: &mut Vec<u8>) {
        match self {
            Value::Null => {}
            Value::Int(n) => write_int(*n, out),
            Value::Float(x) => write_float(*x, out),
            Value::Bool(b) => out.extend_from_slice(if *b { b"true" } else { b"false" }),
            Value::Text(text) => out.extend_from_slice(text.as_bytes()),
            Value::Decimal(units, scale) => write_decimal(*units, *scale, out),
            Value::TimestampUs(us) => write_timestamp(*us, out),
            Value::Date(days) => write_date(*days, out),
            Value::Bytes(bytes) => {
                out.extend_from_slice(b"\\x");
                for byte in bytes {
                    write_hex(*byte, out);
                }
            }
            Value::Uuid(bytes) => write_uuid(bytes, out),
        }
    }

    /// The same as a string; none for NULL.
    pub fn text(&self) -> Option<String> {
        let mut out = Vec::new();
        self.write_text(&mut out);
        match self {
            Value::Null => None,
            // Every value is written as UTF-8.
            _ => String::from_utf8(out).ok(),
        }
    }
}

/// Appends a whole number in decimal digits; `format!` costs four times as much, and rows are made by the million.
pub(super) fn write_int(n: i64, out: &mut Vec<u8>) {
    if n < 0 {
        out.push(b'-');
    }
    write_unsigned(n.unsigned_abs(), out);
}

/// Appends a whole number in decimal digits.
pub(super) fn write_unsigned(mut n: u64, out: &mut Vec<u8>) {
    let mut digits = [0u8; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (n % 10) as u8;
        n /= 10;
        if n == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

/// Appends exactly `width` digits, zeros in front.
fn write_padded(mut n: u64, width: usize, out: &mut Vec<u8>) {
    let start = out.len();
    out.resize(start + width, b'0');
    for digit in out[start..].iter_mut().rev() {
        *digit = b'0' + (n % 10) as u8;
        n /= 10;
    }
}

/// Appends a finite number as `Display` writes it, the fewest digits that are read back as it; in a third of the time.
fn write_float(x: f64, out: &mut Vec<u8>) {
    let mut buffer = zmij::Buffer::new();
    let text = buffer.format_finite(x);
    // Beyond these it has an exponent, where `Display` writes zeros.
    if (1e-4..1e15).contains(&x.abs()) || x == 0.0 {
        out.extend_from_slice(text.strip_suffix(".0").unwrap_or(text).as_bytes());
    } else {
        out.extend_from_slice(x.to_string().as_bytes());
    }
}

/// Appends a number with so many digits after the point, `-0.05` for -5 and 2.
fn write_decimal(units: i64, scale: u32, out: &mut Vec<u8>) {
    if units < 0 {
        out.push(b'-');
    }
    // A scale is at most 9 where it is checked; one of 19 would no longer fit.
    let one = 10_u64.checked_pow(scale).unwrap_or(u64::MAX);
    write_unsigned(units.unsigned_abs() / one, out);
    if scale > 0 {
        out.push(b'.');
        write_padded(units.unsigned_abs() % one, scale as usize, out);
    }
}

/// Appends `2024-01-01`.
fn write_date(days: i64, out: &mut Vec<u8>) {
    let (year, month, day) = civil(days);
    write_padded(year.unsigned_abs(), 4, out);
    out.push(b'-');
    write_padded(month, 2, out);
    out.push(b'-');
    write_padded(day, 2, out);
}

/// Appends `2024-01-01 00:00:00`, with microseconds where there are any.
fn write_timestamp(us: i64, out: &mut Vec<u8>) {
    write_date(us.div_euclid(DAY_US), out);
    let in_day = us.rem_euclid(DAY_US).unsigned_abs();
    let (seconds, micros) = (in_day / 1_000_000, in_day % 1_000_000);
    out.push(b' ');
    write_padded(seconds / 3600, 2, out);
    out.push(b':');
    write_padded(seconds / 60 % 60, 2, out);
    out.push(b':');
    write_padded(seconds % 60, 2, out);
    if micros > 0 {
        out.push(b'.');
        write_padded(micros, 6, out);
    }
}

/// Year, month and day of a day since 1970-01-01, in the proleptic Gregorian calendar (Howard Hinnant's algorithm).
fn civil(days: i64) -> (i64, u64, u64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = (day_of_year - (153 * shifted_month + 2) / 5 + 1).unsigned_abs();
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month.unsigned_abs(), day)
}

/// Appends the 8-4-4-4-12 form.
fn write_uuid(bytes: &[u8; 16], out: &mut Vec<u8>) {
    for (i, byte) in bytes.iter().enumerate() {
        if matches!(i, 4 | 6 | 8 | 10) {
            out.push(b'-');
        }
        write_hex(*byte, out);
    }
}

/// Appends a byte as two digits.
pub(super) fn write_hex(byte: u8, out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.push(HEX[usize::from(byte >> 4)]);
    out.push(HEX[usize::from(byte & 15)]);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(value: &Value<'_>) -> String {
        value.text().expect("not NULL")
    }

    #[test]
    fn values_are_written_as_postgres_reads_them() {
        assert_eq!(text(&Value::Int(i64::MIN)), "-9223372036854775808");
        assert_eq!(text(&Value::Float(0.25)), "0.25");
        assert_eq!(text(&Value::Float(3.0)), "3");
        assert_eq!(text(&Value::Decimal(-5, 2)), "-0.05");
        assert_eq!(text(&Value::Decimal(123_456, 3)), "123.456");
        assert_eq!(text(&Value::Decimal(i64::MIN, 0)), i64::MIN.to_string());
        assert_eq!(text(&Value::Date(-719_162)), "0001-01-01");
        assert_eq!(text(&Value::Date(19_782)), "2024-02-29");
        assert_eq!(text(&Value::Bytes(vec![0, 255, 16])), "\\x00ff10");
        assert_eq!(text(&Value::Bool(true)), "true");
        assert_eq!(text(&Value::TimestampUs(0)), "1970-01-01 00:00:00");
        assert_eq!(text(&Value::TimestampUs(1_704_067_200_000_000)), "2024-01-01 00:00:00");
        assert_eq!(text(&Value::TimestampUs(-1)), "1969-12-31 23:59:59.999999");
        assert_eq!(text(&Value::TimestampUs(951_782_400_000_050)), "2000-02-29 00:00:00.000050");
        assert_eq!(
            text(&Value::Uuid(
                *b"\x00\x11\x22\x33\x44\x55\x46\x77\x88\x99\xaa\xbb\xcc\xdd\xee\xff"
            )),
            "00112233-4455-4677-8899-aabbccddeeff"
        );
        assert_eq!(Value::Null.text(), None);
    }

    proptest! {
        #[test]
        fn timestamps_agree_with_chrono(us in -62_135_596_800_000_000i64..253_402_300_800_000_000) {
            let theirs = chrono::DateTime::from_timestamp_micros(us).expect("in range");
            let pattern = if us.rem_euclid(1_000_000) == 0 { "%Y-%m-%d %H:%M:%S" } else { "%Y-%m-%d %H:%M:%S%.6f" };
            prop_assert_eq!(text(&Value::TimestampUs(us)), theirs.format(pattern).to_string());
        }

        #[test]
        fn dates_agree_with_chrono(days in -719_162i64..=2_932_896) {
            let theirs = chrono::DateTime::from_timestamp(days * 86_400, 0).expect("in range");
            prop_assert_eq!(text(&Value::Date(days)), theirs.format("%Y-%m-%d").to_string());
        }

        #[test]
        fn floats_agree_with_the_standard_library(bits: u64, near in -400.0f64..400.0, power in -20i32..20) {
            let any = Some(f64::from_bits(bits)).filter(|x| x.is_finite()).unwrap_or_default();
            for x in [any, near, near.trunc(), 10f64.powi(power), -0.0] {
                prop_assert_eq!(text(&Value::Float(x)), x.to_string());
            }
        }

        #[test]
        fn whole_numbers_agree_with_the_standard_library(n: i64) {
            prop_assert_eq!(text(&Value::Int(n)), n.to_string());
        }
    }
}
