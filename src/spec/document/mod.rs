//! The experiment file as types: what an author may write, with units, bounds and words.
//!
//! The JSON schema is generated from here, so the doc comments are what an editor shows. No flatten, no untagged and
//! no internally tagged enums: their messages are bad. `plan` never sees TOML, only these types.

mod claim;
mod column;
mod dataset;
mod design;
mod endpoint;
mod load;
mod processors;
mod rows_from;
mod scalar;
mod services;
mod values;
mod variant;

use std::collections::BTreeMap;

pub use claim::{Claim, ClaimExpect, Regression, Threshold};
pub use column::{Column, GeneratorKind, MomentOrder, NumberDistribution, PerParent, RowsLie};
pub use dataset::{Dataset, Table};
pub use design::{CacheState, Design, Exclude, IndexCosts, Primary, Samples};
pub use endpoint::{
    AnswerShape, Bind, Cache, CacheStrategy, Check, Distribution, DistributionKind, Endpoint,
    Param, ParamType,
};
pub use load::{Arrival, Fill, Load, LoadModel, Search, Stage, Warmup};
pub use processors::Processors;
pub use rows_from::RowsFrom;
pub use scalar::Scalar;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
pub use services::{
    ApiService, BindStyle, Pool, PoolMode, Server, Services, StaticFiles, Transport,
};
pub use values::{FromCsv, FromLog, HotKeys};
pub use variant::{Expect, ExpectPlan, Limits, Variant};

/// Names of variants, endpoints, loads and the like: they become file names and plot labels.
pub const NAME_PATTERN: &str = "^[a-z0-9][a-z0-9_-]{0,47}$";

/// Settings, columns and other open tables of scalars: the author's spelling, as text.
pub type Settings = BTreeMap<String, Scalar>;

/// One experiment file.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Document {
    /// What is asked, and the prose of the decision record.
    pub experiment: Experiment,
    /// The servers under test.
    #[serde(default)]
    pub services: Services,
    /// The rows. Needed unless Postgres is somebody else's.
    #[serde(default)]
    pub dataset: Dataset,
    /// Index name to its CREATE INDEX statement; switched on per variant.
    #[serde(default)]
    pub indexes: BTreeMap<String, String>,
    /// Request parameters: their type, and which values are asked for how often.
    #[serde(default)]
    pub params: BTreeMap<String, Param>,
    /// Routes of the API.
    pub endpoints: BTreeMap<String, Endpoint>,
    /// Load profiles.
    pub load: BTreeMap<String, Load>,
    /// Axes: a key to its values. Each load profile of the design that states the key becomes one for each value; a whole key
    /// in quotes, like `"services.api.pool.size"`, makes one variant for each.
    #[serde(default)]
    pub matrix: BTreeMap<String, Vec<Scalar>>,
    /// What is compared. A variant is a patch: it states only what differs.
    pub variants: BTreeMap<String, Variant>,
    /// The experimental design.
    pub design: Design,
    /// Sentences of a document, checked against the numbers.
    #[serde(default)]
    pub claims: Vec<Claim>,
    /// Absolute limits; a broken one is exit code 10.
    #[serde(default)]
    pub thresholds: Vec<Threshold>,
    /// Limits against a kept run, judged under `--gate`.
    #[serde(default)]
    pub regression: Option<Regression>,
    /// The same experiment in other sizes: each a partial copy of this file.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, Patch<Document>>")]
    pub profiles: BTreeMap<String, serde_json::Value>,
}

/// Marks, in the schema only, a table whose required keys may be left out because it is laid over another one.
#[derive(JsonSchema)]
#[schemars(transform = mark_patch)]
pub struct Patch<T>(T);

fn mark_patch(schema: &mut schemars::Schema) {
    schema.insert("x-patch".into(), true.into());
}

/// `[experiment]`: identity, question and prose.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Experiment {
    /// Version of this file format: 1.
    #[schemars(range(min = 1, max = 1))]
    pub format: u32,
    /// The file's stem: `0001-email-lookup`.
    #[schemars(regex(pattern = "^[a-z0-9][a-z0-9_-]{0,79}$"))]
    pub id: String,
    /// One line.
    #[schemars(length(min = 1, max = 200))]
    pub title: String,
    /// The question that the experiment answers.
    #[schemars(length(min = 1, max = 500))]
    pub question: String,
    /// Prose: why the question comes up. Markdown.
    #[serde(default)]
    pub context: String,
    /// Prose: what the decision has to weigh. Markdown.
    #[serde(default)]
    pub drivers: String,
    /// Prose: what was decided. Markdown.
    #[serde(default)]
    pub decision: String,
    /// Prose: what follows from it. Markdown.
    #[serde(default)]
    pub consequences: String,
    /// The one root seed: rows, order, parameters and arrivals are derived from it.
    #[schemars(range(min = 0, max = 9_007_199_254_740_991_u64))]
    pub seed: u64,
    /// Words to find it by.
    #[serde(default)]
    pub tags: Vec<String>,
}
