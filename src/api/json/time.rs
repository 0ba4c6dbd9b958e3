//! Dates and times. Postgres counts days and microseconds from 2000-01-01; its years go beyond those of `chrono`.

use std::io::Write as _;

#[cfg(test)]
use super::codec::tests::{check, written};
use super::reader::{Malformed, Reader, exactly};

const MICROS_PER_SECOND: u64 = 1_000_000;
const MICROS_PER_DAY: i64 = 86_400_000_000;

/// Days from 0000-03-01 to 2000-01-01, in the proleptic Gregorian calendar.
const DAYS_TO_2000: i64 = 730_425;

/// `date`.
pub(super) fn date(bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Malformed> {
    match exactly(bytes, Reader::i32)? {
        i32::MAX => out.extend_from_slice(b"\"infinity\""),
        i32::MIN => out.extend_from_slice(b"\"-infinity\""),
        days => {
            out.push(b'"');
            let era = calendar_day(i64::from(days), out)?;
            out.extend_from_slice(era);
            out.push(b'"');
        }
    }
    Ok(())
}

/// `timestamp`: ISO 8601 without a zone.
pub(super) fn timestamp(bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Malformed> {
    instant(bytes, b"", out)
}

/// `timestamptz`: RFC 3339 in UTC.
pub(super) fn timestamptz(bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Malformed> {
    instant(bytes, b"Z", out)
}

fn instant(bytes: &[u8], zone: &[u8], out: &mut Vec<u8>) -> Result<(), Malformed> {
    match exactly(bytes, Reader::i64)? {
        i64::MAX => out.extend_from_slice(b"\"infinity\""),
        i64::MIN => out.extend_from_slice(b"\"-infinity\""),
        micros => {
            out.push(b'"');
            let era = calendar_day(micros.div_euclid(MICROS_PER_DAY), out)?;
            out.push(b'T');
            clock(micros.rem_euclid(MICROS_PER_DAY), out)?;
            out.extend_from_slice(zone);
            out.extend_from_slice(era);
            out.push(b'"');
        }
    }
    Ok(())
}

/// `time`; 24:00:00 is a time in Postgres.
pub(super) fn time(bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Malformed> {
    let micros = exactly(bytes, Reader::i64)?;
    out.push(b'"');
    clock(micros, out)?;
    out.push(b'"');
    Ok(())
}

/// `timetz`: the zone comes as seconds west of Greenwich.
pub(super) fn timetz(bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Malformed> {
    let mut reader = Reader::new(bytes);
    let (micros, west) = (reader.i64()?, reader.i32()?);
    reader.end()?;
    out.push(b'"');
    clock(micros, out)?;
    out.push(if west > 0 { b'-' } else { b'+' });
    let offset = u64::from(west.unsigned_abs());
    if offset >= 86_400 {
        return Err(Malformed);
    }
    two_digits(offset / 3600, out);
    out.push(b':');
    two_digits(offset / 60 % 60, out);
    if offset % 60 != 0 {
        out.push(b':');
        two_digits(offset % 60, out);
    }
    out.push(b'"');
    Ok(())
}

/// `interval`: ISO 8601, each part with its own sign, as Postgres writes it in its style `iso_8601`.
pub(super) fn interval(bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Malformed> {
    let mut reader = Reader::new(bytes);
    let (micros, days, months) = (reader.i64()?, reader.i32()?, reader.i32()?);
    reader.end()?;
    match (micros, days, months) {
        (0, 0, 0) => out.extend_from_slice(b"\"PT0S\""),
        (i64::MAX, i32::MAX, i32::MAX) => out.extend_from_slice(b"\"infinity\""),
        (i64::MIN, i32::MIN, i32::MIN) => out.extend_from_slice(b"\"-infinity\""),
        _ => {
            out.extend_from_slice(b"\"P");
            part(i64::from(months / 12), b'Y', out)?;
            part(i64::from(months % 12), b'M', out)?;
            part(i64::from(days), b'D', out)?;
            if micros != 0 {
                interval_clock(micros, out)?;
            }
            out.push(b'"');
        }
    }
    Ok(())
}

fn interval_clock(micros: i64, out: &mut Vec<u8>) -> Result<(), Malformed> {
    let sign = micros.signum();
    out.push(b'T');
    part(micros / 3_600_000_000, b'H', out)?;
    part(micros / 60_000_000 % 60, b'M', out)?;
    let below_a_minute = (micros % 60_000_000).unsigned_abs();
    if below_a_minute != 0 {
        if sign < 0 {
            out.push(b'-');
        }
        write!(out, "{}", below_a_minute / MICROS_PER_SECOND).map_err(|_| Malformed)?;
        fraction(below_a_minute % MICROS_PER_SECOND, out);
        out.push(b'S');
    }
    Ok(())
}

fn part(value: i64, unit: u8, out: &mut Vec<u8>) -> Result<(), Malformed> {
    if value != 0 {
        write!(out, "{value}").map_err(|_| Malformed)?;
        out.push(unit);
    }
    Ok(())
}

/// Writes `YYYY-MM-DD` of a day counted from 2000-01-01, and returns the era to write behind the time.
///
/// Counting years from March puts the leap day at the end of the year, which makes the rest plain division.
fn calendar_day(days: i64, out: &mut Vec<u8>) -> Result<&'static [u8], Malformed> {
    let from_march = days + DAYS_TO_2000;
    let cycle = from_march.div_euclid(146_097);
    let day_of_cycle = from_march.rem_euclid(146_097);
    let year_of_cycle =
        (day_of_cycle - day_of_cycle / 1460 + day_of_cycle / 36_524 - day_of_cycle / 146_096) / 365;
    let day_of_year =
        day_of_cycle - (365 * year_of_cycle + year_of_cycle / 4 - year_of_cycle / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = cycle * 400 + year_of_cycle + i64::from(month <= 2);
    let (year, era): (i64, &'static [u8]) = if year > 0 { (year, b"") } else { (1 - year, b" BC") };
    match u64::try_from(year) {
        Ok(year @ 0..=9999) => {
            two_digits(year / 100, out);
            two_digits(year % 100, out);
        }
        _ => write!(out, "{year}").map_err(|_| Malformed)?,
    }
    for number in [month, day] {
        out.push(b'-');
        two_digits(u64::try_from(number).map_err(|_| Malformed)?, out);
    }
    Ok(era)
}

/// `HH:MM:SS`, with as much of a fraction as there is.
fn clock(micros: i64, out: &mut Vec<u8>) -> Result<(), Malformed> {
    if !(0..=MICROS_PER_DAY).contains(&micros) {
        return Err(Malformed);
    }
    let micros = micros.unsigned_abs();
    let seconds = micros / MICROS_PER_SECOND;
    two_digits(seconds / 3600, out);
    out.push(b':');
    two_digits(seconds / 60 % 60, out);
    out.push(b':');
    two_digits(seconds % 60, out);
    fraction(micros % MICROS_PER_SECOND, out);
    Ok(())
}

/// `.5` of 500,000 microseconds; nothing of none.
fn fraction(micros: u64, out: &mut Vec<u8>) {
    if micros == 0 {
        return;
    }
    out.push(b'.');
    two_digits(micros / 10_000, out);
    two_digits(micros / 100 % 100, out);
    two_digits(micros % 100, out);
    while out.last() == Some(&b'0') {
        out.pop();
    }
}

/// The last two decimal digits.
pub(super) fn two_digits(number: u64, out: &mut Vec<u8>) {
    for digit in [number / 10 % 10, number % 10] {
        out.push(b"0123456789"[usize::try_from(digit).unwrap_or(0)]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_calendar_days() {
        check("date_send", &0_i32.to_be_bytes(), "\"2000-01-01\"");
        check("date_send", &59_i32.to_be_bytes(), "\"2000-02-29\"");
        check("date_send", &(-1_i32).to_be_bytes(), "\"1999-12-31\"");
        check("date_send", &i32::MAX.to_be_bytes(), "\"infinity\"");
        check("date_send", &i32::MIN.to_be_bytes(), "\"-infinity\"");
    }

    #[test]
    fn every_day_of_eight_centuries_is_the_day_that_chrono_says() {
        let first = chrono::NaiveDate::from_ymd_opt(2000, 1, 1).expect("a day");
        for days in -146_097..146_097_i32 {
            let day = first + chrono::Duration::days(i64::from(days));
            check("date_send", &days.to_be_bytes(), &format!("\"{}\"", day.format("%Y-%m-%d")));
        }
    }

    #[test]
    fn the_ends_of_the_calendar_are_written_whole() {
        check("date_send", &2_145_031_948_i32.to_be_bytes(), "\"5874897-12-31\"");
        check("date_send", &(-2_451_507_i32).to_be_bytes(), "\"4713-01-01 BC\"");
        check("date_send", &(-730_120_i32).to_be_bytes(), "\"0001-12-31 BC\"");
        check("date_send", &(-730_119_i32).to_be_bytes(), "\"0001-01-01\"");
    }

    #[test]
    fn instants_carry_only_the_fraction_they_have() {
        check("timestamp_send", &0_i64.to_be_bytes(), "\"2000-01-01T00:00:00\"");
        check("timestamptz_send", &1_500_000_i64.to_be_bytes(), "\"2000-01-01T00:00:01.5Z\"");
        check("timestamptz_send", &(-1_i64).to_be_bytes(), "\"1999-12-31T23:59:59.999999Z\"");
        check("timestamptz_send", &i64::MAX.to_be_bytes(), "\"infinity\"");
        check("timestamp_send", &i64::MIN.to_be_bytes(), "\"-infinity\"");
    }

    #[test]
    fn times_of_day_and_their_zones() {
        check("time_send", &86_400_000_000_i64.to_be_bytes(), "\"24:00:00\"");
        assert_eq!(written("time_send", &86_400_000_001_i64.to_be_bytes()), Err(Malformed));
        let zoned =
            |west: i32| [&43_200_000_000_i64.to_be_bytes()[..], &west.to_be_bytes()].concat();
        check("timetz_send", &zoned(-7200), "\"12:00:00+02:00\"");
        check("timetz_send", &zoned(12_600), "\"12:00:00-03:30\"");
        check("timetz_send", &zoned(-1), "\"12:00:00+00:00:01\"");
    }

    #[test]
    fn intervals_keep_months_days_and_time_apart() {
        let bytes = |micros: i64, days: i32, months: i32| {
            [&micros.to_be_bytes()[..], &days.to_be_bytes(), &months.to_be_bytes()].concat()
        };
        check("interval_send", &bytes(0, 0, 0), "\"PT0S\"");
        check("interval_send", &bytes(14_706_700_000, 3, 14), "\"P1Y2M3DT4H5M6.7S\"");
        check("interval_send", &bytes(-500_000, -1, -1), "\"P-1M-1DT-0.5S\"");
        check("interval_send", &bytes(i64::MAX, i32::MAX, i32::MAX), "\"infinity\"");
    }
}
