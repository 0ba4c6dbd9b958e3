//! Arrays of values as statements want them: one Rust vector of the element's own type.

use bytes::BytesMut;
use sqlx::error::BoxDynError;
use tokio_postgres::types::Type;

use super::json_body::Items;
use super::value::{JsonText, Value, encoded};
use crate::spec::ParamType;

/// More than a statement needs; each element costs more in memory than in the request.
const MOST_ELEMENTS: usize = 100_000;

/// The type that a statement declares for an array.
pub(super) fn declared(r#type: ParamType) -> Type {
    match r#type {
        ParamType::Text | ParamType::Enum => Type::TEXT_ARRAY,
        ParamType::Integer => Type::INT4_ARRAY,
        ParamType::Bigint => Type::INT8_ARRAY,
        ParamType::Float => Type::FLOAT8_ARRAY,
        ParamType::Numeric => Type::NUMERIC_ARRAY,
        ParamType::Bool => Type::BOOL_ARRAY,
        ParamType::Uuid => Type::UUID_ARRAY,
        ParamType::Date => Type::DATE_ARRAY,
        ParamType::Timestamp => Type::TIMESTAMP_ARRAY,
        ParamType::Timestamptz => Type::TIMESTAMPTZ_ARRAY,
        ParamType::Json => Type::JSONB_ARRAY,
    }
}

/// Reads a JSON array whose elements are of a type; `check` looks at each.
///
/// # Errors
///
/// What is wrong with it or with one of its elements.
pub(super) fn parse<'a>(
    r#type: ParamType,
    text: &str,
    check: impl Fn(&Value<'_>) -> Result<(), &'static str>,
) -> Result<Value<'a>, &'static str> {
    let items = Items::of_array(text).ok_or("must be a JSON array, like [1,2]")?;
    let mut values = Vec::new();
    for item in items {
        if values.len() == MOST_ELEMENTS {
            return Err("has more than 100,000 elements");
        }
        let text =
            super::json_body::text_of(r#type, item)?.ok_or("has a null among its elements")?;
        let value = Value::parse(r#type, &text)?;
        check(&value)?;
        values.push(value.into_owned());
    }
    Ok(Value::Array(r#type, values))
}

/// Writes an array as the server's binary format has it. All elements are of `type`: [`parse`] made them.
///
/// # Errors
///
/// If sqlx cannot encode it.
pub(super) fn write(
    r#type: ParamType,
    values: &[Value<'_>],
    out: &mut BytesMut,
) -> Result<(), BoxDynError> {
    macro_rules! all {
        ($($kind:ident($inner:ident) => $made:expr),*) => {
            values.iter().filter_map(|value| match value {
                $(Value::$kind($inner) => Some($made),)*
                _ => None,
            }).collect::<Vec<_>>()
        };
    }
    match r#type {
        ParamType::Text | ParamType::Enum => {
            encoded(&all!(Text(t) => t.as_ref(), Enum(t) => t.as_ref()), out)
        }
        ParamType::Integer => encoded(&all!(Integer(n) => *n), out),
        ParamType::Bigint => encoded(&all!(Bigint(n) => *n), out),
        ParamType::Float => encoded(&all!(Float(n) => *n), out),
        ParamType::Numeric => encoded(&all!(Numeric(n) => n.clone()), out),
        ParamType::Bool => encoded(&all!(Bool(b) => *b), out),
        ParamType::Uuid => encoded(&all!(Uuid(id) => *id), out),
        ParamType::Date => encoded(&all!(Date(d) => *d), out),
        ParamType::Timestamp => encoded(&all!(Timestamp(t) => *t), out),
        ParamType::Timestamptz => encoded(&all!(Timestamptz(t) => *t), out),
        ParamType::Json => encoded(&all!(Json(t) => JsonText(t)), out),
    }
}
