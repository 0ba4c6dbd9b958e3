//! Going on with a run that did not come to its end: the same plan, the same machine, at the next trial.

use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};

use super::{clock, manifest};
use crate::plan::{Partition, Plan};
use crate::probe;
use crate::results::{DatasetRecord, Gathered, Run, RunFile, State, TrialRecord, unfinished_runs};

/// Why a run is not gone on with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotResumed {
    /// There is none, or it is of another plan.
    Asked(String),
    /// It was begun on another machine, or is still under way.
    Machine(String),
}

/// The newest run of this plan that did not come to its end.
///
/// # Errors
///
/// That there is none, that the newest is of another plan, or begun elsewhere.
pub fn resumable(
    root: &Path,
    plan: &Plan,
    partition: Option<Partition>,
) -> Result<PathBuf, NotResumed> {
    let (id, profile) = (&plan.experiment.id, &plan.profile);
    let runs = unfinished_runs(root, id, profile);
    let Some(newest) = runs.first() else {
        let text = format!("--resume: no run of {id} (profile `{profile}`) was interrupted");
        return Err(NotResumed::Asked(text));
    };
    let same = |file: &RunFile| file.fingerprint == plan.fingerprint && file.partition == partition;
    let Some(run) = runs.iter().find(|run| same(&run.file)) else {
        let run = &newest.file.run;
        return Err(NotResumed::Asked(format!(
            "--resume: the interrupted run {run} is of another plan (the file, its profile or a flag has changed since); \
             run without --resume"
        )));
    };
    let name = &run.file.run;
    if run.file.state == State::Running && is_elsewhere(&run.file) {
        return Err(NotResumed::Machine(format!(
            "--resume: {name} was begun in another container, and may still be under way there"
        )));
    }
    if run.file.state == State::Running && is_alive(&run.file) {
        return Err(NotResumed::Machine(format!("--resume: {name} is still under way")));
    }
    let gathered = Gathered::read(&run.dir)
        .map_err(|e| NotResumed::Asked(format!("--resume: {name} can't be gone on with: {e:#}")))?;
    if !gathered.is_of(&probe::host()) {
        return Err(NotResumed::Machine(format!(
            "--resume: {name} was begun on another machine, or under another kernel: its blocks and those of this one are no run"
        )));
    }
    if gathered.querylab != env!("CARGO_PKG_VERSION") {
        let other = &gathered.querylab;
        return Err(NotResumed::Asked(format!("--resume: {name} was begun by querylab {other}")));
    }
    Ok(run.dir.clone())
}

/// Whether its runner had its pid in another container of this machine: from here nobody can tell whether it is still there.
fn is_elsewhere(run: &RunFile) -> bool {
    probe::boot_id().is_ok_and(|boot| boot == run.boot_id)
        && run.owner_namespace.is_some()
        && run.owner_namespace != probe::pid_namespace()
}

/// The same pid, start time and boot.
fn is_alive(run: &RunFile) -> bool {
    probe::boot_id().is_ok_and(|boot| boot == run.boot_id)
        && probe::start_ticks(run.owner_pid) == Some(run.owner_start_ticks)
}

/// A run that this process has, from its beginning or from where another one left it.
pub(super) struct Taken {
    /// Its folder.
    pub(super) archive: Run,
    /// When it began.
    pub(super) started: DateTime<Utc>,
    /// What was gathered before; none of a run that begins now.
    pub(super) before: Option<Gathered>,
    /// Its trials so far.
    pub(super) kept: Vec<TrialRecord>,
}

