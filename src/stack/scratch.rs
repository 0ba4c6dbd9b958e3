//! The run's folder: where it lies, who may enter, and what is in it.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::error::{StackError, environment};
use super::identity::{self, Identity, Owner};
use crate::units::hex;

/// Longest path of a unix socket that every system takes, in bytes.
pub(super) const LONGEST_SOCKET: usize = 103;

/// What a run's folder is called until its mark is in it; the maker's pid follows.
pub(super) const UNMARKED: &str = ".new-";

/// The folders of one run.
#[derive(Debug, Clone)]
pub(super) struct Scratch {
    /// All of it; ours.
    pub root: PathBuf,
    /// Sockets; the servers' user's, nobody else enters.
    pub sockets: PathBuf,
    /// Configuration with passwords; likewise.
    pub config: PathBuf,
    /// What the servers said; ours.
    pub logs: PathBuf,
    /// The Postgres cluster.
    pub data: PathBuf,
    /// Working folders of Redis, Nginx, the API and of errands.
    pub homes: PathBuf,
    /// Our mark, held for as long as anybody has this.
    _mark: Arc<File>,
}

/// Where runs have their folders.
pub(super) fn base(wanted: Option<&Path>, uid: u32) -> Result<PathBuf, StackError> {
    let mut refusals = Vec::new();
    let own = |folder: &str| PathBuf::from(folder).join(format!("querylab-{uid}"));
    let candidates = match wanted {
        Some(folder) => {
            vec![std::path::absolute(folder).map_err(|e| environment("the scratch folder", e))?]
        }
        None => vec![own("/var/tmp"), own("/tmp")],
    };
    for candidate in candidates {
        match claim(&candidate, uid) {
            Ok(()) => return Ok(candidate),
            Err(error) => refusals.push(error.text().to_owned()),
        }
    }
    Err(StackError::Environment(format!(
        "there is no place for the servers' files: {}\n  fix: set QUERYLAB_SCRATCH_DIR to a folder of your own",
        refusals.join("; ")
    )))
}

/// Makes the base or takes the one that is there, if it is ours and nobody else can write to it.
fn claim(folder: &Path, uid: u32) -> Result<(), StackError> {
    let shown = folder.display();
    match identity::make_folder(folder, 0o755, None) {
        Ok(()) => return writable(folder),
        Err(error) if !folder.exists() => return Err(error),
        Err(_) => {}
    }
    let meta = fs::symlink_metadata(folder).map_err(|e| environment(&format!("{shown}"), e))?;
    let no = |why: &str| Err(StackError::Environment(format!("{shown} {why}")));
    if !meta.is_dir() {
        return no("is no folder");
    }
    if meta.uid() != uid {
        return no("belongs to somebody else");
    }
    if meta.mode() & 0o022 != 0 {
        return no("can be written to by others");
    }
    writable(folder)
}

fn writable(folder: &Path) -> Result<(), StackError> {
    rustix::fs::access(folder, rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK)
        .map_err(|e| environment(&format!("cannot write to {}", folder.display()), e))
}

impl Scratch {
    /// Makes a run's folder, its mark first.
    pub(super) fn create(
        base: &Path,
        run_id: &str,
        identity: &Identity,
    ) -> Result<Self, StackError> {
        if base.to_str().is_none_or(|t| t.chars().any(char::is_control)) {
            return Err(StackError::Environment(format!(
                "the scratch folder's path is not plain text: {}",
                base.display()
            )));
        }
        let name = random_hex(4)?;
        let root = base.join(&name);
        check_socket(&root.join("run/.s.PGSQL.5432"))?;
        // Others may pass through, to their own folders below, but not look around.
        let unmarked = base.join(format!("{UNMARKED}{}-{name}", std::process::id()));
        identity::make_folder(&unmarked, 0o711, None)?;
        let mark = identity::mark(&unmarked, &Owner::ourselves(run_id))
            .and_then(|mark| fs::rename(&unmarked, &root).map(|()| mark))
            .map_err(|e| environment("cannot mark the run's folder", e))?;
        let scratch = Self {
            sockets: root.join("run"),
            config: root.join("conf"),
            logs: root.join("logs"),
            data: root.join("data"),
            homes: root.join("home"),
            root,
            _mark: Arc::new(mark),
        };
        identity::make_folder(&scratch.logs, 0o700, None)?;
        for folder in [&scratch.sockets, &scratch.config, &scratch.homes, &scratch.data] {
            identity::make_folder(folder, 0o700, identity.target())?;
        }
        reachable(&scratch.root, identity)?;
        Ok(scratch)
    }

