//! What a run knows beside its trials: kept while it goes on, so that a killed run can be read whole and gone on with.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::files::write_atomic;
use super::in_force::InForce;
use super::run::{Run, RunSummary, json};
use super::{DatasetRecord, PilotRecord, RunFile, State, TrialRecord};

/// The file of a run's folder that holds it.
pub(super) const FILE: &str = "gathered.json";

/// What is gathered for the manifest while the run goes on.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Gathered {
    /// Version of querylab that began the run.
    pub querylab: String,
    /// The commit of the checkout, when the run began.
    pub revision: Option<String>,
    /// Stream and seed.
    pub seeds: BTreeMap<String, u64>,
    /// The machine, when the run began.
    pub host: BTreeMap<String, String>,
    /// Server and version.
    pub versions: BTreeMap<String, String>,
    /// Version of Postgres, and what its compiler was told.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub builds: BTreeMap<String, String>,
    /// Settings in force.
    pub settings: InForce,
    /// The data.
    pub dataset: DatasetRecord,
    /// How the number of blocks was decided.
    pub pilot: Option<PilotRecord>,
    /// What a reader should know.
    pub notes: Vec<String>,
}

impl Gathered {
    /// Reads what a run had gathered.
    ///
    /// # Errors
    ///
    /// If its folder has none, as of a run of an older querylab, or it is broken.
    pub fn read(dir: &Path) -> Result<Self> {
        let path = dir.join(FILE);
        let bytes = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        serde_json::from_slice(&bytes)
            .with_context(|| format!("{} is not what it should be", path.display()))
    }

    /// Whether this is the machine that the run began on, as far as it can be told; its load may differ.
    pub fn is_of(&self, host: &BTreeMap<String, String>) -> bool {
        lasting(&self.host) == lasting(host)
    }
}

/// A kernel takes a little more or less for itself at each boot: memory is told apart by steps of this many bytes.
const MEMORY_STEP: u64 = 64 << 20;

/// What of a machine does not pass: all that is known but its load when a run began, and its memory in whole steps.
pub fn lasting(host: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let stays = |(key, _): &(&String, &String)| key.as_str() != "load_average_before";
    let rounded = |(key, value): (&String, &String)| {
        let bytes = value.parse::<u64>().ok().filter(|_| key == "memory_bytes");
        let steps = bytes.map(|n| n.saturating_add(MEMORY_STEP / 2) / MEMORY_STEP * MEMORY_STEP);
        (key.clone(), steps.map_or_else(|| value.clone(), |n| n.to_string()))
    };
    host.iter().filter(stays).map(rounded).collect()
}

/// Of a processor: a machine with more load than this had something else to do when a run began.
const LOAD_LIMIT: f64 = 0.5;

/// What the machine had to do when a run began, for a sentence; none where that was little, or is not known.
pub fn load_before(host: &BTreeMap<String, String>) -> Option<String> {
    let number = |key: &str| host.get(key)?.parse::<f64>().ok();
    let (load, cores) = (number("load_average_before")?, number("cores")?);
    let named = if cores > 1.0 { "cores" } else { "core" };
    (load > LOAD_LIMIT * cores).then(|| format!("load average {load} on {cores} {named}"))
}

impl Run {
    /// Keeps what is gathered so far.
    ///
    /// # Errors
    ///
    /// If the disk refuses.
    pub fn save_gathered(&self, gathered: &Gathered) -> Result<()> {
        write_atomic(&self.dir().join(FILE), &json(gathered)?)
    }

    /// Goes on with a run that has a folder: it is this process's now. Also gives its trials, in the order in which they
    /// ran.
    ///
    /// # Errors
    ///
    /// If a trial of it is broken, or the disk refuses.
    pub fn reopen(dir: PathBuf, file: RunFile) -> Result<(Self, Vec<TrialRecord>)> {
        let trials = super::read::trial_files(&dir)?;
        let run = Self::owned(dir, file, u32::try_from(trials.len())?);
        run.save_state()?;
        Ok((run, trials))
    }
}

/// Runs of an experiment in a size that did not come to their end, the newest first.
pub fn unfinished_runs(root: &Path, experiment: &str, profile: &str) -> Vec<RunSummary> {
    let mut runs = super::list_runs(root);
    runs.retain(|run| {
        let file = &run.file;
        file.experiment == experiment && file.profile == profile && file.state != State::Complete
    });
    runs.reverse();
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_with_half_a_processor_s_load_or_less_was_at_rest() {
        let said = |load: &str, cores: &str| {
            let host = [("load_average_before", load), ("cores", cores)];
            load_before(&host.map(|(key, value)| (key.to_owned(), value.to_owned())).into())
        };
        assert_eq!(said("1.00", "2"), None);
        assert_eq!(said("1.34", "2").as_deref(), Some("load average 1.34 on 2 cores"));
        assert_eq!(said("0.60", "1").as_deref(), Some("load average 0.6 on 1 core"));
        assert_eq!((said("much", "2"), said("9", "")), (None, None));
        assert_eq!(load_before(&BTreeMap::new()), None);
    }

    #[test]
    fn a_kernel_that_takes_more_for_itself_makes_no_other_machine() {
        let of = |bytes: u64| lasting(&[("memory_bytes".into(), bytes.to_string())].into());
        let gb = 1 << 30;
        assert_eq!(of(16 * gb - 300_000), of(16 * gb + 300_000));
        assert_ne!(of(16 * gb), of(15 * gb));
        let odd = BTreeMap::from([("memory_bytes".to_owned(), "much".to_owned())]);
        assert_eq!(lasting(&odd), odd);
    }
}
