//! Data that are kept from run to run, on real servers: what the second run still makes, and what is never used.

use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use crate::lab::{Project, expect_code, files, servers, text_of};

pub(crate) const TINY: &str = "experiments/tiny.toml";
pub(crate) const RUN: [&str; 4] = ["run", TINY, "--blocks", "1"];

/// A project with a cache of its own.
pub(crate) struct Kept {
    pub(crate) project: Project,
}

impl Kept {
    pub(crate) fn new() -> Self {
        let project = Project::of_two_users();
        // Servers that were fetched already need not be fetched again.
        let (fetched, cache) =
            (Path::new("/var/cache/querylab/servers"), project.dir.join("cache"));
        fs::create_dir(&cache).unwrap();
        if fetched.is_dir() {
            std::os::unix::fs::symlink(fetched, cache.join("servers")).unwrap();
        }
        Self { project }
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = self.project.querylab(args);
        command
            .env("QUERYLAB_CACHE_DIR", self.project.dir.join("cache"))
            .env("QUERYLAB_CACHE_LIMIT", "5GB");
        command
    }

    fn output(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// Runs the experiment well; gives what was said and where the data came from.
    pub(crate) fn run(&self, more: &[&str]) -> (String, Value) {
        let args: Vec<&str> = RUN.iter().chain(more).copied().collect();
        let output = self.output(&args);
        expect_code(&output, 0);
        let published = self.project.dir.join("results/tiny/full");
        let manifest = fs::read(published.join("manifest.json")).unwrap();
        let manifest: Value = serde_json::from_slice(&manifest).unwrap();
        (text_of(&output.stderr), manifest["dataset"]["origin"].clone())
    }

    fn entries(&self) -> Vec<PathBuf> {
        let found = fs::read_dir(self.project.dir.join("cache/datasets")).unwrap();
        found.map(|entry| entry.unwrap().path()).collect()
    }

    pub(crate) fn only_entry(&self) -> PathBuf {
        let mut entries = self.entries();
        assert_eq!(entries.len(), 1, "{entries:?}");
        entries.remove(0)
    }
}

/// The file with most bytes below `base/`: a table's or a catalogue's.
fn heaviest(entry: &Path) -> PathBuf {
    let all = files(&entry.join("data/base"));
    all.into_iter().max_by_key(|(_, bytes)| bytes.len()).unwrap().0
}

#[test]
fn the_second_run_loads_nothing_and_another_index_is_all_that_is_built() {
    if !servers() {
        return;
    }
    let kept = Kept::new();
    let (said, origin) = kept.run(&[]);
    assert!(said.contains("kept for the next run") && said.contains("people: "), "{said}");
    assert_eq!(origin["how"], "built");
    let (said, origin) = kept.run(&[]);
    assert!(said.contains("data from the cache"), "{said}");
    assert!(!said.contains("people: ") && !said.contains("built idx_people_email"), "{said}");
    assert_eq!((&origin["how"], &origin["built_sets"]), (&"reused".into(), &0.into()));
    let report = kept.project.dir.join("results/tiny/full/report.md");
    assert!(fs::read_to_string(&report).unwrap().contains("cache entry"));
    let again = kept.output(&["report", "results/tiny/full"]);
    expect_code(&again, 0);

    let file = kept.project.dir.join(TINY);
    let first = fs::read_to_string(&file).unwrap();
    let other = first.replace("people (email)", "people (email, id)");
    assert_ne!(first, other);
    fs::write(&file, other).unwrap();
    let (said, origin) = kept.run(&[]);
    assert!(said.contains("built idx_people_email") && !said.contains("people: "), "{said}");
    assert_eq!((&origin["how"], &origin["built_sets"]), (&"reused".into(), &1.into()));
    // Both sets are there now.
    for text in [&first, &first.replace("people (email)", "people (email, id)")] {
        fs::write(&file, text).unwrap();
        let (said, origin) = kept.run(&[]);
        assert!(!said.contains("built idx_people_email"), "{said}");
        assert_eq!(origin["built_sets"], 0);
    }
    kept.only_entry();

    // Told not to, it looks up nothing; of other data there is nothing.
    let (said, origin) = kept.run(&["--fresh"]);
    assert!(!said.contains("from the cache") && !said.contains("kept for"), "{said}");
    assert_eq!(origin["how"], "built");
    let migration = kept.project.dir.join("migrations/people/0001_people.sql");
    let text = fs::read_to_string(&migration).unwrap();
    fs::write(&migration, text + "-- one comment more\n").unwrap();
    let (said, origin) = kept.run(&[]);
    assert!(said.contains("kept for the next run"), "{said}");
    assert_eq!(origin["how"], "built");
    assert_eq!(kept.entries().len(), 2);
    kept.project.expect_nothing_left();
}

#[test]
fn data_that_are_not_what_they_were_are_made_anew() {
    if !servers() {
        return;
    }
    let kept = Kept::new();
    kept.run(&[]);
    // Cut off.
    let file = heaviest(&kept.only_entry());
    let length = fs::metadata(&file).unwrap().len();
    OpenOptions::new().write(true).open(&file).unwrap().set_len(length - 8192).unwrap();
    let (said, origin) = kept.run(&[]);
    assert!(said.contains("are not used") && said.contains("kept for the next run"), "{said}");
    assert_eq!(origin["how"], "built");
    // Its files are as they were, but they do not hold what the entry says.
    let manifest = kept.only_entry().join("manifest.json");
    let mut told: Value = serde_json::from_slice(&fs::read(&manifest).unwrap()).unwrap();
    told["kept"]["tables"][0]["table_bytes"] = 8192.into();
    fs::write(&manifest, told.to_string()).unwrap();
    let (said, origin) = kept.run(&[]);
    assert!(said.contains("table `people` has") && said.contains("made anew"), "{said}");
    assert_eq!(origin["how"], "built");
    // And what was made anew is good.
    let (_, origin) = kept.run(&[]);
    assert_eq!(origin["how"], "reused");
    expect_code(&kept.output(&["cache", "verify"]), 0);
    flipped_bytes_are_found(&kept);
    kept.project.expect_nothing_left();
}

/// Flips a byte of a table, which is found by the digest of its file. That Postgres itself finds one in pages that have
/// checksums is shown in `stack_servers.rs`.
fn flipped_bytes_are_found(kept: &Kept) {
    let file = heaviest(&kept.only_entry());
    let mut bytes = fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&file, bytes).unwrap();
    let found = kept.output(&["cache", "verify"]);
    expect_code(&found, 3);
    assert!(text_of(&found.stdout).contains("BAD"), "{}", text_of(&found.stdout));
    let listed = text_of(&kept.output(&["cache", "list"]).stdout);
    assert!(
        listed.contains("to be looked through") && listed.contains("people (2,000)"),
        "{listed}"
    );
    let pruned = kept.output(&["cache", "prune"]);
    expect_code(&pruned, 0);
    assert!(text_of(&pruned.stdout).contains("removed"));
    assert!(kept.entries().is_empty());
}