/// Takes over the run in this folder.
pub(super) fn take_over(dir: &Path) -> anyhow::Result<Taken> {
    let bytes = std::fs::read(dir.join("run.json"))?;
    let file: RunFile = serde_json::from_slice(&bytes)?;
    // Whoever waited for the machine may find that another one has gone on with it meanwhile.
    let name = &file.run;
    anyhow::ensure!(file.state != State::Complete, "{name} was completed meanwhile");
    let is_taken = file.state == State::Running && (is_elsewhere(&file) || is_alive(&file));
    anyhow::ensure!(!is_taken, "{name} is under way: somebody else has gone on with it");
    let started = DateTime::parse_from_rfc3339(&file.started_at)?.with_timezone(&Utc);
    let mut before = Gathered::read(dir)?;
    let (archive, kept) = Run::reopen(dir.to_path_buf(), manifest::owned_again(&file)?)?;
    before.notes.push(format!(
        "the run was interrupted after {} of {} trials, and gone on with at {}",
        kept.len(),
        file.trials_planned,
        clock::rfc3339(clock::utc_now())
    ));
    let now = manifest::git_revision(dir);
    if before.revision != now {
        let [was, is] = [&before.revision, &now].map(|r| r.as_deref().unwrap_or("none"));
        let note =
            format!("the run was begun at commit {was} of the project, and gone on with at {is}");
        before.notes.push(note);
    }
    Ok(Taken { archive, started, before: Some(before), kept })
}

/// That the servers are those that the run was begun with.
pub(super) fn same_servers(before: &Gathered, now: &Gathered) -> Result<(), String> {
    // Those of an older querylab, or of somebody else, are not known.
    let is_one_build =
        before.builds.is_empty() || now.builds.is_empty() || before.builds == now.builds;
    if before.versions.is_empty() || (before.versions == now.versions && is_one_build) {
        return Ok(());
    }
    let says = |gathered: &Gathered| {
        let servers = gathered.versions.iter().map(|(name, version)| format!("{name} {version}"));
        let builds = gathered.builds.iter().filter(|_| !is_one_build);
        let builds = builds.map(|(version, flags)| format!("{version} compiled with `{flags}`"));
        servers.chain(builds).collect::<Vec<String>>().join(", ")
    };
    Err(format!("the run was begun with {}; now it would be {}", says(before), says(now)))
}

