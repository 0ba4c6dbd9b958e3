//! What is here and what is missing, each with its fix; and fetching what is missing.

use std::path::{Path, PathBuf};

use super::error::StackError;
use super::furnished::obtain;
use super::locate::{Part, show_version};
use super::lock::MeasuringLock;
use super::majors::{Packager, find_major};
use super::protocol::Keep;
use super::surroundings::Surroundings;
use super::workshop::Workshop;
use super::{fetch, fetch_npm, find, room};
use crate::plan::ServerPlan;

/// What `doctor` and `setup` are told.
#[derive(Debug, Clone, Default)]
pub struct DoctorOptions {
    /// `--run-as`.
    pub run_as: Option<String>,
    /// The environment.
    pub surroundings: Surroundings,
}

/// How something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// As it should be.
    Good,
    /// It works, but not as well as it could, or only after a fetch.
    Warning,
    /// A run will fail.
    Bad,
}

/// One line of the doctor's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What was looked at: `postgres`, `disk`, …
    pub part: String,
    /// How it is.
    pub state: Health,
    /// What was seen.
    pub detail: String,
    /// A command or a sentence that helps; none where nothing is wrong.
    pub fix: Option<String>,
}

/// Room that a run of ordinary size needs, in bytes.
const DISK: u64 = 5 << 30;
/// Open files that a run of ordinary size needs.
const FILES: u64 = 4096;

fn finding(part: &str, state: Health, detail: String, fix: Option<String>) -> Finding {
    Finding { part: part.to_owned(), state, detail, fix }
}

/// A server that can be had, as `setup` left it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ready {
    /// `postgres`, `redis`, `nginx`.
    pub part: &'static str,
    /// Its version, like `15.18`.
    pub version: String,
    /// Whether it had to be fetched.
    pub origin: Origin,
    /// The program.
    pub program: PathBuf,
}

/// Where `setup` has a server from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// It was there before.
    Here,
    /// Fetched just now.
    Fetched,
}

impl std::fmt::Display for Ready {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let how = match self.origin {
            Origin::Here => "is here already",
            Origin::Fetched => "fetched",
        };
        write!(f, "{} {} {how}: {}", self.part, self.version, self.program.display())
    }
}

/// Fetches a part (all that are missing, if none is named); says of each what there is now.
pub async fn setup(
    part: Option<Part>,
    options: &DoctorOptions,
    notice: &mut dyn FnMut(String),
) -> Result<Vec<Ready>, StackError> {
    let cache = options.surroundings.cache(rustix::process::geteuid().as_raw())?;
    let path = &options.surroundings.path;
    let workshop = workshop("setup", options, notice).await?;
    let work = async {
        let mut ready = Vec::new();
        for part in part.map_or_else(|| Part::ALL.to_vec(), |p| vec![p]) {
            let wanted = oldest(part);
            let seen = find::snapshot(path, &cache);
            let here = find::find(part, &wanted, &seen, &workshop).await?;
            let (found, origin) = if let Ok(found) = here {
                (found, Origin::Here)
            } else {
                let fetched = obtain(part, &wanted, &cache, path, &workshop, notice);
                (fetched.await?, Origin::Fetched)
            };
            let version = show_version(&found.version);
            ready.push(Ready { part: part.name(), version, origin, program: found.program });
        }
        Ok(ready)
    };
    let result = Box::pin(work).await;
    let closed = workshop.close().await;
    let ready = result?;
    closed?;
    Ok(ready)
}

/// Fetches a major version of Postgres with npm, if that was not done before. One of the system's does not count: it is taken
/// where a run names this version alone, and several are to be built alike.
pub async fn setup_postgres(
    major: u32,
    options: &DoctorOptions,
    notice: &mut dyn FnMut(String),
) -> Result<Ready, StackError> {
    let cache = options.surroundings.cache(rustix::process::geteuid().as_raw())?;
    let around = &options.surroundings;
    let workshop = workshop("setup", options, notice).await?;
    let work = async {
        let here = find_major(major, Packager::Npm, &around.path, &cache, &workshop).await?;
        let (found, origin) = if let Ok(found) = here {
            (found, Origin::Here)
        } else {
            let fetched =
                fetch_npm::obtain((major, Packager::Npm), &cache, around, &workshop, notice);
            (fetched.await?, Origin::Fetched)
        };
        let version = show_version(&found.version);
        Ok(Ready { part: Part::Postgres.name(), version, origin, program: found.program })
    };
    let result = Box::pin(work).await;
    let closed = workshop.close().await;
    let ready = result?;
    closed?;
    Ok(ready)
}

async fn workshop(
    run_id: &str,
    options: &DoctorOptions,
    notice: &mut dyn FnMut(String),
) -> Result<Workshop, StackError> {
    let run_as = options.run_as.as_deref();
    Workshop::open(run_id, run_as, &options.surroundings, Keep::Nothing, notice).await
}

