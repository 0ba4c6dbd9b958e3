//! The witnesses: /proc by process tree, Postgres' statistics views, EXPLAIN, Redis INFO, the API's own counters.
//!
//! Each witness is asked on its own channel, never through the path that is measured, so that two of them can disagree.

mod api;
mod cpu;
mod explain;
mod host;
mod postgres;
mod process;
mod processor;
mod redis;

pub use api::counters;
pub use explain::{Explained, find_node, shape_hash};
pub use host::{boot_id, host, start_ticks};
pub use postgres::{DatabaseStats, Session, connect};
pub use process::{Memory, Snapshot, Used, snapshot};
pub use processor::{HASHED_BYTES, hash_rounds};
pub use redis::{RedisStats, redis_stats};
