//! Who sends next: users who wait for their answers, and a dispatcher that hands out what arrives.

use std::rc::Rc;

use futures_util::future;
use tokio::time::Duration;

use super::attendance::{Attendance, There};
use super::engine::{Engine, Order, Phase};
use super::fault::Fault;
use super::ledger::Sample;
use super::places::Part;
use super::schedule::Arrivals;

/// A user whose request failed waits this long: a server that refuses at once must not turn the loop into a spin.
const AFTER_FAILURE: Duration = Duration::from_millis(10);
/// Arrivals handed out in a row before answers get their turn.
const ROW: u32 = 16;
/// With more time than this until the next arrival, requests are drawn ahead.
const SPARE_NS: u64 = 20_000;

/// A user of a closed load.
pub(super) struct User {
    /// Whether it fills the cache; else it is one of the cell's own.
    pub(super) fills: bool,
    /// Pause before each request.
    pub(super) think_ns: u64,
    /// When it is there; none is always.
    pub(super) attends: Option<Attendance>,
}

/// When a user sends its next request.
enum Next {
    /// Then.
    Due(u64),
    /// Not before the phase turns.
    Later,
    /// Never again.
    Over,
}

/// A part of an open load, with arrivals of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leg {
    /// Not measured.
    Warmup,
    /// A rate of a search.
    Step,
    /// Measured.
    Window,
}

impl Leg {
    /// Whose requests it sends: the rates of a search go on with those of the warm-up.
    fn part(self) -> Part {
        match self {
            Self::Warmup | Self::Step => Part::Warmup,
            Self::Window => Part::Window,
        }
    }
}

impl Engine {
    /// A user of a closed load: the next request is due when the last one has ended, plus a pause.
    pub(super) async fn user(self: Rc<Self>, user: User) -> anyhow::Result<()> {
        let mut wire = self.take();
        let waits = user.think_ns > 0 || user.attends.is_some();
        let mut timer = if waits { Some(self.clock.timer()?) } else { None };
        let mut due_ns = self.clock.now();
        'requests: loop {
            due_ns += user.think_ns;
            loop {
                match self.next(&user, due_ns) {
                    Next::Over => break 'requests,
                    Next::Later => self.turned.notified().await,
                    Next::Due(due) => {
                        due_ns = due;
                        let Some(timer) = &mut timer else { break };
                        if self.clock.now() >= due_ns {
                            break;
                        }
                        tokio::select! {
                            waited = timer.until(due_ns) => waited?,
                            () = self.turned.notified() => {}
                        }
                    }
                }
            }
            let order = self.order(due_ns);
            self.enter(&order);
            let part = order.part;
            // The next request is drawn while the server works on this one, not between its answer and the next.
            let drawn = async { self.ahead.top_up(part) };
            if future::join(self.shoot(&mut wire, order), drawn).await.0.is_some() {
                tokio::time::sleep(AFTER_FAILURE).await;
            }
            due_ns = self.clock.now();
        }
        self.give(wire);
        Ok(())
    }

    /// When a user sends the request that would be due then.
    fn next(&self, user: &User, due_ns: u64) -> Next {
        let is_over = match self.phase.get() {
            Phase::Fill => !user.fills,
            Phase::Warmup => user.fills,
            Phase::Window(_, end) => user.fills || due_ns >= end,
            Phase::Check | Phase::Rest | Phase::Step(_) | Phase::Over => true,
        };
        match (&user.attends, self.phase.get()) {
            _ if is_over => Next::Over,
            (Some(attends), Phase::Warmup) if !attends.warms_up => Next::Later,
            (Some(attends), Phase::Window(start, _)) => {
                match attends.at(due_ns.saturating_sub(start)) {
                    There::Yes => Next::Due(due_ns),
                    There::From(ns) => Next::Due(start.saturating_add(ns)),
                    There::Gone => Next::Over,
                }
            }
            _ => Next::Due(due_ns),
        }
    }

    /// The arrivals of an open load, one leg after the other: what is due finds an idle connection, or a new one, or is
    /// dropped.
    pub(super) async fn dispatch(self: Rc<Self>, legs: Vec<(Leg, Arrivals)>) -> anyhow::Result<()> {
        let mut timer = self.clock.timer()?;
        let mut in_a_row = 0;
        for (leg, arrivals) in legs {
            let start = match self.phase.get() {
                Phase::Window(start, _) => start,
                Phase::Step(step) => step.start,
                _ => self.clock.now(),
            };
            for offset in arrivals {
                let due_ns = start.saturating_add(offset);
                while !self.is_past(leg, due_ns) && self.clock.now() < due_ns {
                    in_a_row = 0;
                    if self.clock.now() + SPARE_NS < due_ns {
                        // Two for the one that goes: after a burst there are soon as many in hand as before.
                        self.ahead.top_up(leg.part());
                        self.ahead.top_up(leg.part());
                    }
                    tokio::select! {
                        waited = timer.until(due_ns) => waited?,
                        () = self.turned.notified() => {}
                    }
                }
                if self.is_past(leg, due_ns) {
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

    /// Whether an arrival of this leg, due then, no longer exists.
    fn is_past(&self, leg: Leg, due_ns: u64) -> bool {
        match (self.phase.get(), leg) {
            (Phase::Window(start, _), Leg::Warmup | Leg::Step) => due_ns >= start,
            (Phase::Window(_, end), Leg::Window) => due_ns >= end,
            (Phase::Step(step), _) => due_ns >= step.end,
            (phase, _) => matches!(phase, Phase::Over | Phase::Rest),
        }
    }

    /// Sends what is due; or it waits for a connection, where their number is bounded; or it is dropped, where too much is
    /// under way.
    fn arrive(self: &Rc<Self>, due_ns: u64) {
        // A dropped arrival uses up its request all the same: the later ones stay what they are.
        let order = self.order(due_ns);
        if self.busy.get() >= self.bounds.busy {
            if self.waiting.borrow().len() < self.bounds.waiting {
                self.waiting.borrow_mut().push_back(order);
            } else {
                self.drop_order(&order);
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

    fn drop_order(&self, order: &Order) {
        self.ledger.borrow_mut().dropped(order.due_ns, order.in_window);
        if order.in_step {
            self.step.borrow_mut().dropped();
        }
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
            let Order { due_ns, in_window, in_step, .. } = order;
            let late = Sample { due_ns, done_ns: now, in_window, end: Err(Fault::Timeout) };
            self.ledger.borrow_mut().ended(&late);
            if in_step {
                self.step.borrow_mut().ended(&late);
            }
        }
    }

    /// The run is over: whoever still waits for a connection was not sent.
    pub(super) fn forsake_waiting(&self) {
        for order in self.waiting.borrow_mut().drain(..) {
            self.drop_order(&order);
        }
    }
}
