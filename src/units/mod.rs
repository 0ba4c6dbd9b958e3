//! Quantities with their units: durations, bytes, rates, shares.
//!
//! An author writes `"30s"`, `"256MB"`, `"500/s"`, `"5%"`; the program holds one integer or float of one unit
//! and prints it back with the unit. Nothing else in the program parses or prints a humanised number.

mod print;

use std::time::Duration;

pub use print::{bytes, count, duration_ns, hex, latency_ns, ratio, share, sig3};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// No duration in a file may exceed this: `Instant + huge` panics, and no experiment needs more.
pub const LONGEST: Duration = Duration::from_hours(24);

/// A text that is not the quantity it should be: what is wrong, and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadUnit {
    /// What is wrong, as a fragment: "`5` has no unit".
    pub what: String,
    /// What to write instead: "write `\"5s\"`".
    pub hint: String,
}

impl std::fmt::Display for BadUnit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({})", self.what, self.hint)
    }
}

fn bad<T>(what: impl Into<String>, hint: impl Into<String>) -> Result<T, BadUnit> {
    Err(BadUnit { what: what.into(), hint: hint.into() })
}

/// A duration in nanoseconds, written `"250ms"`, `"30s"`, `"45m"`, at most 24 hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Span(pub u64);

impl Span {
    /// The same as a standard duration.
    pub const fn duration(self) -> Duration {
        Duration::from_nanos(self.0)
    }

    /// A span of whole milliseconds.
    pub const fn from_millis(ms: u64) -> Self {
        Self(ms * 1_000_000)
    }

    /// A span of whole seconds.
    pub const fn from_secs(s: u64) -> Self {
        Self(s * 1_000_000_000)
    }

    /// Seconds, as a float.
    pub fn secs(self) -> f64 {
        self.0 as f64 / 1e9
    }
}

impl std::str::FromStr for Span {
    type Err = BadUnit;

    fn from_str(text: &str) -> Result<Self, BadUnit> {
        if text.trim_start().starts_with('-') {
            return bad(
                format!("`{text}` is negative"),
                "a duration is zero or more, like `\"5s\"`",
            );
        }
        if text.trim().parse::<f64>().is_ok() {
            return bad(format!("`{text}` has no unit"), format!("write `\"{}s\"`", text.trim()));
        }
        match humantime::parse_duration(text.trim()) {
            Ok(d) if d > LONGEST => {
                bad(format!("`{text}` is longer than 24 hours"), "write at most `\"24h\"`")
            }
            Ok(d) => Ok(Self(u64::try_from(d.as_nanos()).unwrap_or(u64::MAX))),
            Err(_) => bad(
                format!("`{text}` is not a duration"),
                "write it like `\"250ms\"`, `\"30s\"` or `\"45m\"`",
            ),
        }
    }
}

impl std::fmt::Display for Span {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&humantime::format_duration(self.duration()).to_string().replace(' ', ""))
    }
}

/// A distance in time between two values, in whole microseconds: written like a [`Span`], but up to 100 years (`"30d"`).
///
/// # Errors
///
/// What is wrong with it, and what to write instead.
pub fn distance_us(text: &str) -> Result<i64, BadUnit> {
    const MOST: Duration = Duration::from_hours(100 * 366 * 24);
    if text.trim().parse::<f64>().is_ok() {
        return bad(format!("`{text}` has no unit"), "write it like `\"90s\"` or `\"30d\"`");
    }
    match humantime::parse_duration(text.trim()) {
        Ok(d) if d > MOST => bad(format!("`{text}` is longer than 100 years"), "write less"),
        Ok(d) if d.subsec_nanos() % 1000 != 0 => {
            bad(format!("`{text}` is finer than a microsecond"), "write whole microseconds")
        }
        Ok(d) => Ok(i64::try_from(d.as_micros()).unwrap_or(i64::MAX)),
        Err(_) => {
            bad(format!("`{text}` is not a duration"), "write it like `\"90s\"` or `\"30d\"`")
        }
    }
}

/// A number of bytes, written `"256MB"` or `"10m"`; powers of 1024, as Postgres and Redis count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Bytes(pub u64);

impl std::str::FromStr for Bytes {
    type Err = BadUnit;

    fn from_str(text: &str) -> Result<Self, BadUnit> {
        let t = text.trim();
        let digits = t.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(t.len());
        let (number, unit) = t.split_at(digits);
        let factor: u64 = match unit.trim().to_ascii_lowercase().as_str() {
            "b" => 1,
            "k" | "kb" | "kib" => 1 << 10,
            "m" | "mb" | "mib" => 1 << 20,
            "g" | "gb" | "gib" => 1 << 30,
            "t" | "tb" | "tib" => 1 << 40,
            "" => return bad(format!("`{text}` has no unit"), format!("write `\"{t}MB\"`")),
            _ => {
                return bad(
                    format!("`{text}` is not a size"),
                    "write it like `\"256MB\"` or `\"1GB\"`",
                );
            }
        };
        match number.parse::<f64>() {
            Ok(n) if n.is_finite() && n * (factor as f64) < 1e18 => {
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "checked: finite, digits only, under 1e18"
                )]
                let bytes = (n * factor as f64) as u64;
                Ok(Self(bytes))
            }
            _ => bad(format!("`{text}` is not a size"), "write it like `\"256MB\"` or `\"1GB\"`"),
        }
    }
}

