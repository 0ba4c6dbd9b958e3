//! Fetches missing servers without root: the system's own package client loads packages into lists and folders of ours,
//! and they are unpacked there, not installed. Nothing of the system is changed.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::error::{StackError, environment};
use super::find::{fetched_tree, tree_of, try_out};
use super::locate::{Candidate, How, Part, Snapshot, candidates};
use super::lock::{FileLock, Holder};
use super::workshop::{As, Done, Errand, Workshop, last_lines};
use super::{identity, scratch};

/// Loading the package lists.
const UPDATE: Duration = Duration::from_mins(5);
/// Questions that need no network.
const ASK: Duration = Duration::from_mins(1);
/// Loading packages.
const DOWNLOAD: Duration = Duration::from_mins(10);
/// Unpacking one.
const UNPACK: Duration = Duration::from_mins(2);
/// For another fetch on this machine to end.
pub(super) const OTHERS: Duration = Duration::from_mins(20);
/// More packages than any server needs.
const MOST_PACKAGES: usize = 60;

/// What a fetch works with.
pub(super) struct Fetch<'a> {
    part: Part,
    cache: &'a Path,
    workshop: &'a Workshop,
    apt_get: PathBuf,
    dpkg_deb: PathBuf,
}

/// The tools that a fetch needs and that this machine lacks.
pub(super) fn missing_tools(path: &[PathBuf]) -> Vec<&'static str> {
    ["apt-get", "dpkg-deb"].into_iter().filter(|t| tool(t, path).is_none()).collect()
}

pub(super) fn tool(name: &str, path: &[PathBuf]) -> Option<PathBuf> {
    let usual = ["/usr/bin", "/bin"].map(PathBuf::from);
    usual.iter().chain(path).map(|f| f.join(name)).find(|p| p.is_file())
}

/// Fetches a part into the cache. One fetch at a time per cache; `ours` says whether somebody else's fetch, for which
/// this one waited, has done the work already.
pub(super) async fn fetch(
    part: Part,
    cache: &Path,
    path: &[PathBuf],
    workshop: &Workshop,
    notice: &mut dyn FnMut(String),
) -> Result<(), StackError> {
    let (Some(apt_get), Some(dpkg_deb)) = (tool("apt-get", path), tool("dpkg-deb", path)) else {
        return Err(StackError::Environment(format!(
            "{} not found, and it cannot be fetched here: {} missing (fetching needs a Debian-like system)\n  fix: install {} with this system's package manager",
            part.name(),
            missing_tools(path).join(" and "),
            part.program()
        )));
    };
    make_cache(cache)?;
    scratch::reachable(cache, &workshop.identity)?;
    let tree = tree_of(part, cache);
    let before = fs::metadata(&tree).and_then(|m| m.modified()).ok();
    let holder = Holder::ourselves(&format!("fetching {}", part.name()));
    let _lock = FileLock::wait(&cache.join("fetch.lock"), &holder, OTHERS, notice).await?;
    let after = fs::metadata(&tree).and_then(|m| m.modified()).ok();
    if after.is_some() && after != before {
        return Ok(());
    }
    notice(format!(
        "fetching {} into {} (once; nothing is installed)",
        part.name(),
        cache.display()
    ));
    Fetch { part, cache, workshop, apt_get, dpkg_deb }.fetch().await
}

/// The cache and what apt wants to find in it; all readable by the servers' user.
pub(super) fn make_cache(cache: &Path) -> Result<(), StackError> {
    let mut above: Vec<&Path> = cache.ancestors().take_while(|a| !a.exists()).collect();
    above.reverse();
    for folder in above {
        identity::make_folder(folder, 0o755, None)?;
    }
    for folder in ["servers", "apt", "apt/empty", "apt/lists", "apt/lists/partial", "apt/archives"]
        .iter()
        .chain(&["apt/archives/partial", "apt/state"])
    {
        let folder = cache.join(folder);
        if !folder.is_dir() {
            identity::make_folder(&folder, 0o755, None)?;
        }
    }
    Ok(())
}

