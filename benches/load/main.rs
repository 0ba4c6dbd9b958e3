//! How fast rows come into Postgres, beside the fastest that others do: `cargo bench --bench load -- [ROWS] [ROUNDS]`.
//!
//! All in one run, in turn, so that ratios mean something on any machine. The generators alone; a stream of the same rows
//! prepared in memory, into a table without a key (the bar: nothing that makes rows can be faster), and querylab's own
//! load of that table; `pgbench -i` and querylab's load of the same tables, keys included in both, four times a round; and
//! all of it from nothing, a new cluster included, by hand and by querylab. The median of the rounds is what counts, and of
//! pgbench's tables the interval over pairs. Resident memory is querylab's own peak in a round before the bar's rows are
//! prepared. It prints a table, and fails where a bar is missed.
#![expect(clippy::print_stdout, reason = "a program of its own, whose table goes to stdout")]
#![expect(
    clippy::disallowed_methods,
    reason = "outside of the package's rooms: it starts processes and reads the clock"
)]

mod bars;
mod byhand;
mod generators;
mod server;
mod tables;

use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use querylab::dataset::{self, Progress};
use querylab::stats;
use sqlx::postgres::PgConnection;

use crate::bars::{Bar, Table};
use crate::server::{Server, Wal};
use crate::tables::{Index, Key, Made};

/// Rows of the table where nobody says how many.
const ROWS: u64 = 10_000_000;
/// Rounds where nobody says how many.
const ROUNDS: u64 = 3;
/// Rows of pgbench's table of accounts in one unit of its scale.
const PER_SCALE: u64 = 100_000;

#[tokio::main]
async fn main() -> Result<ExitCode> {
    // Cargo adds `--bench`.
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let number = |at: usize| words.get(at).map(|word| word.parse::<u64>()).transpose();
    let rows = number(0).context("ROWS is a number")?.unwrap_or(ROWS);
    let rounds = number(1).context("ROUNDS is a number")?.unwrap_or(ROUNDS);
    ensure!(rows >= PER_SCALE && rounds > 0, "at least {PER_SCALE} rows, and one round");
    let began = Instant::now();
    println!("{rows} rows, {rounds} rounds\n");
    let mut table = Table::default();
    let bare = tables::users(rows, Key::Without, Index::Without)?;
    generators::measure(&bare.plan, &mut table)?;
    let times = Times::measure(rows, rounds, &bare).await?;
    times.tell(rows, &mut table);
    println!("\n{}\n{:.0} s", table.print(), began.elapsed().as_secs_f64());
    let missed = table.missed();
    if missed == 0 {
        return Ok(ExitCode::SUCCESS);
    }
    println!("{missed} bars are missed");
    Ok(ExitCode::FAILURE)
}

/// Seconds, one of each round.
#[derive(Default)]
struct Times {
    bar: Vec<f64>,
    plain: Vec<f64>,
    with_key: Vec<f64>,
    /// Four of each round: two after querylab's, two before.
    pgbench: Vec<f64>,
    accounts: Vec<f64>,
    by_hand: Vec<f64>,
    from_nothing: Vec<f64>,
    memory_bytes: f64,
}

impl Times {
    async fn measure(rows: u64, rounds: u64, bare: &Made) -> Result<Self> {
        let keyed = tables::users(rows, Key::With, Index::Without)?;
        let indexed = tables::users(rows, Key::With, Index::OnEmail)?;
        let accounts = tables::pgbench(rows / PER_SCALE)?;
        let server = Server::start(Wal::Replica).await?;
        // A round that does not count: files are there that will be overwritten, and nothing but querylab uses memory.
        load(&server, bare).await?;
        load(&server, &accounts).await?;
        let mut times = Self { memory_bytes: peak_memory()?, ..Self::default() };
        let prepared = generators::prepared(&bare.plan)?;
        for round in 1..=rounds {
            times.bar.push(byhand::stream(&server, bare, &prepared).await?);
            times.plain.push(load(&server, bare).await?);
            times.with_key.push(load(&server, &keyed).await?);
            for _ in 0..2 {
                times.pgbench.extend(server.pgbench(rows / PER_SCALE).await?);
                times.accounts.push(load(&server, &accounts).await?);
                times.accounts.push(load(&server, &accounts).await?);
                times.pgbench.extend(server.pgbench(rows / PER_SCALE).await?);
            }
            times.by_hand.push(byhand::from_nothing(bare, &prepared).await?);
            times.from_nothing.push(from_nothing(&indexed).await?);
            println!(
                "round {round}: stream {:.2} s, load {:.2}, with key {:.2}, pgbench {:.2}, its tables {:.2}, \
                 from nothing by hand {:.2}, by querylab {:.2}",
                last(&times.bar),
                last(&times.plain),
                last(&times.with_key),
                last(&times.pgbench),
                last(&times.accounts),
                last(&times.by_hand),
                last(&times.from_nothing)
            );
        }
        Ok(times)
    }

