//! What is driven, and how: load model, phases, requests, their values and their right answers.

use serde::{Deserialize, Serialize};

/// What is driven, and how.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LoadPlan {
    /// Load model.
    pub model: ModelPlan,
    /// A request without an answer by then has failed.
    pub timeout_ns: u64,
    /// The measured window.
    pub duration_ns: u64,
    /// Before it.
    pub warmup: WarmupPlan,
    /// Before the warm-up.
    pub fill: Option<FillPlan>,
    /// What requests are sent, by weight.
    pub targets: Vec<TargetPlan>,
}

/// Load model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ModelPlan {
    /// Users who wait for their answers.
    Closed {
        /// How many.
        users: u32,
        /// Pause after each answer.
        think_ns: u64,
    },
    /// Arrivals by the clock.
    Open {
        /// Arrivals per second.
        rate_per_s: f64,
        /// Exponential gaps, else equal ones.
        arrival: crate::spec::Arrival,
        /// Requests under way, or waiting for a connection, at most; beyond it arrivals are dropped.
        max_in_flight: u32,
        /// Connections at most, for which arrivals wait; none where each gets one at once.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        connections: Option<u32>,
    },
}

/// Before the window.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WarmupPlan {
    /// At least.
    pub min_ns: u64,
    /// At most.
    pub max_ns: u64,
    /// Ends early when this holds.
    pub until: Until,
}

/// A condition that ends a phase.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Until {
    /// Latency and throughput no longer move.
    Steady,
    /// The hit ratio of the last second is at least this.
    CacheHitRatioAtLeast(f64),
}

/// Before the warm-up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FillPlan {
    /// Users of a closed loop.
    pub users: u32,
    /// Failed when the condition does not hold by then.
    pub max_ns: u64,
    /// The condition.
    pub until: Until,
}

/// One kind of request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TargetPlan {
    /// The endpoint, by name.
    pub endpoint: String,
    /// Relative frequency.
    pub weight: f64,
    /// `GET`, …
    pub method: String,
    /// `/users/{id}`.
    pub path: String,
    /// Values of its parameters.
    pub draws: Vec<DrawPlan>,
    /// What a right answer looks like.
    pub check: CheckPlan,
}

/// Where a parameter's values come from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DrawPlan {
    /// The parameter.
    pub param: String,
    /// Its values.
    pub source: DrawSource,
    /// How often each.
    pub distribution: DistributionPlan,
}

/// A parameter's values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DrawSource {
    /// Generated values of a column, of the rows where other columns have these values.
    Column {
        /// Table, in `DatasetPlan::tables`.
        table: String,
        /// Column.
        column: String,
        /// Column and value.
        conditions: Vec<(String, String)>,
    },
    /// A list.
    Values(Vec<String>),
}

/// How often each key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DistributionPlan {
    /// Every key equally often; of all rows where `keys` is none.
    Uniform {
        /// Number of keys.
        keys: Option<u64>,
    },
    /// Zipf's law: key k with probability proportional to 1 / k^exponent.
    Zipfian {
        /// Exponent.
        exponent: f64,
        /// Number of keys.
        keys: u64,
    },
    /// One after the other.
    Sequential {
        /// Number of keys.
        keys: Option<u64>,
    },
}

/// What a right answer looks like.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CheckPlan {
    /// Status.
    pub status: u16,
    /// Number of rows.
    pub rows: Option<u64>,
    /// Fields of every row.
    pub fields: Vec<(String, FieldCheck)>,
}

/// A field of every row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FieldCheck {
    /// Equals this JSON value.
    Value(serde_json::Value),
    /// Equals the request's parameter.
    Param(String),
}
