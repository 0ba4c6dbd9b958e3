//! What a trial needs before its servers are driven: an idle machine, fresh statistics, and the declared cache state.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use tokio::time::{Instant, sleep};

use super::event::Event;
use super::idle::Patience;
use crate::plan::{CellPlan, Plan, TrialPlan, seeds};
use crate::probe;
use crate::spec::CacheState;
use crate::stack::{Role, Session};

/// More than this of the database's files in the page cache is not cold.
const COLD: f64 = 0.05;
/// Less than this of them in the page cache is not warm.
const WARM: f64 = 0.95;
/// For workers of autovacuum to come to their end.
const AUTOVACUUM: Duration = Duration::from_secs(10);
/// Most bytes that the API's environment is padded with.
const PADDING: u64 = 4096;

/// What a run remembers between its trials.
pub(super) struct Ready {
    patience: Patience,
    /// Whether it was said that the machine would not come to rest.
    told: bool,
    /// Databases whose statistics are those of this block.
    analyzed: (u32, BTreeSet<String>),
    /// Folders of databases below `base`.
    numbers: BTreeMap<String, u32>,
}

impl Ready {
    /// Nothing done yet.
    pub(super) fn new(plan: &Plan) -> Self {
        Self::with_patience(plan.estimate.time_ns)
    }

    /// The same for a run that is expected to take so long.
    pub(super) fn with_patience(estimate_ns: u64) -> Self {
        Self {
            patience: Patience::of_a_run(estimate_ns),
            told: false,
            analyzed: (0, BTreeSet::new()),
            numbers: BTreeMap::new(),
        }
    }

    /// Before any server runs: waits for an idle machine; gives a note where it did not become so.
    ///
    /// # Errors
    ///
    /// If the machine can't be read.
    pub(super) async fn machine(
        &mut self,
        events: &mut (dyn FnMut(Event) + Send),
    ) -> anyhow::Result<Option<String>> {
        let Some(busy) = self.patience.wait().await? else { return Ok(None) };
        if !self.told {
            self.told = true;
            let text =
                format!("the machine does not come to rest ({busy}); measuring all the same");
            events(Event::Notice { text });
        }
        // Without figures, so that a report can say how often it was so.
        Ok(Some("the machine was not idle before it".into()))
    }

    /// Before any server runs: brings the files of the cell's database to the declared state.
    ///
    /// # Errors
    ///
    /// If Postgres can't be started for its statistics, or a file can't be opened.
    pub(super) async fn files(
        &mut self,
        plan: &Plan,
        (trial, cell): (&TrialPlan, &CellPlan),
        session: &Session,
        notice: &mut dyn FnMut(String),
    ) -> anyhow::Result<()> {
        let state = plan.design.cache_state;
        if state == CacheState::Hot {
            return Ok(());
        }
        // Statistics are read from the tables, so they must be there before the tables leave memory.
        if self.wants_statistics(trial.block, &cell.database) {
            let postgres = session
                .start_postgres(&cell.stack.postgres, notice)
                .await
                .map_err(|e| anyhow::anyhow!("{e}"))?;
            let address = postgres.address(Role::Admin, &cell.database);
            let analyzed = self.analyze(&address).await;
            // It writes all to disk before it stops: what is dirty does not leave memory.
            let stopped = postgres.stop().await;
            analyzed?;
            stopped.map_err(|e| anyhow::anyhow!("{e}"))?;
            self.analyzed.1.insert(cell.database.clone());
        }
        let dir = self.dir(session, &cell.database).context("the database has no folder yet")?;
        blocking(move || match state {
            CacheState::Hot => Ok(()),
            CacheState::Cold => probe::drop_from_page_cache(&dir),
            CacheState::WarmOs => probe::read_into_page_cache(&dir),
        })
        .await
    }

    /// With the servers up, before the first request: statistics of this block, nothing left to write, no autovacuum.
    /// Gives a note where that could not be had.
    ///
    /// # Errors
    ///
    /// If Postgres refuses, or takes too long.
    pub(super) async fn database(
        &mut self,
        block: u32,
        database: &str,
        session: &mut probe::Session,
    ) -> anyhow::Result<Option<String>> {
        if self.wants_statistics(block, database) {
            session.analyze().await?;
            self.analyzed.1.insert(database.to_owned());
            self.numbers.insert(database.to_owned(), session.database_number().await?);
        }
        let began = Instant::now();
        let mut note = None;
        while session.housekeeping().await?.workers > 0 {
            if began.elapsed() > AUTOVACUUM {
                note = Some("autovacuum was at work before it".to_owned());
                break;
            }
            sleep(Duration::from_millis(200)).await;
        }
        session.checkpoint().await?;
        Ok(note)
    }

