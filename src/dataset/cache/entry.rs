//! One entry of the cache: a folder that is locked as long as it is looked at, with a cluster in it.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use anyhow::{Context, Result, bail};
use rustix::fs::{FlockOperation, flock};

use super::files::{Ids, Listing};
use super::key::Ingredients;
use super::log::trim_log;
use super::manifest::{Kept, Manifest};
use super::update::Restored;

/// The cluster's folder.
pub(super) const DATA: &str = "data";
/// The cluster's passwords.
pub(super) const PASSWORDS: &str = "passwords.json";
/// Written when it is used: its time says when that was last.
const USED: &str = "used";
/// Its presence says that the content must be looked at before the entry is used again; its text says why.
const UNCLEAN: &str = "unclean";

/// An entry that is whole, and ours alone until this is dropped.
#[derive(Debug)]
pub struct Entry {
    pub(super) dir: PathBuf,
    pub(super) manifest: Manifest,
    lock: File,
}

/// Keeps an entry locked as long as it lives.
#[derive(Debug)]
pub struct Held {
    _lock: File,
}

/// The lock of an entry's folder.
pub(super) enum Locked {
    /// It is ours.
    Yes(File),
    /// Somebody else's.
    Busy,
    /// There is no such entry.
    Absent,
}

/// Locks a folder, if nobody else has it.
pub(super) fn lock(dir: &Path) -> Result<Locked> {
    let file = match File::open(dir) {
        Ok(file) => file,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Locked::Absent),
        Err(e) => return Err(e).with_context(|| format!("cannot open {}", dir.display())),
    };
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(rustix::io::Errno::WOULDBLOCK) => return Ok(Locked::Busy),
        Err(e) => return Err(e).with_context(|| format!("cannot lock {}", dir.display())),
    }
    // It may have been replaced between the opening and the lock.
    let ours = file.metadata()?;
    match fs::symlink_metadata(dir) {
        Ok(there) if there.dev() == ours.dev() && there.ino() == ours.ino() => {
            Ok(Locked::Yes(file))
        }
        Ok(_) => Ok(Locked::Busy),
        Err(_) => Ok(Locked::Absent),
    }
}

impl Entry {
    /// Looks through a locked entry: that it is what it says, that it is what is wanted (if anything is), that no file was
    /// touched; and after an unclean end, that no content has changed.
    pub(super) fn open(
        dir: &Path,
        locked: File,
        wanted: Option<&Ingredients>,
        stop: &AtomicBool,
    ) -> Result<Self> {
        let manifest = Manifest::read(dir)?;
        let name = dir.file_name().and_then(|n| n.to_str()).unwrap_or_default();
        manifest.is_sound(name)?;
        if wanted.is_some_and(|wanted| *wanted != manifest.ingredients) {
            bail!("it was made of something else");
        }
        let entry = Self { dir: dir.to_path_buf(), manifest, lock: locked };
        entry.manifest.is_untouched(dir)?;
        if entry.why_unclean().is_some() {
            entry.verify(stop)?;
            entry.mark_clean()?;
        }
        Ok(entry)
    }

    /// Reads every byte of the data, and compares.
    ///
    /// # Errors
    ///
    /// The first file that is not as it was; or if it was told to stop.
    pub fn verify(&self, stop: &AtomicBool) -> Result<()> {
        match self.manifest.listing.changed_content(&self.data(), stop)? {
            Some(file) => bail!("the content of {file} has changed"),
            None => Ok(()),
        }
    }

    /// Name of the entry.
    pub fn key(&self) -> &str {
        &self.manifest.key
    }

    /// What the data are, and what they took.
    pub fn kept(&self) -> &Kept {
        &self.manifest.kept
    }

    /// What they were made of.
    pub fn ingredients(&self) -> &Ingredients {
        &self.manifest.ingredients
    }

    /// Size of the data.
    pub fn bytes(&self) -> u64 {
        self.manifest.listing.bytes()
    }

    /// The cluster's folder.
    pub fn data(&self) -> PathBuf {
        self.dir.join(DATA)
    }

