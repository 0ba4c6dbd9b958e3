//! From an empty cluster to databases that are ready to be measured.

use std::path::{Component, Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use futures_util::{StreamExt as _, TryFutureExt as _, TryStreamExt as _, stream};
use sqlx::Connection as _;
use sqlx::postgres::PgConnection;
use tokio::time::Instant;

use super::catalogue::{references, table_bytes};
use super::connect::{answer, connect, execute, quote_ident};
use super::copy::{Copied, copy_table, millis};
use super::index_sets::Origin;
use super::made::{Dataset, LoadedTable};
use super::orders::{Addresses, Progress, TEMPLATE};
use super::sequences::{self, Columns};
use super::sources::{Order, order};
use super::{bulk, costs, index_sets, migrate, sources};
use crate::plan::Plan;
use crate::rows::{Rows, TableSpec, checksum};

/// Tables that are loaded at the same time, at most; each keeps a processor busy with making rows, and one with taking them.
const MOST_AT_ONCE: usize = 4;
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
    let folder = folder_of(migrations, &plan.dataset.migrations);
    let migrator = connect(&addresses.app_to(TEMPLATE)).await?;
    let migrations = migrate::migrate(migrator, migrations).await?;
    progress(Progress::Migrated { migrations: migrations.len() });
    let mut record = Dataset { migrations, ..Dataset::default() };
    let mut app = connect(&addresses.app_to(TEMPLATE)).await?;
    let Order { before, after } =
        order(&mut app, &plan.dataset.sources, &plan.dataset.tables).await?;
    for source in before {
        record.tables.push(sources::load(&mut app, &folder, source, progress).await?);
    }
    record.tables.extend(load_all(addresses, plan, progress).await?);
    for source in after {
        record.tables.push(sources::load(&mut app, &folder, source, progress).await?);
    }
    answer("the end of a session", app.close()).await?;
    {
        let mut app = connect(&addresses.app_to(TEMPLATE)).await?;
        let after = Instant::now();
        for sql in &plan.dataset.after_load {
            after_load(&mut app, sql).await.context("`dataset.after_load`")?;
        }
        progress(Progress::AfterLoad { ms: millis(after) });
        for table in &mut record.tables {
            table.table_bytes = table_bytes(&mut app, &table.name).await?;
        }
    }
    record.indexes =
        index_sets::make_all(&mut admin, addresses, &plan.index_sets, progress).await?;
    let bare = Origin::among(plan.index_sets.iter().map(|set| {
        let of_set = record.indexes.iter().filter(|index| index.database == set.database);
        (set.database.as_str(), of_set.collect())
    }));
    record.write_costs = costs::measure(&mut admin, addresses, (plan, &bare), progress).await?;
    execute(&mut admin, "CHECKPOINT", Duration::from_mins(30)).await?;
    record.prepare_ms = millis(start);
    Ok(record)
}

/// Runs a statement of `dataset.after_load`. Without a table, VACUUM and ANALYZE look at all that there are, and warn of each
/// catalogue of the cluster that only a superuser may touch: nobody asked for those.
async fn after_load(app: &mut PgConnection, sql: &str) -> Result<()> {
    let first = sql.split_whitespace().next().unwrap_or_default();
    let looks_at_all = ["VACUUM", "ANALYZE", "ANALYSE"].iter().any(|word| {
        first.trim_end_matches(';').get(..word.len()).is_some_and(|f| f.eq_ignore_ascii_case(word))
    });
    if !looks_at_all {
        return execute(app, sql, AFTER_LOAD_PATIENCE).await;
    }
    execute(app, "SET client_min_messages = error", AFTER_LOAD_PATIENCE).await?;
    execute(app, sql, AFTER_LOAD_PATIENCE).await?;
    execute(app, "RESET client_min_messages", AFTER_LOAD_PATIENCE).await
}