fn oldest(part: Part) -> Vec<u32> {
    match part {
        Part::Postgres => vec![15],
        Part::Redis | Part::Nginx => Vec::new(),
    }
}

/// Looks at everything that a run needs. Never fails: what cannot be looked at is a finding.
pub async fn doctor(options: &DoctorOptions) -> Vec<Finding> {
    let mut findings = Vec::new();
    let cache = match options.surroundings.cache(rustix::process::geteuid().as_raw()) {
        Ok(cache) => cache,
        Err(error) => return vec![finding("cache", Health::Bad, error.to_string(), None)],
    };
    let path = &options.surroundings.path;
    match workshop("doctor", options, &mut |_| {}).await {
        Err(error) => findings.push(finding("guard", Health::Bad, error.to_string(), None)),
        Ok(workshop) => {
            for part in Part::ALL {
                findings.push(server(part, &cache, options, &workshop).await);
            }
            let user = &workshop.identity;
            findings.push(finding(
                "user",
                Health::Good,
                format!("servers run as {} ({}:{})", user.name, user.uid, user.gid),
                None,
            ));
            findings.push(disk(workshop.base()));
            if let Err(error) = workshop.close().await {
                findings.push(finding("guard", Health::Bad, error.to_string(), None));
            }
        }
    }
    findings.push(shared_memory());
    findings.push(open_files());
    findings.push(match MeasuringLock::holder() {
        None => finding("lock", Health::Good, "nobody is measuring".into(), None),
        Some(who) => {
            let fix = "wait for it; a run does so by itself".to_owned();
            finding("lock", Health::Warning, format!("somebody is measuring: {who}"), Some(fix))
        }
    });
    findings.push(fetching(path));
    findings
}

/// Whether servers can be fetched, and versions of Postgres that a file names by their number.
fn fetching(path: &[PathBuf]) -> Finding {
    let missing = fetch::missing_tools(path);
    if !missing.is_empty() {
        let fix = "install missing servers with this system's package manager".to_owned();
        let what = format!("cannot fetch servers: no {}", missing.join(", no "));
        return finding("fetching", Health::Warning, what, Some(fix));
    }
    let missing = fetch_npm::missing_tools(path);
    if missing.is_empty() {
        let what = "apt-get and dpkg-deb are here, and npm and tar for other versions of Postgres";
        return finding("fetching", Health::Good, what.into(), None);
    }
    // Few experiments name a version, so this is no warning.
    let missing = missing.join(", no ");
    let what = format!("apt-get and dpkg-deb are here; no other version of Postgres: no {missing}");
    finding("fetching", Health::Good, what, None)
}

async fn server(part: Part, cache: &Path, options: &DoctorOptions, workshop: &Workshop) -> Finding {
    let path = &options.surroundings.path;
    let seen = find::snapshot(path, cache);
    let name = part.name();
    match find::find(part, &oldest(part), &seen, workshop).await {
        Ok(Ok(found)) => finding(
            name,
            Health::Good,
            format!("{} ({})", show_version(&found.version), found.program.display()),
            None,
        ),
        Ok(Err(rejected)) => {
            let fetchable = fetch::missing_tools(path).is_empty();
            let seen: String =
                rejected.0.iter().fold(String::new(), |text, r| text + "; found " + r);
            let (state, fix) = if fetchable {
                (Health::Warning, format!("querylab setup {name}"))
            } else {
                (Health::Bad, format!("install {}", part.program()))
            };
            finding(name, state, format!("not found{seen}"), Some(fix))
        }
        Err(error) => finding(name, Health::Bad, error.to_string(), None),
    }
}

fn disk(folder: &Path) -> Finding {
    match room::free_bytes(folder) {
        None => finding("disk", Health::Warning, "cannot be asked".into(), None),
        Some(free) => {
            let short = free < DISK;
            let fix = short.then(|| "set QUERYLAB_SCRATCH_DIR to a folder with more room".into());
            let state = if short { Health::Warning } else { Health::Good };
            finding("disk", state, format!("{} MiB free in {}", free >> 20, folder.display()), fix)
        }
    }
}

fn shared_memory() -> Finding {
    let short = room::shared_memory_is_short(&ServerPlan::default());
    let free = room::free_bytes(Path::new("/dev/shm")).unwrap_or(0);
    let fix = short.map(|_| {
        "give the container more (docker run --shm-size=1g); without it Postgres uses files".into()
    });
    let state = if short.is_some() { Health::Warning } else { Health::Good };
    finding("shared memory", state, format!("{} MiB free in /dev/shm", free >> 20), fix)
}

fn open_files() -> Finding {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).maximum;
    let short = limit.is_some_and(|l| l < FILES) && !rustix::process::geteuid().is_root();
    let fix = short.then(|| format!("ulimit -Hn {FILES} (as root), or a smaller load"));
    let state = if short { Health::Warning } else { Health::Good };
    let shown = limit.map_or_else(|| "no limit".to_owned(), |l| format!("at most {l}"));
    finding("open files", state, shown, fix)
}
