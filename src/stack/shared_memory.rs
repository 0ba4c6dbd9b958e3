//! Postgres' shared memory outlives a killed postmaster, and only that very cluster's next start would give it back.
//! Our clusters are thrown away, so the segments are noted while the server is healthy and given back at the end.

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::{fs, io};

use super::{identity, process};

/// Name of the note in the run's folder.
const NOTE: &str = "shared-memory";
/// Where POSIX segments are files.
const SHM: &str = "/dev/shm";

/// Adds the segments of a running Postgres to the run's note.
pub(super) fn note(scratch: &Path, data: &Path, postmaster: u32) -> io::Result<()> {
    let maps = fs::read_to_string(format!("/proc/{postmaster}/maps")).unwrap_or_default();
    let lock = fs::read_to_string(data.join("postmaster.pid")).unwrap_or_default();
    let mut lines: BTreeSet<String> =
        posix_segments(&maps).into_iter().map(|n| format!("posix {n}")).collect();
    lines.extend(sysv_segment(&lock).map(|id| format!("sysv {id} {postmaster}")));
    let mut file = identity::append_private(&scratch.join(NOTE))?;
    for line in lines {
        io::Write::write_all(&mut file, format!("{line}\n").as_bytes())?;
    }
    Ok(())
}

/// Names of Postgres' own segments in a process' map.
fn posix_segments(maps: &str) -> BTreeSet<String> {
    maps.lines()
        .filter_map(|l| l.split("/dev/shm/").nth(1))
        .filter_map(|n| n.split_ascii_whitespace().next())
        .filter(|n| is_segment_name(n))
        .map(str::to_owned)
        .collect()
}

fn is_segment_name(name: &str) -> bool {
    name.strip_prefix("PostgreSQL.")
        .is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
}

/// The System V segment of `postmaster.pid`: its seventh line is the key and the id.
fn sysv_segment(lock: &str) -> Option<u64> {
    lock.lines().nth(6)?.split_ascii_whitespace().nth(1)?.parse().ok()
}

/// Gives back what the note names and what is still there. A System V id may have been given out again, so it counts
/// only with the postmaster's pid as its maker and nobody attached.
pub(super) fn give_back(scratch: &Path) {
    let Ok(note) = fs::read_to_string(scratch.join(NOTE)) else { return };
    let uid = fs::metadata(scratch.join("data")).map(|m| m.uid()).ok();
    let table = fs::read_to_string("/proc/sysvipc/shm").unwrap_or_default();
    for line in note.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        match words.as_slice() {
            ["posix", name] if is_segment_name(name) => {
                let file = Path::new(SHM).join(name);
                let control = fs::read(&file).unwrap_or_default();
                for below in listed_segments(&control) {
                    remove_own(&Path::new(SHM).join(below), uid);
                }
                remove_own(&file, uid);
            }
            ["sysv", id, maker] if is_left_over(&table, id, maker) => {
                process::remove_shared_memory(id);
            }
            _ => {}
        }
    }
}

fn remove_own(file: &Path, uid: Option<u32>) {
    let owner = fs::symlink_metadata(file).map(|m| m.uid()).ok();
    if owner.is_some() && owner == uid {
        drop(fs::remove_file(file));
    }
}

/// Names of the segments that a control segment lists, as Postgres itself reads them after a crash (`dsm.c`: magic, number
/// of items, most items; then items of handle, references, first page, pages, private handle, pinned). Backends make
/// such segments at any time, so no note could know them. Anything that does not look like one lists nothing.
fn listed_segments(control: &[u8]) -> Vec<String> {
    const MAGIC: u32 = 0x9a50_3d32;
    const HEADER: usize = 16;
    const ITEM: usize = 40;
    let word = |at: usize| control.get(at..at + 4)?.try_into().ok().map(u32::from_ne_bytes);
    let (Some(MAGIC), Some(items), Some(most)) = (word(0), word(4), word(8)) else {
        return Vec::new();
    };
    if items > most || !cfg!(target_pointer_width = "64") {
        return Vec::new();
    }
    (0..items as usize)
        .map_while(|n| Some((word(HEADER + n * ITEM)?, word(HEADER + n * ITEM + 4)?)))
        .filter(|(_, references)| *references > 0)
        .map(|(handle, _)| format!("PostgreSQL.{handle}"))
        .collect()
}

/// Whether the kernel's table has this segment, of this maker, with nobody attached.
fn is_left_over(table: &str, id: &str, maker: &str) -> bool {
    table.lines().skip(1).any(|line| {
        let f: Vec<&str> = line.split_ascii_whitespace().collect();
        f.get(1) == Some(&id) && f.get(4) == Some(&maker) && f.get(6) == Some(&"0")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_segments_of_postgres_are_noted() {
        let maps = "7f0 rw-s 00 00:19 3 /dev/shm/PostgreSQL.1234\n7f1 rw-s 00 00:19 4 /dev/shm/other\n\
            7f2 rw-s 00 00:19 5 /dev/shm/PostgreSQL.99 (deleted)\n7f3 rw-s 0 /dev/shm/PostgreSQL.x/../y\n";
        let expected = BTreeSet::from(["PostgreSQL.1234".to_owned(), "PostgreSQL.99".to_owned()]);
        assert_eq!(posix_segments(maps), expected);
    }

    #[test]
    fn the_seventh_line_of_the_lock_file_names_the_segment() {
        let lock = "1\n/data\n1700000000\n5432\n/run\n\n  5432001     17\nready\n";
        assert_eq!(sysv_segment(lock), Some(17));
        assert_eq!(sysv_segment("1\n/data\n"), None);
    }

    #[test]
    fn a_control_segment_lists_its_segments_and_anything_else_lists_none() {
        let mut control = Vec::new();
        for word in [0x9a50_3d32_u32, 2, 64, 0] {
            control.extend(word.to_ne_bytes());
        }
        for (handle, references) in [(77_u32, 2_u32), (88, 0)] {
            control.extend(handle.to_ne_bytes());
            control.extend(references.to_ne_bytes());
            control.extend([0; 32]);
        }
        assert_eq!(listed_segments(&control), ["PostgreSQL.77"]);
        assert_eq!(listed_segments(&control[..20]), Vec::<String>::new());
        control[0] ^= 1;
        assert_eq!(listed_segments(&control), Vec::<String>::new());
        assert_eq!(listed_segments(&[]), Vec::<String>::new());
    }

    #[test]
    fn a_segment_in_use_or_of_another_maker_stays() {
        let table = "       key      shmid perms size cpid lpid nattch uid\n 5 17 600 56 4242 0 0 65534\n\
             6 18 600 56 4242 0 6 65534\n";
        assert!(is_left_over(table, "17", "4242"));
        assert!(!is_left_over(table, "17", "1"));
        assert!(!is_left_over(table, "18", "4242"));
    }
}
