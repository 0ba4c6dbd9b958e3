//! Who is there when a load begins: its connections, its users or its dispatcher.

use std::rc::Rc;

use super::attendance::Attendance;
use super::engine::Engine;
use super::phases::Conductor;
use super::places::Part;
use super::schedule::Arrivals;
use super::senders::{Leg, User};
use crate::plan::ModelPlan;

/// Connections that an open load starts with.
const OPEN_AT_FIRST: u32 = 64;

impl Conductor {
    /// Starts the cell's own users, or the dispatcher of its arrivals.
    pub(super) fn start_cell(&mut self) {
        let engine = &self.engine;
        let (plan, seed) = (&engine.plan, engine.arrivals_seed);
        match plan.model.clone() {
            ModelPlan::Closed { think_ns, .. } => {
                for number in 1..=plan.most_under_way() {
                    let in_stages = !plan.stages.is_empty();
                    let attends = in_stages.then(|| Attendance::of(number, &plan.stages));
                    let user = User { fills: false, think_ns, attends };
                    self.tasks.spawn_local(Rc::clone(engine).user(user));
                }
            }
            ModelPlan::Open { rate_per_s, arrival, .. } => {
                let warmup = Arrivals::new(rate_per_s, arrival, seed, Part::Warmup as u64);
                let mut legs = vec![(Leg::Warmup, warmup)];
                let part = Part::Window as u64;
                if plan.search.is_none() && plan.stages.is_empty() {
                    legs.push((Leg::Window, Arrivals::new(rate_per_s, arrival, seed, part)));
                } else if plan.search.is_none() {
                    let staged = Arrivals::staged(&plan.stages, arrival, seed, part);
                    legs.push((Leg::Window, staged));
                }
                self.tasks.spawn_local(Rc::clone(engine).dispatch(legs));
            }
        }
    }
}

/// Connections that the load starts with.
pub(super) fn connections(engine: &Engine) -> u32 {
    let fill = engine.plan.fill.as_ref().map_or(0, |fill| fill.users);
    let most = engine.plan.most_under_way();
    fill.max(match engine.plan.model {
        ModelPlan::Closed { .. } => most,
        ModelPlan::Open { .. } => most.min(OPEN_AT_FIRST),
    })
}
