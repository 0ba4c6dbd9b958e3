//! What a set of indexes costs those who write: rows inserted and rows changed in a clone that is thrown away.
//!
//! Each pass is a transaction of its own, and its commit is not timed: what is compared is the work of one row, not the
//! disk. The first pass after a clone writes whole pages to the log and is not counted. Inserted rows are those that the
//! generators make behind the table's last; changed rows are drawn anew for each pass and get the value that they had, so
//! that no index needs a new entry but for want of room on the row's page.

use std::time::Duration;

use anyhow::{Context, Result};
use sqlx::Connection as _;
use sqlx::postgres::PgConnection;
use tokio::time::{Instant, timeout};

use super::catalogue::wait_until_alone;
use super::connect::{answer, connect, database_error, execute, quote_ident};
use super::copy::{insert_rows, millis};
use super::made::{RowCost, WriteCost};
use super::orders::{Addresses, Progress, TEMPLATE};
use crate::plan::Plan;
use crate::rows::{RowOrder, TableSpec};

const CLONE: &str = "ql_costs";
/// Rows of a pass.
const ROWS: u64 = 5000;
/// Passes that count.
const PASSES: u64 = 5;
/// For one statement.
const PATIENCE: Duration = Duration::from_mins(30);

/// What rows cost in each database of the plan, and before that in one without any declared index, for each table that
/// a declared index is on.
pub(super) async fn measure(
    admin: &mut PgConnection,
    addresses: &Addresses,
    plan: &Plan,
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<Vec<WriteCost>> {
    if plan.design.index_costs.is_none() {
        return Ok(Vec::new());
    }
    let tables = tables(addresses, plan).await?;
    let sets = plan.index_sets.iter().map(|set| Some(set.database.as_str()));
    let mut all = Vec::new();
    for database in std::iter::once(None).chain(sets) {
        let start = Instant::now();
        let template = database.unwrap_or(TEMPLATE);
        wait_until_alone(admin).await?;
        let clone = format!(
            "CREATE DATABASE {CLONE} TEMPLATE {} STRATEGY file_copy OWNER {}",
            quote_ident(template),
            quote_ident(&addresses.app.user),
        );
        execute(admin, &clone, PATIENCE).await?;
        let mut costs = Vec::new();
        for table in &tables {
            let cost = of_table(addresses, plan.dataset.data_seed, table).await;
            let context = || format!("the price of writing to `{}` in `{template}`", table.name);
            costs.push(WriteCost {
                database: database.map(str::to_owned),
                ..cost.with_context(context)?
            });
        }
        execute(admin, &format!("DROP DATABASE {CLONE} WITH (FORCE)"), PATIENCE).await?;
        all.extend(costs);
        progress(Progress::Priced { database: template.to_owned(), ms: millis(start) });
    }
    Ok(all)
}

/// Tables with generated rows that a declared index is on, in the order of the plan.
async fn tables<'p>(addresses: &Addresses, plan: &'p Plan) -> Result<Vec<&'p TableSpec>> {
    let mut found: Vec<String> = Vec::new();
    for set in &plan.index_sets {
        let mut app = connect(&addresses.app_to(&set.database)).await?;
        let names: Vec<&str> = set.indexes.iter().map(|index| index.name.as_str()).collect();
        let sql = "SELECT DISTINCT t.relname::text FROM pg_index JOIN pg_class i ON i.oid = indexrelid \
                   JOIN pg_class t ON t.oid = indrelid WHERE i.relname = ANY($1)";
        let tables = sqlx::query_scalar(sql).bind(names).fetch_all(&mut app);
        let tables: Vec<String> = answer("the tables of the declared indexes", tables).await?;
        found.extend(tables);
        answer("the end of a session", app.close()).await?;
    }
    let tables = plan.dataset.tables.iter();
    Ok(tables.filter(|table| table.rows > 0 && found.contains(&table.name)).collect())
}

async fn of_table(addresses: &Addresses, seed: u64, table: &TableSpec) -> Result<WriteCost> {
    let mut cost = WriteCost { table: table.name.clone(), ..WriteCost::default() };
    let mut app = connect(&addresses.app_to(CLONE)).await?;
    if let Some(column) = column(&mut app, &table.name).await? {
        let mut passes = Vec::new();
        for pass in 0..=PASSES {
            let (done, hot) = change(&mut app, table, &column, pass).await?;
            if pass > 0 {
                cost.updated += done.rows;
                cost.hot += hot;
                passes.push(done);
            }
        }
        cost.update = median(&passes);
    }
    match insert(&mut app, seed, table).await {
        Ok(passes) => cost.insert = median(&passes),
        // Numbers that are all used up, or a rule that new rows would break: then there is no figure.
        Err(e) => {
            tracing::info!("rows behind the last of `{}` can't be inserted: {e:#}", table.name);
        }
    }
    Ok(cost)
}

