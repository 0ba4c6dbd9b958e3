//! A run's folder, guard and programs, with no cluster yet: whoever opens it decides whether one is made or one is there.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use sha2::{Digest, Sha256};

use super::error::{StackError, environment};
use super::external::External;
use super::find::{self, Found};
use super::locate::{Part, show_version};
use super::majors::{Builds, Packager, find_major, missing_major};
use super::postgres_settings::DEFAULTS;
use super::session::{Session, SessionOptions, Setup};
use super::shared::{Secrets, Shared};
use super::workshop::Workshop;
use super::{fetch, fetch_npm, postgres, scratch};
use crate::plan::PostgresAddress;

/// What a cluster's files depend on beside what is loaded into them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterKind {
    /// Version of Postgres, `15.18`.
    pub version: String,
    /// SHA-256 of its program: two builds of one version are two.
    pub build: String,
    /// How clusters are made (encoding, locale, checksums) and what they are run with unless the file says otherwise.
    pub made_with: Vec<String>,
}

/// A run's folder with its guard, and the servers' programs.
pub struct Furnished {
    workshop: Workshop,
    programs: BTreeMap<Part, Found>,
    external: Option<PostgresAddress>,
}

impl Furnished {
    /// Clears up behind dead runs, starts the guard, finds (or fetches) the programs. `notice` gets lines for people.
    pub async fn furnish(
        options: SessionOptions,
        notice: &mut dyn FnMut(String),
    ) -> Result<Self, StackError> {
        let workshop = Workshop::open(
            &options.run_id,
            options.run_as.as_deref(),
            &options.surroundings,
            options.keep,
            notice,
        )
        .await?;
        match Box::pin(furnish(&workshop, &options, notice)).await {
            Ok(programs) => Ok(Self { workshop, programs, external: options.needs.external }),
            Err(error) => {
                // The reason why is worth more than a second one from clearing up.
                drop(workshop.close().await);
                Err(error)
            }
        }
    }

    /// What the files of a cluster depend on here. Reads the server's program.
    pub fn cluster_kind(&self) -> Result<ClusterKind, StackError> {
        let found = self.programs.get(&Part::Postgres).ok_or_else(|| {
            StackError::Environment("Postgres is needed, but was not looked for".into())
        })?;
        let program = std::fs::read(&found.program)
            .map_err(|e| environment(&format!("cannot read {}", found.program.display()), e))?;
        let build =
            Sha256::digest(&program).iter().fold(String::new(), |t, b| t + &format!("{b:02x}"));
        let defaults = DEFAULTS.iter().map(|(name, value)| format!("{name}={value}"));
        let made_with = postgres::CLUSTER.iter().map(|arg| (*arg).to_owned()).chain(defaults);
        Ok(ClusterKind {
            version: show_version(&found.version),
            build,
            made_with: made_with.collect(),
        })
    }

    /// Where the cluster belongs: an empty folder so far.
    pub fn data_dir(&self) -> &Path {
        &self.workshop.scratch.data
    }

    /// User and group whom the cluster's files must belong to, where that is not us.
    pub fn server_ids(&self) -> Option<(u32, u32)> {
        self.workshop.identity.target()
    }

    /// Makes a new cluster; or meets somebody else's Postgres, where that is what is needed.
    pub async fn with_new_cluster(self) -> Result<Session, StackError> {
        let Self { workshop, programs, external } = self;
        let mut shared = shared(workshop, programs, Secrets::new()?);
        let ready = match external {
            None => postgres::init(&shared).await,
            Some(address) => External::meet(address).await.map(|met| shared.external = Some(met)),
        };
        match ready {
            Ok(()) => Ok(Session::of(shared)),
            Err(error) => {
                drop(shared.workshop.close().await);
                Err(error)
            }
        }
    }

    /// Takes the cluster that was put into `data_dir`, with the passwords that
    /// [`Session::write_passwords`] has written.
    pub async fn with_this_cluster(self, passwords: &Path) -> Result<Session, StackError> {
        let Self { workshop, programs, .. } = self;
        match Secrets::kept(passwords) {
            Ok(secrets) => Ok(Session::of(shared(workshop, programs, secrets))),
            Err(error) => {
                drop(workshop.close().await);
                Err(error)
            }
        }
    }

