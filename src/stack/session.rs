//! A session: one run's folder, guard and Postgres cluster, in which stacks are started one after the other.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::error::{StackError, environment};
use super::furnished::Furnished;
use super::locate::{Part, show_version};
use super::majors::Builds;
use super::nginx::ACCESS_LOG;
use super::postgres::{self, Postgres};
use super::protocol::Keep;
use super::running::{self, Stack};
use super::shared::{Place, Shared};
use super::static_files;
use super::surroundings::Surroundings;
use crate::plan::{ApiPlan, PostgresAddress, ServerPlan, StackPlan, StaticPlan};

/// Oldest Postgres that this program knows.
const OLDEST_POSTGRES: [u32; 1] = [15];

/// What to do about servers that are not here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Setup {
    /// Fetch them into the cache, said in a line.
    Fetch,
    /// Fail, with the fix in the message (`--no-setup`).
    Refuse,
}

/// Which servers a run needs, and the oldest versions that will do (`[7, 0]`; empty: any).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Needs {
    /// Needed unless it is somebody else's; never older than 15.
    pub postgres: Vec<u32>,
    /// This major version and no other.
    pub postgres_major: Option<u32>,
    /// Whose builds of Postgres will do.
    pub builds: Builds,
    /// Needed if given.
    pub redis: Option<Vec<u32>>,
    /// Needed if given.
    pub nginx: Option<Vec<u32>>,
    /// Somebody else's server, which takes the place of a Postgres of ours. Whoever gives it says that it is allowed.
    pub external: Option<PostgresAddress>,
}

/// What a session knows of somebody else's Postgres.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Others {
    /// Its role may only read.
    ReadOnly,
    /// Its role could write; only the sessions are read only.
    CouldWrite,
}

impl Needs {
    pub(super) fn parts(&self) -> Vec<(Part, Vec<u32>)> {
        let oldest = OLDEST_POSTGRES.to_vec();
        let postgres = self.postgres.clone().max(oldest);
        let is_ours = self.external.is_none();
        let mut parts: Vec<_> = is_ours.then_some((Part::Postgres, postgres)).into_iter().collect();
        parts.extend(self.redis.clone().map(|v| (Part::Redis, v)));
        parts.extend(self.nginx.clone().map(|v| (Part::Nginx, v)));
        parts
    }
}

/// How a session is opened.
#[derive(Debug, Clone)]
pub struct SessionOptions {
    /// Name of the run, for the mark on its folder.
    pub run_id: String,
    /// `--run-as`.
    pub run_as: Option<String>,
    /// Whether the folder stays.
    pub keep: Keep,
    /// What to do about servers that are not here.
    pub setup: Setup,
    /// Which servers.
    pub needs: Needs,
    /// The environment.
    pub surroundings: Surroundings,
}

/// One run's folder, guard and cluster. Whatever happens to this process, the guard stops and removes all of it.
pub struct Session {
    shared: Arc<Shared>,
}

impl Session {
    /// Clears up behind dead runs, finds (or fetches) the programs, starts the guard and makes the cluster. `notice`
    /// gets lines for people: what is fetched, what was cleared up.
    pub async fn open(
        options: SessionOptions,
        notice: &mut dyn FnMut(String),
    ) -> Result<Self, StackError> {
        Furnished::furnish(options, notice).await?.with_new_cluster().await
    }

    pub(super) fn of(shared: Shared) -> Self {
        Self { shared: Arc::new(shared) }
    }

    /// Writes the cluster's passwords to a file in the run's folder that only we can read, and says where: without them its
    /// data are of no use later.
    pub fn write_passwords(&self) -> Result<PathBuf, StackError> {
        let file = self.scratch().join("passwords.json");
        self.shared.secrets.keep(&file)?;
        Ok(file)
    }

    /// User and group whom the cluster's files belong to, where that is not us.
    pub fn server_ids(&self) -> Option<(u32, u32)> {
        self.shared.workshop.identity.target()
    }

