//! A session: one run's folder, guard and Postgres cluster, in which stacks are started one after the other.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::error::StackError;
use super::furnished::Furnished;
use super::locate::{Part, show_version};
use super::postgres::{self, Postgres};
use super::protocol::Keep;
use super::running::{self, Stack};
use super::shared::{Place, Shared};
use super::surroundings::Surroundings;
use crate::plan::{ApiPlan, ServerPlan, StackPlan};

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
    /// Always needed; never older than 15.
    pub postgres: Vec<u32>,
    /// Needed if given.
    pub redis: Option<Vec<u32>>,
    /// Needed if given.
    pub nginx: Option<Vec<u32>>,
}

impl Needs {
    pub(super) fn parts(&self) -> Vec<(Part, Vec<u32>)> {
        let oldest = OLDEST_POSTGRES.to_vec();
        let postgres = self.postgres.clone().max(oldest);
        let mut parts = vec![(Part::Postgres, postgres)];
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
        programs.map(|(p, found)| (p.name().to_owned(), show_version(&found.version))).collect()
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
