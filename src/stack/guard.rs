//! The guard: `querylab __guard`. Parent and subreaper of every server, in a session of its own, so that neither the
//! end of the runner (by whatever means: its end of our standard input closes) nor Ctrl-C leaves anything behind.
//!
//! One thread: the death signal of a child is tied to the thread that started it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, WaitOptions, WaitStatus, pidfd_open, waitpid};
use tokio::time::Instant;

use super::janitor::remove_scratch;
use super::protocol::{
    Command, Event, Exit, GuardSpec, Keep, LONGEST_LINE, Order, Outcome, StartSpec,
};
use super::ward::{Ending, Ward, stragglers};
use super::{identity, process, procs};

/// The longest that the loop sleeps: adopted orphans are reaped at least this often.
const IDLE: Duration = Duration::from_secs(1);
/// While something is being stopped, or where the kernel has no descriptors for processes.
const BUSY: Duration = Duration::from_millis(20);
/// All of stopping after the runner is gone; then whoever is left is killed.
const LAST_CALL: Duration = Duration::from_secs(8);

/// Runs `querylab __guard SPEC`; `args` are the arguments after the verb.
pub fn guard_main(args: &[String]) -> ExitCode {
    let Some(spec) = args.first().and_then(|text| serde_json::from_str::<GuardSpec>(text).ok())
    else {
        complain("is started by querylab only, not by people");
        return ExitCode::from(2);
    };
    match Guard::establish(spec) {
        Ok(mut guard) => guard.watch(),
        Err(error) => {
            complain(&format!("cannot guard: {error}"));
            ExitCode::from(3)
        }
    }
}

fn complain(what: &str) {
    // The guard's log is a help for people; without it the work is done all the same.
    drop(writeln!(std::io::stderr(), "querylab __guard: {what}"));
}

/// The guard's whole state.
struct Guard {
    spec: GuardSpec,
    /// Held until the end.
    _mark: File,
    wards: BTreeMap<i32, Ward>,
    /// Where each server works or has worked: a dead one may have left helpers behind.
    homes: BTreeMap<String, PathBuf>,
    /// `Stop` commands that are not answered yet.
    stops: Vec<Ending>,
    input: Vec<u8>,
    /// The reply to a shutdown.
    farewell: Option<u64>,
}

impl Guard {
    fn establish(spec: GuardSpec) -> std::io::Result<Self> {
        rustix::process::setsid()?;
        // Any process of our own serves as the mark "yes".
        rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
        rustix::thread::set_name(c"querylab-guard").ok();
        let mark = identity::add_guard(&spec.scratch)?;
        let guard = Self {
            spec,
            _mark: mark,
            wards: BTreeMap::new(),
            homes: BTreeMap::new(),
            stops: Vec::new(),
            input: Vec::new(),
            farewell: None,
        };
        Self::say(&Event::Ready { pid: std::process::id() });
        Ok(guard)
    }

    /// A runner that no longer listens is found by its closed pipe, not here.
    fn say(event: &Event) {
        if let Ok(mut line) = serde_json::to_vec(event) {
            line.push(b'\n');
            let mut out = std::io::stdout().lock();
            drop(out.write_all(&line).and_then(|()| out.flush()));
        }
    }

    fn reply(id: u64, result: Outcome) {
        Self::say(&Event::Reply { id, result });
    }

    fn watch(&mut self) -> ExitCode {
        loop {
            let readable = self.sleep(true);
            if readable && !self.listen() {
                break;
            }
            if self.farewell.is_some() {
                break;
            }
            self.turn();
        }
        self.end()
    }