/// That the rows are those that the run was begun with.
pub(super) fn same_rows(before: &DatasetRecord, now: &DatasetRecord) -> Result<(), String> {
    for old in &before.tables {
        let new = now.tables.iter().find(|table| table.name == old.name);
        if new.is_none_or(|new| (new.rows, &new.checksum) != (old.rows, &old.checksum)) {
            return Err(format!(
                "the rows of {} are not those that the run was begun with",
                old.name
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::TableRecord;
    use crate::spec::{Layers, load};

    fn plan(blocks: u32) -> Plan {
        let file =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tiny/experiments/tiny.toml");
        let layers = Layers { sets: vec![format!("design.blocks={blocks}")], ..Layers::default() };
        crate::plan::resolve(&load(&file, &layers).expect("a file")).expect("a plan")
    }

    /// A run of the plan whose runner is gone, with what it had gathered.
    fn left(root: &Path, plan: &Plan, change: impl Fn(&mut Gathered)) -> PathBuf {
        let mut file = manifest::run_file(plan, clock::utc_now(), "cafe0000", None).expect("a run");
        file.owner_start_ticks += 1;
        let run = Run::create(root, file, plan, "").expect("a folder");
        let mut gathered = Gathered {
            querylab: env!("CARGO_PKG_VERSION").into(),
            host: probe::host(),
            ..Gathered::default()
        };
        change(&mut gathered);
        run.save_gathered(&gathered).expect("kept");
        run.dir().to_path_buf()
    }

    #[test]
    fn a_run_that_was_left_is_found_and_only_by_its_own_plan() {
        let root = tempfile::tempdir().expect("a folder");
        let none = resumable(root.path(), &plan(3), None).expect_err("there is none");
        assert!(
            matches!(&none, NotResumed::Asked(text) if text.contains("was interrupted")),
            "{none:?}"
        );
        let dir = left(root.path(), &plan(3), |_| {});
        assert_eq!(resumable(root.path(), &plan(3), None), Ok(dir.clone()));
        let other = resumable(root.path(), &plan(4), None).expect_err("another plan");
        assert!(
            matches!(&other, NotResumed::Asked(text) if text.contains("of another plan")),
            "{other:?}"
        );
        let part = "count:1/2".parse().expect("a part");
        assert!(resumable(root.path(), &plan(3), Some(part)).is_err(), "a part is another run");
        std::fs::remove_file(dir.join("gathered.json")).expect("removed");
        let old = resumable(root.path(), &plan(3), None).expect_err("an old run");
        assert!(
            matches!(&old, NotResumed::Asked(text) if text.contains("can't be gone on with")),
            "{old:?}"
        );
    }

    #[test]
    fn a_run_of_another_container_and_one_that_was_completed_meanwhile_are_left_alone() {
        let root = tempfile::tempdir().expect("a folder");
        let dir = left(root.path(), &plan(3), |_| {});
        let path = dir.join("run.json");
        let written = |change: fn(&mut RunFile)| {
            let bytes = std::fs::read(&path).expect("read");
            let mut file: RunFile = serde_json::from_slice(&bytes).expect("JSON");
            change(&mut file);
            std::fs::write(&path, serde_json::to_vec(&file).expect("JSON")).expect("written");
        };
        let refused = || take_over(&dir).err().map(|e| e.to_string()).unwrap_or_default();
        written(|file| file.owner_namespace = Some("pid:[1]".into()));
        let found = resumable(root.path(), &plan(3), None).expect_err("elsewhere");
        assert!(
            matches!(&found, NotResumed::Machine(text) if text.contains("another container")),
            "{found:?}"
        );
        assert!(refused().contains("somebody else"), "{}", refused());
        written(|file| file.state = State::Complete);
        assert!(refused().ends_with("was completed meanwhile"), "{}", refused());
        written(|file| {
            (file.state, file.owner_namespace) = (State::Interrupted, probe::pid_namespace());
        });
        assert_eq!(refused(), "");
    }

    #[test]
    fn a_run_of_another_machine_or_another_querylab_is_refused() {
        let root = tempfile::tempdir().expect("a folder");
        left(root.path(), &plan(3), |g| drop(g.host.insert("cores".into(), "999".into())));
        let refused = resumable(root.path(), &plan(3), None).expect_err("another machine");
        assert!(
            matches!(&refused, NotResumed::Machine(text) if text.contains("another machine")),
            "{refused:?}"
        );
        let root = tempfile::tempdir().expect("a folder");
        left(root.path(), &plan(3), |g| {
            g.querylab = "0.0.1".into();
            // Its load is not the machine.
            g.host.insert("load_average_before".into(), "99".into());
        });
        let refused = resumable(root.path(), &plan(3), None).expect_err("another querylab");
        assert!(
            matches!(&refused, NotResumed::Asked(text) if text.ends_with("0.0.1")),
            "{refused:?}"
        );
    }

    #[test]
    fn other_servers_and_other_rows_are_named() {
        let of = |version: &str| Gathered {
            versions: [("postgres".to_owned(), version.to_owned())].into(),
            ..Gathered::default()
        };
        assert_eq!(same_servers(&of("15.18"), &of("15.18")), Ok(()));
        assert_eq!(
            same_servers(&Gathered::default(), &of("15.18")),
            Ok(()),
            "killed before it knew"
        );
        let built = |flags: &str| Gathered {
            builds: [("15.18".to_owned(), flags.to_owned())].into(),
            ..of("15.18")
        };
        assert_eq!(same_servers(&of("15.18"), &built("-O2")), Ok(()), "not known then");
        let why = same_servers(&built("-O2"), &built("-Os")).expect_err("another build");
        assert!(why.contains("`-O2`; now") && why.contains("`-Os`"), "{why}");
        let why = same_servers(&of("15.18"), &of("16.1")).expect_err("others");
        assert!(why.contains("postgres 15.18") && why.contains("postgres 16.1"), "{why}");
        let rows = |checksum: &str| DatasetRecord {
            tables: vec![TableRecord {
                name: "t".into(),
                checksum: checksum.into(),
                ..TableRecord::default()
            }],
            ..DatasetRecord::default()
        };
        assert_eq!(same_rows(&rows("a"), &rows("a")), Ok(()));
        assert!(same_rows(&rows("a"), &rows("b")).is_err());
        assert!(same_rows(&rows("a"), &DatasetRecord::default()).is_err());
    }
}
