//! Where the servers' programs may lie, and which of them will do. Pure: it looks at a snapshot, not at the machine.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// A part of the stack that is somebody else's program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// The database.
    Postgres,
    /// The cache.
    Redis,
    /// The proxy.
    Nginx,
}

impl Part {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Postgres, Self::Redis, Self::Nginx];

    /// Its name in commands and messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::Redis => "redis",
            Self::Nginx => "nginx",
        }
    }

    /// The part of that name.
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|p| p.name() == name)
    }

    /// File name of its program.
    pub(super) fn program(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::Redis => "redis-server",
            Self::Nginx => "nginx",
        }
    }

    /// Programs that must lie beside it.
    pub(super) fn companions(self) -> &'static [&'static str] {
        match self {
            Self::Postgres => &["initdb"],
            Self::Redis | Self::Nginx => &[],
        }
    }

    /// What prints its version, on either stream.
    pub(super) fn version_flag(self) -> &'static str {
        match self {
            Self::Nginx => "-v",
            Self::Postgres | Self::Redis => "--version",
        }
    }

    /// Debian's package, for messages.
    pub(super) fn package(self) -> &'static str {
        match self {
            Self::Postgres => "postgresql",
            Self::Redis => "redis-server",
            Self::Nginx => "nginx",
        }
    }
}

/// How a program was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    /// In a folder of `PATH`.
    Path,
    /// Where systems usually put it.
    Usual,
    /// Fetched earlier, into querylab's cache.
    Cache,
}

/// A program that may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Candidate {
    /// The file.
    pub program: PathBuf,
    /// How it was found.
    pub how: How,
    /// Folders of shared libraries that came with it.
    pub libraries: Vec<PathBuf>,
}

/// The machine as far as looking for programs goes.
#[derive(Debug, Clone, Default)]
pub(super) struct Snapshot {
    /// Folders of `PATH`, in order.
    pub path: Vec<PathBuf>,
    /// Executable files with a name of ours that exist.
    pub files: BTreeSet<PathBuf>,
    /// Folders `…/postgresql/NN/bin` that exist.
    pub postgres_folders: Vec<PathBuf>,
    /// querylab's folders of fetched programs: one per part, with what is in it.
    pub fetched: Vec<(Part, Fetched)>,
}

/// A fetched tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fetched {
    /// Folders with programs.
    pub folders: Vec<PathBuf>,
    /// Folders with shared libraries.
    pub libraries: Vec<PathBuf>,
}

/// Folders of programs that `PATH` often lacks, above all for ordinary users.
pub(super) const USUAL: [&str; 8] = [
    "/usr/sbin",
    "/usr/local/sbin",
    "/usr/bin",
    "/usr/local/bin",
    "/opt/homebrew/bin",
    "/usr/local/pgsql/bin",
    "/usr/local/nginx/sbin",
    "/opt/homebrew/opt/postgresql/bin",
];

/// Every place where the part may be, best first, each once.
pub(super) fn candidates(part: Part, snapshot: &Snapshot) -> Vec<Candidate> {
    let mut found: Vec<Candidate> = Vec::new();
    let mut add = |folder: &Path, how: How, libraries: &[PathBuf]| {
        let program = folder.join(part.program());
        let complete = snapshot.files.contains(&program)
            && part.companions().iter().all(|c| snapshot.files.contains(&folder.join(c)));
        if complete && !found.iter().any(|c| c.program == program) {
            found.push(Candidate { program, how, libraries: libraries.to_vec() });
        }
    };
    for folder in &snapshot.path {
        add(folder, How::Path, &[]);
    }
    if part == Part::Postgres {
        for folder in newest_first(&snapshot.postgres_folders) {
            add(&folder, How::Usual, &[]);
        }
    }
    for folder in USUAL {
        add(Path::new(folder), How::Usual, &[]);
    }
    for (_, tree) in snapshot.fetched.iter().filter(|(p, _)| *p == part) {
        for folder in newest_first(&tree.folders) {
            add(&folder, How::Cache, &tree.libraries);
        }
    }
    found
}

/// By the number in `…/postgresql/NN/bin`, which is no text: 9 is older than 15.
fn newest_first(folders: &[PathBuf]) -> Vec<PathBuf> {
    let mut sorted = folders.to_vec();
    let number = |p: &PathBuf| {
        let major = p.parent()?.file_name()?.to_str()?.split('.').next()?.parse::<u32>().ok()?;
        Some(major)
    };
    sorted.sort_by_key(|p| std::cmp::Reverse(number(p).unwrap_or(0)));
    sorted
}

/// What was looked through, for the message.
pub(super) fn looked_in(cache: &Path) -> String {
    format!("$PATH, {}, /usr/lib/postgresql/*/bin, {}", USUAL.join(", "), cache.display())
}

