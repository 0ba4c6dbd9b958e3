//! `[dataset.tables.NAME.columns]`: the generator of a column and its keys.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Scalar;

/// How a column's values are made, each a pure function of (seed, table, column, row).
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Column {
    /// Which generator.
    #[serde(default)]
    pub generator: Option<GeneratorKind>,
    /// `template`: text with `{row}` (counts from 1) and `{column}`, another column of the table.
    #[serde(default)]
    pub template: Option<String>,
    /// `weighted`: value to its weight.
    #[serde(default)]
    pub weights: Option<BTreeMap<String, f64>>,
    /// `choice`: the values, all alike frequent.
    #[serde(default)]
    pub values: Option<Vec<Scalar>>,
    /// `timestamp`, `uuid` of version 7: first moment, RFC 3339. `date`: first day. `sequence`: first number.
    #[serde(default)]
    pub start: Option<Scalar>,
    /// `timestamp`, `uuid` of version 7: distance from row to row. `sequence`: a number.
    #[serde(default)]
    pub step: Option<Scalar>,
    /// `timestamp`: the moment before which all are, RFC 3339. `date`: last day.
    #[serde(default)]
    pub end: Option<String>,
    /// `timestamp` with an `end`, `date`: how many times as frequent the end is as the start.
    #[serde(default)]
    #[schemars(range(min = 0.001, max = 1000.0))]
    pub growth: Option<f64>,
    /// `timestamp` with an `end`: Mondays to Fridays between two times of the day (UTC), like `09:00-17:00`.
    #[serde(default)]
    pub business_hours: Option<String>,
    /// `timestamp` with an `end`, `date`: `random` (the default), or `ascending` with the rows.
    #[serde(default)]
    pub order: Option<MomentOrder>,
    /// Numbers: smallest value. Texts, arrays and bytes: fewest words, sentences, characters, elements, bytes.
    #[serde(default)]
    pub min: Option<f64>,
    /// Numbers: largest value. Texts, arrays and bytes: most words, sentences, characters, elements, bytes.
    #[serde(default)]
    pub max: Option<f64>,
    /// `integer`, `float`, `numeric`, `offset`, `foreign-key`: how often which.
    #[serde(default)]
    pub distribution: Option<NumberDistribution>,
    /// Normal and exponential distributions: the mean.
    #[serde(default)]
    pub mean: Option<f64>,
    /// Normal distributions: the standard deviation.
    #[serde(default)]
    pub deviation: Option<f64>,
    /// Zipf's law, of numbers, foreign keys and words: its exponent.
    #[serde(default)]
    #[schemars(range(min = 0.01, max = 20.0))]
    pub exponent: Option<f64>,
    /// `numeric`: digits after the point.
    #[serde(default)]
    #[schemars(range(min = 0, max = 9))]
    pub scale: Option<u32>,
    /// `words`, `sentences`, `text`: number of different words.
    #[serde(default)]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub vocabulary: Option<u64>,
    /// `constant`: the value.
    #[serde(default)]
    pub value: Option<Scalar>,
    /// `bool`: share of true.
    #[serde(default)]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub probability: Option<f64>,
    /// `uuid`: 4 (random, the default) or 7 (by time).
    #[serde(default)]
    #[schemars(range(min = 4, max = 7))]
    pub version: Option<u32>,
    /// `email`: the domain of all addresses.
    #[serde(default)]
    pub domain: Option<String>,
    /// `foreign-key`: `table.column`.
    #[serde(default)]
    pub references: Option<String>,
    /// `foreign-key`: each row referred to by rows that lie together, and how many they are.
    #[serde(default)]
    pub per_parent: Option<PerParent>,
    /// `json`: member to its generator.
    #[serde(default)]
    pub fields: Option<BTreeMap<String, Self>>,
    /// `array`: the generator of the elements.
    #[serde(default)]
    pub of: Option<Box<Self>>,
    /// `inet`: the network that addresses are of.
    #[serde(default)]
    pub network: Option<String>,
    /// `point`: least x, least y, most x, most y.
    #[serde(default)]
    pub area: Option<Vec<f64>>,
    /// `offset`: the other column of the row.
    #[serde(default)]
    pub column: Option<String>,
    /// `offset` from a moment: smallest distance.
    #[serde(default)]
    pub shortest: Option<String>,
    /// `offset` from a moment: largest distance.
    #[serde(default)]
    pub longest: Option<String>,
    /// Another column of the row: where its value is the same, so is this one's.
    #[serde(default)]
    pub depends_on: Option<String>,
    /// Share of the rows that follow `depends_on`; the others are drawn for themselves.
    #[serde(default)]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub dependence: Option<f64>,
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
    /// Points in time: `start` and `step`, or `start` and `end`.
    Timestamp,
    /// Whole numbers: `min`, `max`.
    Integer,
    /// Numbers: `min`, `max`.
    Float,
    /// True with `probability`.
    Bool,
    /// Words of a sentence: `min` to `max` of them.
    Words,
    /// UUID: random, or with `version = 7` by time.
    Uuid,
    /// The same `value` in every row.
    Constant,
    /// One of some values, all alike frequent: `values`.
    Choice,
    /// Decimals: `min`, `max`, `scale`.
    Numeric,
    /// Days: `start`, `end`.
    Date,
    /// E-mail addresses, each once.
    Email,
    /// Names of companies.
    Company,
    /// Sentences: `min` to `max` of them.
    Sentences,
    /// Words cut to a length: `min` to `max` characters.
    Text,
    /// Whole numbers from `min` to `max`, each at most once, in no visible order.
    Permutation,
    /// Values of another table's column: `references`.
    ForeignKey,
    /// JSON objects: `fields`.
    Json,
    /// Postgres arrays: `of`, `min`, `max`.
    Array,
    /// Random bytes: `min`, `max`.
    Bytea,
    /// Addresses of a `network`.
    Inet,
    /// Points of an `area`.
    Point,
    /// Another column of the row plus a number or a duration.
    Offset,
}

/// How often which number of a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum NumberDistribution {
    /// All alike.
    Uniform,
    /// A bell: `mean`, `deviation`.
    Normal,
    /// Falling from the smallest: `mean`.
    Exponential,
    /// Zipf's law: `exponent`.
    Zipfian,
}

/// By how many rows each row of the other table is referred to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PerParent {
    /// The same number each.
    Equal,
    /// From none to twice the mean.
    Uniform,
    /// Many with few, some with many.
    Exponential,
}

/// How moments follow on each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum MomentOrder {
    /// In no order.
    Random,
    /// Rising with the rows.
    Ascending,
}

/// How rows lie in their table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RowsLie {
    /// By their number.
    Clustered,
    /// In no order.
    Shuffled,
}
