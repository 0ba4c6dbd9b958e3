//! Two runs beside each other: what keeps them apart, what is exact, and what moved.
//!
//! Absolute times belong to their machine and hour. What can be held against another run is the structure of the work
//! (plans, buffers, statements, bytes for each request), and how each variant stood to the baseline of its own run.

mod again;
mod apart;
mod beside;
mod cases;
mod exports;
mod figures;
mod gate;
#[cfg(test)]
mod gate_tests;
mod history;
mod junit;
mod looks;
mod moved;
mod structure;
#[cfg(test)]
mod structure_tests;

pub use again::{Conclusion, conclusions};
pub use beside::{Beside, CellBeside, beside};
pub use cases::{Case, Claims, cases};
pub use exports::{Service, exported};
pub use figures::kept_figures;
pub use gate::{Gated, Judgement, Passes, Tier, gate, gate_again};
pub use history::{HistoryRow, Level, Series, history, in_order};
pub use junit::junit;
pub use looks::look;