/// A column that may be set; none where rows have no place of their own, as in a table with partitions.
async fn column(app: &mut PgConnection, table: &str) -> Result<Option<String>> {
    let sql = "SELECT attname::text FROM pg_class c JOIN pg_attribute ON attrelid = c.oid \
               WHERE c.oid = $1::regclass AND relkind = 'r' AND attnum > 0 AND NOT attisdropped \
               AND attgenerated = '' AND attidentity <> 'a' ORDER BY attnum DESC LIMIT 1";
    let query = sqlx::query_scalar(sql).bind(quote_ident(table)).fetch_optional(app);
    answer(format_args!("a column of table `{table}`"), query).await
}

/// What one pass took.
#[derive(Debug, Clone, Copy)]
struct Pass {
    rows: u64,
    ns: u64,
    wal_bytes: u64,
}

/// Sets a column of some rows to what it is.
async fn change(
    app: &mut PgConnection,
    table: &TableSpec,
    column: &str,
    pass: u64,
) -> Result<(Pass, u64)> {
    let (name, column) = (quote_ident(&table.name), quote_ident(column));
    let percent = 100.0 * (ROWS as f64 / table.rows as f64).min(1.0);
    let drawn = format!(
        "CREATE TEMPORARY TABLE ql_drawn_{pass} AS SELECT ctid AS place FROM {name} \
         TABLESAMPLE BERNOULLI ({percent}) REPEATABLE ({pass})"
    );
    execute(app, &drawn, PATIENCE).await?;
    let sql = format!(
        "UPDATE {name} SET {column} = {column} \
         WHERE ctid = ANY(ARRAY(SELECT place FROM pg_temp.ql_drawn_{pass}))"
    );
    execute(app, "BEGIN", PATIENCE).await?;
    let before = logged(app).await?;
    let start = Instant::now();
    let query = sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut *app);
    let done = timeout(PATIENCE, query)
        .await
        .context("changing rows took too long")?
        .map_err(|e| database_error(&e))?;
    let ns = nanos(start);
    let wal_bytes = logged(app).await?.saturating_sub(before);
    let hot = sqlx::query_scalar(
        "SELECT COALESCE(sum(n_tup_hot_upd), 0)::int8 FROM pg_stat_xact_user_tables WHERE relid = $1::regclass",
    );
    let hot: i64 =
        answer("how many updates were HOT", hot.bind(&name).fetch_one(&mut *app)).await?;
    execute(app, "COMMIT", PATIENCE).await?;
    Ok((Pass { rows: done.rows_affected(), ns, wal_bytes }, u64::try_from(hot)?))
}

/// Inserts the rows behind the last.
async fn insert(app: &mut PgConnection, seed: u64, table: &TableSpec) -> Result<Vec<Pass>> {
    let longer = TableSpec {
        rows: table.rows + (PASSES + 1) * ROWS,
        order: RowOrder::Clustered,
        ..table.clone()
    };
    let mut passes = Vec::new();
    for pass in 0..=PASSES {
        let (first, last) = (table.rows + pass * ROWS + 1, table.rows + (pass + 1) * ROWS);
        execute(app, "BEGIN", PATIENCE).await?;
        let before = logged(app).await?;
        let start = Instant::now();
        insert_rows(app, seed, &longer, first..=last).await?;
        let ns = nanos(start);
        let wal_bytes = logged(app).await?.saturating_sub(before);
        execute(app, "COMMIT", PATIENCE).await?;
        if pass > 0 {
            passes.push(Pass { rows: ROWS, ns, wal_bytes });
        }
    }
    Ok(passes)
}

/// Bytes that were written to the log so far.
async fn logged(app: &mut PgConnection) -> Result<u64> {
    let sql = "SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::int8";
    let bytes: i64 =
        answer("the length of the log", sqlx::query_scalar(sql).fetch_one(app)).await?;
    Ok(u64::try_from(bytes)?)
}

fn nanos(start: Instant) -> u64 {
    u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

/// Of one row: the middle of the passes; none where no row was written.
fn median(passes: &[Pass]) -> Option<RowCost> {
    let middle = |of: fn(&Pass) -> u64| {
        let written = passes.iter().filter(|pass| pass.rows > 0);
        let mut each: Vec<u64> = written.map(|pass| of(pass) / pass.rows).collect();
        each.sort_unstable();
        each.get(each.len() / 2).copied()
    };
    Some(RowCost { ns: middle(|pass| pass.ns)?, wal_bytes: middle(|pass| pass.wal_bytes)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_costs_the_middle_of_the_passes() {
        let pass = |rows, ns| Pass { rows, ns, wal_bytes: 3 * ns };
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[pass(0, 9)]), None, "nothing was written");
        let some = [pass(10, 1000), pass(20, 10_000), pass(10, 200), pass(0, 7)];
        assert_eq!(median(&some), Some(RowCost { ns: 100, wal_bytes: 300 }));
    }
}
