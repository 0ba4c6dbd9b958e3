//! What machine this is, for the manifest; and what identifies a process beyond its pid.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context, Result};
use procfs::process::Process;
use rustix::thread::{CpuSet, sched_getaffinity};

/// The boot that process ids belong to.
///
/// # Errors
///
/// If the kernel does not say.
pub fn boot_id() -> Result<String> {
    let id =
        fs::read_to_string("/proc/sys/kernel/random/boot_id").context("cannot read the boot id")?;
    Ok(id.trim().to_owned())
}

/// In which numbers our pids are; none where the kernel does not say.
pub fn pid_namespace() -> Option<String> {
    let link = fs::read_link("/proc/self/ns/pid").ok()?;
    Some(link.to_string_lossy().into_owned())
}

/// When a process started, in clock ticks since boot; none if it has ended.
pub fn start_ticks(pid: u32) -> Option<u64> {
    let stat = Process::new(i32::try_from(pid).ok()?).ok()?.stat().ok()?;
    // A zombie has ended, whoever may still reap it.
    (stat.state != 'Z' && stat.state != 'X').then_some(stat.starttime)
}

/// The last so many of the processors that this process may run on; none named where it may run on no more than those, or
/// where no number is wanted. The first one is left to the machine: it usually serves the interrupts.
///
/// # Errors
///
/// If the kernel does not say.
pub fn processors(wanted: Option<u32>) -> Result<Vec<usize>> {
    let Some(wanted) = wanted else { return Ok(Vec::new()) };
    let allowed = sched_getaffinity(None).context("cannot read which processors may be used")?;
    let numbers = (0..CpuSet::MAX_CPU).filter(|number| allowed.is_set(*number));
    Ok(last_of(numbers.collect(), wanted))
}

fn last_of(mut numbers: Vec<usize>, wanted: u32) -> Vec<usize> {
    let wanted = usize::try_from(wanted).unwrap_or(usize::MAX);
    match numbers.len().checked_sub(wanted) {
        None | Some(0) => Vec::new(),
        Some(first) => numbers.split_off(first),
    }
}

/// Processor, memory, kernel and the like, as short texts. Nothing that names the machine or its user.
pub fn host() -> BTreeMap<String, String> {
    let mut host = BTreeMap::new();
    let read = |path: &str| fs::read_to_string(path).ok();
    if let Some(cpuinfo) = read("/proc/cpuinfo") {
        let model =
            cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
        if let Some((_, model)) = model {
            host.insert("cpu_model".into(), model.trim().to_owned());
        }
        let virtual_machine = cpuinfo.contains(" hypervisor");
        host.insert("virtual_machine".into(), if virtual_machine { "yes" } else { "no" }.into());
    }
    if let Ok(cores) = std::thread::available_parallelism() {
        host.insert("cores".into(), cores.to_string());
    }
    if let Some(meminfo) = read("/proc/meminfo") {
        let total = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"));
        let kb: Option<u64> = total.and_then(|t| t.trim().strip_suffix("kB")?.trim().parse().ok());
        if let Some(kb) = kb {
            host.insert("memory_bytes".into(), (kb * 1024).to_string());
        }
    }
    if let Some(release) = read("/proc/sys/kernel/osrelease") {
        host.insert("kernel".into(), release.trim().to_owned());
    }
    if let Some(os) = read("/etc/os-release") {
        let name = os.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="));
        if let Some(name) = name {
            host.insert("os".into(), name.trim_matches('"').to_owned());
        }
    }
    if let Some(governor) = read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor") {
        host.insert("cpu_governor".into(), governor.trim().to_owned());
    }
    if let Some(load) = read("/proc/loadavg") {
        host.insert("load_average_before".into(), load.split(' ').next().unwrap_or("").to_owned());
    }
    host
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_processors_are_taken_and_none_is_named_where_that_would_be_all() {
        assert_eq!(last_of(vec![0, 1, 4, 5], 1), [5]);
        assert_eq!(last_of(vec![0, 1, 4, 5], 3), [1, 4, 5]);
        assert!(last_of(vec![0, 1], 2).is_empty() && last_of(vec![0, 1], 9).is_empty());
        assert!(processors(None).expect("no question").is_empty());
        assert!(processors(Some(1024)).expect("the kernel says").is_empty());
    }

    #[test]
    fn this_process_has_started_and_nobody_with_an_impossible_pid_has() {
        assert!(start_ticks(std::process::id()).is_some());
        assert_eq!(start_ticks(u32::MAX), None);
        assert_eq!(boot_id().unwrap().len(), 36);
    }

    #[test]
    fn the_machine_is_described_by_its_cores_and_memory() {
        let host = host();
        assert!(host["cores"].parse::<u32>().unwrap() >= 1);
        assert!(host["memory_bytes"].parse::<u64>().unwrap() > 1 << 26);
    }
}