impl Fetch<'_> {
    async fn fetch(&self) -> Result<(), StackError> {
        self.configure().await?;
        // Lists that could not be loaded (one of many sources is down) may still hold what is needed.
        let update = self.apt("update", &["update"], self.cache, UPDATE).await?;
        let packages = self.packages(&update).await?;
        let tree = tree_of(self.part, self.cache);
        let partial = tree.with_extension("partial");
        if partial.exists() {
            fs::remove_dir_all(&partial).map_err(|e| self.failed("clearing", e))?;
        }
        identity::make_folder(&partial, 0o755, None)?;
        let debs = partial.join("debs");
        identity::make_folder(&debs, 0o755, None)?;
        let mut args = vec!["download"];
        args.extend(packages.iter().map(String::as_str));
        let done = self.apt("download", &args, &debs, DOWNLOAD).await?;
        self.expect_success("downloading packages", &done)?;
        self.unpack(&debs, &partial).await?;
        fs::remove_dir_all(&debs).map_err(|e| self.failed("clearing", e))?;
        self.verify(&partial).await?;
        if tree.exists() {
            fs::remove_dir_all(&tree).map_err(|e| self.failed("replacing the old one", e))?;
        }
        fs::rename(&partial, &tree).map_err(|e| self.failed("putting it in place", e))?;
        // The lists are many times as big as what was fetched, and old by the next time.
        fs::remove_dir_all(self.cache.join("apt")).map_err(|e| self.failed("clearing", e))
    }

    /// Writes apt's configuration: own folders, the system's sources and proxies, none of the system's hooks.
    async fn configure(&self) -> Result<(), StackError> {
        let ask = Path::new("/usr/bin/apt-config");
        let mut acquire = String::new();
        if ask.is_file() {
            let done = self
                .workshop
                .run(Errand {
                    name: "apt-config",
                    program: ask,
                    args: vec!["dump".into(), "Acquire".into()],
                    libraries: &[],
                    env: Vec::new(),
                    user: As::Ourselves(self.cache),
                    deadline: ASK,
                })
                .await?;
            acquire = done
                .output
                .lines()
                .filter(|l| l.starts_with("Acquire::"))
                .fold(String::new(), |text, line| text + line + "\n");
        }
        let text = configuration(&self.cache.join("apt"), &acquire);
        let file = self.cache.join("apt/apt.conf");
        let myself = identity::Identity { drops: false, ..self.workshop.identity.clone() };
        identity::write_private(&file, &text, &myself)
    }

    async fn apt(
        &self,
        name: &'static str,
        args: &[&str],
        folder: &Path,
        deadline: Duration,
    ) -> Result<Done, StackError> {
        let config = self.cache.join("apt/apt.conf").display().to_string();
        self.workshop
            .run(Errand {
                name,
                program: &self.apt_get,
                args: ["-q", "-y"].iter().chain(args).map(|a| (*a).to_owned()).collect(),
                libraries: &[],
                env: vec![("APT_CONFIG", config), ("DEBIAN_FRONTEND", "noninteractive".into())],
                user: As::Ourselves(folder),
                deadline,
            })
            .await
    }

    /// What to download: what apt would install, less what a server does not need to run.
    async fn packages(&self, update: &Done) -> Result<Vec<String>, StackError> {
        let wanted = self.part.package();
        let args = ["install", "--print-uris", "--no-install-recommends", "-qq", wanted];
        let done = self.apt("needs", &args, self.cache, ASK).await?;
        let mut packages = needed(self.part, &done.output);
        if !packages.iter().any(|p| is_own_package(self.part, p)) {
            // Apt cannot plan (a half-installed system), or what is installed is too old but good enough for apt.
            packages = self.part.usual_packages().iter().map(|p| (*p).to_owned()).collect();
        }
        if packages.len() > MOST_PACKAGES {
            return Err(self.failed("planning", format!("{} packages", packages.len())));
        }
        if done.output.contains("Unable to locate package") {
            return Err(self.failed(
                "loading the package lists",
                format!("apt-get says:{}", last_lines(&update.output, 6)),
            ));
        }
        Ok(packages)
    }

    async fn unpack(&self, debs: &Path, into: &Path) -> Result<(), StackError> {
        let mut files: Vec<PathBuf> = fs::read_dir(debs)
            .map_err(|e| self.failed("unpacking", e))?
            .filter_map(|e| Some(e.ok()?.path()))
            .filter(|p| p.extension().is_some_and(|e| e == "deb"))
            .collect();
        files.sort();
        for file in files {
            let args = ["-x".to_owned(), file.display().to_string(), into.display().to_string()];
            let done = self
                .workshop
                .run(Errand {
                    name: "unpack",
                    program: &self.dpkg_deb,
                    args: args.into(),
                    libraries: &[],
                    env: Vec::new(),
                    user: As::Ourselves(debs),
                    deadline: UNPACK,
                })
                .await?;
            self.expect_success("unpacking", &done)?;
        }
        Ok(())
    }

    /// The fetched program must start where it lies, as the servers' user, before it gets its final name.
    async fn verify(&self, partial: &Path) -> Result<(), StackError> {
        let tree = fetched_tree(partial);
        let names =
            std::iter::once(self.part.program()).chain(self.part.companions().iter().copied());
        let files = names
            .flat_map(|name| tree.folders.iter().map(move |f| f.join(name)))
            .filter(|f| f.is_file())
            .collect();
        let snapshot = Snapshot { files, fetched: vec![(self.part, tree)], ..Snapshot::default() };
        let candidate: Option<Candidate> =
            candidates(self.part, &snapshot).into_iter().find(|c| c.how == How::Cache);
        let Some(candidate) = candidate else {
            return Err(self.failed("unpacking", format!("no {} in it", self.part.program())));
        };
        match try_out(self.part, candidate, self.workshop).await? {
            Ok(_) => Ok(()),
            Err(reason) => Err(self.failed("trying it out", reason)),
        }
    }

    fn expect_success(&self, step: &str, done: &Done) -> Result<(), StackError> {
        if done.exit.is_success() {
            return Ok(());
        }
        Err(self.failed(step, format!("{}{}", done.exit, last_lines(&done.output, 8))))
    }

    fn failed(&self, step: &str, why: impl std::fmt::Display) -> StackError {
        environment(
            &format!("{} cannot be fetched: {step}", self.part.name()),
            format!("{why}\n  fix: sudo apt-get install -y {}", self.part.package()),
        )
    }
}