    /// The file with the cluster's passwords.
    pub fn passwords(&self) -> PathBuf {
        self.dir.join(PASSWORDS)
    }

    /// Copies the cluster into an empty folder; everything is on disk when it is done.
    ///
    /// # Errors
    ///
    /// If a file can't be copied, is not as it was, or it was told to stop.
    pub fn restore(&self, to: &Path, ids: Ids, stop: &AtomicBool) -> Result<Restored> {
        self.manifest.listing.copy(&self.data(), to, ids, stop)?;
        // Nothing may still be on its way to the disk when measuring begins.
        rustix::fs::syncfs(File::open(to)?).context("cannot write the copy to disk")?;
        // Whoever wrote to the entry meanwhile did so behind its lock.
        let now = Listing::of(&self.data())?;
        match self.manifest.listing.differs(&now) {
            Some(difference) => bail!("it changed while it was copied: {difference}"),
            None => Ok(Restored(Listing::of(to)?)),
        }
    }

    /// Keeps it locked beyond its own life: servers may still work on it when nobody needs it any more.
    ///
    /// # Errors
    ///
    /// If the process may open no more files.
    pub fn hold(&self) -> Result<Held> {
        Ok(Held { _lock: self.lock.try_clone().context("the lock of cached data")? })
    }

    /// Says that its content must be looked at before it is used again. On disk when this returns.
    ///
    /// # Errors
    ///
    /// If that can't be written.
    pub fn mark_unclean(&self, why: &str) -> Result<()> {
        mark_unclean(&self.dir, why)
    }

    /// Notes the files of a stopped cluster as they are now, after it was used where it lies and nothing was written but
    /// what reading leaves behind. Until this is done the entry is unclean.
    ///
    /// # Errors
    ///
    /// If the cluster was not shut down, or it was told to stop; then the entry stays unclean.
    pub fn seal(self, kept: Kept, stop: &AtomicBool) -> Result<()> {
        trim_log(&self.data())?;
        self.note(kept, stop)
    }

    /// Notes the files as they are now, digests of those that were changed included, and takes the mark away.
    pub(super) fn note(mut self, kept: Kept, stop: &AtomicBool) -> Result<()> {
        let data = self.data();
        let mut listing = Listing::of(&data)?;
        listing.digest(&data, &self.manifest.listing, stop)?;
        rustix::fs::syncfs(File::open(&data)?).context("cannot write it to disk")?;
        self.manifest = Manifest::of(&self.manifest.ingredients, kept, listing, &self.dir)?;
        self.manifest.write(&self.dir)?;
        touch(&self.dir)?;
        self.mark_clean()
    }

    /// Takes the mark away.
    pub(super) fn mark_clean(&self) -> Result<()> {
        fs::remove_file(self.dir.join(UNCLEAN))?;
        File::open(&self.dir)?.sync_all()?;
        Ok(())
    }

    pub(super) fn why_unclean(&self) -> Option<String> {
        why_unclean(&self.dir)
    }
}

pub(super) fn mark_unclean(dir: &Path, why: &str) -> Result<()> {
    let path = dir.join(UNCLEAN);
    fs::write(&path, why)?;
    File::open(&path)?.sync_all()?;
    File::open(dir)?.sync_all()?;
    Ok(())
}

pub(super) fn why_unclean(dir: &Path) -> Option<String> {
    match fs::read_to_string(dir.join(UNCLEAN)) {
        Ok(why) => Some(why),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => None,
        Err(e) => Some(e.to_string()),
    }
}

/// Says that it was used now.
pub(super) fn touch(dir: &Path) -> Result<()> {
    fs::write(dir.join(USED), "used\n").context("cannot note the use of cached data")
}

/// When an entry was last used, in nanoseconds since 1970; 0 where nobody knows.
pub(super) fn used_ns(dir: &Path) -> i64 {
    fs::metadata(dir.join(USED))
        .map_or(0, |m| m.mtime().saturating_mul(1_000_000_000).saturating_add(m.mtime_nsec()))
}
