//! Looking after the cache: what is there, whether it still is what it was, and what has to go.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};

use super::entry::{self, Entry, Locked};
use super::key::Ingredients;
use super::manifest::{Kept, Manifest};
use super::store::{GONE, NEW, PARTIAL, Store};

/// Longer than any maker takes from a folder to its lock.
const LOCKING: Duration = Duration::from_mins(1);

/// An entry as a list shows it.
#[derive(Debug, Clone)]
pub struct Listed {
    /// Its name.
    pub key: String,
    /// When it was last used, in nanoseconds since 1970; 0 where nobody knows.
    pub used_ns: i64,
    /// Size of its data.
    pub bytes: u64,
    /// What it was made of and what it holds; or why that can't be told.
    pub says: Result<(Ingredients, Kept), String>,
    /// Why its content must be looked at before it is used again.
    pub unclean: Option<String>,
}

/// What became of looking at every byte of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verified {
    /// It is what it was.
    Good,
    /// Another run has it.
    Busy,
    /// It is not, and why. It will not be used again.
    Bad(String),
}

impl Store {
    /// All entries, the one that was used last at the end.
    ///
    /// # Errors
    ///
    /// If the folder can't be read.
    pub fn list(&self) -> Result<Vec<Listed>> {
        let mut all = Vec::new();
        for dir in entries(&self.root)? {
            let says = Manifest::read(&dir).map_err(|e| format!("{e:#}"));
            all.push(Listed {
                key: name_of(&dir),
                used_ns: entry::used_ns(&dir),
                bytes: says.as_ref().map_or(0, |m| m.listing.bytes()),
                says: says.map(|m| (m.ingredients, m.kept)),
                unclean: entry::why_unclean(&dir),
            });
        }
        all.sort_by(|a, b| (a.used_ns, &a.key).cmp(&(b.used_ns, &b.key)));
        Ok(all)
    }

    /// Looks at every byte of an entry. One that is not what it was is marked, and never used again.
    ///
    /// # Errors
    ///
    /// If it can't be locked or marked, or it was told to stop.
    pub fn verify(&self, key: &str, stop: &AtomicBool) -> Result<Verified> {
        let dir = self.root.join(key);
        let lock = match entry::lock(&dir)? {
            Locked::Yes(lock) => lock,
            Locked::Busy => return Ok(Verified::Busy),
            Locked::Absent => return Ok(Verified::Bad("it is not there any more".into())),
        };
        let _held = lock.try_clone()?;
        let looked = Entry::open(&dir, lock, None, stop).and_then(|entry| entry.verify(stop));
        match looked {
            Ok(()) => Ok(Verified::Good),
            Err(e) if stop.load(Ordering::Relaxed) => Err(e),
            Err(e) => {
                let why = format!("{e:#}");
                entry::mark_unclean(&dir, &why)?;
                Ok(Verified::Bad(why))
            }
        }
    }

    /// Removes entries that are not what they were, by names, sizes and times, and then those that were used longest ago
    /// until the rest weighs no more than this. Gives the names of those that went.
    ///
    /// # Errors
    ///
    /// If one can't be removed.
    pub fn prune(&self, limit_bytes: u64) -> Result<Vec<String>> {
        sweep(&self.root)?;
        let mut gone = Vec::new();
        for dir in entries(&self.root)? {
            let Locked::Yes(lock) = entry::lock(&dir)? else { continue };
            let held = lock.try_clone()?;
            // Told to stop at once, an unclean one is not read through: it goes.
            let sound = Entry::open(&dir, lock, None, &AtomicBool::new(true));
            if sound.is_err() {
                self.remove_locked(&dir, held)?;
                gone.push(name_of(&dir));
            }
        }
        gone.extend(self.make_room(limit_bytes, None)?);
        Ok(gone)
    }

    /// Removes those that were used longest ago, but never `spare` and none that is in use.
    pub(super) fn make_room(&self, limit_bytes: u64, spare: Option<&str>) -> Result<Vec<String>> {
        let all = self.list()?;
        let mut total: u64 = all.iter().map(|e| e.bytes).sum();
        let mut gone = Vec::new();
        for old in all.iter().filter(|e| Some(e.key.as_str()) != spare) {
            if total <= limit_bytes {
                break;
            }
            let dir = self.root.join(&old.key);
            let Locked::Yes(lock) = entry::lock(&dir)? else { continue };
            self.remove_locked(&dir, lock)?;
            total = total.saturating_sub(old.bytes);
            gone.push(old.key.clone());
        }
        Ok(gone)
    }
}

/// The folders of entries: sixty-four hexadecimal digits. Whatever else lies there is none of ours.
fn entries(root: &Path) -> Result<Vec<PathBuf>> {
    let found = fs::read_dir(root).with_context(|| format!("cannot read {}", root.display()))?;
    let mut dirs = Vec::new();
    for entry in found {
        let entry = entry?;
        let name = entry.file_name();
        let is_key = name.to_str().is_some_and(|name| {
            name.len() == 64
                && name.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
        });
        // A link is no folder here.
        if is_key && entry.file_type()?.is_dir() {
            dirs.push(entry.path());
        }
    }
    dirs.sort();
    Ok(dirs)
}

fn name_of(dir: &Path) -> String {
    dir.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default()
}

/// Whether a folder was made so long ago that its maker, if it lived, had locked it. Its pid would say nothing here, if it is one
/// of another container.
fn is_old(folder: &std::io::Result<fs::Metadata>) -> bool {
    let made = folder.as_ref().ok().and_then(|meta| meta.modified().ok());
    made.is_some_and(|at| at.elapsed().is_ok_and(|age| age >= LOCKING))
}

/// Removes what broken-off runs have left: what was being built and whose builder holds no lock any more, and what was
/// being removed.
pub(super) fn sweep(root: &Path) -> Result<()> {
    for entry in fs::read_dir(root)? {
        let entry = entry?;
        let (path, name) = (entry.path(), name_of(&entry.path()));
        let dead = if name.starts_with(PARTIAL) {
            matches!(entry::lock(&path)?, Locked::Yes(_))
        } else if name.starts_with(NEW) {
            is_old(&entry.metadata()) && matches!(entry::lock(&path)?, Locked::Yes(_))
        } else {
            name.starts_with(GONE)
        };
        if dead && entry.file_type()?.is_dir() {
            match fs::remove_dir_all(&path) {
                Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                    return Err(e).with_context(|| format!("cannot remove {}", path.display()));
                }
                _ => {}
            }
        }
    }
    Ok(())
}
