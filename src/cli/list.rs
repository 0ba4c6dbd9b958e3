//! `querylab list`: experiments with their variants and loads, or runs and their states.

use std::path::{Path, PathBuf};

use comfy_table::{Table, presets};

use super::args::ListArgs;
use super::exit::Exit;
use super::out;
use crate::plan::further_mistakes;
use crate::probe;
use crate::results::{self, RunFile, State};
use crate::spec::{self, Layers, Spec};

pub(super) fn list(args: &ListArgs) -> Result<Exit, Exit> {
    if args.runs { runs(&args.dir) } else { experiments(&args.dir) }
}

fn experiments(dir: &Path) -> Result<Exit, Exit> {
    let files = experiments_below(dir)?;
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN);
    table.set_header(vec![
        "experiment",
        "question",
        "tags",
        "variants",
        "loads",
        "profiles",
        "claims",
        "thresholds",
    ]);
    let mut worst = Exit::Done;
    for file in files {
        match spec::load(&file, &Layers::default()) {
            Ok(spec) => {
                let d = &spec.document;
                if out::is_json() {
                    out::object(&experiment(&file, &spec))?;
                    continue;
                }
                table.add_row(vec![
                    d.experiment.id.clone(),
                    d.experiment.question.clone(),
                    d.experiment.tags.join(", "),
                    spec.variant_order.join(", "),
                    d.design.loads.join(", "),
                    spec.profiles.join(", "),
                    d.claims.len().to_string(),
                    d.thresholds.len().to_string(),
                ]);
            }
            Err(mut problems) => {
                if let Some(partial) = problems.partial.take() {
                    problems.add(further_mistakes(&partial));
                }
                out::fail(
                    Exit::Input,
                    format!(
                        "{}: {} mistakes (querylab check)",
                        file.display(),
                        problems.list.len()
                    ),
                );
                worst = Exit::Input;
            }
        }
    }
    if !out::is_json() {
        out::tell(&format!("{table}\n"))?;
    }
    Ok(worst)
}

/// The experiments of a folder, or of a project that has one for them.
pub(super) fn experiments_below(dir: &Path) -> Result<Vec<PathBuf>, Exit> {
    let nested = dir.join("experiments");
    let dir = if nested.is_dir() { nested } else { dir.to_path_buf() };
    let files = toml_files(&dir)
        .map_err(|e| out::fail(Exit::Input, format!("cannot read {}: {e}", dir.display())))?;
    if files.is_empty() {
        let dir = dir.display();
        let text = format!("{dir} has no experiments: name a folder that has some");
        return Err(out::fail(Exit::Input, text));
    }
    Ok(files)
}

fn experiment(file: &Path, spec: &Spec) -> serde_json::Value {
    let d = &spec.document;
    serde_json::json!({
        "event": "experiment", "file": out::path(file), "id": d.experiment.id, "title": d.experiment.title,
        "question": d.experiment.question, "tags": d.experiment.tags, "variants": spec.variant_order,
        "loads": d.design.loads, "profiles": spec.profiles, "claims": d.claims.len(),
        "thresholds": d.thresholds.len(),
    })
}

fn toml_files(dir: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(dir)?
        .filter_map(|entry| entry.ok().map(|e| e.path()))
        .filter(|path| path.extension().is_some_and(|e| e == "toml"))
        // A project's other TOML files are none of ours.
        .filter(|path| std::fs::read_to_string(path).is_ok_and(|text| text.contains("[experiment]")))
        .collect();
    files.sort();
    Ok(files)
}

fn runs(dir: &Path) -> Result<Exit, Exit> {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN);
    table.set_header(vec!["run", "experiment", "profile", "state", "trials", "valid", "started"]);
    for run in results::list_runs(&runs_below(dir)?) {
        if out::is_json() {
            out::object(&serde_json::json!({
                "event": "run", "dir": out::path(&run.dir), "run": run.file.run,
                "experiment": run.file.experiment, "profile": run.file.profile,
                "state": Shown::of(&run.file).name(), "reason": run.file.reason, "trials": run.trials,
                "trials_planned": run.file.trials_planned, "valid": run.valid,
                "started_at": run.file.started_at,
            }))?;
            continue;
        }
        table.add_row(vec![
            run.file.run.clone(),
            run.file.experiment.clone(),
            run.file.profile.clone(),
            state(&run.file),
            format!("{} of {}", run.trials, run.file.trials_planned),
            run.valid.to_string(),
            run.file.started_at.clone(),
        ]);
    }
    if !out::is_json() {
        out::tell(&format!("{table}\n"))?;
    }
    Ok(Exit::Done)
}

/// Where the runs of a project are, whether it is named by its own folder or by that of its experiments.
pub(super) fn runs_below(dir: &Path) -> Result<PathBuf, Exit> {
    let whole = std::fs::canonicalize(dir)
        .map_err(|e| out::fail(Exit::Input, format!("cannot read {}: {e}", dir.display())))?;
    let project = match (whole.file_name(), whole.parent()) {
        (Some(name), Some(parent)) if name == "experiments" => parent,
        _ => dir,
    };
    Ok(project.join(".querylab").join("runs"))
}

/// Whether the run's own process still runs: the same pid, start time and boot. One of another container can't be seen, and
/// may.
pub(super) fn is_alive(run: &RunFile) -> bool {
    let namespace = &run.owner_namespace;
    let is_elsewhere = namespace.is_some() && *namespace != probe::pid_namespace();
    probe::boot_id().is_ok_and(|boot| boot == run.boot_id)
        && (is_elsewhere || probe::start_ticks(run.owner_pid) == Some(run.owner_start_ticks))
}

/// A run's state, as it is and not as it was last written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shown {
    /// What `run.json` says is so.
    Written(State),
    /// It says that it is running, but its owner is gone.
    Crashed,
}

impl Shown {
    fn of(run: &RunFile) -> Self {
        if run.state == State::Running && !is_alive(run) {
            Self::Crashed
        } else {
            Self::Written(run.state)
        }
    }

    /// One word, for programs.
    fn name(self) -> &'static str {
        match self {
            Self::Written(State::Running) => "running",
            Self::Written(State::Complete) => "complete",
            Self::Written(State::Failed) => "failed",
            Self::Written(State::Interrupted) => "interrupted",
            Self::Crashed => "crashed",
        }
    }
}

fn state(run: &RunFile) -> String {
    let word = match Shown::of(run) {
        Shown::Crashed => "crashed (its process is gone)",
        written @ Shown::Written(_) => written.name(),
    };
    match &run.reason {
        Some(reason) => format!("{word}: {reason}"),
        None => word.to_owned(),
    }
}
