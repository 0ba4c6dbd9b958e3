//! The folder of all entries: looking one up, and keeping a new one, built beside and renamed last.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use anyhow::{Context, Result, bail, ensure};

use super::entry::{self, DATA, Entry, Locked, PASSWORDS};
use super::files::{Ids, Listing};
use super::key::Ingredients;
use super::manifest::{Kept, Manifest, control};
use super::upkeep;
use crate::units::{self, hex};

/// Below querylab's cache folder.
const FOLDER: &str = "datasets";
/// Names of what is being built; removed when nobody holds its lock.
pub(super) const PARTIAL: &str = ".partial-";
/// Names of what is being removed.
pub(super) const GONE: &str = ".gone-";
/// Names of folders that have no lock yet.
pub(super) const NEW: &str = ".new-";

/// All entries, and how much they may weigh.
#[derive(Debug, Clone)]
pub struct Store {
    pub(super) root: PathBuf,
    pub(super) limit_bytes: u64,
}

/// What became of looking for an entry.
#[derive(Debug)]
pub enum Lookup {
    /// It is there, and as it was.
    Found(Box<Entry>),
    /// There is none; the sentence says why not, where there is more to say.
    Absent(Option<String>),
}

/// What became of keeping data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Keeping {
    /// They are kept; these entries had to go for it.
    Kept(Vec<String>),
    /// They are not, and why.
    NotKept(String),
}

impl Store {
    /// Takes the folder below querylab's cache, or makes it, and removes what broken-off runs have left in it.
    ///
    /// # Errors
    ///
    /// If it can't be made, or others could put something into it.
    pub fn open(cache: &Path, limit_bytes: u64) -> Result<Self> {
        let root = cache.join(FOLDER);
        make(&root).with_context(|| format!("cannot make {}", root.display()))?;
        let meta = fs::symlink_metadata(&root)?;
        let shown = root.display();
        ensure!(meta.is_dir(), "{shown} is no folder");
        let uid = rustix::process::geteuid().as_raw();
        ensure!(meta.uid() == uid, "{shown} belongs to somebody else");
        ensure!(meta.mode() & 0o022 == 0, "{shown} can be written to by others");
        let store = Self { root, limit_bytes };
        upkeep::sweep(&store.root)?;
        Ok(store)
    }

    /// Where the entries are.
    pub fn folder(&self) -> &Path {
        &self.root
    }

    /// The entry of these ingredients, locked and verified. One that is not what it says is removed.
    ///
    /// # Errors
    ///
    /// If the folder can't be read, or it was told to stop.
    pub fn look_up(&self, wanted: &Ingredients, stop: &AtomicBool) -> Result<Lookup> {
        let dir = self.root.join(wanted.key());
        let lock = match entry::lock(&dir)? {
            Locked::Absent => return Ok(Lookup::Absent(None)),
            Locked::Busy => return Ok(Lookup::Absent(Some("another run uses it".into()))),
            Locked::Yes(lock) => lock,
        };
        // The same lock: it is free only when both are closed.
        let held = lock.try_clone()?;
        match Entry::open(&dir, lock, Some(wanted), stop) {
            Ok(entry) => {
                entry::touch(&dir)?;
                Ok(Lookup::Found(Box::new(entry)))
            }
            Err(e) if stop.load(Ordering::Relaxed) => Err(e),
            Err(e) => {
                self.remove_locked(&dir, held)?;
                Ok(Lookup::Absent(Some(format!("it was not as it should be ({e:#})"))))
            }
        }
    }

    /// Removes an entry whose data were found to be wrong.
    ///
    /// # Errors
    ///
    /// If it can't be removed; then it is marked, and not used without a look at its content.
    pub fn discard(&self, entry: Entry, why: &str) -> Result<()> {
        entry.mark_unclean(why)?;
        let dir = entry.dir.clone();
        self.remove_locked(&dir, entry)
    }

