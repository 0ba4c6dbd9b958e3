//! What the author wrote: the experiment file, profiles, overrides, every mistake located in the file.

mod document;
mod metric;
mod problem;

pub use document::*;
pub use problem::{Place, Problem, Problems, Severity};
pub use metric::{Better, Unit};
