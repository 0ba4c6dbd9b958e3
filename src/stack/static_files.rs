//! Files that Nginx serves itself: copied into the run's folder, where its unprivileged user can read them and nothing leads
//! out. What was looked at when the plan was made is what is served: a file with another digest is refused.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::error::{StackError, environment};
use super::identity::{self, Identity};
use super::scratch::Scratch;
use crate::plan::{StaticFile, StaticPlan};
use crate::units::hex;

/// Neither links nor pipes: they were none when the plan was made.
const PLAIN: i32 =
    rustix::fs::OFlags::NOFOLLOW.union(rustix::fs::OFlags::NONBLOCK).bits().cast_signed();

/// Where the copies of these files are, or will be: Nginx' `root`, so the path's own folders are below.
pub(super) fn root(scratch: &Scratch, plan: &StaticPlan) -> PathBuf {
    let mut digest = Sha256::new();
    for text in [&plan.path].into_iter().chain(plan.files.iter().flat_map(|f| [&f.name, &f.sha256]))
    {
        // A length before each text: no two plans run together to one.
        digest.update(text.len().to_le_bytes());
        digest.update(text);
    }
    let name = hex(&digest.finalize()[..8]);
    scratch.root.join("static").join(name)
}

/// Copies the files from their folder below `dir`, once.
///
/// # Errors
///
/// What cannot be read or written, or has changed since the plan was made.
pub(super) fn place(
    scratch: &Scratch,
    identity: &Identity,
    dir: &Path,
    plan: &StaticPlan,
) -> Result<(), StackError> {
    let root = root(scratch, plan);
    if root.is_dir() {
        return Ok(());
    }
    let fresh = root.with_extension("new");
    if fresh.is_dir() {
        // What an attempt before this one has left.
        fs::remove_dir_all(&fresh).map_err(|e| environment("cannot place the static files", e))?;
    }
    for folder in root.parent().into_iter().chain([fresh.as_path()]) {
        make_folder(folder, identity)?;
    }
    let mut below = fresh.clone();
    for part in plan.path.split('/').filter(|part| !part.is_empty()) {
        below.push(part);
        make_folder(&below, identity)?;
    }
    let from = dir.join(&plan.folder);
    for file in &plan.files {
        copy(&from, &below, file, identity)?;
    }
    fs::rename(&fresh, &root).map_err(|e| environment("cannot place the static files", e))
}

fn make_folder(folder: &Path, identity: &Identity) -> Result<(), StackError> {
    if folder.is_dir() { Ok(()) } else { identity::make_folder(folder, 0o700, identity.target()) }
}

fn copy(from: &Path, to: &Path, file: &StaticFile, identity: &Identity) -> Result<(), StackError> {
    let source = from.join(&file.name);
    let what = |done: &str| format!("cannot {done} the static file {}", source.display());
    let text = read(&source, file.bytes).map_err(|e| environment(&what("read"), e))?;
    if hex(&Sha256::digest(&text)) != file.sha256 {
        let why = "it has changed since the experiment was read";
        return Err(environment(&what("serve"), why));
    }
    let mut folder = to.to_owned();
    for part in Path::new(&file.name).parent().into_iter().flat_map(Path::components) {
        folder.push(part);
        make_folder(&folder, identity)?;
    }
    let write = || {
        let options = OpenOptions::new().write(true).create_new(true).mode(0o600).clone();
        let mut written: File = options.open(to.join(&file.name))?;
        written.write_all(&text)?;
        // Nobody writes to it any more, its reader included.
        written.set_permissions(fs::Permissions::from_mode(0o400))?;
        identity.target().map_or(Ok(()), |(uid, gid)| fchown(&written, Some(uid), Some(gid)))
    };
    write().map_err(|e| environment(&what("copy"), e))
}

/// A file's bytes, one more than expected at most.
fn read(path: &Path, bytes: u64) -> std::io::Result<Vec<u8>> {
    let file = OpenOptions::new().read(true).custom_flags(PLAIN).open(path)?;
    let mut text = Vec::new();
    file.take(bytes.saturating_add(1)).read_to_end(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(path: &str, files: &[(&str, &str)]) -> StaticPlan {
        let file = |(name, sha256): &(&str, &str)| StaticFile {
            name: (*name).into(),
            sha256: (*sha256).into(),
            bytes: 1,
        };
        let files = files.iter().map(file).collect();
        StaticPlan { path: path.into(), folder: "static".into(), files }
    }

    #[test]
    fn a_file_that_is_longer_than_it_was_is_read_no_further() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a");
        fs::write(&path, "123456").expect("written");
        assert_eq!(read(&path, 3).expect("read"), b"1234");
        std::os::unix::fs::symlink(&path, folder.path().join("b")).expect("linked");
        assert!(read(&folder.path().join("b"), 3).is_err());
    }

    #[test]
    fn what_a_plan_says_of_its_files_is_where_they_are() {
        let scratch = tempfile::tempdir().expect("a folder");
        let myself = identity::decide(None, None).expect("somebody");
        let scratch = Scratch::create(scratch.path(), "static", &myself).expect("a folder");
        let one = root(&scratch, &plan("/static/", &[("a", "1")]));
        assert_eq!(one, root(&scratch, &plan("/static/", &[("a", "1")])));
        for other in [
            plan("/files/", &[("a", "1")]),
            plan("/static/", &[("a", "2")]),
            plan("/static/", &[("b", "1")]),
            plan("/static/", &[("a", "1"), ("b", "1")]),
        ] {
            assert_ne!(one, root(&scratch, &other));
        }
    }
}