    /// Whether a cluster can be used where it lies: the servers' user gets there, and it is his.
    pub fn can_work_in(&self, data: &Path) -> bool {
        let identity = &self.workshop.identity;
        scratch::reachable(data, identity).is_ok()
            && std::fs::symlink_metadata(data)
                .is_ok_and(|meta| meta.is_dir() && meta.uid() == identity.uid)
    }

    /// Takes a cluster that lies elsewhere and stays there when all is over. The run's folder gets a link to it, by which
    /// those who clear up behind us know its processes.
    pub async fn with_cluster_at(
        mut self,
        data: &Path,
        passwords: &Path,
    ) -> Result<Session, StackError> {
        let place = self.workshop.scratch.data.clone();
        let linked =
            std::fs::remove_dir(&place).and_then(|()| std::os::unix::fs::symlink(data, &place));
        if let Err(e) = linked {
            drop(self.workshop.close().await);
            return Err(environment("cannot link to the cluster", e));
        }
        self.workshop.scratch.data = data.to_path_buf();
        self.with_this_cluster(passwords).await
    }

    /// Ends the guard and removes the folder.
    pub async fn close(self) -> Result<(), StackError> {
        self.workshop.close().await
    }
}

fn shared(workshop: Workshop, programs: BTreeMap<Part, Found>, secrets: Secrets) -> Shared {
    Shared { workshop, programs, secrets, external: None, compiled_with: OnceLock::new() }
}

/// Finds the programs, and fetches those that are missing.
async fn furnish(
    workshop: &Workshop,
    options: &SessionOptions,
    notice: &mut dyn FnMut(String),
) -> Result<BTreeMap<Part, Found>, StackError> {
    let uid = rustix::process::geteuid().as_raw();
    let cache = options.surroundings.cache(uid)?;
    let mut programs = BTreeMap::new();
    for (part, wanted) in options.needs.parts() {
        let major = options.needs.postgres_major.filter(|_| part == Part::Postgres);
        let found = match major {
            Some(major) => of_major(major, options, &cache, workshop, notice).await?,
            None => any_of(part, &wanted, options, &cache, workshop, notice).await?,
        };
        let is_to_be_alike = part == Part::Postgres && options.needs.builds != Builds::Any;
        let found = match (major, found.version.first()) {
            // Whichever version is here, but as it is built by whoever builds those beside it.
            (None, Some(&major)) if is_to_be_alike => {
                of_major(major, options, &cache, workshop, notice).await?
            }
            _ => found,
        };
        programs.insert(part, found);
    }
    Ok(programs)
}

/// Finds a part in any version that will do, or fetches it.
async fn any_of(
    part: Part,
    wanted: &[u32],
    options: &SessionOptions,
    cache: &Path,
    workshop: &Workshop,
    notice: &mut dyn FnMut(String),
) -> Result<Found, StackError> {
    let path = &options.surroundings.path;
    match find::find(part, wanted, &find::snapshot(path, cache), workshop).await? {
        Ok(found) => Ok(found),
        Err(rejected) if options.setup == Setup::Refuse => {
            Err(find::missing(part, wanted, &rejected, cache))
        }
        Err(_) => obtain(part, wanted, cache, path, workshop, notice).await,
    }
}

/// Finds a major version of Postgres, or fetches it.
async fn of_major(
    major: u32,
    options: &SessionOptions,
    cache: &Path,
    workshop: &Workshop,
    notice: &mut dyn FnMut(String),
) -> Result<Found, StackError> {
    let (around, packager) = (&options.surroundings, Packager::of(&options.needs.builds));
    match find_major(major, packager, &around.path, cache, workshop).await? {
        Ok(found) => Ok(found),
        // Packages of the system are the system's to mend.
        Err(rejected) if options.setup == Setup::Refuse || packager == Packager::System => {
            Err(missing_major(major, packager, &rejected, cache))
        }
        Err(_) => {
            let fetched = fetch_npm::obtain((major, packager), cache, around, workshop, notice);
            Box::pin(fetched).await
        }
    }
}

/// Fetches a part and finds it.
pub(super) async fn obtain(
    part: Part,
    wanted: &[u32],
    cache: &Path,
    path: &[PathBuf],
    workshop: &Workshop,
    notice: &mut dyn FnMut(String),
) -> Result<Found, StackError> {
    Box::pin(fetch::fetch(part, cache, path, workshop, notice)).await?;
    let seen = find::snapshot(path, cache);
    find::find(part, wanted, &seen, workshop)
        .await?
        .map_err(|rejected| find::missing(part, wanted, &rejected, cache))
}