/// Loads all tables: those that refer to no table that is still to come at the same time, then those that refer to them.
/// Each has a session of its own, in which nothing holds that a migration has SET: a time zone would move its moments.
async fn load_all(
    addresses: &Addresses,
    plan: &Plan,
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<Vec<LoadedTable>> {
    let mut admin = connect(&addresses.admin_to(TEMPLATE)).await?;
    bulk::allow(&mut admin, &addresses.app.user).await?;
    let waves = waves(&plan.dataset.tables, &references(&mut admin).await?)?;
    let progress = Mutex::new(progress);
    let say = |step: Progress| {
        // Whoever listens does not panic; and if it did, the others may go on.
        let mut tell = progress.lock().unwrap_or_else(PoisonError::into_inner);
        (*tell)(step);
    };
    let at_once = std::thread::available_parallelism().map_or(1, usize::from).min(MOST_AT_ONCE);
    let mut tables = Vec::new();
    for wave in &waves {
        let loads: Vec<_> = wave
            .iter()
            .enumerate()
            .map(|(at, table)| {
                let loading = load(addresses, plan.dataset.data_seed, table, &say);
                loading.map_ok(move |loaded| (at, loaded))
            })
            .collect();
        // Where one is done the next begins: small tables do not wait for a large one beside them.
        let mut loaded: Vec<(usize, LoadedTable)> =
            stream::iter(loads).buffer_unordered(at_once).try_collect().await?;
        loaded.sort_by_key(|(at, _)| *at);
        tables.extend(loaded.into_iter().map(|(_, table)| table));
    }
    bulk::forbid(&mut admin).await?;
    answer("the end of a session", admin.close()).await?;
    Ok(tables)
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
    addresses: &Addresses,
    seed: u64,
    table: &TableSpec,
    say: &(dyn Fn(Progress) + Send + Sync),
) -> Result<LoadedTable> {
    let start = Instant::now();
    let mut app = connect(&addresses.app_to(TEMPLATE)).await?;
    let name = table.name.clone();
    let rows = table.rows;
    let copied = copy_table(&mut app, seed, table, &|done| {
        say(Progress::Loading { table: name.clone(), done, rows, ms: millis(start) });
    })
    .await?;
    let load_ms = millis(start);
    let columns: Vec<String> = table.columns.iter().map(|column| column.name.clone()).collect();
    sequences::advance(&mut app, &table.name, Columns::Named(&columns)).await?;
    answer("the end of a session", app.close()).await?;
    if let Some(Copied { form, frozen, indexes }) = copied {
        say(Progress::Loaded { table: name, rows, ms: load_ms, form, frozen, indexes });
    }
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
    Ok(waves(tables, &references(app).await?)?.into_iter().flatten().collect())
}

/// Tables that may be loaded at the same time, each after those that it refers to; otherwise in the order of the plan.
fn waves<'a>(
    tables: &'a [TableSpec],
    references: &[(String, String)],
) -> Result<Vec<Vec<&'a TableSpec>>> {
    let mut left: Vec<&TableSpec> = tables.iter().collect();
    let mut waves = Vec::new();
    while !left.is_empty() {
        let waits = |table: &TableSpec| {
            references.iter().any(|(from, to)| {
                *from == table.name && to != from && left.iter().any(|other| other.name == *to)
            })
        };
        let (later, now): (Vec<_>, Vec<_>) = left.iter().copied().partition(|table| waits(table));
        if now.is_empty() {
            let names: Vec<&str> = left.iter().map(|t| t.name.as_str()).collect();
            bail!("the tables {} refer to each other in a circle", names.join(", "));
        }
        waves.push(now);
        left = later;
    }
    Ok(waves)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::RowOrder;

    fn order(references: &[(&str, &str)]) -> Result<String> {
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
        let names = |wave: &Vec<&TableSpec>| {
            wave.iter().map(|table| table.name.as_str()).collect::<Vec<_>>().join(" ")
        };
        Ok(waves(&tables, &references)?.iter().map(names).collect::<Vec<_>>().join(", "))
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
        assert_eq!(order(&[]).unwrap(), "a b c");
        assert_eq!(order(&[("a", "b")]).unwrap(), "b c, a");
        assert_eq!(order(&[("a", "b"), ("b", "c")]).unwrap(), "c, b, a");
        assert_eq!(order(&[("a", "a"), ("a", "not-loaded")]).unwrap(), "a b c");
        assert!(order(&[("a", "b"), ("b", "a")]).unwrap_err().to_string().contains("a, b"));
    }
}
