//! Numbers: JSON numbers where a double or an integer is what was stored, strings where the digits are.

#[cfg(test)]
use super::codec::tests::{check, written};
use super::reader::{Malformed, Reader, exactly};

/// `true` or `false`.
pub(super) fn boolean(bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Malformed> {
    let word: &[u8] = match bytes {
        [0] => b"false",
        [1] => b"true",
        _ => return Err(Malformed),
    };
    out.extend_from_slice(word);
    Ok(())
}

/// `smallint`.
pub(super) fn int2(bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Malformed> {
    write(&exactly(bytes, Reader::i16)?, out)
}

/// `integer`.
pub(super) fn int4(bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Malformed> {
    write(&exactly(bytes, Reader::i32)?, out)
}

/// `bigint`.
pub(super) fn int8(bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Malformed> {
    write(&exactly(bytes, Reader::i64)?, out)
}

/// `oid`, `xid`.
pub(super) fn uint4(bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Malformed> {
    write(&exactly(bytes, Reader::u32)?, out)
}

/// `xid8`.
pub(super) fn uint8(bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Malformed> {
    write(&exactly(bytes, Reader::u64)?, out)
}

/// `real`: the shortest digits that give the same single.
pub(super) fn float4(bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Malformed> {
    let value = exactly(bytes, Reader::f32)?;
    if value.is_finite() {
        return write(&value, out);
    }
    out.extend_from_slice(not_finite(f64::from(value)));
    Ok(())
}

/// `double precision`: the shortest digits that give the same double.
pub(super) fn float8(bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Malformed> {
    let value = exactly(bytes, Reader::f64)?;
    if value.is_finite() {
        return write(&value, out);
    }
    out.extend_from_slice(not_finite(value));
    Ok(())
}

fn not_finite(value: f64) -> &'static [u8] {
    if value.is_nan() {
        b"\"NaN\""
    } else if value > 0.0 {
        b"\"Infinity\""
    } else {
        b"\"-Infinity\""
    }
}

fn write<T: serde::Serialize>(value: &T, out: &mut Vec<u8>) -> Result<(), Malformed> {
    serde_json::to_writer(out, value).map_err(|_| Malformed)
}

/// `money`, in hundredths: the digits of a locale with two decimals, which is what a server of ours has.
pub(super) fn money(bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Malformed> {
    let value = exactly(bytes, Reader::i64)?;
    out.push(b'"');
    if value < 0 {
        out.push(b'-');
    }
    write(&(value.unsigned_abs() / 100), out)?;
    out.push(b'.');
    super::time::two_digits(value.unsigned_abs() % 100, out);
    out.push(b'"');
    Ok(())
}

/// `numeric`: a string with every digit that Postgres keeps, trailing zeros included.
pub(super) fn numeric(bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Malformed> {
    let mut reader = Reader::new(bytes);
    let count = usize::from(reader.u16()?);
    let weight = i32::from(reader.i16()?);
    let sign = reader.u16()?;
    let scale = usize::from(reader.u16()?);
    let word: &[u8] = match sign {
        0x0000 => b"\"",
        0x4000 => b"\"-",
        0xC000 => b"\"NaN\"",
        0xD000 => b"\"Infinity\"",
        0xF000 => b"\"-Infinity\"",
        _ => return Err(Malformed),
    };
    out.extend_from_slice(word);
    if sign & 0x8000 != 0 {
        return reader.end();
    }
    let groups = reader.take(count * 2)?;
    reader.end()?;
    decimal_digits(groups, weight, scale, out)?;
    out.push(b'"');
    Ok(())
}

/// Groups of four decimal digits; group `weight` places left of the point comes first.
fn decimal_digits(
    groups: &[u8],
    weight: i32,
    scale: usize,
    out: &mut Vec<u8>,
) -> Result<(), Malformed> {
    let group = |position: i32| -> Result<[u8; 4], Malformed> {
        let start = usize::try_from(position).ok().map(|position| position * 2);
        let value = match start.and_then(|start| groups.get(start..start + 2)) {
            Some(bytes) => u16::from_be_bytes([bytes[0], bytes[1]]),
            None => 0,
        };
        let digit = |n: u16| u8::try_from(n % 10).map(|n| b'0' + n).map_err(|_| Malformed);
        if value > 9999 {
            return Err(Malformed);
        }
        Ok([digit(value / 1000)?, digit(value / 100)?, digit(value / 10)?, digit(value)?])
    };
    if weight < 0 {
        out.push(b'0');
    } else {
        let first = group(0)?;
        let zeros = first.iter().take(3).take_while(|digit| **digit == b'0').count();
        out.extend_from_slice(&first[zeros..]);
        for position in 1..=weight {
            out.extend_from_slice(&group(position)?);
        }
    }
    if scale == 0 {
        return Ok(());
    }
    out.push(b'.');
    let end = out.len() + scale;
    let mut position = weight + 1;
    while out.len() < end {
        let digits = group(position)?;
        let wanted = digits.len().min(end - out.len());
        out.extend_from_slice(&digits[..wanted]);
        position += 1;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(weight: i16, sign: u16, scale: u16, groups: &[u16]) -> Vec<u8> {
        let mut bytes = Vec::new();
        bytes.extend(u16::try_from(groups.len()).expect("short").to_be_bytes());
        bytes.extend(weight.to_be_bytes());
        bytes.extend(sign.to_be_bytes());
        bytes.extend(scale.to_be_bytes());
        for group in groups {
            bytes.extend(group.to_be_bytes());
        }
        bytes
    }

    #[test]
    fn whole_numbers_are_json_numbers() {
        check("int2send", &[0xFF, 0xFE], "-2");
        check("int4send", &[0x7F, 0xFF, 0xFF, 0xFF], "2147483647");
        check("int8send", &i64::MIN.to_be_bytes(), "-9223372036854775808");
        check("oidsend", &[0xFF; 4], "4294967295");
        check("xid8send", &[0xFF; 8], "18446744073709551615");
    }

    #[test]
    fn floats_keep_their_shortest_digits_and_what_is_no_number_is_a_string() {
        check("float8send", &0.1_f64.to_be_bytes(), "0.1");
        check("float8send", &(-1e300_f64).to_be_bytes(), "-1e+300");
        check("float4send", &0.1_f32.to_be_bytes(), "0.1");
        check("float8send", &f64::NAN.to_be_bytes(), "\"NaN\"");
        check("float8send", &f64::INFINITY.to_be_bytes(), "\"Infinity\"");
        check("float4send", &f32::NEG_INFINITY.to_be_bytes(), "\"-Infinity\"");
    }

    #[test]
    fn a_boolean_is_zero_or_one_and_nothing_else() {
        check("boolsend", &[1], "true");
        check("boolsend", &[0], "false");
        assert_eq!(written("boolsend", &[2]), Err(Malformed));
    }

    #[test]
    fn a_numeric_keeps_every_digit() {
        check("numeric_send", &parts(0, 0, 2, &[12, 3400]), "\"12.34\"");
        check("numeric_send", &parts(0, 0x4000, 0, &[7]), "\"-7\"");
        check("numeric_send", &parts(0, 0, 0, &[]), "\"0\"");
        check("numeric_send", &parts(0, 0, 3, &[]), "\"0.000\"");
        check("numeric_send", &parts(-2, 0, 8, &[1]), "\"0.00000001\"");
        check("numeric_send", &parts(2, 0, 0, &[1]), "\"100000000\"");
        check("numeric_send", &parts(1, 0, 1, &[1234, 5678, 9000]), "\"12345678.9\"");
        check("numeric_send", &parts(0, 0xC000, 0, &[]), "\"NaN\"");
        check("numeric_send", &parts(0, 0xF000, 0, &[]), "\"-Infinity\"");
        assert_eq!(written("numeric_send", &parts(0, 0, 0, &[10_000])), Err(Malformed));
        assert_eq!(written("numeric_send", &parts(0, 1, 0, &[1])), Err(Malformed));
    }

    #[test]
    fn money_is_a_decimal_string() {
        check("cash_send", &123_456_i64.to_be_bytes(), "\"1234.56\"");
        check("cash_send", &(-5_i64).to_be_bytes(), "\"-0.05\"");
    }
}
