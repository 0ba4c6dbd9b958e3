//! `[design]`: blocks, baseline, confidence.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::spec::Metric;
use crate::units::{Share, Span};

/// `[design]`: the experimental design.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Design {
    /// The variant that the others are compared with.
    pub baseline: String,
    /// Which variants, in which order; all in file order if left out.
    #[serde(default)]
    pub variants: Option<Vec<String>>,
    /// Which load profiles, in which order.
    pub loads: Vec<String>,
    /// Number of blocks: n of every interval. Each block runs every cell once, in seeded random order.
    #[schemars(range(min = 1, max = 100))]
    pub blocks: u32,
    /// The load under which the baseline runs twice per block (its difference must be zero), or `"none"`.
    #[serde(default = "none")]
    pub aa_check: String,
    /// Confidence of the intervals.
    #[serde(default = "confidence")]
    #[schemars(range(min = 0.5, max = 0.999))]
    pub confidence: f64,
    /// A smaller difference is no relevant difference.
    #[serde(default = "margin")]
    pub margin: Share,
    /// The family that verdicts are corrected over; the rest is secondary.
    #[serde(default)]
    pub primary: Option<Primary>,
    /// A run over it stops after the last whole block, and says so.
    #[serde(default)]
    pub time_budget: Option<Span>,
    /// Half-width of the interval: after a pilot of six blocks, as many are run as that takes, at most `blocks`.
    #[serde(default)]
    pub precision: Option<Share>,
    /// What of the data is in memory before the first request.
    #[serde(default)]
    pub cache_state: CacheState,
    /// Whether each request of each window is kept as it was, beside its histograms, in the run's own folder.
    #[serde(default)]
    pub samples: Samples,
    /// Whether it is measured what each index set costs those who write.
    #[serde(default)]
    pub index_costs: IndexCosts,
    /// Cells that are left out.
    #[serde(default)]
    pub exclude: Vec<Exclude>,
}

/// What of the data is in memory before the first request of a trial.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CacheState {
    /// Whatever the warm-up brings in.
    #[default]
    Hot,
    /// The files are in the system's page cache, nothing is in shared buffers; no warm-up.
    WarmOs,
    /// Neither; no warm-up.
    Cold,
}

impl CacheState {
    /// Whether it is the default, which plans do not mention.
    pub fn is_hot(&self) -> bool {
        *self == Self::Hot
    }
}

fn none() -> String {
    "none".into()
}

fn confidence() -> f64 {
    0.95
}

fn margin() -> Share {
    Share(0.05)
}

/// Raw samples.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Samples {
    /// Histograms only.
    #[default]
    None,
    /// A file a trial, a line a request.
    Keep,
}

impl Samples {
    /// Whether none are kept.
    pub fn is_none(&self) -> bool {
        *self == Self::None
    }
}

/// The price of indexes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum IndexCosts {
    /// Size and build time only.
    #[default]
    None,
    /// Inserts and updates too, before the first trial.
    Measure,
}

impl IndexCosts {
    /// Whether nothing is measured.
    pub fn is_none(&self) -> bool {
        *self == Self::None
    }
}

/// The primary metric.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Primary {
    /// The metric.
    pub metric: Metric,
    /// The load profile under which it is compared.
    pub load: String,
}

/// `[[design.exclude]]`: a cell that is left out.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Exclude {
    /// The variant.
    pub variant: String,
    /// The load profile.
    pub load: String,
}
