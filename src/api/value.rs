//! One parameter's value: from text to a typed, checked value, and from there to the bytes of a statement's argument.

use std::borrow::Cow;
use std::str::FromStr as _;

use bigdecimal::{BigDecimal, ToPrimitive as _};
use bytes::BytesMut;
use chrono::{DateTime, Datelike as _, NaiveDate, NaiveDateTime, Utc};
use sqlx::encode::IsNull as Nothing;
use sqlx::error::BoxDynError;
use sqlx::postgres::types::Oid;
use sqlx::postgres::{PgArgumentBuffer, PgHasArrayType, PgTypeInfo};
use sqlx::{Encode, Postgres, Type, TypeInfo as _};
use tokio_postgres::types::{IsNull, Type as PgType};
use uuid::Uuid;

use super::array;
use crate::plan::ParamPlan;
use crate::spec::ParamType;

/// More digits than anybody's amounts have, and few enough that decoding them costs nothing.
const MOST_NUMERIC_DIGITS: usize = 1000;

/// `jsonb` in every Postgres.
const JSONB: Oid = Oid(3802);

/// `jsonb[]` in every Postgres.
const JSONB_ARRAY: Oid = Oid(3807);

/// A value that has the type it claims.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value<'a> {
    /// `text`.
    Text(Cow<'a, str>),
    /// `int4`.
    Integer(i32),
    /// `int8`.
    Bigint(i64),
    /// `float8`, finite.
    Float(f64),
    /// `numeric`.
    Numeric(BigDecimal),
    /// `bool`.
    Bool(bool),
    /// `uuid`.
    Uuid(Uuid),
    /// `date`.
    Date(NaiveDate),
    /// `timestamp`.
    Timestamp(NaiveDateTime),
    /// `timestamptz`.
    Timestamptz(DateTime<Utc>),
    /// `jsonb`, as text that is JSON.
    Json(Cow<'a, str>),
    /// Whatever the statement wants there, sent as text: an enum's label.
    Enum(Cow<'a, str>),
    /// All of the same type.
    Array(ParamType, Vec<Self>),
    /// NULL, of a parameter that may be left out.
    Null(Kind),
}

/// A type, or an array of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// One value.
    One(ParamType),
    /// An array of values.
    Array(ParamType),
}

impl Kind {
    /// What a parameter of this plan is.
    pub(super) fn of(plan: &ParamPlan) -> Self {
        if plan.array { Self::Array(plan.r#type) } else { Self::One(plan.r#type) }
    }

    /// The type that a statement declares for it. An enum's is `unknown`: the statement decides which one it is.
    pub(super) fn declared(self) -> PgType {
        match self {
            Self::One(r#type) => declared(r#type),
            Self::Array(r#type) => array::declared(r#type),
        }
    }
}

fn declared(r#type: ParamType) -> PgType {
    match r#type {
        ParamType::Text => PgType::TEXT,
        ParamType::Integer => PgType::INT4,
        ParamType::Bigint => PgType::INT8,
        ParamType::Float => PgType::FLOAT8,
        ParamType::Numeric => PgType::NUMERIC,
        ParamType::Bool => PgType::BOOL,
        ParamType::Uuid => PgType::UUID,
        ParamType::Date => PgType::DATE,
        ParamType::Timestamp => PgType::TIMESTAMP,
        ParamType::Timestamptz => PgType::TIMESTAMPTZ,
        ParamType::Json => PgType::JSONB,
        ParamType::Enum => PgType::UNKNOWN,
    }
}

impl<'a> Value<'a> {
    /// Reads a text as this type; the error says what is wanted and does not repeat the text.
    pub(super) fn parse(r#type: ParamType, text: &Cow<'a, str>) -> Result<Self, &'static str> {
        match r#type {
            ParamType::Text => Ok(Self::Text(text.clone())),
            ParamType::Enum => Ok(Self::Enum(text.clone())),
            ParamType::Integer => text
                .parse()
                .map(Self::Integer)
                .map_err(|_| "must be a whole number of 32 bits, without spaces"),
            ParamType::Bigint => text
                .parse()
                .map(Self::Bigint)
                .map_err(|_| "must be a whole number of 64 bits, without spaces"),
            ParamType::Float => match f64::from_str(text) {
                Ok(number) if number.is_finite() => Ok(Self::Float(number)),
                _ => Err("must be a finite number"),
            },
            ParamType::Numeric => decimal(text).map(Self::Numeric),
            ParamType::Bool => match text.as_ref() {
                "true" => Ok(Self::Bool(true)),
                "false" => Ok(Self::Bool(false)),
                _ => Err("must be true or false"),
            },
            ParamType::Uuid => match (text.len(), Uuid::try_parse(text)) {
                (32 | 36, Ok(uuid)) => Ok(Self::Uuid(uuid)),
                _ => Err("must be a UUID"),
            },
            ParamType::Date => date(text).map(Self::Date),
            ParamType::Timestamp => timestamp(text).map(Self::Timestamp),
            ParamType::Timestamptz => timestamptz(text).map(Self::Timestamptz),
            ParamType::Json => match serde_json::from_str::<serde::de::IgnoredAny>(text) {
                Ok(_) => Ok(Self::Json(text.clone())),
                Err(_) => Err("must be JSON"),
            },
        }
    }

    /// Its size where it is a number.
    pub(super) fn magnitude(&self) -> Option<f64> {
        match self {
            Self::Integer(number) => Some(f64::from(*number)),
            Self::Bigint(number) => Some(*number as f64),
            Self::Float(number) => Some(*number),
            Self::Numeric(number) => number.to_f64(),
            _ => None,
        }
    }

    /// Writes it as the server's binary format has it; a value of an enum as its label.
    ///
    /// # Errors
    ///
    /// If sqlx cannot encode it.
    pub(super) fn write(&self, out: &mut BytesMut) -> Result<IsNull, BoxDynError> {
        match self {
            Self::Text(text) | Self::Enum(text) => out.extend_from_slice(text.as_bytes()),
            Self::Integer(number) => out.extend_from_slice(&number.to_be_bytes()),
            Self::Bigint(number) => out.extend_from_slice(&number.to_be_bytes()),
            Self::Float(number) => out.extend_from_slice(&number.to_be_bytes()),
            Self::Bool(truth) => out.extend_from_slice(&[u8::from(*truth)]),
            Self::Numeric(number) => encoded(number, out)?,
            Self::Uuid(uuid) => encoded(uuid, out)?,
            Self::Date(date) => encoded(date, out)?,
            Self::Timestamp(time) => encoded(time, out)?,
            Self::Timestamptz(time) => encoded(time, out)?,
            Self::Json(text) => encoded(&JsonText(text), out)?,
            Self::Array(r#type, values) => array::write(*r#type, values, out)?,
            Self::Null(_) => return Ok(IsNull::Yes),
        }
        Ok(IsNull::No)
    }

    /// Its text, where it is one.
    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) | Self::Enum(text) => Some(text),
            _ => None,
        }
    }

    /// The same, without anything that belongs to a request.
    pub(super) fn into_owned<'b>(self) -> Value<'b> {
        match self {
            Self::Text(text) => Value::Text(Cow::Owned(text.into_owned())),
            Self::Json(text) => Value::Json(Cow::Owned(text.into_owned())),
            Self::Enum(text) => Value::Enum(Cow::Owned(text.into_owned())),
            Self::Integer(number) => Value::Integer(number),
            Self::Bigint(number) => Value::Bigint(number),
            Self::Float(number) => Value::Float(number),
            Self::Numeric(number) => Value::Numeric(number),
            Self::Bool(truth) => Value::Bool(truth),
            Self::Uuid(uuid) => Value::Uuid(uuid),
            Self::Date(date) => Value::Date(date),
            Self::Timestamp(time) => Value::Timestamp(time),
            Self::Timestamptz(time) => Value::Timestamptz(time),
            Self::Array(r#type, values) => {
                Value::Array(r#type, values.into_iter().map(Value::into_owned).collect())
            }
            Self::Null(kind) => Value::Null(kind),
        }
    }
}

/// Writes a value that sqlx knows how to write.
///
/// # Errors
///
/// If it cannot, after all.
pub(super) fn encoded<'v>(
    value: &impl Encode<'v, Postgres>,
    out: &mut BytesMut,
) -> Result<(), BoxDynError> {
    let mut buffer = PgArgumentBuffer::default();
    match value.encode_by_ref(&mut buffer)? {
        Nothing::No => out.extend_from_slice(&buffer),
        Nothing::Yes => return Err("a value became NULL on its way".into()),
    }
    Ok(())
}

/// JSON that is text already: sqlx' own type would parse it and write it again.
pub(super) struct JsonText<'a>(pub(super) &'a str);

