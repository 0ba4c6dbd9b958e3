//! The load generator: what to send ([`Shots`]) and when ([`Arrivals`]) as values, and one request loop that sends it.
//!
//! A request knows when it was due, when it was sent and when its answer was whole. Response time counts from due, so
//! a server that stalls cannot hide the requests that it kept from being sent; service time counts from sent.

mod answer;
mod check;
mod clock;
mod dice;
mod engine;
mod fault;
#[cfg(test)]
mod fixtures;
mod hlog;
mod keys;
mod ledger;
mod phases;
mod places;
mod pulse;
mod recording;
mod run;
mod schedule;
mod shots;
mod steady;
#[cfg(test)]
mod tests;
mod wire;
mod zipf;

pub use phases::PhaseEvent;
pub use recording::{Recording, Slice, WindowRecording};
pub use run::{Checked, Job, Requests, check_once, run};
pub use schedule::Arrivals;
pub use shots::{Shot, Shots};
