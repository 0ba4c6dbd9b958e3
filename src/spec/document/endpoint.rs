//! `[params]` and `[endpoints]`: what is asked, by which statement, and what a right answer looks like.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Scalar;
use super::values::{FromCsv, FromLog, HotKeys};
use crate::units::{Share, Span};

/// `[params.NAME]`: a request parameter.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Param {
    /// The type that the API accepts and binds.
    pub r#type: ParamType,
    /// A list of values of that type, written as JSON: `[1, 2]`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub array: bool,
    /// `false`: a request may leave it out, and the statement gets NULL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub required: Option<bool>,
    /// `text`: fewest characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1_000_000))]
    pub min_length: Option<u32>,
    /// `text`: most characters.
    #[serde(default)]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub max_length: Option<u32>,
    /// `text`: a regular expression that the whole value matches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1000))]
    pub pattern: Option<String>,
    /// `text`, `enum`: the only values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub one_of: Option<Vec<String>>,
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
    /// Values from a column of a CSV file, instead of `from`.
    #[serde(default)]
    pub from_csv: Option<FromCsv>,
    /// Values as a log of requests has them, one after the other, instead of `from`.
    #[serde(default)]
    pub from_log: Option<FromLog>,
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
    /// A Postgres enum, or whatever else the statement wants there that is sent as text.
    Enum,
}

impl ParamType {
    /// Postgres' name of it; of an enum the pseudo-type that takes the type that the statement wants there.
    pub fn sql_name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Integer => "int4",
            Self::Bigint => "int8",
            Self::Float => "float8",
            Self::Numeric => "numeric",
            Self::Bool => "bool",
            Self::Uuid => "uuid",
            Self::Date => "date",
            Self::Timestamp => "timestamp",
            Self::Timestamptz => "timestamptz",
            Self::Json => "jsonb",
            Self::Enum => "unknown",
        }
    }
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
    /// Number of different keys; all rows if left out (`zipfian`, `hot-set` and `sequential` need it).
    #[serde(default)]
    #[schemars(range(min = 1, max = 10_000_000))]
    pub keys: Option<u64>,
    /// `hot-set`: how many of the keys are hot, a number or a share like `"1%"`.
    #[serde(default)]
    pub hot_keys: Option<HotKeys>,
    /// `hot-set`: the share of requests that ask for hot keys.
    #[serde(default)]
    pub hot_requests: Option<Share>,
}

impl Default for Distribution {
    fn default() -> Self {
        Self {
            kind: DistributionKind::Uniform,
            exponent: None,
            keys: None,
            hot_keys: None,
            hot_requests: None,
        }
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
    /// `hot_keys` take `hot_requests` of the requests; uniform among them, and among the others.
    HotSet,
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
    /// Names of params that the request carries as members of a JSON object in its body.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub body: Vec<String>,
    /// Pages by key: params that are taken from the signed cursor of the page before, and the columns that they continue.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub cursor: BTreeMap<String, String>,
    /// How rows are answered.
    #[serde(default, skip_serializing_if = "AnswerShape::is_usual")]
    pub answer: AnswerShape,
    /// Cached endpoints whose entries this one makes wrong: their entries of the same params go, or become its answer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub writes: Vec<String>,
    /// Answer from Redis where possible.
    #[serde(default)]
    pub cache: Option<Cache>,
    /// What a right answer looks like.
    #[serde(default)]
    pub check: Check,
}

/// How the rows of a statement are answered. A statement that returns no columns answers `{"affected": n}`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AnswerShape {
    /// An array of objects.
    #[default]
    Rows,
    /// The only row, as an object; 404 where there is none.
    Row,
    /// An object a line (NDJSON), sent while rows come.
    Lines,
}

impl AnswerShape {
    /// Whether it is what most endpoints answer.
    pub fn is_usual(&self) -> bool {
        *self == Self::Rows
    }
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
    /// Up to this share less than `ttl`, at random, so that entries do not end together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jitter: Option<Share>,
    /// How long it is remembered that there are no rows; left out, such answers are not stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub negative_ttl: Option<Span>,
    /// Whether only one of the requests that miss an entry at the same time asks the database.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub single_flight: bool,
    /// `refresh-ahead`: renewed when less than this share of its life is left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh: Option<Share>,
}

/// Caching strategies. With all of them the API looks first, and fills on a miss.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CacheStrategy {
    /// Nothing else; a write removes the entry.
    #[default]
    CacheAside,
    /// A write stores its answer as the entry.
    WriteThrough,
    /// Writes go to the cache, and to the database later.
    WriteBehind,
    /// Entries that are asked for are renewed before they end; a write removes the entry.
    RefreshAhead,
}

impl CacheStrategy {
    /// Whether it is the plain one.
    pub fn is_usual(&self) -> bool {
        *self == Self::CacheAside
    }

    /// As the file writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::CacheAside => "cache-aside",
            Self::WriteThrough => "write-through",
            Self::WriteBehind => "write-behind",
            Self::RefreshAhead => "refresh-ahead",
        }
    }
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
    /// The column of the only row that grows by each write of it: answers that are older than a write are counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub version: Option<String>,
}
