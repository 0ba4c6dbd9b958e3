//! How long a request takes on each of three ways: to Nginx alone, to the API alone, and through both.
//!
//! Nginx' own timers tick in milliseconds, so its share is known by difference only. The three ways are gone in turn, one
//! request at a time, so that whatever else the machine does falls on all of them alike.

use std::path::PathBuf;

use anyhow::Context as _;
use tokio::sync::oneshot;
use tokio::time::Duration;

use super::answer::Body;
use super::check::{self, Judge};
use super::clock::{Clock, Waits};
use super::mould::{Ask, Extras, Mould};
use super::places::Part;
use super::run::{Job, on_a_thread};
use super::shots::{Shot, Shots};
use super::wire::{Door, Wire};
use crate::stats::FEWEST_ROUNDS;

/// More rounds would sharpen the means further than the trials agree with each other.
const MOST_ROUNDS: u64 = 500;
/// Slow requests make fewer rounds: about a second for each of the ways.
const MOST_TIME_NS: u64 = 3_000_000_000;
/// The requests are those of the check phase, from here on: no load has sent them, and the check itself sends fewer.
const FIRST: u64 = 1000;
/// However long the load's own timeout is.
const LONGEST: Duration = Duration::from_mins(2);

/// The ends of the ways.
#[derive(Debug, Clone)]
pub struct Paths {
    /// The API's own socket.
    pub api: PathBuf,
    /// A path that Nginx answers by itself, with status 200.
    pub nginx: String,
}

/// Sums over rounds, each of one request on each way.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PathTimes {
    /// Whole rounds that are in the sums; the first round of all opens the connections and is not among them.
    pub rounds: u64,
    /// From sent to answered, to Nginx alone.
    pub nginx_ns: u64,
    /// To the API alone.
    pub api_ns: u64,
    /// Through Nginx to the API.
    pub whole_ns: u64,
    /// Requests sent to Nginx alone, in any round.
    pub nginx_sent: u64,
    /// Requests sent to the API alone.
    pub api_sent: u64,
    /// Requests sent through both.
    pub whole_sent: u64,
    /// Why it ended early, if it did: the last request has failed.
    pub fault: Option<PathFault>,
}

/// What went wrong on one of the ways.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PathFault {
    /// An answer came, and it is not the right one.
    Wrong(String),
    /// No answer came.
    Unanswered(String),
}

/// One of the ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Nginx,
    Api,
    Whole,
}

/// Times the requests of a job on the three ways, one at a time, for 500 rounds or three seconds.
///
/// # Errors
///
/// If the requests cannot be prepared, or the thread cannot be started. A server that fails is no error here: see
/// [`PathTimes::fault`].
pub async fn time_paths(job: Job, paths: Paths) -> anyhow::Result<PathTimes> {
    let (answer, times) = oneshot::channel::<anyhow::Result<PathTimes>>();
    on_a_thread(&job.processors.clone(), move |runtime| {
        let all = async {
            let doors = [Door::Tcp(job.address), Door::Unix(paths.api), Door::Tcp(job.address)];
            let mut walker = Walker::new(&job, paths.nginx, doors)?;
            while !answer.is_closed() && walker.has_time() {
                walker.round().await;
            }
            Ok(walker.times)
        };
        let times = runtime.and_then(|runtime| runtime.block_on(all));
        drop(answer.send(times));
    })?;
    times.await.context("the thread that times the paths ended without an answer")?
}

/// Whether at the pace so far enough rounds for a mean fit into the time: where they do not, none is spent on them. The
/// first round is slower than others, so it may take twice its share.
fn in_time(passed_ns: u64, rounds: u64) -> bool {
    passed_ns / rounds < 2 * MOST_TIME_NS / FEWEST_ROUNDS
}

/// Goes the ways, on a connection for each.
struct Walker<'a> {
    job: &'a Job,
    shots: Shots,
    moulds: Vec<Mould>,
    nginx: (Mould, String),
    doors: [Door; 3],
    wires: [Wire; 3],
    clock: Clock,
    round: u64,
    times: PathTimes,
}

