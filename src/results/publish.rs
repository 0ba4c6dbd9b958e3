//! Publishing: a complete run becomes `results/<experiment>/<profile>/`, whole, by one rename.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::files::{table_bytes, write_atomic};
use super::history::append_history;
use super::read::is_derived;
use super::run::json;
use super::{Results, Table, sha256_hex, trials_table};
use crate::stats::FEWEST_BLOCKS;

/// What a publication consists of, beside the results themselves.
#[derive(Debug)]
pub struct Publication<'a> {
    /// The results; their manifest's digests are filled in here.
    pub results: &'a Results,
    /// The merged experiment file.
    pub merged_toml: &'a str,
    /// Tables derived from the results.
    pub tables: &'a [Table],
    /// `timeline.csv`, if any.
    pub timeline: Option<Table>,
    /// What is written for people: `report.md`, `report.html`, `plots/….svg`.
    pub texts: &'a [TextFile],
    /// Further columns of `history.csv`, with their cells.
    pub history: Vec<(&'static str, String)>,
}

/// A file of text in a results folder, rebuilt from the rest of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextFile {
    /// Its path in the folder: `report.md`, `plots/effects.svg`.
    pub path: String,
    /// All of it.
    pub text: String,
}

/// Writes `<root>/<experiment>/<profile>/` beside its place and exchanges it with the old one by rename, then appends
/// a row to `history.csv` if it has run blocks enough for verdicts. Returns the folder.
///
/// # Errors
///
/// If anything can't be written; what was published before is intact then.
pub fn publish(root: &Path, publication: &Publication<'_>) -> Result<PathBuf> {
    let results = publication.results;
    let parent = root.join(&results.plan.experiment.id);
    fs::create_dir_all(&parent).with_context(|| format!("cannot create {}", parent.display()))?;
    let target = parent.join(&results.plan.profile);
    refuse_foreign(&target)?;
    let staging =
        parent.join(format!(".{}.{}.tmp", results.plan.profile, results.manifest.run.run));
    remove_if_there(&staging)?;
    fs::create_dir_all(staging.join("plans"))
        .with_context(|| format!("cannot create {}", staging.display()))?;
    let written = write_all(&staging, publication).and_then(|()| exchange(&staging, &target));
    // After the exchange the staging name holds the old folder; after an error, the new one's debris.
    let removed = remove_if_there(&staging);
    written?;
    removed?;
    // A run that can say nothing is no part of a history, and what is checked in does not change by trying querylab out.
    if results.blocks_run() >= FEWEST_BLOCKS {
        append_history(&parent, results, &publication.history)?;
    }
    Ok(target)
}

/// Writes everything of a publication into a folder that exists: a run's own, so that it can be read like a published one.
///
/// # Errors
///
/// If anything can't be written.
pub fn write_into(dir: &Path, publication: &Publication<'_>) -> Result<()> {
    fs::create_dir_all(dir.join("plans"))
        .with_context(|| format!("cannot create {}", dir.display()))?;
    write_all(dir, publication)
}

/// Writes what is derived (tables and report) again, and the manifest if a digest of them changed. Returns whether any
/// file changed.
///
/// # Errors
///
/// If anything can't be written.
pub fn write_derived(
    dir: &Path,
    results: &Results,
    tables: &[Table],
    texts: &[TextFile],
) -> Result<bool> {
    let mut manifest = results.manifest.clone();
    let mut changed = false;
    let mut files: Vec<(String, Vec<u8>)> =
        texts.iter().map(|file| (file.path.clone(), file.text.clone().into_bytes())).collect();
    for table in tables {
        files.push((table.file.clone(), table_bytes(table)?));
    }
    for (name, bytes) in files {
        let path = dir.join(&name);
        manifest.digests.insert(name, sha256_hex(&bytes));
        if fs::read(&path).is_ok_and(|old| old == bytes) {
            continue;
        }
        make_folder_of(&path)?;
        write_atomic(&path, &bytes)?;
        changed = true;
    }
    changed |= remove_old(dir, (texts, tables), &mut manifest)?;
    if manifest != results.manifest && dir.join("manifest.json").exists() {
        write_atomic(&dir.join("manifest.json"), &json(&manifest)?)?;
    }
    Ok(changed)
}

fn write_all(staging: &Path, publication: &Publication<'_>) -> Result<()> {
    let results = publication.results;
    let mut files: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    files.insert("plan.json".into(), json(&results.plan)?);
    files.insert("experiment.merged.toml".into(), publication.merged_toml.into());
    files.insert("trials.csv".into(), table_bytes(&trials_table(&results.trials))?);
    for file in publication.texts {
        files.insert(file.path.clone(), file.text.clone().into_bytes());
    }
    for table in publication.tables.iter().chain(&publication.timeline) {
        files.insert(table.file.clone(), table_bytes(table)?);
    }
    for (name, plan) in &results.plans {
        files.insert(format!("plans/{name}.json"), json(plan)?);
    }
    let mut manifest = results.manifest.clone();
    manifest.digests =
        files.iter().map(|(name, bytes)| (name.clone(), sha256_hex(bytes))).collect();
    for (name, bytes) in &files {
        make_folder_of(&staging.join(name))?;
        write_atomic(&staging.join(name), bytes)?;
    }
    write_atomic(&staging.join("manifest.json"), &json(&manifest)?)
}

/// The folder that a file is to lie in.
fn make_folder_of(path: &Path) -> Result<()> {
    let folder = path.parent().context("a file needs a folder")?;
    fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))
}