impl std::fmt::Display for Bytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        const UNITS: [(u64, &str); 4] =
            [(1 << 40, "TB"), (1 << 30, "GB"), (1 << 20, "MB"), (1 << 10, "kB")];
        for (factor, unit) in UNITS {
            if self.0 >= factor && self.0.is_multiple_of(factor) {
                return write!(f, "{}{unit}", self.0 / factor);
            }
        }
        write!(f, "{}B", self.0)
    }
}

/// A rate in events per second, written `"500/s"`, `"30/m"`; more than 0, at most a million.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Rate(pub f64);

impl std::str::FromStr for Rate {
    type Err = BadUnit;

    fn from_str(text: &str) -> Result<Self, BadUnit> {
        let hint = "write it like `\"500/s\"`";
        let Some((number, unit)) = text.trim().split_once('/') else {
            return bad(format!("`{text}` is not a rate"), hint);
        };
        let per = match unit.trim() {
            "s" => 1.0,
            "m" | "min" => 60.0,
            "h" => 3600.0,
            _ => return bad(format!("`{text}` is not a rate"), hint),
        };
        match number.trim().replace('_', "").parse::<f64>() {
            Ok(n) if n.is_finite() && n > 0.0 && n / per <= 1e6 => Ok(Self(n / per)),
            Ok(_) => bad(
                format!("`{text}` is out of range"),
                "a rate is more than 0 and at most `\"1000000/s\"`",
            ),
            Err(_) => bad(format!("`{text}` is not a rate"), hint),
        }
    }
}

impl std::fmt::Display for Rate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/s", self.0)
    }
}

/// A share of the whole, 0.05 for `"5%"`.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Default)]
pub struct Share(pub f64);

impl std::str::FromStr for Share {
    type Err = BadUnit;

    fn from_str(text: &str) -> Result<Self, BadUnit> {
        let Some(number) = text.trim().strip_suffix('%') else {
            return bad(format!("`{text}` is not a percentage"), "write it like `\"5%\"`");
        };
        match number.trim().parse::<f64>() {
            Ok(n) if (0.0..=1000.0).contains(&n) => Ok(Self(n / 100.0)),
            _ => bad(
                format!("`{text}` is not a percentage"),
                "write it like `\"5%\"`, from 0% to 1000%",
            ),
        }
    }
}

impl std::fmt::Display for Share {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Rounded, because 0.07 * 100.0 is 7.000000000000001.
        write!(f, "{}%", (self.0 * 1e10).round() / 1e8)
    }
}

/// Text form in files, and a named format in the JSON schema, for each quantity.
macro_rules! as_text {
    ($($name:ident, $format:literal, $says:literal, $example:literal;)*) => {$(
        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.collect_str(self)
            }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(d)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
        impl JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> { stringify!($name).into() }
            fn inline_schema() -> bool { true }
            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string", "format": $format, "description": $says, "examples": [$example] })
            }
        }
    )*};
}
as_text! {
    Span, "querylab-duration", "A duration with its unit, at most 24h.", "30s";
    Bytes, "querylab-bytes", "A size with its unit, in powers of 1024.", "256MB";
    Rate, "querylab-rate", "Events per second, minute or hour.", "500/s";
    Share, "querylab-share", "A percentage.", "5%";
}

/// Checks `text` against one of the formats named in the schema; `None` if the format is not one of ours.
pub fn check_format(format: &str, text: &str) -> Option<Result<(), BadUnit>> {
    Some(match format {
        "querylab-duration" => text.parse::<Span>().map(drop),
        "querylab-bytes" => text.parse::<Bytes>().map(drop),
        "querylab-rate" => text.parse::<Rate>().map(drop),
        "querylab-share" => text.parse::<Share>().map(drop),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_read_with_their_unit_and_printed_back() {
        assert_eq!("30s".parse(), Ok(Span::from_secs(30)));
        assert_eq!("250ms".parse(), Ok(Span::from_millis(250)));
        assert_eq!("45m".parse::<Span>().expect("a duration").to_string(), "45m");
        assert_eq!("256MB".parse(), Ok(Bytes(256 << 20)));
        assert_eq!("256mb".parse::<Bytes>().expect("a size").to_string(), "256MB");
        assert_eq!("1000/s".parse(), Ok(Rate(1000.0)));
        assert_eq!("30/m".parse(), Ok(Rate(0.5)));
        assert_eq!("5%".parse(), Ok(Share(0.05)));
        assert_eq!(Share(0.07).to_string(), "7%");
    }

    #[test]
    fn what_is_no_quantity_is_refused_with_what_to_write() {
        let says = |e: BadUnit| e.to_string();
        assert_eq!(
            "5".parse::<Span>().map_err(says),
            Err("`5` has no unit (write `\"5s\"`)".into())
        );
        for wrong in ["-5s", "", "s", "99999999999y", "25h", "5 parsecs", "NaN"] {
            assert!(wrong.parse::<Span>().is_err(), "{wrong}");
        }
        for wrong in ["256", "MB", "1.5.2MB", "-1MB", "99999999999TB"] {
            assert!(wrong.parse::<Bytes>().is_err(), "{wrong}");
        }
        for wrong in ["500", "0/s", "-1/s", "inf/s", "NaN/s", "5/fortnight", "2000000/s"] {
            assert!(wrong.parse::<Rate>().is_err(), "{wrong}");
        }
        for wrong in ["5", "-5%", "NaN%", "inf%"] {
            assert!(wrong.parse::<Share>().is_err(), "{wrong}");
        }
    }
}
