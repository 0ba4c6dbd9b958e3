//! The witnesses: /proc by process tree, Postgres' statistics views, EXPLAIN, Redis INFO, the API's own counters.
//!
//! Each witness is asked on its own channel, never through the path that is measured, so that two of them can disagree.

mod api;
mod cpu;
mod explain;
mod host;
mod identity;
mod machine;
mod pages;
mod postgres;
mod process;
mod processor;
mod redis;
mod statements;

pub use api::counters;
pub use explain::{Explained, Params, Samples, find_node, shape_hash};
pub use host::{boot_id, host, pid_namespace, processors, start_ticks};
pub use identity::{Identities, identities};
pub use machine::{Machine, Passed, available_bytes, machine, unwritten_bytes};
pub use pages::{bytes_of_files, drop_from_page_cache, page_cache_share, read_into_page_cache};
pub use postgres::{DatabaseStats, Housekeeping, Session, connect};
pub use process::{Memory, Snapshot, Used, snapshot};
pub use processor::{HASHED_BYTES, hash_rounds};
pub use redis::{RedisStats, redis_stats};
pub use statements::statement_calls;
