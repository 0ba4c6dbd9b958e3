//! Files that Nginx serves itself: what lies in their folder, with its digests, and addresses that nothing else answers.
//!
//! Only regular files are served, by name: what is a link, a pipe or hidden has no way into a run's folder.

use std::fs::{self, File, FileType};
use std::io::Read as _;
use std::path::Path;

use sha2::{Digest, Sha256};

use super::migrations::relative;
use super::notes::Notes;
use super::types::{StaticFile, StaticPlan};
use super::view::View;
use super::{codes, routes};
use crate::units::hex;

const KEY: [&str; 4] = ["services", "nginx", "static", "folder"];
/// Each run has a copy of them, and a mistyped path may lead anywhere.
const MOST_FILES: usize = 1000;
/// All of them together, in bytes.
const MOST_BYTES: u64 = 64 << 20;
/// Folders below folders.
const DEEPEST: usize = 16;
/// Bytes of a name: with the run's folder before it, a path that every system takes.
const LONGEST_NAME: usize = 200;

/// Why a folder cannot be served: its number, what is wrong, and what to do.
#[derive(Debug, PartialEq, Eq)]
struct Refused(&'static str, String, &'static str);

/// What a folder has: its files by name, and whether there is room for more.
#[derive(Debug, Default)]
struct Found {
    files: Vec<StaticFile>,
    bytes: u64,
}

/// What Nginx serves itself as a variant sees it; none where the file says nothing of it, or it is wrong, which is noted.
pub(super) fn resolve(notes: &mut Notes<'_>, view: &View<'_>) -> Option<StaticPlan> {
    let asked = view.document.services.nginx.r#static.as_ref()?;
    check_path(notes, view, &asked.path);
    let read = if relative(&asked.folder) {
        read(&notes.dir().join(&asked.folder))
    } else {
        let what = "the folder of static files is not a relative path".to_owned();
        let help = "name a folder relative to this file, like `\"../static\"`";
        Err(Refused(codes::PATH, what, help))
    };
    match read {
        Ok(files) => {
            let (path, folder) = (asked.path.clone(), asked.folder.clone());
            Some(StaticPlan { path, folder, files })
        }
        Err(Refused(code, what, help)) => {
            let path = notes.path_of(view.name, &KEY);
            notes.error(code, &path, what, help);
            None
        }
    }
}

/// Nginx answers for all that begins with the path: nothing else may be asked for there.
fn check_path(notes: &mut Notes<'_>, view: &View<'_>, path: &str) {
    let here = notes.path_of(view.name, &["services", "nginx", "static", "path"]);
    if let Some(taken) = routes::reserved(path) {
        let what = format!("the API itself answers `{taken}`");
        notes.error(codes::ROUTE, &here, what, "choose another path");
    }
    for (name, endpoint) in &view.document.endpoints {
        let Ok(route) = routes::parse(&endpoint.route) else { continue };
        if takes_from(path, &route.path) {
            let route = notes.path_of(view.name, &["endpoints", name, "route"]);
            let what = format!("Nginx would answer requests to endpoint `{name}` itself");
            let help = "choose a path that no route begins with";
            let other = (&route[..], "its route stands here");
            notes.contradiction(codes::ROUTE, &here, what, help, other);
        }
    }
}

/// Whether an address of this route can begin with the path.
fn takes_from(path: &str, route: &str) -> bool {
    let mut parts = route.split('/');
    let mut prefix = path.split('/').collect::<Vec<_>>();
    // The empty text behind the last `/`: whatever follows there.
    prefix.pop();
    let is_same = |own: &&str| {
        parts.next().is_some_and(|part| part == *own || part.starts_with('{') && !own.is_empty())
    };
    prefix.iter().all(is_same) && parts.next().is_some()
}

/// The files of a folder and of those below it, by name.
fn read(folder: &Path) -> Result<Vec<StaticFile>, Refused> {
    let about = fs::symlink_metadata(folder).map_err(|e| unreadable(folder, &e))?;
    if !about.is_dir() {
        return Err(not_served(folder, about.file_type()));
    }
    let mut found = Found::default();
    walk(folder, "", DEEPEST, &mut found)?;
    if found.files.is_empty() {
        let what = format!("there is no file in `{}`", folder.display());
        return Err(Refused(codes::VALUES, what, "put one there, or leave `static` out"));
    }
    found.files.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found.files)
}

/// Takes what is in one folder, below `prefix`.
fn walk(folder: &Path, prefix: &str, depth: usize, found: &mut Found) -> Result<(), Refused> {
    let entries = fs::read_dir(folder).map_err(|e| unreadable(folder, &e))?;
    for (count, entry) in entries.enumerate() {
        let entry = entry.map_err(|e| unreadable(folder, &e))?;
        let path = entry.path();
        let name = entry.file_name().into_string().ok();
        let is_plain = |name: &String| !name.chars().any(char::is_control);
        let Some(name) = name.filter(is_plain).map(|name| format!("{prefix}{name}")) else {
            let what = format!("the name of {:?} is no plain text", path.display().to_string());
            return Err(Refused(codes::VALUES, what, "give it another name"));
        };
        if count >= MOST_FILES || found.files.len() >= MOST_FILES {
            let what = format!("there are more than {MOST_FILES} files to serve");
            return Err(Refused(codes::VALUES, what, "name a smaller folder"));
        }
        // `.gitkeep`, `.env`, `.git`: nobody means to publish them.
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            continue;
        }
        let kind = entry.file_type().map_err(|e| unreadable(&path, &e))?;
        if name.len() > LONGEST_NAME || kind.is_dir() && depth == 0 {
            let what = format!("`{}` is too deep or too long a name", path.display());
            return Err(Refused(codes::VALUES, what, "put it higher up"));
        }
        if kind.is_dir() {
            walk(&path, &format!("{name}/"), depth - 1, found)?;
        } else if kind.is_file() {
            take(&path, name, found)?;
        } else {
            return Err(not_served(&path, kind));
        }
    }
    Ok(())
}

