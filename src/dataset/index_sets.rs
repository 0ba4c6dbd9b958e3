//! One database per index set, its own indexes built, measured and verified. All but one are cloned from the database that
//! the rows were loaded into; the one with the fewest indexes is that database itself, so that a file with one index set
//! pays for no copy; settings, rights and counters that a clone would not have are taken from it. A later set is cloned from one
//! that is there, without the indexes that were declared for that one.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use sqlx::Connection as _;
use sqlx::postgres::PgConnection;
use tokio::time::Instant;

use super::catalogue::{indexes, wait_until_alone};
use super::connect::{answer, connect, execute, quote_ident};
use super::copy::millis;
use super::made::BuiltIndex;
use super::orders::{Addresses, Progress, TEMPLATE};
use crate::plan::IndexSetPlan;

const CLONE_PATIENCE: Duration = Duration::from_mins(30);
const BUILD_PATIENCE: Duration = Duration::from_hours(2);
/// In the database itself, as a superuser.
const STRIP: [&str; 3] = [
    "DELETE FROM pg_db_role_setting WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())",
    "UPDATE pg_database SET datacl = NULL, datconnlimit = -1 WHERE datname = current_database()",
    "SELECT pg_stat_reset()",
];

/// A database that others are cloned from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Origin {
    database: String,
    /// Indexes that were declared for it: a clone does without them.
    declared: Vec<String>,
}

impl Origin {
    /// What the rows were loaded into, before it has any declared index.
    pub(super) fn template() -> Self {
        Self::whole(TEMPLATE)
    }

    /// A database with all that it has.
    pub(super) fn whole(database: &str) -> Self {
        Self { database: database.to_owned(), declared: Vec::new() }
    }

    /// Of these databases with their indexes the one whose clones cost the least; the template, if there are none.
    pub(super) fn among<'s>(
        sets: impl IntoIterator<Item = (&'s str, Vec<&'s BuiltIndex>)>,
    ) -> Self {
        let bytes = |indexes: &[&BuiltIndex]| indexes.iter().map(|i| i.index_bytes).sum::<u64>();
        let least = sets.into_iter().min_by_key(|(_, indexes)| (bytes(indexes), indexes.len()));
        least.map_or_else(Self::template, |(database, indexes)| Self {
            database: database.to_owned(),
            declared: indexes.iter().map(|index| index.name.clone()).collect(),
        })
    }

    /// Its name.
    pub(super) fn database(&self) -> &str {
        &self.database
    }

    /// Clones it into a database of this name.
    pub(super) async fn clone_to(
        &self,
        admin: &mut PgConnection,
        addresses: &Addresses,
        name: &str,
    ) -> Result<()> {
        wait_until_alone(admin).await?;
        let clone = format!(
            "CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy OWNER {}",
            quote_ident(name),
            quote_ident(&self.database),
            quote_ident(&addresses.app.user),
        );
        execute(admin, &clone, CLONE_PATIENCE).await?;
        if self.declared.is_empty() {
            return Ok(());
        }
        let mut app = connect(&addresses.app_to(name)).await?;
        let sql = "SELECT format('%I.%I', nspname, relname) FROM pg_class \
                   JOIN pg_namespace n ON n.oid = relnamespace WHERE relkind IN ('i', 'I') \
                   AND NOT relispartition AND relname = ANY($1)";
        let there = sqlx::query_scalar(sql).bind(&self.declared).fetch_all(&mut app);
        let there: Vec<String> = answer("the declared indexes of a clone", there).await?;
        for index in there {
            execute(&mut app, &format!("DROP INDEX {index}"), CLONE_PATIENCE).await?;
        }
        answer("the end of a session", app.close()).await
    }
}

/// Which of these sets becomes the database that the rows were loaded into: the first of those with the fewest indexes.
fn heir(sets: &[IndexSetPlan]) -> Option<usize> {
    (0..sets.len()).min_by_key(|at| sets[*at].indexes.len())
}

