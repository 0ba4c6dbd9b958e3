//! The load generator: what to send ([`Shots`]) and when ([`Arrivals`]) as values, and one request loop that sends it.
//!
//! A request knows when it was due, when it was sent and when its answer was whole. Response time counts from due, so
//! a server that stalls cannot hide the requests that it kept from being sent; service time counts from sent.

mod ahead;
mod answer;
mod attendance;
mod check;
mod clock;
mod dice;
mod draws;
mod engine;
mod entry;
mod fault;
#[cfg(test)]
mod fixtures;
mod hlog;
mod hopeless;
mod keys;
mod ledger;
mod lines;
mod members;
mod mould;
mod paths;
mod phases;
mod places;
mod pulse;
mod recording;
mod run;
mod samples;
mod schedule;
mod search;
mod senders;
mod shots;
mod slices;
mod start;
mod steady;
mod steps;
#[cfg(test)]
mod tests;
mod timing;
mod versions;
mod wire;
mod zipf;

pub use mould::Extras;
pub use paths::{PathFault, PathTimes, Paths, time_paths};
pub use phases::PhaseEvent;
pub use recording::{Recording, Slice, WindowRecording};
pub use run::{Checked, Job, Requests, check_once, run};
pub use samples::SamplesKept;
pub use schedule::Arrivals;
pub use search::{SearchStep, Searched, StepEnd};
pub use shots::{Shot, Shots};
pub use timing::{Timing, timing};
