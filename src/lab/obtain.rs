//! Servers with a cluster: one from the cache if the data are there and as they were, else a new one.

use std::path::PathBuf;

use tokio::sync::watch;
use tokio::time::Instant;

use super::event::{Event, Interrupt, Stop, stop_of};
use super::offload::offload;
use super::reads;
use super::trial::millis;
use super::watched::interrupted;
use crate::dataset::{
    self, Cluster, Entry, Held, Ingredients, Lookup, Place, Progress, Restored, Store,
};
use crate::plan::Plan;
use crate::spec::Spec;
use crate::stack::{Furnished, Session, SessionOptions};

/// The dataset cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataCache {
    /// querylab's cache folder; the data are in a folder of it.
    pub folder: PathBuf,
    /// What all data in it may weigh.
    pub limit_bytes: u64,
    /// Data of this weight or more are used where they are, if nothing that is asked for writes; none: always copied.
    pub in_place_from_bytes: Option<u64>,
}

/// What is wanted, and how.
pub(super) struct Order<'a> {
    /// The file.
    pub spec: &'a Spec,
    /// The plan.
    pub plan: &'a Plan,
    /// How the servers are had.
    pub session: &'a SessionOptions,
    /// The cache, if it is to be used.
    pub cache: Option<&'a DataCache>,
    /// What the person at the keyboard wants.
    pub interrupt: &'a watch::Receiver<Interrupt>,
}

/// Who listens.
pub(super) type Say<'a> = &'a mut (dyn FnMut(Event) + Send);

/// Where the data of an open session come from.
pub(super) enum Source {
    /// They are to be loaded; and kept, if that can be done.
    Nowhere(Option<Box<Keeper>>),
    /// They are there.
    Entry(Box<FromEntry>),
}

impl Source {
    /// The lock of the entry that servers work on, which must outlive them.
    pub(super) fn hold(&self) -> anyhow::Result<Option<Held>> {
        match self {
            Self::Entry(from) => from.entry.hold().map(Some),
            Self::Nowhere(_) => Ok(None),
        }
    }
}

/// Data from the cache.
pub(super) struct FromEntry {
    /// Locked as long as it is needed.
    pub entry: Entry,
    /// What keeps them, should something be added to them.
    pub keeper: Keeper,
    /// Which files the servers have.
    pub place: Place,
    /// The copy's files as they were made, if there is one.
    pub restored: Option<Restored>,
    /// Time to look through them and to copy them.
    pub ms: u64,
}

/// What keeps data.
pub(super) struct Keeper {
    /// All entries.
    pub store: Store,
    /// What these data are made of.
    pub ingredients: Ingredients,
}

/// The servers, with a cluster that is new or from the cache.
pub(super) async fn open(order: &Order<'_>, say: Say<'_>) -> Result<(Session, Source), Stop> {
    let furnished = {
        let mut notice = |text: String| say(Event::Notice { text });
        tokio::select! {
            opened = Furnished::furnish(order.session.clone(), &mut notice) => {
                opened.map_err(|e| stop_of(&e))?
            }
            signal = interrupted(order.interrupt.clone()) => {
                return Err(Stop::Interrupted(signal));
            }
        }
    };
    let source = match order.cache {
        None => Ok(Source::Nowhere(None)),
        Some(cache) => look_up(order, cache, &furnished, say).await,
    };
    let source = match source {
        Ok(source) => source,
        Err(stop) => {
            // Why it ends is worth more than a second reason from clearing up.
            drop(furnished.close().await);
            return Err(stop);
        }
    };
    let opening = async {
        match &source {
            Source::Nowhere(_) => furnished.with_new_cluster().await,
            Source::Entry(from) => {
                let (data, passwords) = (from.entry.data(), from.entry.passwords());
                match from.place {
                    Place::Copy => furnished.with_this_cluster(&passwords).await,
                    Place::InPlace => furnished.with_cluster_at(&data, &passwords).await,
                }
            }
        }
    };
    let session = tokio::select! {
        session = opening => session.map_err(|e| stop_of(&e))?,
        signal = interrupted(order.interrupt.clone()) => return Err(Stop::Interrupted(signal)),
    };
    Ok((session, source))
}

/// A line for people: the cache has something, and why it is not taken.
pub(super) fn not_used(why: &str) -> String {
    format!("the cached data are not used: {why}; they are made anew")
}

/// Looks for the data in the cache, and copies them into the session's cluster, where they are not used as they lie. A
/// cache that can't be used is said and left alone: then the data are made anew.
async fn look_up(
    order: &Order<'_>,
    cache: &DataCache,
    furnished: &Furnished,
    say: Say<'_>,
) -> Result<Source, Stop> {
    let start = Instant::now();
    let keeper = match keeper(order, cache, furnished).await {
        Ok(keeper) => keeper,
        Err(e) => {
            say(Event::Notice { text: format!("the dataset cache is not used: {e:#}") });
            return Ok(Source::Nowhere(None));
        }
    };
    let (store, ingredients) = (keeper.store.clone(), keeper.ingredients.clone());
    let looked = offload(order.interrupt, move |stop| store.look_up(&ingredients, stop)).await?;
    let entry = match looked {
        Ok(Lookup::Found(entry)) => entry,
        Ok(Lookup::Absent(why)) => {
            if let Some(why) = why {
                say(Event::Notice { text: not_used(&why) });
            }
            return Ok(Source::Nowhere(Some(Box::new(keeper))));
        }
        Err(e) => {
            say(Event::Notice { text: format!("the dataset cache is not used: {e:#}") });
            return Ok(Source::Nowhere(None));
        }
    };
    let place = place(order, cache, furnished, &entry);
    let (to, ids) = (furnished.data_dir().to_path_buf(), furnished.server_ids());
    let ready = offload(order.interrupt, move |stop| {
        let restored = match place {
            Place::Copy => Some(entry.restore(&to, ids, stop)?),
            // From here on until it is sealed again, its files are not what was noted of them.
            Place::InPlace => {
                entry.mark_unclean("a run uses it, or ended while it did")?;
                None
            }
        };
        Ok((entry, restored))
    });
    // A full disk would be full again after a load.
    let (entry, restored) = ready
        .await?
        .map_err(|e| Stop::Environment(format!("the cached data can't be had: {e:#}")))?;
    let ms = millis(start);
    let (name, bytes) = (entry.key().to_owned(), entry.bytes());
    say(Event::Dataset(Progress::Restored { entry: name, bytes, place, ms }));
    Ok(Source::Entry(Box::new(FromEntry { entry: *entry, keeper, place, restored, ms })))
}

fn place(order: &Order<'_>, cache: &DataCache, furnished: &Furnished, entry: &Entry) -> Place {
    let is_large = cache.in_place_from_bytes.is_some_and(|from| entry.bytes() >= from);
    if is_large && reads::only(order.plan) && furnished.can_work_in(&entry.data()) {
        Place::InPlace
    } else {
        Place::Copy
    }
}

async fn keeper(
    order: &Order<'_>,
    cache: &DataCache,
    furnished: &Furnished,
) -> anyhow::Result<Keeper> {
    let store = Store::open(&cache.folder, cache.limit_bytes)?;
    let kind = furnished.cluster_kind()?;
    let cluster = Cluster { version: kind.version, build: kind.build, made_with: kind.made_with };
    let migrations = order.spec.dir.join(&order.plan.dataset.migrations);
    let migrations = dataset::migration_digests(&migrations).await?;
    Ok(Keeper { store, ingredients: Ingredients::of(order.plan, &cluster, migrations)? })
}
