//! Flags of the verbs that say what querylab is.

use std::path::PathBuf;

use clap::Args;

#[derive(Debug, Args)]
pub(super) struct CompletionsArgs {
    /// Whose
    #[arg(value_name = "SHELL", value_enum)]
    pub(super) shell: clap_complete::Shell,
}

#[derive(Debug, Args)]
pub(super) struct ManArgs {
    /// The verb that the page is about, like `run` or `cache list`; querylab as a whole if left out
    #[arg(value_name = "VERB", conflicts_with = "out")]
    pub(super) verb: Vec<String>,
    /// Write all pages into this folder, like `~/.local/share/man/man1`
    #[arg(long, value_name = "DIR")]
    pub(super) out: Option<PathBuf>,
}