/// Reads a version out of what a program says: `postgres (PostgreSQL) 15.18 (Debian …)`, `nginx version: nginx/1.22.1`,
/// `Redis server v=7.0.15 sha=…`.
pub(super) fn parse_version(text: &str) -> Option<Vec<u32>> {
    let words = text.split(|c: char| c.is_ascii_whitespace() || "/=".contains(c));
    words.filter(|w| w.starts_with(|c: char| c.is_ascii_digit())).find_map(|word| {
        let end = word.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(word.len());
        let numbers: Option<Vec<u32>> =
            word[..end].trim_end_matches('.').split('.').map(|n| n.parse().ok()).collect();
        numbers.filter(|n| n.len() <= 4)
    })
}

/// Whether a version is at least another; numbers that are not given count as 0.
pub(super) fn at_least(found: &[u32], wanted: &[u32]) -> bool {
    let length = found.len().max(wanted.len());
    let at = |v: &[u32], i: usize| v.get(i).copied().unwrap_or(0);
    (0..length).map(|i| at(found, i)).ge((0..length).map(|i| at(wanted, i)))
}

/// `[15, 18]` as `15.18`.
pub(super) fn show_version(version: &[u32]) -> String {
    version.iter().map(u32::to_string).collect::<Vec<_>>().join(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot(path: &[&str], files: &[&str]) -> Snapshot {
        Snapshot {
            path: path.iter().map(PathBuf::from).collect(),
            files: files.iter().map(PathBuf::from).collect(),
            postgres_folders: ["9.6", "15", "13"]
                .iter()
                .map(|v| PathBuf::from(format!("/usr/lib/postgresql/{v}/bin")))
                .collect(),
            fetched: vec![(
                Part::Nginx,
                Fetched {
                    folders: vec!["/c/nginx/usr/sbin".into()],
                    libraries: vec!["/c/l".into()],
                },
            )],
        }
    }

    fn programs(part: Part, snapshot: &Snapshot) -> Vec<String> {
        candidates(part, snapshot).iter().map(|c| c.program.display().to_string()).collect()
    }

    #[test]
    fn the_path_comes_first_then_usual_folders_then_the_cache() {
        let files = ["/x/nginx", "/usr/sbin/nginx", "/c/nginx/usr/sbin/nginx"];
        let found = candidates(Part::Nginx, &snapshot(&["/x", "/usr/sbin"], &files));
        let how: Vec<How> = found.iter().map(|c| c.how).collect();
        assert_eq!(how, [How::Path, How::Path, How::Cache]);
        assert_eq!(found[2].libraries, [PathBuf::from("/c/l")]);
        assert!(found[0].libraries.is_empty());
    }

    #[test]
    fn the_newest_postgres_comes_first_by_number_not_by_text() {
        let files: Vec<String> = ["9.6", "15", "13"]
            .iter()
            .flat_map(|v| {
                ["postgres", "initdb"].map(|p| format!("/usr/lib/postgresql/{v}/bin/{p}"))
            })
            .collect();
        let files: Vec<&str> = files.iter().map(String::as_str).collect();
        let found = programs(Part::Postgres, &snapshot(&[], &files));
        let expected = ["15", "13", "9.6"].map(|v| format!("/usr/lib/postgresql/{v}/bin/postgres"));
        assert_eq!(found, expected);
    }

    #[test]
    fn a_postgres_without_initdb_is_none() {
        assert!(programs(Part::Postgres, &snapshot(&["/x"], &["/x/postgres"])).is_empty());
    }

    #[test]
    fn versions_are_read_from_what_the_programs_really_say() {
        let read = |t| parse_version(t);
        assert_eq!(
            read("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)"),
            Some(vec![15, 18])
        );
        assert_eq!(read("postgres (PostgreSQL) 18beta1"), Some(vec![18]));
        assert_eq!(read("nginx version: nginx/1.22.1"), Some(vec![1, 22, 1]));
        assert_eq!(
            read("Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64"),
            Some(vec![7, 0, 15])
        );
        assert_eq!(read("nginx version: openresty/1.25.3.1"), Some(vec![1, 25, 3, 1]));
        assert_eq!(read("no version here"), None);
        assert_eq!(read("99999999999999999999"), None);
    }

    #[test]
    fn versions_compare_as_numbers() {
        assert!(at_least(&[15, 18], &[15]));
        assert!(at_least(&[15], &[15, 0]));
        assert!(at_least(&[10], &[9, 6]));
        assert!(!at_least(&[1, 9, 15], &[1, 22]));
        assert!(at_least(&[7, 0, 15], &[]));
    }
}
