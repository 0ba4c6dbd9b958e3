//! Flags and variables, as typed.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::args_kept::{
    CleanArgs, CompareArgs, ExportArgs, GateArgs, HistoryArgs, JudgeArgs, MatrixArgs, MergeArgs,
    PartArgs, VerifyArgs,
};
use super::args_of_itself::{CompletionsArgs, ManArgs};
use super::args_of_results::{ReportArgs, SiteArgs, SpliceArgs};

/// Executable architecture decision records: one TOML file, real servers, measured verdicts.
#[derive(Debug, Parser)]
#[command(name = "querylab", version, max_term_width = 100, disable_help_subcommand = true)]
pub(super) struct Cli {
    #[command(flatten)]
    pub(super) global: Global,
    #[command(subcommand)]
    pub(super) verb: Verb,
}

/// Flags of every verb.
#[derive(Debug, Clone, Args)]
pub(super) struct Global {
    /// Colours; `auto` heeds `NO_COLOR` and whether it is a terminal
    #[arg(long, global = true, value_enum, default_value_t = When::Auto)]
    pub(super) color: When,
    /// Texts for people, or one JSON object a line on standard output
    #[arg(long, global = true, value_enum, default_value_t = MessageFormat::Human)]
    pub(super) message_format: MessageFormat,
    /// Say only what is asked for and what went wrong
    #[arg(short, long, global = true)]
    pub(super) quiet: bool,
    /// Say more; twice for still more
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(super) verbose: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum When {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum MessageFormat {
    Human,
    Json,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ProgressKind {
    Auto,
    Bar,
    Plain,
    None,
}

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Run experiments, and write their results
    Run(RunArgs),
    /// Find every mistake of experiment files; start nothing
    Check(FilesArgs),
    /// Show what a run would do, in which order, and what it would take; start nothing
    Plan(PlanArgs),
    /// List experiments, or runs and their states
    List(ListArgs),
    /// Boot the servers of one variant, and stay until Ctrl-C
    Serve(ServeArgs),
    /// Render the report of a results folder again
    Report(ReportArgs),
    /// Put chosen tables of published results into a document, between its markers
    Splice(SpliceArgs),
    /// Make a folder for a pages host: all published results with a page to search them
    Site(SiteArgs),
    /// Look whether a results folder still is what was published
    Verify(VerifyArgs),
    /// Hold a run against another: what is exact, and how ratios moved
    Compare(CompareArgs),
    /// Show where figures of kept runs changed their level
    History(HistoryArgs),
    /// Hold a run against a kept one, as `run --gate` does; start nothing
    Gate(GateArgs),
    /// Join the parts of a run that `run --partition` has made
    Merge(MergeArgs),
    /// Print the jobs in which CI would run experiments
    Matrix(MatrixArgs),
    /// Print figures in the words of a service that keeps series of them
    Export(ExportArgs),
    /// Drive any URL with the load generator of the experiments
    Drive(DriveArgs),
    /// Measure this machine: its clock, the load generator, and what differs where nothing does
    Calibrate(CalibrateArgs),
    /// Show what is here, what is missing, and how to get it
    Doctor(ToolArgs),
    /// Fetch missing servers into querylab's cache, without root
    Setup(SetupArgs),
    /// Stop and remove what dead runs have left behind
    Clean(CleanArgs),
    /// Look after the dataset cache: data that earlier runs have made
    #[command(subcommand)]
    Cache(CacheVerb),
    /// Write a starting experiment for tables that are there: migrations, or a database
    Init(InitArgs),
    /// Print the JSON schema of the experiment file
    Schema,
    /// Print a script that completes verbs and flags, for the start of a shell
    Completions(CompletionsArgs),
    /// Print a page of the manual, for `man -l -`; or write all pages
    Man(ManArgs),
}

/// What is laid over a file.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct LayerArgs {
    /// A size of the experiment: `[profiles.NAME]`
    #[arg(long, value_name = "NAME")]
    pub(super) profile: Option<String>,
    /// Override a key, like `design.blocks=3`; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(super) sets: Vec<String>,
    /// Override `design.blocks`
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(super) blocks: Option<u32>,
    /// Override `experiment.seed`
    #[arg(long, value_name = "N")]
    pub(super) seed: Option<u64>,
    /// Override `design.time_budget`, like `30m`
    #[arg(long, value_name = "DURATION")]
    pub(super) time_budget: Option<String>,
    /// Only variants whose name matches (the baseline always stays)
    #[arg(long, value_name = "GLOB")]
    pub(super) variant: Option<String>,
    /// Only load profiles whose name matches
    #[arg(long, value_name = "GLOB")]
    pub(super) load: Option<String>,
}

/// How servers are had.
#[derive(Debug, Clone, Args)]
pub(super) struct ToolArgs {
    /// Never fetch a missing server
    #[arg(long)]
    pub(super) no_setup: bool,
    /// As root: the unprivileged user that servers run as
    #[arg(long, value_name = "USER")]
    pub(super) run_as: Option<String>,
}

#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag that is there or not")]
pub(super) struct RunArgs {
    /// Experiment files
    #[arg(required = true, value_name = "FILE")]
    pub(super) files: Vec<PathBuf>,
    #[command(flatten)]
    pub(super) layers: LayerArgs,
    #[command(flatten)]
    pub(super) tools: ToolArgs,
    /// Publish below this folder instead of `results`
    #[arg(long, value_name = "DIR")]
    pub(super) out: Option<PathBuf>,
    /// Leave the servers' data and logs
    #[arg(long)]
    pub(super) keep: bool,
    /// Make the data anew; do not look into the dataset cache, and put nothing into it
    #[arg(long)]
    pub(super) fresh: bool,
    /// Publish nothing; the run's own folder has everything
    #[arg(long)]
    pub(super) no_publish: bool,
    /// A refuted claim is exit code 10
    #[arg(long)]
    pub(super) strict_claims: bool,
    /// Do not wait for another measurement on this machine: exit code 3
    #[arg(long)]
    pub(super) no_wait: bool,
    /// Let an experiment go to a Postgres that is not querylab's (`services.postgres.url_from`); it is only read from
    #[arg(long)]
    pub(super) allow_external: bool,
    /// How to show progress
    #[arg(long, value_enum, default_value_t = ProgressKind::Auto)]
    pub(super) progress: ProgressKind,
    #[command(flatten)]
    pub(super) parts: PartArgs,
    #[command(flatten)]
    pub(super) judge: JudgeArgs,
}

#[derive(Debug, Args)]
pub(super) struct FilesArgs {
    /// Experiment files
    #[arg(required = true, value_name = "FILE")]
    pub(super) files: Vec<PathBuf>,
    #[command(flatten)]
    pub(super) layers: LayerArgs,
}

#[derive(Debug, Args)]
pub(super) struct PlanArgs {
    /// Experiment file
    #[arg(value_name = "FILE")]
    pub(super) file: PathBuf,
    #[command(flatten)]
    pub(super) layers: LayerArgs,
    /// The whole plan as JSON
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(super) struct ListArgs {
    /// Folder of experiments, or of a project that has one
    #[arg(value_name = "DIR", default_value = ".")]
    pub(super) dir: PathBuf,
    /// Runs and their states instead
    #[arg(long)]
    pub(super) runs: bool,
}

#[derive(Debug, Args)]
pub(super) struct ServeArgs {
    /// Experiment file
    #[arg(value_name = "FILE")]
    pub(super) file: PathBuf,
    #[command(flatten)]
    pub(super) layers: LayerArgs,
    #[command(flatten)]
    pub(super) tools: ToolArgs,
    /// Let an experiment go to a Postgres that is not querylab's (`services.postgres.url_from`); it is only read from
    #[arg(long)]
    pub(super) allow_external: bool,
    /// Port of 127.0.0.1 that Nginx listens on; a free one if left out
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub(super) port: Option<u16>,
    /// Leave the servers' data and logs
    #[arg(long)]
    pub(super) keep: bool,
    /// Make the data anew; do not look into the dataset cache, and put nothing into it
    #[arg(long)]
    pub(super) fresh: bool,
}

/// What to do with the dataset cache.
#[derive(Debug, Subcommand)]
pub(super) enum CacheVerb {
    /// List what is in it, the data that were used last at the end
    List,
    /// Read every byte of it; what is not as it was is not used again: exit code 3
    Verify {
        /// Only entries whose name begins so
        #[arg(value_name = "ENTRY")]
        entries: Vec<String>,
    },
    /// Remove what is not as it was, and what was not used for the longest time
    Prune {
        /// What may stay, like `5GB`; 0 removes all
        #[arg(long, value_name = "SIZE")]
        limit: Option<String>,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ArrivalKind {
    Constant,
    Poisson,
}

#[derive(Debug, Args)]
pub(super) struct DriveArgs {
    /// What is asked for, like `http://127.0.0.1:8080/path`
    #[arg(value_name = "URL")]
    pub(super) url: String,
    /// Requests by the clock, whether or not earlier ones are answered, like `500/s`
    #[arg(long, value_name = "RATE", required_unless_present = "users", conflicts_with = "users")]
    pub(super) rate: Option<String>,
    /// Users who each wait for an answer before they ask again
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=50_000))]
    pub(super) users: Option<u32>,
    /// With `--rate`: equal gaps, or random ones
    #[arg(long, value_enum, default_value_t = ArrivalKind::Constant)]
    pub(super) arrival: ArrivalKind,
    /// With `--rate`: more requests under way than this are not sent, but counted
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=50_000))]
    pub(super) max_in_flight: u32,
    /// With `--rate`: connections at most, for which arrivals wait; those who wait count as under way
    #[arg(long, value_name = "N", conflicts_with = "users", value_parser = clap::value_parser!(u32).range(1..=50_000))]
    pub(super) connections: Option<u32>,
    /// Method of each request: GET if left out, POST if there is a body
    #[arg(long, value_name = "METHOD")]
    pub(super) method: Option<String>,
    /// A header field of each request, like `Accept: text/html`; may be repeated
    #[arg(long = "header", value_name = "FIELD")]
    pub(super) headers: Vec<String>,
    /// Body of each request, as it is; `@FILE` for what is in a file
    #[arg(long, value_name = "TEXT")]
    pub(super) body: Option<String>,
    /// How long to measure
    #[arg(long, value_name = "DURATION", default_value = "10s")]
    pub(super) duration: String,
    /// The same load before it, not measured
    #[arg(long, value_name = "DURATION", default_value = "0s")]
    pub(super) warmup: String,
    /// A request without its whole answer this long after it was due has failed
    #[arg(long, value_name = "DURATION", default_value = "5s")]
    pub(super) timeout: String,
    /// Of random arrivals
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(super) seed: u64,
    /// Write the histograms as an interval log (`.hlog`), in nanoseconds
    #[arg(long, value_name = "FILE")]
    pub(super) export_hdr: Option<PathBuf>,
    /// Write what each second saw
    #[arg(long, value_name = "FILE")]
    pub(super) export_csv: Option<PathBuf>,
    /// Write each measured request: when it was due, sent, begun and done, in nanoseconds, and what came of it
    #[arg(long, value_name = "FILE")]
    pub(super) export_samples: Option<PathBuf>,
    /// One JSON object instead of a table
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(super) struct CalibrateArgs {
    #[command(flatten)]
    pub(super) tools: ToolArgs,
    /// Blocks in which the same variant runs twice
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u32).range(2..=100))]
    pub(super) blocks: u32,
    /// Length of each measured window, up to a minute
    #[arg(long, value_name = "DURATION", default_value = "3s")]
    pub(super) duration: String,
    /// Also keep what was found below this folder
    #[arg(long, value_name = "DIR")]
    pub(super) out: Option<PathBuf>,
    /// Do not wait for another measurement on this machine: exit code 3
    #[arg(long)]
    pub(super) no_wait: bool,
    /// One JSON object instead of a page
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(super) struct SetupArgs {
    /// `postgres`, `redis`, `nginx`, or a major version of Postgres like `postgres@18`; all that are missing if left out
    #[arg(value_name = "PART")]
    pub(super) parts: Vec<String>,
}

