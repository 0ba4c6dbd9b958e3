//! Who runs on this machine and where: just enough of /proc to know our own processes again.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// A process as far as it matters here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Proc {
    /// Its pid.
    pub pid: i32,
    /// Its parent.
    pub parent: i32,
    /// Its session: for our servers the guard's pid, but for Postgres' helpers, which have sessions of their own.
    pub session: i32,
    /// One letter; `Z` is a dead one that nobody has reaped yet.
    pub state: char,
    /// When it started, in clock ticks since boot: with the pid, its identity.
    pub start: u64,
}

/// Reads one process; none if it is gone.
pub(super) fn read(pid: i32) -> Option<Proc> {
    parse_stat(pid, &fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// The name may hold blanks and parentheses: what follows the last `)` is regular.
fn parse_stat(pid: i32, stat: &str) -> Option<Proc> {
    let mut fields = stat.get(stat.rfind(')')? + 1..)?.split_ascii_whitespace();
    let state = fields.next()?.chars().next()?;
    let parent = fields.next()?.parse().ok()?;
    let session = fields.nth(1)?.parse().ok()?;
    let ticks = fields.nth(15)?.parse().ok()?;
    Some(Proc { pid, parent, session, state, start: ticks })
}

/// Everybody who is alive.
pub(super) fn all() -> Vec<Proc> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries
        .filter_map(|e| e.ok()?.file_name().to_str()?.parse().ok())
        .filter_map(read)
        .filter(|p| p.state != 'Z' && p.state != 'X')
        .collect()
}

/// Whether this very process (not a later one with its pid) is alive.
pub(super) fn is_alive(pid: i32, start: u64) -> bool {
    read(pid).is_some_and(|p| p.start == start && p.state != 'Z' && p.state != 'X')
}

/// Everybody below `ancestor`.
pub(super) fn descendants(ancestor: i32, everybody: &[Proc]) -> BTreeSet<i32> {
    let mut children: BTreeMap<i32, Vec<i32>> = BTreeMap::new();
    for p in everybody {
        children.entry(p.parent).or_default().push(p.pid);
    }
    let mut found = BTreeSet::new();
    let mut open = vec![ancestor];
    while let Some(pid) = open.pop() {
        for child in children.get(&pid).into_iter().flatten() {
            if found.insert(*child) {
                open.push(*child);
            }
        }
    }
    found
}

/// Its working directory, if we may know it.
pub(super) fn working_directory(pid: i32) -> Option<PathBuf> {
    link(pid, "cwd")
}

/// Its program's file name, if we may know it.
pub(super) fn program_name(pid: i32) -> Option<String> {
    Some(link(pid, "exe")?.file_name()?.to_string_lossy().into_owned())
}

/// A link of /proc, without the mark that the kernel sets behind a file that is gone.
fn link(pid: i32, name: &str) -> Option<PathBuf> {
    let target = fs::read_link(format!("/proc/{pid}/{name}")).ok()?;
    let text = target.to_string_lossy();
    Some(text.strip_suffix(" (deleted)").map_or_else(|| target.clone(), PathBuf::from))
}

/// Whether its working directory is this folder or below.
pub(super) fn works_in(pid: i32, folder: &Path) -> bool {
    working_directory(pid).is_some_and(|d| d.starts_with(folder))
}

/// Sends a signal; one that is gone already is no mistake.
pub(super) fn signal(pid: i32, signal: i32) {
    if let (Some(pid), Some(signal)) =
        (rustix::process::Pid::from_raw(pid), rustix::process::Signal::from_named_raw(signal))
    {
        rustix::process::kill_process(pid, signal).ok();
    }
}

/// This boot of the machine.
pub(super) fn boot_id() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .map(|t| t.trim().to_owned())
        .unwrap_or_default()
}

/// In which numbers our pids are; none where the kernel does not say.
pub(super) fn pid_namespace() -> Option<String> {
    let link = fs::read_link("/proc/self/ns/pid").ok()?;
    Some(link.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_blanks_and_parentheses_does_not_shift_the_fields() {
        let stat = "42 (a) (b c) S 7 41 40 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 987654 1 2 3";
        let expected = Proc { pid: 42, parent: 7, session: 40, state: 'S', start: 987_654 };
        assert_eq!(parse_stat(42, stat), Some(expected));
    }

    #[test]
    fn rubbish_is_nobody() {
        assert_eq!(parse_stat(1, ""), None);
        assert_eq!(parse_stat(1, "1 (x"), None);
        assert_eq!(parse_stat(1, "1 (x) S 1 2"), None);
    }

    #[test]
    fn this_process_is_alive_and_an_impostor_is_not() {
        let me = i32::try_from(std::process::id()).expect("pids are positive");
        let start = read(me).expect("we are running").start;
        assert!(is_alive(me, start));
        assert!(!is_alive(me, start + 1));
    }

    #[test]
    fn grandchildren_are_descendants_and_strangers_are_not() {
        let p = |pid, parent| Proc { pid, parent, session: 1, state: 'S', start: 0 };
        let everybody = [p(1, 0), p(2, 1), p(3, 2), p(4, 1), p(5, 3)];
        assert_eq!(descendants(2, &everybody), BTreeSet::from([3, 5]));
    }
}
