//! `[[claims]]`, `[[thresholds]]` and `[regression]`: what the numbers are held against.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Scalar;
use crate::spec::Metric;
use crate::units::Share;

/// `[[claims]]`: a sentence of a document, checked against the numbers.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    /// Name of the claim.
    #[schemars(regex(pattern = "^[a-z0-9][a-z0-9_-]{0,47}$"))]
    pub id: String,
    /// The sentence.
    pub text: String,
    /// Where it stands.
    #[serde(default)]
    pub source: Option<String>,
    /// What it says, as numbers.
    pub expect: ClaimExpect,
}

/// What a claim says: exactly one of `about`, `ratio`, `at_least`, `at_most`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClaimExpect {
    /// The metric.
    pub metric: Metric,
    /// The variant.
    pub variant: String,
    /// The load profile; not for sizes and build times.
    #[serde(default)]
    pub load: Option<String>,
    /// Compared with this variant: `ratio` is this variant's value over that one's.
    #[serde(default)]
    pub vs: Option<String>,
    /// About this much, give or take `tolerance`: a number, or a text with its unit.
    #[serde(default)]
    pub about: Option<Scalar>,
    /// About this ratio to `vs`, give or take `tolerance`.
    #[serde(default)]
    pub ratio: Option<f64>,
    /// At least this much (the ratio, if there is a `vs`).
    #[serde(default)]
    pub at_least: Option<Scalar>,
    /// At most this much (the ratio, if there is a `vs`).
    #[serde(default)]
    pub at_most: Option<Scalar>,
    /// For `about` and `ratio`.
    #[serde(default)]
    pub tolerance: Option<Share>,
}

/// `[[thresholds]]`: an absolute limit; a broken one is exit code 10.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Threshold {
    /// The metric.
    pub metric: Metric,
    /// Which variants; all if left out.
    #[serde(default)]
    pub variants: Option<Vec<String>>,
    /// Which loads; all if left out.
    #[serde(default)]
    pub loads: Option<Vec<String>>,
    /// At most: a number, or a text with its unit.
    #[serde(default)]
    pub max: Option<Scalar>,
    /// At least.
    #[serde(default)]
    pub min: Option<Scalar>,
}

/// `[regression]`: limits against a kept run.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Regression {
    /// The kept run's folder, relative to this file.
    pub kept: String,
    /// Tolerance of what is exact on any machine: plans, buffers, rows, statements, bytes.
    #[serde(default)]
    pub structure: Option<Share>,
    /// Metric to tolerance of its ratio to the baseline variant.
    #[serde(default)]
    pub ratios: BTreeMap<Metric, Share>,
}