#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("found").required(true))]
pub(super) struct InitArgs {
    /// Folder of migrations that make the tables
    #[arg(long, value_name = "DIR", group = "found")]
    pub(super) schema: Option<PathBuf>,
    /// A database that has them, like `postgres://user:password@host/database`: its catalogue and statistics are read,
    /// no row, and nothing is written
    #[arg(long, value_name = "URL", group = "found")]
    pub(super) from_url: Option<String>,
    /// Write there, never over a file, instead of to standard output; its stem is the experiment's id
    #[arg(short, long, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
    /// With `--from-url`: new folder for its schema as a migration
    #[arg(long, value_name = "DIR", requires = "from_url")]
    pub(super) migrations: Option<PathBuf>,
    /// Rows of a table that nobody has counted
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    pub(super) rows: u64,
    /// Rows of the largest table at most; the others become fewer by the same factor
    #[arg(long, value_name = "N", default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    pub(super) most_rows: u64,
    #[command(flatten)]
    pub(super) tools: ToolArgs,
}

/// The value of a flag on a line that could not be understood as a whole.
pub(super) fn typed<T: ValueEnum>(line: &[String], flag: &str) -> Option<T> {
    let after = |(position, word): (usize, &String)| match word.strip_prefix(flag)? {
        "" => line.get(position + 1).cloned(),
        rest => rest.strip_prefix('=').map(str::to_owned),
    };
    let value = line.iter().enumerate().find_map(after)?;
    T::from_str(&value, false).ok()
}