    /// Takes an entry away under another name, whereupon nobody finds it, and then removes it. `lock` is held meanwhile.
    pub(super) fn remove_locked<L>(&self, dir: &Path, lock: L) -> Result<()> {
        let gone = self.root.join(format!("{GONE}{}", unique()?));
        fs::rename(dir, &gone).with_context(|| format!("cannot remove {}", dir.display()))?;
        drop(lock);
        match fs::remove_dir_all(&gone) {
            // Another run's sweep may have been faster.
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                Err(e).with_context(|| format!("cannot remove {}", gone.display()))
            }
            _ => Ok(()),
        }
    }

    /// Keeps a copy of a stopped cluster, with the file of its passwords. Nothing is there before all of it is on disk; an
    /// older entry of the same ingredients is replaced.
    ///
    /// # Errors
    ///
    /// If a file can't be written, or it was told to stop; then nothing is kept.
    pub fn keep(
        &self,
        (ingredients, kept): (&Ingredients, Kept),
        (data, ids): (&Path, Ids),
        passwords: &Path,
        stop: &AtomicBool,
    ) -> Result<Keeping> {
        control(data)?;
        let source = Listing::of(data)?;
        if let Some(why) = self.has_no_room(source.bytes(), source.bytes())? {
            return Ok(Keeping::NotKept(why));
        }
        let (partial, lock) = self.begin()?;
        let built = fill(&partial, (data, ids), (&source, stop)).and_then(|listing| {
            copy_private(passwords, &partial.join(PASSWORDS))?;
            let manifest = Manifest::of(ingredients, kept, listing, &partial)?;
            manifest.is_sound(&ingredients.key())?;
            manifest.write(&partial)?;
            // Content before name: a name that is on disk without its content would be a lie.
            rustix::fs::syncfs(&lock).context("cannot write it to disk")?;
            entry::touch(&partial)
        });
        let outcome = built.and_then(|()| self.put(&partial, &ingredients.key()));
        match outcome {
            Ok(Some(busy)) => {
                self.remove_locked(&partial, lock)?;
                Ok(Keeping::NotKept(busy))
            }
            Ok(None) => {
                drop(lock);
                Ok(Keeping::Kept(self.make_room(self.limit_bytes, Some(&ingredients.key()))?))
            }
            Err(e) => {
                // The reason why is worth more than a second one from clearing up; the next run sweeps.
                drop(self.remove_locked(&partial, lock));
                Err(e)
            }
        }
    }

    /// Why so many bytes are not kept, of which some are yet to be copied; none if they can be.
    pub(super) fn has_no_room(&self, bytes: u64, to_copy: u64) -> Result<Option<String>> {
        let shown = units::bytes(bytes as f64);
        if bytes > self.limit_bytes {
            let limit = units::bytes(self.limit_bytes as f64);
            return Ok(Some(format!("{shown} are more than the cache may hold ({limit})")));
        }
        let room = rustix::fs::statvfs(&self.root)?;
        let free = room.f_bavail.saturating_mul(room.f_frsize);
        // A run that follows may need as much again.
        Ok((free / 2 < to_copy).then(|| {
            let free = units::bytes(free as f64);
            format!("{} has {free} free, too little for {shown}", self.root.display())
        }))
    }

    /// A new folder with its lock. It bears the name that is swept only once it is locked.
    fn begin(&self) -> Result<(PathBuf, File)> {
        let name = unique()?;
        let fresh = self.root.join(format!("{NEW}{name}"));
        let partial = self.root.join(format!("{PARTIAL}{name}"));
        folder(&fresh, 0o755, None)?;
        let Locked::Yes(lock) = entry::lock(&fresh)? else { bail!("a new folder is locked") };
        fs::rename(&fresh, &partial)?;
        Ok((partial, lock))
    }

    /// Gives the folder its name. An older entry goes, if nobody uses it: else that one stays, and the sentence says so.
    fn put(&self, partial: &Path, key: &str) -> Result<Option<String>> {
        let dir = self.root.join(key);
        match entry::lock(&dir)? {
            Locked::Absent => {}
            Locked::Busy => return Ok(Some("another run uses the entry of these data".into())),
            Locked::Yes(lock) => self.remove_locked(&dir, lock)?,
        }
        fs::rename(partial, &dir).context("cannot give the entry its name")?;
        File::open(&self.root)?.sync_all()?;
        Ok(None)
    }
}

/// The cluster's files in the new folder, digested as they are there.
fn fill(
    partial: &Path,
    (data, ids): (&Path, Ids),
    (source, stop): (&Listing, &AtomicBool),
) -> Result<Listing> {
    let target = partial.join(DATA);
    folder(&target, 0o700, ids)?;
    source.copy(data, &target, ids, stop)?;
    let mut listing = Listing::of(&target)?;
    listing.digest(&target, &Listing::default(), stop)?;
    Ok(listing)
}

/// A file that only we can read, like the one that it is a copy of.
fn copy_private(from: &Path, to: &Path) -> Result<()> {
    let text = fs::read(from).context("the cluster's passwords")?;
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(to)?;
    file.set_permissions(fs::Permissions::from_mode(0o600))?;
    Ok(file.write_all(&text)?)
}

fn make(root: &Path) -> std::io::Result<()> {
    let mut above: Vec<&Path> = root.ancestors().take_while(|a| !a.exists()).collect();
    above.reverse();
    for path in above {
        match DirBuilder::new().mode(0o755).create(path) {
            Err(e) if e.kind() != std::io::ErrorKind::AlreadyExists => return Err(e),
            // Others must be able to pass, whatever the umask.
            _ => fs::set_permissions(path, fs::Permissions::from_mode(0o755))?,
        }
    }
    Ok(())
}

/// Makes a folder with this mode, whatever the umask.
pub(super) fn folder(path: &Path, mode: u32, ids: Ids) -> Result<()> {
    DirBuilder::new().mode(0o700).create(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
    if let Some((user, group)) = ids {
        chown(path, Some(user), Some(group))?;
    }
    Ok(())
}

/// A name that nobody else has, in other containers that share the cache included: there, all have the same few pids.
fn unique() -> Result<String> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let mut random = [0_u8; 4];
    File::open("/dev/urandom")
        .and_then(|mut source| source.read_exact(&mut random))
        .context("no random numbers (/dev/urandom)")?;
    let count = NEXT.fetch_add(1, Ordering::Relaxed);
    Ok(format!("{}-{count}-{}", std::process::id(), hex(&random)))
}
