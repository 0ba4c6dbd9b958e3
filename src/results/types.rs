//! What is on disk about a run: its state, its trials, its manifest. `trials.csv` is the table of truth.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::used::{PathSums, Resources};
use super::{DatasetRecord, Outcome, TimelineRow, UNSTEADY};
use crate::plan::{Role, StageSums};
use crate::spec::Metric;

/// Version of `run.json`, `manifest.json` and the trial files.
pub const FORMAT: u32 = 1;

/// The state of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Under way; or its runner is gone, if the owner no longer lives.
    Running,
    /// All of it.
    Complete,
    /// Ended by an error.
    Failed,
    /// Ended by a signal.
    Interrupted,
}

/// `run.json`: the state and the owner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunFile {
    /// Version of this format.
    pub format: u32,
    /// `<UTC>-<8 random>`.
    pub run: String,
    /// The experiment.
    pub experiment: String,
    /// The profile.
    pub profile: String,
    /// The plan's fingerprint.
    pub fingerprint: String,
    /// State.
    pub state: State,
    /// Why it ended, if not complete.
    pub reason: Option<String>,
    /// Trials that it will have.
    pub trials_planned: u32,
    /// Process id of the runner.
    pub owner_pid: u32,
    /// Its start time in clock ticks since boot: a pid alone may be somebody else's.
    pub owner_start_ticks: u64,
    /// The boot that both belong to.
    pub boot_id: String,
    /// In which numbers the pid is: that of a container means somebody else outside of it. None where it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner_namespace: Option<String>,
    /// RFC 3339, UTC.
    pub started_at: String,
    /// From the start to the first request of a load: what servers and data took before anything could be measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_load_ms: Option<u64>,
    /// Which part of the blocks it has; none: all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partition: Option<crate::plan::Partition>,
}

/// One trial: `trials/<block>-<order>-<variant>-<load>.json`, and a row of `trials.csv`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrialRecord {
    /// Version of this format.
    pub format: u32,
    /// Position in the plan.
    pub number: u32,
    /// Block, from 1.
    pub block: u32,
    /// Position in its block, from 1.
    pub order: u32,
    /// The variant.
    pub variant: String,
    /// The load.
    pub load: String,
    /// Variant or twin.
    pub role: Role,
    /// How it ended.
    pub outcome: Outcome,
    /// RFC 3339, UTC.
    pub started_at: String,
    /// Wall time of the whole trial.
    pub wall_ms: u64,
    /// Time of the fill.
    pub fill_ms: Option<u64>,
    /// Time of the warm-up.
    pub warmup_ms: Option<u64>,
    /// Whether the warm-up ended because its condition held.
    pub warmup_reached: Option<bool>,
    /// The window; none where the trial failed before its end.
    pub window: Option<Window>,
    /// Other witnesses.
    pub witness: Option<Witness>,
    /// Hash of each endpoint's plan shape, before the window.
    pub plan_hash: Option<String>,
    /// Said, though the trial is valid.
    pub notes: Vec<String>,
}

impl TrialRecord {
    /// Whether its figures still moved in the window; such a trial stays valid.
    pub fn is_unsteady(&self) -> bool {
        self.notes.iter().any(|note| note == UNSTEADY)
    }
}

/// The measured window, as the client saw it. Requests belong to it by when they were due.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Window {
    /// Its length.
    pub duration_ns: u64,
    /// Requests due in it.
    pub due: u64,
    /// Of them sent.
    pub sent: u64,
    /// Of them not sent, because too many were under way.
    pub dropped: u64,
    /// Of those sent, answered right.
    pub answered: u64,
    /// Of those sent, failed.
    pub failed: u64,
    /// Failures by kind: `timeout`, `status-502`, `connect`, `body-truncated`, `wrong-answer`, …
    pub failures: BTreeMap<String, u64>,
    /// Answers by the API's word on its cache: `hit`, `miss`, `error`, `bypass`.
    pub cache: BTreeMap<String, u64>,
    /// Bytes of bodies.
    pub response_bytes: u64,
    /// Rows of right answers that came in lines; none where no target answers so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_lines: Option<u64>,
    /// Right answers that were compared with the writes before them; none where no target is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dated: Option<u64>,
    /// Of those, older than a write that had been answered before they were asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stale: Option<u64>,
    /// Right answers per second.
    pub rate_rps: f64,
    /// From due to answered; failures are +∞ (none here).
    pub response_time: Quantiles,
    /// From sent to answered.
    pub service_time: Quantiles,
    /// How late requests were sent, after they were due and could be sent: 99th percentile.
    pub lag_p99_us: f64,
    /// CPU of the generator over the window, 1.0 is one core.
    pub generator_cpu_share: f64,
    /// Highest rate that kept the objective; none without a search.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_rate_rps: Option<f64>,
    /// How far the median response time moved over the window, as a share of itself: 0.07 for 7 % upwards. None in older
    /// results, and where fewer than ten slices of the window had answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drift: Option<f64>,
    /// The probability of such a trend by chance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drift_p: Option<f64>,
}

