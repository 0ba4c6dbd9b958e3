//! Few sessions that many requests share: statements of several of them are under way on one session at once.
//!
//! The server works off a session's statements one after the other and answers in that order, so several of them cost it
//! little more to read and to send than one does; and one that takes long holds up those behind it, whose wait then counts
//! as time in the query. As many requests as sessions times depth are let in; the others wait as they do for a pool.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::counters::Counters;
use super::pool::NoConnection;
use super::session::{Door, Session};

/// Requests that share a session before another one is begun: what one write to the server carries, and one process of it
/// works off without making anybody wait for long.
const COMPANY: usize = 8;
/// A session whose server does not answer a ping for so long is not used any more.
pub(super) const PING_WITHIN: Duration = Duration::from_secs(1);

/// The sessions.
pub(super) struct Pipeline {
    lanes: Vec<Lane>,
    /// Held while a lane is chosen.
    choosing: Mutex<()>,
    room: Arc<Semaphore>,
    door: Door,
    pre_ping: bool,
    /// Requests that share a session while another has none: no more than it may have at all.
    company: usize,
    /// After so long a statement that nobody waits for any more should be over.
    patience: Duration,
    counters: Arc<Counters>,
}

/// The place of one session.
#[derive(Default)]
struct Lane {
    /// Requests that have it.
    busy: AtomicUsize,
    current: Mutex<Option<Arc<Session>>>,
    /// Whoever has it opens the next session.
    opening: tokio::sync::Mutex<()>,
}

impl Lane {
    fn current(&self) -> Option<Arc<Session>> {
        let current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        current.as_ref().filter(|session| session.is_open()).map(Arc::clone)
    }

    fn put(&self, session: Option<Arc<Session>>) -> Option<Arc<Session>> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *current, session)
    }
}

