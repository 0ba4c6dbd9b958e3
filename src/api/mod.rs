//! The system under test: endpoints of a plan served over a unix socket, from Postgres and a Redis cache-aside.
//!
//! Started as a child process by [`main_with`]; [`serve`] is the same thing as an ordinary async function. What a request
//! passes through: `routes` (method and path) → `params` and `value` (typed, checked) → `cache` (Redis) → `pool` or
//! `pipeline` → `session` and `statement` (bound, executed) → `json` (binary wire format to bytes of JSON). Anything
//! refused becomes a `problem`.
//!
//! JSON of rows: one array of objects, in the order of the columns. Whole numbers and floats are JSON numbers; `numeric`
//! and `money` are JSON strings with their exact digits, because readers turn JSON numbers into doubles.

mod array;
mod cache;
mod cache_key;
mod caching;
mod canonical;
mod catalog;
mod counted;
mod counters;
mod cursor;
mod docs_page;
mod doubts;
mod exclusive;
mod failure;
mod flights;
mod handler;
mod health;
mod histogram;
mod intake;
mod json;
mod json_body;
mod laps;
mod literal;
mod log_lines;
mod metrics;
mod observe;
mod openapi;
mod param;
mod params;
mod percent;
mod pipeline;
mod pool;
mod problem;
mod request_id;
mod request_log;
mod routes;
mod run;
mod serve;
mod session;
mod start;
mod statement;
mod streaming;
mod texts;
mod value;
mod writing;

pub use run::main_with;
pub use serve::serve;
