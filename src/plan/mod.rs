//! Spec to everything decided: variants merged, trials ordered, seeds drawn, fingerprints.
//!
//! Files of migrations and of parameters' values are read here; nothing is started, and no socket is opened.

mod accepts;
mod caches;
mod claims;
mod codes;
mod conditions;
mod constraints;
mod dataset;
mod deltas;
mod design;
mod endpoints;
mod estimate;
mod external;
mod fingerprint;
mod from_files;
mod generators;
mod indexes;
mod limits;
mod loads;
mod logged;
mod lookup;
mod merge;
mod migrations;
mod mixes;
mod notes;
mod order;
mod params;
mod partition;
mod repeats;
mod resolve;
mod restrict;
mod routes;
pub mod seeds;
mod services;
pub mod settings;
mod source_files;
mod sources;
mod sql;
mod static_files;
mod targets;
mod types;
mod values;
mod variants;
mod view;

#[cfg(test)]
mod tests;

pub use external::about_url_from;
pub use partition::Partition;
pub use resolve::{check_length, further_mistakes, resolve, resolve_of_any_length};
pub use services::POSTGRES_MAJORS;
pub use sql::{SqlPiece, sql_pieces};
pub use types::*;
pub use variants::captured_as;

/// A text short enough for a line of a table or a message.
fn short(text: &str) -> String {
    const MOST: usize = 72;
    let words: Vec<&str> = text.split_whitespace().collect();
    let text = words.join(" ");
    if text.chars().count() <= MOST {
        return text;
    }
    text.chars().take(MOST - 1).chain(['…']).collect()
}
