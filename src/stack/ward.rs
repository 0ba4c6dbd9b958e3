//! A child of the guard and the steps by which it is stopped; and what is left over when its first process is gone.

use std::collections::{BTreeMap, VecDeque};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::Instant;

use super::procs;
use super::protocol::{StartSpec, StopStep};

/// SIGKILL.
const KILL: i32 = 9;
/// Time for the helpers of a server that is gone to end by themselves.
const GRACE: Duration = Duration::from_millis(300);
/// After it a stop is answered whatever is left: an unkillable process must not hold everybody up.
const LONGEST_SWEEP: Duration = Duration::from_secs(5);
/// Patience with any single step when the runner is gone; Postgres gets more for its shutdown checkpoint.
const HURRIED: Duration = Duration::from_millis(800);
/// Patience with a step that asks for more than the ordinary.
const HURRIED_LONG: Duration = Duration::from_millis(3500);

/// A child of the guard.
pub(super) struct Ward {
    /// Its name.
    pub name: String,
    /// Order of stopping.
    pub rank: u8,
    /// Its working directory.
    pub home: PathBuf,
    /// The command that its end answers.
    pub job: Option<u64>,
    /// Readable when it has ended.
    pub pidfd: Option<OwnedFd>,
    plan: VecDeque<StopStep>,
    state: State,
}

/// How far it is.
enum State {
    /// Runs; a job has a deadline.
    Running(Option<Instant>),
    /// Has been asked to stop; the next step is due then, and steps are cut short by the last instant.
    Stopping { next: Instant, hurry: Option<Instant>, late: bool },
}

impl Ward {
    pub(super) fn new(
        spec: StartSpec,
        job: Option<u64>,
        pidfd: Option<OwnedFd>,
        now: Instant,
    ) -> Self {
        let deadline = spec.deadline_ms.map(|ms| now + Duration::from_millis(ms));
        Self {
            name: spec.child.name,
            rank: spec.rank,
            home: spec.child.home,
            job,
            pidfd,
            plan: spec.stop.into(),
            state: State::Running(deadline),
        }
    }

    /// When `step` has something to do.
    pub(super) fn next_step(&self) -> Option<Instant> {
        match self.state {
            State::Running(deadline) => deadline,
            State::Stopping { next, .. } => Some(next),
        }
    }

    pub(super) fn is_stopping(&self) -> bool {
        matches!(self.state, State::Stopping { .. })
    }

    /// Whether it is being stopped because its deadline passed.
    pub(super) fn is_late(&self) -> bool {
        matches!(self.state, State::Stopping { late: true, .. })
    }

    /// Begins to stop it. With `hurry`, each step gets little time and the kill comes at that instant.
    pub(super) fn ask_to_stop(&mut self, now: Instant, hurry: Option<Instant>) {
        match &mut self.state {
            State::Running(_) => self.state = State::Stopping { next: now, hurry, late: false },
            State::Stopping { next, hurry: h, .. } if hurry.is_some() && h.is_none() => {
                *h = hurry;
                *next = (*next).min(now + HURRIED);
            }
            State::Stopping { .. } => {}
        }
    }

    /// Takes the step that is due; tells whether that was the kill.
    pub(super) fn step(&mut self, pid: i32, now: Instant) -> bool {
        if let State::Running(Some(deadline)) = self.state
            && now >= deadline
        {
            self.state = State::Stopping { next: now, hurry: None, late: true };
        }
        let State::Stopping { next, hurry, .. } = &mut self.state else { return false };
        let over = hurry.is_some_and(|h| now >= h);
        if now < *next && !over {
            return false;
        }
        let step = if over { None } else { self.plan.pop_front() };
        let Some(step) = step else {
            *next = now + Duration::from_millis(200);
            kill_with_helpers(pid, &self.home);
            return true;
        };
        procs::signal(pid, step.signal);
        let patience = Duration::from_millis(step.patience_ms);
        let limit = if patience >= Duration::from_secs(5) { HURRIED_LONG } else { HURRIED };
        *next = now + if hurry.is_some() { patience.min(limit) } else { patience };
        false
    }
}

/// A killed Postgres leaves its backends behind, so they go first and together with it.
fn kill_with_helpers(pid: i32, home: &Path) {
    let everybody = procs::all();
    for helper in procs::descendants(pid, &everybody) {
        if procs::works_in(helper, home) {
            procs::signal(helper, KILL);
        }
    }
    procs::signal(pid, KILL);
}

/// A stop that has not been answered yet, or the sweeping up behind a server that died.
pub(super) struct Ending {
    /// The command; none for a sweep.
    pub id: Option<u64>,
    /// Who is to be gone.
    pub names: Vec<String>,
    /// Where nobody may be left.
    pub homes: Vec<PathBuf>,
    /// Who had to be killed.
    pub forced: Vec<String>,
    /// Since when the first processes have been gone; before that, since the beginning.
    pub since: Instant,
}

impl Ending {
    /// The sweeping up behind a server that died.
    pub(super) fn sweep(home: PathBuf, now: Instant) -> Self {
        Self { id: None, names: Vec::new(), homes: vec![home], forced: Vec::new(), since: now }
    }

    /// Remembers which of these were among those that were asked to stop.
    pub(super) fn note_killed(&mut self, killed: &[String]) {
        for name in killed {
            if self.names.contains(name) && !self.forced.contains(name) {
                self.forced.push(name.clone());
            }
        }
    }

    /// Whether nothing is left; kills stragglers once they have had their time.
    pub(super) fn is_over(&mut self, wards: &BTreeMap<i32, Ward>, now: Instant) -> bool {
        if wards.values().any(|w| self.names.contains(&w.name)) {
            self.since = now;
            return false;
        }
        let left: Vec<i32> = self.homes.iter().flat_map(|h| stragglers(h, wards)).collect();
        if left.is_empty() || now > self.since + LONGEST_SWEEP {
            return true;
        }
        if now > self.since + GRACE {
            for pid in left {
                procs::signal(pid, KILL);
                let mark = format!("straggler {pid}");
                if !self.forced.contains(&mark) {
                    self.forced.push(mark);
                }
            }
        }
        false
    }
}

/// Our descendants that work in this folder and are nobody whom we started by name.
pub(super) fn stragglers(home: &Path, wards: &BTreeMap<i32, Ward>) -> Vec<i32> {
    let me = i32::try_from(std::process::id()).unwrap_or_default();
    let everybody = procs::all();
    let named_and_below: std::collections::BTreeSet<i32> = wards
        .keys()
        .flat_map(|pid| {
            let mut family = procs::descendants(*pid, &everybody);
            family.insert(*pid);
            family
        })
        .collect();
    procs::descendants(me, &everybody)
        .into_iter()
        .filter(|pid| !named_and_below.contains(pid) && procs::works_in(*pid, home))
        .collect()
}
