//! The dataset cache: stopped clusters by the key of all that decides what is in them, built beside and renamed last,
//! verified before they are used. An entry that is in any doubt is removed, and the data are made anew.

mod control;
mod entry;
mod files;
mod key;
mod log;
mod manifest;
mod store;
#[cfg(test)]
mod tests;
mod update;
mod upkeep;

pub use entry::{Entry, Held};
pub use files::Ids;
pub use key::{Cluster, Ingredients, LOADER};
pub use log::trim_log;
pub use manifest::{Kept, KeptSet};
pub use store::{Keeping, Lookup, Store};
pub use update::Restored;
pub use upkeep::{Listed, Verified};
