//! Where the numbers come from: versions, settings, machine, revision, and what a reader should know.

use std::collections::BTreeMap;
use std::path::Path;

use chrono::{DateTime, Utc};

use super::clock;
use crate::plan::{Partition, Plan};
use crate::probe;
use crate::results::{Gathered, Manifest, RunFile, State};

/// A run that is about to begin, owned by this process.
pub(super) fn run_file(
    plan: &Plan,
    started: DateTime<Utc>,
    random: &str,
    partition: Option<Partition>,
) -> anyhow::Result<RunFile> {
    let trials = plan.trials.iter().filter(|t| partition.is_none_or(|part| part.has(t.block)));
    let pid = std::process::id();
    Ok(RunFile {
        format: crate::results::FORMAT,
        run: format!("{}-{random}", clock::compact(started)),
        experiment: plan.experiment.id.clone(),
        profile: plan.profile.clone(),
        fingerprint: plan.fingerprint.clone(),
        state: State::Running,
        reason: None,
        trials_planned: u32::try_from(trials.count())?,
        owner_pid: pid,
        owner_start_ticks: probe::start_ticks(pid).unwrap_or(0),
        boot_id: probe::boot_id()?,
        owner_namespace: probe::pid_namespace(),
        started_at: clock::rfc3339(started),
        first_load_ms: None,
        partition,
    })
}

/// An interrupted run, owned by this process from now on.
pub(super) fn owned_again(file: &RunFile) -> anyhow::Result<RunFile> {
    let pid = std::process::id();
    Ok(RunFile {
        state: State::Running,
        reason: None,
        owner_pid: pid,
        owner_start_ticks: probe::start_ticks(pid).unwrap_or(0),
        boot_id: probe::boot_id()?,
        owner_namespace: probe::pid_namespace(),
        ..file.clone()
    })
}

/// The manifest of a run as it stands.
pub(super) fn manifest(
    run: &RunFile,
    gathered: &Gathered,
    started: DateTime<Utc>,
    command: &[String],
) -> Manifest {
    let now = clock::utc_now();
    Manifest {
        format: crate::results::FORMAT,
        querylab: env!("CARGO_PKG_VERSION").to_owned(),
        revision: gathered.revision.clone(),
        command: command.to_vec(),
        run: run.clone(),
        finished_at: clock::rfc3339(now),
        wall_ms: u64::try_from((now - started).num_milliseconds()).unwrap_or(0),
        versions: gathered.versions.clone(),
        builds: gathered.builds.clone(),
        settings: gathered.settings.told(),
        host: gathered.host.clone(),
        dataset: gathered.dataset.clone(),
        notes: gathered.notes.clone(),
        pilot: gathered.pilot.clone(),
        seeds: gathered.seeds.clone(),
        digests: BTreeMap::new(),
    }
}

/// The commit that the checkout around `dir` stands at, read from its files: no `git` is needed or started.
pub fn git_revision(dir: &Path) -> Option<String> {
    let git = dir.ancestors().map(|d| d.join(".git")).find(|g| g.exists())?;
    let git = if git.is_dir() { git } else { linked_worktree(&git)? };
    let head = std::fs::read_to_string(git.join("HEAD")).ok()?;
    let Some(reference) = head.trim().strip_prefix("ref: ") else {
        return Some(head.trim().to_owned());
    };
    let common = std::fs::read_to_string(git.join("commondir"))
        .map_or_else(|_| git.clone(), |common| git.join(common.trim()));
    if let Ok(commit) = std::fs::read_to_string(common.join(reference)) {
        return Some(commit.trim().to_owned());
    }
    let packed = std::fs::read_to_string(common.join("packed-refs")).ok()?;
    packed
        .lines()
        .find_map(|line| line.strip_suffix(reference)?.trim().split(' ').next().map(str::to_owned))
}

/// In a linked worktree `.git` is a file: `gitdir: <folder>`.
fn linked_worktree(file: &Path) -> Option<std::path::PathBuf> {
    let text = std::fs::read_to_string(file).ok()?;
    let target = Path::new(text.trim().strip_prefix("gitdir: ")?);
    Some(if target.is_absolute() { target.to_path_buf() } else { file.parent()?.join(target) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_revision_is_read_from_loose_and_packed_references() {
        let dir = tempfile::tempdir().unwrap();
        let git = dir.path().join(".git");
        std::fs::create_dir_all(git.join("refs/heads")).unwrap();
        std::fs::write(git.join("HEAD"), "ref: refs/heads/main\n").unwrap();
        assert_eq!(git_revision(dir.path()), None);
        std::fs::write(git.join("packed-refs"), "# pack-refs\nabc123 refs/heads/main\n").unwrap();
        assert_eq!(git_revision(dir.path()).as_deref(), Some("abc123"));
        std::fs::write(git.join("refs/heads/main"), "def456\n").unwrap();
        assert_eq!(git_revision(&dir.path().join("experiments")).as_deref(), Some("def456"));
    }
}
