//! What the parts of a session have in common: the workshop, the programs that were found, the passwords.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::error::{StackError, environment};
use super::external::External;
use super::find::Found;
use super::identity;
use super::locate::Part;
use super::protocol::{Exit, Program, StartSpec, StopStep};
use super::scratch::random_hex;
use super::workshop::{Workshop, last_lines, tail};

/// Lines of a server's log in an error.
const LOG_LINES: usize = 12;
/// For stopping servers one by one; the steps of all of them are shorter.
pub(super) const STOPPING: Duration = Duration::from_secs(30);

/// Shared by everything that a session hands out.
pub(super) struct Shared {
    /// Folder and guard.
    pub workshop: Workshop,
    /// The programs.
    pub programs: BTreeMap<Part, Found>,
    /// The passwords.
    pub secrets: Secrets,
    /// Somebody else's Postgres, in place of a cluster of ours.
    pub external: Option<External>,
    /// What the compiler was told when the cluster's Postgres was built, once it was asked.
    pub compiled_with: OnceLock<String>,
}

/// Passwords of one session, 32 hex digits each; they go into private files and addresses only.
#[derive(Serialize, Deserialize)]
pub(super) struct Secrets {
    /// Of the cluster's owner.
    pub admin: String,
    /// Of the role that the API and the experiment's SQL use.
    pub app: String,
    /// Of Redis; not kept with a cluster.
    #[serde(skip)]
    pub redis: String,
}

impl Secrets {
    pub(super) fn new() -> Result<Self, StackError> {
        Ok(Self { admin: random_hex(16)?, app: random_hex(16)?, redis: random_hex(16)? })
    }

    /// Those of a cluster that was kept. Redis has none of it, so its own is new.
    pub(super) fn kept(file: &Path) -> Result<Self, StackError> {
        let what = || format!("the passwords of kept data ({})", file.display());
        let opened = identity::open_own(file).map_err(|e| environment(&what(), e))?;
        let kept: Self = serde_json::from_reader(opened).map_err(|e| environment(&what(), e))?;
        let is_ours = |text: &str| text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit());
        if !is_ours(&kept.admin) || !is_ours(&kept.app) {
            return Err(environment(&what(), "they are none of ours"));
        }
        Ok(Self { redis: random_hex(16)?, ..kept })
    }

    /// Writes those of the cluster to a new file that only we can read.
    pub(super) fn keep(&self, file: &Path) -> Result<(), StackError> {
        let what = || format!("cannot write {}", file.display());
        let text = serde_json::to_vec(self).map_err(|e| environment(&what(), e))?;
        let written = identity::append_private(file).and_then(|mut f| f.write_all(&text));
        written.map_err(|e| environment(&what(), e))
    }
}

/// Where in memory and on which processors servers run: a trial's own circumstances.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Place {
    /// Bytes that the environment of the API is padded with, which moves where its stack begins.
    pub padding_bytes: usize,
    /// Processors that all servers keep to; none named: they go where the kernel puts them.
    pub processors: Vec<usize>,
}

impl Place {
    /// The same processors, nothing padded.
    pub(super) fn unpadded(&self) -> Self {
        Self { padding_bytes: 0, processors: self.processors.clone() }
    }
}

/// A server to start.
pub(super) struct Server {
    /// Its name.
    pub name: String,
    /// What it becomes.
    pub program: Program,
    /// Its working folder.
    pub home: PathBuf,
    /// Bytes that its environment is padded with, and its processors.
    pub place: Place,
    /// What the death of the guard does to it.
    pub death_signal: i32,
    /// Open files.
    pub open_files: u64,
    /// Order of stopping.
    pub rank: u8,
    /// How it is stopped.
    pub stop: &'static [StopStep],
}

/// A server that runs.
#[derive(Debug, Clone)]
pub(super) struct Running {
    /// Its name.
    pub name: String,
    /// Its first process.
    pub pid: u32,
}

impl Shared {
    /// The program of a part; it was found when the session was opened.
    pub(super) fn program(&self, part: Part) -> Result<&Found, StackError> {
        self.programs.get(&part).ok_or_else(|| {
            let name = part.name();
            StackError::Environment(format!("{name} is needed, but the session was opened without"))
        })
    }

    /// Where a server's output goes.
    pub(super) fn log(&self, name: &str) -> PathBuf {
        self.workshop.scratch.logs.join(format!("{name}.log"))
    }

    /// Starts a server.
    pub(super) async fn start(&self, server: Server) -> Result<Running, StackError> {
        let user = self.workshop.identity.target();
        let mut child = Workshop::child(&server.name, server.program, server.home, user);
        child.death_signal = server.death_signal;
        child.open_files = server.open_files;
        child.processors = server.place.processors;
        if server.place.padding_bytes > 0 {
            child.env.insert("PADDING".into(), "x".repeat(server.place.padding_bytes));
        }
        let spec = StartSpec {
            child,
            log: self.log(&server.name),
            rank: server.rank,
            stop: server.stop.to_vec(),
            deadline_ms: None,
        };
        let pid = self.workshop.guard.start_server(spec).await?;
        Ok(Running { name: server.name, pid })
    }

