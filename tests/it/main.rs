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
mod cache_in_place;
mod calibrate;
mod cli;
mod drive;
mod elsewhere;
mod external;
mod facts;
mod generators;
mod heir;
mod house;
mod init;
mod kept;
mod lab;
mod loads;
mod nginx_answers;
mod refused_rows;
mod report;
mod run;
mod sources;
mod stack;
mod stack_faults;
mod stack_refusals;
mod stack_servers;
mod static_files;
mod trials;
