//! What a trial gives back, filled in as it goes, so that nothing measured is lost when it ends early.

use std::collections::BTreeMap;

use super::event::Stop;
use super::proof::Plans;
use super::validity::Fault;
use crate::load::Recording;
use crate::results::{Failure, FailureKind, Outcome, Window, Witness};

/// Whether the same cell can do better in another block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Again {
    /// It may.
    Possible,
    /// A wrong plan, index set or answer comes again.
    Useless,
}

/// What a trial gives back.
pub(super) struct Done {
    /// How it ended.
    pub outcome: Outcome,
    /// What was driven, as far as it came.
    pub recording: Option<Recording>,
    /// The window, as far as it came.
    pub window: Option<Window>,
    /// The other witnesses.
    pub witness: Option<Witness>,
    /// Plans before the window.
    pub plans: Option<Plans>,
    /// Settings in force, by server.
    pub settings: BTreeMap<String, BTreeMap<String, String>>,
    /// Said, though the trial is valid.
    pub notes: Vec<String>,
    /// Why the whole run must end, if it must.
    pub stop: Option<Stop>,
    /// Rules of validity that were broken.
    pub faults: Vec<Fault>,
    /// Whether to try the cell again in the next block.
    pub again: Again,
}

impl Done {
    /// Nothing wrong so far.
    pub(super) fn new() -> Self {
        Self {
            outcome: Outcome::Ok,
            recording: None,
            window: None,
            witness: None,
            plans: None,
            settings: BTreeMap::new(),
            notes: Vec::new(),
            stop: None,
            faults: Vec::new(),
            again: Again::Possible,
        }
    }

    /// The whole run must end here, and the trial with it.
    pub(super) fn stop_for(&mut self, stop: Stop) {
        self.fail(FailureKind::Measurement, stop.to_string());
        self.stop = Some(stop);
    }

    /// Notes why the trial is not valid.
    ///
    /// The first reason is the cause; those after it are kept as notes, because accounts that do not balance either are
    /// nothing that may go unsaid.
    pub(super) fn fail(&mut self, kind: FailureKind, reason: impl Into<String>) {
        if matches!(self.outcome, Outcome::Failed(_)) {
            self.notes.push(reason.into());
        } else {
            self.outcome = Outcome::Failed(Failure { kind, reason: reason.into() });
        }
    }
}
