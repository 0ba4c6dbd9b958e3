//! Who we are: the unprivileged user that servers run as, and the mark that makes a folder and its processes ours.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};

use super::error::{StackError, environment};
use super::procs;

/// Name of the mark.
pub(super) const OWNER_FILE: &str = ".querylab-owner";
/// Name of the guard's own mark beside it.
const GUARD_FILE: &str = ".querylab-guard";
/// The user of last resort, everywhere.
const NOBODY: (u32, u32) = (65_534, 65_534);

/// The user that servers run as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Identity {
    /// Name, or the number where it has none.
    pub name: String,
    /// User id; never 0.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
    /// Whether we are root and must drop to it.
    pub drops: bool,
}

impl Identity {
    /// User and group to drop to, if we must.
    pub(super) fn target(&self) -> Option<(u32, u32)> {
        self.drops.then_some((self.uid, self.gid))
    }
}

/// What the choice of the user rests on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Applicant<'a> {
    /// Text of /etc/passwd.
    pub passwd: &'a str,
    /// Our own user and group.
    pub own: (u32, u32),
    /// `--run-as`.
    pub requested: Option<&'a str>,
    /// `SUDO_UID`.
    pub sudo_uid: Option<u32>,
}

/// Chooses the user: as root the one asked for, else the one behind sudo, else nobody; as anybody else ourselves.
pub(super) fn choose(
    a: &Applicant<'_>,
    home_is_there: &dyn Fn(&Path) -> bool,
) -> Result<Identity, StackError> {
    let no = |text: String| Err(StackError::Environment(text));
    let named = |user: &Passwd| Identity {
        name: user.name.clone(),
        uid: user.uid,
        gid: user.gid,
        drops: true,
    };
    if a.own.0 != 0 {
        let myself = Identity {
            name: by_uid(a.passwd, a.own.0).map_or_else(|| a.own.0.to_string(), |u| u.name),
            uid: a.own.0,
            gid: a.own.1,
            drops: false,
        };
        return match a.requested {
            Some(name) if name != myself.name && name != myself.uid.to_string() => no(format!(
                "--run-as {name}: only root can start servers as another user (this is {})",
                myself.name
            )),
            _ => Ok(myself),
        };
    }
    if let Some(name) = a.requested {
        let user = entries(a.passwd).find(|u| u.name == name || u.uid.to_string() == name);
        return match user {
            None => no(format!("--run-as {name}: there is no such user in /etc/passwd")),
            Some(u) if u.uid == 0 => no("--run-as root: servers never run as root".into()),
            Some(u) => Ok(named(&u)),
        };
    }
    let behind_sudo = a
        .sudo_uid
        .filter(|uid| *uid != 0)
        .and_then(|uid| by_uid(a.passwd, uid))
        .filter(|u| home_is_there(Path::new(&u.home)));
    if let Some(user) = behind_sudo {
        return Ok(named(&user));
    }
    let nobody = entries(a.passwd).find(|u| u.name == "nobody" && u.uid != 0);
    Ok(nobody.map_or_else(
        || Identity { name: "nobody".into(), uid: NOBODY.0, gid: NOBODY.1, drops: true },
        |u| named(&u),
    ))
}

/// Chooses the user on this machine.
pub(super) fn decide(
    requested: Option<&str>,
    sudo_uid: Option<u32>,
) -> Result<Identity, StackError> {
    let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let own = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    choose(&Applicant { passwd: &passwd, own, requested, sudo_uid }, &Path::is_dir)
}

struct Passwd {
    name: String,
    uid: u32,
    gid: u32,
    home: String,
}

fn entries(passwd: &str) -> impl Iterator<Item = Passwd> {
    passwd.lines().filter_map(|line| {
        let f: Vec<&str> = line.split(':').collect();
        Some(Passwd {
            name: (*f.first()?).to_owned(),
            uid: f.get(2)?.parse().ok()?,
            gid: f.get(3)?.parse().ok()?,
            home: (*f.get(5)?).to_owned(),
        })
    })
}

fn by_uid(passwd: &str, uid: u32) -> Option<Passwd> {
    entries(passwd).find(|u| u.uid == uid)
}

/// The mark: who made a folder. A pid alone is no identity, so its start and the boot go with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Owner {
    /// The run.
    pub run_id: String,
    /// The process that made it.
    pub pid: i32,
    /// Its start, in clock ticks since boot.
    pub start: u64,
    /// The boot of the machine.
    pub boot: String,
    /// Name of our program's file, by which the API's processes are known.
    pub program: String,
    /// In which numbers its pid is one: containers may share a folder, and each counts its processes by itself.
    #[serde(default)]
    pub namespace: Option<String>,
}

