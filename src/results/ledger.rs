//! The ledger of a gate: what earlier runs of the same code have measured against the same kept run.
//!
//! Whoever runs again because a gate was red gets a look at both runs together, not a second chance.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::files::write_atomic;
use super::sha256_hex;

/// Looks that count at most, the newest: a bound for whoever runs all night.
const MOST: usize = 16;

/// Block and log-ratio, as a gate takes them.
type Ratios = Vec<(u32, f64)>;

/// What one run has measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Look {
    /// The run.
    pub run: String,
    /// When it ended, RFC 3339.
    pub finished_at: String,
    /// What was compared, to its log-ratios to the baseline, block by block.
    pub ratios: BTreeMap<String, Ratios>,
}

/// The looks of one code at one kept run.
#[derive(Debug, Clone, PartialEq)]
pub struct Ledger {
    file: PathBuf,
    looks: Vec<Look>,
}

impl Ledger {
    /// Reads the ledger `<root>/<experiment>/<digest of the key>.jsonl`; one that is not there is empty. A line that was
    /// cut off is no look.
    ///
    /// # Errors
    ///
    /// If it is there and can't be read.
    pub fn open(root: &Path, experiment: &str, key: &[&str]) -> Result<Self> {
        let name = &sha256_hex(key.join("\n").as_bytes())[..16];
        let file = root.join(experiment).join(format!("{name}.jsonl"));
        let text = match fs::read(&file) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(e) => return Err(e).with_context(|| format!("cannot read {}", file.display())),
        };
        let looks = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        Ok(Self { file, looks })
    }

    /// The looks so far, the oldest first.
    pub fn looks(&self) -> &[Look] {
        &self.looks
    }

    /// Its file.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Adds a look; one of a run that is there already takes its place.
    ///
    /// # Errors
    ///
    /// If the disk refuses.
    pub fn add(&mut self, look: Look) -> Result<()> {
        self.looks.retain(|old| old.run != look.run);
        self.looks.push(look);
        let too_many = self.looks.len().saturating_sub(MOST);
        self.looks.drain(..too_many);
        let mut text = String::new();
        for look in &self.looks {
            text += &serde_json::to_string(look).context("a look is no JSON")?;
            text.push('\n');
        }
        let folder = self.file.parent().context("a file needs a folder")?;
        fs::create_dir_all(folder)
            .with_context(|| format!("cannot create {}", folder.display()))?;
        write_atomic(&self.file, text.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(run: &str, x: f64) -> Look {
        let ratios = [("p50".to_owned(), vec![(1, x), (2, -x)])].into();
        Look { run: run.into(), finished_at: "2026-11-23T00:00:00Z".into(), ratios }
    }

    #[test]
    fn looks_of_the_same_key_are_kept_in_order_and_a_run_is_there_once() {
        let root = tempfile::tempdir().expect("a folder");
        let open = |key: &[&str]| Ledger::open(root.path(), "0001-x", key).expect("a ledger");
        let mut ledger = open(&["a", "b"]);
        assert!(ledger.looks().is_empty(), "{:?}", ledger.file());
        for (run, x) in [("one", 0.1), ("two", 0.2), ("one", 0.3)] {
            ledger.add(look(run, x)).expect("written");
        }
        assert_eq!(open(&["a", "b"]).looks(), [look("two", 0.2), look("one", 0.3)]);
        assert!(open(&["a", "c"]).looks().is_empty(), "other code has another ledger");
    }

    #[test]
    fn a_line_that_was_cut_off_is_no_look_and_old_looks_make_room() {
        let root = tempfile::tempdir().expect("a folder");
        let mut ledger = Ledger::open(root.path(), "0001-x", &["k"]).expect("a ledger");
        for n in 0..20 {
            ledger.add(look(&n.to_string(), 0.0)).expect("written");
        }
        assert_eq!((ledger.looks().len(), ledger.looks()[0].run.as_str()), (MOST, "4"));
        let text = fs::read_to_string(ledger.file()).expect("read");
        fs::write(ledger.file(), &text[..text.len() - 5]).expect("written");
        let again = Ledger::open(root.path(), "0001-x", &["k"]).expect("a ledger");
        assert_eq!(again.looks().len(), MOST - 1);
    }
}
