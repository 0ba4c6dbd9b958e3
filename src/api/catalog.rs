//! Postgres' own catalogue, asked at start: how does a type send its values, and what does it consist of?

use anyhow::{Context as _, bail};
use sqlx::Row as _;
use sqlx::postgres::types::Oid;
use sqlx::postgres::{PgConnection, PgRow};

use super::json::Codec;

/// Domains over arrays of ranges over …: nobody nests deeper, and a loop would.
const DEEPEST: usize = 16;

const TYPE: &str = "
SELECT t.typtype::text AS kind, coalesce(s.proname::text, '') AS send, t.typelem::int8 AS element,
       t.typbasetype::int8 AS base, coalesce(r.rngsubtype, 0)::int8 AS bound,
       pg_catalog.format_type(t.oid, NULL) AS name
FROM pg_catalog.pg_type t
LEFT JOIN pg_catalog.pg_proc s ON s.oid = t.typsend
LEFT JOIN pg_catalog.pg_range r ON r.rngtypid = t.oid
WHERE t.oid = $1";

/// What wraps the innermost type.
type Wrap = fn(Box<Codec>) -> Codec;

/// How values of a type become JSON.
///
/// # Errors
///
/// If the type is not supported (the message says what to do), or the server cannot be asked.
pub(super) async fn codec(
    connection: &mut PgConnection,
    oid: Option<Oid>,
) -> anyhow::Result<Codec> {
    let mut oid = oid.context("Postgres did not say which type it is")?;
    let mut wraps: Vec<Wrap> = Vec::new();
    for _ in 0..DEEPEST {
        let row = sqlx::query(TYPE)
            .bind(oid)
            .fetch_optional(&mut *connection)
            .await
            .context("reading pg_type")?
            .with_context(|| format!("there is no type with OID {}", oid.0))?;
        let text = |name| row.try_get::<String, _>(name);
        let (kind, send, name) = (text("kind")?, text("send")?, text("name")?);
        if let Some(codec) = Codec::of_send_function(&send) {
            return Ok(wraps.into_iter().rev().fold(codec, |inner, wrap| wrap(Box::new(inner))));
        }
        oid = match (kind.as_str(), send.as_str()) {
            ("d", _) => reference(&row, "base")?,
            (_, "array_send" | "int2vectorsend" | "oidvectorsend") => {
                wraps.push(Codec::Array);
                reference(&row, "element")?
            }
            ("r", _) => {
                wraps.push(Codec::Range);
                reference(&row, "bound")?
            }
            _ => bail!(
                "values of type {name} cannot be written as JSON: cast it to text in the query (`column::text`), or build JSON there (`to_jsonb(column)`)"
            ),
        };
    }
    bail!("the type is nested deeper than {DEEPEST} levels")
}

fn reference(row: &PgRow, column: &str) -> anyhow::Result<Oid> {
    let oid: i64 = row.try_get(column).context("reading pg_type")?;
    Ok(Oid(u32::try_from(oid).context("reading pg_type")?))
}
