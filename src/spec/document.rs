//! The experiment file as types: what an author may write, with units, bounds and words.
//!
//! The JSON schema is generated from here, so the doc comments are what an editor shows. No flatten, no untagged and
//! no internally tagged enums: their messages are bad. `plan` never sees TOML, only these types.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::units::{Rate, Share, Span};

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
    /// The rows.
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

/// `[services]`: the servers under test.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Services {
    /// Postgres. Always there.
    #[serde(default)]
    pub postgres: Server,
    /// Redis. Started when any endpoint of a variant has a cache.
    #[serde(default)]
    pub redis: Server,
    /// Nginx, in front of the API.
    #[serde(default)]
    pub nginx: Server,
    /// The embedded API.
    #[serde(default)]
    pub api: ApiService,
}

/// One server: the version that it must have, and its settings.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Server {
    /// The oldest version that will do: `">=15"`.
    #[serde(default)]
    #[schemars(regex(pattern = "^>=[0-9]{1,3}(\\.[0-9]{1,3}){0,2}$"))]
    pub version: Option<String>,
    /// Settings of the server, in its own words and units; only known tuning settings are allowed.
    #[serde(default)]
    pub settings: Settings,
    /// How others reach it.
    #[serde(default)]
    pub transport: Transport,
}

/// How a server is reached.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Transport {
    /// A unix socket in a private folder.
    #[default]
    Unix,
    /// TCP on 127.0.0.1.
    Tcp,
}

/// `[services.api]`: the embedded API.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ApiService {
    /// Number of API processes behind Nginx.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 16))]
    pub instances: u32,
    /// Database connections of each process.
    #[serde(default)]
    pub pool: Pool,
    /// Longest wait for an answer of Redis before the request goes on without it.
    #[serde(default = "cache_timeout")]
    pub cache_timeout: Span,
}

fn one() -> u32 {
    1
}
fn cache_timeout() -> Span {
    Span::from_millis(50)
}

impl Default for ApiService {
    fn default() -> Self {
        Self { instances: 1, pool: Pool::default(), cache_timeout: cache_timeout() }
    }
}

/// Connection pool: `size` connections stay, `max_overflow` more are opened on demand and closed on return.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Pool {
    /// Connections that stay open.
    #[schemars(range(min = 1, max = 500))]
    pub size: u32,
    /// Connections opened on demand beyond them.
    #[schemars(range(min = 0, max = 500))]
    pub max_overflow: u32,
    /// Whether a connection is tested with a round trip before each use.
    pub pre_ping: bool,
    /// Longest wait for a free connection.
    pub acquire_timeout: Span,
}

impl Default for Pool {
    fn default() -> Self {
        Self { size: 20, max_overflow: 10, pre_ping: true, acquire_timeout: Span::from_secs(30) }
    }
}

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

/// A number, a text or a truth value, kept as the text that a server or a statement gets.
#[derive(Debug, Clone, PartialEq)]
pub enum Scalar {
    /// A text.
    Text(String),
    /// A whole number.
    Int(i64),
    /// A number.
    Float(f64),
    /// A truth value.
    Bool(bool),
}

impl std::fmt::Display for Scalar {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Text(t) => f.write_str(t),
            Self::Int(i) => write!(f, "{i}"),
            Self::Float(x) => write!(f, "{x}"),
            Self::Bool(b) => write!(f, "{b}"),
        }
    }
}

impl Serialize for Scalar {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(t) => s.serialize_str(t),
            Self::Int(i) => s.serialize_i64(*i),
            Self::Float(x) => s.serialize_f64(*x),
            Self::Bool(b) => s.serialize_bool(*b),
        }
    }
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Visit;
        impl serde::de::Visitor<'_> for Visit {
            type Value = Scalar;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a text, a number or a truth value")
            }
            fn visit_str<E>(self, v: &str) -> Result<Scalar, E> {
                Ok(Scalar::Text(v.to_owned()))
            }
            fn visit_i64<E>(self, v: i64) -> Result<Scalar, E> {
                Ok(Scalar::Int(v))
            }
            fn visit_u64<E: serde::de::Error>(self, v: u64) -> Result<Scalar, E> {
                i64::try_from(v).map(Scalar::Int).map_err(|_| E::custom("number is too large"))
            }
            fn visit_f64<E>(self, v: f64) -> Result<Scalar, E> {
                Ok(Scalar::Float(v))
            }
            fn visit_bool<E>(self, v: bool) -> Result<Scalar, E> {
                Ok(Scalar::Bool(v))
            }
        }
        d.deserialize_any(Visit)
    }
}

impl JsonSchema for Scalar {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Scalar".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": ["string", "integer", "number", "boolean"] })
    }
}

/// `[params.NAME]`: a request parameter.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Param {
    /// The type that the API accepts and binds.
    pub r#type: ParamType,
    /// `text`: most characters.
    #[serde(default)]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub max_length: Option<u32>,
    /// Smallest number.
    #[serde(default)]
    pub min: Option<f64>,
    /// Largest number.
    #[serde(default)]
    pub max: Option<f64>,
    /// Used when the request leaves it out; without one the parameter is required.
    #[serde(default)]
    pub default: Option<Scalar>,
    /// `table.column` whose generated values are asked for.
    #[serde(default)]
    pub from: Option<String>,
    /// Only rows whose generated values are these.
    #[serde(default)]
    pub r#where: BTreeMap<String, Scalar>,
    /// Values to choose from, instead of `from`.
    #[serde(default)]
    pub values: Option<Vec<Scalar>>,
    /// How often each value is asked for.
    #[serde(default)]
    pub distribution: Distribution,
}