/// One more endpoint, whose answer is right only if every row in the table is the one that it was when this was written, and
/// Postgres writes the log that it always does.
const EVERY_ROW: &str = r#"
[endpoints.every-row]
route = "GET /people/all"
query = "SELECT md5(string_agg(p::text, chr(10) ORDER BY id)) AS digest, current_setting('wal_level') AS log FROM people AS p"
check = { status = 200, rows = 1, fields = { log = "replica", digest = "e6b57f553e566b641456fa6621208b00" } }
[variants.every-row]
endpoint = "every-row"
indexes  = ["idx_people_email"]
"#;

#[test]
fn a_run_that_is_killed_while_it_makes_data_leaves_none_of_them_and_the_next_has_the_same_rows() {
    if !servers() {
        return;
    }
    let kept = Kept::new();
    let file = kept.project.dir.join(TINY);
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text + EVERY_ROW).unwrap();
    let args = ["run", "--message-format", "json", TINY, "--blocks", "1"];
    let mut command = kept.command(&args);
    let child = command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::null());
    let mut child = child.spawn().unwrap();
    let lines = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().unwrap()));
    let migrated = lines.map_while(Result::ok).any(|line| line.contains("migrated"));
    assert!(migrated, "the data were never under way");
    child.kill().unwrap();
    child.wait().unwrap();
    kept.project.expect_nothing_left();
    let found = kept.output(&["cache", "list", "--message-format", "json"]);
    assert_eq!(text_of(&found.stdout), "");
    let (said, _) = kept.run(&[]);
    assert!(said.contains("kept for the next run"), "{said}");
    let manifest = fs::read(kept.project.dir.join("results/tiny/full/manifest.json")).unwrap();
    let dataset = &serde_json::from_slice::<Value>(&manifest).unwrap()["dataset"];
    assert_eq!(dataset["only_while_loading"]["wal_level"], "minimal", "{dataset}");
}

#[test]
fn a_run_that_only_reads_works_on_the_entry_itself_and_leaves_it_good() {
    if !servers() {
        return;
    }
    let kept = Kept::new();
    kept.run(&[]);
    for built in [0, 1, 0] {
        let file = kept.project.dir.join(TINY);
        if built == 1 {
            let text = fs::read_to_string(&file).unwrap();
            fs::write(&file, text.replace("people (email)", "people (email, id)")).unwrap();
        }
        let output = kept.command(&RUN).env("QUERYLAB_CACHE_IN_PLACE", "1MB").output().unwrap();
        expect_code(&output, 0);
        let said = text_of(&output.stderr);
        assert!(said.contains("used where they are") && !said.contains("people: "), "{said}");
        let manifest = fs::read(kept.project.dir.join("results/tiny/full/manifest.json")).unwrap();
        let dataset = &serde_json::from_slice::<Value>(&manifest).unwrap()["dataset"];
        let origin = &dataset["origin"];
        assert_eq!((&origin["place"], &origin["built_sets"]), (&"in-place".into(), &built.into()));
        // What is added is built as what was made with the rows.
        assert_eq!(dataset["only_while_loading"]["wal_level"], "minimal", "{dataset}");
        assert!(!kept.only_entry().join("unclean").exists());
        expect_code(&kept.output(&["cache", "verify"]), 0);
    }
    kept.project.expect_nothing_left();
    // Killed while it works on the entry: what is there is not trusted, and nothing of it runs on.
    let mut args = RUN.to_vec();
    args.extend(["--message-format", "json"]);
    let mut command = kept.command(&args);
    command.env("QUERYLAB_CACHE_IN_PLACE", "1MB");
    let child = command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::null());
    let mut child = child.spawn().unwrap();
    let lines = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().unwrap()));
    assert!(lines.map_while(Result::ok).any(|line| line.contains("trial-started")));
    child.kill().unwrap();
    child.wait().unwrap();
    kept.project.expect_nothing_left();
    let (said, origin) = kept.run(&[]);
    assert!(said.contains("are not used") && origin["how"] == "built", "{said}");
}