    /// With the servers up, before the first request of a hot trial: reads the files of the database once, where they fit into
    /// half of the memory that is free. What the last trial has left there depends on its variant, and on what the system
    /// took back meanwhile; a scan leaves all of it, a lookup some pages.
    ///
    /// # Errors
    ///
    /// If a file can't be read.
    pub(super) async fn warm(
        &self,
        state: CacheState,
        session: &Session,
        database: &str,
    ) -> anyhow::Result<()> {
        let Some(dir) = self.dir(session, database) else { return Ok(()) };
        if state != CacheState::Hot {
            return Ok(());
        }
        blocking(move || {
            let size = probe::bytes_of_files(&dir)?;
            let fits = probe::available_bytes().is_some_and(|free| size < free / 2);
            if fits { probe::read_into_page_cache(&dir) } else { Ok(()) }
        })
        .await
    }

    /// How much of the database's files is in the page cache, where that can be told; and what is wrong with it.
    ///
    /// # Errors
    ///
    /// If a file can't be opened.
    pub(super) async fn reached(
        &self,
        state: CacheState,
        session: &Session,
        database: &str,
    ) -> anyhow::Result<(Option<f64>, Reached)> {
        let Some(dir) = self.dir(session, database) else { return Ok((None, Reached::Yes)) };
        let share = blocking(move || probe::page_cache_share(&dir)).await?;
        Ok((share, reached(state, share)))
    }

    fn dir(&self, session: &Session, database: &str) -> Option<PathBuf> {
        let number = self.numbers.get(database)?;
        Some(session.data_dir().join("base").join(number.to_string()))
    }

    fn wants_statistics(&mut self, block: u32, database: &str) -> bool {
        if self.analyzed.0 != block {
            self.analyzed = (block, BTreeSet::new());
        }
        !self.analyzed.1.contains(database)
    }

    async fn analyze(&mut self, address: &crate::plan::PostgresAddress) -> anyhow::Result<()> {
        let mut session = probe::connect(address).await?;
        session.analyze().await?;
        self.numbers.insert(address.database.clone(), session.database_number().await?);
        session.close().await
    }
}

/// Whether the declared state was reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reached {
    /// It was, as far as can be told.
    Yes,
    /// Not quite; the trial counts, and this is said of it.
    Hardly(String),
    /// It was not: the figures would be those of another state.
    No(String),
}

fn reached(state: CacheState, share: Option<f64>) -> Reached {
    let percent = share.map_or(String::new(), |share| format!("{:.1} %", share * 100.0));
    match (state, share) {
        (CacheState::Hot, _) => Reached::Yes,
        (_, None) => Reached::Hardly(
            "how much of the database was in the page cache can't be told on this file system"
                .into(),
        ),
        (CacheState::Cold, Some(share)) if share > COLD => Reached::No(format!(
            "the database's files did not leave the page cache: {percent} of their pages are in it, at most 5 % may for `cache_state = \"cold\"` (a folder in memory can't be cold: name one on a disk with QUERYLAB_SCRATCH_DIR)"
        )),
        (CacheState::WarmOs, Some(share)) if share < WARM => {
            Reached::Hardly("less than 95 % of the database's pages were in the page cache".into())
        }
        _ => Reached::Yes,
    }
}

/// Bytes that pad the environment of a trial's API, 0 to 4096: where its stack begins must not favour a variant.
pub(super) fn padding(plan: &Plan, trial: &TrialPlan) -> usize {
    let stream = format!("layout/{}/{}", trial.block, trial.order);
    usize::try_from(seeds::derive(plan.seed, &stream) % (PADDING + 1)).unwrap_or(0)
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> anyhow::Result<T> + Send + 'static,
) -> anyhow::Result<T> {
    tokio::task::spawn_blocking(work).await.context("a look at the files was broken off")?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_reached_by_the_share_of_pages_in_memory() {
        use CacheState::{Cold, Hot, WarmOs};
        assert_eq!(reached(Hot, None), Reached::Yes);
        assert_eq!(reached(Cold, Some(0.05)), Reached::Yes);
        assert!(matches!(reached(Cold, Some(0.06)), Reached::No(text) if text.contains("6.0 %")));
        assert_eq!(reached(WarmOs, Some(0.95)), Reached::Yes);
        assert!(matches!(reached(WarmOs, Some(0.5)), Reached::Hardly(_)));
        assert!(matches!(reached(Cold, None), Reached::Hardly(_)));
    }
}
