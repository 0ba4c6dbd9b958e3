//! The one request loop: who sends next, on which connection, and what came of it.
//!
//! All of it runs on one thread. A closed load is users, each with a connection of its own; an open one is a
//! dispatcher that hands each arrival to an idle connection. Both end in [`Engine::shoot`].

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use tokio::sync::Notify;
use tokio::time::Duration;

use super::answer::Body;
use super::check::{self, Judge, Wrong};
use super::clock::Clock;
use super::fault::Fault;
use super::ledger::{Answered, Ledger, Sample};
use super::places::Part;
use super::schedule::Arrivals;
use super::shots::{Shot, Shots};
use super::wire::{Door, Mould, Wire};
use crate::plan::LoadPlan;
use crate::spec::Arrival;

/// A user whose request failed waits this long: a server that refuses at once must not turn the loop into a spin.
const AFTER_FAILURE: Duration = Duration::from_millis(10);
/// Idle connections that an open load keeps in hand, so that a burst does not pay for opening them.
const IN_HAND: usize = 4;
/// Arrivals handed out in a row before answers get their turn.
const ROW: u32 = 16;

/// What the load is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    /// Requests before the load, one by one.
    Check,
    /// Filling the cache.
    Fill,
    /// The cell's own arrivals, not measured yet.
    Warmup,
    /// Measured, from and until these times.
    Window(u64, u64),
    /// Nothing more is sent.
    Over,
}

/// One request to be sent.
struct Order {
    due_ns: u64,
    /// When the generator took it up: later than due by its own fault alone.
    taken_ns: u64,
    in_window: bool,
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
    shots: Shots,
    arrivals_seed: u64,
    door: Door,
    /// One for each target.
    moulds: Vec<Mould>,
    judge: Judge,
    idle: RefCell<Vec<Wire>>,
    /// Connections in use; idle ones are not among them.
    busy: Cell<u32>,
    bounds: Bounds,
    /// Arrivals that wait for a connection, in the order in which they were due.
    waiting: RefCell<VecDeque<Order>>,
    opening: Cell<bool>,
    counters: [Cell<u64>; 4],
}

