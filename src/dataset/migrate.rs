//! Migrations by sqlx's `Migrator`, with failures at their line.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use sha2::{Digest, Sha256};
use sqlx::Connection as _;
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::postgres::{PgConnection, PgDatabaseError, PgErrorPosition};
use tokio::time::timeout;

use super::connect::answer;
use crate::units::hex;

/// The longest that all migrations of an empty database may take.
const PATIENCE: Duration = Duration::from_mins(10);

/// Number and digest, byte for byte, of each migration.
pub(super) type Digests = Vec<(i64, String)>;

/// What the migrations of a folder are now.
///
/// # Errors
///
/// If the folder or a file can't be read.
pub async fn migration_digests(dir: &Path) -> Result<Vec<(i64, String)>> {
    Ok(digests(&read(dir).await?))
}

async fn read(dir: &Path) -> Result<Migrator> {
    let mut migrator = Migrator::new(dir)
        .await
        .with_context(|| format!("cannot read the migrations in {}", dir.display()))?;
    // With its schema: a dump of a schema empties the search path.
    migrator.dangerous_set_table_name("public._sqlx_migrations");
    Ok(migrator)
}

fn digests(migrator: &Migrator) -> Digests {
    migrator.iter().map(|m| (m.version, hex(&Sha256::digest(m.sql.as_str())))).collect()
}

/// Runs every migration of the folder and ends the session; returns what was run.
pub(super) async fn migrate(mut connection: PgConnection, dir: &Path) -> Result<Digests> {
    let migrator = read(dir).await?;
    timeout(PATIENCE, migrator.run_direct(None, &mut connection, false))
        .await
        .context("the migrations took longer than 10 minutes")?
        .map_err(|e| located(&e, dir, &migrator))?;
    answer("the end of the migrations' session", connection.close()).await?;
    Ok(digests(&migrator))
}

/// `0002_add_index.sql:14: division by zero`.
fn located(error: &MigrateError, dir: &Path, migrator: &Migrator) -> anyhow::Error {
    let MigrateError::ExecuteMigration(cause, version) = error else { return anyhow!("{error}") };
    let Some(migration) = migrator.iter().find(|m| m.version == *version) else {
        return anyhow!("{error}");
    };
    let file = file_of(dir, *version).unwrap_or_else(|| format!("migration {version}"));
    let Some(database) = cause.as_database_error() else { return anyhow!("{file}: {cause}") };
    let line =
        match database.try_downcast_ref::<PgDatabaseError>().and_then(PgDatabaseError::position) {
            Some(PgErrorPosition::Original(position)) => {
                Some(line_of(migration.sql.as_str(), position))
            }
            _ => None,
        };
    let at = line.map(|line| format!(":{line}")).unwrap_or_default();
    anyhow!("{file}{at}: {}", database.message())
}

/// The line of a character position (both from 1).
fn line_of(sql: &str, position: usize) -> usize {
    1 + sql.chars().take(position.saturating_sub(1)).filter(|c| *c == '\n').count()
}

fn file_of(dir: &Path, version: i64) -> Option<String> {
    std::fs::read_dir(dir).ok()?.filter_map(Result::ok).find_map(|entry| {
        let name = entry.file_name().to_string_lossy().into_owned();
        let number: i64 = name.split_once('_')?.0.parse().ok()?;
        (number == version).then_some(name)
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_position_is_on_its_line() {
        assert_eq!(super::line_of("a\nbé\nc", 1), 1);
        assert_eq!(super::line_of("a\nbé\nc", 6), 3);
    }
}
