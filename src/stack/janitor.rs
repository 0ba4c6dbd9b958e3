//! Clears up behind runs that died together with their guard: folders whose maker is dead, and the processes that are
//! known by that guard's session or by Postgres' own working directory. Anything else is somebody else's.

use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fs, io};

use tokio::time::{Instant, sleep};

use super::identity::{OWNER_FILE, Owner};
use super::scratch::UNMARKED;
use super::{procs, shared_memory};

/// How long a guard that is still clearing up is left alone.
const GUARD_PATIENCE: Duration = Duration::from_secs(10);
/// Longer than any maker takes from a folder to its mark.
const MARKING: Duration = Duration::from_mins(1);
/// Signals for what is left, and the time for each: never a kill before Postgres could give up its shared memory.
const STEPS: [(i32, Duration); 3] =
    [(INT, Duration::from_secs(2)), (QUIT, Duration::from_secs(1)), (KILL, Duration::from_secs(2))];
const INT: i32 = 2;
const QUIT: i32 = 3;
const KILL: i32 = 9;

/// What the janitor did, one line each, for people.
pub(super) async fn sweep(base: &Path) -> Vec<String> {
    let mut done = Vec::new();
    let Ok(entries) = fs::read_dir(base) else { return done };
    for folder in entries.filter_map(|e| Some(e.ok()?.path())) {
        forget_unmarked(&folder);
        let Some((owner, guard)) = Owner::of(&folder) else { continue };
        if owner.is_alive_in(&folder) {
            continue;
        }
        if let Some(line) = clear(&folder, guard.as_ref()).await {
            done.push(line);
        }
    }
    done
}

/// A folder whose maker died before it could leave its mark is known by its age: the pid of a maker in another container is
/// nobody's here, or somebody else's.
fn forget_unmarked(folder: &Path) {
    let is_unmarked = folder
        .file_name()
        .and_then(|name| name.to_str())
        .is_some_and(|name| name.starts_with(UNMARKED));
    let modified = fs::symlink_metadata(folder).and_then(|meta| meta.modified());
    let is_old = modified.is_ok_and(|at| at.elapsed().is_ok_and(|age| age >= MARKING));
    let is_alive = Owner::of(folder).is_some_and(|(owner, _)| owner.is_alive_in(folder));
    if is_unmarked && is_old && !is_alive {
        drop(fs::remove_file(folder.join(OWNER_FILE)));
        drop(fs::remove_dir(folder));
    }
}

async fn clear(folder: &Path, guard: Option<&Owner>) -> Option<String> {
    let until = Instant::now() + GUARD_PATIENCE;
    while guard.is_some_and(|guard| guard.guards(folder)) && Instant::now() < until {
        sleep(Duration::from_millis(100)).await;
    }
    let killed = end_processes(folder, guard).await;
    if !folder.exists() {
        return None;
    }
    let removed = remove_scratch(folder);
    let name = folder.display();
    let helped = if killed == 0 { String::new() } else { format!(", ended {killed} processes") };
    Some(match removed {
        Ok(()) => format!("cleared up behind a run that died: {name}{helped}"),
        Err(error) => format!("cannot clear up {name}: {error}{helped}"),
    })
}

/// Ends whatever is left of a run; tells how many that were.
pub(super) async fn end_processes(folder: &Path, guard: Option<&Owner>) -> usize {
    let mut signalled = 0;
    for (signal, patience) in STEPS {
        let left = ours(folder, guard);
        if left.is_empty() {
            return signalled;
        }
        signalled = signalled.max(left.len());
        let until = Instant::now() + patience;
        for pid in &left {
            procs::signal(*pid, signal);
        }
        while Instant::now() < until && !ours(folder, guard).is_empty() {
            sleep(Duration::from_millis(20)).await;
        }
    }
    signalled
}

