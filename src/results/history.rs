//! `history.csv`: one row a published run of size. Columns are only ever appended, so that old rows have empty cells.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::files::{table_bytes, write_atomic};
use super::{Results, Table};

/// Columns of the first rows that were ever written.
const FIRST: [&str; 9] = [
    "format",
    "run",
    "profile",
    "finished_at",
    "fingerprint",
    "querylab",
    "revision",
    "trials",
    "blocks",
];

/// A row: column to cell, empty ones left out.
pub type HistoryRecord = BTreeMap<String, String>;

/// Appends a run, with further columns where they are given.
///
/// # Errors
///
/// If the file is there and is no CSV, or can't be written; then it is as it was.
pub(super) fn append_history(
    parent: &Path,
    results: &Results,
    further: &[(&'static str, String)],
) -> Result<()> {
    let path = parent.join("history.csv");
    let (mut header, mut rows) = match fs::read(&path) {
        Ok(bytes) => table(&bytes).with_context(|| format!("{}", path.display()))?,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            (FIRST.map(str::to_owned).to_vec(), Vec::new())
        }
        Err(e) => return Err(e).with_context(|| format!("cannot read {}", path.display())),
    };
    let run = &results.manifest.run;
    let own = [
        super::FORMAT.to_string(),
        run.run.clone(),
        results.plan.profile.clone(),
        results.manifest.finished_at.clone(),
        results.plan.fingerprint.clone(),
        results.manifest.querylab.clone(),
        results.manifest.revision.clone().unwrap_or_default(),
        results.trials.len().to_string(),
        results.blocks_run().to_string(),
    ];
    let mut cells: HistoryRecord = FIRST.iter().map(|name| (*name).to_owned()).zip(own).collect();
    for (name, cell) in further {
        cells.insert((*name).to_owned(), cell.clone());
        if !header.iter().any(|column| column == name) {
            header.push((*name).to_owned());
        }
    }
    rows.push(header.iter().map(|name| cells.remove(name).unwrap_or_default()).collect());
    for row in &mut rows {
        row.resize(header.len(), String::new());
    }
    let table = Table { file: "history.csv".into(), header, rows };
    write_atomic(&path, &table_bytes(&table)?)
}

/// Reads `history.csv`, oldest row first.
///
/// # Errors
///
/// If it can't be read or is no CSV; names the line.
pub fn read_history(path: &Path) -> Result<Vec<HistoryRecord>> {
    let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let (header, rows) = table(&bytes).with_context(|| format!("{}", path.display()))?;
    let record = |row: Vec<String>| {
        header.iter().cloned().zip(row).filter(|(_, cell)| !cell.is_empty()).collect()
    };
    Ok(rows.into_iter().map(record).collect())
}

fn table(bytes: &[u8]) -> Result<(Vec<String>, Vec<Vec<String>>)> {
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(bytes);
    let header: Vec<String> = reader.headers()?.iter().map(str::to_owned).collect();
    let mut rows = Vec::new();
    for (n, record) in reader.records().enumerate() {
        let record = record?;
        anyhow::ensure!(record.len() <= header.len(), "line {}: more cells than columns", n + 2);
        rows.push(record.iter().map(str::to_owned).collect());
    }
    Ok((header, rows))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_rows_get_empty_cells_in_new_columns_and_read_as_before() {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("results/0001-email-lookup");
        let old = fs::read(dir.join("history.csv")).expect("a history");
        let root = tempfile::tempdir().expect("a folder");
        fs::write(root.path().join("history.csv"), &old).expect("written");
        let results = crate::results::read(&dir.join("ci")).expect("results");
        let before = read_history(&root.path().join("history.csv")).expect("read");
        append_history(
            root.path(),
            &results,
            &[("machine", "m".into()), ("figures", "a=1;b=2".into())],
        )
        .expect("appended");
        let after = read_history(&root.path().join("history.csv")).expect("read");
        assert_eq!(after[..before.len()], before);
        let last = after.last().expect("the new row");
        assert_eq!(last["figures"], "a=1;b=2");
        assert_eq!(last["run"], results.manifest.run.run);
        let text = fs::read_to_string(root.path().join("history.csv")).expect("read");
        let columns = |line: &str| line.matches(',').count();
        assert!(
            text.lines()
                .all(|line| columns(line) == columns(text.lines().next().unwrap_or_default()))
        );
    }

    #[test]
    fn a_row_with_more_cells_than_columns_is_refused_with_its_line() {
        let refused = table(b"a,b\n1,2\n1,2,3\n").expect_err("three cells");
        assert_eq!(format!("{refused:#}"), "line 3: more cells than columns");
    }
}