/// One request's part in a lane; it has none any more when this goes.
struct Seat {
    pipeline: Arc<Pipeline>,
    place: usize,
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.pipeline.lanes[self.place].busy.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Pipeline {
    /// `sessions` of them, none of which is open yet, for `depth` requests each.
    pub(super) fn new(
        (sessions, depth): (usize, usize),
        (door, pre_ping): (Door, bool),
        patience: Duration,
        counters: Arc<Counters>,
    ) -> Self {
        let lanes = (0..sessions).map(|_| Lane::default()).collect();
        let room = Arc::new(Semaphore::new(sessions.saturating_mul(depth)));
        let company = COMPANY.min(depth);
        Self {
            lanes,
            choosing: Mutex::default(),
            room,
            door,
            pre_ping,
            company,
            patience,
            counters,
        }
    }

    /// A share in a session, after waiting until there is room.
    ///
    /// # Errors
    ///
    /// See [`NoConnection`].
    pub(super) async fn share(self: &Arc<Self>) -> Result<Share, NoConnection> {
        let room = Arc::clone(&self.room).acquire_owned().await;
        let room = room.map_err(|_| NoConnection::Closed)?;
        let seat = self.seat();
        let error = match self.session_of(&self.lanes[seat.place]).await {
            Ok(session) => return Ok(Share(Some(Held { session, seat, _room: room }))),
            Err(error) => error,
        };
        // Where none can be opened any more, those that are open have room for all: a lane without one, which is always the
        // emptiest, must not draw every request to itself.
        let open = self.lanes.iter().position(|lane| lane.current().is_some());
        let Some(place) = open else { return Err(error) };
        let seat = self.seat_in(place);
        let session = self.lanes[place].current().ok_or(error)?;
        Ok(Share(Some(Held { session, seat, _room: room })))
    }

    /// The lane's session: the one that is open, if it answers, else another.
    async fn session_of(&self, lane: &Lane) -> Result<Arc<Session>, NoConnection> {
        // Answers to others are as good as one to a ping.
        let is_alone = lane.busy.load(Ordering::Relaxed) <= 1;
        match lane.current() {
            Some(session) if !self.pre_ping || !is_alone => Ok(session),
            Some(session) if matches!(timeout(PING_WITHIN, session.ping()).await, Ok(Ok(()))) => {
                Ok(session)
            }
            Some(session) => {
                session.retire();
                self.opened(lane).await
            }
            None => self.opened(lane).await,
        }
    }

    fn seat(self: &Arc<Self>) -> Seat {
        let place = sit(&self.lanes, self.company, &self.choosing);
        Seat { pipeline: Arc::clone(self), place }
    }

    fn seat_in(self: &Arc<Self>, place: usize) -> Seat {
        self.lanes[place].busy.fetch_add(1, Ordering::Relaxed);
        Seat { pipeline: Arc::clone(self), place }
    }

    async fn opened(&self, lane: &Lane) -> Result<Arc<Session>, NoConnection> {
        let _turn = lane.opening.lock().await;
        if let Some(session) = lane.current() {
            return Ok(session);
        }
        let session = Arc::new(self.door.open().await.map_err(NoConnection::Unreachable)?);
        self.counters.connection_opened();
        lane.put(Some(Arc::clone(&session)));
        Ok(session)
    }

    /// How many sessions have requests, how many are open without, and how many more requests are let in.
    pub(super) fn state(&self) -> (usize, usize, usize) {
        let open = self.lanes.iter().filter(|lane| lane.current().is_some());
        let (mut in_use, mut idle) = (0, 0);
        for lane in open {
            if lane.busy.load(Ordering::Relaxed) > 0 { in_use += 1 } else { idle += 1 }
        }
        (in_use, idle, self.room.available_permits())
    }

    /// Lets nobody in any more, and says goodbye where nobody is.
    pub(super) async fn close(&self) {
        self.room.close();
        for session in self.lanes.iter().filter_map(|lane| lane.put(None)) {
            if let Some(session) = Arc::into_inner(session) {
                session.close().await;
            }
        }
    }
}

/// Takes a seat in the first lane that has few others, else where the fewest are: few requests share one server process,
/// which then stays awake, and many spread. One at a time: of two that see the same last seat only one may have it.
fn sit(lanes: &[Lane], company: usize, choosing: &Mutex<()>) -> usize {
    let _turn = choosing.lock().unwrap_or_else(PoisonError::into_inner);
    let busy = |lane: &Lane| lane.busy.load(Ordering::Relaxed);
    let free = lanes.iter().position(|lane| busy(lane) < company);
    let fewest = || lanes.iter().enumerate().min_by_key(|(_, lane)| busy(lane));
    // There is one at least: plans have no pool of nothing.
    let place = free.or_else(|| fewest().map(|(place, _)| place)).unwrap_or(0);
    lanes[place].busy.fetch_add(1, Ordering::Relaxed);
    place
}

struct Held {
    session: Arc<Session>,
    seat: Seat,
    _room: OwnedSemaphorePermit,
}

/// A share in a session. Dropped without [`Share::give_back`], it stays taken until the statement is over that was under
/// way, for no more than `depth` of them may be; the session stays, because others are on it.
pub(super) struct Share(Option<Held>);

impl Share {
    /// The session; none only if it was taken out already, which no path does.
    pub(super) fn session(&self) -> Option<&Session> {
        self.0.as_ref().map(|held| &*held.session)
    }

    /// Nothing of it is under way.
    pub(super) fn give_back(mut self) {
        self.0 = None;
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let Some(held) = self.0.take() else { return };
        let Ok(runtime) = Handle::try_current() else { return };
        runtime.spawn(async move {
            let patience = held.seat.pipeline.patience;
            // What was asked first is answered first: an answer to this one says that the statement is over.
            if !matches!(timeout(patience, held.session.ping()).await, Ok(Ok(()))) {
                held.session.retire();
            }
            drop(held);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As many at once as there is room for, who come and go.
    #[test]
    fn of_those_who_come_at_once_no_more_than_its_depth_sit_in_a_lane() {
        for (sessions, depth) in [(2, 1), (3, 4)] {
            let lanes: Vec<Lane> = (0..sessions).map(|_| Lane::default()).collect();
            let choosing = Mutex::default();
            let most = AtomicUsize::new(0);
            std::thread::scope(|scope| {
                for _ in 0..sessions * depth {
                    scope.spawn(|| {
                        for _ in 0..20_000 {
                            let busy = &lanes[sit(&lanes, COMPANY.min(depth), &choosing)].busy;
                            most.fetch_max(busy.load(Ordering::Relaxed), Ordering::Relaxed);
                            busy.fetch_sub(1, Ordering::Relaxed);
                        }
                    });
                }
            });
            let most = most.into_inner();
            assert!(most <= depth, "{most} of {depth}, {sessions} sessions");
        }
    }
}