impl PgHasArrayType for JsonText<'_> {
    fn array_type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(JSONB_ARRAY)
    }
}

impl Type<Postgres> for JsonText<'_> {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(JSONB)
    }

    fn compatible(other: &PgTypeInfo) -> bool {
        other.name() == "JSONB"
    }
}

impl Encode<'_, Postgres> for JsonText<'_> {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<Nothing, BoxDynError> {
        buffer.push(1);
        buffer.extend_from_slice(self.0.as_bytes());
        Ok(Nothing::No)
    }
}

/// Digits with a point at most: an exponent would let ten bytes ask for a gigabyte of zeros.
fn decimal(text: &str) -> Result<BigDecimal, &'static str> {
    const WANTED: &str = "must be a decimal number without exponent, of 1000 digits at most";
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !number(whole) || !number(fraction) || digits.len() > MOST_NUMERIC_DIGITS {
        return Err(WANTED);
    }
    BigDecimal::from_str(text).map_err(|_| WANTED)
}

fn date(text: &str) -> Result<NaiveDate, &'static str> {
    match NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        Ok(date) if (1..=9999).contains(&date.year()) && text.len() == 10 => Ok(date),
        _ => Err("must be a date: YYYY-MM-DD"),
    }
}

fn timestamp(text: &str) -> Result<NaiveDateTime, &'static str> {
    let formats = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f"];
    formats
        .iter()
        .find_map(|format| NaiveDateTime::parse_from_str(text, format).ok())
        .filter(|time| (1..=9999).contains(&time.year()))
        .ok_or("must be a time without zone: YYYY-MM-DDTHH:MM:SS")
}

