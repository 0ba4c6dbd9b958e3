//! Postgres' statistics views, read as the administrator on a connection of its own.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions, Connection, Row};
use tokio::time::{Instant, sleep, timeout};

use crate::plan::{LET_IN_WITHIN, PGOPTIONS_IS_SET, PostgresAddress};

/// The longest that a witness may take to answer.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);
/// The longest that new statistics may take, and the longest that a checkpoint may.
const UPKEEP: Duration = Duration::from_mins(3);
/// How long a question may keep somebody else's server busy, and how long it may wait for a lock.
const HURRIED: [(&str, &str); 2] = [("statement_timeout", "10s"), ("lock_timeout", "5s")];
/// From this version on, the checkpointer has a view of its own.
const OWN_VIEW: i32 = 170_000;

/// What Postgres counted in one database since its statistics began.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DatabaseStats {
    /// `idx_scan` by index.
    pub index_scans: BTreeMap<String, u64>,
    /// `seq_scan` by table.
    pub seq_scans: BTreeMap<String, u64>,
    /// Buffers of user tables and their indexes that were in shared memory.
    pub buffers_hit: u64,
    /// Buffers of them that were read.
    pub buffers_read: u64,
    /// Bytes of temporary files.
    pub temp_bytes: u64,
    /// Where the write-ahead log of the whole server ends, in bytes since its beginning.
    pub wal_bytes: u64,
}

impl DatabaseStats {
    /// What was counted between `before` and this one.
    #[must_use]
    pub fn since(&self, before: &Self) -> Self {
        let minus = |now: &BTreeMap<String, u64>, then: &BTreeMap<String, u64>| {
            now.iter()
                .map(|(k, v)| (k.clone(), v.saturating_sub(then.get(k).copied().unwrap_or(0))))
                .collect()
        };
        Self {
            index_scans: minus(&self.index_scans, &before.index_scans),
            seq_scans: minus(&self.seq_scans, &before.seq_scans),
            buffers_hit: self.buffers_hit.saturating_sub(before.buffers_hit),
            buffers_read: self.buffers_read.saturating_sub(before.buffers_read),
            temp_bytes: self.temp_bytes.saturating_sub(before.temp_bytes),
            wal_bytes: self.wal_bytes.saturating_sub(before.wal_bytes),
        }
    }
}

/// What Postgres has done beside its statements, since its statistics began.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Housekeeping {
    /// Checkpoints begun, of any reason.
    pub checkpoints: u64,
    /// Tables of this database that autovacuum has vacuumed or analysed.
    pub autovacuums: u64,
    /// Workers of autovacuum under way now, in any database.
    pub workers: u64,
}

/// A connection of a witness.
#[derive(Debug)]
pub struct Session(pub(super) PgConnection);

/// Connects; nothing of the environment or of password files is looked at.
///
/// # Errors
///
/// If Postgres does not let us in within 10 s.
pub async fn connect(address: &PostgresAddress) -> Result<Session> {
    let options: PgConnectOptions =
        address.url("probe").parse().context("the address of Postgres")?;
    ensure!(options.get_options().is_none(), PGOPTIONS_IS_SET);
    let limits = address.limits();
    let options = if limits.is_empty() {
        options
    } else {
        // A question must not keep somebody else waiting.
        options.options(limits.iter().copied().chain(HURRIED))
    };
    let connected = timeout(LET_IN_WITHIN, options.disable_statement_logging().connect())
        .await
        .context("Postgres did not let the probe in within 10 s")?
        .context("cannot connect the probe to Postgres")?;
    Ok(Session(connected))
}

impl Session {
    /// Reads the statistics of the connection's database.
    ///
    /// # Errors
    ///
    /// If a view can't be read within 10 s.
    pub async fn database_stats(&mut self) -> Result<DatabaseStats> {
        timeout(PATIENCE, read_stats(&mut self.0))
            .await
            .context("Postgres' statistics took longer than 10 s")?
    }

    /// Names of all indexes of user tables, sorted.
    ///
    /// # Errors
    ///
    /// If the catalogue can't be read.
    pub async fn index_names(&mut self) -> Result<Vec<String>> {
        // Not from the statistics: those know nothing of the index of a partitioned table.
        let sql = "SELECT c.relname::text FROM pg_index JOIN pg_class c ON c.oid = indexrelid \
                   JOIN pg_namespace n ON n.oid = c.relnamespace \
                   WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast') ORDER BY 1";
        let rows = timeout(PATIENCE, sqlx::query(sql).fetch_all(&mut self.0))
            .await
            .context("Postgres did not list its indexes within 10 s")?
            .context("cannot list the indexes")?;
        rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
    }

    /// Reads what Postgres has done beside its statements.
    ///
    /// # Errors
    ///
    /// If a view can't be read within 10 s.
    pub async fn housekeeping(&mut self) -> Result<Housekeeping> {
        timeout(PATIENCE, read_housekeeping(&mut self.0))
            .await
            .context("Postgres' own work could not be read within 10 s")?
            .context("cannot read what Postgres does beside its statements")
    }

    /// Takes the planner's statistics of the database anew.
    ///
    /// # Errors
    ///
    /// If Postgres refuses, or takes longer than 3 min.
    pub async fn analyze(&mut self) -> Result<()> {
        self.upkeep("ANALYZE").await
    }

    /// Has everything written to disk, so that no checkpoint falls due soon.
    ///
    /// # Errors
    ///
    /// If Postgres refuses, or takes longer than 3 min.
    pub async fn checkpoint(&mut self) -> Result<()> {
        self.upkeep("CHECKPOINT").await
    }

