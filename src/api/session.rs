//! One conversation with Postgres: opened, its statements prepared, asked, and closed.
//!
//! Statements that requests wait for go through tokio-postgres, whose sessions may be shared: a task of its own writes what
//! is asked and reads what comes, and whoever asks waits for his answer alone. What the endpoints' statements are was found
//! out with sqlx at start (`statement`); each session prepares them again, for itself, before its first request.

use std::error::Error as StdError;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::BytesMut;
use futures_util::future::join_all;
use tokio::sync::OnceCell;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_postgres::config::SslMode;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};
use tokio_postgres::{Client, Config, NoTls, RowStream, Statement as Prepared};

use super::failure::Failure;
use super::value::Value;
use crate::plan::PostgresAddress;

/// Saying goodbye to the server is a courtesy: the socket is closed anyway.
const GOODBYE_WITHIN: Duration = Duration::from_secs(1);

/// A statement as each session prepares it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Recipe {
    pub(super) sql: Arc<str>,
    /// What its placeholders are declared to be.
    pub(super) types: Vec<Type>,
    /// The types of its columns, as they were at start.
    pub(super) columns: Vec<u32>,
}

/// Where sessions begin.
#[derive(Clone)]
pub(super) struct Door {
    config: Config,
    recipes: Arc<[Recipe]>,
}

/// The conversation.
pub(super) struct Session {
    client: Client,
    recipes: Arc<[Recipe]>,
    prepared: Vec<OnceCell<Prepared>>,
    is_retired: AtomicBool,
    driver: Driver,
}

/// The task that reads and writes; without it the socket is closed.
struct Driver(JoinHandle<()>);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Door {
    /// To this address, with these settings of a session. Nothing is taken from the environment.
    pub(super) fn new(address: &PostgresAddress, settings: &[(&str, String)]) -> Self {
        let options: Vec<String> =
            settings.iter().map(|(name, value)| format!("-c {name}={value}")).collect();
        let mut config = Config::new();
        config
            .host(address.host())
            .port(address.port)
            .user(&address.user)
            .password(&address.password)
            .dbname(&address.database)
            .application_name("querylab-api")
            .options(options.join(" "))
            .ssl_mode(SslMode::Disable);
        Self { config, recipes: Arc::default() }
    }

    /// With the statements that each session prepares.
    pub(super) fn with_recipes(self, recipes: Vec<Recipe>) -> Self {
        Self { recipes: recipes.into(), ..self }
    }

    /// A session with its statements prepared. One that the server refuses is tried again when it is asked for, and then
    /// somebody hears why.
    ///
    /// # Errors
    ///
    /// If the server is away, or does not let us in.
    pub(super) async fn open(&self) -> Result<Session, tokio_postgres::Error> {
        let (client, connection) = self.config.connect(NoTls).await?;
        let driver = tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a session with Postgres broke");
            }
        });
        let session = Session {
            client,
            recipes: Arc::clone(&self.recipes),
            prepared: self.recipes.iter().map(|_| OnceCell::new()).collect(),
            is_retired: AtomicBool::new(false),
            driver: Driver(driver),
        };
        // All at once: whoever opens has one deadline for it, and each alone is a round trip. Those that fail say why to
        // whoever needs them.
        drop(join_all((0..self.recipes.len()).map(|place| session.prepared(place))).await);
        Ok(session)
    }
}

impl Session {
    /// Whether it may be asked: the server is there, and nobody has given it up.
    pub(super) fn is_open(&self) -> bool {
        !self.is_retired.load(Ordering::Relaxed) && !self.client.is_closed()
    }

    /// Gives it up: what is under way may end, nothing new begins.
    pub(super) fn retire(&self) {
        self.is_retired.store(true, Ordering::Relaxed);
    }

    /// A round trip behind everything that was asked before.
    ///
    /// # Errors
    ///
    /// If the session is broken.
    pub(super) async fn ping(&self) -> Result<(), tokio_postgres::Error> {
        self.client.check_connection().await
    }

    /// Whether the server answers a query.
    pub(super) async fn answers(&self) -> bool {
        self.client.simple_query("SELECT 1").await.is_ok()
    }

    async fn prepared(&self, place: usize) -> Result<&Prepared, Failure> {
        let (cell, recipe) =
            self.prepared.get(place).zip(self.recipes.get(place)).ok_or(Failure::Changed)?;
        cell.get_or_try_init(|| async {
            let asked = self.client.prepare_typed(&recipe.sql, &recipe.types).await;
            let prepared = asked.map_err(Failure::Database)?;
            // A table may be altered under us, and a new session then describes other columns than those of the start.
            let now = prepared.columns().iter().map(|column| column.type_().oid());
            if now.eq(recipe.columns.iter().copied()) {
                Ok(prepared)
            } else {
                Err(Failure::Changed)
            }
        })
        .await
    }

    /// Executes a prepared statement with these values.
    ///
    /// # Errors
    ///
    /// If the server refuses it, a value cannot be written, or the session is broken.
    pub(super) async fn execute(
        &self,
        place: usize,
        values: &[&Value<'_>],
    ) -> Result<RowStream, Failure> {
        let prepared = match self.prepared.get(place).and_then(OnceCell::get) {
            Some(prepared) => prepared,
            None => self.prepared(place).await?,
        };
        let values = values.iter().map(|value| Argument(value));
        self.client.query_raw(prepared, values).await.map_err(|error| {
            let unwritten = StdError::source(&error).is_some_and(<dyn StdError>::is::<Unwritten>);
            if unwritten { Failure::Binding } else { Failure::Database(error) }
        })
    }

    /// Executes a statement that has its values in it.
    ///
    /// # Errors
    ///
    /// If the server refuses it, or the session is broken.
    pub(super) async fn execute_text(&self, sql: &str) -> Result<RowStream, Failure> {
        let no_values = std::iter::empty::<(&str, Type)>();
        self.client.query_typed_raw(sql, no_values).await.map_err(Failure::Database)
    }

    /// Says goodbye.
    pub(super) async fn close(self) {
        let Self { client, mut driver, .. } = self;
        drop(client);
        if timeout(GOODBYE_WITHIN, &mut driver.0).await.is_err() {
            tracing::debug!("Postgres did not take our goodbye in time");
        }
    }
}

/// A value on its way to the server.
#[derive(Debug)]
struct Argument<'v>(&'v Value<'v>);

/// A value that cannot be written.
#[derive(Debug)]
struct Unwritten;

impl std::fmt::Display for Unwritten {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a value cannot be written")
    }
}

impl StdError for Unwritten {}

impl ToSql for Argument<'_> {
    fn to_sql(
        &self,
        _: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn StdError + Sync + Send>> {
        self.0.write(out).map_err(|_| Unwritten.into())
    }

    /// The statement was declared with the types of its values; what an enum is the server knows.
    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

/// A column's bytes as they came; none where it is NULL.
pub(super) struct Field<'a>(pub(super) Option<&'a [u8]>);

impl<'a> FromSql<'a> for Field<'a> {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn StdError + Sync + Send>> {
        Ok(Self(Some(raw)))
    }

    fn from_sql_null(_: &Type) -> Result<Self, Box<dyn StdError + Sync + Send>> {
        Ok(Self(None))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}
