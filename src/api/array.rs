//! Arrays of values as statements want them: one Rust vector of the element's own type.

use sqlx::error::BoxDynError;
use sqlx::postgres::{PgArguments, PgTypeInfo};
use sqlx::{Arguments as _, Postgres, Type};

use super::json_body::Items;
use super::value::{JsonText, Value};
use crate::spec::ParamType;

/// More than a statement needs; each element costs more in memory than in the request.
const MOST_ELEMENTS: usize = 100_000;

/// The type that a statement declares for an array.
pub(super) fn declared(r#type: ParamType) -> PgTypeInfo {
    fn of<T: Type<Postgres>>() -> PgTypeInfo {
        T::type_info()
    }
    match r#type {
        ParamType::Text | ParamType::Enum => of::<Vec<String>>(),
        ParamType::Integer => of::<Vec<i32>>(),
        ParamType::Bigint => of::<Vec<i64>>(),
        ParamType::Float => of::<Vec<f64>>(),
        ParamType::Numeric => of::<Vec<bigdecimal::BigDecimal>>(),
        ParamType::Bool => of::<Vec<bool>>(),
        ParamType::Uuid => of::<Vec<uuid::Uuid>>(),
        ParamType::Date => of::<Vec<chrono::NaiveDate>>(),
        ParamType::Timestamp => of::<Vec<chrono::NaiveDateTime>>(),
        ParamType::Timestamptz => of::<Vec<chrono::DateTime<chrono::Utc>>>(),
        ParamType::Json => of::<Vec<JsonText<'static>>>(),
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

/// Adds an array as the statement's next argument. All elements are of `type`: [`parse`] made them.
///
/// # Errors
///
/// If sqlx cannot encode it.
pub(super) fn bind(
    r#type: ParamType,
    values: &[Value<'_>],
    arguments: &mut PgArguments,
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
            arguments.add(all!(Text(t) => t.as_ref(), Enum(t) => t.as_ref()))
        }
        ParamType::Integer => arguments.add(all!(Integer(n) => *n)),
        ParamType::Bigint => arguments.add(all!(Bigint(n) => *n)),
        ParamType::Float => arguments.add(all!(Float(n) => *n)),
        ParamType::Numeric => arguments.add(all!(Numeric(n) => n.clone())),
        ParamType::Bool => arguments.add(all!(Bool(b) => *b)),
        ParamType::Uuid => arguments.add(all!(Uuid(id) => *id)),
        ParamType::Date => arguments.add(all!(Date(d) => *d)),
        ParamType::Timestamp => arguments.add(all!(Timestamp(t) => *t)),
        ParamType::Timestamptz => arguments.add(all!(Timestamptz(t) => *t)),
        ParamType::Json => arguments.add(all!(Json(t) => JsonText(t))),
    }
}
