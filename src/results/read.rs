//! Reading a folder back: a run under way or ended (its trial files), or a published one (its CSV).

use std::collections::BTreeMap;
use std::fs;
use std::path::{Component, Path};

use anyhow::{Context, Result, bail, ensure};
use serde::de::DeserializeOwned;

use super::files::table_bytes;
use super::timeline::read_timeline;
use super::{
    DatasetRecord, Gathered, Manifest, Results, RunFile, State, TrialRecord, read_trials,
    sha256_hex, timeline,
};
use crate::plan::Plan;

/// What every folder of results has.
pub(super) const ALWAYS: [&str; 3] = ["plan.json", "trials.csv", "experiment.merged.toml"];

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
    names_its_own(dir, &manifest)?;
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
    let plan = plan_of(dir)?;
    let trials = read_trials(&read_file(&dir.join("trials.csv"))?)
        .with_context(|| format!("{}", dir.join("trials.csv").display()))?;
    let seconds = dir.join("timeline.csv");
    let timeline = if manifest.digests.contains_key("timeline.csv") {
        read_timeline(&read_file(&seconds)?).with_context(|| format!("{}", seconds.display()))?
    } else {
        Vec::new()
    };
    let mut plans = read_plans(dir)?;
    // One that lies there beside the others is not of this run.
    plans.retain(|name, _| manifest.digests.contains_key(&format!("plans/{name}.json")));
    Ok(Results { manifest, plan, trials, plans, timeline })
}

/// That the manifest names what is in this folder, and everything that no run can do without.
fn names_its_own(dir: &Path, manifest: &Manifest) -> Result<()> {
    let place = dir.join("manifest.json");
    for name in manifest.digests.keys() {
        ensure!(is_within(name), "{} names `{name}`, which is not in this folder", place.display());
    }
    for name in ALWAYS {
        ensure!(manifest.digests.contains_key(name), "{} has no digest of {name}", place.display());
    }
    Ok(())
}

/// Whether a name leads nowhere but into the folder that it is joined to.
pub(super) fn is_within(name: &str) -> bool {
    !name.is_empty()
        && Path::new(name).components().all(|part| matches!(part, Component::Normal(_)))
}

/// The plan of a folder. Its names become parts of paths, and somebody else may have written them.
fn plan_of(dir: &Path) -> Result<Plan> {
    let place = dir.join("plan.json");
    let plan: Plan = from_json(&place)?;
    let own = [&plan.experiment.id, &plan.profile];
    let variants = plan.variants.iter().map(|variant| &variant.name);
    for name in own.into_iter().chain(variants).chain(&plan.loads) {
        let is_name = !name.is_empty()
            && !name.starts_with('.')
            && !name.chars().any(|c| c == '/' || c.is_control());
        ensure!(is_name, "{}: {name:?} is no name", place.display());
    }
    Ok(plan)
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
    // Runs of an older querylab have none.
    let gathered = Gathered::read(dir).ok();
    let unknown = "the run has no manifest: its versions, settings and machine are not known";
    let manifest = Manifest {
        format: super::FORMAT,
        querylab: env!("CARGO_PKG_VERSION").to_owned(),
        revision: gathered.as_ref().and_then(|g| g.revision.clone()),
        command: Vec::new(),
        finished_at: run.started_at.clone(),
        wall_ms: 0,
        versions: gathered.as_ref().map(|g| g.versions.clone()).unwrap_or_default(),
        builds: gathered.as_ref().map(|g| g.builds.clone()).unwrap_or_default(),
        settings: gathered.as_ref().map(|g| g.settings.told()).unwrap_or_default(),
        host: gathered.as_ref().map(|g| g.host.clone()).unwrap_or_default(),
        dataset: if dataset.exists() { from_json(&dataset)? } else { DatasetRecord::default() },
        pilot: gathered.as_ref().and_then(|g| g.pilot.clone()),
        seeds: gathered.as_ref().map(|g| g.seeds.clone()).unwrap_or_default(),
        notes: gathered.map_or_else(|| vec![unknown.into()], |g| g.notes),
        digests: BTreeMap::new(),
        run,
    };
    read_run(dir, manifest)
}

