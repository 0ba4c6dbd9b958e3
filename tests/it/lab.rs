//! A project of its own in a folder with spaces, the real binary, and eyes for what it leaves behind.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use tempfile::TempDir;

/// A copy of `tests/fixtures/tiny` in a folder with spaces, and a scratch folder that is watched.
pub(crate) struct Project {
    _temporary: TempDir,
    environment: Vec<(&'static str, &'static str)>,
    pub(crate) dir: PathBuf,
    pub(crate) scratch: PathBuf,
}

impl Project {
    pub(crate) fn new() -> Self {
        Self::with(Vec::new())
    }

    /// The same under a load of two users: the ways through the stack are timed for a single one only, which takes seconds
    /// a trial.
    pub(crate) fn of_two_users() -> Self {
        Self::with(vec![("QUERYLAB__LOAD__ONE__USERS", "2")])
    }

    fn with(environment: Vec<(&'static str, &'static str)>) -> Self {
        let temporary = tempfile::Builder::new().prefix("querylab test ").tempdir().unwrap();
        // The unprivileged user must be able to come by.
        fs::set_permissions(temporary.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755))
            .unwrap();
        let dir = temporary.path().join("a project");
        copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tiny"), &dir);
        let scratch = PathBuf::from("/var/tmp").join(format!("qlt-{}", unique()));
        Self { _temporary: temporary, environment, dir, scratch }
    }

    /// `querylab …` in the project's folder.
    pub(crate) fn querylab(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_querylab"));
        command
            .args(args)
            .current_dir(&self.dir)
            .envs(self.environment.iter().copied())
            .env("QUERYLAB_SCRATCH_DIR", &self.scratch)
            // Each test makes its own data, unless it is about keeping them.
            .env("QUERYLAB_CACHE_LIMIT", "0")
            .stdin(Stdio::null());
        command
    }

    /// Runs to the end; what takes more than ten minutes hangs, and is ended.
    pub(crate) fn output(&self, args: &[&str]) -> Output {
        let mut command = Command::new("timeout");
        command.args(["--kill-after=10", "600", env!("CARGO_BIN_EXE_querylab")]).args(args);
        command
            .current_dir(&self.dir)
            .envs(self.environment.iter().copied())
            .env("QUERYLAB_SCRATCH_DIR", &self.scratch)
            .env("QUERYLAB_CACHE_LIMIT", "0")
            .stdin(Stdio::null());
        command.output().unwrap()
    }

    /// Starts a run and reads its events until one contains `text`.
    pub(crate) fn start_until(&self, args: &[&str], text: &str) -> Child {
        let mut all = vec!["run", "--message-format", "json"];
        all.extend(args);
        let mut child =
            self.querylab(&all).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut seen = Vec::new();
        loop {
            match lines.next() {
                Some(Ok(line)) if line.contains(text) => break,
                Some(Ok(line)) => seen.push(line),
                _ => {
                    let said =
                        child.wait_with_output().map(|o| text_of(&o.stderr)).unwrap_or_default();
                    panic!("`{text}` never came; events:\n{}\nstderr:\n{said}", seen.join("\n"));
                }
            }
        }
        // Nobody reads any more, but the pipe stays open: a runner must not die of it.
        std::thread::spawn(move || lines.for_each(drop));
        child
    }

    /// What of the scratch folder's processes is alive: their command lines.
    pub(crate) fn alive(&self) -> Vec<String> {
        let mut alive = Vec::new();
        for entry in fs::read_dir("/proc").unwrap().flatten() {
            let dir = entry.path();
            if !entry.file_name().to_string_lossy().bytes().all(|b| b.is_ascii_digit()) {
                continue;
            }
            let stat = fs::read_to_string(dir.join("stat")).unwrap_or_default();
            let state = stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
            if matches!(state, None | Some('Z' | 'X')) {
                continue;
            }
            let line =
                text_of(&fs::read(dir.join("cmdline")).unwrap_or_default()).replace('\0', " ");
            let cwd = fs::read_link(dir.join("cwd")).unwrap_or_default();
            if line.contains(self.scratch.to_str().unwrap()) || cwd.starts_with(&self.scratch) {
                alive.push(format!(
                    "{} {line} (in {})",
                    entry.file_name().to_string_lossy(),
                    cwd.display()
                ));
            }
        }
        alive
    }

    /// Folders of runs that are still in the scratch folder.
    pub(crate) fn leftovers(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(&self.scratch).into_iter().flatten().flatten();
        entries.map(|e| e.path()).filter(|p| p.is_dir()).collect()
    }

    /// Waits at most 10 s until nothing is left: no process, no folder.
    pub(crate) fn expect_nothing_left(&self) {
        self.expect_only(&|_| false);
    }

    /// The same after a kill at any moment. Before a run's folder has its mark there is no guard that could take it away:
    /// it is called `.new-…` then, holds no server, and a run that begins a minute later sweeps it.
    pub(crate) fn expect_no_more_than_an_unmarked_folder(&self) {
        self.expect_only(&|folder| {
            folder.file_name().is_some_and(|name| name.to_string_lossy().starts_with(".new-"))
        });
    }

    fn expect_only(&self, is_forgiven: &dyn Fn(&Path) -> bool) {
        let left = || self.leftovers().into_iter().filter(|p| !is_forgiven(p)).collect::<Vec<_>>();
        let mut alive = Vec::new();
        for _ in 0..100 {
            alive = self.alive();
            if alive.is_empty() && left().is_empty() {
                return;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!("10 s later there were still: {alive:#?} {:?}", left());
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        // What can't be removed is not this test's business any more.
        fs::remove_dir_all(&self.scratch).ok();
    }
}

fn unique() -> String {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().flatten() {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), &target).unwrap();
        }
    }
}

/// Bytes as text, whatever they are.
pub(crate) fn text_of(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The exit code, with all that was said when it is another.
pub(crate) fn expect_code(output: &Output, code: i32) {
    assert_eq!(
        output.status.code(),
        Some(code),
        "stdout:\n{}\nstderr:\n{}",
        text_of(&output.stdout),
        text_of(&output.stderr)
    );
}

/// Every file below a folder with its bytes.
pub(crate) fn files(dir: &Path) -> std::collections::BTreeMap<PathBuf, Vec<u8>> {
    let mut all = std::collections::BTreeMap::new();
    let mut open = vec![dir.to_path_buf()];
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(dir).unwrap().flatten() {
            if entry.path().is_dir() {
                open.push(entry.path());
            } else {
                all.insert(entry.path(), fs::read(entry.path()).unwrap());
            }
        }
    }
    all
}

/// Whether real servers can be had here; says so loudly where they can't.
pub(crate) fn servers() -> bool {
    let has_postgres = Path::new("/usr/lib/postgresql").is_dir()
        || Command::new("postgres").arg("--version").output().is_ok();
    let can_fetch = Path::new("/usr/bin/apt-get").exists();
    if has_postgres || can_fetch || std::env::var_os("QUERYLAB_REQUIRE_SERVERS").is_some() {
        return true;
    }
    eprintln!(
        "SKIPPED: no servers here and no way to fetch them; set QUERYLAB_REQUIRE_SERVERS to make this an error"
    );
    false
}
