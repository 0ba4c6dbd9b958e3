//! Raw samples of the window: one line a request, written by a thread of its own.
//!
//! The generator hands over whole chunks and never waits: where the disk is too slow, a chunk is lost, and counted. So
//! memory is bounded however long a load runs, and the load is not held up by its own records.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use anyhow::{Context as _, anyhow};

use super::fault::{CacheWord, Fault};

/// Samples handed over at once.
const CHUNK: usize = 1024;
/// Chunks on their way: about 5 MB.
const CHUNKS: usize = 64;
/// Most samples of one load: about half a gigabyte.
const MOST: u64 = 10_000_000;
/// The writer has this long to write what is on its way at the end.
const LAST_CHUNKS: Duration = Duration::from_mins(1);

/// The names of the columns, times in nanoseconds since the window's start.
pub(super) const HEADER: &str = "due_ns,sent_ns,first_byte_ns,done_ns,outcome,cache\n";

/// What came of keeping samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SamplesKept {
    /// Lines written.
    pub written: u64,
    /// Samples that could not be kept: the disk was too slow, or there were more than ten million.
    pub lost: u64,
}

/// One request of the window; times since the generator's start. What is not known is none.
#[derive(Debug, Clone, Copy)]
pub(super) struct Raw {
    pub(super) due_ns: Option<u64>,
    pub(super) sent_ns: Option<u64>,
    pub(super) first_byte_ns: Option<u64>,
    pub(super) done_ns: Option<u64>,
    pub(super) outcome: Outcome,
}

/// How a request ended.
#[derive(Debug, Clone, Copy)]
pub(super) enum Outcome {
    /// Right, with the API's word on its cache.
    Right(Option<CacheWord>),
    /// Failed.
    Failed(Fault),
    /// Never sent.
    Dropped,
}

/// The generator's side.
#[derive(Debug)]
pub(super) struct Keeper {
    start_ns: u64,
    chunk: Vec<Raw>,
    to: SyncSender<(u64, Vec<Raw>)>,
    taken: u64,
    lost: Arc<AtomicU64>,
}

/// The other side.
#[derive(Debug)]
pub(super) struct Writer {
    written: Receiver<anyhow::Result<u64>>,
    lost: Arc<AtomicU64>,
}

/// Makes the file and begins to write what the keeper is given.
///
/// # Errors
///
/// If the file or the thread cannot be made.
pub(super) fn keep(path: &Path) -> anyhow::Result<(Keeper, Writer)> {
    let failed = || format!("cannot write {}", path.display());
    let file = File::create(path).with_context(failed)?;
    let (to, chunks) = sync_channel(CHUNKS);
    let (done, written) = sync_channel(1);
    let path = path.to_path_buf();
    let work = move || {
        let failed = || format!("cannot write {}", path.display());
        let result = write(BufWriter::new(file), &chunks).with_context(failed);
        // Whoever does not wait for it any more has an error of his own.
        done.send(result).ok();
    };
    let thread = std::thread::Builder::new().name("querylab-samples".into());
    thread.spawn(work).context("cannot start the thread that keeps samples")?;
    let lost = Arc::new(AtomicU64::new(0));
    let keeper = Keeper { start_ns: 0, chunk: Vec::new(), to, taken: 0, lost: Arc::clone(&lost) };
    Ok((keeper, Writer { written, lost }))
}

impl Keeper {
    /// The window begins: times count from here.
    pub(super) fn begin(&mut self, start_ns: u64) {
        self.start_ns = start_ns;
    }

    /// One more sample.
    pub(super) fn push(&mut self, raw: Raw) {
        if self.taken >= MOST {
            self.lost.fetch_add(1, Ordering::Relaxed);
            return;
        }
        self.taken += 1;
        self.chunk.push(raw);
        if self.chunk.len() >= CHUNK {
            self.hand_over();
        }
    }

    /// The last samples are on their way; nothing more will come.
    pub(super) fn end(mut self) {
        self.hand_over();
    }

    fn hand_over(&mut self) {
        let chunk = std::mem::replace(&mut self.chunk, Vec::with_capacity(CHUNK));
        let count = chunk.len() as u64;
        if self.to.try_send((self.start_ns, chunk)).is_err() {
            self.lost.fetch_add(count, Ordering::Relaxed);
        }
    }
}

impl Writer {
    /// Waits until all that was handed over is in the file. The keeper has ended.
    ///
    /// # Errors
    ///
    /// If the disk refuses, or takes longer than a minute.
    pub(super) fn finish(self) -> anyhow::Result<SamplesKept> {
        let written = self.written.recv_timeout(LAST_CHUNKS);
        let written =
            written.map_err(|e| anyhow!("the raw samples are not written yet: {e}"))??;
        Ok(SamplesKept { written, lost: self.lost.load(Ordering::Relaxed) })
    }
}

