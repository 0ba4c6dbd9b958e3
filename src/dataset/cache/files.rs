//! The files of a stopped cluster: listed, digested, compared with what they were, copied.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read};
use std::os::unix::fs::{
    DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, chown, fchown,
};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use anyhow::{Context, Result, anyhow, bail, ensure};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::units::hex;

/// Written anew before each start; no part of the data.
const NOT_DATA: [&str; 3] = ["postgresql.conf", "postgresql.new", "postmaster.opts"];
/// Whose presence says that a server runs, or did not end well.
const RUNNING: &str = "postmaster.pid";
/// A cluster with more files is none that we have made.
const MOST_FILES: usize = 2_000_000;
/// Bytes that are read or copied between two looks at whether to stop.
const CHUNK: usize = 4 << 20;
/// Most threads that digest.
const THREADS: usize = 4;
const NO_FOLLOW: i32 = rustix::fs::OFlags::NOFOLLOW.bits().cast_signed();

/// User and group to give files to; none where they stay ours.
pub type Ids = Option<(u32, u32)>;

/// A file as it was when the data were kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct FileMark {
    /// Relative path.
    pub(super) path: String,
    /// Size.
    pub(super) bytes: u64,
    /// When its content was last written, in nanoseconds since 1970.
    modified_ns: i64,
    /// When anything of it was last changed; no program can set it back.
    changed_ns: i64,
    /// Digest of its content.
    pub(super) sha256: String,
}

/// All folders and files of a cluster, sorted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Listing {
    pub(super) folders: Vec<String>,
    pub(super) files: Vec<FileMark>,
}

impl FileMark {
    /// Whether it is the same file by size and times.
    pub(super) fn is_as(&self, other: &Self) -> bool {
        let marks = |file: &Self| (file.bytes, file.modified_ns, file.changed_ns);
        marks(self) == marks(other)
    }
}

impl Listing {
    /// The file of a path.
    pub(super) fn find(&self, path: &str) -> Option<&FileMark> {
        let at = self.files.binary_search_by(|file| file.path.as_str().cmp(path)).ok()?;
        self.files.get(at)
    }

    /// Lists what is there, without digests.
    pub(super) fn of(root: &Path) -> Result<Self> {
        let mut listing = Self::default();
        let mut open = vec![String::new()];
        while let Some(folder) = open.pop() {
            let path = root.join(&folder);
            let entries =
                fs::read_dir(&path).with_context(|| format!("cannot read {}", path.display()))?;
            for entry in entries {
                let name = entry?.file_name();
                let name = name.to_str().ok_or_else(|| anyhow!("a file's name is no text"))?;
                let at_top = folder.is_empty();
                if at_top && NOT_DATA.contains(&name) {
                    continue;
                }
                ensure!(!at_top || name != RUNNING, "{RUNNING} is there: it was not shut down");
                let path = if at_top { name.to_owned() } else { format!("{folder}/{name}") };
                let meta = fs::symlink_metadata(root.join(&path))?;
                if meta.is_dir() {
                    open.push(path.clone());
                    listing.folders.push(path);
                } else if meta.is_file() {
                    listing.files.push(mark(path, &meta));
                } else {
                    bail!("{path} is neither a file nor a folder");
                }
                ensure!(listing.files.len() < MOST_FILES, "there are too many files");
            }
        }
        listing.folders.sort();
        listing.files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(listing)
    }

    /// Size of all files.
    pub(super) fn bytes(&self) -> u64 {
        self.files.iter().map(|f| f.bytes).sum()
    }

    /// What is not as it was, by names, sizes and times; none if all is.
    pub(super) fn differs(&self, now: &Self) -> Option<String> {
        if self.folders != now.folders {
            return Some("its folders are others".into());
        }
        let was = self.files.iter().map(|f| &f.path);
        if !was.eq(now.files.iter().map(|f| &f.path)) {
            return Some("its files are others".into());
        }
        self.files.iter().zip(&now.files).find_map(|(was, now)| {
            if was.bytes != now.bytes {
                return Some(format!("{} has {} bytes and had {}", was.path, now.bytes, was.bytes));
            }
            let touched = (was.modified_ns, was.changed_ns) != (now.modified_ns, now.changed_ns);
            touched.then(|| format!("{} was touched", was.path))
        })
    }

