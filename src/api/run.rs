//! The API as a process: launch file in, exit code out.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{SignalKind, signal};

use super::serve::serve;
use crate::plan::ApiLaunch;

/// The exit code of anything that keeps us from serving (provisioning failed).
const PROVISIONING: u8 = 4;

/// Threads that serve, where the plan does not say; more would take the cores of the servers that are measured with us.
const MOST_WORKERS: usize = 2;

/// A launch file is written by querylab: anything larger is something else.
const LARGEST_LAUNCH: u64 = 16 * 1024 * 1024;

/// After the last answer, what still runs (a statement's clean-up) gets this long.
const LAST_MOMENT: Duration = Duration::from_secs(1);

/// Serves what the launch file (JSON, [`ApiLaunch`]) says, until SIGTERM.
///
/// Diagnostics go to standard error, one JSON object a line. The exit code is 0 after SIGTERM and 4 if serving was not
/// possible; the reason is then the last line.
pub fn main_with(config_path: &Path) -> ExitCode {
    let diagnostics = tracing_subscriber::fmt()
        .json()
        .with_max_level(tracing::Level::WARN)
        .with_writer(std::io::stderr)
        .try_init();
    let ended = launch(config_path).and_then(|launch| {
        let runtime = runtime(launch.api.threads)?;
        let ended = runtime.block_on(async {
            let mut asked = signal(SignalKind::terminate()).context("listening for SIGTERM")?;
            serve(launch, async move {
                asked.recv().await;
            })
            .await
        });
        runtime.shutdown_timeout(LAST_MOMENT);
        ended
    });
    match (ended, diagnostics) {
        (Ok(()), _) => ExitCode::SUCCESS,
        (Err(error), _) => {
            tracing::error!(error = format!("{error:#}"), "the API cannot serve");
            ExitCode::from(PROVISIONING)
        }
    }
}

fn launch(path: &Path) -> anyhow::Result<ApiLaunch> {
    let size =
        std::fs::metadata(path).with_context(|| format!("reading {}", path.display()))?.len();
    anyhow::ensure!(size <= LARGEST_LAUNCH, "{} is no launch file: {size} bytes", path.display());
    let text = std::fs::read(path).with_context(|| format!("reading {}", path.display()))?;
    // serde's message would quote the file, and the file holds passwords: only the place is told.
    serde_json::from_slice(&text).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        anyhow::anyhow!("{} is no launch file: line {line}, column {column}", path.display())
    })
}

/// One thread drives everything itself: nothing is handed from one thread to another, and nobody has to be woken.
fn runtime(threads: Option<u32>) -> anyhow::Result<Runtime> {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let threads = match threads {
        Some(threads) => usize::try_from(threads).context("the number of threads")?.max(1),
        None => cores.min(MOST_WORKERS),
    };
    let mut builder =
        if threads == 1 { Builder::new_current_thread() } else { Builder::new_multi_thread() };
    builder
        .worker_threads(threads)
        .thread_name("querylab-api")
        .enable_all()
        .build()
        .context("starting the runtime")
}