impl Owner {
    /// The mark of this process.
    pub(super) fn ourselves(run_id: &str) -> Self {
        let pid = i32::try_from(std::process::id()).unwrap_or_default();
        Self {
            run_id: run_id.to_owned(),
            pid,
            start: procs::read(pid).map_or(0, |p| p.start),
            boot: procs::boot_id(),
            program: procs::program_name(pid).unwrap_or_default(),
            namespace: procs::pid_namespace(),
        }
    }

    /// Whether the very process that made the mark in this file is still alive. Of a process that can't be seen from here,
    /// that it holds its mark is the sign of life.
    fn is_alive(&self, mark: &Path) -> bool {
        if self.boot != procs::boot_id() {
            return false;
        }
        if self.can_be_seen() { procs::is_alive(self.pid, self.start) } else { is_held(mark) }
    }

    /// Whether its maker lives.
    pub(super) fn is_alive_in(&self, folder: &Path) -> bool {
        self.is_alive(&folder.join(OWNER_FILE))
    }

    /// Whether it, a guard's mark, has its maker alive.
    pub(super) fn guards(&self, folder: &Path) -> bool {
        self.is_alive(&folder.join(GUARD_FILE))
    }

    /// Whether its pid means the same process here. Marks of older versions do not say.
    pub(super) fn can_be_seen(&self) -> bool {
        self.namespace.is_none() || self.namespace == procs::pid_namespace()
    }

    /// The marks of a folder: its maker's and, if it came so far, its guard's. None: the folder is not ours.
    pub(super) fn of(folder: &Path) -> Option<(Self, Option<Self>)> {
        Some((read_mark(&folder.join(OWNER_FILE))?, read_mark(&folder.join(GUARD_FILE))))
    }
}

fn read_mark(path: &Path) -> Option<Owner> {
    serde_json::from_reader(open_own(path).ok()?).ok()
}

/// Opens a small file, if it is a file of ours and no link.
pub(super) fn open_own(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().read(true).custom_flags(NO_FOLLOW).open(path)?;
    let meta = file.metadata()?;
    if meta.uid() != rustix::process::geteuid().as_raw() || meta.len() > 4096 {
        return Err(io::Error::other("belongs to somebody else, or is too long"));
    }
    Ok(file)
}

/// Writes the mark of a new folder. Whoever lives keeps it open: it is locked, and the kernel unlocks it at the end.
pub(super) fn mark(folder: &Path, owner: &Owner) -> io::Result<File> {
    held(append_private(&folder.join(OWNER_FILE))?, owner)
}

/// Adds the guard's mark to a folder that has one, to be kept open like it.
pub(super) fn add_guard(folder: &Path) -> io::Result<File> {
    let run_id = Owner::of(folder).map(|(o, _)| o.run_id);
    let run_id = run_id.ok_or_else(|| io::Error::other("the run's folder has no mark"))?;
    held(append_private(&folder.join(GUARD_FILE))?, &Owner::ourselves(&run_id))
}

fn held(mut file: File, owner: &Owner) -> io::Result<File> {
    flock(&file, FlockOperation::NonBlockingLockShared)?;
    file.write_all(&serde_json::to_vec(owner)?)?;
    Ok(file)
}

/// Whether somebody holds a mark. One that is not there is nobody's.
fn is_held(mark: &Path) -> bool {
    open_own(mark).is_ok_and(|file| flock(&file, FlockOperation::NonBlockingLockExclusive).is_err())
}

const NO_FOLLOW: i32 = rustix::fs::OFlags::NOFOLLOW.bits().cast_signed();

/// Opens a file of our own for appending; made readable for us only, never through a link.
pub(super) fn append_private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    let file = options.append(true).create(true).mode(0o600).custom_flags(NO_FOLLOW).open(path)?;
    // The umask may have taken even our own permissions away.
    file.set_permissions(fs::Permissions::from_mode(0o600))?;
    Ok(file)
}

/// Makes a folder with exactly this mode, whatever the umask, and gives it to the user.
pub(super) fn make_folder(
    path: &Path,
    mode: u32,
    owner: Option<(u32, u32)>,
) -> Result<(), StackError> {
    let what = || format!("cannot make {}", path.display());
    fs::DirBuilder::new().mode(0o700).create(path).map_err(|e| environment(&what(), e))?;
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
        .map_err(|e| environment(&what(), e))?;
    if let Some((uid, gid)) = owner {
        std::os::unix::fs::chown(path, Some(uid), Some(gid))
            .map_err(|e| environment(&what(), e))?;
    }
    Ok(())
}

