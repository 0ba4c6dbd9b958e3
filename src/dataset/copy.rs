//! Rows through COPY: one stream a table, rows made on another thread while the last ones are sent.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use sqlx::postgres::PgConnection;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};

use super::connect::{answer, database_error, quote_ident};
use crate::rows::{Rows, TableSpec};

/// Bytes to gather before they are sent.
const CHUNK_BYTES: usize = 1 << 20;
/// Chunks made ahead.
const AHEAD: usize = 8;
/// The server takes a chunk within this time, or it hangs.
const PATIENCE: Duration = Duration::from_mins(2);
/// Constraints that are checked at the end may take their time.
const LAST_PATIENCE: Duration = Duration::from_mins(30);

/// Loads one table and returns the number of rows that Postgres took. `progress` hears of rows sent so far.
pub(super) async fn copy_table(
    connection: &mut PgConnection,
    seed: u64,
    table: &TableSpec,
    progress: &mut (dyn FnMut(u64) + Send),
) -> Result<u64> {
    let rows = Rows::new(seed, table.clone())
        .map_err(|e| anyhow::anyhow!("table `{}`: {e}", table.name))?;
    let columns: Vec<String> = table.columns.iter().map(|c| quote_ident(&c.name)).collect();
    let statement =
        format!("COPY {} ({}) FROM STDIN", quote_ident(&table.name), columns.join(", "));
    let mut copy =
        answer(format_args!("`{statement}`"), connection.copy_in_raw(&statement)).await?;
    let (sender, mut chunks) = mpsc::channel::<(u64, Vec<u8>)>(AHEAD);
    let total = table.rows;
    // The sender ends with the last row, or when the receiver has gone.
    let maker = tokio::task::spawn_blocking(move || make_rows(&rows, total, &sender));
    let mut sent = 0;
    while let Some((last_row, chunk)) = chunks.recv().await {
        let taken = timeout(PATIENCE, copy.send(chunk)).await;
        let why = match taken {
            Ok(Ok(_)) => {
                sent = last_row;
                progress(sent);
                continue;
            }
            Ok(Err(e)) => database_error(&e),
            Err(_) => anyhow::anyhow!("Postgres took no rows for {} s", PATIENCE.as_secs()),
        };
        drop(chunks);
        return Err(why).with_context(|| at(&table.name, sent, total));
    }
    maker.await.context("making rows failed")?;
    let taken = timeout(LAST_PATIENCE, copy.finish())
        .await
        .context("Postgres did not end the COPY")?
        .map_err(|e| database_error(&e))
        .with_context(|| at(&table.name, sent, total))?;
    if taken != total {
        bail!("table `{}` took {taken} rows of {total}", table.name);
    }
    Ok(taken)
}

fn at(table: &str, sent: u64, total: u64) -> String {
    format!(
        "table `{table}` failed at {}% of its rows",
        (sent * 100).checked_div(total).unwrap_or(100)
    )
}

fn make_rows(rows: &Rows, total: u64, sender: &mpsc::Sender<(u64, Vec<u8>)>) {
    let mut chunk = Vec::with_capacity(CHUNK_BYTES + 4096);
    for place in 1..=total {
        rows.write_copy_row(rows.row_at(place), &mut chunk);
        if chunk.len() >= CHUNK_BYTES || place == total {
            let full = std::mem::replace(&mut chunk, Vec::with_capacity(CHUNK_BYTES + 4096));
            if sender.blocking_send((place, full)).is_err() {
                return;
            }
        }
    }
}

/// Puts sequences behind the largest value that was loaded into their column, so that inserts go on from there.
pub(super) async fn advance_sequences(
    connection: &mut PgConnection,
    table: &TableSpec,
) -> Result<()> {
    for column in &table.columns {
        let sequence = sqlx::query_scalar("SELECT pg_get_serial_sequence($1, $2)")
            .bind(quote_ident(&table.name))
            .bind(&column.name);
        let what = format!("the sequence of `{}.{}`", table.name, column.name);
        let owned: Option<String> = answer(what, sequence.fetch_one(&mut *connection)).await?;
        if let Some(sequence) = owned {
            let sql = format!(
                "SELECT setval($1::regclass, COALESCE(max({}), 1)) FROM {}",
                quote_ident(&column.name),
                quote_ident(&table.name)
            );
            let set = timeout(
                PATIENCE,
                sqlx::query(sqlx::AssertSqlSafe(sql)).bind(sequence).execute(&mut *connection),
            );
            set.await.context("setting a sequence took too long")??;
        }
    }
    Ok(())
}

/// Milliseconds since `start`.
pub(super) fn millis(start: Instant) -> u64 {
    u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX)
}
