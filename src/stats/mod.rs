//! What numbers mean: paired ratios with their intervals, verdicts, claims. No clock, no file, no socket.
//!
//! The unit of replication is the trial, paired with the baseline's trial of the same block: n is the number
//! of blocks, never of requests. A thousand requests of one server start say a lot about that start and nothing
//! about the next one.

mod claim;
mod compare;
mod estimate;
mod multiplicity;
mod quantile;
mod signed_rank;
#[cfg(test)]
mod simulation;
mod verdict;
#[cfg(test)]
mod words;

pub use claim::{Held, hold};
pub use compare::{
    Comparison, Interval, NoComparison, Orientation, Pair, Question, Spread, compare,
};
pub use estimate::{Estimate, Scale, estimate, geometric_mean, median};
pub use multiplicity::{benjamini_hochberg, holm};
pub use quantile::{none_in, samples_needed};
pub use signed_rank::{hodges_lehmann, rank_interval};
pub use verdict::{Because, FEWEST_BLOCKS, Figure, Verdict, Why, Withheld};
