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
    fn an_index_build_needs_its_memory_for_each_worker() {
        let mut plan = ServerPlan::default();
        assert_eq!(shared_memory_need(&plan), 256 << 20);
        plan.settings.insert("maintenance_work_mem".into(), "1GB".into());
        assert_eq!(shared_memory_need(&plan), 3 << 30);
        plan.settings.insert("max_parallel_maintenance_workers".into(), "0".into());
        assert_eq!(shared_memory_need(&plan), 1 << 30);
    }
}
