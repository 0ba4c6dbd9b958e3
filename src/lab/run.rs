//! A whole run: lock, servers, data, blocks of trials, and an archive that is true at every moment.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use super::blocks::{self, Course};
use super::data::InUse;
use super::event::{Event, Interrupt, Stop, stop_of};
use super::obtain::{DataCache, Order};
use super::record::Recorder;
use super::resume::{self, Taken};
use super::versions::{self, Part, Sessions};
use super::watched::interrupted;
use super::{clock, data, manifest, preflight};
use crate::dataset::Held;
use crate::plan::{Partition, Plan};
use crate::results::{DatasetRecord, Gathered, Manifest, Run, State, TrialRecord, load_before};
use crate::spec::Spec;
use crate::stack::{MeasuringLock, Session, SessionOptions, SharedMemory, Wait};

/// For Postgres to start once more and to say what was written.
const ASKING: Duration = Duration::from_secs(30);

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
    /// The folder of an interrupted run of this plan, to go on with.
    pub resume: Option<PathBuf>,
    /// Only these blocks.
    pub partition: Option<Partition>,
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
    let taken = match &options.resume {
        Some(dir) => resume::take_over(dir),
        None => open_archive(spec, plan, options),
    };
    let Taken { mut archive, started, before, kept } = match taken {
        Ok(taken) => taken,
        Err(e) => return early(Stop::Environment(format!("{e:#}"))),
    };
    events(Event::RunStarted {
        run: archive.file().run.clone(),
        dir: archive.dir().display().to_string(),
        trials: archive.file().trials_planned,
        estimate_ns: plan.estimate.time_ns,
    });
    let mut gathered = before.clone().unwrap_or_else(|| Gathered {
        querylab: env!("CARGO_PKG_VERSION").to_owned(),
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
    });
    let stop = {
        let mut recorder = Recorder { archive: &mut archive, events };
        // What was before an interrupted run says nothing of this hour.
        let load = load_before(&gathered.host).filter(|_| before.is_none());
        if let Some(load) = load {
            let text = format!("the machine is not at rest: {load}");
            recorder.say(Event::Notice { text });
        }
        let conducted = Conducted { spec, plan, options, before: before.as_ref(), kept: &kept };
        match recorder.archive.save_gathered(&gathered) {
            Ok(()) => conduct(&conducted, &interrupt, &mut recorder, &mut gathered).await,
            Err(e) => Some(Stop::Environment(format!("{e:#}"))),
        }
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
    let servers = plan.cells.iter().map(|cell| &cell.stack.postgres);
    let ours = servers.filter(|postgres| postgres.url_from.is_none());
    let memory: Vec<SharedMemory> = ours.map(SharedMemory::of).collect();
    preflight::check(&options.results_root, &scratch, &plan.estimate, &memory)
}

fn open_archive(spec: &Spec, plan: &Plan, options: &Options) -> anyhow::Result<Taken> {
    let started = clock::utc_now();
    let file = manifest::run_file(plan, started, &options.session.run_id, options.partition)?;
    let archive = Run::create(&options.runs_root, file, plan, &spec.merged_toml)?;
    Ok(Taken { archive, started, before: None, kept: Vec::new() })
}

/// What is done, and what of it was done before.
struct Conducted<'a> {
    spec: &'a Spec,
    plan: &'a Plan,
    options: &'a Options,
    before: Option<&'a Gathered>,
    kept: &'a [TrialRecord],
}

