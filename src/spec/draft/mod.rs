//! A starting experiment, written from what a database's catalogue and statistics say: `querylab init`.
//!
//! Plain values in, text out. Who asked which catalogue is not known here, and what the text says is checked like any
//! other file.

mod checks;
mod endpoints;
mod facts;
mod keys;
mod kinds;
mod names;
mod partitions;
mod recipe;
mod stats;
mod terms;
#[cfg(test)]
mod tests;
mod text;
mod write;

pub use facts::{
    ColumnFacts, IndexFacts, Kind, Origin, Partition, Reference, Schema, Statistics, TableFacts,
};
pub use write::{Drafted, Wishes, draft, id_of};
