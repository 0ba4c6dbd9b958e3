//! `[dataset]`: migrations, tables and the generators of their columns.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Scalar;

/// `[dataset]`: where the rows come from.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Dataset {
    /// Folder of migrations, relative to this file: `NNNN_name.sql`.
    pub migrations: String,
    /// Statements after the load.
    #[serde(default = "after_load")]
    pub after_load: Vec<String>,
    /// Tables to fill.
    #[serde(default)]
    pub tables: BTreeMap<String, Table>,
}

fn after_load() -> Vec<String> {
    vec!["VACUUM (FREEZE, ANALYZE)".into()]
}

/// `[dataset.tables.NAME]`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// Number of rows.
    #[schemars(range(min = 0, max = 1_000_000_000_u64))]
    pub rows: u64,
    /// Column name to its generator; columns not named get their default.
    pub columns: BTreeMap<String, Column>,
}

/// How a column's values are made, each a pure function of (seed, table, column, row).
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Column {
    /// Which generator.
    #[serde(default)]
    pub generator: Option<GeneratorKind>,
    /// `template`: text with `{row}` (counts from 1).
    #[serde(default)]
    pub template: Option<String>,
    /// `weighted`: value to its weight.
    #[serde(default)]
    pub weights: Option<BTreeMap<String, f64>>,
    /// `timestamp`: first value, RFC 3339. `sequence`: first number.
    #[serde(default)]
    pub start: Option<Scalar>,
    /// `timestamp`: distance from row to row. `sequence`: a number.
    #[serde(default)]
    pub step: Option<Scalar>,
    /// `integer`, `float`, `words`: smallest value (or number of words).
    #[serde(default)]
    pub min: Option<f64>,
    /// `integer`, `float`, `words`: largest value (or number of words), inclusive.
    #[serde(default)]
    pub max: Option<f64>,
    /// `constant`: the value.
    #[serde(default)]
    pub value: Option<Scalar>,
    /// `bool`: share of true.
    #[serde(default)]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub probability: Option<f64>,
    /// Share of rows that are NULL.
    #[serde(default)]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub null_ratio: Option<f64>,
}

/// The generators.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum GeneratorKind {
    /// Numbers one after the other: `start`, `step`.
    Sequence,
    /// Text with the row number in it.
    Template,
    /// First and last name.
    PersonName,
    /// One of some values, by weight.
    Weighted,
    /// Points in time: `start`, `step`.
    Timestamp,
    /// Uniform whole numbers: `min`, `max`.
    Integer,
    /// Uniform numbers: `min`, `max`.
    Float,
    /// True with `probability`.
    Bool,
    /// Words of a sentence: `min` to `max` of them.
    Words,
    /// Random UUID (version 4 layout).
    Uuid,
    /// The same `value` in every row.
    Constant,
}
