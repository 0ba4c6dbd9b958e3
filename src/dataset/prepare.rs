//! From an empty cluster to databases that are ready to be measured.

use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use sqlx::postgres::PgConnection;
use tokio::time::Instant;

use super::catalogue::{table_bytes, wait_until_alone};
use super::connect::{answer, connect, execute, quote_ident};
use super::copy::{advance_sequences, copy_table, millis};
use super::made::{Dataset, LoadedTable};
use super::orders::{Addresses, Progress, TEMPLATE};
use super::sources::{Order, order};
use super::{index_sets, migrate, sources};
use crate::plan::Plan;
use crate::rows::{Rows, TableSpec, checksum};

const AFTER_LOAD_PATIENCE: Duration = Duration::from_hours(1);

/// Makes all databases of the plan in a fresh cluster.
///
/// # Errors
///
/// If a migration, a COPY, an index or a deadline fails; the message names which, and at how many percent.
pub async fn prepare(
    addresses: &Addresses,
    migrations: &Path,
    plan: &Plan,
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<Dataset> {
    let start = Instant::now();
    let mut admin = connect(&addresses.admin).await?;
    let create = format!("CREATE DATABASE {TEMPLATE} OWNER {}", quote_ident(&addresses.app.user));
    execute(&mut admin, &create, Duration::from_mins(1)).await?;
    let mut record = Dataset::default();
    {
        let mut app = connect(&addresses.app_to(TEMPLATE)).await?;
        record.migrations = migrate::migrate(&mut app, migrations).await?;
        progress(Progress::Migrated { migrations: record.migrations.len() });
        let folder = folder_of(migrations, &plan.dataset.migrations);
        let Order { before, after: late } =
            order(&mut app, &plan.dataset.sources, &plan.dataset.tables).await?;
        for source in before {
            record.tables.push(sources::load(&mut app, &folder, source, progress).await?);
        }
        for table in in_foreign_key_order(&mut app, &plan.dataset.tables).await? {
            record.tables.push(load(&mut app, plan.dataset.data_seed, table, progress).await?);
        }
        for source in late {
            record.tables.push(sources::load(&mut app, &folder, source, progress).await?);
        }
        let after = Instant::now();
        for sql in &plan.dataset.after_load {
            execute(&mut app, sql, AFTER_LOAD_PATIENCE).await.context("`dataset.after_load`")?;
        }
        progress(Progress::AfterLoad { ms: millis(after) });
        for table in &mut record.tables {
            table.table_bytes = table_bytes(&mut app, &table.name).await?;
        }
    }
    // A database can be cloned only while nobody is in it.
    wait_until_alone(&mut admin).await?;
    for set in &plan.index_sets {
        record.indexes.extend(index_sets::build(&mut admin, addresses, set, progress).await?);
    }
    execute(&mut admin, "CHECKPOINT", Duration::from_mins(30)).await?;
    record.prepare_ms = millis(start);
    Ok(record)
}

/// The experiment's folder, below which all files are named: that of the migrations without their own name.
fn folder_of(migrations: &Path, told: &str) -> PathBuf {
    let mut folder = migrations.to_path_buf();
    let named = Path::new(told).components().filter(|part| *part != Component::CurDir);
    for _ in named {
        folder.pop();
    }
    folder
}

async fn load(
    app: &mut PgConnection,
    seed: u64,
    table: &TableSpec,
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<LoadedTable> {
    let start = Instant::now();
    let name = table.name.clone();
    let rows = table.rows;
    copy_table(app, seed, table, &mut |done| {
        progress(Progress::Loading { table: name.clone(), done, rows, ms: millis(start) });
    })
    .await?;
    let load_ms = millis(start);
    advance_sequences(app, table).await?;
    let generated = Rows::new(seed, table.clone())
        .map_err(|e| anyhow::anyhow!("table `{}`: {e}", table.name))?;
    Ok(LoadedTable {
        name: table.name.clone(),
        rows,
        table_bytes: 0,
        load_ms,
        checksum: checksum(&generated),
    })
}

/// A table comes after those that it refers to; otherwise in the order of the plan.
pub(super) async fn in_foreign_key_order<'a>(
    app: &mut PgConnection,
    tables: &'a [TableSpec],
) -> Result<Vec<&'a TableSpec>> {
    let sql = "SELECT c.relname::text, f.relname::text FROM pg_constraint \
               JOIN pg_class c ON c.oid = conrelid JOIN pg_class f ON f.oid = confrelid WHERE contype = 'f'";
    let references: Vec<(String, String)> =
        answer("cannot list the foreign keys", sqlx::query_as(sql).fetch_all(app)).await?;
    sort_by_references(tables, &references)
}

fn sort_by_references<'a>(
    tables: &'a [TableSpec],
    references: &[(String, String)],
) -> Result<Vec<&'a TableSpec>> {
    let mut left: Vec<&TableSpec> = tables.iter().collect();
    let mut sorted: Vec<&TableSpec> = Vec::with_capacity(left.len());
    while !left.is_empty() {
        let waits = |table: &TableSpec| {
            references.iter().any(|(from, to)| {
                *from == table.name && to != from && left.iter().any(|other| other.name == *to)
            })
        };
        let Some(next) = left.iter().position(|table| !waits(table)) else {
            let names: Vec<&str> = left.iter().map(|t| t.name.as_str()).collect();
            bail!("the tables {} refer to each other in a circle", names.join(", "));
        };
        sorted.push(left.remove(next));
    }
    Ok(sorted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::RowOrder;

    fn order(references: &[(&str, &str)]) -> Result<Vec<String>> {
        let tables: Vec<TableSpec> = ["a", "b", "c"]
            .map(|name| TableSpec {
                name: name.into(),
                rows: 1,
                columns: Vec::new(),
                order: RowOrder::Clustered,
            })
            .to_vec();
        let references: Vec<(String, String)> =
            references.iter().map(|(from, to)| ((*from).into(), (*to).into())).collect();
        Ok(sort_by_references(&tables, &references)?.iter().map(|t| t.name.clone()).collect())
    }

    #[test]
    fn files_are_beside_the_experiment_wherever_its_migrations_are() {
        for (told, wanted) in [("../migrations/x", "/a/experiments"), ("./m", "/a/experiments")] {
            let migrations = Path::new("/a/experiments").join(told);
            assert_eq!(folder_of(&migrations, told), Path::new(wanted), "{told}");
        }
    }

    #[test]
    fn a_table_is_loaded_after_those_it_refers_to() {
        assert_eq!(order(&[]).unwrap(), ["a", "b", "c"]);
        assert_eq!(order(&[("a", "b"), ("b", "c")]).unwrap(), ["c", "b", "a"]);
        assert_eq!(order(&[("a", "a"), ("a", "not-loaded")]).unwrap(), ["a", "b", "c"]);
        assert!(order(&[("a", "b"), ("b", "a")]).unwrap_err().to_string().contains("a, b"));
    }
}
