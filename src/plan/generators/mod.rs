//! From a column of the file to its generator: which keys each takes, and what they may hold.

mod around;
mod build;
mod links;
mod numbers;
mod parts;
#[cfg(test)]
mod tests;
mod texts;
mod times;

pub(super) use around::{Around, Mistake};
pub(super) use build::generator;