fn write(mut out: BufWriter<File>, chunks: &Receiver<(u64, Vec<Raw>)>) -> anyhow::Result<u64> {
    out.write_all(HEADER.as_bytes())?;
    let mut written = 0;
    // The keeper lives no longer than its load: this ends.
    while let Ok((start_ns, chunk)) = chunks.recv() {
        for raw in &chunk {
            line(&mut out, start_ns, raw)?;
        }
        written += chunk.len() as u64;
    }
    let file = out.into_inner().map_err(std::io::IntoInnerError::into_error)?;
    file.sync_all()?;
    Ok(written)
}

fn line(out: &mut BufWriter<File>, start_ns: u64, raw: &Raw) -> std::io::Result<()> {
    for time in [raw.due_ns, raw.sent_ns, raw.first_byte_ns, raw.done_ns] {
        if let Some(ns) = time {
            write!(out, "{}", ns.saturating_sub(start_ns))?;
        }
        out.write_all(b",")?;
    }
    match raw.outcome {
        Outcome::Right(cache) => writeln!(out, "ok,{}", cache.map_or("", CacheWord::word)),
        Outcome::Failed(fault) => writeln!(out, "{},", fault.word()),
        Outcome::Dropped => writeln!(out, "dropped,"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn right(at: u64) -> Raw {
        Raw {
            due_ns: Some(at),
            sent_ns: Some(at + 1),
            first_byte_ns: Some(at + 2),
            done_ns: Some(at + 3),
            outcome: Outcome::Right(Some(CacheWord::Hit)),
        }
    }

    #[test]
    fn each_sample_is_a_line_and_what_is_not_known_is_an_empty_cell() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("samples.csv");
        let (mut keeper, writer) = keep(&path).expect("kept");
        keeper.begin(100);
        keeper.push(right(100));
        let none = Raw {
            due_ns: None,
            sent_ns: None,
            first_byte_ns: None,
            done_ns: None,
            outcome: Outcome::Failed(Fault::Cancelled),
        };
        keeper.push(none);
        keeper.push(Raw {
            due_ns: Some(107),
            done_ns: Some(120),
            outcome: Outcome::Failed(Fault::Status(502)),
            ..none
        });
        keeper.push(Raw { due_ns: Some(109), outcome: Outcome::Dropped, ..none });
        keeper.push(Raw { outcome: Outcome::Right(None), ..right(200) });
        keeper.end();
        assert_eq!(writer.finish().expect("written"), SamplesKept { written: 5, lost: 0 });
        let text = std::fs::read_to_string(&path).expect("read");
        let body = text.strip_prefix(HEADER).expect("a header");
        assert_eq!(
            body,
            "0,1,2,3,ok,hit\n,,,,cancelled,\n7,,,20,status-502,\n9,,,,dropped,\n100,101,102,103,ok,\n"
        );
    }

    #[test]
    fn many_samples_are_written_in_their_order() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("samples.csv");
        let (mut keeper, writer) = keep(&path).expect("kept");
        for at in 0..20_000 {
            keeper.push(right(at));
        }
        keeper.end();
        let kept = writer.finish().expect("written");
        assert_eq!(kept, SamplesKept { written: 20_000, lost: 0 });
        let text = std::fs::read_to_string(&path).expect("read");
        let dues: Vec<u64> = text
            .lines()
            .skip(1)
            .map(|line| line.split(',').next().expect("a cell").parse().expect("a number"))
            .collect();
        assert!(dues.into_iter().eq(0..20_000));
    }

    #[test]
    fn a_writer_that_does_not_keep_up_loses_whole_chunks_and_counts_them() {
        let (to, chunks) = sync_channel(1);
        let lost = Arc::new(AtomicU64::new(0));
        let mut keeper =
            Keeper { start_ns: 0, chunk: Vec::new(), to, taken: 0, lost: Arc::clone(&lost) };
        for at in 0..3 * CHUNK as u64 {
            keeper.push(right(at));
        }
        assert_eq!(lost.load(Ordering::Relaxed), 2 * CHUNK as u64, "one chunk is on its way");
        assert_eq!(chunks.recv().expect("a chunk").1.len(), CHUNK);
    }

    #[test]
    fn a_file_that_cannot_be_made_is_an_error_before_anything_is_sent() {
        let error = keep(Path::new("/no such folder/samples.csv")).expect_err("no folder");
        assert!(format!("{error:#}").starts_with("cannot write /no such folder/samples.csv: "));
    }
}