/// Processes that are certainly of this run: they are in its guard's session (no pid is given out again while it still
/// names a session), or they are Postgres at work in this folder.
pub(super) fn ours(folder: &Path, guard: Option<&Owner>) -> Vec<i32> {
    // The cluster may lie elsewhere; the link to it was made by us, in a folder where nobody else can make one.
    let elsewhere = fs::read_link(folder.join("data")).ok().filter(|to| to.is_absolute());
    // A pid of another boot or of another container is somebody else's here.
    let same_boot = guard.filter(|g| g.boot == procs::boot_id() && g.can_be_seen());
    procs::all()
        .into_iter()
        .filter(|p| {
            same_boot.is_some_and(|g| p.session == g.pid && p.start >= g.start)
                || ((procs::works_in(p.pid, folder)
                    || elsewhere.as_ref().is_some_and(|data| procs::works_in(p.pid, data)))
                    && procs::program_name(p.pid).as_deref() == Some("postgres"))
        })
        .map(|p| p.pid)
        .collect()
}

/// Removes a run's folder, after a look at its mark; links in it are removed, not followed. Shared memory that its
/// Postgres could not give back goes with it.
pub(super) fn remove_scratch(folder: &Path) -> io::Result<()> {
    if Owner::of(folder).is_none() {
        return Err(io::Error::other(format!("{} has no mark of ours", folder.display())));
    }
    shared_memory::give_back(folder);
    for entry in fs::read_dir(folder)? {
        let path: PathBuf = entry?.path();
        if path.ends_with(OWNER_FILE) {
            continue;
        }
        if fs::symlink_metadata(&path)?.is_dir() {
            fs::remove_dir_all(&path)?;
        } else {
            fs::remove_file(&path)?;
        }
    }
    // The mark goes last, so that an interrupted removal is finished by the next janitor.
    fs::remove_file(folder.join(OWNER_FILE))?;
    fs::remove_dir(folder)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stack::identity::mark;

    fn dead_owner() -> Owner {
        Owner { boot: "an earlier boot".into(), ..Owner::ourselves("dead") }
    }

    #[tokio::test]
    async fn a_dead_runs_folder_goes_and_a_living_ones_and_a_strangers_stay() {
        let base = tempfile::tempdir().expect("a temporary folder");
        let [dead, alive, strange] = ["dead", "alive", "strange"].map(|n| base.path().join(n));
        for folder in [&dead, &alive, &strange] {
            fs::create_dir(folder).expect("made");
            fs::create_dir(folder.join("data")).expect("made");
        }
        drop(mark(&dead, &dead_owner()).expect("marked"));
        let _held = mark(&alive, &Owner::ourselves("alive")).expect("marked");
        let done = sweep(base.path()).await;
        assert_eq!(done.len(), 1, "{done:?}");
        assert!(!dead.exists());
        assert!(alive.join("data").exists());
        assert!(strange.join("data").exists());
    }

    #[tokio::test]
    async fn a_folder_that_waits_for_its_mark_goes_only_when_it_is_old() {
        let base = tempfile::tempdir().expect("a temporary folder");
        // Whoever has the pid here, it need not be the maker.
        let folder = |name: &str| base.path().join(format!("{UNMARKED}1-{name}"));
        let [young, old] = ["young", "old"].map(folder);
        for folder in [&young, &old] {
            fs::create_dir(folder).expect("made");
        }
        let then = std::time::UNIX_EPOCH;
        fs::File::open(&old).and_then(|folder| folder.set_modified(then)).expect("made old");
        assert!(sweep(base.path()).await.is_empty(), "nothing was cleared up behind");
        assert!(young.exists());
        assert!(!old.exists());
    }

    #[test]
    fn a_folder_without_our_mark_is_not_removed() {
        let base = tempfile::tempdir().expect("a temporary folder");
        assert!(remove_scratch(base.path()).is_err());
        assert!(base.path().exists());
    }

    #[test]
    fn what_a_link_in_the_folder_points_to_stays() {
        let base = tempfile::tempdir().expect("a temporary folder");
        let (precious, run) = (base.path().join("precious"), base.path().join("run"));
        fs::create_dir_all(precious.join("sub")).expect("made");
        fs::create_dir_all(run.join("data")).expect("made");
        std::os::unix::fs::symlink(&precious, run.join("link")).expect("linked");
        std::os::unix::fs::symlink(&precious, run.join("data/link")).expect("linked");
        drop(mark(&run, &dead_owner()).expect("marked"));
        remove_scratch(&run).expect("removed");
        assert!(!run.exists());
        assert!(precious.join("sub").exists());
    }
}
