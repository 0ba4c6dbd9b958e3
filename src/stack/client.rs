//! The runner's side of the guard: commands out, replies and news in, each with a deadline.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{ChildStdin, ChildStdout};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout;

use super::error::{StackError, environment};
use super::protocol::{Command, Event, Exit, GuardSpec, Order, Outcome, StartSpec};
use super::{identity, process};

/// For the guard to be up, and for replies that only take the guard's own time.
const PROMPT: Duration = Duration::from_secs(10);
/// For stopping everything; the guard's own bound is below it.
const GOODBYE: Duration = Duration::from_secs(15);
/// Most commands under way.
const QUEUE: usize = 64;
/// Most ends of servers that are remembered.
const MOST_EXITS: usize = 256;

/// The connection to the guard. When the last one is dropped, the guard stops everything.
#[derive(Clone)]
pub(super) struct GuardClient {
    commands: mpsc::Sender<Command>,
    shared: Arc<Shared>,
    pid: u32,
}

struct Shared {
    next: AtomicU64,
    waiting: Mutex<BTreeMap<u64, oneshot::Sender<Outcome>>>,
    exits: watch::Sender<Vec<Exit>>,
    lost: watch::Sender<bool>,
}

impl Shared {
    fn waiting(&self) -> std::sync::MutexGuard<'_, BTreeMap<u64, oneshot::Sender<Outcome>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The guard is gone: whoever waits hears it now.
    fn lose(&self) {
        self.lost.send_replace(true);
        self.waiting().clear();
    }
}