/// Files that a report is rebuilt into.
pub fn is_derived(file: &str) -> bool {
    matches!(
        file,
        "summary.csv"
            | "comparisons.csv"
            | "claims.csv"
            | "resources.csv"
            | "breakdown.csv"
            | "indexes.csv"
            | "index_costs.csv"
            | "report.md"
            | "report.html"
    ) || is_plot(file)
}

/// Whether it is one of the drawn files.
fn is_plot(file: &str) -> bool {
    let name = file.strip_prefix("plots/").and_then(|name| name.strip_suffix(".svg"));
    name.is_some_and(|name| !name.is_empty() && !name.contains('/'))
}

/// Reads a run folder that is being written or was left by its runner; the manifest is the caller's.
///
/// # Errors
///
/// If the plan or a trial file is missing or broken.
pub fn read_run(dir: &Path, manifest: Manifest) -> Result<Results> {
    let plan = plan_of(dir)?;
    let trials = trial_files(dir)?;
    // By way of the table, so that a run and what is published of it hold the same numbers.
    let timeline = read_timeline(&table_bytes(&timeline(dir, &trials)?)?)?;
    Ok(Results { manifest, plan, trials, plans: read_plans(dir)?, timeline })
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::{Publication, publish};

    fn kept() -> Results {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("results/0001-email-lookup/ci");
        read(&dir).expect("results")
    }

    fn published(root: &Path, results: &Results) -> std::path::PathBuf {
        let publication = Publication {
            results,
            merged_toml: "",
            tables: &[],
            timeline: None,
            texts: &[],
            history: Vec::new(),
        };
        publish(root, &publication).expect("published")
    }

    fn refused(dir: &Path) -> String {
        format!("{:#}", read(dir).expect_err("refused"))
    }

    #[test]
    fn names_that_lead_out_of_the_folder_and_digests_that_are_not_there_are_refused() {
        let root = tempfile::tempdir().expect("a folder");
        let dir = published(root.path(), &kept());
        read(&dir).expect("results");
        let path = dir.join("manifest.json");
        let good = fs::read_to_string(&path).expect("read");
        let digests = "\"digests\": {";
        for name in ["../../x.svg", "plots/../../../x.svg", "/tmp/x.svg", ""] {
            let bad = good.replacen(digests, &format!("{digests} {name:?}: \"0\","), 1);
            assert_ne!(bad, good);
            fs::write(&path, bad).expect("written");
            assert!(refused(&dir).contains("which is not in this folder"), "{}", refused(&dir));
        }
        let bad = good.replacen("\"plan.json\":", "\"plans/plan.json\":", 1);
        fs::write(&path, bad).expect("written");
        assert!(refused(&dir).contains("has no digest of plan.json"), "{}", refused(&dir));
        assert!(is_plot("plots/effects.svg") && !is_plot("plots/../x.svg"));
    }

    #[test]
    fn a_plan_beside_those_that_have_a_digest_is_not_read() {
        let root = tempfile::tempdir().expect("a folder");
        let dir = published(root.path(), &kept());
        fs::write(dir.join("plans/other.json"), "{}").expect("written");
        assert_eq!(read(&dir).expect("results").plans, kept().plans);
    }

    #[test]
    fn a_plan_whose_names_are_paths_is_refused() {
        type Change = fn(&mut Plan);
        let changes: [Change; 4] = [
            |plan| plan.profile = "..".into(),
            |plan| plan.experiment.id = String::new(),
            |plan| plan.loads[0] = "/../../../../tmp/x".into(),
            |plan| plan.variants[0].name = "a\nb".into(),
        ];
        for change in changes {
            let root = tempfile::tempdir().expect("a folder");
            let mut plan = kept().plan;
            change(&mut plan);
            let text = serde_json::to_vec(&plan).expect("JSON");
            fs::write(root.path().join("plan.json"), text).expect("written");
            let why = plan_of(root.path()).expect_err("refused").to_string();
            assert!(why.contains("is no name"), "{why}");
        }
    }
}
