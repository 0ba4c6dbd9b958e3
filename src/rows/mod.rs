//! The value of (seed, table, column, row): pure, any order, any thread.
//!
//! `dataset` copies these rows into Postgres and `load` draws its keys from them, so both agree without asking the
//! database. Rows count from 1.

mod binary;
mod column;
mod draw;
mod inet;
mod maker;
mod math;
mod names;
mod nested;
mod numbers;
mod parents;
mod permute;
mod shapes;
mod spec;
mod table;
#[cfg(test)]
mod tests;
mod texts;
mod times;
mod value;
mod zipf;

pub use binary::{BINARY_END, BINARY_START, Wire};
pub use shapes::{FamilySize, Order, Parents, Piece, Prose, RowOrder, Shape};
pub use spec::{ColumnSpec, Generator, TableSpec};
pub use table::{Rows, checksum, trial};
pub use value::Value;