async fn conduct(
    conducted: &Conducted<'_>,
    interrupt: &watch::Receiver<Interrupt>,
    recorder: &mut Recorder<'_>,
    gathered: &mut Gathered,
) -> Option<Stop> {
    let start = Instant::now();
    let Conducted { spec, plan, options, before, kept } = *conducted;
    let cache = options.cache.as_ref();
    let parts = versions::parts(plan, &options.session);
    let (mut sessions, mut uses) = (Sessions::default(), Vec::new());
    let (mut record, mut stop) = (None, None);
    for part in &parts {
        let (plan, session) = (&part.plan, &part.session);
        let order = Order { spec, plan, session, cache, interrupt };
        if parts.len() > 1 {
            recorder.say(Event::Notice { text: part.title() });
        }
        let had = Box::pin(data::have(&order, &mut |event| recorder.say(event))).await;
        if let Some(session) = had.session {
            sessions.add(part.major, session);
            uses.push((part, had.in_use, had.held));
        }
        let checked = had.data.and_then(|more| {
            sessions.are_different()?;
            versions::together(record.take(), more)
        });
        match checked {
            Ok(all) => record = Some(all),
            Err(why) => {
                stop = Some(why);
                break;
            }
        }
    }
    if let (Some(record), None) = (record, &stop) {
        stop = match keep_data((record, &sessions), before, recorder, gathered) {
            Ok(()) => {
                let (sessions, partition) = (&sessions, options.partition);
                let course = Course { plan, sessions, interrupt, start, kept, partition };
                Box::pin(blocks::run(&course, recorder, gathered)).await
            }
            Err(why) => Some(Stop::Environment(why)),
        };
    }
    for (session, (part, in_use, held)) in sessions.into_each().zip(uses) {
        let closed = Box::pin(end(part, session, (in_use, held), recorder)).await;
        stop = stop.or(closed.err());
    }
    stop
}

/// Ends a session; an entry of the cache that it worked on, and wrote nothing to, may be used again.
async fn end(
    part: &Part,
    session: Session,
    (in_use, held): (Option<InUse>, Option<Held>),
    recorder: &mut Recorder<'_>,
) -> Result<(), Stop> {
    let is_unwritten = match &in_use {
        Some(in_use) => {
            let mut say = |event| recorder.say(event);
            let asked = data::is_unwritten(&part.plan, &session, in_use, &mut say);
            // Also for somebody who has interrupted: it takes a second or two, and spares the next run the load.
            timeout(ASKING, asked).await.unwrap_or(false)
        }
        None => false,
    };
    let prefix = part.major.map_or(String::new(), |major| format!("{major}-"));
    keep_logs(&session, &recorder.archive.dir().join("logs"), &prefix);
    let closed = session.close().await;
    // The entry is let go only now, when its servers are gone.
    drop(held);
    if let (Some(in_use), true, Ok(())) = (in_use, is_unwritten, &closed) {
        data::seal(in_use, &mut |event| recorder.say(event)).await;
    }
    closed.map_err(|e| stop_of(&e))
}

/// Keeps what the data cost, unless a run that is gone on with had other data or servers.
fn keep_data(
    (record, sessions): (DatasetRecord, &Sessions),
    before: Option<&Gathered>,
    recorder: &mut Recorder<'_>,
    gathered: &mut Gathered,
) -> Result<(), String> {
    let (versions, builds) = (sessions.versions(), sessions.compiled_with());
    if let Some(before) = before {
        let (versions, builds) = (versions.clone(), builds.clone());
        let now = Gathered { versions, builds, ..Gathered::default() };
        resume::same_servers(before, &now)?;
        resume::same_rows(&before.dataset, &record)?;
    }
    // A run that ends before this has measured with no servers, or with those that are noted already.
    gathered.versions = versions;
    let said = versions::how_compiled(&builds);
    let said = said.filter(|said| !gathered.notes.contains(said));
    gathered.notes.extend(said);
    gathered.builds = builds;
    gathered.dataset = record;
    let saved = recorder.archive.save_dataset(&gathered.dataset);
    saved.and_then(|()| recorder.archive.save_gathered(gathered)).map_err(|e| format!("{e:#}"))
}

/// What the servers said is kept with the run; the measurement does not depend on it.
fn keep_logs(session: &Session, to: &Path, prefix: &str) {
    let named = |name: &str| to.join(format!("{prefix}{name}"));
    let entries = std::fs::read_dir(session.logs_dir()).into_iter().flatten().flatten();
    let said = entries.map(|entry| (entry.path(), named(&entry.file_name().to_string_lossy())));
    let logged = session.access_logs().into_iter().map(|(log, name)| (log, named(&name)));
    for (log, kept) in said.chain(logged) {
        // Of a run that was gone on with, both halves.
        if kept.exists() {
            let mut before = kept.clone().into_os_string();
            before.push(".before");
            std::fs::rename(&kept, before).ok();
        }
        if let Err(e) = std::fs::copy(&log, kept) {
            tracing::warn!("cannot keep the log {}: {e}", log.display());
        }
    }
}
