//! What somebody would do by hand: rows that were made before, streamed into an empty table.

use std::time::Instant;

use anyhow::{Result, ensure};
use sqlx::Connection as _;
use sqlx::postgres::PgConnection;

use crate::run;
use crate::server::{Server, Wal};
use crate::tables::Made;

/// Seconds that the prepared rows take into an empty table without a key.
pub(crate) async fn stream(server: &Server, table: &Made, chunks: &[Vec<u8>]) -> Result<f64> {
    let mut boss = server.boss().await?;
    run(&mut boss, "CREATE DATABASE bar").await?;
    let mut connection = server.connect("bar").await?;
    run(&mut connection, &table.schema).await?;
    let start = Instant::now();
    copy(&mut connection, "", table, chunks).await?;
    let seconds = start.elapsed().as_secs_f64();
    connection.close().await?;
    run(&mut boss, "DROP DATABASE bar WITH (FORCE)").await?;
    run(&mut boss, "CHECKPOINT").await?;
    Ok(seconds)
}

/// Seconds from nothing to a table with its key, one index and statistics: a new cluster, the stream frozen and unlogged
/// as far as Postgres does that, and then the statements.
pub(crate) async fn from_nothing(table: &Made, chunks: &[Vec<u8>]) -> Result<f64> {
    let start = Instant::now();
    let server = Server::start(Wal::Minimal).await?;
    let mut connection = server.boss().await?;
    run(&mut connection, "BEGIN").await?;
    run(&mut connection, &table.schema).await?;
    copy(&mut connection, ", FREEZE", table, chunks).await?;
    run(&mut connection, "COMMIT").await?;
    run(&mut connection, "ALTER TABLE users ADD PRIMARY KEY (id)").await?;
    run(&mut connection, "CREATE INDEX idx_users_email ON users (email)").await?;
    run(&mut connection, "ANALYZE").await?;
    Ok(start.elapsed().as_secs_f64())
}

async fn copy(
    connection: &mut PgConnection,
    more: &str,
    table: &Made,
    chunks: &[Vec<u8>],
) -> Result<()> {
    // As the rows were made; the key comes from its sequence.
    let table = &table.plan.dataset.tables[0];
    let columns: Vec<&str> = table.columns.iter().map(|column| column.name.as_str()).collect();
    let sql = format!("COPY users ({}) FROM STDIN (FORMAT binary{more})", columns.join(", "));
    let mut copy = connection.copy_in_raw(&sql).await?;
    for chunk in chunks {
        copy.send(chunk.as_slice()).await?;
    }
    let taken = copy.finish().await?;
    ensure!(taken == table.rows, "the stream took {taken} rows");
    Ok(())
}