    async fn upkeep(&mut self, sql: &'static str) -> Result<()> {
        timeout(UPKEEP, sqlx::raw_sql(sql).execute(&mut self.0))
            .await
            .with_context(|| format!("{sql} took longer than {} s", UPKEEP.as_secs()))?
            .with_context(|| format!("Postgres refuses {sql}"))?;
        Ok(())
    }

    /// Number of the connection's database: the name of its folder below `base`.
    ///
    /// # Errors
    ///
    /// If the catalogue can't be read.
    pub async fn database_number(&mut self) -> Result<u32> {
        let sql = "SELECT oid::int8 FROM pg_database WHERE datname = current_database()";
        let number: i64 = timeout(PATIENCE, sqlx::query_scalar(sql).fetch_one(&mut self.0))
            .await
            .context("Postgres did not name its database within 10 s")?
            .context("cannot ask for the number of the database")?;
        Ok(u32::try_from(number)?)
    }

    /// Waits until no backend of `role` is left: a backend hands in its statistics when it ends, so before that the
    /// sums are not exact.
    ///
    /// # Errors
    ///
    /// If some are still there after 10 s.
    pub async fn wait_for_no_clients(&mut self, role: &str) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let sql = "SELECT count(*) FROM pg_stat_activity WHERE usename = $1";
            let asked = sqlx::query_scalar(sql).bind(role).fetch_one(&mut self.0);
            let left: i64 = timeout(PATIENCE, asked)
                .await
                .context("Postgres did not list its backends within 10 s")?
                .context("cannot list the backends")?;
            if left == 0 {
                return Ok(());
            }
            if Instant::now() >= deadline {
                bail!("{left} backends of the API were still there 10 s after it was stopped");
            }
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// Says goodbye to the server, so that its backend ends now.
    ///
    /// # Errors
    ///
    /// If the connection is broken.
    pub async fn close(self) -> Result<()> {
        timeout(PATIENCE, self.0.close()).await.context("Postgres did not take the goodbye")??;
        Ok(())
    }
}

async fn read_stats(connection: &mut PgConnection) -> Result<DatabaseStats> {
    let mut stats = DatabaseStats::default();
    let indexes = "SELECT indexrelname::text, COALESCE(sum(idx_scan), 0)::int8 FROM pg_stat_user_indexes GROUP BY 1";
    for row in sqlx::query(indexes).fetch_all(&mut *connection).await? {
        stats.index_scans.insert(row.try_get(0)?, count(&row, 1)?);
    }
    let tables = "SELECT relname::text, COALESCE(sum(seq_scan), 0)::int8 FROM pg_stat_user_tables GROUP BY 1";
    for row in sqlx::query(tables).fetch_all(&mut *connection).await? {
        stats.seq_scans.insert(row.try_get(0)?, count(&row, 1)?);
    }
    let buffers = "SELECT COALESCE(sum(COALESCE(heap_blks_hit, 0) + COALESCE(idx_blks_hit, 0) + COALESCE(toast_blks_hit, 0) + COALESCE(tidx_blks_hit, 0)), 0)::int8, \
         COALESCE(sum(COALESCE(heap_blks_read, 0) + COALESCE(idx_blks_read, 0) + COALESCE(toast_blks_read, 0) + COALESCE(tidx_blks_read, 0)), 0)::int8 \
         FROM pg_statio_user_tables";
    let row = sqlx::query(buffers).fetch_one(&mut *connection).await?;
    stats.buffers_hit = count(&row, 0)?;
    stats.buffers_read = count(&row, 1)?;
    let row =
        sqlx::query("SELECT temp_bytes FROM pg_stat_database WHERE datname = current_database()")
            .fetch_one(&mut *connection)
            .await?;
    stats.temp_bytes = count(&row, 0)?;
    let row = sqlx::query("SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::int8")
        .fetch_one(&mut *connection)
        .await?;
    stats.wal_bytes = count(&row, 0)?;
    Ok(stats)
}

async fn read_housekeeping(connection: &mut PgConnection) -> Result<Housekeeping> {
    let version = "SELECT current_setting('server_version_num')::int4";
    let version: i32 = sqlx::query_scalar(version).fetch_one(&mut *connection).await?;
    let checkpoints = if version >= OWN_VIEW {
        "SELECT (num_timed + num_requested)::int8 FROM pg_stat_checkpointer"
    } else {
        "SELECT (checkpoints_timed + checkpoints_req)::int8 FROM pg_stat_bgwriter"
    };
    let checkpoints = sqlx::query(checkpoints).fetch_one(&mut *connection).await?;
    let autovacuums = "SELECT COALESCE(sum(autovacuum_count + autoanalyze_count), 0)::int8 FROM pg_stat_all_tables";
    let autovacuums = sqlx::query(autovacuums).fetch_one(&mut *connection).await?;
    let workers =
        "SELECT count(*)::int8 FROM pg_stat_activity WHERE backend_type = 'autovacuum worker'";
    let workers = sqlx::query(workers).fetch_one(&mut *connection).await?;
    Ok(Housekeeping {
        checkpoints: count(&checkpoints, 0)?,
        autovacuums: count(&autovacuums, 0)?,
        workers: count(&workers, 0)?,
    })
}

fn count(row: &sqlx::postgres::PgRow, column: usize) -> Result<u64> {
    Ok(u64::try_from(row.try_get::<i64, _>(column)?)?)
}
