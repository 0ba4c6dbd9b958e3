//! What will be done, with nothing left to decide. Serialisable: `plan.json` is exactly this.

mod cell;
mod drive;
mod judge;
mod launch;
mod source;
mod url;

pub use cell::{
    ApiPlan, BindPlan, CachePlan, CellPlan, CursorPlan, EndpointPlan, ExpectPlan, KeyPiece,
    ParamPlace, ParamPlan, PlanNode, PointPlan, PoolPlan, ServerPlan, StackPlan, StaticFile,
    StaticPlan, WritesPlan,
};
pub use drive::{
    AnswerPlan, CheckPlan, DistributionPlan, DrawPlan, DrawSource, FieldCheck, FileValues,
    FillPlan, LoadPlan, MemberForm, MemberPlan, ModelPlan, SEARCH_GROWTH, SearchPlan, StagePlan,
    TargetPlan, Until, VersionPlan, VersionRole, VersionedRow, WarmupPlan,
};
pub use judge::{ClaimPlan, DeltaPlan, DesignPlan, RegressionPlan, ThresholdPlan};
pub use launch::{
    ApiCounters, ApiLaunch, LET_IN_WITHIN, PGOPTIONS_IS_SET, PostgresAddress, RedisAddress,
    StageSums, Whose,
};
use serde::{Deserialize, Serialize};
pub use source::{SourceKind, SourcePlan};

use crate::rows::TableSpec;

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
    /// The databases: one per index set. That with the fewest indexes is the loaded one, the others are its clones.
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
    /// Tables whose rows are not made here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<SourcePlan>,
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
    /// Major version of the Postgres that it is in, where the file names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub major: Option<u32>,
}

/// One index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndexPlan {
    /// Name in the catalogue.
    pub name: String,
    /// CREATE INDEX statement; empty where it is there already, in somebody else's Postgres.
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
