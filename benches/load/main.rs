//! How fast rows come into Postgres, beside the fastest that others do: `cargo bench --bench load -- [ROWS] [ROUNDS]`.
//!
//! All in one run, in turn, on one private server, so that ratios mean something on any machine:
//! the generators alone; a stream of the same rows prepared in memory, into a table without a key (the bar: nothing that
//! makes rows can be faster); querylab's own load of that table, without and with its primary key; `pgbench -i` and
//! querylab's load of the same tables, keys included in both. The median of the rounds is what counts. Resident memory is
//! querylab's own peak, before the bar's rows are prepared.
#![expect(clippy::print_stdout, reason = "a program of its own, whose table goes to stdout")]
#![expect(
    clippy::disallowed_methods,
    reason = "outside of the package's rooms: it starts processes and reads the clock"
)]

mod server;
mod tables;

use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use querylab::dataset::{self, Progress};
use querylab::plan::Plan;
use querylab::rows::{BINARY_END, BINARY_START, Rows, Wire};
use sqlx::postgres::PgConnection;

use crate::server::Server;

/// Rows of the table where nobody says how many.
const ROWS: u64 = 1_000_000;
/// Rounds where nobody says how many.
const ROUNDS: u64 = 3;
/// Rows of pgbench's table of accounts in one unit of its scale.
const PER_SCALE: u64 = 100_000;

#[tokio::main]
async fn main() -> Result<()> {
    // Cargo adds `--bench`.
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let number = |at: usize| words.get(at).map(|word| word.parse::<u64>()).transpose();
    let rows = number(0).context("ROWS is a number")?.unwrap_or(ROWS);
    let rounds = number(1).context("ROUNDS is a number")?.unwrap_or(ROUNDS);
    ensure!(rows >= PER_SCALE && rounds > 0, "at least {PER_SCALE} rows, and one round");
    let server = Server::start().await?;
    let users = tables::users(rows, tables::Key::Without)?;
    println!("{rows} rows, {rounds} rounds\n");
    generators(&users.plan)?;

    let keyed = tables::users(rows, tables::Key::With)?;
    let accounts = tables::pgbench(rows / PER_SCALE)?;
    let (mut plain, mut with_key, mut ours, mut theirs) = (vec![], vec![], vec![], vec![]);
    for _ in 0..rounds {
        plain.push(load(&server, &users).await?);
        with_key.push(load(&server, &keyed).await?);
        ours.push(load(&server, &accounts).await?);
        theirs.extend(server.pgbench(rows / PER_SCALE).await?);
    }
    let memory = peak_memory()?;
    let mut bar = Vec::new();
    let prepared = prepared(&users.plan)?;
    for _ in 0..rounds {
        bar.push(stream(&server, &users, &prepared).await?);
        // In turn with the bar: a machine may be slower now than it was above.
        plain.push(load(&server, &users).await?);
    }
    let bar = median(&mut bar);
    let say = |what: &str, seconds: f64, to: Option<f64>| {
        let ratio = to.map_or(String::new(), |to| format!("  {:.2} of it", to / seconds));
        println!("{what:52} {seconds:8.2} s {:12.0} rows/s{ratio}", rows as f64 / seconds);
    };
    say("prepared binary stream, no key (the bar)", bar, None);
    say("querylab, no key", median(&mut plain), Some(bar));
    say("querylab, primary key included", median(&mut with_key), Some(bar));
    if theirs.is_empty() {
        println!("pgbench is not installed: nothing to compare its tables with");
    } else {
        let theirs = median(&mut theirs);
        say("pgbench -i: rows and keys", theirs, None);
        say("querylab, pgbench's tables: rows and keys", median(&mut ours), Some(theirs));
    }
    println!("\nresident memory of querylab, at its peak: {:.0} MB", memory / 1e6);
    Ok(())
}

