//! One variant under one load: its servers, what the API serves, and what must be true.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::LoadPlan;
use crate::spec::{AnswerShape, BindStyle, CacheStrategy, ParamType};

/// One variant under one load: everything that a trial of it needs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CellPlan {
    /// The variant.
    pub variant: String,
    /// The load profile.
    pub load: String,
    /// Database that the API uses.
    pub database: String,
    /// The servers.
    pub stack: StackPlan,
    /// What the API serves.
    pub api: ApiPlan,
    /// What is driven, and how.
    pub drive: LoadPlan,
    /// What must be true.
    pub expect: ExpectPlan,
    /// Where it lies on a curve, if it is a point of one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub point: Option<PointPlan>,
}

/// A point of a curve: the variant, the load or both are one of several that differ in values of axes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PointPlan {
    /// The variant that it would be without axes.
    pub variant: String,
    /// The load that it would be without axes.
    pub load: String,
    /// Axis to value, as the file has them.
    pub at: BTreeMap<String, String>,
}

/// The servers of a cell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StackPlan {
    /// Postgres.
    pub postgres: ServerPlan,
    /// Redis, if any endpoint of the experiment has a cache (all variants get the same servers).
    pub redis: Option<ServerPlan>,
    /// Nginx.
    pub nginx: ServerPlan,
    /// Files that Nginx serves itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub static_files: Option<StaticPlan>,
    /// API processes.
    pub api_instances: u32,
    /// Most connections that clients open to Nginx.
    pub client_connections: u32,
}

/// One server.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerPlan {
    /// Oldest version that will do, as numbers: `[15]`, `[7, 0]`. Empty: any.
    pub min_version: Vec<u32>,
    /// The major version that it must have, where the file names one: of Postgres only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub major: Option<u32>,
    /// The environment variable that holds the URL of somebody else's server, where it is one: of Postgres only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url_from: Option<String>,
    /// Settings in the server's own words; already checked against the allowlist.
    pub settings: BTreeMap<String, String>,
}

/// Files that Nginx serves itself, under `path`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StaticPlan {
    /// What their addresses begin with, from `/` to `/`.
    pub path: String,
    /// The folder, as the file says, relative to the file.
    pub folder: String,
    /// By name.
    pub files: Vec<StaticFile>,
}

/// One file that Nginx serves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StaticFile {
    /// Name below the folder, with `/` between its parts.
    pub name: String,
    /// SHA-256 of what is in it, in hex.
    pub sha256: String,
    /// Its length.
    pub bytes: u64,
}

/// What the API serves.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ApiPlan {
    /// Database connections of each process.
    pub pool: PoolPlan,
    /// Longest wait for Redis.
    pub cache_timeout_ns: u64,
    /// Statements get this time on the server (`statement_timeout`).
    pub statement_timeout_ns: u64,
    /// Threads that serve; none: as many as there are processors, and no more than two.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threads: Option<u32>,
    /// Routes.
    pub endpoints: Vec<EndpointPlan>,
}

/// Connection pool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolPlan {
    /// Connections that stay open.
    pub size: u32,
    /// Opened on demand beyond them, closed when they are not wanted for a moment.
    pub max_overflow: u32,
    /// Test with a round trip before each use.
    pub pre_ping: bool,
    /// Longest wait for a free one.
    pub acquire_timeout_ns: u64,
    /// Requests that may wait for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_waiting: Option<u32>,
    /// Requests that share a connection, on average and at most; none: each has one of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pipeline_depth: Option<u32>,
}

/// One route.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EndpointPlan {
    /// Name in the file.
    pub name: String,
    /// `GET`, …
    pub method: String,
    /// `/users/{id}`.
    pub path: String,
    /// The statement.
    pub query: String,
    /// What `$1`, … are bound to.
    pub bind: Vec<BindPlan>,
    /// Parameters that the request carries: in the path if the path names them, else where each says.
    pub params: Vec<ParamPlan>,
    /// How rows are answered.
    #[serde(default, skip_serializing_if = "AnswerShape::is_usual")]
    pub answer: AnswerShape,
    /// How values come into the statement; the same for all endpoints of a cell.
    #[serde(default, skip_serializing_if = "BindStyle::is_usual")]
    pub bind_style: BindStyle,
    /// Parameters that come in a signed cursor, and the columns that they continue.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cursor: Vec<CursorPlan>,
    /// Entries of other endpoints that it makes wrong.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub writes: Vec<WritesPlan>,
    /// Redis.
    pub cache: Option<CachePlan>,
}

