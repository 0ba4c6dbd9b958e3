//! A write, and the entries of other endpoints that it makes wrong: they go, or become what it answered.
//!
//! That a request gets no answer does not say that nothing was written. Only what Postgres itself refused has no effect;
//! whatever else becomes of the request (an answer that cannot be given, a deadline, a client that leaves), the entries go.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::sleep;

use super::cache_key::Key;
use super::caching::Caching;
use super::handler::{Effect, try_database};
use super::laps::Stage;
use super::observe::Course;
use super::param::Given;
use super::problem::HttpProblem;
use super::start::{App, Endpoint};
use super::statement::Answer;
use crate::spec::CacheStrategy;

/// So long after its client a statement may still be at work on a connection of its own: the server looks once a second.
const AFTERWARDS: Duration = Duration::from_secs(2);

/// Nobody remembers a write for longer, however long its statement may take.
const MEMORY: Duration = Duration::from_mins(1);

/// An entry of another endpoint that a write makes wrong.
pub(super) struct Written {
    /// The endpoint that reads it.
    pub(super) reader: Arc<Caching>,
    /// Its statement.
    pub(super) sql: Arc<str>,
    /// Where each of its parameters is among those of the write.
    pub(super) params: Vec<usize>,
}

/// Executes a write and sees to the entries.
pub(super) async fn answer(
    app: &Arc<App>,
    endpoint: &Endpoint,
    given: &[Given<'_>],
    course: &mut Course,
) -> Result<Answer, HttpProblem> {
    let change = Change::of(app, endpoint, given);
    match try_database(app, endpoint, given, course).await {
        Ok(answer) => {
            change.answered(&answer, course).await;
            Ok(answer)
        }
        Err(why) => {
            change.unanswered(why.effect(), course).await;
            Err(why.problem())
        }
    }
}

/// A write under way. Should its request go away before the end, the entries go.
struct Change {
    app: Arc<App>,
    entries: Vec<(Arc<Caching>, Key)>,
    first: Removal,
}

/// The first removal of several.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Removal {
    /// Nobody has seen to it.
    Due,
    /// It is done.
    Done,
}

impl Change {
    fn of(app: &Arc<App>, endpoint: &Endpoint, given: &[Given<'_>]) -> Self {
        let entry = |written: &Written| {
            let own: Option<Vec<Given<'_>>> =
                written.params.iter().map(|place| given.get(*place).cloned()).collect();
            let key = Key::new(&written.reader.plan, &written.sql, &own?)?;
            Some((Arc::clone(&written.reader), key))
        };
        let entries = endpoint.writes.iter().filter_map(entry).collect();
        Self { app: Arc::clone(app), entries, first: Removal::Due }
    }

    /// The entries go, or become what was answered.
    async fn answered(mut self, answer: &Answer, course: &mut Course) {
        // Each leaves the list when it is seen to: the others still go if the request does.
        while let Some((reader, key)) = self.entries.last() {
            let is_through = reader.plan.strategy == CacheStrategy::WriteThrough;
            let done = if is_through && answer.rows > 0 {
                reader.replace(key, &answer.body, answer.rows).await
            } else {
                reader.forget(key).await
            };
            if !done {
                self.app.counters.cache_write_failed();
            }
            course.laps.lap(Stage::Cache);
            self.entries.pop();
        }
    }

    /// Nobody knows what would have been answered; the entries go, unless nothing was written.
    async fn unanswered(mut self, effect: Effect, course: &mut Course) {
        if effect != Effect::Nothing {
            remove(&self.app, &self.entries).await;
            course.laps.lap(Stage::Cache);
        }
        if effect == Effect::Unknown {
            self.first = Removal::Done;
        } else {
            self.entries.clear();
        }
    }
}

async fn remove(app: &App, entries: &[(Arc<Caching>, Key)]) {
    for (reader, key) in entries {
        if !reader.forget(key).await {
            app.counters.cache_write_failed();
        }
    }
}

impl Drop for Change {
    fn drop(&mut self) {
        let entries = std::mem::take(&mut self.entries);
        let Ok(runtime) = Handle::try_current() else { return };
        if entries.is_empty() {
            return;
        }
        let (app, first) = (Arc::clone(&self.app), self.first);
        runtime.spawn(async move {
            if first == Removal::Due {
                remove(&app, &entries).await;
            }
            // The statement may still be at work, and who reads before it ends stores what was there before.
            for pause in [AFTERWARDS, app.statement_deadline.min(MEMORY)] {
                sleep(pause).await;
                remove(&app, &entries).await;
            }
        });
    }
}
