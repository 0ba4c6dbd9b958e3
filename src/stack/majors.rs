//! Major versions of Postgres: which of them are here, and whose build is taken where a run compares several. Two packagers
//! compile differently (Debian for speed, npm's package for size), and that would be measured as a difference of versions.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::error::StackError;
use super::find::{
    Found, Rejected, SYSTEM_MAJORS, fetched_tree, is_program, look, tree_of, tree_of_major, try_out,
};
use super::locate::{Part, Snapshot, candidates, looked_in, show_version};
use super::workshop::Workshop;

/// Whose builds of Postgres will do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Builds {
    /// Anybody's.
    #[default]
    Any,
    /// Those of one packager: the system's if it has each of these major versions, else npm's. With no version: npm's.
    Alike(BTreeSet<u32>),
}

/// Where a major version is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Packager {
    /// Everywhere, the system first.
    Any,
    /// Among the system's packages of major versions.
    System,
    /// In what npm brought.
    Npm,
}

impl Packager {
    /// The one whose builds will do on this machine.
    pub(super) fn of(builds: &Builds) -> Self {
        match builds {
            Builds::Any => Self::Any,
            Builds::Alike(majors) => Self::of_all(majors, Path::new(SYSTEM_MAJORS)),
        }
    }

    fn of_all(majors: &BTreeSet<u32>, system: &Path) -> Self {
        let has = |major: &u32| {
            let programs = system.join(major.to_string()).join("bin");
            let companions = Part::Postgres.companions().iter().copied();
            let mut names = std::iter::once(Part::Postgres.program()).chain(companions);
            names.all(|name| is_program(&programs.join(name)))
        };
        if !majors.is_empty() && majors.iter().all(has) { Self::System } else { Self::Npm }
    }

    /// What he has of a major version.
    fn snapshot(self, major: u32, path: &[PathBuf], cache: &Path) -> Snapshot {
        let tree = fetched_tree(&tree_of_major(major, cache));
        match self {
            Self::Any => {
                let trees = [tree, fetched_tree(&tree_of(Part::Postgres, cache))];
                look(path, trees.map(|tree| (Part::Postgres, tree)).into())
            }
            Self::System => {
                let folder = Path::new(SYSTEM_MAJORS).join(major.to_string()).join("bin");
                let files = programs_in(&folder);
                Snapshot { files, postgres_folders: vec![folder], ..Snapshot::default() }
            }
            Self::Npm => {
                let files = tree.folders.iter().flat_map(|folder| programs_in(folder)).collect();
                Snapshot { files, fetched: vec![(Part::Postgres, tree)], ..Snapshot::default() }
            }
        }
    }
}

/// Postgres' programs in a folder.
fn programs_in(folder: &Path) -> BTreeSet<PathBuf> {
    let companions = Part::Postgres.companions().iter().copied();
    let names = std::iter::once(Part::Postgres.program()).chain(companions);
    names.map(|name| folder.join(name)).filter(|file| is_program(file)).collect()
}

/// The Postgres of this major version and no other, of this packager.
pub(super) async fn find_major(
    major: u32,
    packager: Packager,
    path: &[PathBuf],
    cache: &Path,
    workshop: &Workshop,
) -> Result<Result<Found, Rejected>, StackError> {
    let mut rejected = Rejected::default();
    for candidate in candidates(Part::Postgres, &packager.snapshot(major, path, cache)) {
        let shown = candidate.program.display().to_string();
        match try_out(Part::Postgres, candidate, workshop).await? {
            Ok(found) if found.version.first() == Some(&major) => return Ok(Ok(found)),
            Ok(found) => {
                rejected.0.push(format!("{shown}: found version {}", show_version(&found.version)));
            }
            Err(reason) => rejected.0.push(format!("{shown}: {reason}")),
        }
    }
    Ok(Err(rejected))
}

/// The message for a major version that is not there.
pub(super) fn missing_major(
    major: u32,
    packager: Packager,
    rejected: &Rejected,
    cache: &Path,
) -> StackError {
    let found = rejected.0.iter().fold(String::new(), |text, r| text + "\n  found: " + r);
    let servers = cache.join("servers");
    let setup = format!("querylab setup postgres@{major}");
    let install = format!("sudo apt-get install -y postgresql-{major}");
    let (place, fix) = match packager {
        Packager::Any => (looked_in(&servers), format!("{setup}\n   or: {install}")),
        Packager::System => (format!("{SYSTEM_MAJORS}/{major}/bin"), install),
        // The system's one would do only beside all the others.
        Packager::Npm => {
            let tree = tree_of_major(major, cache).display().to_string();
            (format!("{tree} (versions that are compared must be built alike)"), setup)
        }
    };
    StackError::Environment(format!(
        "Postgres {major} not found{found}\n  looked in: {place}\n  fix: {fix}"
    ))
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn programs(folder: &Path) {
        fs::create_dir_all(folder).expect("made");
        for name in ["postgres", "initdb"] {
            fs::write(folder.join(name), "").expect("written");
            fs::set_permissions(folder.join(name), Permissions::from_mode(0o755)).expect("set");
        }
    }

    #[test]
    fn the_systems_builds_are_taken_only_if_it_has_every_version() {
        let system = tempfile::tempdir().expect("a folder");
        programs(&system.path().join("15/bin"));
        let of =
            |majors: &[u32]| Packager::of_all(&majors.iter().copied().collect(), system.path());
        assert_eq!(of(&[15]), Packager::System);
        assert_eq!(of(&[15, 18]), Packager::Npm);
        fs::create_dir_all(system.path().join("18/bin")).expect("made");
        assert_eq!(of(&[15, 18]), Packager::Npm, "a folder is no server");
        programs(&system.path().join("18/bin"));
        assert_eq!(of(&[15, 18]), Packager::System);
        assert_eq!(of(&[]), Packager::Npm, "a version that nobody named can be any");
        assert_eq!(Packager::of(&Builds::Any), Packager::Any);
    }

    #[test]
    fn what_npm_brought_is_all_that_counts_where_builds_must_be_alike() {
        let (cache, path) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir());
        let path = path.expect("a folder").path().to_path_buf();
        programs(&path);
        let found = |packager: Packager| -> Vec<PathBuf> {
            let seen = packager.snapshot(15, std::slice::from_ref(&path), cache.path());
            candidates(Part::Postgres, &seen).into_iter().map(|found| found.program).collect()
        };
        assert_eq!(found(Packager::Any).first(), Some(&path.join("postgres")));
        assert!(found(Packager::Npm).is_empty());
        let fetched = tree_of_major(15, cache.path()).join("bin");
        programs(&fetched);
        assert_eq!(found(Packager::Npm), [fetched.join("postgres")]);
    }
}
