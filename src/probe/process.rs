//! CPU, memory and disk of a component: the process it was started as, and all that descend from it.
//!
//! Postgres' backends have sessions of their own, so a process group would miss them; the tree by parent does not. PSS
//! counts shared memory once, where RSS would count `shared_buffers` once per backend.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use procfs::process::{Process, Stat};
use procfs::{CurrentSI, KernelStats};

use super::cpu::Times;

/// What components had used at one moment, since each was started.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    components: BTreeMap<String, Counts>,
    steal_ticks: u64,
    all_ticks: u64,
}

/// The counters of one component, each with whom it belongs to: what ends between two moments must not be subtracted.
#[derive(Debug, Clone, Default)]
struct Counts {
    cpu: Times,
    pss_bytes: Option<u64>,
    /// Of each thread: switches with nothing to do, and forced ones.
    switches: BTreeMap<i32, [u64; 2]>,
    /// Of each process, by its id and its start: bytes read from disk, and written.
    disk: BTreeMap<(i32, u64), [u64; 2]>,
}

/// What one component used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Used {
    /// CPU time, user and system, of the tree and of its ended children.
    pub cpu_us: u64,
    /// Proportional set size now; none where the kernel would not say.
    pub pss_bytes: Option<u64>,
    /// Context switches of the processes alive, of threads that had nothing to do.
    pub voluntary_switches: u64,
    /// Context switches of threads that had to make room for another.
    pub involuntary_switches: u64,
    /// Bytes read from disk by the processes alive.
    pub disk_read_bytes: u64,
    /// Bytes that they wrote to disk.
    pub disk_written_bytes: u64,
}

/// Whether to walk the page tables for PSS, which takes milliseconds a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Memory {
    /// Do.
    Measure,
    /// Leave it out.
    Skip,
}

/// Reads /proc for each component's root pids.
///
/// # Errors
///
/// If /proc itself can't be read; a process that has ended is no error.
pub fn snapshot(components: &BTreeMap<String, Vec<u32>>, memory: Memory) -> Result<Snapshot> {
    let stats: Vec<Stat> = procfs::process::all_processes()
        .context("cannot read /proc")?
        .filter_map(|process| process.ok()?.stat().ok())
        .collect();
    let kernel = KernelStats::current().context("cannot read /proc/stat")?;
    let total = &kernel.total;
    let steal_ticks = total.steal.unwrap_or(0);
    let all_ticks = total.user
        + total.nice
        + total.system
        + total.idle
        + total.iowait.unwrap_or(0)
        + total.irq.unwrap_or(0)
        + total.softirq.unwrap_or(0)
        + steal_ticks;
    let components = components
        .iter()
        .map(|(name, roots)| (name.clone(), counts(&tree(roots, &stats), memory)))
        .collect();
    Ok(Snapshot { components, steal_ticks, all_ticks })
}

/// The processes that are `roots` or descend from them.
fn tree<'a>(roots: &[u32], stats: &'a [Stat]) -> Vec<&'a Stat> {
    let is_root = |pid: i32| u32::try_from(pid).is_ok_and(|pid| roots.contains(&pid));
    let mut members: Vec<&Stat> = stats.iter().filter(|s| is_root(s.pid)).collect();
    let mut next = 0;
    while next < members.len() {
        let parent = members[next].pid;
        members.extend(stats.iter().filter(|s| s.ppid == parent && !is_root(s.pid)));
        next += 1;
    }
    members
}

fn counts(members: &[&Stat], memory: Memory) -> Counts {
    let mut counts = Counts::default();
    let mut pss = Some(0);
    for stat in members {
        counts.cpu.add(stat);
        let Ok(process) = Process::new(stat.pid) else { continue };
        // Of each thread: the process' own status tells only of its first one.
        for task in process.tasks().into_iter().flatten().filter_map(Result::ok) {
            if let Ok(status) = task.status() {
                let switches = [status.voluntary_ctxt_switches, status.nonvoluntary_ctxt_switches];
                counts.switches.insert(task.tid, switches.map(Option::unwrap_or_default));
            }
        }
        if let Ok(io) = process.io() {
            counts.disk.insert((stat.pid, stat.starttime), [io.read_bytes, io.write_bytes]);
        }
        if memory == Memory::Measure {
            pss = pss.and_then(|sum| Some(sum + pss_of(&process, stat)?));
        }
    }
    counts.pss_bytes = if memory == Memory::Measure { pss } else { None };
    counts
}

/// Nothing for a process that has ended meanwhile, as connections' backends do; none if the kernel does not say.
fn pss_of(process: &Process, stat: &Stat) -> Option<u64> {
    let told = process.smaps_rollup().ok().and_then(|rollup| {
        rollup.memory_map_rollup.iter().find_map(|map| map.extension.map.get("Pss").copied())
    });
    told.or_else(|| {
        let now = process.stat().ok().filter(|now| now.starttime == stat.starttime);
        let has_ended = now.is_none_or(|now| matches!(now.state, 'Z' | 'X' | 'x'));
        has_ended.then_some(0)
    })
}

