//! `timeline.csv`: every second of every trial, warm-up included, gathered from the run's own files.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::run::stem;
use super::{SliceRecord, Table, TrialRecord};
use crate::plan::Role;

/// Gathers the slices of a run folder's trials; trials without any have no rows.
///
/// # Errors
///
/// If a file of slices is there and can't be read.
pub fn timeline(dir: &Path, trials: &[TrialRecord]) -> Result<Table> {
    let header = [
        "format",
        "block",
        "order",
        "variant",
        "load",
        "role",
        "t_ms",
        "answered",
        "failed",
        "response_time_p50_us",
        "response_time_p99_us",
    ];
    let mut table = Table {
        file: "timeline.csv".into(),
        header: header.map(str::to_owned).to_vec(),
        rows: Vec::new(),
    };
    let mut of_searches = Vec::new();
    for trial in trials {
        let path = dir.join("trials").join(format!("{}.slices", stem(trial)));
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => continue,
            Err(e) => return Err(e).with_context(|| format!("cannot read {}", path.display())),
        };
        let slices: Vec<SliceRecord> =
            serde_json::from_slice(&bytes).with_context(|| format!("{}", path.display()))?;
        table.rows.extend(slices.iter().map(|slice| row(trial, slice)));
        of_searches.extend(slices.iter().map(|slice| slice.offered_rps));
    }
    // Timelines without a search stay byte for byte what they were.
    if of_searches.iter().any(Option::is_some) {
        table.header.push("offered_rps".into());
        for (row, rate) in table.rows.iter_mut().zip(of_searches) {
            row.push(rate.map(|rate| rate.to_string()).unwrap_or_default());
        }
    }
    Ok(table)
}

fn row(trial: &TrialRecord, slice: &SliceRecord) -> Vec<String> {
    let optional = |value: Option<f64>| value.map(|v| v.to_string()).unwrap_or_default();
    vec![
        super::FORMAT.to_string(),
        trial.block.to_string(),
        trial.order.to_string(),
        trial.variant.clone(),
        trial.load.clone(),
        match trial.role {
            Role::Variant => "variant".into(),
            Role::Twin => "twin".into(),
        },
        slice.t_ms.to_string(),
        slice.answered.to_string(),
        slice.failed.to_string(),
        optional(slice.response_time_p50_us),
        optional(slice.response_time_p99_us),
    ]
}
