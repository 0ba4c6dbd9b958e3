//! The one request loop: who sends next, on which connection, and what came of it.
//!
//! All of it runs on one thread. A closed load is users, each with a connection of its own; an open one is a
//! dispatcher that hands each arrival to an idle connection (`senders`). Both end in [`Engine::shoot`].

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use tokio::sync::Notify;
use tokio::time::Duration;

use super::ahead::Ahead;
use super::check::{self, Judge, Wrong};
use super::clock::Clock;
use super::fault::Fault;
use super::ledger::{Answered, Ledger, Sample};
use super::mould::{Extras, Mould};
use super::places::Part;
use super::shots::{Shot, Shots};
use super::steps::StepBooks;
use super::versions::{Age, Versions};
use super::wire::{Door, Wire};
use crate::plan::{LoadPlan, TargetPlan};

/// Idle connections that an open load keeps in hand, so that a burst does not pay for opening them.
const IN_HAND: usize = 4;

/// What the load is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    /// Requests before the load, one by one.
    Check,
    /// Filling the cache.
    Fill,
    /// The cell's own arrivals, not measured yet.
    Warmup,
    /// Between two rates of a search: nothing is sent.
    Rest,
    /// A rate of a search.
    Step(Step),
    /// Measured, from and until these times.
    Window(u64, u64),
    /// Nothing more is sent.
    Over,
}

/// The times of one rate of a search, in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Step {
    /// Its first arrival is after this.
    pub(super) start: u64,
    /// What is due from now on is judged.
    pub(super) judged: u64,
    /// Nothing is due any more.
    pub(super) end: u64,
}

/// One request to be sent.
pub(super) struct Order {
    pub(super) due_ns: u64,
    pub(super) part: Part,
    /// When the generator took it up: later than due by its own fault alone.
    taken_ns: u64,
    pub(super) in_window: bool,
    /// Whether the step of a search is judged by it.
    pub(super) in_step: bool,
    shot: Shot,
}

/// Bounds of an open load.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// Connections in use.
    pub(super) busy: u32,
    /// Arrivals that wait for one.
    pub(super) waiting: usize,
}

/// The load generator.
pub(super) struct Engine {
    pub(super) plan: LoadPlan,
    pub(super) clock: Clock,
    pub(super) ledger: RefCell<Ledger>,
    pub(super) phase: Cell<Phase>,
    /// Wakes those who wait for a time that has lost its meaning.
    pub(super) turned: Notify,
    /// Of the rate that is being judged.
    pub(super) step: RefCell<StepBooks>,
    pub(super) arrivals_seed: u64,
    pub(super) ahead: Ahead,
    door: Door,
    /// One for each target.
    moulds: Vec<Mould>,
    judge: Judge,
    versions: RefCell<Versions>,
    idle: RefCell<Vec<Wire>>,
    /// Connections in use; idle ones are not among them.
    pub(super) busy: Cell<u32>,
    pub(super) bounds: Bounds,
    /// Arrivals that wait for a connection, in the order in which they were due.
    pub(super) waiting: RefCell<VecDeque<Order>>,
    opening: Cell<bool>,
}

impl Engine {
    /// An engine with no connection yet.
    pub(super) fn new(
        plan: LoadPlan,
        (shots, (host, extras), judge): (Shots, (&str, &Extras), Judge),
        arrivals_seed: u64,
        door: Door,
        clock: Clock,
        bounds: Bounds,
    ) -> Self {
        let mould = |target| Mould::of(target, host, extras, judge);
        let warm_ns = (plan.warmup.max_ns / 50).clamp(200_000_000, 1_000_000_000);
        Self {
            moulds: plan.targets.iter().map(mould).collect(),
            judge,
            versions: RefCell::default(),
            ledger: RefCell::new(Ledger::new(clock.now(), warm_ns)),
            plan,
            clock,
            phase: Cell::new(Phase::Check),
            turned: Notify::new(),
            step: RefCell::new(StepBooks::new()),
            ahead: Ahead::new(shots),
            arrivals_seed,
            door,
            idle: RefCell::default(),
            busy: Cell::new(0),
            bounds,
            waiting: RefCell::default(),
            opening: Cell::new(false),
        }
    }

    /// Opens connections before they are needed, until one cannot be opened: the request that needs it will say why.
    pub(super) async fn open_ahead(&self, count: u32) {
        for _ in 0..count.saturating_sub(self.connections()) {
            let mut wire = Wire::default();
            let timeout = Duration::from_nanos(self.plan.timeout_ns);
            let opened = tokio::time::timeout(timeout, wire.open(&self.door)).await;
            self.idle.borrow_mut().push(wire);
            if !matches!(opened, Ok(Ok(()))) {
                return;
            }
        }
    }

    /// An idle connection, the one used last (it is the most surely open), or a place for a new one.
    pub(super) fn take(&self) -> Wire {
        self.busy.set(self.busy.get() + 1);
        self.idle.borrow_mut().pop().unwrap_or_default()
    }

    /// Gives it back.
    pub(super) fn give(&self, wire: Wire) {
        self.busy.set(self.busy.get() - 1);
        self.idle.borrow_mut().push(wire);
    }

    /// Connections, in use or idle.
    fn connections(&self) -> u32 {
        let idle = u32::try_from(self.idle.borrow().len()).unwrap_or(u32::MAX);
        self.busy.get().saturating_add(idle)
    }

    /// Opens one more connection in the background when few are idle.
    pub(super) fn keep_in_hand(self: &Rc<Self>) {
        let enough = self.idle.borrow().len() >= IN_HAND;
        if enough || self.opening.get() || self.connections() >= self.bounds.busy {
            return;
        }
        self.opening.set(true);
        let engine = Rc::clone(self);
        tokio::task::spawn_local(async move {
            engine.open_ahead(engine.connections() + 1).await;
            engine.opening.set(false);
        });
    }

