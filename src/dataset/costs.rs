//! What a set of indexes costs those who write: rows inserted and rows changed in a clone that is thrown away.
//!
//! Each pass is a transaction of its own, and its commit is not timed: what is compared is the work of one row, not the
//! disk. The first pass after a clone writes whole pages to the log and is not counted. Each database is priced twice, the
//! second time in the reverse order, so that a machine that becomes slower does so for all of them alike; and before that
//! one is priced for nothing, because whoever is first finds a cold server. Inserted rows are those that the generators
//! make behind the table's last; changed rows are drawn anew for each pass and get the value that they had, so that no
//! index needs a new entry but for want of room on the row's page.

use std::time::Duration;

use anyhow::{Context, Result};
use sqlx::Connection as _;
use sqlx::postgres::PgConnection;
use tokio::time::{Instant, timeout};

use super::connect::{answer, connect, database_error, execute, quote_ident};
use super::copy::{insert_rows, millis};
use super::index_sets::Origin;
use super::made::{RowCost, WriteCost};
use super::orders::{Addresses, Progress};
use crate::plan::Plan;
use crate::rows::{RowOrder, TableSpec};

const CLONE: &str = "ql_costs";
/// Rows of a pass.
const ROWS: u64 = 5000;
/// Passes of a round that count.
const PASSES: u64 = 5;
/// For one statement.
const PATIENCE: Duration = Duration::from_mins(30);