    /// The working folder of one process.
    pub(super) fn home(&self, name: &str, identity: &Identity) -> Result<PathBuf, StackError> {
        let home = self.homes.join(name);
        if !home.is_dir() {
            identity::make_folder(&home, 0o700, identity.target())?;
        }
        Ok(home)
    }
}

/// Refuses a path that is too long for a unix socket, before a server does so in its own words.
pub(super) fn check_socket(path: &Path) -> Result<(), StackError> {
    let length = path.as_os_str().len();
    if length <= LONGEST_SOCKET {
        return Ok(());
    }
    Err(StackError::Environment(format!(
        "the socket's path is {length} bytes long, and {LONGEST_SOCKET} is the most: {}\n  fix: set QUERYLAB_SCRATCH_DIR to a folder with a shorter path",
        path.display()
    )))
}

/// Whether the servers' user can walk down to this folder, judged by the permissions on the way.
pub(super) fn reachable(folder: &Path, identity: &Identity) -> Result<(), StackError> {
    if !identity.drops {
        return Ok(());
    }
    for ancestor in folder.ancestors() {
        let Ok(meta) = fs::metadata(ancestor) else { continue };
        let mode = meta.permissions().mode();
        let open = if meta.uid() == identity.uid {
            mode & 0o100
        } else if meta.gid() == identity.gid {
            mode & 0o010
        } else {
            mode & 0o001
        };
        if open == 0 {
            return Err(StackError::Environment(format!(
                "the servers' user {} cannot enter {} (on the way to {})\n  fix: choose another folder (QUERYLAB_SCRATCH_DIR, QUERYLAB_CACHE_DIR) or another user (--run-as)",
                identity.name,
                ancestor.display(),
                folder.display()
            )));
        }
    }
    Ok(())
}

/// Random bytes of the kernel as hex: for names and passwords, which are no part of any measurement.
pub(super) fn random_hex(bytes: usize) -> Result<String, StackError> {
    let mut buffer = vec![0_u8; bytes];
    File::open("/dev/urandom")
        .and_then(|mut source| source.read_exact(&mut buffer))
        .map_err(|e| environment("no random numbers (/dev/urandom)", e))?;
    Ok(hex(&buffer))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_path_of_103_bytes_will_do_and_one_more_is_refused_with_its_length() {
        let path = |n: usize| PathBuf::from(format!("/{}", "x".repeat(n - 1)));
        assert_eq!(check_socket(&path(103)), Ok(()));
        let error = check_socket(&path(104)).expect_err("too long");
        assert!(error.text().contains("104 bytes"), "{error}");
    }

    #[test]
    fn a_base_that_others_can_write_to_is_not_taken() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let uid = rustix::process::geteuid().as_raw();
        let base = folder.path().join("b");
        assert_eq!(claim(&base, uid), Ok(()));
        assert_eq!(claim(&base, uid), Ok(()));
        fs::set_permissions(&base, fs::Permissions::from_mode(0o777)).expect("changed");
        assert!(claim(&base, uid).expect_err("open").text().contains("by others"));
    }

    #[test]
    fn a_link_in_place_of_the_base_is_not_followed() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let link = folder.path().join("l");
        std::os::unix::fs::symlink(folder.path(), &link).expect("linked");
        assert!(claim(&link, rustix::process::geteuid().as_raw()).is_err());
    }

    #[test]
    fn random_names_differ() {
        let (one, other) = (random_hex(16).expect("random"), random_hex(16).expect("random"));
        assert_ne!(one, other);
        assert_eq!(one.len(), 32);
    }
}
