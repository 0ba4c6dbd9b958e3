//! The API against real servers: a private Postgres and Redis of each test's own.

mod answers;
mod bindings;
mod cache;
mod client;
mod experiments;
mod observed;
mod openapi;
mod pages;
mod pipeline;
mod pipeline_faults;
mod pool;
mod prometheus;
mod redis_faults;
mod refusals;
mod replay;
mod requests;
pub(crate) mod servers;
mod stages;
mod start;
mod strategies;
mod streaming;
mod values;
