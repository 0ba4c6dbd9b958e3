//! The writer: a results folder becomes Markdown, CSV tables and the words that decide an exit code.
//!
//! It starts nothing and knows no clock: the same results give the same bytes, on any machine. Everything is built
//! into plain views first, so that the template only places text.

mod again;
mod breakdown;
mod cells;
mod chosen;
mod claims;
mod claims_view;
mod compared;
mod costs;
mod decision;
mod design;
mod errors;
mod explain;
mod failures;
#[cfg(test)]
mod fixture;
mod host;
mod loads;
mod markdown;
mod options;
mod page;
mod plots;
mod render;
mod runs;
mod site;
mod splice;
mod tables;
mod tables_of_use;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_of_use;
mod threats;
mod thresholds;
mod usage;
mod values;
mod view;

pub use chosen::part;
pub use claims::Counts;
pub use render::{Report, render, render_with};
pub use runs::{
    Beside, Case, CellBeside, Claims, Conclusion, Gated, HistoryRow, Judgement, Level, Passes,
    Series, Service, Tier, beside, cases, conclusions, exported, gate, gate_again, history,
    in_order, junit, kept_figures, look,
};
pub use site::site;
pub use splice::{Spliced, Wanted, splice};
