//! Locks that end with their process (flock): the one measuring lock of the machine, and the one of the cache.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FlockOperation, OFlags, flock};
use tokio::time::{Instant, sleep};

use super::error::{StackError, environment};
use super::scratch::random_hex;

/// The measuring lock: one path for every user of the machine, on a disk that outlives no boot more than the lock does.
const MEASURING: &str = "/var/tmp/querylab.lock";
/// How often a held lock is tried again.
const RETRY: Duration = Duration::from_millis(250);
/// The longest queue: a day of measurements.
const LONGEST_QUEUE: Duration = Duration::from_hours(24);
/// Most that is read of a holder's text, in bytes.
const LONGEST_TEXT: u64 = 500;

/// What to do where somebody else measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// Wait until it is free, with a line that says for whom.
    Queue,
    /// Give up at once (`--no-wait`).
    Refuse,
}

/// Held while measuring; two measurements at once would measure each other.
#[derive(Debug)]
pub struct MeasuringLock {
    _lock: FileLock,
}

impl MeasuringLock {
    /// Takes the machine's lock. `what` is what others read while they wait: the experiment. Fails with `Environment` where
    /// it is held (`Wait::Refuse`) or cannot be opened.
    pub async fn acquire(
        what: &str,
        wait: Wait,
        notice: &mut dyn FnMut(String),
    ) -> Result<Self, StackError> {
        Self::acquire_at(Path::new(MEASURING), what, wait, notice).await
    }

    /// Who holds it, if anybody does.
    pub fn holder() -> Option<String> {
        let file = open_shared(Path::new(MEASURING)).ok()?;
        flock(&file, FlockOperation::NonBlockingLockShared).is_err().then(|| read_holder(&file))
    }

    async fn acquire_at(
        path: &Path,
        what: &str,
        wait: Wait,
        notice: &mut dyn FnMut(String),
    ) -> Result<Self, StackError> {
        let holder = Holder::ourselves(what);
        let patience = match wait {
            Wait::Queue => LONGEST_QUEUE,
            Wait::Refuse => Duration::ZERO,
        };
        FileLock::wait(path, &holder, patience, notice).await.map(|lock| Self { _lock: lock })
    }
}

/// The text that a waiting one reads.
pub(super) struct Holder(String);

impl Holder {
    /// This process, doing this.
    pub(super) fn ourselves(what: &str) -> Self {
        let plain: String = what.chars().filter(|c| !c.is_control()).take(200).collect();
        Self(format!("pid {}: {plain}", std::process::id()))
    }
}

/// A locked file; unlocked when it is dropped or the process ends, however that is.
#[derive(Debug)]
pub(super) struct FileLock {
    _file: File,
}

impl FileLock {
    /// Takes the lock, trying again until `patience` is over. Says once for whom it waits, and again when that changes.
    pub(super) async fn wait(
        path: &Path,
        holder: &Holder,
        patience: Duration,
        notice: &mut dyn FnMut(String),
    ) -> Result<Self, StackError> {
        let shown = path.display().to_string();
        let mut file = open_shared(path)
            .map_err(|e| environment(&format!("cannot open the lock {shown}"), e))?;
        let until = Instant::now() + patience;
        let mut told = String::new();
        loop {
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => break,
                Err(rustix::io::Errno::WOULDBLOCK | rustix::io::Errno::INTR) => {}
                Err(e) => return Err(environment(&format!("cannot lock {shown}"), e)),
            }
            let who = read_holder(&file);
            if Instant::now() >= until {
                return Err(StackError::Environment(format!(
                    "another run holds {shown}: {who}\n  fix: wait for it, or run without --no-wait"
                )));
            }
            if who != told {
                notice(format!("waiting for another run ({who})"));
                told = who;
            }
            sleep(RETRY).await;
        }
        // A text that cannot be written (the file is another user's) leaves the lock itself as good as ever.
        drop(write_holder(&mut file, holder));
        Ok(Self { _file: file })
    }
}