/// By how much counters grew; those that are gone had grown by nothing that anybody can tell.
fn grown<K: Ord, const N: usize>(
    now: &BTreeMap<K, [u64; N]>,
    then: &BTreeMap<K, [u64; N]>,
) -> [u64; N] {
    let mut sums = [0; N];
    for (whose, counts) in now {
        let before = then.get(whose).copied().unwrap_or([0; N]);
        for (sum, (now, then)) in sums.iter_mut().zip(counts.iter().zip(before)) {
            *sum += now.saturating_sub(then);
        }
    }
    sums
}

impl Snapshot {
    /// What each component used between `before` and this one. Processes that ended in between are counted by their
    /// parent.
    pub fn since(&self, before: &Self) -> BTreeMap<String, Used> {
        let nothing = Counts::default();
        let used = self.components.iter().map(|(name, now)| {
            let then = before.components.get(name).unwrap_or(&nothing);
            let [voluntary_switches, involuntary_switches] = grown(&now.switches, &then.switches);
            let [disk_read_bytes, disk_written_bytes] = grown(&now.disk, &then.disk);
            let used = Used {
                cpu_us: now.cpu.since(&then.cpu) / 1000,
                pss_bytes: now.pss_bytes,
                voluntary_switches,
                involuntary_switches,
                disk_read_bytes,
                disk_written_bytes,
            };
            (name.clone(), used)
        });
        used.collect()
    }

    /// Share of the machine's time that the hypervisor gave to others since `before`.
    pub fn steal_share_since(&self, before: &Self) -> f64 {
        let all = self.all_ticks.saturating_sub(before.all_ticks);
        if all == 0 {
            0.0
        } else {
            self.steal_ticks.saturating_sub(before.steal_ticks) as f64 / all as f64
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_uses_cpu_and_memory_and_its_use_grows() {
        let me = BTreeMap::from([("me".to_owned(), vec![std::process::id()])]);
        let before = snapshot(&me, Memory::Skip).unwrap();
        let mut x = 1_u64;
        // 50 ms of CPU at least, so that a kernel that counts in 10 ms ticks sees it.
        let start = tokio::time::Instant::now();
        while start.elapsed() < std::time::Duration::from_millis(100) {
            x = std::hint::black_box(x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1));
        }
        let after = snapshot(&me, Memory::Measure).unwrap();
        let used = after.since(&before)["me"];
        assert!(used.cpu_us >= 20_000, "{used:?}");
        let pss = used.pss_bytes.expect("own memory may be read");
        assert!((1 << 20..1 << 34).contains(&pss), "{pss} bytes: is it in kB?");
        assert!((0.0..=1.0).contains(&after.steal_share_since(&before)));
    }

    #[tokio::test]
    async fn a_little_work_is_more_than_none() {
        let me = BTreeMap::from([("me".to_owned(), vec![std::process::id()])]);
        for round in 0..20 {
            let before = snapshot(&me, Memory::Skip).unwrap();
            let start = tokio::time::Instant::now();
            while start.elapsed() < std::time::Duration::from_millis(1) {
                std::hint::black_box(start);
            }
            // The kernel books a thread's time at the latest when it sleeps.
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
            let after = snapshot(&me, Memory::Skip).unwrap();
            let used = after.since(&before)["me"];
            assert!(used.cpu_us > 0, "round {round}: {used:?}");
        }
    }

    #[test]
    fn what_ends_between_two_moments_is_not_subtracted() {
        let then = BTreeMap::from([(1, [100, 7]), (2, [5_000, 900])]);
        let now = BTreeMap::from([(1, [130, 8]), (3, [4, 0])]);
        assert_eq!(grown(&now, &then), [34, 1]);
    }

    #[test]
    fn a_process_that_has_ended_does_not_hide_the_memory_of_the_others() {
        let mine = Process::myself().unwrap().stat().unwrap();
        let mut gone = mine.clone();
        gone.pid = i32::MAX - 1;
        assert!(counts(&[&gone, &mine], Memory::Measure).pss_bytes.is_some());
        // Its number is another's by now: what that one has is not told of it.
        let mut replaced = mine.clone();
        replaced.starttime += 1;
        assert!(pss_of(&Process::myself().unwrap(), &replaced).is_some());
    }

    #[test]
    fn a_process_that_is_gone_uses_nothing() {
        let gone = BTreeMap::from([("gone".to_owned(), vec![u32::MAX - 1])]);
        let now = snapshot(&gone, Memory::Measure).unwrap();
        assert_eq!(now.since(&now)["gone"].cpu_us, 0);
    }
}
