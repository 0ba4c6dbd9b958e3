//! `[load]`: how requests arrive, and for how long.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::units::{Rate, Span};

/// `[load.NAME]`: how requests arrive.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Load {
    /// Closed: users wait for their answers. Open: requests arrive by the clock.
    pub model: LoadModel,
    /// `closed`: number of users.
    #[serde(default)]
    #[schemars(range(min = 1, max = 10_000))]
    pub users: Option<u32>,
    /// `closed`: pause between an answer and the next request.
    #[serde(default)]
    pub think_time: Option<Span>,
    /// `open`: offered rate.
    #[serde(default)]
    pub rate: Option<Rate>,
    /// `open`: how arrivals are spaced.
    #[serde(default)]
    pub arrival: Option<Arrival>,
    /// `open`: requests under way at most; beyond it arrivals are dropped, counted, and the trial is overloaded.
    #[serde(default)]
    #[schemars(range(min = 1, max = 10_000))]
    pub max_in_flight: Option<u32>,
    /// `open`: connections at most; arrivals wait for a free one, and those who wait count as under way. Left out, every
    /// arrival is sent at once.
    #[serde(default)]
    #[schemars(range(min = 1, max = 10_000))]
    pub connections: Option<u32>,
    /// A request without an answer by then has failed.
    #[serde(default = "timeout")]
    pub timeout: Span,
    /// Load before the measured window.
    #[serde(default)]
    pub warmup: Warmup,
    /// The measured window.
    pub duration: Span,
}

fn timeout() -> Span {
    Span::from_secs(30)
}

/// Load models (Schroeder, Wierman, Harchol-Balter, NSDI 2006).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LoadModel {
    /// A fixed number of users, each with one request at a time.
    Closed,
    /// Requests arrive whether or not earlier ones were answered.
    Open,
}

/// Arrival processes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Arrival {
    /// Exponential gaps.
    #[default]
    Poisson,
    /// Equal gaps.
    Constant,
}

/// Load before the measured window.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Warmup {
    /// At least so long.
    pub min: Span,
    /// At most so long.
    pub max: Span,
    /// Ends early when this holds: `"steady"`, or a condition like `"cache_hit_ratio >= 0.90"`.
    pub until: String,
}

impl Default for Warmup {
    fn default() -> Self {
        Self { min: Span::from_secs(1), max: Span::from_secs(10), until: "steady".into() }
    }
}

/// `fill`: load before the warm-up, at its own pace, until a condition holds.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Fill {
    /// Users of a closed loop.
    #[schemars(range(min = 1, max = 10_000))]
    pub users: u32,
    /// The condition must hold by then, or the trial has failed.
    pub max: Span,
    /// `"cache_hit_ratio >= 0.94"`.
    pub until: String,
}
