//! Reading a folder back: a run under way or ended (its trial files), or a published one (its CSV).

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde::de::DeserializeOwned;

use super::{
    DatasetRecord, Manifest, Results, RunFile, State, TrialRecord, read_trials, sha256_hex,
};
use crate::plan::Plan;

/// Reads a published folder, and refuses one that was edited, truncated or mixed.
///
/// # Errors
///
/// If a file is missing, of a newer format, or differs from its digest in the manifest.
pub fn read(dir: &Path) -> Result<Results> {
    if !dir.join("manifest.json").exists() && dir.join("run.json").exists() {
        return read_unfinished(dir);
    }
    if !dir.join("manifest.json").exists() {
        bail!(
            "{} is no results folder: it has no manifest.json; name one below `results/` or `.querylab/runs/`",
            dir.display()
        );
    }
    let manifest: Manifest = from_json(&dir.join("manifest.json"))?;
    if manifest.format > super::FORMAT {
        bail!(
            "{} is of format {}; this querylab reads up to {}",
            dir.display(),
            manifest.format,
            super::FORMAT
        );
    }
    for (file, digest) in &manifest.digests {
        // What is derived is rebuilt from the rest; it may be missing or old.
        if is_derived(file) {
            continue;
        }
        let bytes = read_file(&dir.join(file))?;
        if sha256_hex(&bytes) != *digest {
            bail!(
                "{} was changed since it was published (its digest differs)",
                dir.join(file).display()
            );
        }
    }
    let plan: Plan = from_json(&dir.join("plan.json"))?;
    let trials = read_trials(&read_file(&dir.join("trials.csv"))?)
        .with_context(|| format!("{}", dir.join("trials.csv").display()))?;
    Ok(Results { manifest, plan, trials, plans: read_plans(dir)? })
}

/// Reads what a runner left that was killed: every trial that it had finished.
fn read_unfinished(dir: &Path) -> Result<Results> {
    let mut run: RunFile = from_json(&dir.join("run.json"))?;
    if run.state == State::Running {
        run.state = State::Interrupted;
        run.reason =
            Some("its runner is gone, or still at it: this is what it had finished".into());
    }
    let dataset = dir.join("dataset.json");
    let manifest = Manifest {
        format: super::FORMAT,
        querylab: env!("CARGO_PKG_VERSION").to_owned(),
        revision: None,
        command: Vec::new(),
        finished_at: run.started_at.clone(),
        wall_ms: 0,
        versions: BTreeMap::new(),
        settings: BTreeMap::new(),
        host: BTreeMap::new(),
        dataset: if dataset.exists() { from_json(&dataset)? } else { DatasetRecord::default() },
        notes: vec![
            "the run has no manifest: its versions, settings and machine are not known".into(),
        ],
        pilot: None,
        seeds: BTreeMap::new(),
        digests: BTreeMap::new(),
        run,
    };
    read_run(dir, manifest)
}

/// Files that a report is rebuilt into.
pub(super) fn is_derived(file: &str) -> bool {
    matches!(
        file,
        "report.md"
            | "summary.csv"
            | "comparisons.csv"
            | "claims.csv"
            | "resources.csv"
            | "breakdown.csv"
            | "indexes.csv"
            | "index_costs.csv"
    )
}

/// Reads a run folder that is being written or was left by its runner; the manifest is the caller's.
///
/// # Errors
///
/// If the plan or a trial file is missing or broken.
pub fn read_run(dir: &Path, manifest: Manifest) -> Result<Results> {
    let plan: Plan = from_json(&dir.join("plan.json"))?;
    Ok(Results { manifest, plan, trials: trial_files(dir)?, plans: read_plans(dir)? })
}

/// The trial files of a run folder, in the order of the plan.
pub(super) fn trial_files(dir: &Path) -> Result<Vec<TrialRecord>> {
    let mut trials = Vec::new();
    for path in sorted_files(&dir.join("trials"), "json")? {
        trials.push(from_json::<TrialRecord>(&path)?);
    }
    // A repeated trial has the number of its first attempt, and runs at the end of its block.
    trials.sort_by_key(|trial| (trial.block, trial.order));
    Ok(trials)
}

fn read_plans(dir: &Path) -> Result<BTreeMap<String, serde_json::Value>> {
    let mut plans = BTreeMap::new();
    for path in sorted_files(&dir.join("plans"), "json")? {
        let name = path.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
        plans.insert(name, from_json(&path)?);
    }
    Ok(plans)
}

fn sorted_files(dir: &Path, extension: &str) -> Result<Vec<std::path::PathBuf>> {
    let entries = fs::read_dir(dir).with_context(|| format!("cannot read {}", dir.display()))?;
    let mut files: Vec<_> = entries
        .filter_map(|entry| entry.ok().map(|e| e.path()))
        .filter(|path| path.extension().is_some_and(|e| e == extension))
        .filter(|path| !path.file_name().is_some_and(|n| n.to_string_lossy().starts_with('.')))
        .collect();
    files.sort();
    Ok(files)
}

fn read_file(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

fn from_json<T: DeserializeOwned>(path: &Path) -> Result<T> {
    serde_json::from_slice(&read_file(path)?)
        .with_context(|| format!("{} is not what it should be", path.display()))
}