impl Part {
    /// Debian's packages of the part, where apt itself cannot say.
    fn usual_packages(self) -> &'static [&'static str] {
        match self {
            Self::Postgres => &["postgresql-15", "postgresql-client-15", "libpq5"],
            Self::Redis => &[
                "redis-server",
                "redis-tools",
                "libjemalloc2",
                "liblua5.1-0",
                "liblzf1",
                "lua-bitop",
                "lua-cjson",
                "libhiredis0.14",
            ],
            Self::Nginx => &["nginx", "libpcre2-8-0", "libssl3", "zlib1g"],
        }
    }
}

/// Reads `'URL' name_version_arch.deb size digest` lines and keeps programs and libraries. Never the C library: another
/// one than the loader's own would break every program.
fn needed(part: Part, uris: &str) -> Vec<String> {
    let keep = |name: &str| {
        let library =
            name.starts_with("lib") && !["libc6", "libc-bin", "libc-l10n"].contains(&name);
        library || name.starts_with("lua-") || is_own_package(part, name)
    };
    let mut names: Vec<String> = uris
        .lines()
        .filter(|line| line.starts_with('\''))
        .filter_map(|line| line.split_ascii_whitespace().nth(1)?.split('_').next())
        .filter(|name| keep(name))
        .map(str::to_owned)
        .collect();
    names.dedup();
    names
}

fn is_own_package(part: Part, name: &str) -> bool {
    match part {
        Part::Postgres => name
            .strip_prefix("postgresql-")
            .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit())),
        Part::Redis => name.starts_with("redis-"),
        Part::Nginx => name == "nginx" || (name.starts_with("nginx-") && name != "nginx-doc"),
    }
}

fn configuration(apt: &Path, acquire: &str) -> String {
    let mut text = String::new();
    let folder = |name: &str| apt.join(name).display().to_string();
    let settings = [
        ("Dir::Etc::parts", folder("empty")),
        ("Dir::Etc::main", "/dev/null".into()),
        ("Dir::State", folder("state")),
        ("Dir::State::lists", folder("lists")),
        ("Dir::State::status", "/var/lib/dpkg/status".into()),
        ("Dir::State::extended_states", "/var/lib/apt/extended_states".into()),
        ("Dir::Cache", folder("")),
        ("Dir::Cache::archives", folder("archives")),
        ("Dir::Log", folder("state")),
        ("APT::Sandbox::User", rustix_user()),
        ("Debug::NoLocking", "true".into()),
        ("Acquire::Languages", "none".into()),
        ("Acquire::Retries", "2".into()),
        ("Acquire::http::Timeout", "30".into()),
        ("Acquire::https::Timeout", "30".into()),
        ("APT::Get::List-Cleanup", "false".into()),
    ];
    text.push_str(acquire);
    for (name, value) in settings {
        // Writing into a text cannot fail.
        writeln!(text, "{name} \"{value}\";").ok();
    }
    text
}

/// apt as root would become `_apt`, who cannot write where we tell it to.
fn rustix_user() -> String {
    if rustix::process::geteuid().is_root() { "root".into() } else { String::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const URIS: &str = "'http://d/liblzf1_3.6-3_amd64.deb' liblzf1_3.6-3_amd64.deb 10192 MD5Sum:6\n\
        'http://d/libc6_2.36_amd64.deb' libc6_2.36_amd64.deb 1 MD5Sum:6\n\
        'http://d/r.deb' redis-tools_5%3a7.0.15-1~deb12u7_amd64.deb 991888 \n\
        'http://d/i.deb' iproute2_6.1_amd64.deb 1 MD5Sum:1\n\
        E: something else\n";

    #[test]
    fn libraries_and_own_packages_are_loaded_and_the_c_library_never() {
        assert_eq!(needed(Part::Redis, URIS), ["liblzf1", "redis-tools"]);
        assert_eq!(needed(Part::Nginx, URIS), ["liblzf1"]);
    }

    #[test]
    fn postgres_is_the_numbered_package_without_its_scripts() {
        assert!(is_own_package(Part::Postgres, "postgresql-15"));
        assert!(!is_own_package(Part::Postgres, "postgresql-common"));
        assert!(!is_own_package(Part::Postgres, "postgresql-client-common"));
    }

    #[test]
    fn the_systems_hooks_are_left_out_and_its_proxies_kept() {
        let text = configuration(Path::new("/c/apt"), "Acquire::http::Proxy \"http://p:3128\";\n");
        assert!(text.starts_with("Acquire::http::Proxy \"http://p:3128\";\n"));
        assert!(text.contains("Dir::Etc::parts \"/c/apt/empty\";"));
        assert!(text.contains("Dir::State::lists \"/c/apt/lists\";"));
    }
}
