//! querylab: executable architecture decision records.
//!
//! One TOML file is one comparison. The rooms below stand on storeys; a room imports only from lower
//! ones (`docs/ARCHITECTURE.md` is the map, `tests/it/house.rs` the police).

pub mod api;
pub mod cli;
pub mod dataset;
pub mod lab;
pub mod load;
pub mod plan;
pub mod plot;
pub mod probe;
pub mod report;
pub mod results;
pub mod rows;
pub mod spec;
pub mod stack;
pub mod stats;
pub mod units;
