//! The page cache: files dropped from it, read into it, and how much of them is in it.
//!
//! Residency is asked with reads that may not wait (`RWF_NOWAIT`), at evenly spaced pages, because mincore needs a mapping
//! and unsafe code. Such a read may bring in the page that it asked for, so few are asked: at most one of fifty.

use std::fs::{self, File};
use std::io::{IoSliceMut, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rustix::fs::{Advice, fadvise};
use rustix::io::{Errno, ReadWriteFlags, preadv2};

const PAGE: u64 = 4096;
/// Most pages that are asked for.
const ASKED: u64 = 1000;
/// One of so many pages is asked for, where there are few.
const OF: u64 = 50;
/// Files of lower numbers are Postgres' own catalogues, which every connection reads.
const FIRST_OWN: u32 = 16_384;

/// Gives up the page cache of every file in `dir`. What has not been written stays: checkpoint and stop the server before.
///
/// # Errors
///
/// If a file can't be opened or the advice is refused.
pub fn drop_from_page_cache(dir: &Path) -> Result<()> {
    for path in files(dir)? {
        let file = open(&path)?;
        fadvise(&file, 0, None, Advice::DontNeed)
            .with_context(|| format!("cannot drop {} from the page cache", path.display()))?;
    }
    Ok(())
}

/// Reads every file in `dir` once, so that the page cache has what fits.
///
/// # Errors
///
/// If a file can't be read.
pub fn read_into_page_cache(dir: &Path) -> Result<()> {
    let mut buffer = vec![0_u8; 1 << 20];
    for path in files(dir)? {
        let mut file = open(&path)?;
        while file.read(&mut buffer).with_context(|| format!("cannot read {}", path.display()))? > 0
        {
        }
    }
    Ok(())
}

/// Bytes of all files in `dir`.
///
/// # Errors
///
/// If the folder can't be listed.
pub fn bytes_of_files(dir: &Path) -> Result<u64> {
    Ok(files(dir)?.iter().filter_map(|path| fs::metadata(path).ok()).map(|file| file.len()).sum())
}

/// Share of the pages of tables and indexes in `dir`, a database's folder, that is in the page cache, 0 to 1. None where
/// the file system cannot tell, or there are no pages.
///
/// # Errors
///
/// If a file can't be opened.
pub fn page_cache_share(dir: &Path) -> Result<Option<f64>> {
    let mut sized = Vec::new();
    let mut pages = 0;
    for path in files(dir)?.into_iter().filter(|path| is_relation(path)) {
        let own = fs::metadata(&path).map_or(0, |m| m.len()) / PAGE;
        pages += own;
        sized.push((path, own));
    }
    let step = (pages / ASKED).max(OF);
    let (mut asked, mut there) = (0_u64, 0_u64);
    // Across the files as if they were one.
    let mut next = step / 2;
    let mut before = 0;
    for (path, own) in sized {
        if next < before + own {
            let file = open(&path)?;
            // Without read-ahead, or the question would be its own answer.
            fadvise(&file, 0, None, Advice::Random).context("cannot turn read-ahead off")?;
            while next < before + own {
                match is_resident(&file, next - before) {
                    Ok(resident) => there += u64::from(resident),
                    Err(_) => return Ok(None),
                }
                asked += 1;
                next += step;
            }
        }
        before += own;
    }
    Ok((asked > 0).then(|| there as f64 / asked as f64))
}

fn is_resident(file: &File, page: u64) -> Result<bool, Errno> {
    let mut byte = [0_u8; 1];
    let mut into = [IoSliceMut::new(&mut byte)];
    match preadv2(file, &mut into, page * PAGE, ReadWriteFlags::NOWAIT) {
        Ok(_) => Ok(true),
        Err(Errno::AGAIN) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Whether it is a file of a table or an index of the experiment: `16390`, `16390.1`, `16390_fsm`.
fn is_relation(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    let number = name.split(['.', '_']).next().and_then(|number| number.parse::<u32>().ok());
    number.is_some_and(|number| number >= FIRST_OWN)
}

fn open(path: &Path) -> Result<File> {
    File::open(path).with_context(|| format!("cannot open {}", path.display()))
}

/// Regular files of a folder, by name; what was removed meanwhile is none.
fn files(dir: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(dir).with_context(|| format!("cannot list {}", dir.display()))?;
    let mut files: Vec<PathBuf> =
        entries.flatten().map(|entry| entry.path()).filter(|path| path.is_file()).collect();
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_file_that_was_dropped_is_not_there_and_one_that_was_read_is() {
        // Not in the temporary folder, which may be in memory and cannot be dropped then.
        let dir = tempfile::tempdir_in("/var/tmp").unwrap();
        let mut file = File::create(dir.path().join("16390.1")).unwrap();
        file.write_all(&vec![7_u8; 8 << 20]).unwrap();
        file.sync_all().unwrap();
        read_into_page_cache(dir.path()).unwrap();
        assert_eq!(bytes_of_files(dir.path()).unwrap(), 8 << 20);
        let Some(warm) = page_cache_share(dir.path()).unwrap() else { return };
        assert!(warm > 0.9, "{warm}");
        drop_from_page_cache(dir.path()).unwrap();
        let cold = page_cache_share(dir.path()).unwrap().expect("it could be told before");
        assert!(cold < 0.1, "{cold}");
    }

    #[test]
    fn catalogues_are_no_relations_of_the_experiment() {
        let of = |name: &str| is_relation(Path::new(name));
        assert!(of("/base/5/16384") && of("16390.1") && of("20000_fsm"));
        assert!(!of("/base/5/1259") && !of("pg_filenode.map") && !of("PG_VERSION"));
    }

    #[test]
    fn no_files_have_no_share() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(page_cache_share(dir.path()).unwrap(), None);
        assert!(page_cache_share(&dir.path().join("none")).is_err());
    }
}
