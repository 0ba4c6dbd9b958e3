//! A run as it happens: a folder of its own, one immutable file a trial, a state that is true.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::files::write_atomic;
use super::{DatasetRecord, RunFile, SliceRecord, State, TrialRecord};
use crate::plan::Plan;

/// A run folder that this process owns.
#[derive(Debug)]
pub struct Run {
    dir: PathBuf,
    file: RunFile,
    trials_written: u32,
}

impl Run {
    /// Makes `<root>/<experiment>/<run>` and writes the plan and the merged file into it.
    ///
    /// # Errors
    ///
    /// If the folder exists already or can't be written: then nothing has been started yet.
    pub fn create(root: &Path, file: RunFile, plan: &Plan, merged_toml: &str) -> Result<Self> {
        let parent = root.join(&file.experiment);
        fs::create_dir_all(&parent)
            .with_context(|| format!("cannot create {}", parent.display()))?;
        let dir = parent.join(&file.run);
        fs::create_dir(&dir).with_context(|| format!("cannot create {}", dir.display()))?;
        for sub in ["trials", "plans", "logs"] {
            fs::create_dir(dir.join(sub))
                .with_context(|| format!("cannot create {}", dir.join(sub).display()))?;
        }
        for folder in [&dir, &parent] {
            fs::File::open(folder)
                .and_then(|folder| folder.sync_all())
                .with_context(|| format!("cannot sync {}", folder.display()))?;
        }
        let run = Self { dir, file, trials_written: 0 };
        run.save_state()?;
        write_atomic(&run.dir.join("plan.json"), &json(plan)?)?;
        write_atomic(&run.dir.join("experiment.merged.toml"), merged_toml.as_bytes())?;
        Ok(run)
    }

    /// A run whose folder is there.
    pub(super) fn owned(dir: PathBuf, file: RunFile, trials_written: u32) -> Self {
        Self { dir, file, trials_written }
    }

    /// The folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// What `run.json` says now.
    pub fn file(&self) -> &RunFile {
        &self.file
    }

    /// Trials kept so far, failed ones included.
    pub fn trials_written(&self) -> u32 {
        self.trials_written
    }

    /// Keeps one trial: its JSON, its histograms and its slices, each whole or absent.
    ///
    /// # Errors
    ///
    /// If the disk refuses; trials kept before are intact.
    pub fn append(
        &mut self,
        trial: &TrialRecord,
        hlog: Option<&[u8]>,
        slices: Option<&[SliceRecord]>,
    ) -> Result<()> {
        let stem = stem(trial);
        let trials = self.dir.join("trials");
        if let Some(hlog) = hlog {
            write_atomic(&trials.join(format!("{stem}.hlog")), hlog)?;
        }
        if let Some(slices) = slices {
            write_atomic(&trials.join(format!("{stem}.slices")), &json(&slices)?)?;
        }
        write_atomic(&trials.join(format!("{stem}.json")), &json(trial)?)?;
        self.trials_written += 1;
        Ok(())
    }

    /// Where the raw samples of the trial under way are written: a file that only a kept trial gives a name of its own.
    pub fn samples_path(&self) -> PathBuf {
        self.dir.join("samples.part")
    }

    /// Keeps the raw samples of a trial beside its other files, if there are any.
    ///
    /// # Errors
    ///
    /// If the disk refuses.
    pub fn keep_samples(&self, trial: &TrialRecord) -> Result<()> {
        let kept = self.dir.join("trials").join(format!("{}.samples.csv", stem(trial)));
        match fs::rename(self.samples_path(), &kept) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                Err(e).with_context(|| format!("cannot keep {}", kept.display()))
            }
            _ => Ok(()),
        }
    }

    /// Keeps what the data cost.
    ///
    /// # Errors
    ///
    /// If the disk refuses.
    pub fn save_dataset(&self, dataset: &DatasetRecord) -> Result<()> {
        write_atomic(&self.dir.join("dataset.json"), &json(dataset)?)
    }

    /// Keeps an explained plan under `<variant>-<endpoint>`.
    ///
    /// # Errors
    ///
    /// If the disk refuses.
    pub fn save_plan(&self, name: &str, explained: &serde_json::Value) -> Result<()> {
        write_atomic(&self.dir.join("plans").join(format!("{name}.json")), &json(explained)?)
    }

    /// Appends one event to `events.jsonl`.
    ///
    /// # Errors
    ///
    /// If the disk refuses.
    pub fn event(&self, event: &serde_json::Value) -> Result<()> {
        let path = self.dir.join("events.jsonl");
        let mut line = serde_json::to_vec(event)?;
        line.push(b'\n');
        OpenOptions::new()
            .create(true)
            .append(true)
            .open(&path)
            .and_then(|mut file| file.write_all(&line))
            .with_context(|| format!("cannot append to {}", path.display()))
    }

    /// Notes when the first request of a load was sent; `run.json` says it from the next state on. Of a run that is gone on
    /// with, that of its first part stays.
    pub fn first_load(&mut self, ms: u64) {
        self.file.first_load_ms.get_or_insert(ms);
    }

    /// Says how it ended.
    ///
    /// # Errors
    ///
    /// If the disk refuses.
    pub fn finish(&mut self, state: State, reason: Option<String>) -> Result<()> {
        self.file.state = state;
        self.file.reason = reason;
        // Of a trial that was broken off; one that is not there is as good.
        fs::remove_file(self.samples_path()).ok();
        self.save_state()
    }

    pub(super) fn save_state(&self) -> Result<()> {
        write_atomic(&self.dir.join("run.json"), &json(&self.file)?)
    }
}

/// `001-03-btree-steady`, the name of a trial's files: block and order alone tell it from every other, whatever the names
/// after them are.
pub(super) fn stem(trial: &TrialRecord) -> String {
    let twin = if trial.role == crate::plan::Role::Twin { "-twin" } else { "" };
    format!("{:03}-{:02}-{}-{}{twin}", trial.block, trial.order, trial.variant, trial.load)
}

/// Pretty JSON with a last line end.
pub(super) fn json<T: serde::Serialize>(value: &T) -> Result<Vec<u8>> {
    let mut bytes = serde_json::to_vec_pretty(value)?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// One run as `querylab list --runs` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunSummary {
    /// Its folder.
    pub dir: PathBuf,
    /// What `run.json` says.
    pub file: RunFile,
    /// Trials kept.
    pub trials: u32,
    /// Of them valid.
    pub valid: u32,
}

/// All runs below `root`, oldest first; folders without a readable `run.json` are left out.
pub fn list_runs(root: &Path) -> Vec<RunSummary> {
    let mut runs = Vec::new();
    for experiment in subdirs(root) {
        for dir in subdirs(&experiment) {
            let Ok(bytes) = fs::read(dir.join("run.json")) else { continue };
            let Ok(file) = serde_json::from_slice::<RunFile>(&bytes) else { continue };
            let records = super::read::trial_files(&dir).unwrap_or_default();
            let valid = records.iter().filter(|t| t.outcome.is_valid()).count();
            runs.push(RunSummary {
                dir,
                file,
                trials: u32::try_from(records.len()).unwrap_or(u32::MAX),
                valid: u32::try_from(valid).unwrap_or(u32::MAX),
            });
        }
    }
    runs
}

fn subdirs(dir: &Path) -> Vec<PathBuf> {
    let mut dirs: Vec<PathBuf> = fs::read_dir(dir)
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok().map(|e| e.path()))
        .filter(|path| path.is_dir())
        .collect();
    dirs.sort();
    dirs
}
