//! Statements by Postgres' own count: `pg_stat_statements`, where its library came with the server.
//!
//! The view is one for all databases, so the extension is made in the administrator's, and an experiment's database stays
//! what its migrations made it.

use anyhow::{Context, Result};
use sqlx::postgres::PgConnection;
use tokio::time::timeout;

use super::postgres::{PATIENCE, connect};
use crate::plan::PostgresAddress;

/// How often `role` has had a statement executed in `database` since the server started, whatever the statement; none
/// where nobody counts. `admin` is the administrator's own database.
///
/// # Errors
///
/// If Postgres can't be asked within 10 s.
pub async fn statement_calls(
    admin: &PostgresAddress,
    database: &str,
    role: &str,
) -> Result<Option<u64>> {
    let mut session = connect(admin).await?;
    let counted = timeout(PATIENCE, count(&mut session.0, database, role)).await;
    session.close().await?;
    counted
        .context("Postgres' count of statements took longer than 10 s")?
        .context("cannot read Postgres' count of statements")
}

async fn count(
    connection: &mut PgConnection,
    database: &str,
    role: &str,
) -> Result<Option<u64>, sqlx::Error> {
    // Only a library that was loaded has its settings.
    let track = "SELECT setting FROM pg_settings WHERE name = 'pg_stat_statements.track'";
    let track: Option<String> = sqlx::query_scalar(track).fetch_optional(&mut *connection).await?;
    if track.is_none_or(|track| track == "none") {
        return Ok(None);
    }
    let exists = "SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'pg_stat_statements')";
    if !sqlx::query_scalar::<_, bool>(exists).fetch_one(&mut *connection).await? {
        let make = "CREATE EXTENSION pg_stat_statements";
        if let Err(error) = sqlx::raw_sql(make).execute(&mut *connection).await {
            // The library without its script: some packages split them.
            tracing::warn!("Postgres' own count of statements is not to be had: {error}");
            return Ok(None);
        }
    }
    // A type that a driver does not know (an enum, a domain) it asks for once on each connection; that is no request's.
    let calls = "SELECT COALESCE(sum(calls), 0)::int8 FROM pg_stat_statements AS s \
                 JOIN pg_database AS d ON d.oid = s.dbid JOIN pg_roles AS r ON r.oid = s.userid \
                 WHERE d.datname = $1 AND r.rolname = $2 \
                 AND s.query NOT LIKE 'SELECT pg_type.oid,%pg_type.oid::regtype::text pretty_name,%original_name, lookup_oid%' \
                 AND s.query NOT LIKE 'SELECT t.typname, t.typtype, t.typelem, r.rngsubtype, t.typbasetype, n.nspname, t.typrelid%' \
                 AND s.query NOT LIKE 'SELECT enumlabel%FROM pg_catalog.pg_enum%' \
                 AND s.query NOT LIKE 'SELECT attname, atttypid%FROM pg_catalog.pg_attribute%'";
    let calls: i64 =
        sqlx::query_scalar(calls).bind(database).bind(role).fetch_one(&mut *connection).await?;
    Ok(u64::try_from(calls).ok())
}
