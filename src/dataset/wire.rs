//! How the columns of a table take their values: by the types that the catalogue has for them.

use std::collections::BTreeMap;

use anyhow::Result;
use sqlx::postgres::PgConnection;

use super::connect::{answer, quote_ident};
use crate::rows::{Rows, Wire};

/// The forms of a table's values in COPY's binary format; none where a column takes its values only as text.
pub(super) async fn wires(connection: &mut PgConnection, rows: &Rows) -> Result<Option<Vec<Wire>>> {
    let table = &rows.spec().name;
    // A domain's values travel as those of the type below it, and are checked all the same.
    let sql = "WITH RECURSIVE base (name, type) AS ( \
                 SELECT attname::text, atttypid FROM pg_attribute \
                 WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped \
                 UNION ALL SELECT name, typbasetype FROM base JOIN pg_type ON pg_type.oid = type WHERE typtype = 'd') \
               SELECT name, CASE WHEN typtype = 'e' THEN 'enum' \
                 WHEN typnamespace = 'pg_catalog'::regnamespace THEN typname::text ELSE '' END \
               FROM base JOIN pg_type ON pg_type.oid = type WHERE typtype <> 'd'";
    let query = sqlx::query_as(sql).bind(quote_ident(table)).fetch_all(connection);
    let found: Vec<(String, String)> =
        answer(format_args!("the types of table `{table}`"), query).await?;
    let types: BTreeMap<String, String> = found.into_iter().collect();
    let wire = |(at, column): (usize, &crate::rows::ColumnSpec)| {
        let wire = wire_of(types.get(&column.name)?)?;
        rows.travels_as(at, wire).then_some(wire)
    };
    Ok(rows.spec().columns.iter().enumerate().map(wire).collect())
}

/// The form of a type, by its name in the catalogue.
fn wire_of(kind: &str) -> Option<Wire> {
    Some(match kind {
        "text" | "varchar" | "bpchar" | "json" | "enum" => Wire::Text,
        "jsonb" => Wire::Jsonb,
        "bool" => Wire::Bool,
        "int2" => Wire::Int2,
        "int4" => Wire::Int4,
        "int8" => Wire::Int8,
        "float4" => Wire::Float4,
        "float8" => Wire::Float8,
        "numeric" => Wire::Numeric,
        "timestamp" | "timestamptz" => Wire::Timestamp,
        "date" => Wire::Date,
        "uuid" => Wire::Uuid,
        "bytea" => Wire::Bytes,
        "point" => Wire::Point,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_types_whose_form_is_known_travel_in_binary() {
        assert_eq!(wire_of("timestamptz"), Some(Wire::Timestamp));
        for unknown in ["", "inet", "_text", "citext", "time", "money", "tsvector", "line"] {
            assert_eq!(wire_of(unknown), None, "{unknown}");
        }
    }
}