fn read_holder(file: &File) -> String {
    let mut text = String::new();
    let mut reader = file;
    let read = reader
        .seek(SeekFrom::Start(0))
        .and_then(|_| reader.take(LONGEST_TEXT).read_to_string(&mut text));
    let plain: String = text.trim().chars().filter(|c| !c.is_control()).collect();
    if read.is_err() || plain.is_empty() { "it does not say who it is".into() } else { plain }
}

fn write_holder(file: &mut File, holder: &Holder) -> io::Result<()> {
    file.set_len(0)?;
    file.seek(SeekFrom::Start(0))?;
    writeln!(file, "{}", holder.0)
}

/// Opens the file, making it if need be: complete with its permissions under another name first, since the kernel does
/// not let anybody open with "create" what lies in a shared folder and belongs to somebody else.
fn open_shared(path: &Path) -> io::Result<File> {
    let no_follow = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    let open =
        |write: bool| OpenOptions::new().read(true).write(write).custom_flags(no_follow).open(path);
    for _ in 0..3 {
        let opened = match open(true) {
            Err(e) if e.kind() == io::ErrorKind::PermissionDenied => open(false),
            other => other,
        };
        match opened {
            Ok(file) if file.metadata()?.is_file() => return Ok(file),
            Ok(_) => return Err(io::Error::other("is no regular file")),
            Err(e) if e.kind() == io::ErrorKind::NotFound => create(path)?,
            Err(e) => return Err(e),
        }
    }
    Err(io::Error::other("disappears again and again"))
}

fn create(path: &Path) -> io::Result<()> {
    let suffix = random_hex(8).map_err(|e| io::Error::other(e.to_string()))?;
    let mut fresh: PathBuf = path.to_path_buf();
    fresh.as_mut_os_string().push(format!(".{suffix}"));
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh)?;
    let linked = file
        .set_permissions(fs::Permissions::from_mode(0o666))
        .and_then(|()| fs::hard_link(&fresh, path));
    fs::remove_file(&fresh)?;
    match linked {
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_held_lock_is_refused_with_its_holder_and_free_again_when_dropped() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("lock");
        let take = async |wait| MeasuringLock::acquire_at(&path, "exp-1", wait, &mut |_| {}).await;
        let first = take(Wait::Refuse).await.expect("free");
        let refusal = take(Wait::Refuse).await.expect_err("held");
        assert!(refusal.text().contains("exp-1"), "{refusal}");
        assert!(refusal.text().contains(&format!("pid {}", std::process::id())), "{refusal}");
        drop(first);
        take(Wait::Refuse).await.expect("free again");
    }

    #[tokio::test]
    async fn a_queue_says_once_for_whom_it_waits_and_gets_its_turn() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("lock");
        let first = MeasuringLock::acquire_at(&path, "first", Wait::Refuse, &mut |_| {}).await;
        let release = tokio::spawn(async move {
            sleep(Duration::from_millis(700)).await;
            drop(first);
        });
        let mut lines = Vec::new();
        MeasuringLock::acquire_at(&path, "second", Wait::Queue, &mut |l| lines.push(l))
            .await
            .expect("in turn");
        release.await.expect("released");
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(lines[0].contains("first"), "{lines:?}");
    }

    #[test]
    fn anybody_may_open_the_file_whatever_the_umask() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("lock");
        drop(open_shared(&path).expect("made"));
        let mode = fs::metadata(&path).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o666);
        assert_eq!(fs::read_dir(folder.path()).expect("read").count(), 1);
    }

    #[test]
    fn a_link_in_place_of_the_lock_is_refused() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (path, target) = (folder.path().join("lock"), folder.path().join("target"));
        fs::write(&target, "precious").expect("written");
        std::os::unix::fs::symlink(&target, &path).expect("linked");
        assert!(open_shared(&path).is_err());
        assert_eq!(fs::read_to_string(&target).expect("read"), "precious");
    }
}
