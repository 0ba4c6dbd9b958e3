//! Questions to the catalogue that building and reusing data have in common.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Result, bail};
use sqlx::postgres::PgConnection;
use tokio::time::Instant;

use super::connect::{answer, quote_ident};

/// For sessions that were closed to be gone.
const LEAVING: Duration = Duration::from_secs(10);

/// Size of a table with its maps and its TOAST table, and those of its partitions.
pub(super) async fn table_bytes(connection: &mut PgConnection, table: &str) -> Result<u64> {
    let sql = "SELECT COALESCE((SELECT sum(pg_table_size(relid)) FROM pg_partition_tree($1::regclass)), \
               pg_table_size($1::regclass))::int8";
    let size = sqlx::query_scalar(sql).bind(quote_ident(table));
    let bytes: i64 =
        answer(format_args!("the size of table `{table}`"), size.fetch_one(connection)).await?;
    Ok(u64::try_from(bytes)?)
}

/// Every index outside of the catalogue, with its size. One of a partitioned table stands for those of the partitions,
/// which Postgres makes and names by itself.
pub(super) async fn indexes(connection: &mut PgConnection) -> Result<BTreeMap<String, u64>> {
    let sql = "SELECT c.relname::text, COALESCE((SELECT sum(pg_relation_size(relid)) \
               FROM pg_partition_tree(c.oid::regclass)), pg_relation_size(c.oid))::int8 FROM pg_index \
               JOIN pg_class c ON c.oid = indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace \
               WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast') AND NOT c.relispartition";
    let found: Vec<(String, i64)> =
        answer("cannot list the indexes", sqlx::query_as(sql).fetch_all(connection)).await?;
    found.into_iter().map(|(name, bytes)| Ok((name, u64::try_from(bytes)?))).collect()
}

/// Every database but those that each cluster has.
pub(super) async fn databases(admin: &mut PgConnection) -> Result<Vec<String>> {
    let sql = "SELECT datname::text FROM pg_database \
               WHERE datname NOT IN ('postgres', 'template0', 'template1') ORDER BY datname COLLATE \"C\"";
    answer("cannot list the databases", sqlx::query_scalar(sql).fetch_all(admin)).await
}

/// Waits until nobody else is connected: a database can be cloned or renamed only while nobody is in it.
pub(super) async fn wait_until_alone(admin: &mut PgConnection) -> Result<()> {
    let deadline = Instant::now() + LEAVING;
    loop {
        let sql = "SELECT count(*) FROM pg_stat_activity \
                   WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()";
        let others: i64 =
            answer("who else is connected", sqlx::query_scalar(sql).fetch_one(&mut *admin)).await?;
        if others == 0 {
            return Ok(());
        }
        if Instant::now() >= deadline {
            bail!(
                "{others} sessions were still there {} s after they were closed",
                LEAVING.as_secs()
            );
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Which table refers to which.
pub(super) async fn references(connection: &mut PgConnection) -> Result<Vec<(String, String)>> {
    let sql = "SELECT c.relname::text, f.relname::text FROM pg_constraint \
               JOIN pg_class c ON c.oid = conrelid JOIN pg_class f ON f.oid = confrelid WHERE contype = 'f'";
    answer("cannot list the foreign keys", sqlx::query_as(sql).fetch_all(connection)).await
}
