//! Adding to an entry: only the files that a run has changed or made are copied into it.
//!
//! They are copied beside the entry's own first, and the entry is as it was until all of them are there; then they take
//! their places, which is a matter of moments, and the entry is noted anew. Should a run die in these moments, the mark of
//! an unclean entry is there, and its content decides.

use std::fs;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use anyhow::{Context, Result};

use super::entry::Entry;
use super::files::{FileMark, Ids, Listing, copy_file, go_on};
use super::manifest::{Kept, control};
use super::store::{Keeping, Store, folder};

/// Beside the entry's data: what is to take its place there.
const INCOMING: &str = "incoming";

/// The files of a copy as they were when it was made.
#[derive(Debug, Clone)]
pub struct Restored(pub(super) Listing);

impl Store {
    /// Brings an entry to the state of a stopped cluster that was a copy of it.
    ///
    /// # Errors
    ///
    /// If a file can't be copied, or it was told to stop: then the entry is as it was. If one can't take its place: then
    /// the entry is unclean, and not used without a look at its content.
    pub fn add(
        &self,
        (entry, kept): (Entry, Kept),
        (data, ids): (&Path, Ids),
        restored: &Restored,
        stop: &AtomicBool,
    ) -> Result<Keeping> {
        control(data)?;
        let now = Listing::of(data)?;
        let changed = changed(&now, &restored.0, &entry.manifest.listing);
        let more = changed.iter().map(|file| file.bytes).sum();
        if let Some(why) = self.has_no_room(now.bytes(), more)? {
            return Ok(Keeping::NotKept(why));
        }
        let incoming = entry.dir.join(INCOMING);
        clear(&incoming)?;
        folder(&incoming, 0o700, None)?;
        let brought = changed.iter().enumerate().try_for_each(|(n, file)| {
            let to = incoming.join(n.to_string());
            go_on(stop)?;
            copy_file(&data.join(&file.path), &to, (file.bytes, ids), stop)
                .with_context(|| format!("cannot copy {}", file.path))
        });
        if let Err(e) = brought {
            // What is left of it is cleared before the next attempt.
            drop(clear(&incoming));
            return Err(e);
        }
        entry.mark_unclean("a run added to it, or ended while it did")?;
        put(&entry, &now, &changed, (&incoming, ids))?;
        clear(&incoming)?;
        let key = entry.key().to_owned();
        // From here on it is only noted what is there; stopping halfway would cost all of it.
        entry.note(kept, &AtomicBool::new(false))?;
        Ok(Keeping::Kept(self.make_room(self.limit_bytes, Some(&key))?))
    }
}

/// The files that are not those of the entry any more.
fn changed<'n>(now: &'n Listing, restored: &Listing, entry: &Listing) -> Vec<&'n FileMark> {
    let is_same = |file: &&FileMark| {
        restored.find(&file.path).is_some_and(|was| was.is_as(file))
            && entry.find(&file.path).is_some_and(|kept| kept.bytes == file.bytes)
    };
    now.files.iter().filter(|file| !is_same(file)).collect()
}

/// Gives what came its place, and takes away what is not there any more.
fn put(
    entry: &Entry,
    now: &Listing,
    changed: &[&FileMark],
    (incoming, ids): (&Path, Ids),
) -> Result<()> {
    let (data, was) = (entry.data(), &entry.manifest.listing);
    for path in now.folders.iter().filter(|path| was.folders.binary_search(path).is_err()) {
        folder(&data.join(path), 0o700, ids)?;
    }
    for (n, file) in changed.iter().enumerate() {
        fs::rename(incoming.join(n.to_string()), data.join(&file.path))
            .with_context(|| format!("{} can't take its place", file.path))?;
    }
    for file in was.files.iter().filter(|file| now.find(&file.path).is_none()) {
        fs::remove_file(data.join(&file.path))?;
    }
    // The innermost first.
    for path in was.folders.iter().rev().filter(|path| now.folders.binary_search(path).is_err()) {
        fs::remove_dir(data.join(path))?;
    }
    Ok(())
}

fn clear(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            Err(e).with_context(|| format!("cannot remove {}", folder.display()))
        }
        _ => Ok(()),
    }
}
