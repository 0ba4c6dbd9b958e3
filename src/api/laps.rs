//! A stopwatch along a request's way: each moment from the request's head to its answer belongs to exactly one stage.
//!
//! A lap is one look at the clock, some 30 ns; a lookup of one row takes seven of them.

use tokio::time::Instant;

/// When a request's head had been read: noted before the router, looked at by the handler.
#[derive(Debug, Clone, Copy)]
pub(super) struct Arrived(pub(super) Instant);

/// What a request's time is spent on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// Finding the handler and reading the parameters.
    Routing = 0,
    /// Waiting for a database connection: queue, opening, ping.
    PoolWait = 1,
    /// Asking Redis and telling it, keys included.
    Cache = 2,
    /// From a connection in hand to the last row there, but for writing rows that came earlier.
    Query = 3,
    /// Rows to JSON, and the response around it.
    Serialise = 4,
}

/// How many stages there are.
pub(super) const STAGES: usize = 5;

/// The times of one request.
#[derive(Debug)]
pub(super) struct Laps {
    last: Instant,
    spent_ns: [u64; STAGES],
}

impl Laps {
    /// Runs since the request's head was there; since now, where nobody noted when that was.
    pub(super) fn since(arrived: Option<Arrived>) -> Self {
        let last = arrived.map_or_else(Instant::now, |arrived| arrived.0);
        Self { last, spent_ns: [0; STAGES] }
    }

    /// When the first lap began, if none has ended yet; else when the last one ended.
    pub(super) fn began(&self) -> Instant {
        self.last
    }

    /// What has passed since the last lap was spent on this stage.
    pub(super) fn lap(&mut self, stage: Stage) {
        let now = Instant::now();
        let spent = now.saturating_duration_since(self.last).as_nanos();
        self.spent_ns[stage as usize] += u64::try_from(spent).unwrap_or(u64::MAX);
        self.last = now;
    }

    /// Nanoseconds by stage, in the order of [`Stage`].
    pub(super) fn spent_ns(&self) -> [u64; STAGES] {
        self.spent_ns
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn every_moment_belongs_to_one_stage_and_stages_come_back() {
        let arrived = Arrived(Instant::now());
        advance(Duration::from_nanos(7)).await;
        let mut laps = Laps::since(Some(arrived));
        for (stage, ns) in [
            (Stage::Routing, 0),
            (Stage::Query, 100),
            (Stage::Serialise, 10),
            (Stage::Query, 50),
            (Stage::Cache, 3),
        ] {
            advance(Duration::from_nanos(ns)).await;
            laps.lap(stage);
        }
        assert_eq!(laps.spent_ns(), [7, 0, 3, 150, 10]);
    }
}
