//! What runner and guard say to each other: JSON, one message a line, commands in on standard input, events out on
//! standard output. Passwords never travel here; they are in files that only the server's user can read.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Longest line that either side takes, in bytes.
pub(super) const LONGEST_LINE: usize = 1 << 20;

/// What the guard is started with.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct GuardSpec {
    /// The run's folder; it is removed at the end.
    pub scratch: PathBuf,
    /// Whether the folder stays.
    pub keep: Keep,
}

/// What becomes of the run's folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Keep {
    /// It is removed, whatever happened.
    Nothing,
    /// Data, configuration and logs stay for a look.
    Everything,
}

/// A command to the guard. Each is answered by one `Event::Reply` with its number.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Command {
    /// Number that the reply carries.
    pub id: u64,
    /// What to do.
    pub order: Order,
}

/// What the guard can be asked to do.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Order {
    /// Start a server; the reply carries its pid.
    Start(StartSpec),
    /// Run a program to its end; the reply carries its status.
    Run(StartSpec),
    /// Stop these, all at once; the reply comes when nothing of them is left.
    Stop(Vec<String>),
    /// Stop everything in order, remove the folder, exit.
    Shutdown,
}

/// A program to start.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct StartSpec {
    /// What the trampoline gets.
    pub child: ChildSpec,
    /// Both output streams are appended here.
    pub log: PathBuf,
    /// Order of stopping: lower numbers first.
    pub rank: u8,
    /// How it is stopped; after the last step it is killed.
    pub stop: Vec<StopStep>,
    /// For `Run`: killed after this many milliseconds.
    pub deadline_ms: Option<u64>,
}

/// One step of stopping.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct StopStep {
    /// Signal number.
    pub signal: i32,
    /// Time until the next step, in milliseconds.
    pub patience_ms: u64,
}

/// What the trampoline does on its way to the program.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct ChildSpec {
    /// Name among the guard's children: `postgres`, `api-0`, …
    pub name: String,
    /// What it becomes.
    pub program: Program,
    /// Its whole environment.
    pub env: BTreeMap<String, String>,
    /// Working directory, by which stragglers are known.
    pub home: PathBuf,
    /// User and group to drop to; none where the runner is nobody special.
    pub user: Option<(u32, u32)>,
    /// Signal that it gets when the guard dies.
    pub death_signal: i32,
    /// Open files that it needs.
    pub open_files: u64,
    /// Processors that it keeps to; none named: all.
    #[serde(default)]
    pub processors: Vec<usize>,
    /// The guard's pid; filled in by the guard.
    #[serde(default)]
    pub guard: i32,
}

/// What a child becomes.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Program {
    /// Another program.
    Exec {
        /// The file.
        path: PathBuf,
        /// Its arguments.
        args: Vec<String>,
        /// Folders of its shared libraries, where it does not lie at its usual place.
        libraries: Vec<PathBuf>,
    },
    /// The API, in this very process: our own file may lie where the user cannot reach it.
    Api {
        /// File with an `ApiLaunch`.
        config: PathBuf,
    },
}

/// What the guard says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Event {
    /// The guard is up.
    Ready {
        /// Its pid.
        pid: u32,
    },
    /// A command is done.
    Reply {
        /// The command's number.
        id: u64,
        /// What came of it.
        result: Outcome,
    },
    /// A server ended without having been asked to.
    Exited(Exit),
}

/// What came of a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Outcome {
    /// Started.
    Started {
        /// Its pid.
        pid: u32,
    },
    /// Ran to its end.
    Finished(Exit),
    /// Nothing of it is left.
    Stopped {
        /// Names of those that had to be killed, and processes that were left over by others.
        forced: Vec<String>,
    },
    /// It could not be done.
    Failed {
        /// Why.
        reason: String,
    },
}

/// The end of a process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Exit {
    /// Name among the guard's children.
    pub name: String,
    /// Its pid.
    pub pid: u32,
    /// Exit status, if it exited.
    pub code: Option<i32>,
    /// Signal, if one ended it.
    pub signal: Option<i32>,
    /// Whether its deadline passed.
    #[serde(default)]
    pub late: bool,
}

impl Exit {
    /// Whether it ended as a program that did its work.
    pub(super) fn is_success(&self) -> bool {
        self.code == Some(0)
    }
}

impl std::fmt::Display for Exit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} (pid {}) ", self.name, self.pid)?;
        match (self.late, self.signal, self.code) {
            (true, ..) => f.write_str("ran over its deadline"),
            (_, Some(signal), _) => write!(f, "died (signal {signal})"),
            (_, None, Some(code)) => write!(f, "exited with status {code}"),
            (_, None, None) => f.write_str("ended"),
        }
    }
}