/// A parameter that comes in a signed cursor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CursorPlan {
    /// The parameter, by position in `EndpointPlan::params`.
    pub param: usize,
    /// The column of the last row whose value it is.
    pub column: String,
}

/// An entry of a cached endpoint that a write makes wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WritesPlan {
    /// The endpoint that reads it, by name.
    pub endpoint: String,
    /// Where each of its parameters is in the `params` of the endpoint that writes.
    pub params: Vec<usize>,
}

/// What a placeholder is bound to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BindPlan {
    /// A request parameter, by position in `EndpointPlan::params`.
    Param(usize),
    /// A fixed value with its type.
    Value {
        /// Type.
        r#type: ParamType,
        /// As text.
        text: String,
    },
}

/// A request parameter as the API checks it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ParamPlan {
    /// Name.
    pub name: String,
    /// Type.
    pub r#type: ParamType,
    /// Most characters of a text.
    pub max_length: Option<u32>,
    /// Smallest number.
    pub min: Option<f64>,
    /// Largest number.
    pub max: Option<f64>,
    /// Used when the request leaves it out; without one it is required, or NULL if it is optional.
    pub default: Option<String>,
    /// A JSON array of values of the type.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub array: bool,
    /// Whether a request may leave it out, or say null.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub optional: bool,
    /// Fewest characters of a text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_length: Option<u32>,
    /// What a text matches from its beginning to its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
    /// The only values; empty: any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub one_of: Vec<String>,
    /// Where it is when the path does not name it.
    #[serde(default, skip_serializing_if = "ParamPlace::is_usual")]
    pub place: ParamPlace,
}

impl ParamPlan {
    /// A parameter that must be there and may have any value of its type.
    pub fn any(name: &str, r#type: ParamType) -> Self {
        Self {
            name: name.to_owned(),
            r#type,
            max_length: None,
            min: None,
            max: None,
            default: None,
            array: false,
            optional: false,
            min_length: None,
            pattern: None,
            one_of: Vec::new(),
            place: ParamPlace::Query,
        }
    }
}

/// Where a request carries a parameter that its path does not name.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ParamPlace {
    /// In the query string.
    #[default]
    Query,
    /// A member of the JSON object in its body.
    Body,
    /// In the signed cursor.
    Cursor,
}

impl ParamPlace {
    /// Whether it is where most parameters are.
    pub fn is_usual(&self) -> bool {
        *self == Self::Query
    }
}

/// How an endpoint uses its cache.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CachePlan {
    /// Key as pieces: text, and parameters by position.
    pub key: Vec<KeyPiece>,
    /// Time to live.
    pub ttl_ns: u64,
    /// What writes and ends of lives mean to it.
    #[serde(default, skip_serializing_if = "CacheStrategy::is_usual")]
    pub strategy: CacheStrategy,
    /// A random part of this share of its life is taken from an entry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jitter: Option<f64>,
    /// How long it is remembered that there are no rows; none: it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub negative_ttl_ns: Option<u64>,
    /// Whether only one of the requests that miss at the same time asks.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub single_flight: bool,
    /// An entry with less than this share of its life left is renewed when it is asked for; none: it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh: Option<f64>,
}

impl CachePlan {
    /// Plain cache-aside.
    pub fn aside(key: Vec<KeyPiece>, ttl_ns: u64) -> Self {
        Self {
            key,
            ttl_ns,
            strategy: CacheStrategy::CacheAside,
            jitter: None,
            negative_ttl_ns: None,
            single_flight: false,
            refresh: None,
        }
    }
}

/// A piece of a cache key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyPiece {
    /// Fixed text.
    Text(String),
    /// A parameter, by position in `EndpointPlan::params`.
    Param(usize),
}

/// What must be true for a trial to be valid.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ExpectPlan {
    /// A node that the plan must have.
    pub plan: Option<PlanNode>,
    /// Index scans for each request that reached the database.
    pub index_scans_per_request: Option<f64>,
    /// In the window.
    pub cache_hit_ratio_min: Option<f64>,
    /// In the window.
    pub cache_hit_ratio_max: Option<f64>,
    /// In the window.
    pub error_ratio_max: f64,
}

/// A node of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanNode {
    /// `Index Scan`, …
    pub node: String,
    /// Index.
    pub index: Option<String>,
    /// Table.
    pub relation: Option<String>,
}
