//! Single flight: of requests that miss the same entry at the same time, one asks the database and the others get its
//! answer.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use tokio::sync::watch;

use super::cache_key::Key;
use super::problem::HttpProblem;

/// What the one that asked got.
pub(super) type Outcome = Result<Bytes, HttpProblem>;

/// What those who follow look at.
type Landing = watch::Receiver<Option<Outcome>>;

/// Requests under way, by what they ask for. There are never more than requests.
#[derive(Debug, Default)]
pub(super) struct Flights(Arc<Mutex<BTreeMap<Key, Landing>>>);

/// A request's part in it.
pub(super) enum Part {
    /// It asks, and tells the others.
    Leads(Leader),
    /// Another one asks.
    Follows(Landing),
}

/// The one that asks. Should it go away without an answer, the others ask for themselves.
pub(super) struct Leader {
    flights: Arc<Mutex<BTreeMap<Key, Landing>>>,
    key: Key,
    outcome: watch::Sender<Option<Outcome>>,
}

impl Flights {
    /// Joins the flight of a key, or begins one.
    pub(super) fn join(&self, key: &Key) -> Part {
        let mut under_way = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(other) = under_way.get(key) {
            return Part::Follows(other.clone());
        }
        let (outcome, landed) = watch::channel(None);
        under_way.insert(key.clone(), landed);
        Part::Leads(Leader { flights: Arc::clone(&self.0), key: key.clone(), outcome })
    }
}

impl Leader {
    /// Tells those who wait, and ends the flight.
    pub(super) fn land(self, outcome: Outcome) {
        self.outcome.send_replace(Some(outcome));
    }
}

impl Drop for Leader {
    fn drop(&mut self) {
        self.flights.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
    }
}

/// Waits for the leader: its answer, or none if it went away. A leader has deadlines for all that it does, so this ends.
pub(super) async fn landed(mut other: Landing) -> Option<Outcome> {
    other.wait_for(Option::is_some).await.ok()?.clone()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{CachePlan, KeyPiece};

    fn key(text: &str) -> Key {
        let plan = CachePlan::aside(vec![KeyPiece::Text(text.to_owned())], 1);
        Key::new(&plan, "SELECT 1", &[]).expect("short")
    }

    #[tokio::test]
    async fn one_leads_and_the_others_get_its_answer() {
        let flights = Flights::default();
        let Part::Leads(leader) = flights.join(&key("a")) else { panic!("the first one leads") };
        let Part::Follows(other) = flights.join(&key("a")) else { panic!("the second follows") };
        assert!(matches!(flights.join(&key("b")), Part::Leads(_)), "another key, another flight");
        leader.land(Ok(Bytes::from_static(b"[]")));
        assert_eq!(landed(other).await, Some(Ok(Bytes::from_static(b"[]"))));
        assert!(matches!(flights.join(&key("a")), Part::Leads(_)), "it has ended");
    }

    #[tokio::test]
    async fn who_follows_a_leader_that_goes_away_is_told() {
        let flights = Flights::default();
        let Part::Leads(leader) = flights.join(&key("a")) else { panic!("the first one leads") };
        let Part::Follows(other) = flights.join(&key("a")) else { panic!("the second follows") };
        drop(leader);
        assert_eq!(landed(other).await, None);
    }
}