impl Window {
    /// A latency in microseconds; none where it is not known, or `metric` is no latency of a window.
    pub fn latency_us(&self, metric: Metric) -> Option<f64> {
        let (response, service) = (&self.response_time, &self.service_time);
        match metric {
            Metric::ResponseTimeP50 => response.p50_us,
            Metric::ResponseTimeP90 => response.p90_us,
            Metric::ResponseTimeP95 => response.p95_us,
            Metric::ResponseTimeP99 => response.p99_us,
            Metric::ResponseTimeP999 => response.p999_us,
            Metric::ResponseTimeMax => response.max_us,
            Metric::ResponseTimeMean => response.mean_us,
            Metric::ServiceTimeP50 => service.p50_us,
            Metric::ServiceTimeP90 => service.p90_us,
            Metric::ServiceTimeP95 => service.p95_us,
            Metric::ServiceTimeP99 => service.p99_us,
            _ => None,
        }
    }
}

/// Latencies in microseconds. None: too few samples for that quantile, or it falls among failures.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Quantiles {
    /// Median.
    pub p50_us: Option<f64>,
    /// 90th percentile.
    pub p90_us: Option<f64>,
    /// 95th percentile.
    pub p95_us: Option<f64>,
    /// 99th percentile.
    pub p99_us: Option<f64>,
    /// 99.9th percentile.
    pub p999_us: Option<f64>,
    /// Longest.
    pub max_us: Option<f64>,
    /// Mean.
    pub mean_us: Option<f64>,
}

/// What the servers themselves count, over the whole life of the trial's API (not only the window), because that is
/// where the sums are exact.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Witness {
    /// Requests that the client sent to the API, all phases.
    pub client_sent: u64,
    /// Requests that the API counted, over its processes.
    pub api_requests: u64,
    /// Statements that the API sent for requests.
    pub api_statements: u64,
    /// Cache hits by the API.
    pub api_cache_hits: u64,
    /// Cache misses by the API.
    pub api_cache_misses: u64,
    /// Cache errors by the API.
    pub api_cache_errors: u64,
    /// Requests that the API refused before the cache or a statement; not known in older results, like the next two.
    pub api_refused: Option<u64>,
    /// Requests that found no database connection.
    pub api_unconnected: Option<u64>,
    /// Requests that went past the cache: none there, or a key that is too long.
    pub api_cache_bypasses: Option<u64>,
    /// Requests that Nginx handled, by its `stub_status`; not known in older results.
    pub nginx_requests: Option<u64>,
    /// Statements that Postgres executed for the API, `pg_stat_statements`; none where its library is missing, and in older
    /// results.
    pub postgres_statements: Option<u64>,
    /// Scans of the variant's own indexes, `pg_stat_user_indexes`; none, like the next one, where `buffers_hit` is not known.
    pub index_scans: BTreeMap<String, u64>,
    /// Sequential scans by table.
    pub seq_scans: BTreeMap<String, u64>,
    /// Shared buffers hit, `pg_stat_database`; not known, like the next two, where Postgres is somebody else's.
    pub buffers_hit: Option<u64>,
    /// Shared buffers read.
    pub buffers_read: Option<u64>,
    /// Temporary bytes.
    pub temp_bytes: Option<u64>,
    /// Bytes of write-ahead log, over the whole server; not known in older results, like the next one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wal_bytes: Option<u64>,
    /// Commands on keys that Redis took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redis_operations: Option<u64>,
    /// Redis `keyspace_hits`.
    pub redis_hits: Option<u64>,
    /// Redis `keyspace_misses`.
    pub redis_misses: Option<u64>,
    /// Redis `evicted_keys`.
    pub redis_evicted: Option<u64>,
    /// Redis `used_memory`.
    pub redis_memory_bytes: Option<u64>,
    /// By component (`postgres`, `redis`, `nginx`, `api`, `generator`): in the window.
    pub resources: BTreeMap<String, Resources>,
    /// Share of the machine's time stolen by others, in the window.
    pub steal_share: f64,
    /// Share of the machine's time that programs other than querylab and its servers used, in the window; not known in
    /// older results.
    pub foreign_cpu_share: Option<f64>,
    /// Share of the database's files that was in the page cache before the first request, where `design.cache_state` is
    /// not hot.
    pub page_cache_share: Option<f64>,
    /// Requests of `client_sent` that went to the API's own socket, past Nginx; the next three are not known in older
    /// results either.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_direct: Option<u64>,
    /// Where the time of requests went inside of the API, in the window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stages: Option<StageSums>,
    /// Requests on the three ways, after the window of a load of one user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paths: Option<PathSums>,
}