impl<'a> Walker<'a> {
    fn new(job: &'a Job, nginx: String, doors: [Door; 3]) -> anyhow::Result<Self> {
        let host = job.address.to_string();
        let mould = |target| Mould::of(target, &host, &Extras::default(), Judge::Plan);
        Ok(Self {
            job,
            shots: Shots::new(&job.plan, &job.tables, job.data_seed, job.params_seed)?,
            moulds: job.plan.targets.iter().map(mould).collect(),
            nginx: (Mould::new("GET", &host, Body::Kept), nginx),
            doors,
            wires: Default::default(),
            clock: Clock::start(Waits::Kernel),
            round: 0,
            times: PathTimes::default(),
        })
    }

    fn has_time(&self) -> bool {
        self.times.fault.is_none()
            && self.times.rounds < MOST_ROUNDS
            && self.clock.now() < MOST_TIME_NS
            && (self.round == 0 || in_time(self.clock.now(), self.round))
    }

    /// One request on each way. API and whole way are asked for the same, so who goes first finds a cache less warm:
    /// they take turns.
    async fn round(&mut self) {
        let shot = self.shots.draw(Part::Check, FIRST + self.round);
        let order = if self.round.is_multiple_of(2) {
            [Way::Nginx, Way::Api, Way::Whole]
        } else {
            [Way::Nginx, Way::Whole, Way::Api]
        };
        let mut took = [0; 3];
        for way in order {
            match self.go(way, &shot).await {
                Ok(ns) => took[way as usize] = ns,
                Err(fault) => {
                    self.times.fault = Some(fault);
                    return;
                }
            }
        }
        if self.round > 0 {
            self.times.rounds += 1;
            self.times.nginx_ns += took[Way::Nginx as usize];
            self.times.api_ns += took[Way::Api as usize];
            self.times.whole_ns += took[Way::Whole as usize];
        }
        self.round += 1;
    }

    /// Nanoseconds from sent to answered.
    async fn go(&mut self, way: Way, shot: &Shot) -> Result<u64, PathFault> {
        let times = &mut self.times;
        match way {
            Way::Nginx => times.nginx_sent += 1,
            Way::Api => times.api_sent += 1,
            Way::Whole => times.whole_sent += 1,
        }
        let target = &self.job.plan.targets[shot.target];
        let ask = match way {
            Way::Nginx => Ask::plain(&self.nginx.0, &self.nginx.1),
            Way::Api | Way::Whole => shot.ask(&self.moulds[shot.target], target),
        };
        let timeout = Duration::from_nanos(self.job.plan.timeout_ns).min(LONGEST);
        let deadline = tokio::time::Instant::now() + timeout;
        let (wire, door) = (&mut self.wires[way as usize], &self.doors[way as usize]);
        let answer = wire.exchange_until(deadline, door, ask, &self.clock, &mut 0).await;
        let shown = check::shown(ask.uri.as_bytes());
        let answer =
            answer.map_err(|fault| PathFault::Unanswered(format!("{shown}: {}", fault.word())))?;
        let inbox = &wire.inbox;
        let wrong = match way {
            Way::Nginx => (inbox.status != 200).then(|| format!("status {}", inbox.status)),
            Way::Api | Way::Whole => {
                if inbox.status == target.check.status {
                    wire.wrong(target, &shot.params)
                } else {
                    Some(format!("status {}", inbox.status))
                }
            }
        };
        match wrong {
            Some(what) if inbox.status < 500 => Err(PathFault::Wrong(format!("{shown}: {what}"))),
            Some(what) => Err(PathFault::Unanswered(format!("{shown}: {what}"))),
            None => Ok(answer.done_ns.saturating_sub(answer.sent_ns)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ways_that_are_too_slow_for_a_mean_are_left_after_a_round() {
        let share_ns = MOST_TIME_NS / FEWEST_ROUNDS;
        assert!(in_time(share_ns, 1) && in_time(share_ns * 7, 7));
        assert!(!in_time(share_ns * 2, 1) && !in_time(share_ns * 14, 7));
    }
}
