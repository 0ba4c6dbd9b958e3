//! Connections for loading, and the names that go into statements.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgDatabaseError};
use sqlx::{AssertSqlSafe, ConnectOptions};
use tokio::time::timeout;

use crate::plan::{LET_IN_WITHIN, PGOPTIONS_IS_SET, PostgresAddress};

/// The longest that Postgres may take to answer what it knows from its catalogue; it is busy with nothing else.
const ANSWER_PATIENCE: Duration = Duration::from_mins(1);

/// Limits that a file may set are for requests: here each wait has a deadline of ours. They are part of how the session
/// begins, where they go before the role's: a statement that lifts a limit of 1 ms could itself be ended by it.
const UNHURRIED: [(&str, &str); 3] = [
    ("statement_timeout", "0"),
    ("lock_timeout", "0"),
    ("idle_in_transaction_session_timeout", "0"),
];

/// Connects; nothing of the environment or of password files is looked at.
pub(super) async fn connect(address: &PostgresAddress) -> Result<PgConnection> {
    let options: PgConnectOptions = address
        .url("dataset")
        .parse()
        .with_context(|| format!("the address of database `{}`", address.database))?;
    ensure!(options.get_options().is_none(), PGOPTIONS_IS_SET);
    // A load is slow by its nature; that is said by its progress.
    timeout(LET_IN_WITHIN, options.options(UNHURRIED).disable_statement_logging().connect())
        .await
        .with_context(|| format!("database `{}` did not answer within 10 s", address.database))?
        .with_context(|| format!("cannot connect to database `{}`", address.database))
}

/// Waits for the answer to a question that costs the server nothing, and says what was asked when it fails.
pub(super) async fn answer<T>(
    what: impl std::fmt::Display,
    question: impl Future<Output = sqlx::Result<T>>,
) -> Result<T> {
    timeout(ANSWER_PATIENCE, question)
        .await
        .with_context(|| format!("no answer within {} s", ANSWER_PATIENCE.as_secs()))
        .and_then(|answered| answered.map_err(|e| database_error(&e)))
        .with_context(|| what.to_string())
}

/// Runs one statement and names it when it fails.
pub(super) async fn execute(
    connection: &mut PgConnection,
    sql: &str,
    patience: Duration,
) -> Result<()> {
    timeout(patience, sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(connection))
        .await
        .with_context(|| format!("`{sql}` took longer than {} s", patience.as_secs()))?
        .map_err(|e| database_error(&e))
        .with_context(|| format!("`{sql}`"))?;
    Ok(())
}

/// The server's own words, with what they mean where they mislead, and what to do about rows that it does not take.
pub(super) fn database_error(error: &sqlx::Error) -> anyhow::Error {
    let Some(database) = error.as_database_error() else { return anyhow::anyhow!("{error}") };
    let mut text = database.message().to_owned();
    let code = database.code();
    match code.as_deref() {
        Some("53100") if text.contains("shared memory") => {
            text.push_str(": shared memory (/dev/shm) is too small, not the disk");
        }
        Some("53100") => text.push_str(": the disk is full"),
        _ => {}
    }
    let Some(more) = database.try_downcast_ref::<PgDatabaseError>() else {
        return anyhow::anyhow!("{text}");
    };
    // Which value, and in which line of the COPY; the stack of a function's calls is nobody's line.
    let line = more.r#where().and_then(|place| place.lines().next());
    for part in more.detail().into_iter().chain(line.filter(|line| line.starts_with("COPY "))) {
        text.push_str(": ");
        text.push_str(part);
    }
    let columns = format!("dataset.tables.{}.columns", more.table().unwrap_or("…"));
    match (more.code(), more.column()) {
        ("23505", _) => anyhow::anyhow!(
            "{text}\n  a generator in `{columns}` repeats where each value must be unique: take `sequence`, \
             `permutation`, `uuid`, `email`, or a `template` with `{{row}}`"
        ),
        ("23502", Some(column)) => {
            anyhow::anyhow!("{text}\n  `{columns}.{column}` needs a generator, and no `null_ratio`")
        }
        _ => anyhow::anyhow!("{text}"),
    }
}

/// A name as SQL takes it, whatever is in it.
pub(super) fn quote_ident(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_driver_reads_every_part_of_an_address_back_from_its_url() {
        let address = super::PostgresAddress {
            socket_dir: "/tmp/a b&c".into(),
            port: 5433,
            user: "m e".into(),
            password: "secret".into(),
            database: "ql/1".into(),
            whose: crate::plan::Whose::Ours,
        };
        let options: sqlx::postgres::PgConnectOptions =
            address.url("dataset").parse().expect("a URL");
        assert_eq!(
            options.get_socket().map(std::path::PathBuf::as_path),
            Some(&*address.socket_dir)
        );
        assert_eq!(options.get_port(), address.port);
        assert_eq!(options.get_username(), address.user);
        assert_eq!(options.get_database(), Some(address.database.as_str()));
        assert_eq!(options.get_application_name(), Some("querylab-dataset"));
        assert!(matches!(options.get_ssl_mode(), sqlx::postgres::PgSslMode::Disable));
    }

    #[tokio::test(start_paused = true)]
    async fn a_question_without_an_answer_ends_and_says_what_was_asked() {
        let never =
            super::answer("the size of table `t`", std::future::pending::<sqlx::Result<()>>());
        let within = tokio::time::timeout(std::time::Duration::from_mins(2), never).await;
        let error = within.expect("it ends by itself").expect_err("nobody answers");
        let says = format!("{error:#}");
        assert!(says.starts_with("the size of table `t`: no answer within 60 s"), "{says}");
    }

    #[test]
    fn a_name_with_quotes_stays_one_name() {
        assert_eq!(super::quote_ident(r#"a"; drop table t; --"#), r#""a""; drop table t; --""#);
    }
}
