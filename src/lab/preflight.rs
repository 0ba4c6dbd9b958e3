//! What can be known before anything starts: is there a place for the results, and enough disk?

use std::fs;
use std::path::{Path, PathBuf};

use super::event::Stop;
use crate::plan::Estimate;
use crate::stack::SharedMemory;
use crate::units;

/// Share of the estimate that must be free beyond it.
const SLACK: f64 = 1.1;

/// Checks that `out` can be written, that `scratch`, where the data will be, has room, and that each cell's Postgres finds
/// the shared memory that its settings want.
pub(super) fn check(
    out: &Path,
    scratch: &Path,
    estimate: &Estimate,
    memory: &[SharedMemory],
) -> Result<(), Stop> {
    writable(out)?;
    let mut files = 0;
    for cell in memory {
        match *cell {
            SharedMemory::Enough => {}
            // One server runs at a time.
            SharedMemory::InFiles(bytes) => files = files.max(bytes),
            SharedMemory::TooLittle { free, need } => {
                return Err(Stop::Environment(format!(
                    "/dev/shm has {} free, but Postgres may need {} of it with dynamic_shared_memory_type = posix: leave that setting out, or give the container more (docker run --shm-size=1g)",
                    units::bytes(free as f64),
                    units::bytes(need as f64),
                )));
            }
        }
    }
    room(scratch, estimate.disk_bytes.saturating_add(files))
}

/// Writes and removes a file, because permissions alone do not tell (read-only mounts, quotas).
///
/// A folder that is not there yet is not made for it: a run that is refused leaves nothing behind.
fn writable(dir: &Path) -> Result<(), Stop> {
    let probe = nearest(dir)
        .unwrap_or_else(|| dir.to_path_buf())
        .join(format!(".querylab-{}.tmp", std::process::id()));
    fs::write(&probe, b"querylab").and_then(|()| fs::remove_file(&probe)).map_err(|e| {
        Stop::Environment(format!(
            "cannot write results to {}: {e}; choose another folder with --out",
            dir.display()
        ))
    })
}

/// The folder itself, or the nearest one above it that is there. The last of a relative path's own ancestors is empty,
/// and is nowhere, so they are looked for from the root.
fn nearest(dir: &Path) -> Option<PathBuf> {
    let absolute = std::path::absolute(dir).ok()?;
    absolute.ancestors().find(|d| d.exists()).map(Path::to_path_buf)
}

fn room(dir: &Path, needed_bytes: u64) -> Result<(), Stop> {
    let Some(existing) = nearest(dir) else { return Ok(()) };
    let stat = rustix::fs::statvfs(&existing).map_err(|e| {
        Stop::Environment(format!("cannot see how much room {} has: {e}", existing.display()))
    })?;
    let free = stat.f_bavail.saturating_mul(stat.f_frsize);
    let needed = needed_bytes as f64 * SLACK;
    if (free as f64) < needed {
        return Err(Stop::Environment(format!(
            "{} has {} free, but the experiment needs about {}: use fewer rows (a profile) or another disk",
            existing.display(),
            units::bytes(free as f64),
            units::bytes(needed),
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_that_is_too_small_is_said_before_anything_starts() {
        let dir = tempfile::tempdir().unwrap();
        let small = Estimate { disk_bytes: 1, ..Estimate::default() };
        let huge = Estimate { disk_bytes: u64::MAX / 4, ..Estimate::default() };
        assert_eq!(check(dir.path(), dir.path(), &small, &[SharedMemory::Enough]), Ok(()));
        assert!(
            matches!(check(dir.path(), dir.path(), &huge, &[]), Err(Stop::Environment(t)) if t.contains("needs about"))
        );
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "the probe file is gone");
    }

    #[test]
    fn shared_memory_needs_its_room_in_files_or_in_memory() {
        let dir = tempfile::tempdir().unwrap();
        let judged = |memory| check(dir.path(), dir.path(), &Estimate::default(), &[memory]);
        assert_eq!(judged(SharedMemory::InFiles(1)), Ok(()));
        let files = judged(SharedMemory::InFiles(u64::MAX / 4));
        assert!(matches!(files, Err(Stop::Environment(t)) if t.contains("needs about")));
        let memory = judged(SharedMemory::TooLittle { free: 1 << 20, need: 1 << 28 });
        assert!(matches!(memory, Err(Stop::Environment(t)) if t.contains("/dev/shm")));
    }

    #[test]
    fn folders_that_are_not_there_yet_are_judged_by_what_is_above_them() {
        let none = Estimate::default();
        let missing = Path::new("nowhere-yet/1");
        assert_eq!(check(missing, Path::new("nowhere-yet"), &none, &[]), Ok(()));
        assert!(!Path::new("nowhere-yet").exists());
    }

    #[test]
    fn a_place_that_cannot_be_written_is_said_before_anything_starts() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        fs::write(&file, b"x").unwrap();
        let none = Estimate::default();
        assert!(matches!(
            check(&file.join("results"), dir.path(), &none, &[]),
            Err(Stop::Environment(_))
        ));
    }
}
