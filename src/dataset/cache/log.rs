//! The write-ahead log of a stopped cluster, cut down to what its next start may want.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use super::manifest::control;

/// Segments that stay after the first: as many as Postgres itself keeps for reuse (`min_wal_size`, 80 MB).
const SPARE: u64 = 4;
const SEGMENT: u64 = 16 << 20;

/// Removes the segments of a cleanly stopped cluster that are older than its last checkpoint, and recycled ones beyond what
/// Postgres would keep for itself. A load leaves gigabytes of them, and none says anything that the files do not. Both a
/// cluster that was just built and one that is restored start from the same log then. Gives the bytes removed.
///
/// # Errors
///
/// If the cluster was not shut down, or its log is not as it should be; then nothing is removed.
pub fn trim_log(data: &Path) -> Result<u64> {
    let wanted = control(data)?.segments(SPARE);
    let log = data.join("pg_wal");
    let first = wanted.first().context("a cluster has a log")?;
    let length = fs::metadata(log.join(first)).context("the log that the next start wants")?.len();
    ensure!(length == SEGMENT, "the log's segments are of another size");
    let wanted: BTreeSet<&str> = wanted.iter().map(String::as_str).collect();
    let mut removed = 0;
    for entry in fs::read_dir(&log)? {
        let entry = entry?;
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        let is_segment = name.len() == 24
            && name.bytes().all(|b| b.is_ascii_digit() || (b'A'..=b'F').contains(&b));
        if is_segment && !wanted.contains(name) {
            removed += entry.metadata()?.len();
            fs::remove_file(entry.path())?;
        }
    }
    Ok(removed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cluster(state: u32) -> tempfile::TempDir {
        let data = tempfile::tempdir().unwrap();
        for folder in ["global", "pg_wal/archive_status"] {
            fs::create_dir_all(data.path().join(folder)).unwrap();
        }
        let mut control = vec![0_u8; 8192];
        control[16..20].copy_from_slice(&state.to_ne_bytes());
        control[40..48].copy_from_slice(&(SEGMENT * 9 + 40).to_ne_bytes());
        control[48..52].copy_from_slice(&1_u32.to_ne_bytes());
        fs::write(data.path().join("global/pg_control"), control).unwrap();
        for number in 5..20 {
            let name = format!("pg_wal/0000000100000000{number:08X}");
            fs::File::create(data.path().join(name)).unwrap().set_len(SEGMENT).unwrap();
        }
        data
    }

    fn left(data: &Path) -> Vec<String> {
        let entries = fs::read_dir(data.join("pg_wal")).unwrap();
        let mut names: Vec<String> =
            entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn the_segment_of_the_last_checkpoint_and_a_few_after_it_stay() {
        let data = cluster(1);
        assert_eq!(trim_log(data.path()).unwrap(), 10 * SEGMENT);
        let names = left(data.path());
        assert_eq!(names.len(), 6, "{names:?}");
        assert_eq!(names[0], "000000010000000000000009");
        assert_eq!(names[4], "00000001000000000000000D");
        assert_eq!(names[5], "archive_status");
    }

    #[test]
    fn the_log_of_a_cluster_that_was_not_shut_down_stays_whole() {
        let data = cluster(6);
        assert!(trim_log(data.path()).is_err());
        assert_eq!(left(data.path()).len(), 16);
    }

    #[test]
    fn nothing_goes_where_the_wanted_segment_is_not_there() {
        let data = cluster(1);
        fs::remove_file(data.path().join("pg_wal/000000010000000000000009")).unwrap();
        assert!(trim_log(data.path()).is_err());
        assert_eq!(left(data.path()).len(), 15);
    }
}
