//! The archive on disk: run folders written trial by trial, and complete runs published whole.

mod types;

pub use types::*;
