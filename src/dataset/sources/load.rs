//! One table from elsewhere into Postgres.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail, ensure};
use sha2::{Digest, Sha256};
use sqlx::AssertSqlSafe;
use sqlx::postgres::{PgConnection, PgDatabaseError};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};

use super::files;
use crate::dataset::connect::{answer, database_error, execute, quote_ident};
use crate::dataset::copy::millis;
use crate::dataset::made::LoadedTable;
use crate::dataset::orders::Progress;
use crate::dataset::sequences::{self, Columns};
use crate::plan::{SourceKind, SourcePlan};
use crate::units::hex;

/// Chunks read ahead.
const AHEAD: usize = 8;
/// The server takes a chunk within this time, or it hangs.
const PATIENCE: Duration = Duration::from_mins(2);
/// For statements, queries, and what is checked at the end of a COPY.
const LAST_PATIENCE: Duration = Duration::from_mins(30);
/// A UTF-8 file may begin with it; it is no part of the first cell.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// Loads a table; files are below `folder`, that of the experiment.
pub(in crate::dataset) async fn load(
    app: &mut PgConnection,
    folder: &Path,
    source: &SourcePlan,
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<LoadedTable> {
    let start = Instant::now();
    let table = quote_ident(&source.table);
    let columns: Vec<String> = source.columns.iter().map(|column| quote_ident(column)).collect();
    let list =
        if columns.is_empty() { String::new() } else { format!(" ({})", columns.join(", ")) };
    let what = || match source.from.file() {
        Some((file, _)) => format!("table `{}` from `{file}`", source.table),
        None => format!("table `{}` from its query", source.table),
    };
    let before = count(app, source).await?;
    let loaded = match &source.from {
        SourceKind::Csv { file, sha256, header, delimiter, quote, null } => {
            let options = format!(
                "FORMAT csv, HEADER {header}, DELIMITER {}, QUOTE {}, NULL {}",
                literal(&delimiter.to_string()),
                literal(&quote.to_string()),
                literal(null)
            );
            let statement = format!("COPY {table}{list} FROM STDIN WITH ({options})");
            let file = (folder.join(file), (0, u64::MAX), sha256.as_str());
            copy(app, &statement, file).await
        }
        SourceKind::Dump { file, sha256, start, end } => {
            let statement = format!("COPY {table}{list} FROM STDIN");
            copy(app, &statement, (folder.join(file), (*start, *end), sha256.as_str())).await
        }
        SourceKind::Sql { file, sha256 } => statements(app, &folder.join(file), sha256).await,
        SourceKind::Query { sql } => {
            execute(app, &format!("INSERT INTO {table}{list} {sql}"), LAST_PATIENCE).await
        }
    };
    loaded.with_context(what)?;
    let rows = count(app, source).await?;
    if let Some(wanted) = source.rows {
        ensure!(
            rows == before + wanted,
            "{} took {} rows of {wanted}",
            what(),
            rows.saturating_sub(before)
        );
    }
    progress(Progress::Loading {
        table: source.table.clone(),
        done: rows,
        rows,
        ms: millis(start),
    });
    sequences::advance(app, &source.table, Columns::All).await?;
    let digest = match &source.from {
        SourceKind::Query { sql } => hex(&Sha256::digest(sql)),
        SourceKind::Csv { sha256, .. }
        | SourceKind::Sql { sha256, .. }
        | SourceKind::Dump { sha256, .. } => sha256.clone(),
    };
    Ok(LoadedTable {
        name: source.table.clone(),
        rows,
        table_bytes: 0,
        load_ms: millis(start),
        checksum: digest,
    })
}

/// A part of a file through COPY.
async fn copy(
    app: &mut PgConnection,
    statement: &str,
    (path, range, sha256): (PathBuf, (u64, u64), &str),
) -> Result<()> {
    let mut copy = answer(format_args!("`{statement}`"), app.copy_in_raw(statement)).await?;
    let (sender, mut chunks) = mpsc::channel::<Vec<u8>>(AHEAD);
    let sha256 = sha256.to_owned();
    // It ends with the last byte, or when the receiver has gone.
    let reader = tokio::task::spawn_blocking(move || files::read(&path, range, &sha256, &sender));
    let mut first = true;
    while let Some(chunk) = chunks.recv().await {
        let has_mark = first && range.0 == 0 && chunk.starts_with(BYTE_ORDER_MARK);
        first = false;
        let rest = if has_mark { chunk[BYTE_ORDER_MARK.len()..].to_vec() } else { chunk };
        match timeout(PATIENCE, copy.send(rest)).await {
            Ok(Ok(_)) => {}
            Ok(Err(e)) => return Err(located(&e)),
            Err(_) => bail!("Postgres took no rows for {} s", PATIENCE.as_secs()),
        }
    }
    if let Err(e) = reader.await.context("reading the file failed")? {
        let told =
            timeout(PATIENCE, copy.abort("the file is not the one that was looked at")).await;
        // Why it was broken off is worth more than how that went.
        drop(told);
        return Err(e);
    }
    timeout(LAST_PATIENCE, copy.finish())
        .await
        .context("Postgres did not end the COPY")?
        .map_err(|e| located(&e))?;
    Ok(())
}

/// A file of statements, all of them or none.
async fn statements(app: &mut PgConnection, path: &Path, sha256: &str) -> Result<()> {
    let text =
        std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let now = hex(&Sha256::digest(&text));
    ensure!(now == sha256, "{} was changed since it was looked at", path.display());
    timeout(LAST_PATIENCE, sqlx::raw_sql(AssertSqlSafe(text)).execute(app))
        .await
        .with_context(|| format!("it took longer than {} s", LAST_PATIENCE.as_secs()))?
        .map_err(|e| located(&e))?;
    Ok(())
}

/// The server's words, with the line that it was at.
fn located(error: &sqlx::Error) -> anyhow::Error {
    let postgres = error.as_database_error().and_then(|e| e.try_downcast_ref::<PgDatabaseError>());
    match postgres.and_then(PgDatabaseError::r#where) {
        Some(place) => anyhow!("{} ({place})", database_error(error)),
        None => database_error(error),
    }
}

async fn count(app: &mut PgConnection, source: &SourcePlan) -> Result<u64> {
    let sql = format!("SELECT count(*) FROM {}", quote_ident(&source.table));
    let count = sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(app);
    let rows: i64 = timeout(LAST_PATIENCE, count)
        .await
        .context("counting rows took too long")?
        .map_err(|e| database_error(&e))
        .with_context(|| format!("the rows of `{}`", source.table))?;
    Ok(u64::try_from(rows)?)
}

/// A text as SQL takes it; backslashes mean nothing in it.
fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