/// One second of a trial, all phases: a row of `timeline.csv`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SliceRecord {
    /// Its start, since the load began.
    pub t_ms: u64,
    /// Right answers.
    pub answered: u64,
    /// Failures.
    pub failed: u64,
    /// Median of the right answers.
    pub response_time_p50_us: Option<f64>,
    /// 99th percentile of the right answers, however few.
    pub response_time_p99_us: Option<f64>,
    /// The rate that a search was trying; none without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offered_rps: Option<f64>,
}

/// `manifest.json`: where the numbers come from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of this format.
    pub format: u32,
    /// Version of querylab.
    pub querylab: String,
    /// Commit that the checkout around the experiment stood at when the run began (its files may have been changed since).
    pub revision: Option<String>,
    /// The command, as typed.
    pub command: Vec<String>,
    /// The run.
    pub run: RunFile,
    /// RFC 3339, UTC.
    pub finished_at: String,
    /// Wall time of the run.
    pub wall_ms: u64,
    /// Server to its version, as it says itself.
    pub versions: BTreeMap<String, String>,
    /// Version of Postgres to what its compiler was told (`CFLAGS`), as it says itself; none of somebody else's.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub builds: BTreeMap<String, String>,
    /// `<variant>/<server>` to its settings in force: what Postgres and Redis told when asked, what Nginx' own file says.
    pub settings: BTreeMap<String, BTreeMap<String, String>>,
    /// The machine.
    pub host: BTreeMap<String, String>,
    /// The data.
    pub dataset: DatasetRecord,
    /// What a reader should know about this run, generated from what happened.
    pub notes: Vec<String>,
    /// How the number of blocks was decided, where `design.precision` asks for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pilot: Option<PilotRecord>,
    /// Stream to its seed: `root`, `data`, `order`; those of a block are in `plan.json`.
    #[serde(default)]
    pub seeds: BTreeMap<String, u64>,
    /// File to its SHA-256, for every other file of the folder.
    pub digests: BTreeMap<String, String>,
}

/// How the number of blocks was decided: by the scatter of a pilot, once, without a look at the effect.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PilotRecord {
    /// Blocks of the pilot: what `stats::compare_after_pilot` must be told.
    pub blocks: u32,
    /// Wanted half-width of the ratio's interval, 0.03 for 3 %.
    pub half_width: f64,
    /// Confidence of that interval, 0 to 1.
    pub confidence: f64,
    /// Most blocks: `design.blocks`.
    pub most: u32,
    /// Blocks that the rule asked for. Fewer were run only where the time budget ended the run.
    pub decided: u32,
    /// Largest standard deviation of a block's log-ratio in the pilot; none where it could not be had, and then `decided`
    /// is `most`.
    pub sd_log: Option<f64>,
}

/// A results folder, read.
#[derive(Debug, Clone, PartialEq)]
pub struct Results {
    /// Where the numbers come from.
    pub manifest: Manifest,
    /// What was to be done.
    pub plan: crate::plan::Plan,
    /// In the order in which they ran, failed ones included.
    pub trials: Vec<TrialRecord>,
    /// `<variant>-<endpoint>` to what EXPLAIN (FORMAT JSON) said.
    pub plans: BTreeMap<String, serde_json::Value>,
    /// Every second of every trial, as in `timeline.csv`; empty where none were kept.
    pub timeline: Vec<TimelineRow>,
}

impl Results {
    /// Blocks that were run: fewer than planned where a pilot or the time budget ended the run.
    pub fn blocks_run(&self) -> usize {
        self.trials.iter().map(|trial| trial.block).collect::<BTreeSet<u32>>().len()
    }
}

/// A table that becomes a CSV file: missing is an empty cell, units are in the header.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Table {
    /// `summary.csv`.
    pub file: String,
    /// Column names.
    pub header: Vec<String>,
    /// Cells.
    pub rows: Vec<Vec<String>>,
}
