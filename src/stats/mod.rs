//! What numbers mean: paired ratios with their intervals, verdicts, claims. No clock, no file, no socket.
//!
//! The unit of replication is the trial, paired with the baseline's trial of the same block: n is the number
//! of blocks, never of requests. A thousand requests of one server start say a lot about that start and nothing
//! about the next one.

mod blocks;
mod bootstrap;
mod change_points;
mod claim;
mod compare;
mod difference;
mod estimate;
#[cfg(test)]
mod histograms;
mod levels;
#[cfg(test)]
mod metamorphic;
mod multiplicity;
mod quantile;
mod signed_rank;
#[cfg(test)]
mod simulation;
mod trend;
mod two_runs;
mod verdict;
#[cfg(test)]
mod vocabulary;
#[cfg(test)]
mod words;

pub use blocks::{
    PILOT_BLOCKS, Precision, blocks_for_all, blocks_for_precision, blocks_to_detect, detectable,
};
pub use bootstrap::{BOOTSTRAP_FEWEST, bootstrap_interval};
pub use change_points::{CHANGE_P, ChangePoint, change_points};
pub use claim::{Held, hold};
pub use compare::{
    Comparison, Interval, NoComparison, Orientation, Pair, Question, Spread, compare,
    compare_after_pilot,
};
pub use difference::{Difference, FEWEST_ROUNDS, difference, sign_flip_p_value};
pub use estimate::{Estimate, Scale, estimate, geometric_mean, median, scatter, scatter_interval};
pub use levels::{Levels, levels};
pub use multiplicity::{benjamini_hochberg, holm};
pub use quantile::{none_in, samples_needed};
pub use signed_rank::{hodges_lehmann, rank_interval};
pub use trend::{
    Drift, REST_WINDOWS, WarmWindow, drift, is_at_rest, lacks_steady_state, mann_kendall, moves,
    theil_sen,
};
pub use two_runs::{OfBlock, Shift, compare_runs, shift};
pub use verdict::{Because, FEWEST_BLOCKS, Figure, Verdict, Why, Withheld};