    /// Repeats `attempt` until it succeeds, the server ends, or the deadline is over.
    pub(super) async fn until_ready<T, E: std::fmt::Display>(
        &self,
        server: &Running,
        deadline: Duration,
        attempt: impl AsyncFn() -> Result<T, E>,
    ) -> Result<T, StackError> {
        let mut last = String::from("it was not asked yet");
        let trying = async {
            loop {
                match attempt().await {
                    Ok(value) => return value,
                    Err(error) => last = error.to_string(),
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let pids = [server.pid];
        let ended = tokio::select! {
            ready = tokio::time::timeout(deadline, trying) => match ready {
                Ok(value) => return Ok(value),
                Err(_) => None,
            },
            exit = self.workshop.guard.unexpected_end(&pids) => Some(exit?),
        };
        Err(ended.map_or_else(
            || self.not_ready(server, deadline, &last),
            |exit| self.failed_to_start(&exit),
        ))
    }

    fn not_ready(&self, server: &Running, deadline: Duration, last: &str) -> StackError {
        let log = tail(&self.log(&server.name));
        StackError::Provisioning(format!(
            "{} not ready after {} s: {last}\n  its last words:{}",
            server.name,
            deadline.as_secs(),
            last_lines(&log, LOG_LINES)
        ))
    }

    /// The message for a server that ended while it started: its own fatal lines first.
    pub(super) fn failed_to_start(&self, exit: &Exit) -> StackError {
        let log = tail(&self.log(&exit.name));
        let fatal: Vec<&str> = log
            .lines()
            .filter(|l| {
                ["FATAL", "PANIC", "invalid value", "unrecognized", "HINT", "[emerg]", "error:"]
                    .iter()
                    .any(|mark| l.contains(mark))
            })
            .collect();
        let from = fatal.len().saturating_sub(4);
        let shown: String =
            fatal[from..].iter().fold(String::new(), |text, line| text + "\n  " + line);
        let key = blamed_setting(&log)
            .map(|name| {
                format!("\n  the setting is services.{}.settings.{name}", part_of(&exit.name))
            })
            .unwrap_or_default();
        StackError::Provisioning(format!(
            "{exit} while it started{shown}{key}\n  its last words:{}",
            last_lines(&log, LOG_LINES)
        ))
    }

    /// Waits until one of these ends without having been asked to; tells it in words, with the log's tail.
    pub(super) async fn died(&self, servers: &[Running]) -> String {
        let pids: Vec<u32> = servers.iter().map(|s| s.pid).collect();
        match self.workshop.guard.unexpected_end(&pids).await {
            Ok(exit) => {
                let log = tail(&self.log(&exit.name));
                format!("{exit}\n  its last words:{}", last_lines(&log, LOG_LINES))
            }
            Err(error) => error.text().to_owned(),
        }
    }

    /// Stops these, all at once, and waits until nothing is left of them.
    pub(super) async fn stop(&self, servers: &[Running]) -> Result<(), StackError> {
        let names = servers.iter().map(|s| s.name.clone()).collect();
        self.workshop.guard.stop(names, STOPPING).await.map(drop)
    }
}

fn part_of(server: &str) -> &str {
    server.split('-').next().unwrap_or(server)
}

/// The setting that Postgres' or Redis' log blames.
fn blamed_setting(log: &str) -> Option<&str> {
    let after = |mark: &str| log.rfind(mark).and_then(|at| log.get(at + mark.len()..));
    if let Some(rest) = after("configuration parameter \"").or_else(|| after("parameter \"")) {
        return rest.split('"').next();
    }
    // Redis quotes the line: >>> 'maxmemory "lots"'
    after(">>> '")?.split([' ', '\'']).next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_blamed_setting_is_read_from_the_servers_own_words() {
        let pg = "LOG:  invalid value for parameter \"shared_buffers\": \"999TB\"\nFATAL: …";
        assert_eq!(blamed_setting(pg), Some("shared_buffers"));
        let typo = "LOG:  unrecognized configuration parameter \"wrk_mem\" in file \"/x\" line 3";
        assert_eq!(blamed_setting(typo), Some("wrk_mem"));
        let redis = "*** FATAL CONFIG FILE ERROR (Redis 7.0.15) ***\n>>> 'maxmemory \"lots\"'\n";
        assert_eq!(blamed_setting(redis), Some("maxmemory"));
        assert_eq!(blamed_setting("LOG: all is well"), None);
    }
}