    /// Fills in the digests of those files for which `known` has none of the same times and size.
    pub(super) fn digest(&mut self, root: &Path, known: &Self, stop: &AtomicBool) -> Result<()> {
        let unchanged = |file: &FileMark| {
            let was = known.find(&file.path)?;
            was.is_as(file).then(|| was.sha256.clone())
        };
        let mut to_read = Vec::new();
        for (at, file) in self.files.iter_mut().enumerate() {
            match unchanged(file) {
                Some(sha256) => file.sha256 = sha256,
                None => to_read.push(at),
            }
        }
        for (at, sha256) in digests(root, &self.files, &to_read, stop)? {
            self.files[at].sha256 = sha256;
        }
        Ok(())
    }

    /// The first file whose content is not what it was; none if all is.
    pub(super) fn changed_content(&self, root: &Path, stop: &AtomicBool) -> Result<Option<String>> {
        let all: Vec<usize> = (0..self.files.len()).collect();
        let mut changed = digests(root, &self.files, &all, stop)?;
        changed.retain(|(at, sha256)| self.files[*at].sha256 != *sha256);
        changed.sort();
        Ok(changed.first().map(|(at, _)| self.files[*at].path.clone()))
    }

    /// Copies all of it into an empty folder, sharing blocks where the file system can.
    pub(super) fn copy(&self, from: &Path, to: &Path, ids: Ids, stop: &AtomicBool) -> Result<()> {
        for folder in &self.folders {
            let path = to.join(folder);
            DirBuilder::new().mode(0o700).create(&path)?;
            fs::set_permissions(&path, Permissions::from_mode(0o700))?;
            if let Some((user, group)) = ids {
                chown(&path, Some(user), Some(group))?;
            }
        }
        for file in &self.files {
            copy_file(&from.join(&file.path), &to.join(&file.path), (file.bytes, ids), stop)
                .with_context(|| format!("cannot copy {}", file.path))?;
        }
        Ok(())
    }
}

fn mark(path: String, meta: &fs::Metadata) -> FileMark {
    let ns = |seconds: i64, ns: i64| seconds.saturating_mul(1_000_000_000).saturating_add(ns);
    FileMark {
        path,
        bytes: meta.len(),
        modified_ns: ns(meta.mtime(), meta.mtime_nsec()),
        changed_ns: ns(meta.ctime(), meta.ctime_nsec()),
        sha256: String::new(),
    }
}

/// Copies a file of so many bytes to where there is none, sharing its blocks where the file system can.
pub(super) fn copy_file(
    from: &Path,
    to: &Path,
    (bytes, ids): (u64, Ids),
    stop: &AtomicBool,
) -> Result<()> {
    let source = OpenOptions::new().read(true).custom_flags(NO_FOLLOW).open(from)?;
    let mut target = OpenOptions::new().write(true).create_new(true).mode(0o600).open(to)?;
    target.set_permissions(Permissions::from_mode(0o600))?;
    if let Some((user, group)) = ids {
        fchown(&target, Some(user), Some(group))?;
    }
    let mut copied = bytes;
    // Where blocks can't be shared, bytes are copied, by the kernel if it can.
    if rustix::fs::ioctl_ficlone(&target, &source).is_err() {
        copied = 0;
        loop {
            go_on(stop)?;
            let chunk = io::copy(&mut (&source).take(CHUNK as u64), &mut target)?;
            copied += chunk;
            if chunk == 0 || copied > bytes {
                break;
            }
        }
    }
    ensure!(copied == bytes && target.metadata()?.len() == bytes, "it changed meanwhile");
    Ok(())
}

/// Whether nobody has said to stop.
pub(super) fn go_on(stop: &AtomicBool) -> Result<()> {
    ensure!(!stop.load(Ordering::Relaxed), "interrupted");
    Ok(())
}

/// Positions and digests of these files, read by a few threads.
fn digests(
    root: &Path,
    files: &[FileMark],
    which: &[usize],
    stop: &AtomicBool,
) -> Result<Vec<(usize, String)>> {
    let next = AtomicUsize::new(0);
    let work = || -> Result<Vec<(usize, String)>> {
        let mut done = Vec::new();
        let mut buffer = vec![0_u8; CHUNK];
        while let Some(at) = which.get(next.fetch_add(1, Ordering::Relaxed)) {
            let path = root.join(&files[*at].path);
            let sha256 = digest_of(&path, &mut buffer, stop)
                .with_context(|| format!("cannot read {}", path.display()))?;
            done.push((*at, sha256));
        }
        Ok(done)
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(THREADS);
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let mut all = Vec::new();
        for worker in workers {
            all.extend(worker.join().map_err(|_| anyhow!("a digest was broken off"))??);
        }
        Ok(all)
    })
}

