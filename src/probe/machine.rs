//! The machine around a trial: who else used it, and what happened to it meanwhile.
//!
//! Two readings and what passed between them. Busy time is that of programs (user and system); interrupts are left out,
//! because the kernel's work for a socket is nobody's own.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use procfs::{CurrentSI, KernelStats};
use rustix::time::{ClockId, clock_gettime};

/// Clock readings that are tried for the shortest one.
const READINGS: u32 = 5;

/// The machine at one moment.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Machine {
    /// Of programs, since boot.
    busy_ns: u64,
    /// Given to others by the hypervisor, since boot.
    steal_ns: u64,
    /// Of all processors, since boot.
    all_ns: u64,
    /// Of this process, since its start.
    own_ns: u64,
    /// Pages read back from swap, since boot; none where the kernel does not say.
    swapped_in_pages: Option<u64>,
    /// Time for which the control group was kept from running; none without one.
    throttled_ns: Option<u64>,
    /// The wall clock less the monotonic one, and what passed meanwhile.
    clock_offset_ns: i128,
    /// The monotonic clock.
    at_ns: i128,
}

/// What passed between two moments.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Passed {
    /// CPU time of programs.
    pub busy_ns: u64,
    /// CPU time of this process.
    pub own_ns: u64,
    /// CPU time there was, of all processors.
    pub all_ns: u64,
    /// Share of it that the hypervisor gave to others.
    pub steal_share: f64,
    /// Share of the time for which the control group was kept from running.
    pub throttled_share: f64,
    /// Pages read back from swap.
    pub swapped_in_pages: u64,
    /// How far the wall clock was set, either way.
    pub clock_step_ns: u64,
}

/// Reads the machine.
///
/// # Errors
///
/// If /proc/stat can't be read.
pub fn machine() -> Result<Machine> {
    let kernel = KernelStats::current().context("cannot read /proc/stat")?;
    let ns_per_tick = 1_000_000_000 / procfs::ticks_per_second().max(1);
    let total = &kernel.total;
    let steal = total.steal.unwrap_or(0);
    let busy = total.user + total.nice + total.system;
    let rest = total.idle + total.iowait.unwrap_or(0) + total.irq.unwrap_or(0);
    let all = busy + rest + total.softirq.unwrap_or(0) + steal;
    let (clock_offset_ns, at_ns) = clocks();
    Ok(Machine {
        busy_ns: busy * ns_per_tick,
        steal_ns: steal * ns_per_tick,
        all_ns: all * ns_per_tick,
        own_ns: u64::try_from(nanos(ClockId::ProcessCPUTime)).unwrap_or(0),
        swapped_in_pages: counter("/proc/vmstat", "pswpin"),
        throttled_ns: throttled(),
        clock_offset_ns,
        at_ns,
    })
}

/// Bytes that programs have written and the disk has not; none where the kernel does not say.
pub fn unwritten_bytes() -> Option<u64> {
    let of = |name| counter("/proc/meminfo", name);
    Some((of("Dirty:")? + of("Writeback:")?) * 1024)
}

/// Memory that programs and the page cache could still have; none where the kernel does not say.
pub fn available_bytes() -> Option<u64> {
    Some(counter("/proc/meminfo", "MemAvailable:")? * 1024)
}

impl Machine {
    /// What passed since `before`.
    #[must_use]
    pub fn since(&self, before: &Self) -> Passed {
        let all_ns = self.all_ns.saturating_sub(before.all_ns);
        let share = |part: u64, of: f64| if of > 0.0 { part as f64 / of } else { 0.0 };
        let throttled = self.throttled_ns.zip(before.throttled_ns);
        let swapped = self.swapped_in_pages.zip(before.swapped_in_pages);
        let step = (self.clock_offset_ns - before.clock_offset_ns).unsigned_abs();
        Passed {
            busy_ns: self.busy_ns.saturating_sub(before.busy_ns),
            own_ns: self.own_ns.saturating_sub(before.own_ns),
            all_ns,
            steal_share: share(self.steal_ns.saturating_sub(before.steal_ns), all_ns as f64),
            throttled_share: throttled.map_or(0.0, |(now, then)| {
                share(now.saturating_sub(then), (self.at_ns - before.at_ns) as f64)
            }),
            swapped_in_pages: swapped.map_or(0, |(now, then)| now.saturating_sub(then)),
            clock_step_ns: u64::try_from(step).unwrap_or(u64::MAX),
        }
    }
}

