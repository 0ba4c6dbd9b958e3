//! Flags of the verbs for results that people keep.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::args::ToolArgs;
use crate::plan::Partition;

/// Which part of a run is run.
#[derive(Debug, Clone, Args)]
pub(super) struct PartArgs {
    /// Go on with the interrupted run of this plan, at its next trial
    #[arg(long)]
    pub(super) resume: bool,
    /// Run only a part of the blocks, like `count:1/4`; `querylab merge` joins the parts
    #[arg(long, value_name = "PART")]
    pub(super) partition: Option<Partition>,
}

#[derive(Debug, Args)]
pub(super) struct VerifyArgs {
    /// A results folder, or a run's that has ended
    #[arg(value_name = "DIR")]
    pub(super) dir: PathBuf,
    /// Measure its plan once more, as this experiment file has it: do the kept verdicts and claims still hold? Exit code 10
    /// if not, 11 where it can't be told
    #[arg(long, value_name = "FILE")]
    pub(super) remeasure: Option<PathBuf>,
    #[command(flatten)]
    pub(super) tools: ToolArgs,
}

#[derive(Debug, Args)]
pub(super) struct CompareArgs {
    /// A results folder, or a run's: what is held against
    #[arg(value_name = "FIRST")]
    pub(super) first: PathBuf,
    /// A results folder, or a run's: what is looked at
    #[arg(value_name = "SECOND")]
    pub(super) second: PathBuf,
    /// Tell the figures of runs on other machines, of other data or of other versions, too; there is no verdict then
    #[arg(long)]
    pub(super) cross_machine: bool,
    /// One JSON object instead of Markdown
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(super) struct HistoryArgs {
    /// `results/<experiment>`, or its `history.csv`
    #[arg(value_name = "DIR")]
    pub(super) dir: PathBuf,
    /// Only figures whose name has this in it
    #[arg(long, value_name = "TEXT")]
    pub(super) figure: Option<String>,
    /// Smaller changes are none, like `10%`
    #[arg(long, value_name = "SHARE", default_value = "5%")]
    pub(super) least: String,
    /// One JSON object instead of a list
    #[arg(long)]
    pub(super) json: bool,
}

/// How a run is judged, and who is told.
#[derive(Debug, Clone, Args)]
pub(super) struct JudgeArgs {
    /// Hold the run against the kept one of `[regression]`: exit code 10 for a regression, 11 where it can't be told. The
    /// kept run is never replaced
    #[arg(long)]
    pub(super) gate: bool,
    /// Write everything that was judged as JUnit XML
    #[arg(long, value_name = "FILE")]
    pub(super) junit: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct GateArgs {
    /// A results folder, or a run's
    #[arg(value_name = "DIR")]
    pub(super) dir: PathBuf,
    /// The results folder that it is held against
    #[arg(long, value_name = "DIR")]
    pub(super) kept: PathBuf,
    /// Write everything that was judged as JUnit XML
    #[arg(long, value_name = "FILE")]
    pub(super) junit: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct MergeArgs {
    /// Folders of parts, as `run --partition` has published them
    #[arg(required = true, value_name = "PART")]
    pub(super) parts: Vec<PathBuf>,
    /// Publish below this folder
    #[arg(long, value_name = "DIR", default_value = "results")]
    pub(super) out: PathBuf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum MatrixFormat {
    Github,
    Gitlab,
    Json,
}

#[derive(Debug, Args)]
pub(super) struct MatrixArgs {
    /// Experiment files; those of `experiments/` if left out
    #[arg(value_name = "FILE")]
    pub(super) files: Vec<PathBuf>,
    /// In whose words
    #[arg(long, value_enum, default_value_t = MatrixFormat::Json)]
    pub(super) format: MatrixFormat,
    /// The size; files that have no such profile are left out
    #[arg(long, value_name = "NAME")]
    pub(super) profile: Option<String>,
    /// Parts of each experiment, for as many machines
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(super) parts: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ServiceKind {
    GithubActionBenchmark,
    Bencher,
    Junit,
}

#[derive(Debug, Args)]
pub(super) struct ExportArgs {
    /// In whose words
    #[arg(value_name = "SERVICE", value_enum)]
    pub(super) service: ServiceKind,
    /// A results folder, or a run's
    #[arg(value_name = "DIR")]
    pub(super) dir: PathBuf,
}

#[derive(Debug, Args)]
pub(super) struct CleanArgs {
    /// Also remove the servers that were fetched
    #[arg(long)]
    pub(super) cache: bool,
    /// Also remove run folders below this project
    #[arg(long, value_name = "DIR", num_args = 0..=1, default_missing_value = ".")]
    pub(super) runs: Option<PathBuf>,
}
