//! What will be done, with nothing left to decide. Serialisable: `plan.json` is exactly this.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::rows::TableSpec;
use crate::spec::{Better, Metric, ParamType};

/// Version of `plan.json`.
pub const FORMAT: u32 = 1;

/// Everything decided about one experiment at one size.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Version of this format.
    pub format: u32,
    /// SHA-256 of the rest, in hex: same fingerprint, same work.
    pub fingerprint: String,
    /// Identity and prose.
    pub experiment: ExperimentPlan,
    /// The profile's name; `full` where none was named.
    pub profile: String,
    /// The root seed.
    pub seed: u64,
    /// Migrations and rows.
    pub dataset: DatasetPlan,
    /// The databases: one per index set, `template` cloned.
    pub index_sets: Vec<IndexSetPlan>,
    /// In the order of the report.
    pub variants: Vec<VariantPlan>,
    /// Load profiles, in the order of the report.
    pub loads: Vec<String>,
    /// Variants × loads, less the exclusions.
    pub cells: Vec<CellPlan>,
    /// In the order in which they run.
    pub trials: Vec<TrialPlan>,
    /// The design, as the statistics need it.
    pub design: DesignPlan,
    /// Claims.
    pub claims: Vec<ClaimPlan>,
    /// Thresholds.
    pub thresholds: Vec<ThresholdPlan>,
    /// Limits against a kept run.
    pub regression: Option<RegressionPlan>,
    /// How each variant differs from the baseline.
    pub deltas: Vec<DeltaPlan>,
    /// What a reader should know: confounded variants, too few blocks, …
    pub warnings: Vec<String>,
    /// What it will take.
    pub estimate: Estimate,
}

/// Identity and prose.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ExperimentPlan {
    /// The file's stem.
    pub id: String,
    /// One line.
    pub title: String,
    /// The question.
    pub question: String,
    /// Prose, Markdown.
    pub context: String,
    /// Prose, Markdown.
    pub drivers: String,
    /// Prose, Markdown.
    pub decision: String,
    /// Prose, Markdown.
    pub consequences: String,
    /// Words to find it by.
    pub tags: Vec<String>,
}

/// Migrations and rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DatasetPlan {
    /// Folder of migrations, as the file says, relative to the file.
    pub migrations: String,
    /// Name and SHA-256 of each migration, in order.
    pub migration_digests: Vec<(String, String)>,
    /// Seed of the stream `data`.
    pub data_seed: u64,
    /// In the order in which they are loaded.
    pub tables: Vec<TableSpec>,
    /// Statements after the load.
    pub after_load: Vec<String>,
}

/// One database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndexSetPlan {
    /// Database name: `ql_set_0`, …
    pub database: String,
    /// Exactly these indexes exist beside those of the migrations.
    pub indexes: Vec<IndexPlan>,
}

/// One index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndexPlan {
    /// Name in the catalogue.
    pub name: String,
    /// CREATE INDEX statement.
    pub sql: String,
}

/// One variant, as the report names it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VariantPlan {
    /// Name.
    pub name: String,
    /// Title; the name where none was given.
    pub title: String,
    /// Position in `Plan::index_sets`.
    pub index_set: usize,
    /// The endpoints that it drives.
    pub endpoints: Vec<String>,
}

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
    /// Settings in the server's own words; already checked against the allowlist.
    pub settings: BTreeMap<String, String>,
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
    /// Routes.
    pub endpoints: Vec<EndpointPlan>,
}

/// Connection pool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolPlan {
    /// Connections that stay open.
    pub size: u32,
    /// Opened on demand beyond them, closed on return.
    pub max_overflow: u32,
    /// Test with a round trip before each use.
    pub pre_ping: bool,
    /// Longest wait for a free one.
    pub acquire_timeout_ns: u64,
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
    /// Parameters that the request carries (in the path if the path names them, else in the query string).
    pub params: Vec<ParamPlan>,
    /// Redis.
    pub cache: Option<CachePlan>,
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
    /// Used when the request leaves it out; without one it is required.
    pub default: Option<String>,
}

/// Cache-aside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CachePlan {
    /// Key as pieces: text, and parameters by position.
    pub key: Vec<KeyPiece>,
    /// Time to live.
    pub ttl_ns: u64,
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

/// What is driven, and how.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LoadPlan {
    /// Load model.
    pub model: ModelPlan,
    /// A request without an answer by then has failed.
    pub timeout_ns: u64,
    /// The measured window.
    pub duration_ns: u64,
    /// Before it.
    pub warmup: WarmupPlan,
    /// Before the warm-up.
    pub fill: Option<FillPlan>,
    /// What requests are sent, by weight.
    pub targets: Vec<TargetPlan>,
}

/// Load model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ModelPlan {
    /// Users who wait for their answers.
    Closed {
        /// How many.
        users: u32,
        /// Pause after each answer.
        think_ns: u64,
    },
    /// Arrivals by the clock.
    Open {
        /// Arrivals per second.
        rate_per_s: f64,
        /// Exponential gaps, else equal ones.
        arrival: crate::spec::Arrival,
        /// Requests under way at most; beyond it arrivals are dropped.
        max_in_flight: u32,
    },
}

