//! The API against real servers: a private Postgres and Redis of each test's own.

mod answers;
mod bindings;
mod cache;
mod client;
mod observed;
mod openapi;
mod pages;
mod pool;
mod refusals;
mod requests;
pub(crate) mod servers;
mod stages;
mod start;
mod strategies;
mod streaming;
mod values;
