//! Entries that a write made wrong while Redis did not hear of it: nobody gets them before Redis has let them go.
//!
//! So many are known by their keys. Beyond that all entries of the endpoint are in doubt, until those that there are have
//! ended by themselves.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::cache_key::Key;

/// Keys that are remembered for one endpoint; with 1 KiB each at the longest they are 10 MiB.
const MOST_KEYS: usize = 10_000;

/// A life beyond this one is this one: moments end, too.
const LONGEST_LIFE: Duration = Duration::from_hours(24 * 365 * 100);

/// Of one endpoint.
#[derive(Debug)]
pub(super) struct Doubts {
    /// How long its entries live.
    life: Duration,
    /// Doubts there are, so that a request that has none takes no lock.
    number: AtomicU64,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    keys: BTreeMap<Vec<u8>, One>,
    /// All are in doubt until then.
    all_until: Option<Instant>,
    /// Doubts so far.
    count: u64,
}

#[derive(Debug, Clone, Copy)]
struct One {
    /// By then the entry has ended by itself.
    until: Instant,
    /// Which doubt it is: a removal that was under way before the next write does not end that one's.
    turn: u64,
}

/// What is to be thought of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trust {
    /// Nothing speaks against it.
    Given,
    /// It has to be removed first; then this doubt is over.
    OnceRemoved(u64),
    /// It is left alone.
    Denied,
}

impl Doubts {
    /// None yet, of an endpoint whose entries live no longer than this.
    pub(super) fn new(life: Duration) -> Self {
        Self {
            life: life.min(LONGEST_LIFE),
            number: AtomicU64::new(0),
            known: Mutex::new(Known::default()),
        }
    }

    /// Redis did not say that the entry is gone.
    pub(super) fn add(&self, key: &Key) {
        let now = Instant::now();
        let until = now + self.life;
        self.change(|known| {
            known.forget_ended(now);
            known.count += 1;
            let is_known = known.keys.contains_key(key.bytes());
            if known.all_until.is_some() || (known.keys.len() >= MOST_KEYS && !is_known) {
                known.all_until = Some(until);
                known.keys.clear();
            } else {
                known.keys.insert(key.bytes().to_vec(), One { until, turn: known.count });
            }
        });
    }

    /// What is to be thought of the entry under this key.
    pub(super) fn of(&self, key: &Key) -> Trust {
        if self.number.load(Ordering::Acquire) == 0 {
            return Trust::Given;
        }
        let now = Instant::now();
        self.change(|known| {
            if known.all_until.is_some_and(|until| until <= now) {
                known.all_until = None;
            }
            match (known.all_until, known.keys.get(key.bytes()).copied()) {
                (Some(_), _) => Trust::Denied,
                (None, Some(one)) if one.until > now => Trust::OnceRemoved(one.turn),
                (None, Some(_)) => {
                    known.keys.remove(key.bytes());
                    Trust::Given
                }
                (None, None) => Trust::Given,
            }
        })
    }

    /// Redis has let the entry go; a doubt that came since then stays.
    pub(super) fn end(&self, key: &Key, turn: u64) {
        self.change(|known| {
            if known.keys.get(key.bytes()).is_some_and(|one| one.turn == turn) {
                known.keys.remove(key.bytes());
            }
        });
    }

    fn change<T>(&self, change: impl FnOnce(&mut Known) -> T) -> T {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let changed = change(&mut known);
        let number = known.keys.len() as u64 + u64::from(known.all_until.is_some());
        self.number.store(number, Ordering::Release);
        changed
    }
}

impl Known {
    /// Looked for only where there is no room: it is a walk over all of them.
    fn forget_ended(&mut self, now: Instant) {
        if self.all_until.is_some_and(|until| until <= now) {
            self.all_until = None;
        }
        if self.keys.len() >= MOST_KEYS {
            self.keys.retain(|_, one| one.until > now);
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;
    use crate::plan::{CachePlan, KeyPiece};

    fn key(text: &str) -> Key {
        let plan = CachePlan::aside(vec![KeyPiece::Text(text.to_owned())], 1);
        Key::new(&plan, "SELECT 1", &[]).expect("short")
    }

    #[tokio::test(start_paused = true)]
    async fn a_doubt_ends_with_its_removal_or_with_its_entry_and_not_with_an_older_removal() {
        let doubts = Doubts::new(Duration::from_mins(1));
        assert_eq!(doubts.of(&key("a")), Trust::Given);
        doubts.add(&key("a"));
        let Trust::OnceRemoved(first) = doubts.of(&key("a")) else { panic!("in doubt") };
        assert_eq!(doubts.of(&key("b")), Trust::Given);
        doubts.add(&key("a"));
        doubts.end(&key("a"), first);
        let Trust::OnceRemoved(second) = doubts.of(&key("a")) else { panic!("again") };
        doubts.end(&key("a"), second);
        assert_eq!(doubts.of(&key("a")), Trust::Given);
        doubts.add(&key("a"));
        advance(Duration::from_secs(61)).await;
        assert_eq!(doubts.of(&key("a")), Trust::Given);
        assert_eq!(doubts.number.load(Ordering::Relaxed), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn beyond_the_bound_all_are_in_doubt_for_one_life() {
        let doubts = Doubts::new(Duration::from_mins(1));
        for number in 0..MOST_KEYS {
            doubts.add(&key(&number.to_string()));
        }
        doubts.add(&key("0"));
        assert_eq!(doubts.of(&key("other")), Trust::Given);
        assert!(matches!(doubts.of(&key("7")), Trust::OnceRemoved(_)));
        doubts.add(&key("one too many"));
        assert_eq!(doubts.of(&key("other")), Trust::Denied);
        assert_eq!(doubts.known.lock().unwrap().keys.len(), 0);
        advance(Duration::from_secs(61)).await;
        assert_eq!(doubts.of(&key("other")), Trust::Given);
        doubts.add(&key("7"));
        assert!(matches!(doubts.of(&key("7")), Trust::OnceRemoved(_)));
    }
}
