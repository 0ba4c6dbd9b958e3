//! Tables whose rows are not made: CSV files and dumps through COPY, files of statements, queries.

mod files;
mod load;
mod order;

pub(super) use load::load;
pub(super) use order::{Order, order};
