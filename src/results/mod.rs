//! The archive on disk: run folders written trial by trial, and complete runs published whole.
//!
//! Every final file is written beside its place, synced and renamed, so that whoever looks finds all of it or none.
//! A published folder holds everything that a report needs; nothing is kept only in memory.

mod data;
mod digest;
mod files;
mod found;
mod gathered;
mod history;
mod in_force;
mod ledger;
mod merge;
mod outcome;
mod publish;
mod read;
mod run;
mod timeline;
mod trials_csv;
mod trials_read;
mod types;
mod used;
mod verify;

pub use data::{DataOrigin, DataPlace, DatasetRecord, IndexCostRecord, IndexRecord, TableRecord};
pub use digest::sha256_hex;
pub use files::{table_bytes, write_atomic, write_table};
pub use found::{copy_published, published, published_of};
pub use gathered::{Gathered, lasting, load_before, unfinished_runs};
pub use history::{HistoryRecord, read_history};
pub use in_force::InForce;
pub use ledger::{Ledger, Look};
pub use merge::{Merged, merge};
pub use outcome::{BROKEN_ACCOUNTS, Failure, FailureKind, Outcome, UNSTEADY};
pub use publish::{Publication, TextFile, publish, write_derived, write_into};
pub use read::{is_derived, read, read_run};
pub use run::{Run, RunSummary, list_runs};
pub use timeline::{TimelineRow, timeline};
pub use trials_csv::trials_table;
pub use trials_read::read_trials;
pub use types::*;
pub use used::{PathSums, Resources};
pub use verify::{Verified, verify};