/// Rows per second of one processor that makes them and does nothing else.
fn generators(plan: &Plan) -> Result<()> {
    let rows = rows_of(plan)?;
    let wires = wires(&rows);
    let total = rows.spec().rows;
    let mut out = Vec::with_capacity(1 << 21);
    for (what, is_binary) in [("generator alone, text", false), ("generator alone, binary", true)] {
        let start = Instant::now();
        for row in 1..=total {
            if is_binary {
                rows.write_binary_row(&wires, row, &mut out).map_err(anyhow::Error::msg)?;
            } else {
                rows.write_copy_row(row, &mut out);
            }
            if out.len() > 1 << 20 {
                std::hint::black_box(&out);
                out.clear();
            }
        }
        let seconds = start.elapsed().as_secs_f64();
        println!("{what:52} {seconds:8.2} s {:12.0} rows/s", total as f64 / seconds);
    }
    Ok(())
}

fn rows_of(plan: &Plan) -> Result<Rows> {
    let table = plan.dataset.tables.first().context("a table")?;
    Rows::new(plan.dataset.data_seed, table.clone()).map_err(anyhow::Error::msg)
}

/// The forms of the columns of `users`: texts and a timestamp.
fn wires(rows: &Rows) -> Vec<Wire> {
    let wire = |name: &str| if name == "created_at" { Wire::Timestamp } else { Wire::Text };
    rows.spec().columns.iter().map(|column| wire(&column.name)).collect()
}

/// All rows as COPY takes them, in pieces.
fn prepared(plan: &Plan) -> Result<Vec<Vec<u8>>> {
    let rows = rows_of(plan)?;
    let wires = wires(&rows);
    let mut chunks = vec![BINARY_START.to_vec()];
    for row in 1..=rows.spec().rows {
        let mut last = chunks.pop().unwrap_or_default();
        rows.write_binary_row(&wires, row, &mut last).map_err(anyhow::Error::msg)?;
        let is_full = last.len() > 1 << 20;
        chunks.push(last);
        if is_full {
            chunks.push(Vec::with_capacity((1 << 20) + 4096));
        }
    }
    chunks.push(BINARY_END.to_vec());
    Ok(chunks)
}

/// Seconds that the prepared rows take into an empty table.
async fn stream(server: &Server, table: &tables::Made, chunks: &[Vec<u8>]) -> Result<f64> {
    let mut boss = server.boss().await?;
    run(&mut boss, "CREATE DATABASE bar").await?;
    let mut connection = server.connect("bar").await?;
    run(&mut connection, &table.schema).await?;
    let start = Instant::now();
    let names = "email, name, status, created_at";
    let sql = format!("COPY users ({names}) FROM STDIN (FORMAT binary)");
    let mut copy = connection.copy_in_raw(&sql).await?;
    for chunk in chunks {
        copy.send(chunk.as_slice()).await?;
    }
    let taken = copy.finish().await?;
    let seconds = start.elapsed().as_secs_f64();
    ensure!(taken == table.plan.dataset.tables[0].rows, "the bar took {taken} rows");
    drop(connection);
    run(&mut boss, "DROP DATABASE bar WITH (FORCE)").await?;
    run(&mut boss, "CHECKPOINT").await?;
    Ok(seconds)
}

/// Seconds that querylab takes for all tables, keys included.
async fn load(server: &Server, made: &tables::Made) -> Result<f64> {
    let addresses = server.addresses();
    let mut rows_ms = 0;
    let mut listen = |step| {
        if let Progress::Loaded { ms, .. } = step {
            // Small tables are loaded beside the large one.
            rows_ms = rows_ms.max(ms);
        }
    };
    dataset::prepare(&addresses, &made.migrations, &made.plan, &mut listen).await?;
    let mut boss = server.boss().await?;
    for database in ["ql_set_0", "ql_template"] {
        run(&mut boss, &format!("DROP DATABASE {database} WITH (FORCE)")).await?;
    }
    run(&mut boss, "CHECKPOINT").await?;
    Ok(rows_ms as f64 / 1e3)
}

async fn run(connection: &mut PgConnection, sql: &str) -> Result<()> {
    let statement = sqlx::AssertSqlSafe(sql.to_owned());
    sqlx::raw_sql(statement).execute(connection).await.with_context(|| sql.to_owned())?;
    Ok(())
}

fn median(all: &mut [f64]) -> f64 {
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}

/// The largest resident set of this process so far, in bytes.
fn peak_memory() -> Result<f64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("VmHWM")?;
    let kilobytes: f64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kilobytes * 1024.0)
}
