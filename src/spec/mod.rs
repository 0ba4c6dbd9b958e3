//! What the author wrote: the experiment file, profiles, overrides, every mistake located in the file.

mod document;
mod load;
mod metric;
mod problem;

pub use document::*;
pub use load::{Layers, Spec, did_you_mean, load};
pub use metric::{Better, Unit};
pub use problem::{Place, Problem, Problems, Severity};
