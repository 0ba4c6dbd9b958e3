//! `querylab history`: each figure over the kept runs of one machine, and where it changed its level. Advice, no verdict.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::report::values::show;
use crate::results::{HistoryRecord, Results};
use crate::spec::Metric;
use crate::stats::{CHANGE_P, change_points, median};
use crate::units::{share, sig3};

/// A kept run.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct HistoryRow {
    /// Its id.
    pub run: String,
    /// Its size.
    pub profile: String,
    /// RFC 3339, UTC.
    pub finished_at: String,
    /// Commit, if known.
    pub revision: String,
    /// Digest of the machine; empty where it is not known.
    pub machine: String,
    /// Name to value.
    pub figures: BTreeMap<String, f64>,
}

/// One figure over the runs of one profile on one machine.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Series {
    /// The profile.
    pub profile: String,
    /// The machine.
    pub machine: String,
    /// Its name, as in `history.csv`.
    pub figure: String,
    /// Its levels, oldest first: more than one where it changed.
    pub levels: Vec<Level>,
}

/// A stretch without a change.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Level {
    /// The first run of it.
    pub from_run: String,
    /// When that had ended.
    pub from: String,
    /// The commit of it.
    pub revision: String,
    /// Runs.
    pub runs: usize,
    /// Median of the runs.
    pub median: f64,
    /// Over the level before; none of the first.
    pub change: Option<f64>,
    /// Of Welch's test between this level and the one before.
    pub p_value: Option<f64>,
}

/// Rows by when their runs ended, each run once: what was published or joined twice is no second measurement. The last row of
/// a run stays.
pub fn in_order(rows: Vec<HistoryRow>) -> Vec<HistoryRow> {
    let mut once: BTreeMap<(String, String), HistoryRow> = BTreeMap::new();
    for row in rows {
        once.insert((row.profile.clone(), row.run.clone()), row);
    }
    let mut rows: Vec<HistoryRow> = once.into_values().collect();
    rows.sort_by(|a, b| (&a.finished_at, &a.run).cmp(&(&b.finished_at, &b.run)));
    rows
}

impl HistoryRow {
    /// A row of `history.csv`; figures that are none are left out.
    pub fn of_record(record: &HistoryRecord) -> Self {
        let cell = |name: &str| record.get(name).cloned().unwrap_or_default();
        Self {
            run: cell("run"),
            profile: cell("profile"),
            finished_at: cell("finished_at"),
            revision: cell("revision"),
            machine: cell("machine"),
            figures: figures(&cell("figures")),
        }
    }

    /// Fills in what rows of before did not keep, from the run itself.
    pub fn complete_from(&mut self, results: &Results) {
        for (column, cell) in super::kept_figures(results) {
            match column {
                "machine" => self.machine = cell,
                _ => self.figures = figures(&cell),
            }
        }
    }
}

fn figures(cell: &str) -> BTreeMap<String, f64> {
    let pairs = cell.split(';').filter_map(|pair| pair.rsplit_once('='));
    pairs.filter_map(|(name, value)| Some((name.to_owned(), value.parse().ok()?))).collect()
}

/// Every figure over the runs that have it, by profile and machine; changes smaller than `least` are none.
pub fn history(rows: &[HistoryRow], least: f64) -> Vec<Series> {
    type Figure<'a> = (&'a str, &'a str, &'a str);
    let mut by_figure: BTreeMap<Figure<'_>, Vec<(&HistoryRow, f64)>> = BTreeMap::new();
    for row in rows {
        for (name, value) in &row.figures {
            let key = (row.profile.as_str(), row.machine.as_str(), name.as_str());
            by_figure.entry(key).or_default().push((row, *value));
        }
    }
    let series = |((profile, machine, figure), points): ((&str, &str, &str), Vec<_>)| Series {
        profile: profile.into(),
        machine: machine.into(),
        figure: figure.into(),
        levels: levels(&points, least),
    };
    by_figure.into_iter().map(series).collect()
}

