//! The value of (seed, table, column, row): pure, any order, any thread.

mod spec;

pub use spec::{ColumnSpec, Generator, TableSpec};
