//! The archive on disk: run folders written trial by trial, and complete runs published whole.
//!
//! Every final file is written beside its place, synced and renamed, so that whoever looks finds all of it or none.
//! A published folder holds everything that a report needs; nothing is kept only in memory.

mod data;
mod digest;
mod files;
mod outcome;
mod publish;
mod read;
mod run;
mod timeline;
mod trials_csv;
mod trials_read;
mod types;
mod used;

pub use data::{DataOrigin, DataPlace, DatasetRecord, IndexCostRecord, IndexRecord, TableRecord};
pub use digest::sha256_hex;
pub use files::{write_atomic, write_table};
pub use outcome::{BROKEN_ACCOUNTS, Failure, FailureKind, Outcome, UNSTEADY};
pub use publish::{Publication, publish, write_derived, write_into};
pub use read::{read, read_run};
pub use run::{Run, RunSummary, list_runs};
pub use timeline::timeline;
pub use trials_csv::trials_table;
pub use trials_read::read_trials;
pub use types::*;
pub use used::{PathSums, Resources};
