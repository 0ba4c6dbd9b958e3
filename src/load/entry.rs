//! What is entered in the books: how a request ended, and what a phase has seen.

use std::collections::BTreeMap;

use super::fault::{CacheWord, Fault};
use super::versions::Age;

/// How a request ended.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sample {
    pub(super) due_ns: u64,
    pub(super) done_ns: u64,
    pub(super) in_window: bool,
    pub(super) end: Result<Answered, Fault>,
}

/// A right answer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Answered {
    pub(super) sent_ns: u64,
    pub(super) first_byte_ns: u64,
    pub(super) bytes: u64,
    /// Of an answer in lines.
    pub(super) lines: u64,
    pub(super) age: Age,
    pub(super) cache: Option<CacheWord>,
}

/// What the phase that is under way has seen.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) answered: u64,
    pub(super) failed: u64,
    pub(super) failures: BTreeMap<Fault, u64>,
}

/// Time without a right answer, over all phases.
#[derive(Debug, Default)]
pub(super) struct Silence {
    /// The last right answer, or the run's start.
    pub(super) from_ns: u64,
    /// What came instead.
    pub(super) failures: BTreeMap<Fault, u64>,
}