/// Takes one file. What counts is what was read: a file may grow meanwhile, and what it says of its length may be wrong.
fn take(path: &Path, name: String, found: &mut Found) -> Result<(), Refused> {
    let room = MOST_BYTES.saturating_sub(found.bytes);
    let file = File::open(path).map_err(|e| unreadable(path, &e))?;
    let mut text = Vec::new();
    file.take(room + 1).read_to_end(&mut text).map_err(|e| unreadable(path, &e))?;
    let bytes = text.len() as u64;
    if bytes > room {
        let what = "the files to serve have more than 64 MiB".to_owned();
        return Err(Refused(codes::VALUES, what, "name a smaller folder"));
    }
    found.bytes += bytes;
    let sha256 = hex(&Sha256::digest(&text));
    found.files.push(StaticFile { name, sha256, bytes });
    Ok(())
}

fn unreadable(path: &Path, error: &std::io::Error) -> Refused {
    let what = format!("`{}` can't be read: {}", path.display(), error.kind());
    Refused(codes::VALUES, what, "the path starts at this file's folder")
}

fn not_served(path: &Path, kind: FileType) -> Refused {
    let shown = path.display();
    if kind.is_symlink() {
        let what = format!("`{shown}` is a link, and may lead out of the folder");
        return Refused(codes::PATH, what, "put the file itself there");
    }
    let what = format!("`{shown}` is neither a file nor a folder");
    Refused(codes::VALUES, what, "take it away, or name another folder")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir_all(folder.path().join("css/deep")).expect("made");
        for (name, text) in [("z.html", "<p>"), ("css/deep/a.css", "a{}"), (".env", "PASSWORD=x")] {
            fs::write(folder.path().join(name), text).expect("written");
        }
        folder
    }

    #[test]
    fn the_files_of_a_folder_are_known_by_name_and_digest_and_hidden_ones_are_not_there() {
        let folder = folder();
        let files = read(folder.path()).expect("files");
        let names: Vec<&str> = files.iter().map(|f| f.name.as_str()).collect();
        assert_eq!(names, ["css/deep/a.css", "z.html"]);
        assert_eq!(files[1].bytes, 3);
        assert_eq!(files[1].sha256, hex(&Sha256::digest("<p>")));
        fs::write(folder.path().join("z.html"), "<b>").expect("written");
        assert_ne!(read(folder.path()).expect("files")[1].sha256, files[1].sha256);
    }

    #[test]
    fn links_pipes_and_folders_without_files_are_refused() {
        let refused = |folder: &Path| read(folder).expect_err("refused");
        let with_link = folder();
        std::os::unix::fs::symlink("/etc/passwd", with_link.path().join("p.txt")).expect("linked");
        let Refused(code, what, _) = refused(with_link.path());
        assert!(code == codes::PATH && what.contains("p.txt` is a link"), "{what}");
        let beside = tempfile::tempdir().expect("a folder");
        std::os::unix::fs::symlink(folder().path(), beside.path().join("way")).expect("linked");
        assert_eq!(refused(&beside.path().join("way")).0, codes::PATH);
        let empty = tempfile::tempdir().expect("a folder");
        assert!(refused(empty.path()).1.contains("there is no file in"));
        assert!(refused(&empty.path().join("none")).1.contains("can't be read"));
        let socket = empty.path().join("s");
        let _listener = std::os::unix::net::UnixListener::bind(socket).expect("bound");
        assert!(refused(empty.path()).1.contains("is neither a file nor a folder"));
    }

    #[test]
    fn more_than_a_run_should_copy_is_refused() {
        let folder = folder();
        let large = File::create(folder.path().join("large.bin")).expect("made");
        large.set_len(MOST_BYTES + 1).expect("longer");
        assert!(read(folder.path()).expect_err("too much").1.contains("more than 64 MiB"));
        let page = folder.path().join("z.html");
        let mut found = Found { bytes: MOST_BYTES - 3, ..Found::default() };
        take(&page, "z.html".into(), &mut found).expect("as much as there may be");
        assert_eq!((found.bytes, found.files[0].bytes), (MOST_BYTES, 3));
        let refused = take(&page, "again.html".into(), &mut found).expect_err("there is no room");
        assert!(refused.1.contains("more than 64 MiB"));
        fs::remove_file(folder.path().join("large.bin")).expect("removed");
        let deep = "d/".repeat(DEEPEST + 1);
        fs::create_dir_all(folder.path().join(deep)).expect("made");
        assert!(read(folder.path()).expect_err("too deep").1.contains("too deep"));
    }

    #[test]
    fn a_path_takes_requests_from_routes_that_can_begin_with_it() {
        for route in ["/static/x", "/static/{id}", "/{any}/x", "/static/a/b"] {
            assert!(takes_from("/static/", route), "{route}");
        }
        for route in ["/static", "/{id}", "/", "/users/{id}", "/statics/x", "/a/static/x"] {
            assert!(!takes_from("/static/", route), "{route}");
        }
        assert!(takes_from("/a/b/", "/a/{id}/c") && !takes_from("/a/b/", "/a/{id}"));
    }
}
