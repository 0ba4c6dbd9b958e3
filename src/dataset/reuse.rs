//! From a cluster that was restored to the databases that a plan wants: verified, renamed, and only what is missing is
//! built.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use sqlx::postgres::PgConnection;
use tokio::time::{Instant, timeout};

use super::cache::{Kept, KeptSet};
use super::catalogue::{databases, indexes, table_bytes, wait_until_alone};
use super::connect::{connect, database_error, execute, quote_ident};
use super::copy::millis;
use super::index_sets::Origin;
use super::made::{BuiltIndex, Dataset, WriteCost};
use super::orders::{Addresses, Progress};
use super::{costs, index_sets};
use crate::plan::{IndexSetPlan, Plan};

/// For counting the rows of one table.
const COUNTING: Duration = Duration::from_mins(10);
/// For renaming or dropping one database.
const RENAMING: Duration = Duration::from_mins(2);
/// For what was built to be on disk.
const WRITING: Duration = Duration::from_mins(30);
/// Most databases of other plans that an entry carries along.
const MOST_SPARE: usize = 8;

/// Data from the cache, ready.
#[derive(Debug)]
pub struct Reused {
    /// As the plan names them; the times of tables and of indexes that were there are of when they were built.
    pub dataset: Dataset,
    /// What the cluster holds now, databases of other plans included.
    pub kept: Kept,
    /// Index sets that were not there and were built.
    pub built_sets: usize,
}

/// Why cached data could not be made ready.
#[derive(Debug)]
pub enum NotReused {
    /// They are not what the entry says: it must not be used again.
    Wrong(String),
    /// Something that would fail with other data as well, and what the cluster holds all the same, where that is known.
    Failed {
        /// What went wrong.
        error: anyhow::Error,
        /// As before, but for what was added or renamed.
        kept: Option<Box<Kept>>,
    },
}

/// A failure after which nobody knows what the cluster holds.
fn lost(error: anyhow::Error) -> NotReused {
    NotReused::Failed { error, kept: None }
}

