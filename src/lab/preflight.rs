//! What can be known before anything starts: is there a place for the results, and enough disk?

use std::fs;
use std::path::Path;

use super::event::Stop;
use crate::plan::Estimate;
use crate::units;

/// Share of the estimate that must be free beyond it.
const SLACK: f64 = 1.1;

/// Checks that `out` can be written and that `scratch` has room.
pub(super) fn check(out: &Path, scratch: &Path, estimate: &Estimate) -> Result<(), Stop> {
    writable(out)?;
    room(scratch, estimate.disk_bytes)
}

/// Writes and removes a file, because permissions alone do not tell (read-only mounts, quotas).
fn writable(dir: &Path) -> Result<(), Stop> {
    let probe = dir.join(format!(".querylab-{}.tmp", std::process::id()));
    fs::create_dir_all(dir)
        .and_then(|()| fs::write(&probe, b"querylab"))
        .and_then(|()| fs::remove_file(&probe))
        .map_err(|e| {
            Stop::Environment(format!(
                "cannot write results to {}: {e}; choose another folder with --out",
                dir.display()
            ))
        })
}

fn room(dir: &Path, needed_bytes: u64) -> Result<(), Stop> {
    let Some(existing) = dir.ancestors().find(|d| d.exists()) else { return Ok(()) };
    let stat = rustix::fs::statvfs(existing).map_err(|e| {
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
        assert_eq!(check(dir.path(), dir.path(), &small), Ok(()));
        assert!(
            matches!(check(dir.path(), dir.path(), &huge), Err(Stop::Environment(t)) if t.contains("needs about"))
        );
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "the probe file is gone");
    }

    #[test]
    fn a_place_that_cannot_be_written_is_said_before_anything_starts() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        fs::write(&file, b"x").unwrap();
        let none = Estimate::default();
        assert!(matches!(
            check(&file.join("results"), dir.path(), &none),
            Err(Stop::Environment(_))
        ));
    }
}
