//! The value of (seed, table, column, row): pure, any order, any thread.
//!
//! `dataset` copies these rows into Postgres and `load` draws its keys from them, so both agree without asking the
//! database. Rows count from 1.

mod column;
mod names;
mod spec;
mod table;
mod value;

pub use spec::{ColumnSpec, Generator, TableSpec};
pub use table::{Rows, checksum};
pub use value::Value;