    /// Sleeps until a command, the end of a child, or the next step of stopping; tells whether input waits.
    fn sleep(&self, listening: bool) -> bool {
        let timeout = self.patience();
        let stdin = std::io::stdin();
        let pidfds: Vec<&OwnedFd> = self.wards.values().filter_map(|w| w.pidfd.as_ref()).collect();
        let mut fds: Vec<PollFd<'_>> =
            pidfds.iter().map(|fd| PollFd::new(*fd, PollFlags::IN)).collect();
        if listening {
            fds.push(PollFd::new(&stdin, PollFlags::IN));
        }
        let timeout = Timespec {
            tv_sec: i64::try_from(timeout.as_secs()).unwrap_or(1),
            tv_nsec: i64::from(timeout.subsec_nanos()),
        };
        poll(&mut fds, Some(&timeout)).ok();
        listening && fds.last().is_some_and(|fd| !fd.revents().is_empty())
    }

    fn patience(&self) -> Duration {
        let blind = self.wards.values().any(|w| w.pidfd.is_none());
        if blind || !self.stops.is_empty() {
            return BUSY;
        }
        let now = Instant::now();
        let next = self.wards.values().filter_map(Ward::next_step).min();
        next.map_or(IDLE, |at| at.saturating_duration_since(now).min(IDLE))
    }

    /// Reads what is there; false when the runner is gone.
    fn listen(&mut self) -> bool {
        let mut buffer = vec![0_u8; 65_536];
        match rustix::io::read(std::io::stdin(), &mut buffer[..]) {
            Ok(0) => return false,
            Ok(n) => self.input.extend_from_slice(&buffer[..n]),
            Err(rustix::io::Errno::INTR | rustix::io::Errno::AGAIN) => return true,
            Err(_) => return false,
        }
        while let Some(end) = self.input.iter().position(|b| *b == b'\n') {
            let line: Vec<u8> = self.input.drain(..=end).collect();
            match serde_json::from_slice::<Command>(&line) {
                Ok(command) => self.obey(command),
                Err(error) => complain(&format!("not a command: {error}")),
            }
        }
        self.input.len() <= LONGEST_LINE
    }

    fn obey(&mut self, command: Command) {
        let id = command.id;
        match command.order {
            Order::Start(spec) => match self.start(spec, None) {
                Ok(pid) => Self::reply(id, Outcome::Started { pid }),
                Err(reason) => Self::reply(id, Outcome::Failed { reason }),
            },
            Order::Run(spec) => {
                if let Err(reason) = self.start(spec, Some(id)) {
                    Self::reply(id, Outcome::Failed { reason });
                }
            }
            Order::Stop(names) => self.stop(id, names),
            Order::Shutdown => self.farewell = Some(id),
        }
    }

    /// Starts a child; `job` is the command that its end answers.
    fn start(&mut self, spec: StartSpec, job: Option<u64>) -> Result<u32, String> {
        let name = spec.child.name.clone();
        if self.wards.values().any(|w| w.name == name) {
            return Err(format!("{name} is running already"));
        }
        for pid in stragglers(&spec.child.home, &self.wards) {
            procs::signal(pid, KILL);
        }
        let log = identity::append_private(&spec.log)
            .map_err(|e| format!("cannot write {}: {e}", spec.log.display()))?;
        let mut child = spec.child.clone();
        child.guard = i32::try_from(std::process::id()).unwrap_or_default();
        let pid = process::start_child(&child, log).map_err(|e| format!("{name}: {e}"))?;
        let raw = i32::try_from(pid).map_err(|e| e.to_string())?;
        let pidfd = Pid::from_raw(raw).and_then(|p| pidfd_open(p, PidfdFlags::empty()).ok());
        if job.is_none() {
            self.homes.insert(name, spec.child.home.clone());
        }
        self.wards.insert(raw, Ward::new(spec, job, pidfd, Instant::now()));
        Ok(pid)
    }

    fn stop(&mut self, id: u64, names: Vec<String>) {
        let now = Instant::now();
        for ward in self.wards.values_mut().filter(|w| names.contains(&w.name)) {
            ward.ask_to_stop(now, None);
        }
        let homes = names.iter().filter_map(|n| self.homes.get(n).cloned()).collect();
        self.stops.push(Ending { id: Some(id), names, homes, forced: Vec::new(), since: now });
    }