impl Engine {
    /// An engine with no connection yet.
    pub(super) fn new(
        plan: LoadPlan,
        (shots, host, judge): (Shots, &str, Judge),
        arrivals_seed: u64,
        door: Door,
        clock: Clock,
        bounds: Bounds,
    ) -> Self {
        let body = match judge {
            Judge::Plan => Body::Kept,
            Judge::Status => Body::Counted,
        };
        let moulds = plan.targets.iter().map(|target| Mould::new(&target.method, host, body));
        let warm_ns = (plan.warmup.max_ns / 50).clamp(200_000_000, 1_000_000_000);
        Self {
            moulds: moulds.collect(),
            judge,
            ledger: RefCell::new(Ledger::new(clock.now(), warm_ns)),
            plan,
            clock,
            phase: Cell::new(Phase::Check),
            turned: Notify::new(),
            shots,
            arrivals_seed,
            door,
            idle: RefCell::default(),
            busy: Cell::new(0),
            bounds,
            waiting: RefCell::default(),
            opening: Cell::new(false),
            counters: Default::default(),
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

    /// A user of a closed load: the next request is due when the last one has ended, plus a pause.
    pub(super) async fn user(self: Rc<Self>, fills: bool, think_ns: u64) -> anyhow::Result<()> {
        let mut wire = self.take();
        let mut timer = if think_ns > 0 { Some(self.clock.timer()?) } else { None };
        let mut due_ns = self.clock.now();
        'requests: loop {
            if let Some(timer) = &mut timer {
                due_ns += think_ns;
                while self.clock.now() < due_ns {
                    if self.is_over(fills, due_ns) {
                        break 'requests;
                    }
                    tokio::select! {
                        waited = timer.until(due_ns) => waited?,
                        () = self.turned.notified() => {}
                    }
                }
            }
            if self.is_over(fills, due_ns) {
                break;
            }
            let order = self.order(due_ns);
            self.enter(&order);
            if self.shoot(&mut wire, order).await.is_some() {
                tokio::time::sleep(AFTER_FAILURE).await;
            }
            due_ns = self.clock.now();
        }
        self.give(wire);
        Ok(())
    }

    fn is_over(&self, fills: bool, due_ns: u64) -> bool {
        match self.phase.get() {
            Phase::Fill => !fills,
            Phase::Warmup => fills,
            Phase::Window(_, end) => fills || due_ns >= end,
            Phase::Check | Phase::Over => true,
        }
    }

    /// The arrivals of an open load, those of the warm-up and those of the window: what is due finds an idle
    /// connection, or a new one, or waits for one, or is dropped.
    pub(super) async fn dispatch(
        self: Rc<Self>,
        rate: f64,
        arrival: Arrival,
    ) -> anyhow::Result<()> {
        let mut timer = self.clock.timer()?;
        let mut in_a_row = 0;
        for part in [Part::Warmup, Part::Window] {
            let start = match self.phase.get() {
                Phase::Window(start, _) => start,
                _ => self.clock.now(),
            };
            for offset in Arrivals::new(rate, arrival, self.arrivals_seed, part as u64) {
                let due_ns = start.saturating_add(offset);
                while !self.is_past(part, due_ns) && self.clock.now() < due_ns {
                    in_a_row = 0;
                    tokio::select! {
                        waited = timer.until(due_ns) => waited?,
                        () = self.turned.notified() => {}
                    }
                }
                if self.is_past(part, due_ns) {
                    break;
                }
                self.arrive(due_ns);
                in_a_row += 1;
                if in_a_row == ROW {
                    in_a_row = 0;
                    tokio::task::yield_now().await;
                }
            }
        }
        Ok(())
    }

    /// Whether an arrival of this part, due then, no longer exists.
    fn is_past(&self, part: Part, due_ns: u64) -> bool {
        match (self.phase.get(), part) {
            (Phase::Window(start, _), Part::Warmup) => due_ns >= start,
            (Phase::Window(_, end), _) => due_ns >= end,
            (phase, _) => phase == Phase::Over,
        }
    }

    fn arrive(self: &Rc<Self>, due_ns: u64) {
        // A dropped arrival uses up its request all the same: the later ones stay what they are.
        let order = self.order(due_ns);
        if self.busy.get() >= self.bounds.busy {
            let mut waiting = self.waiting.borrow_mut();
            if waiting.len() < self.bounds.waiting {
                waiting.push_back(order);
            } else {
                self.ledger.borrow_mut().dropped(order.in_window);
            }
            return;
        }
        self.enter(&order);
        let mut wire = self.take();
        let engine = Rc::clone(self);
        tokio::task::spawn_local(async move {
            let mut next = Some(order);
            while let Some(order) = next {
                // How it ended is in the books.
                engine.shoot(&mut wire, order).await;
                next = engine.next_waiting();
            }
            engine.give(wire);
        });
        self.keep_in_hand();
    }

    /// The arrival that has waited longest for a connection. Those whose time is up have failed without being sent.
    fn next_waiting(&self) -> Option<Order> {
        loop {
            let order = self.waiting.borrow_mut().pop_front()?;
            self.enter(&order);
            let now = self.clock.now();
            if now < order.due_ns.saturating_add(self.plan.timeout_ns) {
                return Some(order);
            }
            let Order { due_ns, in_window, .. } = order;
            let late = Sample { due_ns, done_ns: now, in_window, end: Err(Fault::Timeout) };
            self.ledger.borrow_mut().ended(&late);
        }
    }

    /// The run is over: whoever still waits for a connection was not sent.
    pub(super) fn forsake_waiting(&self) {
        for order in self.waiting.borrow_mut().drain(..) {
            self.ledger.borrow_mut().dropped(order.in_window);
        }
    }

    /// An idle connection, the one used last (it is the most surely open), or a place for a new one.
    fn take(&self) -> Wire {
        self.busy.set(self.busy.get() + 1);
        self.idle.borrow_mut().pop().unwrap_or_default()
    }

    fn give(&self, wire: Wire) {
        self.busy.set(self.busy.get() - 1);
        self.idle.borrow_mut().push(wire);
    }

    /// Connections, in use or idle.
    fn connections(&self) -> u32 {
        let idle = u32::try_from(self.idle.borrow().len()).unwrap_or(u32::MAX);
        self.busy.get().saturating_add(idle)
    }

    /// Opens one more connection in the background when few are idle.
    fn keep_in_hand(self: &Rc<Self>) {
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
    fn order(&self, due_ns: u64) -> Order {
        let part = match self.phase.get() {
            Phase::Check => Part::Check,
            Phase::Fill => Part::Fill,
            Phase::Window(start, end) if (start..end).contains(&due_ns) => Part::Window,
            Phase::Warmup | Phase::Window(..) | Phase::Over => Part::Warmup,
        };
        let counter = &self.counters[part as usize];
        let n = counter.replace(counter.get() + 1);
        let taken_ns = self.clock.now();
        let shot = self.shots.draw(part, n);
        Order { due_ns, taken_ns, in_window: matches!(part, Part::Window), shot }
    }

    fn enter(&self, order: &Order) {
        self.ledger.borrow_mut().sent(order.due_ns, order.taken_ns, order.in_window);
    }

    /// Sends a request that has been entered, waits for its whole answer until its deadline, checks it and writes down
    /// how it ended; gives why it failed, if it did.
    async fn shoot(&self, wire: &mut Wire, order: Order) -> Option<Fault> {
        let Order { due_ns, in_window, shot, .. } = order;
        // From due, not from sent: no right answer has a response time above the timeout.
        let deadline = self.clock.instant(due_ns.saturating_add(self.plan.timeout_ns));
        let request = (&self.moulds[shot.target], shot.uri.as_str());
        let mut reopened = 0;
        let (door, clock) = (&self.door, &self.clock);
        let answer = wire.exchange_until(deadline, door, request, clock, &mut reopened).await;
        let mut ledger = self.ledger.borrow_mut();
        ledger.reopened += reopened;
        let done_ns = answer.as_ref().map_or_else(|_| self.clock.now(), |times| times.done_ns);
        let end = answer.and_then(|times| {
            let answer = &wire.inbox;
            let target = &self.plan.targets[shot.target];
            let check = &target.check;
            let is_right = match self.judge {
                Judge::Plan => answer.status == check.status,
                Judge::Status => (200..400).contains(&answer.status),
            };
            if !is_right {
                return Err(Fault::Status(answer.status));
            }
            if let Judge::Plan = self.judge
                && let Some(what) = check::wrong(check, &shot.params, &answer.kept)
            {
                let method = &target.method;
                let body = check::shown(&answer.kept);
                let uri = check::shown(shot.uri.as_bytes());
                ledger.keep_wrong(|| format!("{method} {uri}: {what}; the body: {body}"));
                return Err(Fault::WrongAnswer);
            }
            Ok(Answered {
                sent_ns: times.sent_ns,
                first_byte_ns: times.first_byte_ns,
                bytes: answer.bytes,
                cache: answer.cache,
            })
        });
        ledger.ended(&Sample { due_ns, done_ns, in_window, end });
        end.err()
    }

    /// Sends the next request of the check phase and says what was wrong with its answer.
    pub(super) async fn shoot_once(&self, wire: &mut Wire) -> Option<(Wrong, String)> {
        let order = self.order(self.clock.now());
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
