//! Loading many rows into a table at once: its indexes are built, and its foreign keys checked, after the rows are in.
//!
//! Keeping an index while rows come costs twice what building it afterwards does, and a foreign key asks the other table
//! once a row instead of once. So the indexes that migrations have made are marked as not ready, and the triggers of
//! foreign keys as off; the COPY passes them by, and `REINDEX` and `VALIDATE CONSTRAINT` make them what they were. A table
//! that was empty is truncated in the transaction of the COPY, so that its rows can be frozen as they are written: nothing
//! has to be rewritten later.
//!
//! Marks of indexes and triggers belong to a superuser, and the experiment's own SQL must never run as one: two functions,
//! there only while rows are loaded, set and take back the marks of tables that belong to who calls them. No setting of
//! the server is changed for any of this (those that only hold while data are made are those of its start, `lab/data.rs`).

use std::time::Duration;

use anyhow::{Result, ensure};
use sqlx::postgres::PgConnection;

use super::connect::{answer, execute, quote_ident};

/// For marks, which are few rows of the catalogue.
const MARKING: Duration = Duration::from_mins(1);
/// For building one index, or checking one foreign key.
const BUILDING: Duration = Duration::from_hours(2);

/// What stands in the way of loading a table in bulk, and what would have to be made good afterwards.
#[derive(Debug)]
struct Shape {
    /// An ordinary table, no partition, and nobody's trigger fires for its rows.
    is_plain: bool,
    /// Foreign keys of other tables point to it: it can't be truncated.
    is_referenced: bool,
    /// Rows are there already.
    has_rows: bool,
    /// Its indexes, as SQL names them.
    indexes: Vec<String>,
    /// Its foreign keys, as SQL names them.
    foreign_keys: Vec<String>,
}

/// A table whose indexes and foreign keys wait.
#[derive(Debug)]
pub(super) struct Waiting {
    table: String,
    shape: Shape,
    /// Whether its rows can be frozen as they are written.
    pub(super) can_freeze: bool,
}

impl Waiting {
    /// How many indexes are built after the rows.
    pub(super) fn indexes(&self) -> usize {
        self.shape.indexes.len()
    }
}

/// Makes what [`begin`] and [`end`] need; as a superuser, when the migrations are done. Nothing that these have made is
/// found by a name without its schema from here on.
pub(super) async fn allow(admin: &mut PgConnection, app: &str) -> Result<()> {
    let sql = format!(
        "SET search_path = pg_catalog, pg_temp;
         CREATE SCHEMA ql_loading;
         CREATE TABLE ql_loading.off (trigger oid NOT NULL);
         CREATE FUNCTION ql_loading.set_aside(which regclass) RETURNS void LANGUAGE sql SECURITY DEFINER
         SET search_path = pg_catalog, pg_temp AS $$
           UPDATE pg_index SET indisready = false, indisvalid = false
           WHERE indrelid = which AND indislive AND indisready AND indisvalid AND NOT indisexclusion
           AND {OWN};
           WITH changed AS (UPDATE pg_trigger SET tgenabled = 'D' WHERE tgrelid = which AND tgisinternal
             AND tgenabled = 'O' AND tgconstraint IN (SELECT oid FROM pg_constraint
               WHERE conrelid = which AND contype = 'f' AND convalidated) AND {OWN} RETURNING oid)
           INSERT INTO ql_loading.off SELECT oid FROM changed;
           UPDATE pg_constraint SET convalidated = false
           WHERE conrelid = which AND contype = 'f' AND convalidated AND {OWN};
         $$;
         CREATE FUNCTION ql_loading.put_back(which regclass) RETURNS void LANGUAGE sql SECURITY DEFINER
         SET search_path = pg_catalog, pg_temp AS $$
           UPDATE pg_trigger SET tgenabled = 'O'
           WHERE tgrelid = which AND oid IN (SELECT trigger FROM ql_loading.off);
         $$;
         GRANT USAGE ON SCHEMA ql_loading TO {};",
        quote_ident(app)
    );
    execute(admin, &sql, MARKING).await
}

/// Whether the table belongs to whoever is connected.
const OWN: &str = "EXISTS (SELECT FROM pg_class c JOIN pg_roles r ON r.oid = c.relowner \
                   WHERE c.oid = which AND r.rolname = session_user)";

