//! What the numbers are held against: the design, claims, thresholds, deltas.

use serde::{Deserialize, Serialize};

use crate::spec::{Better, CacheState, IndexCosts, Metric, Samples};

/// The design, as the statistics need it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DesignPlan {
    /// The variant that others are compared with.
    pub baseline: String,
    /// n of every interval.
    pub blocks: u32,
    /// The load with the twin.
    pub aa_check: Option<String>,
    /// Confidence of the intervals, 0 to 1.
    pub confidence: f64,
    /// Share below which a difference is not relevant.
    pub margin: f64,
    /// Metric and load of the primary family.
    pub primary_metric: Metric,
    /// Its load.
    pub primary_load: String,
    /// A run over it stops after the last whole block.
    pub time_budget_ns: Option<u64>,
    /// Half-width of the ratio's interval, 0.03 for 3 %: after a pilot as many blocks are run as that takes, `blocks` at
    /// most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub precision: Option<f64>,
    /// What of the data is in memory before the first request of a trial.
    #[serde(default, skip_serializing_if = "CacheState::is_hot")]
    pub cache_state: CacheState,
    /// Whether each request of each window is kept as it was.
    #[serde(default, skip_serializing_if = "Samples::is_none")]
    pub samples: Samples,
    /// Whether it is measured what each index set costs those who write.
    #[serde(default, skip_serializing_if = "IndexCosts::is_none")]
    pub index_costs: IndexCosts,
}

/// A claim.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClaimPlan {
    /// Name.
    pub id: String,
    /// The sentence.
    pub text: String,
    /// Where it stands.
    pub source: Option<String>,
    /// The metric.
    pub metric: Metric,
    /// The variant.
    pub variant: String,
    /// The load; none for metrics of data.
    pub load: Option<String>,
    /// Compared with this variant.
    pub vs: Option<String>,
    /// Lowest value (in the metric's unit, or the ratio) that supports it.
    pub low: Option<f64>,
    /// Highest.
    pub high: Option<f64>,
}

/// A threshold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ThresholdPlan {
    /// The metric.
    pub metric: Metric,
    /// Which way is better.
    pub better: Better,
    /// Variants.
    pub variants: Vec<String>,
    /// Loads.
    pub loads: Vec<String>,
    /// At least, in the metric's unit.
    pub min: Option<f64>,
    /// At most, in the metric's unit.
    pub max: Option<f64>,
}

/// Limits against a kept run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RegressionPlan {
    /// Folder, relative to the file.
    pub kept: String,
    /// Tolerance of exact figures.
    pub structure: Option<f64>,
    /// Metric and tolerance of its ratio to the baseline.
    pub ratios: Vec<(Metric, f64)>,
}

/// How a variant differs from the baseline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeltaPlan {
    /// The variant.
    pub variant: String,
    /// Factor, the baseline's level, this variant's level.
    pub factors: Vec<(String, String, String)>,
}
