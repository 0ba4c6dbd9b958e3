//! Files that are whole or absent: written beside their place, synced, renamed, and the folder synced.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result};

use super::Table;

/// Writes a file so that a reader sees the old text or the new one, whatever happens in between.
///
/// # Errors
///
/// If any step fails; the old file is intact then, and the half-written one removed if possible.
pub fn write_atomic(path: &Path, bytes: &[u8]) -> Result<()> {
    let name = path.file_name().context("a file needs a name")?.to_string_lossy();
    let dir = path.parent().context("a file needs a folder")?;
    // A bare name lies in the current folder, which has no name then.
    let dir = if dir.as_os_str().is_empty() { Path::new(".") } else { dir };
    let temporary = dir.join(format!(".{name}.tmp"));
    let written = (|| -> std::io::Result<()> {
        let mut file = File::create(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&temporary, path)?;
        File::open(dir)?.sync_all()
    })();
    if written.is_err() {
        // The reason of the failure matters, not whether the debris could be removed.
        fs::remove_file(&temporary).ok();
    }
    written.with_context(|| format!("cannot write {}", path.display()))
}

/// Writes a table as CSV: RFC 4180 with LF line ends.
///
/// # Errors
///
/// As `write_atomic`.
pub fn write_table(dir: &Path, table: &Table) -> Result<()> {
    write_atomic(&dir.join(&table.file), &table_bytes(table)?)
}

/// A table as CSV bytes.
///
/// # Errors
///
/// If a row has another number of cells than the header.
pub fn table_bytes(table: &Table) -> Result<Vec<u8>> {
    let mut writer =
        csv::WriterBuilder::new().terminator(csv::Terminator::Any(b'\n')).from_writer(Vec::new());
    writer.write_record(&table.header)?;
    for row in &table.rows {
        writer.write_record(row).with_context(|| format!("a row of {}", table.file))?;
    }
    writer.into_inner().map_err(|e| anyhow::anyhow!("{}: {}", table.file, e.error()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_leaves_no_debris() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.json");
        write_atomic(&path, b"one").unwrap();
        write_atomic(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_file_that_cannot_be_written_leaves_the_old_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("no-such-folder").join("a.json");
        let error = write_atomic(&path, b"one").unwrap_err().to_string();
        assert!(error.contains("cannot write"), "{error}");
    }

    #[test]
    fn cells_are_quoted_by_rfc_4180_and_lines_end_with_lf() {
        let table = Table {
            file: "t.csv".into(),
            header: vec!["a".into(), "b_us".into()],
            rows: vec![vec!["x, \"y\"".into(), String::new()]],
        };
        assert_eq!(table_bytes(&table).unwrap(), b"a,b_us\n\"x, \"\"y\"\"\",\n");
    }
}