/// Takes it away again, and sees to it that nothing was left half done.
pub(super) async fn forbid(admin: &mut PgConnection) -> Result<()> {
    let sql = "SELECT ARRAY(SELECT format('index %s', indexrelid::regclass) FROM pg_index \
                 WHERE indislive AND NOT indisready \
               UNION ALL SELECT format('trigger %s of %s', tgname, tgrelid::regclass) FROM pg_trigger \
                 WHERE tgenabled = 'D' AND oid IN (SELECT trigger FROM ql_loading.off))";
    let left: Vec<String> =
        answer("what the load has left", sqlx::query_scalar(sql).fetch_one(&mut *admin)).await?;
    ensure!(left.is_empty(), "the load has left these unfinished: {}", left.join(", "));
    execute(admin, "DROP SCHEMA ql_loading CASCADE", MARKING).await
}

type Row = (bool, bool, bool, Vec<String>, Vec<String>);

/// What a table is like before rows come.
async fn shape(app: &mut PgConnection, table: &str) -> Result<Shape> {
    let name = quote_ident(table);
    let sql = format!(
        "SELECT c.relkind = 'r' AND NOT c.relispartition \
           AND EXISTS (SELECT FROM pg_roles WHERE oid = c.relowner AND rolname = session_user) \
           AND NOT EXISTS (SELECT FROM pg_inherits WHERE inhparent = c.oid) \
           AND NOT EXISTS (SELECT FROM pg_trigger WHERE tgrelid = c.oid AND NOT tgisinternal), \
         EXISTS (SELECT FROM pg_constraint WHERE confrelid = c.oid AND conrelid <> c.oid), \
         EXISTS (SELECT FROM {name}), \
         ARRAY(SELECT format('%I.%I', n.nspname, i.relname) FROM pg_index JOIN pg_class i ON i.oid = indexrelid \
           JOIN pg_namespace n ON n.oid = i.relnamespace WHERE indrelid = c.oid AND indislive AND indisready \
           AND indisvalid AND NOT indisexclusion ORDER BY indexrelid), \
         ARRAY(SELECT format('%I', conname) FROM pg_constraint WHERE conrelid = c.oid AND contype = 'f' \
           AND convalidated ORDER BY oid) \
         FROM pg_class c WHERE c.oid = $1::regclass"
    );
    let question = sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(&name).fetch_one(app);
    let (is_plain, is_referenced, has_rows, indexes, foreign_keys): Row =
        answer(format_args!("what table `{table}` is like"), question).await?;
    Ok(Shape { is_plain, is_referenced, has_rows, indexes, foreign_keys })
}

/// Begins a transaction in which the indexes and the foreign keys of the table wait; none where rows are to come one by
/// one, as an application would insert them.
pub(super) async fn begin(app: &mut PgConnection, table: &str) -> Result<Option<Waiting>> {
    let shape = shape(app, table).await?;
    if !shape.is_plain {
        return Ok(None);
    }
    let name = quote_ident(table);
    let can_freeze = !shape.is_referenced && !shape.has_rows;
    execute(app, "BEGIN", MARKING).await?;
    if can_freeze {
        // Before the marks: it makes indexes anew, as ready ones.
        execute(app, &format!("TRUNCATE ONLY {name}"), MARKING).await?;
    }
    let literal = name.replace('\'', "''");
    execute(app, &format!("SELECT ql_loading.set_aside('{literal}'::regclass)"), MARKING).await?;
    Ok(Some(Waiting { table: name, shape, can_freeze }))
}

/// After the rows: builds what waited, and checks it.
pub(super) async fn end(app: &mut PgConnection, waiting: Waiting) -> Result<()> {
    let Waiting { table, shape, .. } = waiting;
    execute(app, "COMMIT", BUILDING).await?;
    for index in &shape.indexes {
        execute(app, &format!("REINDEX INDEX {index}"), BUILDING).await?;
    }
    let literal = table.replace('\'', "''");
    execute(app, &format!("SELECT ql_loading.put_back('{literal}'::regclass)"), MARKING).await?;
    for key in &shape.foreign_keys {
        let sql = format!("ALTER TABLE {table} VALIDATE CONSTRAINT {key}");
        execute(app, &sql, BUILDING).await?;
    }
    Ok(())
}