/// Makes the databases of the plan in a cluster from the cache.
///
/// # Errors
///
/// If the data are not what the entry says, or an index that is missing can't be built.
pub async fn reuse(
    addresses: &Addresses,
    plan: &Plan,
    kept: &Kept,
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<Reused, NotReused> {
    let start = Instant::now();
    let mut admin = connect(&addresses.admin).await.map_err(lost)?;
    verify(&mut admin, addresses, kept).await.map_err(|e| NotReused::Wrong(format!("{e:#}")))?;
    let mut sets = rearrange(&mut admin, (plan, kept)).await.map_err(lost)?;
    let holds = |sets| Kept { tables: kept.tables.clone(), sets, prepare_ms: kept.prepare_ms };
    let done = furnish(&mut admin, addresses, (plan, &mut sets), progress).await;
    let (built_sets, write_costs) = match done {
        Ok(done) => done,
        Err(error) => {
            // What is half made would be a reason not to use the rest again.
            let cleared = clear(&mut admin, &sets).await;
            let kept = cleared.is_ok().then(|| Box::new(holds(sets)));
            return Err(NotReused::Failed { error, kept });
        }
    };
    let wanted = plan.index_sets.iter().map(|set| set.database.as_str());
    let of = |database: &str| sets.iter().find(|set| set.database == database);
    let indexes = wanted.filter_map(of).flat_map(|set| set.indexes.clone()).collect();
    let dataset = Dataset {
        tables: kept.tables.clone(),
        indexes,
        prepare_ms: millis(start),
        migrations: Vec::new(),
        write_costs,
    };
    Ok(Reused { dataset, kept: holds(sets), built_sets })
}

/// Whether the cluster holds what the entry says: databases, rows, sizes, indexes.
async fn verify(admin: &mut PgConnection, addresses: &Addresses, kept: &Kept) -> Result<()> {
    let mut expected: Vec<&str> = kept.sets.iter().map(|set| set.database.as_str()).collect();
    expected.sort_unstable();
    let there = databases(admin).await?;
    ensure!(there == expected, "it has the databases {there:?}, and should have {expected:?}");
    // All of them are clones of one.
    let one = *expected.first().context("it has no database")?;
    let mut app = connect(&addresses.app_to(one)).await?;
    for table in &kept.tables {
        let (name, rows) = (&table.name, count(&mut app, &table.name).await?);
        ensure!(rows == table.rows, "table `{name}` has {rows} rows, and had {}", table.rows);
        let bytes = table_bytes(&mut app, name).await?;
        ensure!(
            bytes == table.table_bytes,
            "table `{name}` has {bytes} bytes, and had {}",
            table.table_bytes
        );
    }
    let declared =
        kept.sets.iter().find(|set| set.database == one).map_or(0, |set| set.indexes.len());
    let own = indexes(&mut app).await?.len().saturating_sub(declared);
    drop(app);
    for set in &kept.sets {
        let mut app = connect(&addresses.app_to(&set.database)).await?;
        let there = indexes(&mut app).await?;
        let database = &set.database;
        ensure!(
            there.len() == own + set.indexes.len(),
            "database `{database}` has {} indexes, and had {}",
            there.len(),
            own + set.indexes.len()
        );
        for index in &set.indexes {
            let bytes = there.get(&index.name);
            ensure!(
                bytes == Some(&index.index_bytes),
                "index `{}` of `{database}` has {bytes:?} bytes, and had {}",
                index.name,
                index.index_bytes
            );
        }
    }
    Ok(())
}

async fn count(app: &mut PgConnection, table: &str) -> Result<u64> {
    let sql = format!("SELECT count(*) FROM {}", quote_ident(table));
    let query = sqlx::query_scalar(sqlx::AssertSqlSafe(sql));
    let rows: i64 = timeout(COUNTING, query.fetch_one(app))
        .await
        .with_context(|| format!("counting the rows of `{table}` took too long"))?
        .map_err(|e| database_error(&e))
        .with_context(|| format!("the rows of `{table}`"))?;
    Ok(u64::try_from(rows)?)
}

/// Renames what is there, and drops what has been carried along too long.
async fn rearrange(admin: &mut PgConnection, (plan, kept): (&Plan, &Kept)) -> Result<Vec<KeptSet>> {
    wait_until_alone(admin).await?;
    let names = names(&kept.sets, &plan.index_sets);
    // Through names that nobody has, so that two may change theirs with each other.
    let moving: Vec<(usize, &KeptSet, &str)> = (kept.sets.iter().zip(&names).enumerate())
        .filter(|(_, (set, name))| set.database != **name)
        .map(|(n, (set, name))| (n, set, name.as_str()))
        .collect();
    for (n, set, _) in &moving {
        rename(admin, &set.database, &format!("ql_moving_{n}")).await?;
    }
    for (n, _, name) in &moving {
        rename(admin, &format!("ql_moving_{n}"), name).await?;
    }
    let mut sets: Vec<KeptSet> =
        kept.sets.iter().zip(&names).map(|(set, name)| renamed(set, name)).collect();
    let is_wanted = |set: &KeptSet| plan.index_sets.iter().any(|w| w.database == set.database);
    while sets.iter().filter(|set| !is_wanted(set)).count() > MOST_SPARE {
        let Some(at) = sets.iter().position(|set| !is_wanted(set)) else { break };
        let spare = sets.remove(at);
        let sql = format!("DROP DATABASE {}", quote_ident(&spare.database));
        execute(admin, &sql, RENAMING).await?;
    }
    Ok(sets)
}

/// Builds what is not there, and prices what is to be priced: how many sets were built, and the prices.
async fn furnish(
    admin: &mut PgConnection,
    addresses: &Addresses,
    (plan, sets): (&Plan, &mut Vec<KeptSet>),
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<(usize, Vec<WriteCost>)> {
    let mut built = 0;
    for set in &plan.index_sets {
        if sets.iter().any(|there| there.database == set.database) {
            continue;
        }
        let origin = origin(sets);
        let indexes = index_sets::add(admin, addresses, (&origin, set), progress).await?;
        sets.push(KeptSet { database: set.database.clone(), indexes });
        built += 1;
    }
    execute(admin, "CHECKPOINT", WRITING).await?;
    let bare = origin(sets);
    let write_costs = costs::measure(admin, addresses, (plan, &bare), progress).await?;
    Ok((built, write_costs))
}

/// Drops every database that is none of these.
async fn clear(admin: &mut PgConnection, sets: &[KeptSet]) -> Result<()> {
    for database in databases(admin).await? {
        if !sets.iter().any(|set| set.database == database) {
            let sql = format!("DROP DATABASE {} WITH (FORCE)", quote_ident(&database));
            execute(admin, &sql, RENAMING).await?;
        }
    }
    execute(admin, "CHECKPOINT", WRITING).await
}

/// What a database that is missing is cloned from.
fn origin(sets: &[KeptSet]) -> Origin {
    Origin::among(sets.iter().map(|set| (set.database.as_str(), set.indexes.iter().collect())))
}

async fn rename(admin: &mut PgConnection, from: &str, to: &str) -> Result<()> {
    let sql = format!("ALTER DATABASE {} RENAME TO {}", quote_ident(from), quote_ident(to));
    execute(admin, &sql, RENAMING).await
}

fn renamed(set: &KeptSet, name: &str) -> KeptSet {
    let rename = |index: &BuiltIndex| BuiltIndex { database: name.to_owned(), ..index.clone() };
    KeptSet { database: name.to_owned(), indexes: set.indexes.iter().map(rename).collect() }
}

/// The names that kept databases get: that of a wanted set with the very same statements, or a spare one.
fn names(kept: &[KeptSet], wanted: &[IndexSetPlan]) -> Vec<String> {
    let mut free: Vec<&IndexSetPlan> = wanted.iter().collect();
    let mut spare = 0;
    kept.iter()
        .map(|set| {
            let same = |wanted: &&IndexSetPlan| {
                let built = set.indexes.iter().map(|i| (&i.name, &i.sql));
                built.eq(wanted.indexes.iter().map(|i| (&i.name, &i.sql)))
            };
            if let Some(at) = free.iter().position(same) {
                return free.remove(at).database.clone();
            }
            spare += 1;
            format!("ql_spare_{spare}")
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::IndexPlan;

    fn kept(database: &str, indexes: &[&str]) -> KeptSet {
        let built = |name: &&str| BuiltIndex {
            database: database.into(),
            name: (*name).into(),
            sql: format!("CREATE INDEX {name}"),
            ..BuiltIndex::default()
        };
        KeptSet { database: database.into(), indexes: indexes.iter().map(built).collect() }
    }

    fn wanted(database: &str, indexes: &[&str]) -> IndexSetPlan {
        let index =
            |name: &&str| IndexPlan { name: (*name).into(), sql: format!("CREATE INDEX {name}") };
        let indexes = indexes.iter().map(index).collect();
        IndexSetPlan { database: database.into(), indexes, major: None }
    }

    #[test]
    fn a_database_is_found_by_the_statements_of_its_indexes_not_by_its_name() {
        let there =
            [kept("ql_set_0", &[]), kept("ql_set_1", &["a"]), kept("ql_set_2", &["a", "b"])];
        let plan =
            [wanted("ql_set_0", &["a"]), wanted("ql_set_1", &[]), wanted("ql_set_2", &["c"])];
        assert_eq!(names(&there, &plan), ["ql_set_1", "ql_set_0", "ql_spare_1"]);
    }

    #[test]
    fn another_order_or_another_statement_is_another_set() {
        let there = [kept("ql_set_0", &["a", "b"])];
        assert_eq!(names(&there, &[wanted("ql_set_0", &["b", "a"])]), ["ql_spare_1"]);
        let mut other = wanted("ql_set_0", &["a", "b"]);
        other.indexes[1].sql.push_str(" WHERE active");
        assert_eq!(names(&there, &[other]), ["ql_spare_1"]);
    }

    #[test]
    fn two_equal_sets_are_two_databases() {
        let there = [kept("ql_set_0", &["a"]), kept("ql_set_1", &["a"])];
        let plan = [wanted("ql_set_0", &["a"]), wanted("ql_set_1", &["a"])];
        assert_eq!(names(&there, &plan), ["ql_set_0", "ql_set_1"]);
        assert_eq!(names(&there, &plan[..1]), ["ql_set_0", "ql_spare_1"]);
    }
}
