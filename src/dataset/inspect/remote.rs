//! An existing database, looked at by transactions that can't write.

use anyhow::{Context, Result, anyhow, ensure};
use sqlx::ConnectOptions as _;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use tokio::time::timeout;

use super::{catalogue, ddl};
use crate::dataset::connect::{answer, database_error, execute};
use crate::plan::{LET_IN_WITHIN, PGOPTIONS_IS_SET};
use crate::spec::draft::Schema;

/// The longest that one question may keep the server busy; and how long it may wait for a lock.
const LIMITS: [(&str, &str); 2] = [("statement_timeout", "30s"), ("lock_timeout", "5s")];

/// What was read of a database.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Remote {
    /// Name of the database.
    pub database: String,
    /// Its tables.
    pub schema: Schema,
    /// Its schema as SQL, without the secondary indexes.
    pub sql: String,
}

/// Reads catalogue and statistics of the database at a URL, in one transaction that can't write; no row of any table.
///
/// # Errors
///
/// If the URL is none, nobody answers, or the role may not read; the password is in no message.
pub async fn look(url: &str) -> Result<Remote> {
    let mut connection = connect(url).await?;
    let begin = "BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY";
    execute(&mut connection, begin, LET_IN_WITHIN).await?;
    let asked =
        sqlx::query_as("SELECT current_database()::text, current_setting('transaction_read_only')");
    let (database, read_only): (String, String) =
        answer("which database it is", asked.fetch_one(&mut connection)).await?;
    ensure!(read_only == "on", "the server does not begin transactions that can't write");
    let schema = catalogue::read(&mut connection).await?;
    let (sql, notes) = ddl::write(&mut connection, &database).await?;
    execute(&mut connection, "ROLLBACK", LET_IN_WITHIN).await?;
    let notes = schema.notes.into_iter().chain(notes).collect();
    Ok(Remote { database, schema: Schema { tables: schema.tables, notes }, sql })
}

async fn connect(url: &str) -> Result<PgConnection> {
    let bad = || anyhow!("the URL is not like `postgres://user:password@host:5432/database`");
    // The driver's own words may repeat what it was given.
    let options: PgConnectOptions = stated(url).ok_or_else(bad)?.parse().map_err(|_| bad())?;
    ensure!(options.get_options().is_none(), PGOPTIONS_IS_SET);
    ensure!(
        options.get_database().is_some(),
        "the URL names no database: write it behind the host"
    );
    let only = [("default_transaction_read_only", "on"), ("search_path", "public")];
    let options = options.application_name("querylab-init").options(only.into_iter().chain(LIMITS));
    timeout(LET_IN_WITHIN, options.disable_statement_logging().connect())
        .await
        .context("the server did not answer within 10 s")?
        .map_err(|e| database_error(&e))
        .context("cannot connect to the database")
}

/// The URL with a password, if an empty one: else the driver looks into password files.
fn stated(url: &str) -> Option<String> {
    let rest = url.strip_prefix("postgres://").or_else(|| url.strip_prefix("postgresql://"))?;
    let authority = rest.split(['/', '?']).next().unwrap_or(rest);
    let in_user = authority.rsplit_once('@').is_some_and(|(user, _)| user.contains(':'));
    let query = rest.split_once('?').map(|(_, query)| query);
    let in_query = query.is_some_and(|q| q.split('&').any(|pair| pair.starts_with("password=")));
    if in_user || in_query {
        return Some(url.to_owned());
    }
    Some(format!("{url}{}password=", if query.is_some() { '&' } else { '?' }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_states_a_password_so_that_nobody_looks_for_one() {
        let stated = |url: &str| stated(url).unwrap_or_default();
        for url in ["postgres://me:secret@host/db", "postgresql://host/db?user=me&password=x"] {
            assert_eq!(stated(url), url);
        }
        assert_eq!(stated("postgres://me@host/db"), "postgres://me@host/db?password=");
        assert_eq!(stated("postgres:///db?host=/tmp"), "postgres:///db?host=/tmp&password=");
        assert_eq!(stated("mysql://me@host/db"), "");
    }

    #[tokio::test]
    async fn a_url_that_is_none_is_refused_without_its_words() {
        for url in ["postgres://me:se cret@[host/db", "http://me:secret@host/db", "secret", ""] {
            let error = format!("{:#}", look(url).await.expect_err(url));
            assert!(error.contains("is not like") && !error.contains("cret"), "{error}");
        }
        let nameless = look("postgres://me:secret@127.0.0.1:1").await.expect_err("no database");
        assert!(format!("{nameless:#}").contains("names no database"), "{nameless:#}");
    }
}
