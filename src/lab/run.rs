//! A whole run: lock, servers, data, blocks of trials, and an archive that is true at every moment.

use std::path::{Path, PathBuf};

use tokio::sync::watch;
use tokio::time::Instant;

use super::blocks::{self, Course};
use super::event::{Event, Interrupt, Stop, stop_of};
use super::manifest::{self, Gathered};
use super::obtain::{DataCache, Order};
use super::record::Recorder;
use super::watched::interrupted;
use super::{clock, data, preflight};
use crate::plan::Plan;
use crate::results::{Manifest, Run, State};
use crate::spec::Spec;
use crate::stack::{MeasuringLock, SessionOptions, SharedMemory, Wait};

/// How to run.
#[derive(Debug, Clone)]
pub struct Options {
    /// How the servers are had; the run's id is filled in here.
    pub session: SessionOptions,
    /// Wait for another measurement, or refuse.
    pub wait: Wait,
    /// Where data are kept from run to run; none: they are always made anew.
    pub cache: Option<DataCache>,
    /// Where runs live.
    pub runs_root: PathBuf,
    /// Where results are published.
    pub results_root: PathBuf,
    /// The command, as typed.
    pub command: Vec<String>,
}

/// How a run ended. What was measured is in the run's folder in any case.
#[derive(Debug)]
pub struct Ended {
    /// The run's folder, if it came so far.
    pub dir: Option<PathBuf>,
    /// Its manifest, if it came so far.
    pub manifest: Option<Manifest>,
    /// Why it ended early or in the red; none if all was well.
    pub stop: Option<Stop>,
}

/// Runs a plan from the lock to the last trial.
pub async fn run(
    spec: &Spec,
    plan: &Plan,
    options: &Options,
    interrupt: watch::Receiver<Interrupt>,
    events: &mut (dyn FnMut(Event) + Send),
) -> Ended {
    if let Err(stop) = look_around(plan, options) {
        return early(stop);
    }
    let lock = {
        let mut notice = |text: String| events(Event::Notice { text });
        tokio::select! {
            lock = MeasuringLock::acquire(&plan.experiment.id, options.wait, &mut notice) => lock,
            signal = interrupted(interrupt.clone()) => return early(Stop::Interrupted(signal)),
        }
    };
    match lock {
        Ok(lock) => under(lock, (spec, plan), options, interrupt, events).await,
        Err(e) => early(stop_of(&e)),
    }
}

/// A run that did not come to have a folder.
fn early(stop: Stop) -> Ended {
    Ended { dir: None, manifest: None, stop: Some(stop) }
}

/// The same for who has the measuring lock already, and has looked around.
pub(super) async fn under(
    lock: MeasuringLock,
    (spec, plan): (&Spec, &Plan),
    options: &Options,
    interrupt: watch::Receiver<Interrupt>,
    events: &mut (dyn FnMut(Event) + Send),
) -> Ended {
    let started = clock::utc_now();
    let mut archive = match open_archive(spec, plan, options, started) {
        Ok(archive) => archive,
        Err(e) => return early(Stop::Environment(format!("{e:#}"))),
    };
    events(Event::RunStarted {
        run: archive.file().run.clone(),
        dir: archive.dir().display().to_string(),
        trials: u32::try_from(plan.trials.len()).unwrap_or(u32::MAX),
        estimate_ns: plan.estimate.time_ns,
    });
    let mut gathered = Gathered {
        revision: manifest::git_revision(
            &std::fs::canonicalize(&spec.dir).unwrap_or_else(|_| spec.dir.clone()),
        ),
        host: crate::probe::host(),
        seeds: [
            ("root".to_owned(), plan.seed),
            ("data".to_owned(), plan.dataset.data_seed),
            ("order".to_owned(), crate::plan::seeds::derive(plan.seed, "order")),
        ]
        .into(),
        ..Gathered::default()
    };
    let stop = {
        let mut recorder = Recorder { archive: &mut archive, events };
        conduct(spec, plan, options, &interrupt, &mut recorder, &mut gathered).await
    };
    drop(lock);
    let (state, reason) = match &stop {
        None => (State::Complete, None),
        Some(Stop::Interrupted(_)) => (State::Interrupted, stop.as_ref().map(ToString::to_string)),
        Some(stop) => (State::Failed, Some(stop.to_string())),
    };
    let finished = archive.finish(state, reason);
    let manifest = manifest::manifest(archive.file(), &gathered, started, &options.command);
    let stop = stop.or_else(|| finished.err().map(|e| Stop::Environment(format!("{e:#}"))));
    Ended { dir: Some(archive.dir().to_path_buf()), manifest: Some(manifest), stop }
}

/// Whether there is a place for all of it.
pub(super) fn look_around(plan: &Plan, options: &Options) -> Result<(), Stop> {
    let uid = rustix::process::geteuid().as_raw();
    let scratch = options.session.surroundings.scratch(uid).map_err(|e| stop_of(&e))?;
    let memory: Vec<SharedMemory> =
        plan.cells.iter().map(|cell| SharedMemory::of(&cell.stack.postgres)).collect();
    preflight::check(&options.results_root, &scratch, &plan.estimate, &memory)
}

fn open_archive(
    spec: &Spec,
    plan: &Plan,
    options: &Options,
    started: chrono::DateTime<chrono::Utc>,
) -> anyhow::Result<Run> {
    let trials = u32::try_from(plan.trials.len())?;
    let file = manifest::run_file(plan, started, &options.session.run_id, trials)?;
    Run::create(&options.runs_root, file, plan, &spec.merged_toml)
}

async fn conduct(
    spec: &Spec,
    plan: &Plan,
    options: &Options,
    interrupt: &watch::Receiver<Interrupt>,
    recorder: &mut Recorder<'_>,
    gathered: &mut Gathered,
) -> Option<Stop> {
    let start = Instant::now();
    let order =
        Order { spec, plan, session: &options.session, cache: options.cache.as_ref(), interrupt };
    let had = data::have(&order, &mut |event| recorder.say(event)).await;
    let Some(session) = had.session else { return had.data.err() };
    gathered.versions = session.versions();
    let data = had.data.and_then(|record| {
        let saved = recorder.archive.save_dataset(&record);
        saved.map(|()| record).map_err(|e| Stop::Environment(format!("{e:#}")))
    });
    let stop = match data {
        Ok(record) => {
            gathered.dataset = record;
            let course = Course { plan, session: &session, interrupt, start };
            Box::pin(blocks::run(&course, recorder, gathered)).await
        }
        Err(stop) => Some(stop),
    };
    let (in_use, left) = match had.in_use {
        // Whoever interrupts wants to be gone. The entry is let go when its servers are gone, too.
        left if matches!(stop, Some(Stop::Interrupted(_))) => (None, left),
        None => (None, None),
        Some(in_use) => {
            let mut say = |event| recorder.say(event);
            (data::ask_for_writes(plan, &session, in_use, &mut say).await, None)
        }
    };
    keep_logs(session.logs_dir(), &recorder.archive.dir().join("logs"));
    let closed = session.close().await;
    drop((left, had.held));
    if let (Some(in_use), Ok(())) = (in_use, &closed) {
        data::seal(&order, in_use, &mut |event| recorder.say(event)).await;
    }
    stop.or_else(|| closed.err().map(|e| stop_of(&e)))
}

/// What the servers said is kept with the run; the measurement does not depend on it.
fn keep_logs(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).into_iter().flatten().flatten() {
        if let Err(e) = std::fs::copy(entry.path(), to.join(entry.file_name())) {
            tracing::warn!("cannot keep the log {}: {e}", entry.path().display());
        }
    }
}
