//! What the servers' room takes from the environment, read once at the door and handed in as values.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::error::StackError;
use super::scratch;

/// The environment as far as it matters here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Surroundings {
    /// Folders of `PATH`.
    pub path: Vec<PathBuf>,
    /// `HOME`.
    pub home: Option<PathBuf>,
    /// `XDG_CACHE_HOME`.
    pub xdg_cache_home: Option<PathBuf>,
    /// `QUERYLAB_CACHE_DIR`.
    pub cache_dir: Option<PathBuf>,
    /// `QUERYLAB_SCRATCH_DIR`.
    pub scratch_base: Option<PathBuf>,
    /// `SUDO_UID`.
    pub sudo_uid: Option<u32>,
    /// The program that has the verbs `__guard` and `__child`, where that is not the running one: in tests, and for
    /// others who use this library.
    pub program: Option<PathBuf>,
    /// The port that Nginx listens on; a free one if left out.
    pub nginx_port: Option<u16>,
}

impl Surroundings {
    /// Reads them with `lookup`, which is `std::env::var_os` at the door and a list in tests.
    pub fn read(lookup: &dyn Fn(&str) -> Option<OsString>) -> Self {
        let folder = |name: &str| lookup(name).filter(|v| !v.is_empty()).map(PathBuf::from);
        let absolute = |name: &str| folder(name).filter(|p| p.is_absolute());
        let path = lookup("PATH").unwrap_or_default();
        Self {
            path: std::env::split_paths(&path).filter(|p| p.is_absolute()).collect(),
            home: absolute("HOME"),
            xdg_cache_home: absolute("XDG_CACHE_HOME"),
            cache_dir: folder("QUERYLAB_CACHE_DIR"),
            scratch_base: folder("QUERYLAB_SCRATCH_DIR"),
            sudo_uid: lookup("SUDO_UID").and_then(|v| v.to_str()?.parse().ok()),
            program: None,
            nginx_port: None,
        }
    }

    /// Where runs have their folders, the data in them: it is made, if it is not there.
    pub fn scratch(&self, uid: u32) -> Result<PathBuf, StackError> {
        scratch::base(self.scratch_base.as_deref(), uid)
    }

    /// querylab's cache: as root one for the machine, that the unprivileged user can read; else the user's own.
    pub fn cache(&self, uid: u32) -> Result<PathBuf, StackError> {
        if let Some(dir) = &self.cache_dir {
            return std::path::absolute(dir).map_err(|e| {
                StackError::Environment(format!("QUERYLAB_CACHE_DIR ({}): {e}", dir.display()))
            });
        }
        if uid == 0 {
            return Ok(PathBuf::from("/var/cache/querylab"));
        }
        let own = |base: &Path| base.join("querylab");
        match (&self.xdg_cache_home, self.home.as_ref().filter(|h| h.is_dir())) {
            (Some(xdg), _) => Ok(own(xdg)),
            (None, Some(home)) => Ok(own(&home.join(".cache"))),
            // Service users have homes that are not there.
            (None, None) => Ok(PathBuf::from(format!("/var/tmp/querylab-{uid}/.cache"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(values: &[(&str, &str)]) -> Surroundings {
        Surroundings::read(&|name| {
            values.iter().find(|(n, _)| *n == name).map(|(_, v)| OsString::from(v))
        })
    }

    #[test]
    fn an_explicit_cache_wins_over_everything() {
        let s = with(&[("QUERYLAB_CACHE_DIR", "/c"), ("XDG_CACHE_HOME", "/x"), ("HOME", "/h")]);
        assert_eq!(s.cache(0), Ok(PathBuf::from("/c")));
        assert_eq!(s.cache(1000), Ok(PathBuf::from("/c")));
    }

    #[test]
    fn the_cache_of_root_is_no_folder_of_root() {
        assert_eq!(with(&[("HOME", "/root")]).cache(0), Ok(PathBuf::from("/var/cache/querylab")));
    }

    #[test]
    fn without_a_home_there_still_is_a_cache() {
        let shared = Ok(PathBuf::from("/var/tmp/querylab-7/.cache"));
        assert_eq!(with(&[]).cache(7), shared);
        assert_eq!(with(&[("HOME", "/nonexistent")]).cache(7), shared);
    }

    #[test]
    fn relative_and_empty_folders_of_the_path_are_left_out() {
        let s = with(&[("PATH", "/usr/bin::bin:/usr/sbin")]);
        assert_eq!(s.path, [PathBuf::from("/usr/bin"), PathBuf::from("/usr/sbin")]);
    }
}
