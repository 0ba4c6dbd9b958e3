//! A database read for `init`: its catalogue and statistics as plain values, its schema as SQL, and drafts tried out.
//!
//! Of an existing database only these are read, by transactions that can't write; never a row.

mod catalogue;
mod ddl;
mod remote;
mod trial;
mod types;

pub use remote::{Remote, look};
pub use trial::{survey, try_out};
