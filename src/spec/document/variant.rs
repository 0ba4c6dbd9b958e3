//! `[variants]`: what differs, and what must be true of it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Endpoint, Fill, Load, Param, Patch, Services, Settings};

/// `[variants.NAME]`: what differs from the rest of the file, and nothing else.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Variant {
    /// For people.
    #[serde(default)]
    pub title: Option<String>,
    /// The endpoint that is driven.
    #[serde(default)]
    pub endpoint: Option<String>,
    /// Several endpoints with weights, instead of one.
    #[serde(default)]
    pub mix: Option<BTreeMap<String, f64>>,
    /// Which of `[indexes]` exist.
    #[serde(default)]
    pub indexes: Vec<String>,
    /// Laid over `[services]`.
    #[serde(default)]
    #[schemars(with = "Patch<Services>")]
    pub services: Option<serde_json::Value>,
    /// Laid over `[endpoints]`.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, Patch<Endpoint>>")]
    pub endpoints: Option<serde_json::Value>,
    /// Laid over `[params]`.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, Patch<Param>>")]
    pub params: Option<serde_json::Value>,
    /// Laid over `[load]`.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, Patch<Load>>")]
    pub load: Option<serde_json::Value>,
    /// Load before the warm-up until a condition holds.
    #[serde(default)]
    pub fill: Option<Fill>,
    /// The curve of which this variant is a point; `[matrix]` writes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub curve: Option<String>,
    /// Where on its curve the point lies: an axis to its value; `[matrix]` writes it.
    #[serde(default, skip_serializing_if = "Settings::is_empty")]
    pub at: Settings,
    /// What must be true for a trial to be valid.
    #[serde(default)]
    pub expect: Expect,
}

/// `expect`: the trial is valid only if this holds. A failed one is exit code 6.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    /// A node that the plan must have.
    #[serde(default)]
    pub plan: Option<ExpectPlan>,
    /// Index scans for each request that reached the database.
    #[serde(default)]
    pub index_scans_per_request: Option<f64>,
    /// Share of cached requests answered from the cache, in the window.
    #[serde(default)]
    pub cache_hit_ratio: Option<Limits>,
    /// Share of failed requests in the window; at most 0.001 if left out.
    #[serde(default)]
    pub error_ratio: Option<Limits>,
}

/// A node of a plan.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExpectPlan {
    /// Postgres' own name of it: `Index Scan`, `Seq Scan`, `Bitmap Heap Scan`, …
    pub node: String,
    /// The index that it uses.
    #[serde(default)]
    pub index: Option<String>,
    /// The table that it reads.
    #[serde(default)]
    pub relation: Option<String>,
}

/// From `min` to `max`, both included.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// At least.
    #[serde(default)]
    pub min: Option<f64>,
    /// At most.
    #[serde(default)]
    pub max: Option<f64>,
}