    /// One turn: reap, take the next steps of stopping, answer what is done.
    fn turn(&mut self) {
        self.reap();
        let now = Instant::now();
        let mut killed = Vec::new();
        for (pid, ward) in &mut self.wards {
            if ward.step(*pid, now) {
                killed.push(ward.name.clone());
            }
        }
        let mut stops = std::mem::take(&mut self.stops);
        stops.retain_mut(|ending| {
            ending.note_killed(&killed);
            if !ending.is_over(&self.wards, now) {
                return true;
            }
            if let Some(id) = ending.id {
                Self::reply(id, Outcome::Stopped { forced: std::mem::take(&mut ending.forced) });
            }
            false
        });
        self.stops = stops;
    }

    fn reap(&mut self) {
        while let Ok(Some((pid, status))) = waitpid(None, WaitOptions::NOHANG) {
            let pid = pid.as_raw_nonzero().get();
            // Not one of ours by name: an orphan of a server that we adopted.
            let Some(ward) = self.wards.remove(&pid) else { continue };
            let exit = exit_of(&ward, pid, status);
            match ward.job {
                Some(id) => Self::reply(id, Outcome::Finished(exit)),
                None if ward.is_stopping() => {}
                None => {
                    complain(&exit.to_string());
                    Self::say(&Event::Exited(exit));
                    self.stops.push(Ending::sweep(ward.home, Instant::now()));
                }
            }
        }
    }

    /// Stops all in order, kills whoever is left, removes the folder. Nothing in here waits without end.
    fn end(&mut self) -> ExitCode {
        let last_call = Instant::now() + LAST_CALL;
        while let Some(rank) = self.wards.values().map(|w| w.rank).min() {
            let now = Instant::now();
            for ward in self.wards.values_mut().filter(|w| w.rank == rank) {
                ward.ask_to_stop(now, Some(last_call));
            }
            while self.wards.values().any(|w| w.rank == rank) {
                self.sleep(false);
                self.turn();
            }
        }
        let left = self.kill_the_rest();
        let removed = match self.spec.keep {
            Keep::Everything => Ok(()),
            Keep::Nothing => remove_scratch(&self.spec.scratch),
        };
        let result = match (&removed, left) {
            (Err(error), _) => Outcome::Failed { reason: format!("cannot clean up: {error}") },
            (Ok(()), 0) => Outcome::Stopped { forced: Vec::new() },
            (Ok(()), n) => Outcome::Failed { reason: format!("{n} processes do not end") },
        };
        if let Some(id) = self.farewell {
            Self::reply(id, result);
        }
        if removed.is_ok() && left == 0 { ExitCode::SUCCESS } else { ExitCode::from(3) }
    }

    /// As the subreaper we are the ancestor of whatever was started, so this finds all of it and nobody else.
    fn kill_the_rest(&mut self) -> usize {
        let me = i32::try_from(std::process::id()).unwrap_or_default();
        let until = Instant::now() + Duration::from_secs(1);
        loop {
            self.reap();
            let left = procs::descendants(me, &procs::all());
            if left.is_empty() || Instant::now() > until {
                return left.len();
            }
            for pid in &left {
                procs::signal(*pid, KILL);
            }
            poll(&mut [], Some(&Timespec { tv_sec: 0, tv_nsec: 10_000_000 })).ok();
        }
    }
}

/// SIGKILL.
const KILL: i32 = 9;

fn exit_of(ward: &Ward, pid: i32, status: WaitStatus) -> Exit {
    Exit {
        name: ward.name.clone(),
        pid: u32::try_from(pid).unwrap_or_default(),
        code: status.exit_status(),
        signal: status.terminating_signal(),
        late: ward.is_late(),
    }
}
