//! Lines of the request log: one JSON object each, with exactly the fields that readers of such logs know.

use std::borrow::Cow;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Serialize, Serializer};
use tokio::time::Instant;

use super::percent::{Plus, decode};
use super::request_log::Entry;

/// A file that is larger becomes the old one, and the one before it goes: a long run fills no disk.
const LARGEST_FILE: u64 = 64 * 1024 * 1024;

/// The file, and what its lines need to know.
pub(super) struct Lines {
    path: PathBuf,
    file: File,
    written: u64,
    /// One moment by both clocks: requests know theirs by the steady one.
    moment: (DateTime<Utc>, Instant),
    buffer: Vec<u8>,
}

/// One line. The order is that of the origin's own example.
#[derive(Serialize)]
struct Line<'a> {
    timestamp: String,
    request_id: &'a str,
    endpoint: &'a str,
    method: &'a str,
    query_params: Pairs<'a>,
    query_time_ms: f64,
    cache_status: &'a str,
    db_queries: u32,
    status_code: u16,
    response_size_bytes: u64,
}

/// Parameters by name, each name once.
struct Pairs<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl Serialize for Pairs<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

impl Lines {
    /// Goes on with the file at `path`, or begins it.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    pub(super) fn open(path: &Path) -> anyhow::Result<Self> {
        let file = append_to(path)?;
        let written = file.metadata().context("the size of the request log")?.len();
        Ok(Self {
            path: path.to_owned(),
            file,
            written,
            moment: (Utc::now(), Instant::now()),
            buffer: Vec::new(),
        })
    }

    /// Writes lines; how many of them are lost because the disk did not take them.
    pub(super) fn write(&mut self, entries: &[Entry]) -> u64 {
        let lost = entries.len() as u64;
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.clear();
        for entry in entries {
            // A buffer takes every byte, and a line of texts and numbers is always JSON.
            if serde_json::to_writer(&mut buffer, &self.line(entry)).is_ok() {
                buffer.push(b'\n');
            }
        }
        let written = self.rotate().and_then(|()| Ok(self.file.write_all(&buffer)?));
        self.written += buffer.len() as u64;
        self.buffer = buffer;
        match written {
            Ok(()) => 0,
            Err(error) => {
                tracing::warn!(%error, lines = lost, "the request log cannot be written");
                lost
            }
        }
    }

    fn rotate(&mut self) -> anyhow::Result<()> {
        if self.written < LARGEST_FILE {
            return Ok(());
        }
        std::fs::rename(&self.path, self.path.with_extension("old.jsonl"))?;
        self.file = append_to(&self.path)?;
        self.written = 0;
        Ok(())
    }

    fn line<'a>(&self, entry: &'a Entry) -> Line<'a> {
        let (wall, steady) = self.moment;
        let age = entry.arrived.saturating_duration_since(steady);
        let endpoint = entry.endpoint.as_deref();
        let path = entry.path.as_deref().unwrap_or_default();
        Line {
            timestamp: (wall + age).to_rfc3339_opts(SecondsFormat::Micros, true),
            // Made of ASCII only.
            request_id: std::str::from_utf8(entry.id.as_bytes()).unwrap_or_default(),
            endpoint: endpoint.map_or(path, |endpoint| &endpoint.path),
            method: entry.method.as_str(),
            query_params: Pairs(pairs(entry, path)),
            query_time_ms: (entry.query_ns / 1000) as f64 / 1000.0,
            cache_status: entry.cache.name(),
            db_queries: entry.statements,
            status_code: entry.status,
            response_size_bytes: entry.bytes,
        }
    }
}

fn append_to(path: &Path) -> anyhow::Result<File> {
    OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .with_context(|| format!("opening the request log {}", path.display()))
}

/// What the path and the query string say, decoded where that is possible. Of a name that comes twice the first counts: such
/// a request was refused.
fn pairs<'a>(entry: &'a Entry, path: &'a str) -> Vec<(Cow<'a, str>, Cow<'a, str>)> {
    let plain = |text: &'a str, plus| decode(text, plus).unwrap_or(Cow::Borrowed(text));
    let mut pairs: Vec<(Cow<'_, str>, Cow<'_, str>)> = Vec::new();
    for (name, place) in entry.endpoint.iter().flat_map(|endpoint| &endpoint.path_params) {
        let segment = path.split('/').nth(*place).unwrap_or_default();
        pairs.push((Cow::Borrowed(name), plain(segment, Plus::Itself)));
    }
    let query = entry.query.as_deref().unwrap_or_default();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let name = plain(name, Plus::Space);
        if pairs.iter().all(|(other, _)| *other != name) {
            pairs.push((name, plain(value, Plus::Space)));
        }
    }
    pairs
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::api::request_log::tests::entry;

    #[test]
    fn a_line_has_exactly_its_fields_and_no_request_can_break_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("requests.jsonl");
        let mut lines = Lines::open(&path).expect("opened");
        let query = "a=%22%0A%7B&a=2&b%ff=%zz&c";
        let entry = Entry { query: Some(query.into()), query_ns: 1_234_567, ..entry() };
        assert_eq!(lines.write(&[entry]), 0);
        let text = std::fs::read_to_string(&path).expect("written");
        assert_eq!(text.lines().count(), 1);
        let line: Value = serde_json::from_str(&text).expect("JSON");
        let names: std::collections::BTreeSet<&str> =
            line.as_object().expect("an object").keys().map(String::as_str).collect();
        let wanted = [
            "timestamp",
            "request_id",
            "endpoint",
            "method",
            "query_params",
            "query_time_ms",
            "cache_status",
            "db_queries",
            "status_code",
            "response_size_bytes",
        ];
        assert_eq!(names, wanted.into());
        assert_eq!(line["query_params"], json!({ "a": "\"\n{", "b%ff": "%zz", "c": "" }));
        assert_eq!((&line["query_time_ms"], &line["endpoint"]), (&json!(1.234), &json!("/x")));
        let stamp = line["timestamp"].as_str().expect("a text");
        assert!(DateTime::parse_from_rfc3339(stamp).is_ok() && stamp.ends_with('Z'), "{stamp}");
    }

    #[test]
    fn a_large_file_makes_room_for_a_new_one() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("requests.jsonl");
        let mut lines = Lines::open(&path).expect("opened");
        lines.write(&[entry()]);
        lines.written = LARGEST_FILE;
        lines.write(&[entry(), entry()]);
        let count = |name: &str| {
            std::fs::read_to_string(folder.path().join(name)).expect("there").lines().count()
        };
        assert_eq!((count("requests.old.jsonl"), count("requests.jsonl")), (1, 2));
    }
}