impl Passed {
    /// CPU time of programs other than this one and those that used `servers_ns`, in nanoseconds.
    pub fn foreign_ns(&self, servers_ns: u64) -> u64 {
        self.busy_ns.saturating_sub(self.own_ns).saturating_sub(servers_ns)
    }

    /// The same as a share of all there was.
    pub fn foreign_share(&self, servers_ns: u64) -> f64 {
        if self.all_ns == 0 { 0.0 } else { self.foreign_ns(servers_ns) as f64 / self.all_ns as f64 }
    }
}

/// The wall clock less the monotonic one, and the latter: of a few readings the one in which nothing came between.
fn clocks() -> (i128, i128) {
    let mut best = (i128::MAX, 0, 0);
    for _ in 0..READINGS {
        let before = nanos(ClockId::Monotonic);
        let wall = nanos(ClockId::Realtime);
        let after = nanos(ClockId::Monotonic);
        if after - before < best.0 {
            let middle = i128::midpoint(before, after);
            best = (after - before, wall - middle, middle);
        }
    }
    (best.1, best.2)
}

fn nanos(clock: ClockId) -> i128 {
    let t = clock_gettime(clock);
    i128::from(t.tv_sec) * 1_000_000_000 + i128::from(t.tv_nsec)
}

/// The number after `name` in a file of names and numbers.
fn counter(file: &str, name: &str) -> Option<u64> {
    value_of(&fs::read_to_string(file).ok()?, name)
}

fn value_of(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| {
        let mut words = line.split_ascii_whitespace();
        (words.next() == Some(name)).then(|| words.next()?.parse().ok()).flatten()
    })
}

/// How long this process' control group was kept from running by its own limit.
fn throttled() -> Option<u64> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    groups.lines().find_map(|line| {
        let mut parts = line.splitn(3, ':').skip(1);
        let (controllers, path) = (parts.next()?, parts.next()?.trim_start_matches('/'));
        let (root, name, unit_ns) = match controllers {
            "" => ("/sys/fs/cgroup", "throttled_usec", 1000),
            list if list.split(',').any(|c| c == "cpu") => {
                ("/sys/fs/cgroup/cpu", "throttled_time", 1)
            }
            _ => return None,
        };
        let file = Path::new(root).join(path).join("cpu.stat");
        Some(value_of(&fs::read_to_string(file).ok()?, name)? * unit_ns)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passed_is_the_difference_and_shares_are_of_all_processors() {
        let before = Machine {
            busy_ns: 10,
            steal_ns: 0,
            all_ns: 100,
            own_ns: 5,
            swapped_in_pages: Some(7),
            throttled_ns: Some(50),
            clock_offset_ns: 1_000,
            at_ns: 0,
        };
        let after = Machine {
            busy_ns: 90,
            steal_ns: 4,
            all_ns: 300,
            own_ns: 15,
            swapped_in_pages: Some(9),
            throttled_ns: Some(75),
            clock_offset_ns: -2_000,
            at_ns: 100,
        };
        let passed = after.since(&before);
        assert_eq!(passed.foreign_ns(30), 40);
        assert!((passed.foreign_share(30) - 0.2).abs() < 1e-12);
        assert!((passed.steal_share - 0.02).abs() < 1e-12);
        assert!((passed.throttled_share - 0.25).abs() < 1e-12);
        assert_eq!((passed.swapped_in_pages, passed.clock_step_ns), (2, 3_000));
        assert_eq!(passed.foreign_ns(1_000), 0, "ticks are coarser than what we count");
        assert_eq!(Machine::default().since(&Machine::default()), Passed::default());
    }

    #[test]
    fn this_machine_can_be_read_and_its_clock_stands_still_in_itself() {
        let before = machine().unwrap();
        let after = machine().unwrap();
        let passed = after.since(&before);
        assert!(passed.clock_step_ns < 5_000_000, "{passed:?}");
        assert!(after.own_ns > 0 && after.all_ns > 0);
        assert!(unwritten_bytes().is_some());
    }

    #[test]
    fn a_number_is_found_by_its_whole_name() {
        let text = "Dirty:   12 kB\nDirtyOther: 7\nthrottled_usec 99\n";
        assert_eq!(value_of(text, "Dirty:"), Some(12));
        assert_eq!(value_of(text, "throttled_usec"), Some(99));
        assert_eq!(value_of(text, "throttled"), None);
    }
}
