//! Finds the servers' programs on this machine: takes the snapshot, tries the candidates as the user who will run them.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::error::StackError;
use super::locate::{
    Candidate, Fetched, How, Part, Snapshot, USUAL, at_least, candidates, looked_in, parse_version,
    show_version,
};
use super::workshop::{As, Errand, Workshop, last_lines};

/// Where the system's packages put major versions of Postgres, each into a folder of its own.
pub(super) const SYSTEM_MAJORS: &str = "/usr/lib/postgresql";
/// A program that prints its version does not need longer.
const TRIAL: Duration = Duration::from_secs(20);

/// A server's program that will do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    /// The file.
    pub program: PathBuf,
    /// Folders of its libraries, if it was fetched.
    pub libraries: Vec<PathBuf>,
    /// Its version.
    pub version: Vec<u32>,
    /// How it was found.
    pub how: How,
}

/// Why none will do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Rejected(pub Vec<String>);

/// Where the fetched tree of a part lies.
pub(super) fn tree_of(part: Part, cache: &Path) -> PathBuf {
    cache.join("servers").join(part.name())
}

/// Where the fetched tree of a major version of Postgres lies.
pub(super) fn tree_of_major(major: u32, cache: &Path) -> PathBuf {
    cache.join("servers").join(format!("postgres@{major}"))
}

/// Looks at the machine.
pub(super) fn snapshot(path: &[PathBuf], cache: &Path) -> Snapshot {
    let tree = |part| (part, fetched_tree(&tree_of(part, cache)));
    look(path, Part::ALL.into_iter().map(tree).collect())
}

/// Looks at the machine, and at these trees.
pub(super) fn look(path: &[PathBuf], fetched: Vec<(Part, Fetched)>) -> Snapshot {
    let mut folders: Vec<PathBuf> = path.to_vec();
    folders.extend(USUAL.iter().map(PathBuf::from));
    let postgres_folders = postgres_folders(Path::new(SYSTEM_MAJORS));
    folders.extend(postgres_folders.iter().cloned());
    folders.extend(fetched.iter().flat_map(|(_, tree)| tree.folders.iter().cloned()));
    let names: Vec<&str> = Part::ALL
        .into_iter()
        .flat_map(|p| std::iter::once(p.program()).chain(p.companions().iter().copied()))
        .collect();
    let files = folders
        .iter()
        .flat_map(|folder| names.iter().map(|name| folder.join(name)))
        .filter(|file| is_program(file))
        .collect();
    Snapshot { path: path.to_vec(), files, postgres_folders, fetched }
}

pub(super) fn is_program(file: &Path) -> bool {
    fs::metadata(file).is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
}

fn postgres_folders(root: &Path) -> Vec<PathBuf> {
    subfolders(root).into_iter().map(|v| v.join("bin")).filter(|b| b.is_dir()).collect()
}

/// The folders of programs and of libraries in an unpacked tree.
pub(super) fn fetched_tree(root: &Path) -> Fetched {
    let mut folders: Vec<PathBuf> =
        ["usr/sbin", "usr/bin", "sbin", "bin"].iter().map(|f| root.join(f)).collect();
    folders.extend(postgres_folders(&root.join("usr/lib/postgresql")));
    let mut libraries = Vec::new();
    for base in ["usr/lib", "lib"] {
        let base = root.join(base);
        let below = subfolders(&base);
        libraries.extend(std::iter::once(base).chain(below).filter(|f| holds_libraries(f)));
    }
    folders.retain(|f| f.is_dir());
    Fetched { folders, libraries }
}

fn subfolders(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut found: Vec<PathBuf> =
        entries.filter_map(|e| Some(e.ok()?.path())).filter(|p| p.is_dir()).collect();
    found.sort();
    found
}

fn holds_libraries(folder: &Path) -> bool {
    fs::read_dir(folder).is_ok_and(|entries| {
        entries.filter_map(Result::ok).any(|e| e.file_name().to_string_lossy().contains(".so"))
    })
}

/// The first candidate that starts as the servers' user and is new enough.
pub(super) async fn find(
    part: Part,
    wanted: &[u32],
    snapshot: &Snapshot,
    workshop: &Workshop,
) -> Result<Result<Found, Rejected>, StackError> {
    let mut rejected = Rejected::default();
    for candidate in candidates(part, snapshot) {
        let shown = candidate.program.display().to_string();
        match try_out(part, candidate, workshop).await? {
            Err(reason) => rejected.0.push(format!("{shown}: {reason}")),
            Ok(found) if at_least(&found.version, wanted) => return Ok(Ok(found)),
            Ok(found) => rejected.0.push(format!(
                "{shown}: found version {}, {} or newer is needed",
                show_version(&found.version),
                show_version(wanted)
            )),
        }
    }
    Ok(Err(rejected))
}

/// Starts a candidate as the servers' user, for nothing but its version.
pub(super) async fn try_out(
    part: Part,
    candidate: Candidate,
    workshop: &Workshop,
) -> Result<Result<Found, String>, StackError> {
    let Candidate { program, how, libraries } = candidate;
    let done = workshop
        .run(Errand {
            name: "version",
            program: &program,
            args: vec![part.version_flag().into()],
            libraries: &libraries,
            env: Vec::new(),
            user: As::Servers,
            deadline: TRIAL,
        })
        .await?;
    if !done.exit.is_success() {
        return Ok(Err(format!("does not start: {}{}", done.exit, last_lines(&done.output, 3))));
    }
    Ok(match parse_version(&done.output) {
        Some(version) => Ok(Found { program, libraries, version, how }),
        None => Err(format!("says no version: {:?}", done.output)),
    })
}

/// The message for a part that is not there.
pub(super) fn missing(part: Part, wanted: &[u32], rejected: &Rejected, cache: &Path) -> StackError {
    let name = part.name();
    let needed = if wanted.is_empty() {
        String::new()
    } else {
        format!(" (version {} or newer is needed)", show_version(wanted))
    };
    let found: String = rejected.0.iter().fold(String::new(), |text, r| text + "\n  found: " + r);
    StackError::Environment(format!(
        "{name} not found{needed}{found}\n  looked in: {}\n  fix: querylab setup {name}\n   or: sudo apt-get install -y {}",
        looked_in(&cache.join("servers")),
        part.package()
    ))
}
