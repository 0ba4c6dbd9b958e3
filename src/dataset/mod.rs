//! Migrations, COPY of the rows, one database per index set, ANALYZE: the data as the plan wants them, and what they cost.
//!
//! The rows are loaded once into a template; each index set is a clone of it, so that variants can interleave freely and
//! only their own indexes exist. All of it runs as the role that is no superuser, but for CREATE DATABASE and CHECKPOINT.

mod connect;
mod copy;
mod index_sets;
mod made;
mod migrate;
mod orders;
mod prepare;

pub use made::{BuiltIndex, Dataset, LoadedTable};
pub use orders::{Addresses, Progress};
pub use prepare::prepare;
