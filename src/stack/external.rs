//! A Postgres that is somebody else's: met by sessions that can't write, never started, changed or stopped.

use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection, PgConnection, Row};
use tokio::time::timeout;

use super::config::Settings;
use super::error::StackError;
use super::postgres::read_settings;
use super::postgres_settings::{self, DEFAULTS, TELLING};
use crate::plan::{LET_IN_WITHIN, PGOPTIONS_IS_SET, PostgresAddress};

/// For all questions of ours together.
const ANSWERS: Duration = Duration::from_secs(20);
/// For a goodbye.
const GOODBYE: Duration = Duration::from_secs(1);
/// How long a question may keep the server busy, and how long it may wait for a lock.
const LIMITS: [(&str, &str); 2] = [("statement_timeout", "10s"), ("lock_timeout", "5s")];
/// The oldest that is understood, as `server_version_num` has it.
const OLDEST: i32 = 150_000;
/// Connections of our own beside those of the pools: a witness, and one that explains.
const OWN_CONNECTIONS: u32 = 2;

/// What was seen of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct External {
    /// Where it is, and as whom.
    pub address: PostgresAddress,
    /// `15.18`.
    pub version: String,
    /// Settings in force.
    pub settings: Settings,
    /// Whether its role could write, were its sessions not read only.
    pub may_write: bool,
    /// Connections that were to be had.
    free: u32,
}

/// Its answers.
struct Answers {
    version: String,
    number: i32,
    is_read_only: bool,
    is_superuser: bool,
    may_write: bool,
    free: i64,
    settings: Settings,
}

impl External {
    /// Meets it.
    ///
    /// # Errors
    ///
    /// If nobody answers, or somebody whom querylab does not work with.
    pub(super) async fn meet(address: PostgresAddress) -> Result<Self, StackError> {
        let mut connection = connect(&address).await?;
        let failed = |text: String| StackError::Provisioning(format!("external Postgres: {text}"));
        let answers = timeout(ANSWERS, look(&mut connection))
            .await
            .map_err(|_| failed(format!("no answers within {} s", ANSWERS.as_secs())))?
            .map_err(|error| failed(error.to_string()))?;
        // A goodbye that is not taken changes nothing.
        drop(timeout(GOODBYE, connection.close()).await);
        refuse(&answers)?;
        let Answers { version, may_write, free, settings, .. } = answers;
        let free = u32::try_from(free.max(0)).unwrap_or(u32::MAX);
        Ok(Self { address, version: bare(&version), settings, may_write, free })
    }

    /// Whether there is room for the connections of the pools.
    ///
    /// # Errors
    ///
    /// If there was not, when it was met.
    pub(super) fn has_room_for(&self, connections: u32) -> Result<(), StackError> {
        let needed = connections.saturating_add(OWN_CONNECTIONS);
        if needed <= self.free {
            return Ok(());
        }
        Err(StackError::Provisioning(format!(
            "external Postgres: it had {} connections left, and {needed} may be opened: make `services.api.pool` smaller",
            self.free
        )))
    }
}

async fn connect(address: &PostgresAddress) -> Result<PgConnection, StackError> {
    let failed = |text: &str| {
        StackError::Environment(format!("cannot connect to the external Postgres: {text}"))
    };
    // The driver's own words on a URL may repeat it.
    let options: PgConnectOptions =
        address.url("stack").parse().map_err(|_| failed("its address can't be used"))?;
    if options.get_options().is_some() {
        return Err(StackError::Environment(PGOPTIONS_IS_SET.into()));
    }
    let options = options.options(address.limits().iter().copied().chain(LIMITS));
    match timeout(LET_IN_WITHIN, options.disable_statement_logging().connect()).await {
        Ok(connected) => connected.map_err(|error| failed(&error.to_string())),
        Err(_) => Err(failed(&format!("it did not answer within {} s", LET_IN_WITHIN.as_secs()))),
    }
}