fn digest_of(path: &Path, buffer: &mut [u8], stop: &AtomicBool) -> Result<String> {
    let mut file: File = OpenOptions::new().read(true).custom_flags(NO_FOLLOW).open(path)?;
    let mut digest = Sha256::new();
    loop {
        go_on(stop)?;
        let n = file.read(buffer)?;
        if n == 0 {
            return Ok(hex(&digest.finalize()));
        }
        digest.update(&buffer[..n]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static GO: AtomicBool = AtomicBool::new(false);

    fn cluster() -> (tempfile::TempDir, Listing) {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("base/5")).unwrap();
        fs::create_dir(root.path().join("pg_notify")).unwrap();
        fs::write(root.path().join("PG_VERSION"), "15\n").unwrap();
        fs::write(root.path().join("base/5/16384"), vec![7_u8; 100_000]).unwrap();
        fs::write(root.path().join("postgresql.conf"), "of the last run").unwrap();
        let mut listing = Listing::of(root.path()).unwrap();
        listing.digest(root.path(), &Listing::default(), &GO).unwrap();
        (root, listing)
    }

    #[test]
    fn a_copy_has_the_same_content_and_configuration_is_none_of_it() {
        let (root, listing) = cluster();
        let to = tempfile::tempdir().unwrap();
        listing.copy(root.path(), to.path(), None, &GO).unwrap();
        assert_eq!(listing.changed_content(to.path(), &GO).unwrap(), None);
        assert!(to.path().join("pg_notify").is_dir());
        assert!(!to.path().join("postgresql.conf").exists());
        assert_eq!(listing.bytes(), 100_003);
        let mode = fs::metadata(to.path().join("base/5/16384")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn whatever_happens_to_a_file_is_noticed() {
        let (root, was) = cluster();
        let differs = || was.differs(&Listing::of(root.path()).unwrap());
        assert_eq!(differs(), None);
        fs::write(root.path().join("postgresql.conf"), "of this run").unwrap();
        assert_eq!(differs(), None, "configuration is no data");
        let file = root.path().join("base/5/16384");
        let touch = |path: &Path| {
            let open = OpenOptions::new().append(true).open(path).unwrap();
            let earlier = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1);
            open.set_modified(earlier).unwrap();
        };
        touch(&file);
        assert_eq!(differs().unwrap(), "base/5/16384 was touched");
        OpenOptions::new().write(true).open(&file).unwrap().set_len(99_999).unwrap();
        assert_eq!(differs().unwrap(), "base/5/16384 has 99999 bytes and had 100000");
        fs::write(root.path().join("base/5/16385"), "").unwrap();
        assert_eq!(differs().unwrap(), "its files are others");
        fs::create_dir(root.path().join("base/6")).unwrap();
        assert_eq!(differs().unwrap(), "its folders are others");
    }

    #[test]
    fn a_flipped_byte_is_found_by_content() {
        let (root, was) = cluster();
        let mut bytes = fs::read(root.path().join("base/5/16384")).unwrap();
        bytes[54_321] ^= 1;
        fs::write(root.path().join("base/5/16384"), bytes).unwrap();
        let changed = was.changed_content(root.path(), &GO).unwrap();
        assert_eq!(changed.as_deref(), Some("base/5/16384"));
    }

    #[test]
    fn only_what_changed_is_digested_again() {
        let (root, was) = cluster();
        let mut now = Listing::of(root.path()).unwrap();
        let mut marked = was.clone();
        marked.files[0].sha256 = "known".into();
        now.digest(root.path(), &marked, &GO).unwrap();
        assert_eq!(now.files[0].sha256, "known", "taken over");
        fs::write(root.path().join("PG_VERSION"), "16\n").unwrap();
        let mut now = Listing::of(root.path()).unwrap();
        now.digest(root.path(), &was, &GO).unwrap();
        let version = now.files.iter().find(|f| f.path == "PG_VERSION").unwrap();
        assert_eq!(version.sha256, hex(&Sha256::digest("16\n")));
    }

    #[test]
    fn a_running_server_and_links_are_refused() {
        let (root, _) = cluster();
        fs::write(root.path().join(RUNNING), "1").unwrap();
        assert!(Listing::of(root.path()).unwrap_err().to_string().contains("not shut down"));
        fs::remove_file(root.path().join(RUNNING)).unwrap();
        std::os::unix::fs::symlink("/etc", root.path().join("base/7")).unwrap();
        assert!(Listing::of(root.path()).unwrap_err().to_string().contains("base/7"));
    }

    #[test]
    fn a_copy_ends_when_it_is_told_to() {
        let (root, listing) = cluster();
        let to = tempfile::tempdir().unwrap();
        let stopped = listing.copy(root.path(), to.path(), None, &AtomicBool::new(true));
        assert!(format!("{:#}", stopped.unwrap_err()).contains("interrupted"));
    }
}
