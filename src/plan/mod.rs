//! Spec to everything decided: variants merged, trials ordered, seeds drawn, fingerprints.

mod types;

pub use types::*;