impl GuardClient {
    /// Starts the guard of a run and waits until it is up.
    pub(super) async fn start(
        program: Option<&Path>,
        spec: &GuardSpec,
        log: &Path,
    ) -> Result<Self, StackError> {
        let log = identity::append_private(log).map_err(|e| environment("the guard's log", e))?;
        let mut child = process::start_guard(program, spec, log)
            .map_err(|e| environment("cannot start the guard process", e))?;
        let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(StackError::Environment("the guard process has no pipes".into()));
        };
        let shared = Arc::new(Shared {
            next: AtomicU64::new(1),
            waiting: Mutex::new(BTreeMap::new()),
            exits: watch::Sender::new(Vec::new()),
            lost: watch::Sender::new(false),
        });
        let (commands, queue) = mpsc::channel(QUEUE);
        let (ready, up) = oneshot::channel();
        tokio::spawn(write_commands(stdin, queue));
        let reader = Arc::clone(&shared);
        tokio::spawn(async move {
            read_events(stdout, &reader, ready).await;
            reader.lose();
            // Only reaped here: how it ended matters to nobody.
            drop(child.wait().await);
        });
        match timeout(PROMPT, up).await {
            Ok(Ok(pid)) => Ok(Self { commands, shared, pid }),
            _ => Err(StackError::Environment("the guard process does not come up".into())),
        }
    }

    /// The guard's pid.
    pub(super) fn pid(&self) -> u32 {
        self.pid
    }

    /// Starts a server; gives its pid.
    pub(super) async fn start_server(&self, spec: StartSpec) -> Result<u32, StackError> {
        match self.call(Order::Start(spec), PROMPT).await? {
            Outcome::Started { pid } => Ok(pid),
            Outcome::Failed { reason } => Err(StackError::Provisioning(reason)),
            other => Err(unexpected(&other)),
        }
    }

    /// Runs a program to its end; past `deadline` the guard ends it.
    pub(super) async fn run(
        &self,
        mut spec: StartSpec,
        deadline: Duration,
    ) -> Result<Exit, StackError> {
        spec.deadline_ms = Some(u64::try_from(deadline.as_millis()).unwrap_or(u64::MAX));
        match self.call(Order::Run(spec), deadline + PROMPT).await? {
            Outcome::Finished(exit) => Ok(exit),
            Outcome::Failed { reason } => Err(StackError::Environment(reason)),
            other => Err(unexpected(&other)),
        }
    }

    /// Stops these and waits until nothing of them is left; gives those that had to be killed.
    pub(super) async fn stop(
        &self,
        names: Vec<String>,
        deadline: Duration,
    ) -> Result<Vec<String>, StackError> {
        match self.call(Order::Stop(names), deadline).await? {
            Outcome::Stopped { forced } => Ok(forced),
            other => Err(unexpected(&other)),
        }
    }

    /// Stops everything; the guard removes the run's folder (or keeps it) and exits.
    pub(super) async fn shutdown(&self) -> Result<(), StackError> {
        match self.call(Order::Shutdown, GOODBYE).await? {
            Outcome::Stopped { .. } => {}
            Outcome::Failed { reason } => return Err(StackError::Environment(reason)),
            other => return Err(unexpected(&other)),
        }
        let mut lost = self.shared.lost.subscribe();
        // It answers with its last breath; not hearing it breathe out is no mistake of the run.
        drop(timeout(PROMPT, lost.wait_for(|gone| *gone)).await);
        Ok(())
    }

    /// Waits until one of these servers has ended without having been asked to, or the guard is gone.
    pub(super) async fn unexpected_end(&self, pids: &[u32]) -> Result<Exit, StackError> {
        let mut exits = self.shared.exits.subscribe();
        let mut lost = self.shared.lost.subscribe();
        let ours = |seen: &Vec<Exit>| seen.iter().find(|e| pids.contains(&e.pid)).cloned();
        tokio::select! {
            seen = exits.wait_for(|seen| ours(seen).is_some()) => {
                seen.ok().and_then(|seen| ours(&seen)).ok_or_else(guard_lost)
            }
            _ = lost.wait_for(|gone| *gone) => Err(guard_lost()),
        }
    }

    async fn call(&self, order: Order, deadline: Duration) -> Result<Outcome, StackError> {
        let id = self.shared.next.fetch_add(1, Ordering::Relaxed);
        let (answer, reply) = oneshot::channel();
        self.shared.waiting().insert(id, answer);
        if *self.shared.lost.borrow() {
            self.shared.waiting().remove(&id);
            return Err(guard_lost());
        }
        let exchange = async {
            self.commands.send(Command { id, order }).await.map_err(|_| guard_lost())?;
            reply.await.map_err(|_| guard_lost())
        };
        if let Ok(result) = timeout(deadline, exchange).await {
            return result;
        }
        self.shared.waiting().remove(&id);
        let seconds = deadline.as_secs();
        Err(StackError::GuardLost(format!("the guard process has not answered for {seconds} s")))
    }
}

fn guard_lost() -> StackError {
    StackError::GuardLost("guard process lost: it was killed, and the servers ended with it".into())
}

fn unexpected(outcome: &Outcome) -> StackError {
    StackError::GuardLost(format!("the guard process answers strangely: {outcome:?}"))
}

async fn write_commands(mut stdin: ChildStdin, mut queue: mpsc::Receiver<Command>) {
    while let Some(command) = queue.recv().await {
        let Ok(mut line) = serde_json::to_vec(&command) else { continue };
        line.push(b'\n');
        if stdin.write_all(&line).await.is_err() {
            return;
        }
    }
}

async fn read_events(stdout: ChildStdout, shared: &Shared, ready: oneshot::Sender<u32>) {
    let mut ready = Some(ready);
    let mut lines = BufReader::new(stdout).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        match serde_json::from_str::<Event>(&line) {
            Ok(Event::Ready { pid }) => {
                if let Some(ready) = ready.take() {
                    ready.send(pid).ok();
                }
            }
            Ok(Event::Reply { id, result }) => {
                if let Some(answer) = shared.waiting().remove(&id) {
                    drop(answer.send(result));
                }
            }
            Ok(Event::Exited(exit)) => shared.exits.send_modify(|seen| {
                if seen.len() >= MOST_EXITS {
                    seen.remove(0);
                }
                seen.push(exit);
            }),
            Err(_) => return,
        }
    }
}
