//! What is driven, and how: load model, phases, requests, their values and their right answers.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::spec::Metric;

/// A search goes up by this factor until a rate fails.
pub const SEARCH_GROWTH: f64 = 1.25;

/// What is driven, and how.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LoadPlan {
    /// Load model; of one with stages or a search, as the warm-up is driven.
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
    /// The window in parts; none where it is all at the model's level.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stages: Vec<StagePlan>,
    /// Looks for the rate of the window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub search: Option<SearchPlan>,
    /// Processors that generator and servers share; none: all that there are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub processors: Option<u32>,
}

impl LoadPlan {
    /// Requests under way on connections at most.
    pub fn most_under_way(&self) -> u32 {
        match self.model {
            ModelPlan::Open { max_in_flight, connections, .. } => {
                connections.map_or(max_in_flight, |most| most.min(max_in_flight))
            }
            ModelPlan::Closed { users, .. } => {
                let levels = self.stages.iter().flat_map(|stage| [stage.from, stage.to]);
                levels.fold(users, |most, level| most.max(whole(level)))
            }
        }
    }

    /// Whether another load arrives in the same way, so that latencies under both can be compared. The processors are a
    /// factor like others.
    pub fn arrives_like(&self, other: &Self) -> bool {
        (&self.model, &self.stages, &self.search) == (&other.model, &other.stages, &other.search)
    }

    /// Whether the window is neither in stages nor at a rate that was searched.
    pub fn is_level(&self) -> bool {
        self.stages.is_empty() && self.search.is_none()
    }

    /// The rates that a search may have to try: up to the highest one, and then into the last gap. More only where even
    /// the first one fails; 0 without a search.
    pub fn most_search_steps(&self) -> u64 {
        let (Some(search), ModelPlan::Open { rate_per_s, .. }) = (&self.search, &self.model) else {
            return 0;
        };
        let up = (search.most_per_s / rate_per_s).max(1.0).ln() / SEARCH_GROWTH.ln();
        let gap = SEARCH_GROWTH.ln() / (1.0 + search.precision).ln();
        let steps = up.ceil() + 1.0 + gap.max(1.0).log2().ceil();
        u64::from(whole(steps))
    }
}

/// A small number as a whole one.
fn whole(number: f64) -> u32 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "levels and steps are small, and the cast saturates"
    )]
    let whole = number.round() as u32;
    whole
}

/// A part of the window: evenly from one level to another; the same for one that stays.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct StagePlan {
    /// How long.
    pub duration_ns: u64,
    /// Arrivals per second, or users, at its beginning.
    pub from: f64,
    /// The same at its end.
    pub to: f64,
}

/// A search for the highest rate that keeps an objective. The model's rate is tried first.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct SearchPlan {
    /// A response or service time.
    pub metric: Metric,
    /// The most that it may be.
    pub at_most_ns: u64,
    /// No higher rate is tried.
    pub most_per_s: f64,
    /// How long each rate is judged.
    pub step_ns: u64,
    /// How long each rate is driven before that.
    pub settle_ns: u64,
    /// The search ends when the lowest rate that failed is within this share of the highest that was kept.
    pub precision: f64,
    /// Failed requests over requests due that a rate may have.
    pub error_ratio_max: f64,
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
    /// Which of them are members of the JSON object in its body, and how each is written there; none without a body.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub body: Vec<MemberPlan>,
    /// What a right answer looks like.
    pub check: CheckPlan,
    /// What it holds rows in.
    #[serde(default, skip_serializing_if = "AnswerPlan::is_usual")]
    pub answer: AnswerPlan,
    /// Which rows' versions its answers tell; none where that is not looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<VersionPlan>,
}

/// Versions of rows in answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionPlan {
    /// The column of the only row: a whole number that grows with each write of it.
    pub column: String,
    /// What the target does with the rows.
    pub role: VersionRole,
    /// The rows: one of a target that reads, one or more of one that writes.
    pub rows: Vec<VersionedRow>,
}

/// What a target does with rows that have versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VersionRole {
    /// Its answer may be stale.
    Reads,
    /// Its answer tells what a later one must not be older than.
    Writes,
}

/// A row by the endpoint that reads it and the params that it is asked for with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionedRow {
    /// The endpoint.
    pub endpoint: String,
    /// Its params.
    pub params: Vec<String>,
}

/// A member of the JSON object in a request's body. One without values to ask for is left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberPlan {
    /// The parameter.
    pub param: String,
    /// How its values are written.
    pub form: MemberForm,
}

/// How the text of a value is written in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MemberForm {
    /// As a string.
    Text,
    /// As a number; a text that is one, but not as JSON writes it (`007`), as JSON does.
    Number,
    /// As a number with exactly its digits; a text that is no JSON number as a string.
    Digits,
    /// As it stands: truth values, documents and arrays.
    Json,
}

/// What an answer holds its rows in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AnswerPlan {
    /// An array of objects.
    #[default]
    Rows,
    /// One object: the only row, or what a statement without columns answers.
    Row,
    /// An object a line.
    Lines,
}

impl AnswerPlan {
    /// Whether it is what most endpoints answer.
    pub fn is_usual(&self) -> bool {
        *self == Self::Rows
    }
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
    /// A column of a CSV file.
    Csv {
        /// The file, as the author named it, relative to his own.
        file: String,
        /// The column.
        column: String,
        /// The values, a line each.
        values: FileValues,
    },
    /// A parameter of the requests in a log, in the log's order.
    Log {
        /// The file, as the author named it, relative to his own.
        file: String,
        /// Only requests to this endpoint, by its name or its route.
        endpoint: Option<String>,
        /// The values, a request each.
        values: FileValues,
    },
}

/// Values that stand in a file. `plan.json` has their number and the file's digest, not the values themselves: they
/// may be many, and may be somebody's. So a plan that was read back cannot be driven.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileValues {
    /// SHA-256 of the whole file, in hex.
    pub sha256: String,
    /// Number of values.
    pub count: u64,
    /// The values, in the file's order.
    #[serde(skip)]
    pub list: Arc<[String]>,
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
    /// The first `hot_keys` take a share of the requests; uniform among them, and among the others.
    HotSet {
        /// Number of keys.
        keys: u64,
        /// How many of them are hot: at least one, and fewer than all.
        hot_keys: u64,
        /// Share of the requests that ask for a hot one, above 0 and below 1.
        hot_share: f64,
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
