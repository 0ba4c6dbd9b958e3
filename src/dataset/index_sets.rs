//! One database per index set: cloned from the template, its own indexes built, measured and verified.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use sqlx::postgres::PgConnection;
use tokio::time::Instant;

use super::connect::{answer, connect, execute, quote_ident};
use super::copy::millis;
use super::made::BuiltIndex;
use super::orders::{Addresses, Progress, TEMPLATE};
use crate::plan::IndexSetPlan;

const CLONE_PATIENCE: Duration = Duration::from_mins(30);
const BUILD_PATIENCE: Duration = Duration::from_hours(2);

/// Clones the template into the set's database and builds its indexes.
pub(super) async fn build(
    admin: &mut PgConnection,
    addresses: &Addresses,
    set: &IndexSetPlan,
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<Vec<BuiltIndex>> {
    let start = Instant::now();
    let clone = format!(
        "CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy OWNER {}",
        quote_ident(&set.database),
        TEMPLATE,
        quote_ident(&addresses.app.user),
    );
    execute(admin, &clone, CLONE_PATIENCE).await?;
    progress(Progress::Cloned { database: set.database.clone(), ms: millis(start) });
    let mut app = connect(&addresses.app_to(&set.database)).await?;
    let before = indexes(&mut app).await?;
    let mut records = Vec::new();
    for index in &set.indexes {
        let start = Instant::now();
        execute(&mut app, &index.sql, BUILD_PATIENCE)
            .await
            .with_context(|| format!("index `{}`", index.name))?;
        let build_ms = millis(start);
        // Of a partitioned table it has none of its own.
        let size = "SELECT pg_relation_size(r) + coalesce((SELECT sum(pg_relation_size(relid)) \
                    FROM pg_partition_tree(r) WHERE isleaf), 0)::int8 FROM (SELECT $1::regclass AS r) AS x";
        let size = sqlx::query_scalar(size).bind(quote_ident(&index.name));
        let what =
            format!("the size of index `{}`: did its statement make another name?", index.name);
        let index_bytes: i64 = answer(what, size.fetch_one(&mut app)).await?;
        let record = BuiltIndex {
            database: set.database.clone(),
            name: index.name.clone(),
            sql: index.sql.clone(),
            build_ms,
            index_bytes: u64::try_from(index_bytes)?,
        };
        progress(Progress::Indexed {
            index: index.name.clone(),
            ms: build_ms,
            bytes: record.index_bytes,
        });
        records.push(record);
    }
    analyze_expressions(&mut app).await?;
    verify(&mut app, &before, set).await?;
    Ok(records)
}

/// The clone has the template's statistics, the same for all sets; only an expression's statistics are missing.
async fn analyze_expressions(app: &mut PgConnection) -> Result<()> {
    let sql = "SELECT DISTINCT indrelid::regclass::text FROM pg_index JOIN pg_class ON pg_class.oid = indrelid \
               WHERE indexprs IS NOT NULL AND relnamespace NOT IN (SELECT oid FROM pg_namespace WHERE nspname IN ('pg_catalog', 'pg_toast'))";
    let indexed = sqlx::query_scalar(sql).fetch_all(&mut *app);
    let tables: Vec<String> = answer("cannot list the indexes of expressions", indexed).await?;
    for table in tables {
        execute(app, &format!("ANALYZE {table}"), BUILD_PATIENCE).await?;
    }
    Ok(())
}

/// The set of indexes is the migrations' own and the declared ones, and no other.
async fn verify(
    app: &mut PgConnection,
    before: &BTreeSet<String>,
    set: &IndexSetPlan,
) -> Result<()> {
    let now = indexes(app).await?;
    let declared: BTreeSet<String> = set.indexes.iter().map(|i| i.name.clone()).collect();
    let wanted: BTreeSet<String> = before.union(&declared).cloned().collect();
    if now != wanted {
        bail!("database `{}` has the indexes {now:?}, but should have {wanted:?}", set.database);
    }
    Ok(())
}

async fn indexes(app: &mut PgConnection) -> Result<BTreeSet<String>> {
    // Those of partitions come with the index of their table.
    let sql = "SELECT c.relname::text FROM pg_index JOIN pg_class c ON c.oid = indexrelid \
               JOIN pg_namespace n ON n.oid = c.relnamespace \
               WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast') AND NOT c.relispartition";
    let names: Vec<String> =
        answer("cannot list the indexes", sqlx::query_scalar(sql).fetch_all(app)).await?;
    Ok(names.into_iter().collect())
}
