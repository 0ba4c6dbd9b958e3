//! Columns of moments and days, and the UUIDs that hold one.

use chrono::{DateTime, NaiveDate};

use super::around::{Mistake, mistake};
use crate::rows::{Generator, Order};
use crate::spec::{Column, MomentOrder, Scalar};
use crate::units::Span;

/// The last moment that fits a Postgres timestamp and four digits of year, in microseconds.
const LAST_US: i64 = 253_402_300_799_999_999;
/// The first one.
const FIRST_US: i64 = -62_135_596_800_000_000;

const HELP: &str = "write like `start = \"2024-01-01T00:00:00Z\"`";

pub(super) fn timestamp(column: &Column, rows: u64) -> Result<Generator, Mistake> {
    let start_us = start(column)?;
    let Some(end) = &column.end else {
        let step_us = step(column, start_us, rows)?;
        return Ok(Generator::Timestamp { start_us, step_us });
    };
    let end_us = moment("end", end)?;
    if start_us >= end_us {
        return mistake("end", "it ends before it starts", "state a later `end`");
    }
    if !(FIRST_US..=LAST_US).contains(&start_us) || end_us > LAST_US {
        return mistake("end", "moments are of the years 1 to 9999", "move the range");
    }
    let hours = column.business_hours.as_deref().map(hours).transpose()?;
    let moments = Generator::Moment {
        start_us,
        end_us,
        growth: growth(column)?,
        hours,
        order: order(column),
    };
    if hours.is_some() && crate::rows::trial(&moments).is_err() {
        let what = "no business hour lies between `start` and `end`";
        return mistake("business_hours", what, "they are on Mondays to Fridays, in UTC");
    }
    Ok(moments)
}

pub(super) fn date(column: &Column) -> Result<Generator, Mistake> {
    let help = "write like `\"2024-01-31\"`";
    let day = |key, text: Option<&str>| match text.map(str::parse::<NaiveDate>) {
        Some(Ok(day)) => match day.signed_duration_since(NaiveDate::default()).num_days() {
            days if (-719_162..=2_932_896).contains(&days) => Ok(days),
            _ => mistake(key, "days are of the years 1 to 9999", help),
        },
        Some(Err(_)) => mistake(key, "this is no day", help),
        None => mistake(key, format!("`date` has no `{key}`"), help),
    };
    let first = match &column.start {
        Some(Scalar::Text(text)) => day("start", Some(text))?,
        Some(_) => return mistake("start", "a day is written as text", help),
        None => day("start", None)?,
    };
    let last = day("end", column.end.as_deref())?;
    if first > last {
        return mistake("end", "it ends before it starts", "state a later `end`");
    }
    Ok(Generator::Date { first, last, growth: growth(column)?, order: order(column) })
}

pub(super) fn uuid(column: &Column, rows: u64) -> Result<Generator, Mistake> {
    match column.version.unwrap_or(4) {
        4 => Ok(Generator::Uuid),
        7 => {
            let start_us = start(column)?;
            if start_us < 0 {
                let what = "a UUID of version 7 holds no moment before 1970";
                return mistake("start", what, HELP);
            }
            Ok(Generator::UuidV7 { start_us, step_us: step(column, start_us, rows)? })
        }
        other => {
            let what = format!("version {other} is not made here");
            mistake("version", what, "write 4 for random ones, 7 for ones that rise with time")
        }
    }
}

fn start(column: &Column) -> Result<i64, Mistake> {
    match &column.start {
        Some(Scalar::Text(text)) => moment("start", text),
        Some(_) => mistake("start", "a moment is written as text", HELP),
        None => mistake("start", "the generator has no start", HELP),
    }
}

fn moment(key: &str, text: &str) -> Result<i64, Mistake> {
    match DateTime::parse_from_rfc3339(text) {
        Ok(moment) => Ok(moment.timestamp_micros()),
        Err(_) => mistake(key, "this is no moment in RFC 3339", HELP),
    }
}

/// The distance from row to row, at which the last row is not after the last year.
fn step(column: &Column, start_us: i64, rows: u64) -> Result<i64, Mistake> {
    let step_us = match &column.step {
        None => 1_000_000,
        Some(Scalar::Text(text)) => match text.parse::<Span>() {
            Ok(span) if span.0 % 1000 == 0 => i64::try_from(span.0 / 1000).unwrap_or(i64::MAX),
            Ok(_) => {
                return mistake(
                    "step",
                    "Postgres counts in whole microseconds",
                    "write like `1us`",
                );
            }
            Err(bad) => return mistake("step", bad.what, bad.hint),
        },
        Some(_) => return mistake("step", "a step has a unit", "write like `step = \"1s\"`"),
    };
    let steps = i64::try_from(rows.saturating_sub(1)).unwrap_or(i64::MAX);
    let last = step_us.checked_mul(steps).and_then(|distance| distance.checked_add(start_us));
    match last {
        Some(last) if last <= LAST_US && start_us >= FIRST_US => Ok(step_us),
        Some(_) if start_us < FIRST_US => {
            mistake("start", "moments are of the years 1 to 9999", "state a later `start`")
        }
        _ => mistake("step", "the last row is after the year 9999", "take smaller steps"),
    }
}

fn growth(column: &Column) -> Result<f64, Mistake> {
    match column.growth.unwrap_or(1.0) {
        growth if (0.001..=1000.0).contains(&growth) => Ok(growth),
        _ => mistake("growth", "a growth is from 0.001 to 1000", "write like `4` for four times"),
    }
}

fn order(column: &Column) -> Order {
    match column.order {
        None | Some(MomentOrder::Random) => Order::Random,
        Some(MomentOrder::Ascending) => Order::Ascending,
    }
}

/// Minutes of the day from `09:00-17:00`.
fn hours(text: &str) -> Result<[u32; 2], Mistake> {
    let minute = |time: &str| {
        let (hour, minute) = time.trim().split_once(':')?;
        let digits = |part: &str| (part.len() == 2).then(|| part.parse::<u32>().ok()).flatten();
        let (hour, minute) = (digits(hour)?, digits(minute)?);
        (hour < 24 && minute < 60 || hour == 24 && minute == 0).then_some(hour * 60 + minute)
    };
    let ends = text.split_once('-').and_then(|(open, close)| minute(open).zip(minute(close)));
    match ends {
        Some((open, close)) if open < close => Ok([open, close]),
        _ => {
            let what = format!("`{text}` are no hours of one day");
            mistake("business_hours", what, "write like `\"09:00-17:00\"`")
        }
    }
}