/// Types of request parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ParamType {
    /// Postgres `text`.
    Text,
    /// Postgres `int4`.
    Integer,
    /// Postgres `int8`.
    Bigint,
    /// Postgres `float8`.
    Float,
    /// Postgres `numeric`.
    Numeric,
    /// Postgres `bool`.
    Bool,
    /// Postgres `uuid`.
    Uuid,
    /// Postgres `date`.
    Date,
    /// Postgres `timestamp`.
    Timestamp,
    /// Postgres `timestamptz`.
    Timestamptz,
    /// Postgres `jsonb`.
    Json,
}

/// How often each value is asked for.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Distribution {
    /// Which distribution.
    #[serde(default)]
    pub kind: DistributionKind,
    /// `zipfian`: the exponent, usually 0.99.
    #[serde(default)]
    #[schemars(range(min = 0.01, max = 10.0))]
    pub exponent: Option<f64>,
    /// Number of different keys; all rows if left out (`zipfian` and `sequential` need it).
    #[serde(default)]
    #[schemars(range(min = 1, max = 10_000_000))]
    pub keys: Option<u64>,
}

impl Default for Distribution {
    fn default() -> Self {
        Self { kind: DistributionKind::Uniform, exponent: None, keys: None }
    }
}

/// Distributions of keys.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DistributionKind {
    /// Every key equally often.
    #[default]
    Uniform,
    /// A few keys very often (Zipf's law with `exponent`).
    Zipfian,
    /// One key after the other.
    Sequential,
}

/// `[endpoints.NAME]`: a route of the API and its statement.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Endpoint {
    /// Method and path: `GET /users/indexed`, `GET /users/{id}`.
    #[schemars(regex(pattern = "^(GET|POST|PUT|PATCH|DELETE) /[^ ?#]*$"))]
    pub route: String,
    /// One SQL statement with `$1`, `$2`, …
    #[schemars(length(min = 1, max = 100_000))]
    pub query: String,
    /// What `$1`, `$2`, … are: names of params, or `{ value = … }`.
    #[serde(default)]
    pub bind: Vec<Bind>,
    /// Answer from Redis where possible.
    #[serde(default)]
    pub cache: Option<Cache>,
    /// What a right answer looks like.
    #[serde(default)]
    pub check: Check,
}

/// What a placeholder is bound to.
#[derive(Debug, Clone, PartialEq)]
pub enum Bind {
    /// A request parameter.
    Param(String),
    /// A fixed value.
    Value(Scalar),
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct FixedValue {
    /// The value.
    value: Scalar,
}

impl Serialize for Bind {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Param(name) => s.serialize_str(name),
            Self::Value(value) => FixedValue { value: value.clone() }.serialize(s),
        }
    }
}

impl<'de> Deserialize<'de> for Bind {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Visit;
        impl<'de> serde::de::Visitor<'de> for Visit {
            type Value = Bind;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("the name of a param, or `{ value = … }`")
            }
            fn visit_str<E>(self, v: &str) -> Result<Bind, E> {
                Ok(Bind::Param(v.to_owned()))
            }
            fn visit_map<A: serde::de::MapAccess<'de>>(self, map: A) -> Result<Bind, A::Error> {
                let fixed =
                    FixedValue::deserialize(serde::de::value::MapAccessDeserializer::new(map))?;
                Ok(Bind::Value(fixed.value))
            }
        }
        d.deserialize_any(Visit)
    }
}

impl JsonSchema for Bind {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Bind".into()
    }
    fn json_schema(g: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let fixed = g.subschema_for::<FixedValue>();
        schemars::json_schema!({ "anyOf": [{ "type": "string" }, fixed] })
    }
}

/// `cache = { … }`: answer from Redis where possible.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cache {
    /// Who fills the cache.
    pub strategy: CacheStrategy,
    /// Key with `{param}` in it.
    #[schemars(length(min = 1, max = 200))]
    pub key: String,
    /// Time to live.
    pub ttl: Span,
}

/// Caching strategies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CacheStrategy {
    /// The API looks first, and fills on a miss.
    CacheAside,
    /// Writes go to the cache too.
    WriteThrough,
    /// Writes go to the cache, and to the database later.
    WriteBehind,
    /// Entries are renewed before they end.
    RefreshAhead,
}

/// `check = { … }`: one response is right. An answer that differs is exit code 6.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Check {
    /// The HTTP status; 200 if left out.
    #[serde(default)]
    #[schemars(range(min = 100, max = 599))]
    pub status: Option<u16>,
    /// The number of rows.
    #[serde(default)]
    pub rows: Option<u64>,
    /// Fields of every row: fixed values, or `"{param}"`.
    #[serde(default)]
    pub fields: BTreeMap<String, Scalar>,
}

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
    /// Half-width of the interval at which to stop adding blocks.
    #[serde(default)]
    pub precision: Option<Share>,
    /// Cells that are left out.
    #[serde(default)]
    pub exclude: Vec<Exclude>,
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

pub use super::metric::Metric;

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
