//! The data of a run: taken from the cache or made anew, completed, and kept for the next run.

use std::collections::BTreeMap;

use tokio::sync::watch;
use tokio::time::Instant;

use super::event::{Event, Interrupt, Stop, stop_of};
use super::obtain::{self, FromEntry, Keeper, Order, Say, Source, not_used};
use super::offload::offload;
use super::trial::millis;
use super::watched::interrupted;
use super::{others, record};
use crate::dataset::{
    self, Addresses, Entry, Held, Keeping, Kept, NotReused, Place, Progress, Restored, Reused,
    Writes,
};
use crate::plan::{Plan, ServerPlan};
use crate::results::{DataOrigin, DataPlace, DatasetRecord};
use crate::stack::{Postgres, Role, Session, StackError};

/// What was had. A session is to be closed, whatever became of the data.
pub(super) struct Had {
    /// The servers, if it came so far.
    pub session: Option<Session>,
    /// The data in their cluster, Postgres stopped.
    pub data: Result<DatasetRecord, Stop>,
    /// The entry that the servers work on, if they do.
    pub in_use: Option<InUse>,
    /// Its lock, where there are no data: to be let go when the session is closed, and its servers are gone.
    pub held: Option<Held>,
}

impl Had {
    pub(super) fn nothing(session: Option<Session>, stop: Stop) -> Self {
        Self { session, data: Err(stop), in_use: None, held: None }
    }
}

/// An entry of the cache that servers work on.
pub(super) struct InUse {
    entry: Entry,
    kept: Kept,
    /// What had been written before the first trial; none where no trial could have written.
    before: Option<Writes>,
}

/// What is to be kept, if anything is.
struct ToKeep {
    keeper: Keeper,
    kept: Kept,
    /// The entry that the cluster is a copy of, and the copy as it was; none: everything is new.
    added_to: Option<(Entry, Restored)>,
}

/// What became of the data.
struct Prepared {
    record: DatasetRecord,
    keep: Option<ToKeep>,
    in_use: Option<InUse>,
}

/// Why there are no data.
enum Trouble {
    /// The run can't go on.
    Stop(Stop),
    /// The same, but the entry that its servers worked on is as good as before.
    Spared(Stop, Box<InUse>),
    /// What the cache had was wrong, and is removed.
    Wrong(String),
}

impl From<Stop> for Trouble {
    fn from(stop: Stop) -> Self {
        Self::Stop(stop)
    }
}

impl From<StackError> for Trouble {
    fn from(error: StackError) -> Self {
        Self::Stop(stop_of(&error))
    }
}

/// Opens a session and brings its data to what the plan wants, and files that Nginx serves beside them.
pub(super) async fn have(order: &Order<'_>, say: Say<'_>) -> Had {
    let mut had = have_data(order, say).await;
    let (Some(session), Ok(_)) = (&had.session, &had.data) else { return had };
    for files in order.plan.cells.iter().filter_map(|cell| cell.stack.static_files.as_ref()) {
        if let Err(e) = session.place_static(&order.spec.dir, files).await {
            had.data = Err(stop_of(&e));
            break;
        }
    }
    had
}

async fn have_data(order: &Order<'_>, say: Say<'_>) -> Had {
    if order.plan.url_from().is_some() {
        return Box::pin(others::have(order, say)).await;
    }
    // An entry that is wrong is removed, so that the second time there is none.
    for _ in 0..2 {
        let (session, source) = match Box::pin(obtain::open(order, say)).await {
            Ok(opened) => opened,
            Err(stop) => return Had::nothing(None, stop),
        };
        say(Event::Provisioned { versions: session.versions().into_iter().collect() });
        let held = match source.hold() {
            Ok(held) => held,
            Err(e) => return Had::nothing(Some(session), environment(&e)),
        };
        let prepared = tokio::select! {
            prepared = Box::pin(prepare(order, &session, source, say)) => prepared,
            signal = interrupted(order.interrupt.clone()) => {
                Err(Trouble::Stop(Stop::Interrupted(signal)))
            }
        };
        let Prepared { record, keep, in_use } = match prepared {
            Ok(prepared) => prepared,
            Err(Trouble::Stop(stop)) => {
                return Had { held, ..Had::nothing(Some(session), stop) };
            }
            Err(Trouble::Spared(stop, in_use)) => {
                let in_use = Some(*in_use);
                return Had { in_use, held, ..Had::nothing(Some(session), stop) };
            }
            Err(Trouble::Wrong(why)) => {
                say(Event::Notice { text: not_used(&why) });
                match session.close().await {
                    Ok(()) => continue,
                    Err(e) => return Had::nothing(None, stop_of(&e)),
                }
            }
        };
        if let Err(stop) = keep_it(order, &session, keep, say).await {
            return Had::nothing(Some(session), stop);
        }
        say(Event::DatasetReady { ms: record.prepare_ms });
        return Had { session: Some(session), data: Ok(record), in_use, held: None };
    }
    let text = "the cached data were wrong twice: `--fresh` makes them anew".to_owned();
    Had::nothing(None, Stop::Environment(text))
}