fn timestamptz(text: &str) -> Result<DateTime<Utc>, &'static str> {
    DateTime::parse_from_rfc3339(text)
        .ok()
        .map(|time| time.to_utc())
        .filter(|time| (1..=9999).contains(&time.year()))
        .ok_or("must be a time with zone (RFC 3339): YYYY-MM-DDTHH:MM:SSZ")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(r#type: ParamType, text: &str) -> Result<Value<'static>, &'static str> {
        Value::parse(r#type, &Cow::Owned(text.to_owned()))
    }

    const TYPES: [ParamType; 11] = [
        ParamType::Text,
        ParamType::Integer,
        ParamType::Bigint,
        ParamType::Float,
        ParamType::Numeric,
        ParamType::Bool,
        ParamType::Uuid,
        ParamType::Date,
        ParamType::Timestamp,
        ParamType::Timestamptz,
        ParamType::Json,
    ];

    #[test]
    fn each_type_takes_what_it_is_for() {
        for (r#type, text) in [
            (ParamType::Text, ""),
            (ParamType::Integer, "-2147483648"),
            (ParamType::Bigint, "9223372036854775807"),
            (ParamType::Float, "-1.5e3"),
            (ParamType::Numeric, "-123456789012345678901234567890.10"),
            (ParamType::Bool, "true"),
            (ParamType::Uuid, "67e55044-10b1-426f-9247-bb680e5fe0c8"),
            (ParamType::Date, "2024-02-29"),
            (ParamType::Timestamp, "2024-01-01T00:00:00.25"),
            (ParamType::Timestamp, "2024-01-01 00:00:00"),
            (ParamType::Timestamptz, "2024-01-01T00:00:00+02:00"),
            (ParamType::Json, "{\"a\": [1, null]}"),
        ] {
            assert!(parse(r#type, text).is_ok(), "{type:?} {text}");
        }
    }

    #[test]
    fn each_type_refuses_what_only_looks_like_it() {
        for (r#type, text) in [
            (ParamType::Integer, "2147483648"),
            (ParamType::Integer, " 1"),
            (ParamType::Integer, ""),
            (ParamType::Bigint, "9223372036854775808"),
            (ParamType::Float, "nan"),
            (ParamType::Float, "1e400"),
            (ParamType::Numeric, "1e9"),
            (ParamType::Numeric, "1."),
            (ParamType::Numeric, "--1"),
            (ParamType::Bool, "1"),
            (ParamType::Uuid, "67e55044-10b1-426f-9247-bb680e5fe0c"),
            (ParamType::Date, "2023-02-29"),
            (ParamType::Date, "+2023-2-1"),
            (ParamType::Timestamp, "2024-01-01T00:00:00Z"),
            (ParamType::Timestamptz, "2024-01-01T00:00:00"),
            (ParamType::Json, "{"),
            (ParamType::Json, ""),
        ] {
            assert!(parse(r#type, text).is_err(), "{type:?} {text}");
        }
        let long = "1".repeat(MOST_NUMERIC_DIGITS + 1);
        assert!(parse(ParamType::Numeric, &long).is_err());
    }

    proptest! {
        #[test]
        fn whatever_is_taken_can_be_bound(text in any::<String>(), digits in "-?[0-9]{1,40}(\\.[0-9]{1,40})?") {
            for r#type in TYPES {
                for text in [&text, &digits] {
                    if let Ok(value) = parse(r#type, text) {
                        let mut bytes = BytesMut::new();
                        prop_assert!(matches!(value.write(&mut bytes), Ok(IsNull::No)));
                        prop_assert!(!bytes.is_empty() || text.is_empty());
                    }
                }
            }
        }
    }

    #[test]
    fn bytes_are_those_of_the_binary_format() {
        let bytes = |r#type, text: &str| {
            let mut bytes = BytesMut::new();
            let value = parse(r#type, text).expect("good");
            assert!(matches!(value.write(&mut bytes), Ok(IsNull::No)));
            bytes.to_vec()
        };
        assert_eq!(bytes(ParamType::Integer, "-2"), [0xFF, 0xFF, 0xFF, 0xFE]);
        assert_eq!(bytes(ParamType::Bigint, "258"), [0, 0, 0, 0, 0, 0, 1, 2]);
        assert_eq!(bytes(ParamType::Float, "1"), [0x3F, 0xF0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(bytes(ParamType::Bool, "true"), [1]);
        assert_eq!(bytes(ParamType::Text, "é"), [0xC3, 0xA9]);
        assert_eq!(bytes(ParamType::Date, "2000-01-02"), [0, 0, 0, 1]);
        assert_eq!(bytes(ParamType::Json, "[]"), [1, b'[', b']']);
        // Two digits before the point, weight 0, positive, two after it: 1 and 5000.
        assert_eq!(bytes(ParamType::Numeric, "1.50"), [0, 2, 0, 0, 0, 0, 0, 2, 0, 1, 0x13, 0x88]);
        let nothing = Value::Null(Kind::One(ParamType::Date));
        assert!(matches!(nothing.write(&mut BytesMut::new()), Ok(IsNull::Yes)));
    }
}
