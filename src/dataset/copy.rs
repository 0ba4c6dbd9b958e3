//! Rows through COPY: one stream a table, rows made on another thread while the last ones are sent.

use std::ops::RangeInclusive;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use sqlx::postgres::PgConnection;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};

use super::bulk::{self, Waiting};
use super::connect::{answer, database_error, quote_ident};
use super::orders::CopyForm;
use super::wire::wires;
use crate::rows::{BINARY_END, BINARY_START, Rows, TableSpec, Wire};

/// Bytes to gather before they are sent.
const CHUNK_BYTES: usize = 1 << 20;
/// Chunks made ahead.
const AHEAD: usize = 4;
/// The server takes a chunk within this time, or it hangs.
const PATIENCE: Duration = Duration::from_mins(2);
/// Constraints that are checked at the end may take their time.
const LAST_PATIENCE: Duration = Duration::from_mins(30);

/// How the rows of a table were loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Copied {
    /// As text, or in the binary format.
    pub(super) form: CopyForm,
    /// Whether they were written frozen.
    pub(super) frozen: bool,
    /// Indexes that were built after them.
    pub(super) indexes: usize,
}

/// Loads one table, builds its indexes and checks its foreign keys. `progress` hears of rows sent so far.
pub(super) async fn copy_table(
    connection: &mut PgConnection,
    seed: u64,
    table: &TableSpec,
    progress: &(dyn Fn(u64) + Send + Sync),
) -> Result<Option<Copied>> {
    if table.rows == 0 {
        return Ok(None);
    }
    let rows = Rows::new(seed, table.clone())
        .map_err(|e| anyhow::anyhow!("table `{}`: {e}", table.name))?;
    let wires = wires(connection, &rows).await?;
    let form = if wires.is_some() { CopyForm::Binary } else { CopyForm::Text };
    let waiting = bulk::begin(connection, &table.name).await?;
    let frozen = waiting.as_ref().is_some_and(|waiting| waiting.can_freeze);
    send(connection, rows, wires, frozen, 1..=table.rows, progress).await?;
    let indexes = waiting.as_ref().map_or(0, Waiting::indexes);
    if let Some(waiting) = waiting {
        bulk::end(connection, waiting).await.with_context(|| format!("table `{}`", table.name))?;
    }
    Ok(Some(Copied { form, frozen, indexes }))
}

/// Inserts some rows of a table, its indexes and foreign keys kept up as they come.
pub(super) async fn insert_rows(
    connection: &mut PgConnection,
    seed: u64,
    table: &TableSpec,
    places: RangeInclusive<u64>,
) -> Result<()> {
    let rows = Rows::new(seed, table.clone())
        .map_err(|e| anyhow::anyhow!("table `{}`: {e}", table.name))?;
    let wires = wires(connection, &rows).await?;
    send(connection, rows, wires, false, places, &|_| {}).await
}

/// Sends the rows of these places; in these forms, or as text.
async fn send(
    connection: &mut PgConnection,
    rows: Rows,
    wires: Option<Vec<Wire>>,
    frozen: bool,
    places: RangeInclusive<u64>,
    progress: &(dyn Fn(u64) + Send + Sync),
) -> Result<()> {
    let table = rows.spec().name.clone();
    let total = (places.end() + 1).saturating_sub(*places.start());
    let columns: Vec<String> = rows.spec().columns.iter().map(|c| quote_ident(&c.name)).collect();
    let format = if wires.is_some() { "binary" } else { "text" };
    let statement = format!(
        "COPY {} ({}) FROM STDIN (FORMAT {format}, FREEZE {frozen})",
        quote_ident(&table),
        columns.join(", "),
    );
    let mut copy =
        answer(format_args!("`{statement}`"), connection.copy_in_raw(&statement)).await?;
    let (sender, mut chunks) = mpsc::channel::<(u64, Vec<u8>)>(AHEAD);
    // The sender ends with the last row, or when the receiver has gone.
    let maker =
        tokio::task::spawn_blocking(move || make_rows(&rows, wires.as_deref(), places, &sender));
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
        return Err(why).with_context(|| at(&table, sent, total));
    }
    let made = maker.await.context("making rows failed")?;
    made.map_err(anyhow::Error::msg).with_context(|| at(&table, sent, total))?;
    let taken = timeout(LAST_PATIENCE, copy.finish())
        .await
        .context("Postgres did not end the COPY")?
        .map_err(|e| database_error(&e))
        .with_context(|| at(&table, sent, total))?;
    ensure!(taken == total, "table `{table}` took {taken} rows of {total}");
    Ok(())
}

fn at(table: &str, sent: u64, total: u64) -> String {
    format!(
        "table `{table}` failed at {}% of its rows",
        (sent * 100).checked_div(total).unwrap_or(100)
    )
}

/// Makes chunks of rows, each with the number of rows up to its end.
fn make_rows(
    rows: &Rows,
    wires: Option<&[Wire]>,
    places: RangeInclusive<u64>,
    sender: &mpsc::Sender<(u64, Vec<u8>)>,
) -> Result<(), String> {
    let (first, last) = (*places.start(), *places.end());
    let empty = || Vec::with_capacity(CHUNK_BYTES + 4096);
    let mut chunk = empty();
    if wires.is_some() {
        chunk.extend_from_slice(BINARY_START);
    }
    for place in places {
        let row = rows.row_at(place);
        match wires {
            Some(wires) => rows.write_binary_row(wires, row, &mut chunk)?,
            None => rows.write_copy_row(row, &mut chunk),
        }
        if wires.is_some() && place == last {
            chunk.extend_from_slice(BINARY_END);
        }
        if chunk.len() >= CHUNK_BYTES || place == last {
            let full = std::mem::replace(&mut chunk, empty());
            if sender.blocking_send((place + 1 - first, full)).is_err() {
                break;
            }
        }
    }
    Ok(())
}

/// Milliseconds since `start`.
pub(super) fn millis(start: Instant) -> u64 {
    u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX)
}