    /// The next request, due then: it belongs to the window or it does not, and that never changes.
    pub(super) fn order(&self, due_ns: u64) -> Order {
        let phase = self.phase.get();
        let part = match phase {
            Phase::Check => Part::Check,
            Phase::Fill => Part::Fill,
            Phase::Window(start, end) if (start..end).contains(&due_ns) => Part::Window,
            Phase::Warmup | Phase::Rest | Phase::Step(_) | Phase::Window(..) | Phase::Over => {
                Part::Warmup
            }
        };
        let in_step = match phase {
            Phase::Step(step) => (step.judged..step.end).contains(&due_ns),
            _ => false,
        };
        let taken_ns = self.clock.now();
        let shot = self.ahead.take(part);
        Order { due_ns, taken_ns, part, in_window: matches!(part, Part::Window), in_step, shot }
    }

    /// Writes down that a request goes out.
    pub(super) fn enter(&self, order: &Order) {
        self.ledger.borrow_mut().sent(order.due_ns, order.taken_ns, order.in_window);
        if order.in_step {
            self.step.borrow_mut().sent();
        }
    }

    /// Sends a request that has been entered, waits for its whole answer until its deadline, checks it and writes down
    /// how it ended; gives why it failed, if it did.
    pub(super) async fn shoot(&self, wire: &mut Wire, order: Order) -> Option<Fault> {
        let Order { due_ns, in_window, in_step, shot, .. } = order;
        // From due, not from sent: no right answer has a response time above the timeout.
        let deadline = self.clock.instant(due_ns.saturating_add(self.plan.timeout_ns));
        let target = &self.plan.targets[shot.target];
        let ask = shot.ask(&self.moulds[shot.target], target);
        let version = target.version.as_ref();
        let seen = version.and_then(|plan| self.versions.borrow().seen(plan, &shot.params));
        let mut reopened = 0;
        let (door, clock) = (&self.door, &self.clock);
        let answer = wire.exchange_until(deadline, door, ask, clock, &mut reopened).await;
        let mut ledger = self.ledger.borrow_mut();
        ledger.reopened += reopened;
        ledger.moved(in_window, wire.moved);
        let done_ns = answer.as_ref().map_or_else(|_| self.clock.now(), |times| times.done_ns);
        let end = answer.and_then(|times| {
            let answer = &wire.inbox;
            let is_right = match self.judge {
                Judge::Plan => answer.status == target.check.status,
                Judge::Status => (200..400).contains(&answer.status),
            };
            if !is_right {
                return Err(Fault::Status(answer.status));
            }
            let (what, age) = match self.judge {
                Judge::Plan => self.looked_at(wire, target, &shot, seen),
                Judge::Status => (None, Age::Unknown),
            };
            if let Some(what) = what {
                ledger.keep_wrong(|| told(target, &shot, &what, &answer.kept));
                return Err(Fault::WrongAnswer);
            }
            Ok(Answered {
                sent_ns: times.sent_ns,
                first_byte_ns: times.first_byte_ns,
                bytes: answer.bytes,
                lines: wire.lines.rows(),
                age,
                cache: answer.cache,
            })
        });
        let sample = Sample { due_ns, done_ns, in_window, end };
        ledger.ended(&sample);
        if in_step {
            self.step.borrow_mut().ended(&sample);
        }
        end.err()
    }

    /// What is wrong with an answer of the right status, if anything, and how old it is beside what had been `seen`.
    fn looked_at(
        &self,
        wire: &Wire,
        target: &TargetPlan,
        shot: &Shot,
        seen: Option<i64>,
    ) -> (Option<String>, Age) {
        let wrong = wire.wrong(target, &shot.params);
        let (None, Some(plan)) = (&wrong, &target.version) else { return (wrong, Age::Unknown) };
        match check::version(&plan.column, &wire.inbox.kept) {
            Ok(version) => {
                let mut versions = self.versions.borrow_mut();
                (None, versions.answered(plan, &shot.params, version, seen))
            }
            Err(what) => (Some(what), Age::Unknown),
        }
    }

    /// Sends the next request of the check phase, to the target at this position, and says what was wrong with its answer.
    pub(super) async fn shoot_once(
        &self,
        wire: &mut Wire,
        target: usize,
    ) -> Option<(Wrong, String)> {
        let part = Part::Check;
        let shot = self.ahead.aimed(part, target);
        let due_ns = self.clock.now();
        let order =
            Order { due_ns, taken_ns: due_ns, part, in_window: false, in_step: false, shot };
        self.enter(&order);
        let uri = check::shown(order.shot.uri.as_bytes());
        let fault = self.shoot(wire, order).await?;
        // The text of this very answer, if it was a wrong one.
        let kept = self.ledger.borrow_mut().wrong_answers.pop();
        let kind = match fault {
            Fault::WrongAnswer => Wrong::Answer,
            Fault::Status(status) if status < 500 => Wrong::Answer,
            _ => Wrong::Exchange,
        };
        Some((kind, kept.unwrap_or_else(|| format!("{uri}: {}", fault.word()))))
    }
}

/// A wrong answer for people: what was asked, what is wrong, and what came.
fn told(target: &TargetPlan, shot: &Shot, what: &str, body: &[u8]) -> String {
    let asked = check::shown(format!("{} {}", shot.uri, shot.body).trim_end().as_bytes());
    let came = check::shown(body);
    format!("{} {asked}: {what}; the body: {came}", target.method)
}
