//! Diagnostics of the runner: text for people on standard error, JSON in `logs/querylab.jsonl` of the run.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::str::FromStr;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use tracing_subscriber::filter::{EnvFilter, LevelFilter};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt};

use super::exit::Exit;
use super::out;
use super::variables::tool_variable;

/// The variable that chooses what is said.
const VARIABLE: &str = "QUERYLAB_LOG";
/// What goes into the run's folder unless the variable says otherwise.
const KEPT: &str = "querylab=debug,warn";
/// Bytes of a run's log; whatever comes after them is not kept.
const LONGEST: usize = 4 << 20;
/// The last line of a log that has become too long.
const FULL: &[u8] =
    b"{\"level\":\"WARN\",\"fields\":{\"message\":\"the log is full: what follows is not kept\"}}\n";

static RUN_LOG: LazyLock<RunLog> = LazyLock::new(|| RunLog::new(LONGEST));

/// Begins to listen: as much as `-v` or the variable asks for.
pub(super) fn start(verbose: u8) -> Result<(), Exit> {
    let level = match verbose {
        0 => "warn",
        1 => "querylab=info,warn",
        2 => "querylab=debug,info",
        _ => "debug",
    };
    let asked = tool_variable(VARIABLE).map_err(|text| out::fail(Exit::Input, text))?;
    let filter = |text: &str| {
        filter(asked.as_deref().unwrap_or(text)).map_err(|text| out::fail(Exit::Input, text))
    };
    let shown = fmt::layer()
        .with_ansi(out::is_colored(out::Stream::Stderr))
        .with_writer(std::io::stderr)
        .with_filter(filter(level)?);
    let kept = fmt::layer().json().with_writer(RUN_LOG.clone()).with_filter(filter(KEPT)?);
    // A second subscriber can't be set in one process; the first stays.
    tracing_subscriber::registry().with(shown).with(kept).try_init().ok();
    Ok(())
}

/// From now on diagnostics are also kept in this run's folder.
pub(super) fn keep_in(run_dir: &Path) {
    RUN_LOG.open(run_dir);
    tracing::info!(version = env!("CARGO_PKG_VERSION"), dir = %run_dir.display(), "the run begins");
}

/// The run has ended: what comes is not its own.
pub(super) fn keep_no_more() {
    tracing::info!("the run has ended");
    RUN_LOG.close();
}

/// Directives as in `querylab=debug,warn`.
///
/// A word alone must be a level. Elsewhere it may also be a target, of which then everything is shown, so that a level
/// with a typing mistake would show nothing and say nothing.
fn filter(text: &str) -> Result<EnvFilter, String> {
    let wrong = |what: String| {
        format!(
            "{VARIABLE} is `{text}`, but {what}; write a level, and others for parts of the program, like \
             `warn` or `querylab=debug,sqlx=info,warn`"
        )
    };
    let words = text.split(',').map(str::trim).filter(|word| !word.contains(['=', '[']));
    for word in words {
        if LevelFilter::from_str(word).is_err() || word.is_empty() {
            return Err(wrong(format!(
                "`{word}` is none of off, error, warn, info, debug and trace"
            )));
        }
    }
    EnvFilter::builder().parse(text).map_err(|e| wrong(e.to_string()))
}

/// A file that comes and goes with the run. What cannot be written is lost: a run never fails for its log.
#[derive(Clone)]
struct RunLog {
    open: Arc<Mutex<Option<Open>>>,
    longest: usize,
}

struct Open {
    file: File,
    left: usize,
}

impl RunLog {
    fn new(longest: usize) -> Self {
        Self { open: Arc::default(), longest }
    }

    fn open(&self, run_dir: &Path) {
        let path = run_dir.join("logs").join("querylab.jsonl");
        let file = OpenOptions::new().create(true).append(true).open(path);
        *self.lock() = file.ok().map(|file| Open { file, left: self.longest });
    }

    fn close(&self) {
        *self.lock() = None;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Open>> {
        // Whoever panicked while he wrote a line has at worst left half a line.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a line, or the word that there are too many.
    fn keep(&self, line: &[u8]) {
        let mut open = self.lock();
        let Some(log) = open.as_mut() else { return };
        let (bytes, left) = match log.left.checked_sub(line.len()) {
            Some(left) => (line, Some(left)),
            None => (FULL, None),
        };
        match (log.file.write_all(bytes), left) {
            (Ok(()), Some(left)) => log.left = left,
            // Full, or a disk that refuses: the measurement goes on without.
            _ => *open = None,
        }
    }
}

impl Write for RunLog {
    /// One call is one line: the layer formats an event before it writes.
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        self.keep(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for RunLog {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(log: &RunLog, what: impl FnOnce()) {
        let layer = fmt::layer().json().with_writer(log.clone());
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), what);
    }

    fn folder() -> tempfile::TempDir {
        let dir = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(dir.path().join("logs")).expect("a folder in it");
        dir
    }

    fn lines(dir: &Path) -> Vec<serde_json::Value> {
        let text = std::fs::read_to_string(dir.join("logs/querylab.jsonl")).expect("a log");
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }

    #[test]
    fn what_is_said_while_a_run_lasts_is_in_its_folder_as_json() {
        let (log, dir) = (RunLog::new(LONGEST), folder());
        said(&log, || tracing::warn!("before"));
        log.open(dir.path());
        said(&log, || tracing::warn!(server = "redis", "a \"quoted\" word"));
        log.close();
        said(&log, || tracing::warn!("after"));
        let lines = lines(dir.path());
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert_eq!(lines[0]["fields"]["message"], "a \"quoted\" word");
        assert_eq!(
            (&lines[0]["level"], &lines[0]["fields"]["server"]),
            (&"WARN".into(), &"redis".into())
        );
    }

    #[test]
    fn a_log_that_is_full_says_so_in_its_last_whole_line() {
        let (log, dir) = (RunLog::new(2000), folder());
        log.open(dir.path());
        said(&log, || (0..100).for_each(|n| tracing::warn!(n, "again")));
        let lines = lines(dir.path());
        assert!(lines.len() < 30, "{}", lines.len());
        let last = lines.last().expect("lines");
        assert_eq!(last["fields"]["message"], "the log is full: what follows is not kept");
    }

    #[test]
    fn a_folder_that_is_not_there_and_a_full_disk_cost_only_the_log() {
        let log = RunLog::new(LONGEST);
        log.open(Path::new("/no/such/folder"));
        said(&log, || tracing::warn!("lost"));
        let dir = folder();
        std::os::unix::fs::symlink("/dev/full", dir.path().join("logs/querylab.jsonl"))
            .expect("a link");
        log.open(dir.path());
        said(&log, || tracing::warn!("lost too"));
        assert!(log.lock().is_none(), "it is not tried again");
    }

    #[test]
    fn a_filter_is_levels_and_parts_with_levels() {
        for right in ["warn", "OFF", "querylab=debug,sqlx=info,warn", "querylab::lab=trace"] {
            assert!(filter(right).is_ok(), "{right}");
        }
        for wrong in ["loud", "querylab", "warn,", "querylab=lous", "=", "a=b=c"] {
            let said = filter(wrong).expect_err(wrong);
            assert!(said.starts_with(&format!("QUERYLAB_LOG is `{wrong}`, but ")), "{said}");
        }
    }
}
