//! `querylab history DIR`: where figures of kept runs changed their level.

use std::path::{Path, PathBuf};

use super::args_kept::HistoryArgs;
use super::exit::Exit;
use super::out;
use crate::report::{self, HistoryRow};
use crate::results;
use crate::units::Share;

pub(super) fn history(args: &HistoryArgs) -> Result<Exit, Exit> {
    let refused = |text: String| out::fail(Exit::Input, text);
    let least: Share = args.least.parse().map_err(|e| refused(format!("--least: {e}")))?;
    let dir = folder(&args.dir);
    let file = dir.join("history.csv");
    let records = results::read_history(&file).map_err(|e| refused(format!("{e:#}")))?;
    let rows = records.iter().map(HistoryRow::of_record).collect();
    let mut rows = report::in_order(rows);
    let mut unknown = 0;
    for row in rows.iter_mut().filter(|row| row.figures.is_empty()) {
        match from_run(&dir, row) {
            Some(results) => row.complete_from(&results),
            None => unknown += 1,
        }
    }
    let wanted = |series: &report::Series| {
        args.figure.as_ref().is_none_or(|text| series.figure.contains(text.as_str()))
    };
    let all: Vec<report::Series> =
        report::history(&rows, least.0).into_iter().filter(wanted).collect();
    if out::is_json() || args.json {
        out::object(&serde_json::json!({
            "event": "history", "runs": rows, "unknown": unknown, "series": all,
        }))?;
        return Ok(Exit::Done);
    }
    let mut text: String = all.iter().map(report::Series::text).collect();
    if all.is_empty() {
        text.push_str("no figures\n");
    }
    if unknown > 0 {
        let told = format!("{unknown} of {} runs kept no figures, and are gone\n", rows.len());
        text.push_str(&told);
    }
    out::stdout(&text)?;
    Ok(Exit::Done)
}

fn folder(named: &Path) -> PathBuf {
    let is_file = named.file_name().is_some_and(|name| name == "history.csv");
    named.parent().filter(|_| is_file).unwrap_or(named).to_path_buf()
}

/// The run of a row that was written before figures were kept: as published, or its own folder.
fn from_run(dir: &Path, row: &HistoryRow) -> Option<results::Results> {
    let experiment = dir.canonicalize().ok()?.file_name()?.to_owned();
    let project = dir.canonicalize().ok()?.parent()?.parent()?.to_path_buf();
    let of_run = project.join(".querylab/runs").join(experiment).join(&row.run);
    [dir.join(&row.profile), of_run]
        .iter()
        .filter_map(|place| results::read(place).ok())
        .find(|results| results.manifest.run.run == row.run)
}