/// Plots and tables that an older querylab made and this one does not would tell an old story beside the new one.
fn remove_old(
    dir: &Path,
    (texts, tables): (&[TextFile], &[Table]),
    manifest: &mut super::Manifest,
) -> Result<bool> {
    let is_made = |name: &str| {
        texts.iter().any(|file| file.path == name) || tables.iter().any(|table| table.file == name)
    };
    let is_old = |name: &str| is_derived(name) && !is_made(name);
    let old: Vec<String> = manifest.digests.keys().filter(|name| is_old(name)).cloned().collect();
    for name in &old {
        manifest.digests.remove(name);
        match fs::remove_file(dir.join(name)) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                return Err(e)
                    .with_context(|| format!("cannot remove {}", dir.join(name).display()));
            }
            _ => {}
        }
    }
    Ok(!old.is_empty())
}

/// Only a folder of ours is replaced: an empty one, or one with a manifest.
fn refuse_foreign(target: &Path) -> Result<()> {
    let Ok(mut entries) = fs::read_dir(target) else { return Ok(()) };
    if entries.next().is_some() && !target.join("manifest.json").is_file() {
        anyhow::bail!(
            "{} holds files, but no manifest.json: it is not a results folder and stays as it is; publish elsewhere with --out",
            target.display()
        );
    }
    Ok(())
}

fn exchange(staging: &Path, target: &Path) -> Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    let done = if target.exists() {
        match renameat_with(CWD, staging, CWD, target, RenameFlags::EXCHANGE) {
            // Some file systems cannot exchange: then there is a moment without any results, but never a mixture.
            Err(rustix::io::Errno::INVAL | rustix::io::Errno::XDEV | rustix::io::Errno::NOSYS) => {
                let old = staging.with_extension("old.tmp");
                fs::rename(target, &old)
                    .and_then(|()| fs::rename(staging, target))
                    .and_then(|()| fs::rename(&old, staging))
            }
            done => done.map_err(std::io::Error::from),
        }
    } else {
        fs::rename(staging, target)
    };
    done.with_context(|| format!("cannot put {} in its place", target.display()))?;
    let parent = target.parent().context("a folder of results has a parent")?;
    fs::File::open(parent)
        .and_then(|dir| dir.sync_all())
        .with_context(|| format!("cannot sync {}", parent.display()))
}

fn remove_if_there(dir: &Path) -> Result<()> {
    match fs::remove_dir_all(dir) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            Err(e).with_context(|| format!("cannot remove {}", dir.display()))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Plan, Role};
    use crate::results::{DatasetRecord, Manifest, Outcome, RunFile, State, TrialRecord};
    use crate::spec::{Layers, load};

    /// The smallest experiment for eight blocks.
    fn plan() -> Plan {
        let file =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tiny/experiments/tiny.toml");
        let layers = Layers { sets: vec!["design.blocks=8".into()], ..Layers::default() };
        crate::plan::resolve(&load(&file, &layers).expect("a file")).expect("a plan")
    }

    /// A complete run of the plan that ended after so many blocks.
    fn ended_after(blocks: u32) -> Results {
        let trial = |block| TrialRecord {
            format: 1,
            number: block - 1,
            block,
            order: 1,
            variant: "btree".into(),
            load: "one".into(),
            role: Role::Variant,
            outcome: Outcome::Ok,
            started_at: String::new(),
            wall_ms: 0,
            fill_ms: None,
            warmup_ms: None,
            warmup_reached: None,
            window: None,
            witness: None,
            plan_hash: None,
            notes: Vec::new(),
        };
        let run = RunFile {
            format: 1,
            run: format!("run-{blocks}"),
            experiment: "tiny".into(),
            profile: "full".into(),
            fingerprint: String::new(),
            state: State::Complete,
            reason: None,
            trials_planned: 24,
            owner_pid: 0,
            owner_start_ticks: 0,
            boot_id: String::new(),
            owner_namespace: None,
            started_at: String::new(),
            first_load_ms: None,
            partition: None,
        };
        let manifest = Manifest {
            format: 1,
            querylab: "0".into(),
            revision: None,
            command: Vec::new(),
            run,
            finished_at: String::new(),
            wall_ms: 0,
            versions: BTreeMap::new(),
            builds: BTreeMap::new(),
            settings: BTreeMap::new(),
            host: BTreeMap::new(),
            dataset: DatasetRecord::default(),
            notes: Vec::new(),
            pilot: None,
            seeds: BTreeMap::new(),
            digests: BTreeMap::new(),
        };
        let trials = (1..=blocks).map(trial).collect();
        Results { manifest, plan: plan(), trials, plans: BTreeMap::new(), timeline: Vec::new() }
    }

    #[test]
    fn a_history_has_a_row_for_each_run_whose_blocks_were_enough() {
        let root = tempfile::tempdir().expect("a folder");
        let history = || fs::read_to_string(root.path().join("tiny/history.csv"));
        for (blocks, rows) in [(5, 0), (6, 1), (8, 2), (2, 2)] {
            let results = ended_after(blocks);
            let publication = Publication {
                results: &results,
                merged_toml: "",
                tables: &[],
                timeline: None,
                texts: &[],
                history: vec![("machine", "m".into()), ("figures", format!("a={blocks}"))],
            };
            publish(root.path(), &publication).expect("published");
            let history = history().unwrap_or_default();
            assert_eq!(history.lines().skip(1).count(), rows, "{blocks} blocks:\n{history}");
        }
        let history = history().expect("a history");
        assert!(history.contains(",6,6,m,a=6\n") && history.contains(",8,8,m,a=8\n"), "{history}");
    }
}
