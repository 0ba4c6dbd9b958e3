//! `querylab init`: a schema is made in a private Postgres, read, drafted as an experiment, and the draft tried there.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use tokio::sync::watch;

use super::event::{Event, Interrupt, Stop, stop_of};
use super::watched::interrupted;
use crate::dataset::{self, Addresses};
use crate::plan::{self, Plan, ServerPlan};
use crate::spec::draft::{self, Drafted, Schema, Wishes};
use crate::spec::{Layers, load_text};
use crate::stack::{Postgres, Role, Session, SessionOptions};

/// Drafts that are tried before it is given up: each leaves out what the last one could not fill.
const MOST_DRAFTS: usize = 12;
/// Folder of the migrations of a database that was read, below the session's own.
const SURVEYED: &str = "surveyed";

/// Where the schema is found.
#[derive(Debug, Clone)]
pub enum Found {
    /// A folder of migrations.
    Migrations(PathBuf),
    /// What was read of an existing database.
    Database(Box<dataset::Remote>),
}

/// What is wanted, and how the servers are had.
#[derive(Debug, Clone)]
pub struct Initiating {
    /// The servers: Postgres alone.
    pub session: SessionOptions,
    /// Where the schema is found.
    pub found: Found,
    /// What is wanted of the draft.
    pub wishes: Wishes,
}

/// What came of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Initiated {
    /// The experiment.
    pub draft: Drafted,
    /// How many drafts it took.
    pub tried: usize,
}

/// Drafts an experiment whose rows a real Postgres takes.
///
/// # Errors
///
/// Why there is none: a migration that fails, no table that can be filled, a server that can't be had.
pub async fn init(
    order: &Initiating,
    interrupt: watch::Receiver<Interrupt>,
    events: &mut (dyn FnMut(Event) + Send),
) -> Result<Initiated, Stop> {
    let mut notice = |text: String| events(Event::Notice { text });
    let opened = tokio::select! {
        opened = Session::open(order.session.clone(), &mut notice) => opened,
        signal = interrupted(interrupt.clone()) => return Err(Stop::Interrupted(signal)),
    };
    let session = opened.map_err(|e| stop_of(&e))?;
    let done = tokio::select! {
        done = with_servers(order, &session, &mut notice) => done,
        signal = interrupted(interrupt) => Err(Stop::Interrupted(signal)),
    };
    let closed = session.close().await.map_err(|e| stop_of(&e));
    let done = done?;
    closed?;
    Ok(done)
}

async fn with_servers(
    order: &Initiating,
    session: &Session,
    notice: &mut (dyn FnMut(String) + Send),
) -> Result<Initiated, Stop> {
    let provisioning = |e: anyhow::Error| Stop::Provisioning(format!("{e:#}"));
    let migrations =
        folder(&order.found, session).map_err(|e| Stop::Environment(format!("{e:#}")))?;
    let postgres = session
        .start_postgres(&ServerPlan::default(), &mut *notice)
        .await
        .map_err(|e| stop_of(&e))?;
    let addresses = addresses(&postgres);
    let surveyed = dataset::survey(&addresses, &migrations).await;
    let surveyed = surveyed.map_err(|e| match order.found {
        Found::Migrations(_) => provisioning(e),
        Found::Database(_) => {
            provisioning(e.context("the schema as it was read can't be made anew"))
        }
    });
    let done = match surveyed {
        Ok(schema) => {
            let schema = match &order.found {
                Found::Migrations(_) => schema,
                Found::Database(remote) => remote.schema.clone(),
            };
            drafts(order, &schema, &addresses, &migrations, notice).await
        }
        Err(stop) => Err(stop),
    };
    let stopped = postgres.stop().await.map_err(|e| stop_of(&e));
    let done = done?;
    stopped?;
    Ok(done)
}

/// Drafts, and leaves out what can't be filled, until all can.
async fn drafts(
    order: &Initiating,
    schema: &Schema,
    addresses: &Addresses,
    migrations: &Path,
    notice: &mut (dyn FnMut(String) + Send),
) -> Result<Initiated, Stop> {
    let mut wishes = order.wishes.clone();
    for tried in 1..=MOST_DRAFTS {
        let draft = draft::draft(schema, &wishes).map_err(Stop::Provisioning)?;
        let plan = resolved(&wishes, schema, migrations)?;
        let refused = dataset::try_out(addresses, &plan).await;
        let refused = refused.map_err(|e| Stop::Provisioning(format!("{e:#}")))?;
        if refused.is_empty() {
            return Ok(Initiated { draft, tried });
        }
        for (table, why) in refused {
            notice(format!("table `{table}` is left out: {why}"));
            wishes.leave_out.insert(table, why);
        }
    }
    let text = format!("{MOST_DRAFTS} drafts had tables that would not take their rows");
    Err(Stop::Provisioning(text))
}

/// The smallest plan of a draft, as if it stood beside the migrations.
fn resolved(wishes: &Wishes, schema: &Schema, migrations: &Path) -> Result<Plan, Stop> {
    let beside = Wishes { migrations: name_of(migrations), ..wishes.clone() };
    let draft = draft::draft(schema, &beside).map_err(Stop::Provisioning)?;
    let file = migrations.with_file_name(format!("{}.toml", wishes.id));
    let wrong = |list: &[crate::spec::Problem]| {
        let first = list.first().map_or_else(String::new, |p| format!("{} {}", p.code, p.what));
        Stop::Provisioning(format!(
            "the draft is not right, which is a mistake of querylab: {first}"
        ))
    };
    let plan = |profile: Option<&str>| {
        let layers = Layers { profile: profile.map(str::to_owned), ..Layers::default() };
        let spec = load_text(&file, draft.text.clone(), &layers).map_err(|p| wrong(&p.list))?;
        plan::resolve(&spec).map_err(|list| wrong(&list))
    };
    plan(None)?;
    plan(Some("smoke"))
}

fn name_of(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

fn addresses(postgres: &Postgres) -> Addresses {
    Addresses {
        admin: postgres.address(Role::Admin, "postgres"),
        app: postgres.address(Role::App, "postgres"),
    }
}

/// The migrations: those of the author, or what was read, written down.
fn folder(found: &Found, session: &Session) -> anyhow::Result<PathBuf> {
    match found {
        Found::Migrations(folder) => fs::canonicalize(folder)
            .with_context(|| format!("cannot read the migrations in {}", folder.display())),
        Found::Database(remote) => {
            let folder = session.scratch().join(SURVEYED);
            fs::create_dir_all(&folder)
                .and_then(|()| fs::write(folder.join("0001_schema.sql"), &remote.sql))
                .with_context(|| format!("cannot write to {}", folder.display()))?;
            Ok(folder)
        }
    }
}