    fn tell(mut self, rows: u64, table: &mut Table) {
        let per_second =
            |seconds: f64| format!("{seconds:.2} s, {:.2} M rows/s", rows as f64 / seconds / 1e6);
        let bar = median(&mut self.bar);
        table.add("prepared binary stream, no key", per_second(bar), bar, Bar::None);
        let plain = median(&mut self.plain);
        let shown = |seconds: f64, ratio: f64| format!("{}: {ratio:.2} of it", per_second(seconds));
        let ratio = bar / plain;
        table.add("querylab, no key", shown(plain, ratio), ratio, Bar::AtLeast(0.8));
        let with_key = median(&mut self.with_key);
        table.add("querylab, key included", per_second(with_key), with_key, Bar::None);
        let beside = beside(&self.pgbench, &self.accounts);
        let accounts = median(&mut self.accounts);
        if self.pgbench.is_empty() {
            // A bar that was not looked at is not held.
            let what = "querylab, pgbench's tables: rows and keys";
            table.add(what, "pgbench is not installed".into(), f64::NAN, Bar::AtLeast(1.0));
        } else {
            let theirs = median(&mut self.pgbench);
            table.add("`pgbench -i`: rows and keys", per_second(theirs), theirs, Bar::None);
            let what = "querylab, pgbench's tables: rows and keys";
            let (mean, low, high) = beside;
            let text = format!("{}: {mean:.2} of it ({low:.2} to {high:.2})", per_second(accounts));
            // Pairs that scatter so much that they could not tell a slower one miss it too.
            let can_tell = low >= 1.0 || high / low <= 1.15;
            let held = if can_tell { high } else { f64::NAN };
            table.add(what, text, held, Bar::AtLeast(1.0));
        }
        let (hand, ours) = (median(&mut self.by_hand), median(&mut self.from_nothing));
        table.add("from nothing, by hand", format!("{hand:.2} s"), hand, Bar::None);
        let ratio = ours / hand;
        let what = "from nothing, querylab";
        table.add(what, format!("{ours:.2} s: {ratio:.2} times it"), ratio, Bar::AtMost(1.3));
        let megabytes = self.memory_bytes / 1e6;
        let what = "resident memory of querylab, at its peak";
        table.add(what, format!("{megabytes:.0} MB"), megabytes, Bar::AtMost(128.0));
    }
}

/// Seconds that querylab takes for all tables, keys included.
async fn load(server: &Server, made: &Made) -> Result<f64> {
    let mut rows_ms = 0;
    let mut listen = |step| {
        if let Progress::Loaded { ms, .. } = step {
            // Small tables are loaded beside the large one.
            rows_ms = rows_ms.max(ms);
        }
    };
    dataset::prepare(&server.addresses(), &made.migrations, &made.plan, &mut listen).await?;
    let mut boss = server.boss().await?;
    for database in ["ql_set_0", "ql_template"] {
        run(&mut boss, &format!("DROP DATABASE IF EXISTS {database} WITH (FORCE)")).await?;
    }
    run(&mut boss, "CHECKPOINT").await?;
    Ok(rows_ms as f64 / 1e3)
}

/// Seconds from nothing until the index is there: a new cluster, the load with its key, statistics, the index. The server
/// writes the log that one of a run does while data are made.
async fn from_nothing(made: &Made) -> Result<f64> {
    let start = Instant::now();
    let server = Server::start(Wal::Minimal).await?;
    let mut seconds = None;
    let mut listen = |step: Progress| {
        if matches!(step, Progress::Indexed { .. }) {
            seconds = Some(start.elapsed().as_secs_f64());
        }
    };
    dataset::prepare(&server.addresses(), &made.migrations, &made.plan, &mut listen).await?;
    seconds.context("no index was built")
}

/// Runs a statement.
pub(crate) async fn run(connection: &mut PgConnection, sql: &str) -> Result<()> {
    let statement = sqlx::AssertSqlSafe(sql.to_owned());
    sqlx::raw_sql(statement).execute(connection).await.with_context(|| sql.to_owned())?;
    Ok(())
}

fn last(all: &[f64]) -> f64 {
    all.last().copied().unwrap_or(f64::NAN)
}

fn median(all: &mut [f64]) -> f64 {
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}

/// How many times as fast as theirs ours is: the mean over pairs, and its 95 % interval. Where servers do nearly all of the
/// work on both sides, rounds of the same differ by more than the sides do.
fn beside(theirs: &[f64], ours: &[f64]) -> (f64, f64, f64) {
    let pairs: Vec<f64> = theirs.iter().zip(ours).map(|(theirs, ours)| theirs / ours).collect();
    let found = stats::estimate(&pairs, stats::Scale::Log, 0.95);
    let interval = found.and_then(|e| Some((e.mean, e.interval?.low, e.interval?.high)));
    interval.unwrap_or((f64::NAN, f64::NAN, f64::NAN))
}

/// The largest resident set of this process so far, in bytes.
fn peak_memory() -> Result<f64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("VmHWM")?;
    let kilobytes: f64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kilobytes * 1024.0)
}
