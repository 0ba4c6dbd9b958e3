//! The data of a run: taken from the cache or made anew, completed, and kept for the next run.

use tokio::time::Instant;

use super::event::{Event, Stop, stop_of};
use super::obtain::{self, FromEntry, Keeper, Order, Say, Source, not_used};
use super::offload::offload;
use super::record;
use super::trial::millis;
use super::watched::interrupted;
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
    fn nothing(session: Option<Session>, stop: Stop) -> Self {
        Self { session, data: Err(stop), in_use: None, held: None }
    }
}

/// An entry of the cache that servers work on.
pub(super) struct InUse {
    entry: Entry,
    kept: Kept,
    before: Writes,
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

/// Opens a session and brings its data to what the plan wants.
pub(super) async fn have(order: &Order<'_>, say: Say<'_>) -> Had {
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

/// Starts Postgres as for loading: with the settings of the first cell.
async fn start(
    plan: &Plan,
    session: &Session,
    say: Say<'_>,
) -> Result<Result<Postgres, StackError>, Stop> {
    let first = plan.cells.first();
    let loading: &ServerPlan =
        &first.ok_or_else(|| Stop::Provisioning("no cell to run".into()))?.stack.postgres;
    let mut notice = |text: String| say(Event::Notice { text });
    Ok(session.start_postgres(loading, &mut notice).await)
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
    let record = record::dataset(plan, made, DataOrigin::Built);
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
        Err(NotReused::Failed(e)) => return Err(Stop::Provisioning(format!("{e:#}")).into()),
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
    let record = record::dataset(plan, dataset, origin);
    Ok(if let Some(before) = before {
        Prepared { record, keep: None, in_use: Some(InUse { entry, kept, before }) }
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
pub(super) async fn ask_for_writes(
    plan: &Plan,
    session: &Session,
    in_use: InUse,
    say: Say<'_>,
) -> Option<InUse> {
    let Ok(Ok(postgres)) = start(plan, session, say).await else { return None };
    let after = dataset::writes(&addresses(&postgres), plan).await;
    let stopped = postgres.stop().await;
    match (after, stopped) {
        (Ok(after), Ok(())) if after == in_use.before => Some(in_use),
        (Ok(_), Ok(())) => {
            let text = "something was written to the cached data: they are not used again".into();
            say(Event::Notice { text });
            None
        }
        _ => None,
    }
}

/// After the session was closed: the entry's files are noted as they are now, and the next run may use them.
pub(super) async fn seal(order: &Order<'_>, in_use: InUse, say: Say<'_>) {
    let InUse { entry, kept, .. } = in_use;
    let sealed = offload(order.interrupt, move |stop| entry.seal(kept, stop)).await;
    if let Ok(Err(e)) = sealed {
        let text = format!("the cached data are looked through before they are used again: {e:#}");
        say(Event::Notice { text });
    }
}
