//! How a trial ended, and in which words that is told.

use serde::{Deserialize, Serialize};

/// How a trial ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Valid.
    Ok,
    /// Valid, but arrivals were dropped: latency is withheld from verdicts.
    Overloaded,
    /// Not valid, with the reason.
    Failed(Failure),
    /// Not valid through no fault of what was measured, with the reason: the machine was disturbed, or the load generator
    /// starved. Decided without a look at its latencies; where there is another attempt, that one counts.
    Invalid(String),
}

impl Outcome {
    /// Whether the trial counts.
    pub fn is_valid(&self) -> bool {
        matches!(self, Self::Ok | Self::Overloaded)
    }
}

/// The reason of a trial whose sums do not agree begins with this.
pub const BROKEN_ACCOUNTS: &str = "the accounts do not balance: ";

/// The note of a trial whose figures still moved in its window: drift above 5 % with a Mann-Kendall p below 0.01.
pub const UNSTEADY: &str = "its figures still moved in the window";

/// Why a trial failed: it becomes a row, and an exit code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// What kind.
    pub kind: FailureKind,
    /// For people, with both sides shown.
    pub reason: String,
}

/// Kinds of failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureKind {
    /// A server did not start (exit 4).
    Provisioning,
    /// A server died, a deadline passed, most requests failed (exit 5).
    Measurement,
    /// Wrong answer, wrong plan, wrong index use, an expectation that does not hold, broken accounting (exit 6).
    Correctness,
}
