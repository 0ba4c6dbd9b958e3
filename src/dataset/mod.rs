//! Migrations, COPY of the rows, one database per index set, ANALYZE: the data as the plan wants them, and what they cost.
//!
//! The rows are loaded once; each index set has a database of its own with them, so that variants can interleave freely and
//! only their own indexes exist. All of it runs as the role that is no superuser, but for CREATE DATABASE and CHECKPOINT.
//! What was made is kept in the cache, for the next run that wants the same.

mod bulk;
mod cache;
mod catalogue;
mod connect;
mod copy;
mod costs;
mod index_sets;
mod inspect;
mod made;
mod migrate;
mod orders;
mod prepare;
mod reuse;
mod sequences;
mod sources;
mod wire;
mod writes;

pub use cache::{
    Cluster, Entry, Held, Ids, Ingredients, Keeping, Kept, KeptSet, LOADER, Listed, Lookup,
    Restored, Store, Verified, trim_log,
};
pub use inspect::{Remote, look, survey, try_out};
pub use made::{BuiltIndex, Dataset, LoadedTable, RowCost, WriteCost};
pub use migrate::migration_digests;
pub use orders::{Addresses, CopyForm, Place, Progress};
pub use prepare::prepare;
pub use reuse::{NotReused, Reused, reuse};
pub use writes::{Writes, writes};