/// Makes the databases of all sets of what the rows were loaded into, which is one of them afterwards.
pub(super) async fn make_all(
    admin: &mut PgConnection,
    addresses: &Addresses,
    sets: &[IndexSetPlan],
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<Vec<BuiltIndex>> {
    let Some(heir) = heir(sets) else { return Ok(Vec::new()) };
    let mut built = vec![Vec::new(); sets.len()];
    for (at, set) in sets.iter().enumerate().filter(|(at, _)| *at != heir) {
        built[at] = add(admin, addresses, (&Origin::template(), set), progress).await?;
    }
    let set = &sets[heir];
    wait_until_alone(admin).await?;
    let rename = format!("ALTER DATABASE {TEMPLATE} RENAME TO {}", quote_ident(&set.database));
    execute(admin, &rename, CLONE_PATIENCE).await?;
    strip(addresses, &set.database).await?;
    if sets.len() > 1 && !set.indexes.is_empty() {
        // Cloning has written all to disk before it began with the others: none has to build beside older work.
        execute(admin, "CHECKPOINT", CLONE_PATIENCE).await?;
    }
    built[heir] = build(addresses, set, progress).await?;
    Ok(built.concat())
}

/// Takes from a database what its clones do not have either: settings, rights and a limit of its own, which a migration may
/// have given it, and what was counted during the load, by which autovacuum would find work in this one only.
async fn strip(addresses: &Addresses, database: &str) -> Result<()> {
    let mut boss = connect(&addresses.admin_to(database)).await?;
    for sql in STRIP {
        execute(&mut boss, sql, CLONE_PATIENCE).await?;
    }
    answer("the end of a session", boss.close()).await
}

/// Makes the database of one more set.
pub(super) async fn add(
    admin: &mut PgConnection,
    addresses: &Addresses,
    (origin, set): (&Origin, &IndexSetPlan),
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<Vec<BuiltIndex>> {
    let start = Instant::now();
    origin.clone_to(admin, addresses, &set.database).await?;
    progress(Progress::Cloned { database: set.database.clone(), ms: millis(start) });
    build(addresses, set, progress).await
}

/// Builds the indexes of a set in its database.
async fn build(
    addresses: &Addresses,
    set: &IndexSetPlan,
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<Vec<BuiltIndex>> {
    let mut app = connect(&addresses.app_to(&set.database)).await?;
    let before = names(&mut app).await?;
    let mut records = Vec::new();
    for index in &set.indexes {
        let start = Instant::now();
        execute(&mut app, &index.sql, BUILD_PATIENCE)
            .await
            .with_context(|| format!("index `{}`", index.name))?;
        let build_ms = millis(start);
        let bytes = indexes(&mut app).await?.get(&index.name).copied();
        let index_bytes = bytes.with_context(|| {
            format!("there is no index `{}`: did its statement make another name?", index.name)
        })?;
        let record = BuiltIndex {
            database: set.database.clone(),
            name: index.name.clone(),
            sql: index.sql.clone(),
            build_ms,
            index_bytes,
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
    answer("the end of a session", app.close()).await?;
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
    let now = names(app).await?;
    let declared: BTreeSet<String> = set.indexes.iter().map(|i| i.name.clone()).collect();
    let wanted: BTreeSet<String> = before.union(&declared).cloned().collect();
    if now != wanted {
        bail!("database `{}` has the indexes {now:?}, but should have {wanted:?}", set.database);
    }
    Ok(())
}

async fn names(app: &mut PgConnection) -> Result<BTreeSet<String>> {
    Ok(indexes(app).await?.into_keys().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::IndexPlan;

    fn set(indexes: usize) -> IndexSetPlan {
        let index = |n| IndexPlan { name: format!("i{n}"), sql: String::new() };
        let indexes = (0..indexes).map(index).collect();
        IndexSetPlan { database: String::new(), indexes, major: None }
    }

    #[test]
    fn the_set_with_the_fewest_indexes_is_no_clone() {
        assert_eq!(heir(&[]), None);
        assert_eq!(heir(&[set(2)]), Some(0));
        assert_eq!(heir(&[set(2), set(1), set(0), set(0)]), Some(2));
    }

    #[test]
    fn the_smallest_database_is_cloned_and_without_its_own_indexes() {
        let index = |name: &str, index_bytes| BuiltIndex {
            name: name.into(),
            index_bytes,
            ..BuiltIndex::default()
        };
        let (a, b) = (index("a", 10), index("b", 7));
        let origin = Origin::among([("one", vec![&a]), ("two", vec![&b]), ("both", vec![&a, &b])]);
        assert_eq!(origin, Origin { database: "two".into(), declared: vec!["b".into()] });
        assert_eq!(Origin::among([("one", vec![&a]), ("none", vec![])]).declared, [""; 0]);
        assert_eq!(Origin::among([]), Origin::template());
    }
}
