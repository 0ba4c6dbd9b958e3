//! The one integration binary: what can only be seen from outside the rooms.
#![expect(clippy::unwrap_used, reason = "a test that panics has failed, which is what it is for")]
#![expect(
    clippy::disallowed_methods,
    reason = "tests start the real binary and wait for real processes to end"
)]
#![expect(clippy::print_stderr, reason = "a skipped test says so loudly")]

mod api;
mod breakdown;
mod cache;
mod calibrate;
mod cli;
mod drive;
mod elsewhere;
mod facts;
mod generators;
mod house;
mod init;
mod lab;
mod loads;
mod refused_rows;
mod run;
mod sources;
mod stack;
mod stack_faults;
mod stack_refusals;
mod stack_servers;
mod trials;
