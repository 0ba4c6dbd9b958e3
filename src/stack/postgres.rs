//! Postgres: the cluster, its configuration, its readiness, its settings in force, its end.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, PgConnection, Row};

use super::amounts::PgSetting;
use super::config::{self, PostgresConfig, Settings};
use super::error::{StackError, environment};
use super::locate::Part;
use super::postgres_settings::{self, PORT, TELLING, settings, verify};
use super::protocol::{Program, StopStep};
use super::shared::{Place, Running, Server, Shared};
use super::workshop::{As, Errand, last_lines};
use super::{identity, shared_memory};
use crate::plan::{PostgresAddress, ServerPlan, Whose};

/// For making the cluster.
const INITDB: Duration = Duration::from_mins(2);
/// For the first answer.
const READY: Duration = Duration::from_mins(1);
/// For one statement of ours.
const STATEMENT: Duration = Duration::from_secs(30);
/// For the checkpoint before a stop: all that was loaded may have to be written.
const CHECKPOINT: Duration = Duration::from_mins(3);
/// The cluster's owner.
const ADMIN: &str = "querylab_admin";
/// The role of the API and of the experiment's SQL: no superuser, since a superuser can start programs.
const APP: &str = "querylab_app";
/// Fast shutdown, then an immediate one; a kill comes last and takes the backends along.
const STOP: [StopStep; 2] =
    [StopStep { signal: 2, patience_ms: 5000 }, StopStep { signal: 3, patience_ms: 2000 }];

/// How a cluster is made, as far as its files show it: never trust, one encoding and order everywhere, checksums.
pub(super) const CLUSTER: [&str; 7] = [
    "-A",
    "scram-sha-256",
    "--auth-local=scram-sha-256",
    "--data-checksums",
    "-E",
    "UTF8",
    "--locale=C",
];

/// As whom to connect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The cluster's owner: makes databases and indexes, reads statistics.
    Admin,
    /// No superuser: the API and the experiment's own SQL.
    App,
}

/// A Postgres that answers. It runs until `stop`, or until its session ends.
pub struct Postgres {
    pub(super) shared: Arc<Shared>,
    pub(super) running: Running,
    pub(super) settings: Settings,
}

impl Postgres {
    /// Where it is, and as whom, for one of its databases.
    pub fn address(&self, role: Role, database: &str) -> PostgresAddress {
        address(&self.shared, role, database)
    }

    /// The postmaster's pid; its helpers are its children.
    pub fn pid(&self) -> u32 {
        self.running.pid
    }

    /// The cluster's folder.
    pub fn data_dir(&self) -> &Path {
        &self.shared.workshop.scratch.data
    }

    /// These settings as they are in force now, each with its unit. Names that it does not know are left out.
    pub async fn settings_in_force(
        &self,
        names: &[&str],
    ) -> Result<BTreeMap<String, String>, StackError> {
        let names = names.iter().map(|n| (*n).to_owned()).collect();
        let rows = with_deadline(in_force(&self.shared, names)).await?;
        Ok(rows.into_iter().map(|s| (s.name.clone(), s.shown())).collect())
    }

    /// Waits until it ends without having been asked to; tells how.
    pub async fn died(&self) -> String {
        self.shared.died(std::slice::from_ref(&self.running)).await
    }

    /// Writes everything to disk, stops it and waits until nothing of it is left.
    pub async fn stop(self) -> Result<(), StackError> {
        checkpoint(&self.shared).await;
        self.shared.stop(std::slice::from_ref(&self.running)).await
    }
}

/// Writes what is in memory, so that the stop after it is quick and clean. A server that cannot do so any more is
/// stopped all the same.
pub(super) async fn checkpoint(shared: &Shared) {
    let work = async {
        let mut connection = connect(shared).await?;
        connection.execute("CHECKPOINT").await?;
        connection.close().await
    };
    drop(tokio::time::timeout(CHECKPOINT, work).await);
}

/// Where Postgres is: somebody else's, if the session is for that, else that of the cluster.
pub(super) fn address(shared: &Shared, role: Role, database: &str) -> PostgresAddress {
    if let Some(external) = &shared.external {
        return external.address.clone();
    }
    let (user, password) = match role {
        Role::Admin => (ADMIN, &shared.secrets.admin),
        Role::App => (APP, &shared.secrets.app),
    };
    PostgresAddress {
        socket_dir: shared.workshop.scratch.sockets.clone(),
        port: PORT,
        user: user.to_owned(),
        password: password.clone(),
        database: database.to_owned(),
        whose: Whose::Ours,
    }
}

async fn connect(shared: &Shared) -> Result<PgConnection, sqlx::Error> {
    let to = address(shared, Role::Admin, "postgres");
    let options: PgConnectOptions = to.url("stack").parse()?;
    options.disable_statement_logging().connect().await
}

async fn with_deadline<T>(
    work: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, StackError> {
    match tokio::time::timeout(STATEMENT, work).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(StackError::Provisioning(format!("postgres: {error}"))),
        Err(_) => Err(StackError::Provisioning(format!(
            "postgres does not answer within {} s",
            STATEMENT.as_secs()
        ))),
    }
}

async fn in_force(shared: &Shared, names: Vec<String>) -> Result<Vec<PgSetting>, sqlx::Error> {
    let mut connection = connect(shared).await?;
    let settings = read_settings(&mut connection, names).await?;
    connection.close().await?;
    Ok(settings)
}