/// Before the window.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WarmupPlan {
    /// At least.
    pub min_ns: u64,
    /// At most.
    pub max_ns: u64,
    /// Ends early when this holds.
    pub until: Until,
}

/// A condition that ends a phase.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Until {
    /// Latency and throughput no longer move.
    Steady,
    /// The hit ratio of the last second is at least this.
    CacheHitRatioAtLeast(f64),
}

/// Before the warm-up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FillPlan {
    /// Users of a closed loop.
    pub users: u32,
    /// Failed when the condition does not hold by then.
    pub max_ns: u64,
    /// The condition.
    pub until: Until,
}

/// One kind of request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TargetPlan {
    /// The endpoint, by name.
    pub endpoint: String,
    /// Relative frequency.
    pub weight: f64,
    /// `GET`, …
    pub method: String,
    /// `/users/{id}`.
    pub path: String,
    /// Values of its parameters.
    pub draws: Vec<DrawPlan>,
    /// What a right answer looks like.
    pub check: CheckPlan,
}

/// Where a parameter's values come from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DrawPlan {
    /// The parameter.
    pub param: String,
    /// Its values.
    pub source: DrawSource,
    /// How often each.
    pub distribution: DistributionPlan,
}

/// A parameter's values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DrawSource {
    /// Generated values of a column, of the rows where other columns have these values.
    Column {
        /// Table, in `DatasetPlan::tables`.
        table: String,
        /// Column.
        column: String,
        /// Column and value.
        conditions: Vec<(String, String)>,
    },
    /// A list.
    Values(Vec<String>),
}

/// How often each key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DistributionPlan {
    /// Every key equally often; of all rows where `keys` is none.
    Uniform {
        /// Number of keys.
        keys: Option<u64>,
    },
    /// Zipf's law: key k with probability proportional to 1 / k^exponent.
    Zipfian {
        /// Exponent.
        exponent: f64,
        /// Number of keys.
        keys: u64,
    },
    /// One after the other.
    Sequential {
        /// Number of keys.
        keys: Option<u64>,
    },
}

/// What a right answer looks like.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CheckPlan {
    /// Status.
    pub status: u16,
    /// Number of rows.
    pub rows: Option<u64>,
    /// Fields of every row.
    pub fields: Vec<(String, FieldCheck)>,
}

/// A field of every row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FieldCheck {
    /// Equals this JSON value.
    Value(serde_json::Value),
    /// Equals the request's parameter.
    Param(String),
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

/// Whether a trial is of the variant itself or of the baseline's twin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// The variant.
    Variant,
    /// The baseline a second time in the same block: its difference must be zero.
    Twin,
}

/// One trial: one cell, fresh servers, one warm-up, one window.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrialPlan {
    /// Position in the run, from 0.
    pub number: u32,
    /// Block, from 1.
    pub block: u32,
    /// Position in its block, from 1.
    pub order: u32,
    /// Position in `Plan::cells`.
    pub cell: usize,
    /// Variant or twin.
    pub role: Role,
    /// Seed of the stream `params/<block>`: the same for all trials of a block.
    pub params_seed: u64,
    /// Seed of the stream `arrivals/<block>`: the same for all trials of a block.
    pub arrivals_seed: u64,
}

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

/// What it will take.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Estimate {
    /// Wall time.
    pub time_ns: u64,
    /// Memory of the servers.
    pub memory_bytes: u64,
    /// Disk, while it runs.
    pub disk_bytes: u64,
}

/// What an API process is started with (a file that only it can read; never part of the plan or of the results).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ApiLaunch {
    /// Unix socket to listen on.
    pub listen: std::path::PathBuf,
    /// Postgres.
    pub postgres: PostgresAddress,
    /// Redis.
    pub redis: Option<RedisAddress>,
    /// What to serve.
    pub api: ApiPlan,
}

/// Where Postgres is, and as whom.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PostgresAddress {
    /// Folder of the unix socket.
    pub socket_dir: std::path::PathBuf,
    /// Port, as part of the socket's name.
    pub port: u16,
    /// Role.
    pub user: String,
    /// Its password; never printed.
    pub password: String,
    /// Database.
    pub database: String,
}

/// Where Redis is.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RedisAddress {
    /// Unix socket.
    pub socket: std::path::PathBuf,
    /// Password; never printed.
    pub password: String,
}

impl std::fmt::Debug for PostgresAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "postgres {}@{}/{}", self.user, self.socket_dir.display(), self.database)
    }
}

impl std::fmt::Debug for RedisAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "redis {}", self.socket.display())
    }
}

/// What an API process has counted since it started: `GET /__querylab/counters` on its own socket.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiCounters {
    /// Requests to declared endpoints, whatever their answer.
    pub requests: u64,
    /// SQL statements sent for requests (pings of the pool not included).
    pub statements: u64,
    /// Cached requests answered from Redis.
    pub cache_hits: u64,
    /// Cached requests that Redis did not have.
    pub cache_misses: u64,
    /// Cached requests for which Redis failed, was too slow or held rubbish.
    pub cache_errors: u64,
    /// Answers of 500 and above.
    pub server_errors: u64,
    /// Database connections opened.
    pub connections_opened: u64,
    /// Longest and total wait for a connection.
    pub pool_wait_total_ns: u64,
    /// Longest wait for a connection.
    pub pool_wait_max_ns: u64,
}