/// What rows cost in each database of the plan, and before that in one without any declared index (a clone of `bare`), for
/// each table that a declared index is on.
pub(super) async fn measure(
    admin: &mut PgConnection,
    addresses: &Addresses,
    (plan, bare): (&Plan, &Origin),
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<Vec<WriteCost>> {
    if plan.design.index_costs.is_none() {
        return Ok(Vec::new());
    }
    let tables = tables(addresses, plan).await?;
    let sets = plan.index_sets.iter().map(|set| Some(set.database.as_str()));
    let databases: Vec<Option<&str>> = std::iter::once(None).chain(sets).collect();
    let what = (plan.dataset.data_seed, tables.as_slice());
    let mut visits = Vec::new();
    for (round, at) in turns(databases.len()) {
        let start = Instant::now();
        let database = databases[at];
        let origin = database.map_or_else(|| bare.clone(), Origin::whole);
        let visited = visit(admin, addresses, what, (database, &origin)).await?;
        if round > 0 {
            visits.extend(visited);
        }
        let database = origin.database().to_owned();
        progress(Progress::Priced { database, round, ms: millis(start) });
    }
    let mut all = Vec::new();
    for database in databases {
        for table in &tables {
            let name = table.name.as_str();
            let of_both = visits.iter().filter(|v| v.database == database && v.table == name);
            all.push(price(database, name, &of_both.collect::<Vec<_>>()));
        }
    }
    Ok(all)
}

/// Rounds, and whose turn it is. Round 0 does not count; the others go there and back, so that on the whole nobody is early.
fn turns(databases: usize) -> Vec<(u32, usize)> {
    let there = (0..databases).map(|at| (1, at));
    let back = (0..databases).rev().map(|at| (2, at));
    std::iter::once((0, 0)).chain(there).chain(back).collect()
}

/// Writes to all tables in a clone of one database, which is dropped again.
async fn visit<'p>(
    admin: &mut PgConnection,
    addresses: &Addresses,
    (seed, tables): (u64, &[&'p TableSpec]),
    (database, origin): (Option<&'p str>, &Origin),
) -> Result<Vec<Visit<'p>>> {
    origin.clone_to(admin, addresses, CLONE).await?;
    let mut visits = Vec::new();
    for table in tables.iter().copied() {
        let visit = of_table(addresses, seed, table).await;
        let template = origin.database();
        let context = || format!("the price of writing to `{}` in `{template}`", table.name);
        visits.push(Visit { database, ..visit.with_context(context)? });
    }
    execute(admin, &format!("DROP DATABASE {CLONE} WITH (FORCE)"), PATIENCE).await?;
    Ok(visits)
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

async fn of_table<'p>(addresses: &Addresses, seed: u64, table: &'p TableSpec) -> Result<Visit<'p>> {
    let mut visit = Visit { table: &table.name, ..Visit::default() };
    let mut app = connect(&addresses.app_to(CLONE)).await?;
    if let Some(column) = column(&mut app, &table.name).await? {
        for pass in 0..=PASSES {
            let (done, hot) = change(&mut app, table, &column, pass).await?;
            if pass > 0 {
                visit.hot += hot;
                visit.updates.push(done);
            }
        }
    }
    match insert(&mut app, seed, table).await {
        Ok(passes) => visit.inserts = passes,
        // Numbers that are all used up, or a rule that new rows would break: then there is no figure.
        Err(e) => {
            tracing::info!("rows behind the last of `{}` can't be inserted: {e:#}", table.name);
        }
    }
    Ok(visit)
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

/// What was written to one table of one clone, once.
#[derive(Debug, Clone, Default)]
struct Visit<'p> {
    /// What the clone is of; none: a database without any declared index.
    database: Option<&'p str>,
    table: &'p str,
    inserts: Vec<Pass>,
    updates: Vec<Pass>,
    /// Of the changed rows, those that needed no new entry in any index.
    hot: u64,
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

/// What all visits to one table of one database say together.
fn price(database: Option<&str>, table: &str, visits: &[&Visit<'_>]) -> WriteCost {
    let inserts: Vec<&[Pass]> = visits.iter().map(|visit| visit.inserts.as_slice()).collect();
    let updates: Vec<&[Pass]> = visits.iter().map(|visit| visit.updates.as_slice()).collect();
    WriteCost {
        database: database.map(str::to_owned),
        table: table.to_owned(),
        insert: row_cost(&inserts),
        update: row_cost(&updates),
        updated: updates.iter().copied().flatten().map(|pass| pass.rows).sum(),
        hot: visits.iter().map(|visit| visit.hot).sum(),
    }
}

/// Of one row: the mean over the rounds of the middle of each, and the range of all their passes; none where no row was
/// written.
fn row_cost(rounds: &[&[Pass]]) -> Option<RowCost> {
    let middle = |of: fn(&Pass) -> u64| -> Option<u64> {
        let middles = rounds.iter().filter_map(|passes| {
            let each = of_a_row(passes, of);
            each.get(each.len() / 2).copied()
        });
        let middles: Vec<u64> = middles.collect();
        middles.iter().sum::<u64>().checked_div(u64::try_from(middles.len()).ok()?)
    };
    let times: Vec<u64> = rounds.iter().flat_map(|passes| of_a_row(passes, |p| p.ns)).collect();
    Some(RowCost {
        ns: middle(|pass| pass.ns)?,
        least_ns: times.iter().copied().min()?,
        most_ns: times.iter().copied().max()?,
        wal_bytes: middle(|pass| pass.wal_bytes)?,
    })
}

/// What a row took in each pass in which any was written, in rising order.
fn of_a_row(passes: &[Pass], of: fn(&Pass) -> u64) -> Vec<u64> {
    let written = passes.iter().filter(|pass| pass.rows > 0);
    let mut each: Vec<u64> = written.map(|pass| of(pass) / pass.rows).collect();
    each.sort_unstable();
    each
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pass(rows: u64, ns: u64) -> Pass {
        Pass { rows, ns, wal_bytes: 3 * ns }
    }

    #[test]
    fn a_row_costs_the_mean_of_the_middles_of_the_rounds() {
        assert_eq!(row_cost(&[]), None);
        assert_eq!(row_cost(&[&[pass(0, 9)], &[]]), None, "nothing was written");
        let first = [pass(10, 1000), pass(20, 10_000), pass(10, 200), pass(0, 7)];
        let one = RowCost { ns: 100, least_ns: 20, most_ns: 500, wal_bytes: 300 };
        assert_eq!(row_cost(&[&first]), Some(one));
        assert_eq!(row_cost(&[&first, &[]]), Some(one), "only one round could write");
        let second = [pass(10, 2000), pass(10, 6000), pass(10, 1900)];
        let both = RowCost { ns: 150, least_ns: 20, most_ns: 600, wal_bytes: 450 };
        assert_eq!(row_cost(&[&first, &second]), Some(both));
    }

    #[test]
    fn a_machine_that_becomes_slower_does_so_for_all_databases_alike() {
        let turns = turns(4);
        assert_eq!(turns[0], (0, 0), "whoever is first is cold");
        // A row costs 1000 ns and 100 more with each turn.
        let costs = (0..4).map(|database| {
            let places = (1..turns.len()).filter(|place| turns[*place].1 == database);
            let passes: Vec<Pass> =
                places.map(|place| pass(1, 1000 + 100 * place as u64)).collect();
            let [first, second] = passes[..] else { panic!("two rounds: {turns:?}") };
            row_cost(&[&[first], &[second]]).expect("rows").ns
        });
        let costs: Vec<u64> = costs.collect();
        assert_eq!(costs, [1450; 4]);
    }

    #[test]
    fn a_price_adds_up_what_was_changed_in_both_rounds() {
        let visit = |hot| Visit { updates: vec![pass(4, 400)], hot, ..Visit::default() };
        let (first, second) = (visit(1), visit(3));
        let cost = price(Some("ql_set_1"), "users", &[&first, &second]);
        assert_eq!((cost.updated, cost.hot, cost.insert), (8, 4, None));
        assert_eq!(cost.update.map(|cost| cost.ns), Some(100));
    }
}
