//! What the author wrote: the experiment file, profiles, overrides, every mistake located in the file.

pub mod codes;
mod document;
pub mod draft;
mod file;
mod load;
mod matrix;
mod meaning;
mod mend;
mod merge;
mod metric;
mod overrides;
mod parse;
mod patterns;
mod print;
mod problem;
mod render;
mod schema;
mod secrets;
mod source;
mod split;
mod suggest;
mod walk;

#[cfg(test)]
mod tests;

pub use document::*;
pub use load::{Layers, Spec, load, load_text};
pub use metric::{Better, Metric, Unit};
pub use problem::{Place, Problem, Problems, Severity};
pub use render::{Color, render, render_json};
pub use schema::json_schema;
pub use suggest::did_you_mean;
