//! What the conductor says while it works. Drawn in `cli`, appended to `events.jsonl`.

use serde::Serialize;

use crate::dataset;
use crate::stack::StackError;

/// Something happened.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// Said in one line, as it is.
    Notice {
        /// The line.
        text: String,
    },
    /// The run has a folder.
    RunStarted {
        /// The run.
        run: String,
        /// Its folder.
        dir: String,
        /// Trials to do.
        trials: u32,
        /// Estimated wall time.
        estimate_ns: u64,
    },
    /// Servers were found and a cluster was made.
    Provisioned {
        /// Server and version.
        versions: Vec<(String, String)>,
    },
    /// The data are under way.
    Dataset(dataset::Progress),
    /// The data are there.
    DatasetReady {
        /// Time.
        ms: u64,
    },
    /// A trial begins.
    TrialStarted {
        /// Position, from 1.
        number: u32,
        /// Trials in all.
        of: u32,
        /// Block.
        block: u32,
        /// Variant.
        variant: String,
        /// Load.
        load: String,
        /// Time left, by what the trials so far took.
        left_ns: u64,
    },
    /// A trial is in a phase.
    TrialPhase {
        /// `check`, `fill`, `warm-up`, `search`, `window`, `drain`.
        phase: &'static str,
    },
    /// The first request of a load is sent: the end of all preparations.
    FirstLoad {
        /// Since the run's start.
        ms: u64,
    },
    /// A rate of a search has been judged.
    SearchStep {
        /// The rate.
        rate_per_s: f64,
        /// `kept`, or why not.
        end: &'static str,
        /// What the objective is about; none where it took for ever.
        figure_us: Option<f64>,
    },
    /// A trial sends requests.
    TrialProgress {
        /// Answers so far.
        answered: u64,
        /// Answers per second lately.
        rate_rps: f64,
    },
    /// A trial has ended and is kept.
    TrialEnded {
        /// Position, from 1.
        number: u32,
        /// Trials in all.
        of: u32,
        /// Block.
        block: u32,
        /// Variant.
        variant: String,
        /// Load.
        load: String,
        /// Median response time.
        response_time_p50_us: Option<f64>,
        /// Right answers per second.
        rate_rps: Option<f64>,
        /// Why it failed, if it did.
        failure: Option<String>,
        /// Why it does not count, though it did not fail: the machine disturbed it, or the generator starved.
        invalid: Option<String>,
        /// Whether arrivals were dropped, so that its latency is withheld.
        overloaded: bool,
    },
    /// All that will be measured has been measured.
    Measured {
        /// Wall time.
        ms: u64,
        /// Trials kept.
        trials: u32,
        /// Of them failed.
        failed: u32,
    },
}

/// What the person at the keyboard wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interrupt {
    /// Go on.
    None,
    /// Stop cleanly and keep what is finished (signal number).
    Stop(i32),
}

/// Why a run ended before its end, or in the red.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stop {
    /// Something of the machine is missing (exit 3).
    Environment(String),
    /// A server or the data could not be had (exit 4).
    Provisioning(String),
    /// A measurement failed (exit 5).
    Measurement(String),
    /// Something was wrong: an answer, a plan, the accounting (exit 6).
    Correctness(String),
    /// A signal (exit 128 + its number).
    Interrupted(i32),
}

impl std::fmt::Display for Stop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Environment(text)
            | Self::Provisioning(text)
            | Self::Measurement(text)
            | Self::Correctness(text) => f.write_str(text),
            Self::Interrupted(signal) => write!(f, "interrupted by signal {signal}"),
        }
    }
}

/// The exit reason that a failure of the servers stands for.
pub fn stop_of(error: &StackError) -> Stop {
    match error {
        StackError::Environment(text) | StackError::GuardLost(text) => {
            Stop::Environment(text.clone())
        }
        StackError::Provisioning(text) => Stop::Provisioning(text.clone()),
    }
}
