//! A place to work: the run's folder with its guard, and errands (short programs run to their end) in it.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use super::client::GuardClient;
use super::error::{StackError, environment};
use super::identity::{self, Identity, Owner};
use super::janitor;
use super::protocol::{
    ChildSpec, Exit, GuardSpec, Keep, LONGEST_LINE, Program, StartSpec, StopStep,
};
use super::scratch::{self, Scratch};
use super::surroundings::Surroundings;

/// Most of a log that is read for a message, in bytes.
const TAIL: u64 = 64 * 1024;
/// SIGTERM.
pub(super) const TERM: i32 = 15;
/// What servers and errands are told about language: nothing of the user's.
const LOCALE: &str = "C.UTF-8";

/// A run's folder and its guard.
pub(super) struct Workshop {
    /// The folder.
    pub scratch: Scratch,
    /// The user that servers run as.
    pub identity: Identity,
    /// The guard.
    pub guard: GuardClient,
    /// The port that Nginx listens on; a free one if there is none.
    pub nginx_port: Option<u16>,
    keep: Keep,
    base: PathBuf,
    errands: AtomicU32,
}

/// As whom an errand runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum As<'a> {
    /// The servers' user, in a folder for errands.
    Servers,
    /// The user who started querylab, in this folder: only for filling the cache.
    Ourselves(&'a Path),
}

/// A short program to run to its end.
pub(super) struct Errand<'a> {
    /// Its name in messages and its log's name.
    pub name: &'a str,
    /// The program.
    pub program: &'a Path,
    /// Its arguments.
    pub args: Vec<String>,
    /// Folders of its libraries.
    pub libraries: &'a [PathBuf],
    /// Beyond the few variables that everybody gets.
    pub env: Vec<(&'static str, String)>,
    /// As whom, and where.
    pub user: As<'a>,
    /// The longest that it may take.
    pub deadline: Duration,
}

/// What an errand came to.
pub(super) struct Done {
    /// How it ended.
    pub exit: Exit,
    /// The tail of both its output streams.
    pub output: String,
}

impl Workshop {
    /// Clears up behind dead runs, makes the folder and starts the guard.
    pub(super) async fn open(
        run_id: &str,
        run_as: Option<&str>,
        surroundings: &Surroundings,
        keep: Keep,
        notice: &mut dyn FnMut(String),
    ) -> Result<Self, StackError> {
        let identity = identity::decide(run_as, surroundings.sudo_uid)?;
        let uid = rustix::process::geteuid().as_raw();
        let base = scratch::base(surroundings.scratch_base.as_deref(), uid)?;
        for line in janitor::sweep(&base).await {
            notice(line);
        }
        let scratch = Scratch::create(&base, run_id, &identity)?;
        let spec = GuardSpec { scratch: scratch.root.clone(), keep };
        let program = surroundings.program.as_deref();
        let log = scratch.logs.join("guard.log");
        let guard = match GuardClient::start(program, &spec, &log).await {
            Ok(guard) => guard,
            Err(error) => {
                drop(janitor::remove_scratch(&scratch.root));
                return Err(error);
            }
        };
        let nginx_port = surroundings.nginx_port;
        Ok(Self { scratch, identity, guard, nginx_port, keep, base, errands: AtomicU32::new(0) })
    }

    /// Runs a program to its end, under the guard: should we die, so does it.
    pub(super) async fn run(&self, errand: Errand<'_>) -> Result<Done, StackError> {
        let number = self.errands.fetch_add(1, Ordering::Relaxed);
        let name = format!("{}-{number}", errand.name);
        let log = self.scratch.logs.join(format!("{name}.log"));
        let (home, user) = match errand.user {
            As::Servers => (self.scratch.home("errands", &self.identity)?, self.identity.target()),
            As::Ourselves(folder) => (folder.to_path_buf(), None),
        };
        let program = Program::Exec {
            path: errand.program.to_path_buf(),
            args: errand.args,
            libraries: errand.libraries.to_vec(),
        };
        let mut child = Self::child(&name, program, home, user);
        child.env.extend(errand.env.into_iter().map(|(n, v)| (n.to_owned(), v)));
        let stop = vec![StopStep { signal: TERM, patience_ms: 1000 }];
        let spec = StartSpec { child, log: log.clone(), rank: 0, stop, deadline_ms: None };
        let exit = self.guard.run(spec, errand.deadline).await?;
        Ok(Done { exit, output: tail(&log) })
    }

    /// What every child of the guard has in common.
    pub(super) fn child(
        name: &str,
        program: Program,
        home: PathBuf,
        user: Option<(u32, u32)>,
    ) -> ChildSpec {
        let fixed = [
            ("LC_ALL", LOCALE.to_owned()),
            ("TZ", "UTC".to_owned()),
            ("PATH", "/usr/bin:/bin:/usr/sbin:/sbin".to_owned()),
            ("HOME", home.display().to_string()),
            ("TMPDIR", home.display().to_string()),
        ];
        ChildSpec {
            name: name.to_owned(),
            program,
            env: fixed.into_iter().map(|(n, v)| (n.to_owned(), v)).collect(),
            home,
            user,
            death_signal: TERM,
            open_files: 1024,
            processors: Vec::new(),
            guard: 0,
        }
    }

    /// Stops everything, removes the folder (or keeps it) and verifies that nothing is left.
    pub(super) async fn close(&self) -> Result<(), StackError> {
        // Asked before the guard removes its own mark.
        let guard = Owner::of(&self.scratch.root).and_then(|(_, guard)| guard);
        let told = self.guard.shutdown().await;
        let root = &self.scratch.root;
        if let Err(StackError::GuardLost(_)) = &told {
            // The death signals do the work; whoever does not follow them is ended here.
            self.wait_until_gone(guard.as_ref(), Duration::from_secs(6)).await;
            janitor::end_processes(root, guard.as_ref()).await;
            if self.keep == Keep::Nothing && root.exists() {
                janitor::remove_scratch(root)
                    .map_err(|e| environment(&format!("cannot remove {}", root.display()), e))?;
            }
            return told;
        }
        told?;
        // The guard itself is the last one out; it has said goodbye but may still be on its way.
        let left = self.wait_until_gone(guard.as_ref(), Duration::from_secs(3)).await;
        if !left.is_empty() {
            return Err(StackError::Environment(format!("processes do not end: {left:?}")));
        }
        if self.keep == Keep::Nothing && root.exists() {
            return Err(StackError::Environment(format!("{} is still there", root.display())));
        }
        Ok(())
    }

    /// Waits until no process of the run is left; gives those that still are.
    async fn wait_until_gone(&self, guard: Option<&Owner>, patience: Duration) -> Vec<i32> {
        let until = Instant::now() + patience;
        loop {
            let left = janitor::ours(&self.scratch.root, guard);
            if left.is_empty() || Instant::now() >= until {
                return left;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The folder of all runs.
    pub(super) fn base(&self) -> &Path {
        &self.base
    }
}

/// The end of a log, as text whatever is in it.
pub(super) fn tail(log: &Path) -> String {
    use std::io::{Read, Seek, SeekFrom};
    let read = || -> std::io::Result<Vec<u8>> {
        let mut file = std::fs::File::open(log)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(TAIL)))?;
        let mut bytes = Vec::new();
        file.take(LONGEST_LINE as u64).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    String::from_utf8_lossy(&read().unwrap_or_default()).trim_end().to_owned()
}

/// The last lines of a log, indented, for a message.
pub(super) fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let from = lines.len().saturating_sub(count);
    lines[from..].iter().fold(String::new(), |text, line| text + "\n    " + line)
}