/// Writes a file that only the servers' user can read (and root). An old one of that name is replaced.
pub(super) fn write_private(
    path: &Path,
    text: &str,
    identity: &Identity,
) -> Result<(), StackError> {
    let what = || format!("cannot write {}", path.display());
    let fresh = path.with_extension("new");
    drop(fs::remove_file(&fresh));
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .custom_flags(NO_FOLLOW)
        .open(&fresh)
        .map_err(|e| environment(&what(), e))?;
    file.set_permissions(fs::Permissions::from_mode(0o600))
        .and_then(|()| file.write_all(text.as_bytes()))
        .map_err(|e| environment(&what(), e))?;
    if let Some((uid, gid)) = identity.target() {
        std::os::unix::fs::fchown(&file, Some(uid), Some(gid))
            .map_err(|e| environment(&what(), e))?;
    }
    fs::rename(&fresh, path).map_err(|e| environment(&what(), e))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/bash\n\
        nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n\
        ada:x:1000:1001:Ada,,,:/home/ada:/bin/bash\nbroken line\n";

    fn chosen(own: u32, requested: Option<&str>, sudo: Option<u32>) -> Result<String, StackError> {
        let a = Applicant { passwd: PASSWD, own: (own, own), requested, sudo_uid: sudo };
        choose(&a, &|home| home == Path::new("/home/ada"))
            .map(|i| format!("{} {}:{} {}", i.name, i.uid, i.gid, i.drops))
    }

    #[test]
    fn root_becomes_nobody() {
        assert_eq!(chosen(0, None, None).as_deref(), Ok("nobody 65534:65534 true"));
    }

    #[test]
    fn root_by_sudo_becomes_the_user_behind_it() {
        assert_eq!(chosen(0, None, Some(1000)).as_deref(), Ok("ada 1000:1001 true"));
        assert_eq!(chosen(0, None, Some(0)).as_deref(), Ok("nobody 65534:65534 true"));
        assert_eq!(chosen(0, None, Some(77)).as_deref(), Ok("nobody 65534:65534 true"));
    }

    #[test]
    fn root_becomes_whom_it_is_told_but_never_root() {
        assert_eq!(chosen(0, Some("ada"), Some(77)).as_deref(), Ok("ada 1000:1001 true"));
        assert_eq!(chosen(0, Some("1000"), None).as_deref(), Ok("ada 1000:1001 true"));
        assert!(chosen(0, Some("root"), None).is_err());
        assert!(chosen(0, Some("0"), None).is_err());
        assert!(chosen(0, Some("eve"), None).is_err());
    }

    #[test]
    fn a_user_stays_who_he_is() {
        assert_eq!(chosen(1000, None, None).as_deref(), Ok("ada 1000:1000 false"));
        assert_eq!(chosen(1000, Some("ada"), None).as_deref(), Ok("ada 1000:1000 false"));
        assert!(chosen(1000, Some("nobody"), None).is_err());
        assert_eq!(chosen(4242, None, None).as_deref(), Ok("4242 4242:4242 false"));
    }

    #[test]
    fn a_folder_without_a_mark_is_nobodys() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        assert_eq!(Owner::of(folder.path()), None);
        fs::write(folder.path().join(OWNER_FILE), "{}").expect("written");
        assert_eq!(Owner::of(folder.path()), None);
    }

    #[test]
    fn the_mark_of_a_living_process_says_so_and_of_another_boot_does_not() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut owner = Owner::ourselves("run-1");
        let held = mark(folder.path(), &owner).expect("written");
        let (read, guard) = Owner::of(folder.path()).expect("marked");
        assert_eq!((&read, guard), (&owner, None));
        assert!(read.is_alive_in(folder.path()));
        // Of another container its number says nothing, but it holds its mark until it ends.
        owner.namespace = Some("pid:[1]".into());
        owner.pid = i32::MAX - 1;
        assert!(!owner.can_be_seen() && owner.is_alive_in(folder.path()));
        drop(held);
        assert!(!owner.is_alive_in(folder.path()));
        assert!(read.is_alive_in(folder.path()));
        owner.boot = "another".into();
        assert!(!owner.is_alive_in(folder.path()));
    }
}
