//! How much room there is: on a file system, and in shared memory beside what Postgres may need.

use std::path::Path;

use super::amounts::bytes as bytes_of;
use crate::plan::ServerPlan;

/// Shared memory that Postgres' parallel workers may need at least, in bytes.
const SHARED_MEMORY: u64 = 256 << 20;

/// What a folder's file system has free for us.
pub(super) fn free_bytes(folder: &Path) -> Option<u64> {
    let room = rustix::fs::statvfs(folder).ok()?;
    Some(room.f_bavail.saturating_mul(room.f_frsize))
}

/// Where the memory of Postgres' parallel workers will be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SharedMemory {
    /// In memory that has room for it.
    Enough,
    /// In files beside the data, of so many bytes at most.
    InFiles(u64),
    /// In /dev/shm, as the settings want it, and there is too little.
    TooLittle {
        /// Bytes free.
        free: u64,
        /// Bytes that may be needed.
        need: u64,
    },
}

impl SharedMemory {
    /// What a server with these settings will do on this machine.
    pub fn of(plan: &ServerPlan) -> Self {
        let wanted = plan.settings.get("dynamic_shared_memory_type").map(String::as_str);
        Self::judged(wanted, shared_memory_is_short(plan), shared_memory_need(plan))
    }

    fn judged(wanted: Option<&str>, short: Option<(u64, u64)>, need: u64) -> Self {
        match (wanted, short) {
            (Some("mmap"), _) | (None, Some(_)) => Self::InFiles(need),
            (Some("posix"), Some((free, need))) => Self::TooLittle { free, need },
            // That of System V has limits of its own.
            _ => Self::Enough,
        }
    }
}

/// What /dev/shm has free and what Postgres' parallel workers may need, in bytes, where that is not enough.
pub(super) fn shared_memory_is_short(plan: &ServerPlan) -> Option<(u64, u64)> {
    let free = free_bytes(Path::new("/dev/shm")).unwrap_or(0);
    let need = shared_memory_need(plan);
    (free < need).then_some((free, need))
}

fn shared_memory_need(plan: &ServerPlan) -> u64 {
    let bytes = |name: &str, default: u64| {
        plan.settings.get(name).and_then(|v| bytes_of(v)).unwrap_or(default)
    };
    let count = |name: &str, default: u64| {
        plan.settings.get(name).and_then(|v| v.parse().ok()).unwrap_or(default)
    };
    let workers = count("max_parallel_maintenance_workers", 2) + 1;
    bytes("maintenance_work_mem", 64 << 20).saturating_mul(workers).max(SHARED_MEMORY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_that_is_too_small_is_an_error_only_where_it_was_asked_for() {
        let short = Some((1, 9));
        let judged = SharedMemory::judged;
        assert_eq!(judged(None, None, 9), SharedMemory::Enough);
        assert_eq!(judged(None, short, 9), SharedMemory::InFiles(9));
        assert_eq!(judged(Some("mmap"), None, 9), SharedMemory::InFiles(9));
        let too_little = SharedMemory::TooLittle { free: 1, need: 9 };
        assert_eq!(judged(Some("posix"), short, 9), too_little);
        assert_eq!(judged(Some("sysv"), short, 9), SharedMemory::Enough);
    }

    #[test]
    fn an_index_build_needs_its_memory_for_each_worker() {
        let mut plan = ServerPlan::default();
        assert_eq!(shared_memory_need(&plan), 256 << 20);
        plan.settings.insert("maintenance_work_mem".into(), "1GB".into());
        assert_eq!(shared_memory_need(&plan), 3 << 30);
        plan.settings.insert("max_parallel_maintenance_workers".into(), "0".into());
        assert_eq!(shared_memory_need(&plan), 1 << 30);
    }
}
