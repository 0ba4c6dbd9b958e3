//! Reading the file's text: regular files only, bounded, and never blocked by a pipe.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};

use super::source::Source;
use super::{Place, Problem, codes};

/// No experiment needs more, and every later step is bounded by it.
pub(super) const LONGEST: u64 = 1 << 20;

/// The text of the file at `path`.
pub(super) fn read(path: &Path) -> Result<String, Box<Problem>> {
    let shown = path.to_string_lossy();
    let at_start = Place::File { path: shown.to_string(), start: 0, end: 0, line: 1, column: 1 };
    let problem = |code, what, help: &str| {
        Box::new(Problem::error(code, what, at_start.clone()).with_help(Some(help.to_owned())))
    };
    // Non-blocking, because opening a FIFO waits for its writer.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file: File = match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(fd) => fd.into(),
        Err(errno) => {
            let (what, help) = why_not(&std::io::Error::from(errno));
            return Err(problem(codes::UNREADABLE, format!("cannot read `{shown}`: {what}"), help));
        }
    };
    let unreadable = |error: &std::io::Error| {
        let (what, help) = why_not(error);
        problem(codes::UNREADABLE, format!("cannot read `{shown}`: {what}"), help)
    };
    let kind = file.metadata().map_err(|e| unreadable(&e))?.file_type();
    if !kind.is_file() {
        let what = if kind.is_dir() { "a folder" } else { "a pipe, a socket or a device" };
        return Err(problem(
            codes::NOT_A_FILE,
            format!("`{shown}` is {what}, not a regular file"),
            "name an experiment file, like `experiments/0001-email-lookup.toml`",
        ));
    }
    let mut bytes = Vec::new();
    // One byte more than allowed, because the length said by the file system may be 0 (in /proc) or change.
    file.take(LONGEST + 1).read_to_end(&mut bytes).map_err(|e| unreadable(&e))?;
    if bytes.len() as u64 > LONGEST {
        return Err(problem(
            codes::TOO_LARGE,
            format!("`{shown}` is longer than 1 MiB"),
            "rows belong into generators or CSV files, SQL into migrations",
        ));
    }
    String::from_utf8(bytes).map_err(|error| {
        let good = error.utf8_error().valid_up_to();
        let bad = error.as_bytes()[good];
        let prefix = String::from_utf8_lossy(&error.as_bytes()[..good]).into_owned();
        let place = Source::new(&shown, prefix).place(good..good);
        let what = format!("`{shown}` is not UTF-8: byte 0x{bad:02x} at offset {good}");
        let problem = Problem::error(codes::NOT_UTF8, what, place);
        Box::new(problem.with_help(Some("save the file as UTF-8".into())))
    })
}

fn why_not(error: &std::io::Error) -> (String, &'static str) {
    match error.kind() {
        ErrorKind::NotFound => ("there is no such file".into(), "check the path's spelling"),
        ErrorKind::PermissionDenied => ("no permission".into(), "make the file readable"),
        _ => {
            let text = error.to_string().to_lowercase();
            let text = text.split(" (os error").next().unwrap_or_default().to_owned();
            (text, "name a regular file")
        }
    }
}

/// The folder that a file's relative paths start from.
pub(super) fn folder(path: &Path) -> PathBuf {
    let folder = path.parent().unwrap_or(Path::new("."));
    if folder.as_os_str().is_empty() { PathBuf::from(".") } else { folder.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn says(path: &Path) -> String {
        let problem = read(path).expect_err("refused");
        format!("{} {}", problem.code, problem.what)
    }

    #[test]
    fn only_regular_files_are_read() {
        assert!(says(Path::new("/dev/zero")).starts_with("QL0102"), "a device");
        assert!(says(Path::new("/")).ends_with("`/` is a folder, not a regular file"));
        let missing = says(Path::new("/nonexistent.toml"));
        assert_eq!(missing, "QL0101 cannot read `/nonexistent.toml`: there is no such file");
        let dir = tempfile::tempdir().expect("a folder");
        let fifo = dir.path().join("f.toml");
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &fifo,
            rustix::fs::FileType::Fifo,
            Mode::from_raw_mode(0o600),
            0,
        )
        .expect("a FIFO");
        assert!(says(&fifo).starts_with("QL0102"), "a FIFO without a writer");
    }

    #[test]
    fn a_long_file_and_one_that_is_not_utf8_are_refused() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("x.toml");
        let limit = usize::try_from(LONGEST).expect("fits");
        std::fs::write(&path, vec![b'#'; limit]).expect("written");
        assert!(read(&path).is_ok(), "exactly the limit");
        std::fs::write(&path, vec![b'#'; limit + 1]).expect("written");
        assert!(says(&path).starts_with("QL0103"));
        std::fs::write(&path, b"# \xc3\xa9\n# \xff").expect("written");
        let problem = read(&path).expect_err("refused");
        assert_eq!(problem.code, "QL0104");
        assert!(problem.what.ends_with("byte 0xff at offset 7"), "{}", problem.what);
        assert!(matches!(problem.place, Place::File { line: 2, column: 3, .. }));
    }
}
