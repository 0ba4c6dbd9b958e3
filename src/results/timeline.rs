//! `timeline.csv`: every second of every trial, warm-up included, gathered from the run's own files.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, anyhow};

use super::run::stem;
use super::{SliceRecord, Table, TrialRecord};
use crate::plan::Role;

/// One second of one trial: a row of `timeline.csv`.
#[derive(Debug, Clone, PartialEq)]
pub struct TimelineRow {
    /// Block, from 1.
    pub block: u32,
    /// Position in its block, from 1.
    pub order: u32,
    /// Variant or twin.
    pub role: Role,
    /// What happened in it.
    pub slice: SliceRecord,
}

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

/// Reads a timeline back: what `timeline` gathered, or the bytes of `timeline.csv`.
///
/// # Errors
///
/// If it is no CSV, lacks a column, or a cell is not what its column says; names line and column.
pub(super) fn read_timeline(csv_bytes: &[u8]) -> Result<Vec<TimelineRow>> {
    let mut reader = csv::Reader::from_reader(csv_bytes);
    let header = reader.headers()?.clone();
    let mut rows = Vec::new();
    for (n, record) in reader.records().enumerate() {
        let record = record?;
        let cell = |name: &str| header.iter().position(|h| h == name).and_then(|i| record.get(i));
        rows.push(timeline_row(&cell).with_context(|| format!("line {}", n + 2))?);
    }
    Ok(rows)
}

fn timeline_row<'a>(cell: &dyn Fn(&str) -> Option<&'a str>) -> Result<TimelineRow> {
    let text = |name: &str| cell(name).ok_or_else(|| anyhow!("column `{name}` is missing"));
    let whole = |name: &str| -> Result<u64> {
        text(name)?.parse().with_context(|| format!("column `{name}`"))
    };
    let maybe = |text: &str, name: &str| -> Result<Option<f64>> {
        if text.is_empty() {
            return Ok(None);
        }
        text.parse().map(Some).with_context(|| format!("column `{name}`"))
    };
    let time = |name: &str| maybe(text(name)?, name);
    Ok(TimelineRow {
        block: u32::try_from(whole("block")?).context("column `block`")?,
        order: u32::try_from(whole("order")?).context("column `order`")?,
        role: match text("role")? {
            "variant" => Role::Variant,
            "twin" => Role::Twin,
            other => return Err(anyhow!("column `role`: `{other}`")),
        },
        slice: SliceRecord {
            t_ms: whole("t_ms")?,
            answered: whole("answered")?,
            failed: whole("failed")?,
            response_time_p50_us: time("response_time_p50_us")?,
            response_time_p99_us: time("response_time_p99_us")?,
            offered_rps: maybe(cell("offered_rps").unwrap_or_default(), "offered_rps")?,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeline_is_read_as_it_was_written_and_its_mistakes_have_a_place() {
        let text = "format,block,order,variant,load,role,t_ms,answered,failed,response_time_p50_us,response_time_p99_us\n\
                    1,2,3,a,l,twin,1000,7,1,321.279,\n";
        let rows = read_timeline(text.as_bytes()).expect("a timeline");
        let slice = &rows[0].slice;
        assert_eq!((rows[0].block, rows[0].order, rows[0].role), (2, 3, Role::Twin));
        assert_eq!((slice.t_ms, slice.answered, slice.failed), (1000, 7, 1));
        assert_eq!((slice.response_time_p50_us, slice.response_time_p99_us), (Some(321.279), None));
        let wrong = text.replace(",1000,", ",soon,");
        let error = format!("{:#}", read_timeline(wrong.as_bytes()).expect_err("no number"));
        assert!(error.contains("line 2") && error.contains("`t_ms`"), "{error}");
    }
}