    /// Versions of the servers: `postgres` → `15.18`.
    pub fn versions(&self) -> BTreeMap<String, String> {
        let programs = self.shared.programs.iter();
        let ours = programs.map(|(p, found)| (p.name().to_owned(), show_version(&found.version)));
        let external = self.shared.external.as_ref();
        let theirs = external.map(|e| (Part::Postgres.name().to_owned(), e.version.clone()));
        ours.chain(theirs).collect()
    }

    /// What the compiler was told when this Postgres was built, as it says itself; none before it was started, and of somebody
    /// else's, which tells that to superusers only.
    pub fn compiled_with(&self) -> Option<String> {
        self.shared.compiled_with.get().cloned()
    }

    /// What is known of somebody else's Postgres, if the session is for that.
    pub fn others(&self) -> Option<Others> {
        let external = self.shared.external.as_ref()?;
        Some(if external.may_write { Others::CouldWrite } else { Others::ReadOnly })
    }

    /// The servers' programs: `postgres` → its file.
    pub fn programs(&self) -> BTreeMap<String, PathBuf> {
        let programs = self.shared.programs.iter();
        programs.map(|(p, found)| (p.name().to_owned(), found.program.clone())).collect()
    }

    /// The run's folder.
    pub fn scratch(&self) -> &Path {
        &self.shared.workshop.scratch.root
    }

    /// What the servers said.
    pub fn logs_dir(&self) -> &Path {
        &self.shared.workshop.scratch.logs
    }

    /// Nginx' access logs as far as there are any, each with the name that it is kept under.
    pub fn access_logs(&self) -> Vec<(PathBuf, String)> {
        let home = self.shared.workshop.scratch.homes.join("nginx");
        let logs = ACCESS_LOG.map(|name| (home.join(name), format!("nginx-{name}")));
        logs.into_iter().filter(|(log, _)| log.is_file()).collect()
    }

    /// The cluster's folder.
    pub fn data_dir(&self) -> &Path {
        &self.shared.workshop.scratch.data
    }

    /// Name of the user whom the servers run as.
    pub fn server_user(&self) -> &str {
        &self.shared.workshop.identity.name
    }

    /// The guard's pid.
    pub fn guard_pid(&self) -> u32 {
        self.shared.workshop.guard.pid()
    }

    /// Copies the files that Nginx is to serve itself into the run's folder, from their folder below `dir`: before
    /// the first stack that has them.
    pub async fn place_static(&self, dir: &Path, plan: &StaticPlan) -> Result<(), StackError> {
        let (shared, dir, plan) = (Arc::clone(&self.shared), dir.to_owned(), plan.clone());
        let placed = tokio::task::spawn_blocking(move || {
            let workshop = &shared.workshop;
            static_files::place(&workshop.scratch, &workshop.identity, &dir, &plan)
        });
        placed.await.map_err(|e| environment("cannot place the static files", e))?
    }

    /// Starts only Postgres, for loading data.
    pub async fn start_postgres(
        &self,
        plan: &ServerPlan,
        notice: &mut dyn FnMut(String),
    ) -> Result<Postgres, StackError> {
        postgres::start(&self.shared, plan, (0, &Place::default()), notice).await
    }

    /// Starts the servers of a cell on the session's cluster; the API uses `database`. Postgres must not be running.
    pub async fn start_stack(
        &self,
        plan: &StackPlan,
        api: &ApiPlan,
        database: &str,
        notice: &mut dyn FnMut(String),
    ) -> Result<Stack, StackError> {
        self.start_stack_at(&Place::default(), plan, api, database, notice).await
    }

    /// The same at a place of its own.
    pub async fn start_stack_at(
        &self,
        place: &Place,
        plan: &StackPlan,
        api: &ApiPlan,
        database: &str,
        notice: &mut dyn FnMut(String),
    ) -> Result<Stack, StackError> {
        Box::pin(running::start(&self.shared, plan, api, (database, place), notice)).await
    }

    /// Stops whatever still runs, ends the guard, removes the folder (or keeps it) and verifies both.
    pub async fn close(self) -> Result<(), StackError> {
        self.shared.workshop.close().await
    }
}