/// Starts Postgres, makes or completes the data, stops it.
async fn prepare(
    order: &Order<'_>,
    session: &Session,
    source: Source,
    say: Say<'_>,
) -> Result<Prepared, Trouble> {
    let started = start(order.plan, session, say).await?;
    match (started, source) {
        (Ok(postgres), Source::Nowhere(keeper)) => make(order, postgres, keeper, say).await,
        (Ok(postgres), Source::Entry(from)) => complete(order, postgres, *from, say).await,
        (Err(e), Source::Nowhere(_)) => Err(e.into()),
        (Err(e), Source::Entry(from)) => {
            // Settings may be the reason as well as data: these are looked at before they are used again.
            let why = format!("Postgres did not start on it: {e}");
            from.entry.mark_unclean(&why).map_err(|e| environment(&e))?;
            let hint = "its data came from the cache (`--fresh` makes them anew)";
            Err(Stop::Provisioning(format!("{e}\n  {hint}")).into())
        }
    }
}

/// Settings that hold while data are made, and never while anything is measured: each trial starts a server with those of its
/// own cell. Rows of a table that is new, and indexes, are on disk when their transaction ends and need no log beside them
/// (the manual of Postgres, "Populating a Database", `wal_level`).
const LOADING: [(&str, &str); 2] = [("wal_level", "minimal"), ("max_wal_senders", "0")];

/// What a write costs is measured as soon as the data are there, and under the settings in force.
fn while_loading(plan: &Plan) -> &'static [(&'static str, &'static str)] {
    if plan.design.index_costs.is_none() { &LOADING } else { &[] }
}

/// The same, for the record of the data.
fn only_while_loading(plan: &Plan) -> BTreeMap<String, String> {
    while_loading(plan).iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()
}

/// Starts Postgres as for loading: with the settings of the first cell, and those that hold only here over them.
async fn start(
    plan: &Plan,
    session: &Session,
    say: Say<'_>,
) -> Result<Result<Postgres, StackError>, Stop> {
    let first = plan.cells.first();
    let mut loading: ServerPlan =
        first.ok_or_else(|| Stop::Provisioning("no cell to run".into()))?.stack.postgres.clone();
    loading.settings.extend(only_while_loading(plan));
    let mut notice = |text: String| say(Event::Notice { text });
    Ok(session.start_postgres(&loading, &mut notice).await)
}

fn addresses(postgres: &Postgres) -> Addresses {
    Addresses {
        admin: postgres.address(Role::Admin, "postgres"),
        app: postgres.address(Role::App, "postgres"),
    }
}

/// Loads the data.
async fn make(
    order: &Order<'_>,
    postgres: Postgres,
    keeper: Option<Box<Keeper>>,
    say: Say<'_>,
) -> Result<Prepared, Trouble> {
    let plan = order.plan;
    let migrations = order.spec.dir.join(&plan.dataset.migrations);
    let made = dataset::prepare(&addresses(&postgres), &migrations, plan, &mut |step| {
        say(Event::Dataset(step));
    })
    .await;
    let stopped = postgres.stop().await;
    let made = made.map_err(|e| Stop::Provisioning(format!("{e:#}")))?;
    stopped?;
    let keep = keeper.map(|keeper| {
        let kept = made.kept(plan);
        ToKeep { keeper: *keeper, kept, added_to: None }
    });
    // The key was made of what the files were; what was run is what they were a little later.
    let is_same = keep.as_ref().is_none_or(|k| k.keeper.ingredients.migrations == made.migrations);
    if !is_same {
        let text = "the migrations were changed meanwhile: the data are not kept".into();
        say(Event::Notice { text });
    }
    let mut record = record::dataset(plan, made, DataOrigin::Built);
    record.only_while_loading = only_while_loading(plan);
    Ok(Prepared { record, keep: keep.filter(|_| is_same), in_use: None })
}