fn levels(points: &[(&HistoryRow, f64)], least: f64) -> Vec<Level> {
    let values: Vec<f64> = points.iter().map(|(_, value)| *value).collect();
    let changes = change_points(&values, least);
    let starts = std::iter::once((0, None)).chain(changes.iter().map(|c| (c.at, Some(c))));
    let ends = changes.iter().map(|c| c.at).chain([points.len()]);
    starts
        .zip(ends)
        .filter_map(|((from, change), to)| {
            let (first, _) = points.get(from)?;
            Some(Level {
                from_run: first.run.clone(),
                from: first.finished_at.clone(),
                revision: first.revision.clone(),
                runs: to - from,
                median: median(&values[from..to])?,
                change: change.map(|c| c.ratio),
                p_value: change.map(|c| c.p_value),
            })
        })
        .collect()
}

impl Series {
    /// A ratio, or a value with the unit of its metric.
    fn shown(&self, value: f64) -> String {
        let metric = self.figure.rsplit(':').next().unwrap_or_default();
        match Metric::ALL.into_iter().find(|known| known.name() == metric) {
            Some(metric) if !self.figure.contains('/') => show(metric, value),
            _ => format!("{}x", sig3(value)),
        }
    }

    /// Lines of a list.
    pub fn text(&self) -> String {
        let machine = if self.machine.is_empty() { "unknown" } else { &self.machine };
        let runs: usize = self.levels.iter().map(|l| l.runs).sum();
        let mut text = format!(
            "{} ({}, machine {machine}, {runs} {})\n",
            self.figure,
            self.profile,
            if runs == 1 { "run" } else { "runs" }
        );
        for level in &self.levels {
            let moved = level.change.map_or_else(String::new, |change| {
                let sign = if change < 1.0 { "−" } else { "+" };
                format!(", {sign}{} (p <= {CHANGE_P})", share((change - 1.0).abs()))
            });
            let commit = level.revision.get(..12).unwrap_or(&level.revision);
            let commit = if commit.is_empty() { "unknown" } else { commit };
            let (from, n) = (level.from.get(..16).unwrap_or(&level.from), level.runs);
            let median = self.shown(level.median);
            let told = format!("  from {from} (commit {commit}): {median} over {n}{moved}\n");
            text.push_str(&told);
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(n: u32, machine: &str, value: f64) -> HistoryRow {
        HistoryRow {
            run: format!("run-{n}"),
            profile: "full".into(),
            finished_at: format!("2026-11-{n:02}T00:00:00Z"),
            revision: format!("c0ffee{n}"),
            machine: machine.into(),
            figures: [("cached/btree:one:response_time_p50".to_owned(), value)].into(),
        }
    }

    #[test]
    fn a_change_is_told_with_the_run_that_began_it_and_machines_are_kept_apart() {
        let wobble = |n: u32| 1.0 + 0.004 * f64::from(n * 7 % 5);
        let mut rows: Vec<HistoryRow> = (1..=8).map(|n| row(n, "a", 0.5 * wobble(n))).collect();
        rows.extend((9..=16).map(|n| row(n, "a", 0.7 * wobble(n))));
        rows.push(row(17, "b", 9.0));
        let all = history(&rows, 0.05);
        assert_eq!(all.len(), 2);
        let levels = &all[0].levels;
        assert_eq!(levels.len(), 2);
        assert_eq!((levels[1].from_run.as_str(), levels[1].runs), ("run-9", 8));
        assert!(levels[1].change.is_some_and(|c| (c - 1.4).abs() < 0.02));
        let text = all[0].text();
        assert!(text.contains("from 2026-11-09T00:00 (commit c0ffee9)"), "{text}");
        assert_eq!(all[1].levels.len(), 1);
    }

    #[test]
    fn rows_are_put_in_order_and_a_run_that_is_there_twice_counts_once() {
        let rows = vec![row(3, "a", 1.0), row(1, "a", 1.0), row(3, "a", 2.0), row(2, "a", 1.0)];
        let rows = in_order(rows);
        let runs: Vec<&str> = rows.iter().map(|row| row.run.as_str()).collect();
        assert_eq!(runs, ["run-1", "run-2", "run-3"]);
        assert_eq!(rows[2].figures.values().copied().collect::<Vec<f64>>(), [2.0]);
    }

    #[test]
    fn a_row_is_read_with_what_it_has() {
        let record = [("run", "r"), ("figures", "a:b=1.5;broken;c/d=x;e=2")];
        let record = record.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
        let row = HistoryRow::of_record(&record);
        assert_eq!(row.figures, BTreeMap::from([("a:b".into(), 1.5), ("e".into(), 2.0)]));
        assert_eq!((row.run.as_str(), row.machine.as_str()), ("r", ""));
    }
}
