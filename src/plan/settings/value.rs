//! The shapes that values of settings have, each server with its own units.

use super::Server;
use crate::spec::Scalar;

/// What a value of a setting looks like.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Shape {
    /// A whole number within limits, both included.
    Int(i64, i64),
    /// A number within limits, both included.
    Number(f64, f64),
    /// On or off.
    Switch,
    /// A size with the server's unit.
    Size,
    /// A duration with the server's unit.
    Time,
    /// A duration, or -1 for "as the general setting says" or "never".
    TimeOrMinusOne,
    /// A size, or -1 for "chosen by the server".
    SizeOrMinusOne,
    /// One of some words.
    Word(&'static [&'static str]),
    /// A whole number within limits, or `auto`.
    IntOrAuto(i64, i64),
    /// Redis' `save`: pairs of seconds and changes, or nothing.
    Save,
}

impl Shape {
    /// The text that the server gets; none if the value has not this shape.
    pub(super) fn read(self, server: Server, value: &Scalar) -> Option<String> {
        let text = value.to_string();
        let fits = match self {
            Self::Switch => return switch(server, value),
            Self::Int(min, max) => within(&text, min, max),
            Self::Number(min, max) => {
                let plain = text.bytes().all(|b| b.is_ascii_digit() || b == b'.' || b == b'-');
                plain && text.parse::<f64>().is_ok_and(|x| (min..=max).contains(&x))
            }
            Self::Size => has_unit(&text, server.sizes()),
            Self::Time => has_unit(&text, server.times()),
            Self::SizeOrMinusOne => text == "-1" || has_unit(&text, server.sizes()),
            Self::TimeOrMinusOne => text == "-1" || has_unit(&text, server.times()),
            Self::Word(words) => words.contains(&text.as_str()),
            Self::IntOrAuto(min, max) => text == "auto" || within(&text, min, max),
            Self::Save => is_save(&text),
        };
        // A truth value is a switch and nothing else, whatever its text.
        (fits && !matches!(value, Scalar::Bool(_))).then_some(text)
    }

    /// What to write.
    pub(super) fn says(self, server: Server) -> String {
        let units = |units: &[&str]| units.join("`, `");
        match self {
            Self::Switch => "write `\"on\"` or `\"off\"`".into(),
            Self::Int(min, max) => format!("write a whole number from {min} to {max}"),
            Self::Number(min, max) => format!("write a number from {min} to {max}"),
            Self::Size | Self::SizeOrMinusOne => {
                format!("write a whole number with one of the units `{}`", units(server.sizes()))
            }
            Self::Time | Self::TimeOrMinusOne => {
                format!("write a whole number with one of the units `{}`", units(server.times()))
            }
            Self::Word(words) => format!("write one of `{}`", words.join("`, `")),
            Self::IntOrAuto(min, max) => {
                format!("write `\"auto\"` or a whole number from {min} to {max}")
            }
            Self::Save => "write pairs of seconds and changes like `\"900 1 300 10\"`, or `\"\"` \
                           for never"
                .into(),
        }
    }
}

impl Server {
    fn sizes(self) -> &'static [&'static str] {
        match self {
            Self::Postgres => &["B", "kB", "MB", "GB", "TB"],
            Self::Redis => &["b", "k", "kb", "m", "mb", "g", "gb"],
            Self::Nginx => &["k", "m", "g", "K", "M", "G"],
        }
    }

    fn times(self) -> &'static [&'static str] {
        match self {
            Self::Postgres => &["us", "ms", "s", "min", "h", "d"],
            Self::Redis => &[],
            Self::Nginx => &["ms", "s", "m", "h", "d"],
        }
    }
}

/// A number of at most twelve digits and a unit, or a bare zero: nothing else is unambiguous.
fn has_unit(text: &str, units: &[&str]) -> bool {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    (1..=12).contains(&digits) && (units.contains(&unit) || (unit.is_empty() && number == "0"))
}

fn within(text: &str, min: i64, max: i64) -> bool {
    // `+5` parses, and no server's documentation shows it.
    !text.starts_with('+') && text.parse::<i64>().is_ok_and(|n| (min..=max).contains(&n))
}

fn switch(server: Server, value: &Scalar) -> Option<String> {
    let on = match value {
        Scalar::Bool(on) => *on,
        Scalar::Text(t) if matches!(t.as_str(), "on" | "yes" | "true") => true,
        Scalar::Text(t) if matches!(t.as_str(), "off" | "no" | "false") => false,
        _ => return None,
    };
    let (yes, no) = if server == Server::Redis { ("yes", "no") } else { ("on", "off") };
    Some(if on { yes } else { no }.into())
}

fn is_save(text: &str) -> bool {
    let numbers: Vec<&str> = text.split(' ').collect();
    text.is_empty()
        || (numbers.len().is_multiple_of(2)
            && numbers.len() <= 16
            && numbers.iter().all(|n| within(n, 0, 1_000_000_000)))
}