/// Verifies cached data, and builds what they lack.
async fn complete(
    order: &Order<'_>,
    postgres: Postgres,
    from: FromEntry,
    say: Say<'_>,
) -> Result<Prepared, Trouble> {
    let plan = order.plan;
    let addresses = addresses(&postgres);
    let FromEntry { entry, keeper, place, restored, ms } = from;
    let reused = dataset::reuse(&addresses, plan, entry.kept(), &mut |step| {
        say(Event::Dataset(step));
    })
    .await;
    let before = match (place, &reused) {
        (Place::InPlace, Ok(_)) => Some(dataset::writes(&addresses, plan).await),
        _ => None,
    };
    let stopped = postgres.stop().await;
    let Reused { mut dataset, kept, built_sets } = match reused {
        Ok(reused) => reused,
        Err(NotReused::Wrong(why)) => {
            keeper.store.discard(entry, &why).map_err(|e| environment(&e))?;
            return Err(Trouble::Wrong(why));
        }
        Err(NotReused::Failed { error, kept }) => {
            let stop = Stop::Provisioning(format!("{error:#}"));
            let spared = kept.filter(|_| place == Place::InPlace && stopped.is_ok());
            return Err(match spared {
                Some(kept) => {
                    Trouble::Spared(stop, Box::new(InUse { entry, kept: *kept, before: None }))
                }
                None => stop.into(),
            });
        }
    };
    stopped?;
    let before = before.transpose().map_err(|e| Stop::Provisioning(format!("{e:#}")))?;
    let origin = DataOrigin::Reused {
        entry: entry.key().to_owned(),
        place: match place {
            Place::Copy => DataPlace::Copy,
            Place::InPlace => DataPlace::InPlace,
        },
        built_sets: u32::try_from(built_sets).unwrap_or(u32::MAX),
        built_ms: entry.kept().prepare_ms,
    };
    dataset.prepare_ms = dataset.prepare_ms.saturating_add(ms);
    let mut record = record::dataset(plan, dataset, origin);
    // Indexes that were missing are built as those that were made with the rows: their times stand side by side.
    record.only_while_loading = only_while_loading(plan);
    Ok(if let Some(before) = before {
        Prepared { record, keep: None, in_use: Some(InUse { entry, kept, before: Some(before) }) }
    } else {
        let added_to = restored.map(|restored| (entry, restored));
        let keep = (built_sets > 0).then_some(ToKeep { keeper, kept, added_to });
        Prepared { record, keep, in_use: None }
    })
}

fn environment(error: &anyhow::Error) -> Stop {
    Stop::Environment(format!("the dataset cache: {error:#}"))
}

/// Puts the stopped cluster into the cache. That it could not be is said, and changes nothing of the run.
async fn keep_it(
    order: &Order<'_>,
    session: &Session,
    keep: Option<ToKeep>,
    say: Say<'_>,
) -> Result<(), Stop> {
    let Some(ToKeep { keeper, kept, added_to }) = keep else { return Ok(()) };
    let start = Instant::now();
    let passwords = session.write_passwords().map_err(|e| stop_of(&e))?;
    let (data, ids) = (session.data_dir().to_path_buf(), session.server_ids());
    let entry = keeper.ingredients.key();
    let done = offload(order.interrupt, move |stop| {
        dataset::trim_log(&data)?;
        let Keeper { store, ingredients } = keeper;
        match added_to {
            Some((entry, restored)) => store.add((entry, kept), (&data, ids), &restored, stop),
            None => store.keep((&ingredients, kept), (&data, ids), &passwords, stop),
        }
    });
    let why_not = match done.await? {
        Ok(Keeping::Kept(gone)) => {
            for old in gone {
                let old = old.get(..12).unwrap_or(&old);
                let text = format!("the dataset cache is full: removed {old}, unused the longest");
                say(Event::Notice { text });
            }
            say(Event::Dataset(Progress::Kept { entry, ms: millis(start) }));
            return Ok(());
        }
        Ok(Keeping::NotKept(why)) => why,
        Err(e) => format!("{e:#}"),
    };
    say(Event::Notice { text: format!("the data are not kept for the next run: {why_not}") });
    Ok(())
}

/// After the last trial, before the session is closed: whether nothing was written to the entry that its servers worked
/// on. One that can't be asked stays unclean, and its content decides when it is wanted again.
pub(super) async fn is_unwritten(
    plan: &Plan,
    session: &Session,
    in_use: &InUse,
    say: Say<'_>,
) -> bool {
    let Some(before) = &in_use.before else { return true };
    let Ok(Ok(postgres)) = start(plan, session, say).await else { return false };
    let after = dataset::writes(&addresses(&postgres), plan).await;
    let stopped = postgres.stop().await;
    match (after, stopped) {
        (Ok(after), Ok(())) if after == *before => true,
        (Ok(_), Ok(())) => {
            let text = "something was written to the cached data, or a server crashed on them: \
                        they are not used again"
                .to_owned();
            say(Event::Notice { text });
            false
        }
        _ => false,
    }
}

/// After the session was closed: the entry's files are noted as they are now, and the next run may use them.
pub(super) async fn seal(in_use: InUse, say: Say<'_>) {
    let InUse { entry, kept, .. } = in_use;
    // Only what was changed is read: somebody who interrupts waits for less than a look through all of it would take later.
    let (_nobody, interrupt) = watch::channel(Interrupt::None);
    let sealed = offload(&interrupt, move |stop| entry.seal(kept, stop)).await;
    if let Ok(Err(e)) = sealed {
        let text = format!("the cached data are looked through before they are used again: {e:#}");
        say(Event::Notice { text });
    }
}