async fn look(connection: &mut PgConnection) -> Result<Answers, sqlx::Error> {
    // What the catalogue says of privileges; whether a table has rows is not asked.
    let sql = "SELECT current_setting('server_version'), \
         current_setting('server_version_num')::int4, \
         current_setting('transaction_read_only') = 'on', \
         current_setting('is_superuser') = 'on', \
         EXISTS (SELECT FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace \
           WHERE c.relkind IN ('r', 'p') AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\\_%' \
           AND has_table_privilege(c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE')), \
         current_setting('max_connections')::int8 - current_setting('superuser_reserved_connections')::int8 \
           - (SELECT COALESCE(sum(numbackends), 0)::int8 FROM pg_stat_database)";
    let row = sqlx::query(sql).fetch_one(&mut *connection).await?;
    let names = DEFAULTS.iter().map(|(name, _)| *name).chain(TELLING);
    // Where its files and sockets are says nothing about speed.
    let names = names.filter(|name| !postgres_settings::is_owned(name)).map(str::to_owned);
    let settings = read_settings(connection, names.collect()).await?;
    Ok(Answers {
        version: row.try_get(0)?,
        number: row.try_get(1)?,
        is_read_only: row.try_get(2)?,
        is_superuser: row.try_get(3)?,
        may_write: row.try_get(4)?,
        free: row.try_get(5)?,
        settings: settings.into_iter().map(|s| (s.name.clone(), s.shown())).collect(),
    })
}

/// Whom querylab does not work with.
fn refuse(answers: &Answers) -> Result<(), StackError> {
    let why = if answers.number < OLDEST {
        format!("it is version {}, and 15 is the oldest that will do", bare(&answers.version))
    } else if !answers.is_read_only {
        "its sessions are not read only, though they were asked to be: is there a pooler in front of it?".into()
    } else if answers.is_superuser {
        "the role of the URL is a superuser's: make one that may only read (GRANT pg_read_all_data)"
            .into()
    } else {
        return Ok(());
    };
    Err(StackError::Environment(format!("external Postgres: {why}")))
}

/// `15.18 (Debian 15.18-0+deb12u1)` as `15.18`.
fn bare(version: &str) -> String {
    version.split_whitespace().next().unwrap_or(version).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Whose;

    fn answers() -> Answers {
        Answers {
            version: "15.18 (Debian 15.18-0+deb12u1)".into(),
            number: 150_018,
            is_read_only: true,
            is_superuser: false,
            may_write: false,
            free: 97,
            settings: Settings::new(),
        }
    }

    #[test]
    fn only_a_role_that_is_no_superusers_in_sessions_that_are_read_only_will_do() {
        assert_eq!(refuse(&answers()), Ok(()));
        for (wrong, why) in [
            (Answers { number: 140_012, version: "14.12".into(), ..answers() }, "version 14.12"),
            (Answers { is_read_only: false, ..answers() }, "not read only"),
            (Answers { is_superuser: true, ..answers() }, "superuser"),
        ] {
            let error = refuse(&wrong).expect_err(why);
            assert!(error.text().contains(why) && error.exit_code() == 3, "{error}");
        }
    }

    #[test]
    fn pools_that_are_larger_than_what_is_left_are_refused() {
        let address = PostgresAddress::of_others("postgres://me:x@localhost/d").expect("a URL");
        assert_ne!(address.whose, Whose::Ours);
        let external = External {
            address,
            version: bare(&answers().version),
            settings: Settings::new(),
            may_write: false,
            free: 32,
        };
        assert_eq!(external.version, "15.18");
        assert_eq!(external.has_room_for(30), Ok(()));
        let error = external.has_room_for(31).expect_err("one too many");
        assert!(error.text().contains("32 connections left, and 33 may be opened"), "{error}");
    }

    #[tokio::test]
    async fn nobody_there_is_said_without_the_password() {
        let url = "postgres://me:hunter2@127.0.0.1:1/d";
        let address = PostgresAddress::of_others(url).expect("a URL");
        let error = External::meet(address).await.expect_err("nobody listens there");
        assert!(
            matches!(&error, StackError::Environment(text) if !text.contains("hunter2")),
            "{error}"
        );
    }
}
