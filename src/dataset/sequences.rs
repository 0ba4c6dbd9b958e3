//! Sequences behind what was loaded.

use std::time::Duration;

use anyhow::{Context, Result};
use sqlx::postgres::PgConnection;
use tokio::time::timeout;

use super::connect::{answer, database_error, quote_ident};

/// The largest value of a column without an index is looked for in all of its rows.
const PATIENCE: Duration = Duration::from_mins(30);

/// Columns whose sequences are looked at.
#[derive(Debug, Clone, Copy)]
pub(super) enum Columns<'a> {
    /// All that have one.
    All,
    /// Those of these names: others were filled by their sequence.
    Named(&'a [String]),
}

/// Puts sequences behind the last value that was loaded into their column, so that inserts go on from there. A table that
/// has no rows, or only such as its sequence never gives, leaves the sequence as it is.
pub(super) async fn advance(
    connection: &mut PgConnection,
    table: &str,
    columns: Columns<'_>,
) -> Result<()> {
    let named: Option<&[String]> = match columns {
        Columns::All => None,
        Columns::Named(names) => Some(names),
    };
    let owned = "SELECT attname::text, pg_get_serial_sequence($1, attname::text) FROM pg_attribute \
                 WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped \
                 AND ($2::text[] IS NULL OR attname = ANY ($2)) \
                 AND pg_get_serial_sequence($1, attname::text) IS NOT NULL";
    let owned = sqlx::query_as(owned).bind(quote_ident(table)).bind(named);
    let owned: Vec<(String, String)> =
        answer(format_args!("the sequences of `{table}`"), owned.fetch_all(&mut *connection))
            .await?;
    for (column, sequence) in owned {
        let what = format!("the sequence of `{table}.{column}`");
        let (column, table) = (quote_ident(&column), quote_ident(table));
        let sql = format!(
            "SELECT setval(seqrelid::regclass, reached::int8) FROM pg_sequence, \
             LATERAL (SELECT CASE WHEN seqincrement < 0 THEN min({column}) ELSE max({column}) END AS reached \
             FROM {table}) AS loaded WHERE seqrelid = $1::regclass AND reached BETWEEN seqmin AND seqmax"
        );
        let set = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(sequence);
        timeout(PATIENCE, set.execute(&mut *connection))
            .await
            .context("setting a sequence took too long")?
            .map_err(|e| database_error(&e))
            .context(what)?;
    }
    Ok(())
}