/// Settings as they are in force. Names that the server does not know are left out.
pub(super) async fn read_settings(
    connection: &mut PgConnection,
    names: Vec<String>,
) -> Result<Vec<PgSetting>, sqlx::Error> {
    let sql = "SELECT name, setting, unit, vartype FROM pg_settings WHERE name = ANY($1)";
    let rows = sqlx::query(sql).bind(names).fetch_all(connection).await?;
    rows.iter()
        .map(|row| {
            Ok(PgSetting {
                name: row.try_get(0)?,
                setting: row.try_get(1)?,
                unit: row.try_get(2)?,
                vartype: row.try_get(3)?,
            })
        })
        .collect()
}

/// Makes the session's cluster.
pub(super) async fn init(shared: &Shared) -> Result<(), StackError> {
    let workshop = &shared.workshop;
    let found = shared.program(Part::Postgres)?;
    let initdb = found.program.with_file_name("initdb");
    let password_file = workshop.scratch.config.join("initdb-password");
    identity::write_private(
        &password_file,
        &format!("{}\n", shared.secrets.admin),
        &workshop.identity,
    )?;
    let mut args: Vec<String> = CLUSTER.map(str::to_owned).to_vec();
    args.extend(["--no-sync", "--no-instructions", "-U", ADMIN].map(str::to_owned));
    args.push(format!("--pwfile={}", password_file.display()));
    args.push(format!("--pgdata={}", workshop.scratch.data.display()));
    let done = workshop
        .run(Errand {
            name: "initdb",
            program: &initdb,
            args,
            libraries: &found.libraries,
            env: Vec::new(),
            user: As::Servers,
            deadline: INITDB,
        })
        .await?;
    std::fs::remove_file(&password_file)
        .map_err(|e| environment("cannot remove initdb's password file", e))?;
    if done.exit.is_success() {
        return Ok(());
    }
    Err(StackError::Provisioning(format!(
        "cannot make the Postgres cluster: {}{}",
        done.exit,
        last_lines(&done.output, 12)
    )))
}

/// Starts Postgres on the session's cluster and waits until it answers with the settings that were asked for.
pub(super) async fn start(
    shared: &Arc<Shared>,
    plan: &ServerPlan,
    (connections, place): (u32, &Place),
    notice: &mut dyn FnMut(String),
) -> Result<Postgres, StackError> {
    let settings = settings(shared, plan, connections, notice)?;
    let text = config::postgres(&PostgresConfig { settings: settings.clone() })?;
    let scratch = &shared.workshop.scratch;
    identity::write_private(
        &scratch.data.join("postgresql.conf"),
        &text,
        &shared.workshop.identity,
    )?;
    let found = shared.program(Part::Postgres)?;
    let server = Server {
        name: "postgres".into(),
        program: Program::Exec {
            path: found.program.clone(),
            args: vec!["-D".into(), scratch.data.display().to_string()],
            libraries: found.libraries.clone(),
        },
        home: scratch.data.clone(),
        death_signal: 2,
        open_files: 65_536,
        rank: 3,
        place: place.unpadded(),
        stop: &STOP,
    };
    let running = shared.start(server).await?;
    match settle(shared, &running, plan, &settings).await {
        Ok(settings) => Ok(Postgres { shared: Arc::clone(shared), running, settings }),
        Err(error) => {
            shared.stop(&[running]).await?;
            Err(error)
        }
    }
}

/// Waits for the first answer, makes the role, verifies what is in force.
async fn settle(
    shared: &Shared,
    running: &Running,
    plan: &ServerPlan,
    settings: &Settings,
) -> Result<Settings, StackError> {
    let select_one = async || -> Result<(), sqlx::Error> {
        let mut connection = connect(shared).await?;
        connection.execute("SELECT 1").await?;
        connection.close().await
    };
    shared.until_ready(running, READY, select_one).await?;
    let scratch = &shared.workshop.scratch;
    shared_memory::note(&scratch.root, &scratch.data, running.pid)
        .map_err(|e| environment("cannot note the shared memory", e))?;
    with_deadline(make_role(shared)).await?;
    let names = settings.keys().cloned().chain(TELLING.map(str::to_owned)).collect();
    let rows = with_deadline(in_force(shared, names)).await?;
    verify(plan, &rows)?;
    if shared.compiled_with.get().is_none() {
        // Who else started it meanwhile has asked the same program.
        drop(shared.compiled_with.set(with_deadline(compiled_with(shared)).await?));
    }
    // Places of this run say nothing about speed, and differ from run to run.
    let telling = rows.into_iter().filter(|s| !postgres_settings::is_owned(&s.name));
    Ok(telling.map(|s| (s.name.clone(), s.shown())).collect())
}

/// What its compiler was told.
async fn compiled_with(shared: &Shared) -> Result<String, sqlx::Error> {
    let mut connection = connect(shared).await?;
    let sql = "SELECT setting FROM pg_config WHERE name = 'CFLAGS'";
    let flags = sqlx::query(sql).fetch_one(&mut connection).await?.try_get(0)?;
    connection.close().await?;
    Ok(flags)
}

async fn make_role(shared: &Shared) -> Result<(), sqlx::Error> {
    let mut connection = connect(shared).await?;
    let there: bool = sqlx::query("SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)")
        .bind(APP)
        .fetch_one(&mut connection)
        .await?
        .try_get(0)?;
    if !there {
        // The password is hex of our own making; a role's password cannot be bound.
        let sql = format!(
            "CREATE ROLE {APP} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD '{}'",
            shared.secrets.app
        );
        connection.execute(AssertSqlSafe(sql)).await?;
    }
    connection.close().await
}
