//! Flags of the verbs that make something of results: reports, splices, sites.

use std::path::PathBuf;

use clap::Args;

#[derive(Debug, Args)]
pub(super) struct ReportArgs {
    /// A results folder, or a run's
    #[arg(value_name = "DIR")]
    pub(super) dir: PathBuf,
    /// Print the report instead of writing it
    #[arg(long)]
    pub(super) stdout: bool,
    /// A Markdown template of your own in place of the built-in one; printed, or written with `--output`
    #[arg(long, value_name = "FILE")]
    pub(super) template: Option<PathBuf>,
    /// Where to write what the template gives; a page where the name ends in `.html`
    #[arg(short, long, value_name = "FILE", requires = "template", conflicts_with = "stdout")]
    pub(super) output: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct SpliceArgs {
    /// Documents with markers like `<!-- querylab:0001 claims -->` and `<!-- /querylab:0001 -->`
    #[arg(value_name = "FILE", required = true)]
    pub(super) files: Vec<PathBuf>,
    /// Published results; the folder `results` beside the document or above it if left out
    #[arg(long, value_name = "DIR")]
    pub(super) results: Option<PathBuf>,
    /// Write nothing; exit code 10 if a table is not what the results say
    #[arg(long)]
    pub(super) check: bool,
}

#[derive(Debug, Args)]
pub(super) struct SiteArgs {
    /// Published results
    #[arg(long, value_name = "DIR", default_value = "results")]
    pub(super) results: PathBuf,
    /// Where to make it: a new or empty folder, or a site of querylab's
    #[arg(long, value_name = "DIR", default_value = "site")]
    pub(super) out: PathBuf,
    /// Its title
    #[arg(long, value_name = "TEXT", default_value = "Architecture decisions, measured")]
    pub(super) title: String,
}
