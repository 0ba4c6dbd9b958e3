//! Files of values: a column of a CSV file, or a parameter of the requests in a log.
//!
//! Each file is read once, whole, and within bounds. What is wrong in it has its line.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::logged;
use crate::spec::{Place, did_you_mean};
use crate::units::hex;

/// A longer file is no list of keys.
const LONGEST: Longest = Longest { bytes: 64 << 20, shown: "64 MiB" };
/// More values than any window asks for.
pub(super) const MOST: usize = 1_000_000;

/// What is asked of a file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Wanted {
    /// The file, as the author named it.
    pub(super) file: String,
    /// What in it.
    pub(super) what: What,
}

/// What is asked of a file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum What {
    /// A column of a CSV file.
    Column(String),
    /// A parameter of the requests in a log.
    Param {
        /// The parameter.
        name: String,
        /// What a request that left it out meant.
        default: Option<String>,
        /// Which requests; none: all that have the parameter.
        asked: Option<logged::Asked>,
    },
}

/// What was read.
#[derive(Debug, Clone, Default)]
pub(super) struct Read {
    /// SHA-256 of the file, in hex.
    pub(super) sha256: String,
    /// The values, in order.
    pub(super) values: Arc<[String]>,
    /// Where each of them stands.
    pub(super) at: Arc<[At]>,
}

/// A line of a file: its first byte, and its number from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct At {
    pub(super) byte: usize,
    pub(super) line: usize,
}

/// Why a file cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wrong {
    /// The line; none: the file as a whole, said where it is named.
    pub(super) at: Option<At>,
    pub(super) what: String,
    pub(super) help: String,
}

impl Wrong {
    /// The file as a whole.
    pub(super) fn whole(what: impl Into<String>, help: impl Into<String>) -> Self {
        Self { at: None, what: what.into(), help: help.into() }
    }

    /// One line of it.
    pub(super) fn line(at: At, what: impl Into<String>, help: impl Into<String>) -> Self {
        Self { at: Some(at), what: what.into(), help: help.into() }
    }
}

/// How long a file may be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Longest {
    pub(super) bytes: u64,
    /// The same for people.
    pub(super) shown: &'static str,
}

/// Opens a regular file of bearable length.
///
/// # Errors
///
/// Why it can't be read.
pub(super) fn open(path: &Path, longest: Longest) -> Result<File, Wrong> {
    let shown = path.display();
    let refused = |error: std::io::Error| {
        let what = format!("`{shown}` can't be read: {}", error.kind());
        Wrong::whole(what, "the path starts at this file's folder")
    };
    let about = std::fs::metadata(path).map_err(refused)?;
    if !about.is_file() {
        return Err(Wrong::whole(format!("`{shown}` is no regular file"), "name a file"));
    }
    if about.len() > longest.bytes {
        let what = format!("`{shown}` is longer than {}", longest.shown);
        return Err(Wrong::whole(what, "take a part of it"));
    }
    File::open(path).map_err(refused)
}

/// A file that can be opened, and not be read to its end.
pub(super) fn broken(error: &std::io::Error) -> Wrong {
    Wrong::whole(format!("it can't be read to its end: {error}"), "see to the disk")
}

/// The text of a file that was read whole.
///
/// # Errors
///
/// Which byte is none of UTF-8, with its line.
pub(super) fn text_of(bytes: Vec<u8>) -> Result<String, Wrong> {
    String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let before = &error.as_bytes()[..valid];
        let byte = before.iter().rposition(|b| *b == b'\n').map_or(0, |end| end + 1);
        let line = before.split(|b| *b == b'\n').count();
        let what = format!("byte {valid} belongs to no character of UTF-8");
        Wrong::line(At { byte, line }, what, "save the file as UTF-8")
    })
}

/// Values with their places, as they are found.
#[derive(Debug, Default)]
pub(super) struct Found {
    values: Vec<String>,
    at: Vec<At>,
}

impl Found {
    /// The values alone.
    #[cfg(test)]
    pub(super) fn into_values(self) -> Vec<String> {
        self.values
    }

    /// One more value.
    ///
    /// # Errors
    ///
    /// If there are too many.
    pub(super) fn push(&mut self, value: String, at: At) -> Result<(), Wrong> {
        if self.values.len() >= MOST {
            let what = format!("more than {} values", crate::units::count(MOST as u64));
            return Err(Wrong::line(at, what, "take a part of the file"));
        }
        self.values.push(value);
        self.at.push(at);
        Ok(())
    }
}

/// Files read so far.
#[derive(Debug)]
pub(super) struct Files {
    dir: PathBuf,
    read: BTreeMap<Wanted, Result<Read, Wrong>>,
}

impl Files {
    /// Files are named relative to this folder.
    pub(super) fn of(dir: &Path) -> Self {
        Self { dir: dir.to_path_buf(), read: BTreeMap::new() }
    }

    /// The values of a file, from memory if it was read before.
    pub(super) fn values(&mut self, wanted: &Wanted) -> Result<Read, Wrong> {
        if let Some(read) = self.read.get(wanted) {
            return read.clone();
        }
        let read = read(&self.dir.join(&wanted.file), &wanted.what);
        self.read.insert(wanted.clone(), read.clone());
        read
    }

    /// Where a file is.
    pub(super) fn path(&self, file: &str) -> PathBuf {
        self.dir.join(file)
    }

    /// A line of a file, as a place of a problem.
    pub(super) fn place(&self, file: &str, at: At) -> Place {
        let path = self.dir.join(file).display().to_string();
        Place::File { path, start: at.byte, end: at.byte + 1, line: at.line, column: 1 }
    }
}

fn read(path: &Path, what: &What) -> Result<Read, Wrong> {
    let mut bytes = Vec::new();
    // One that grows while it is read must come to an end, and is told by its digest.
    let ended = open(path, LONGEST)?.take(LONGEST.bytes).read_to_end(&mut bytes);
    ended.map_err(|error| broken(&error))?;
    let sha256 = hex(&Sha256::digest(&bytes));
    let text = text_of(bytes)?;
    let found = match what {
        What::Column(column) => column_of(&text, column)?,
        What::Param { name, default, asked } => {
            logged::values(&text, name, default.as_deref(), asked.as_ref())?
        }
    };
    if found.values.is_empty() {
        let shown = path.display();
        return Err(Wrong::whole(format!("`{shown}` has no such value"), help_for_none(what)));
    }
    Ok(Read { sha256, values: found.values.into(), at: found.at.into() })
}

fn help_for_none(what: &What) -> &'static str {
    match what {
        What::Column(_) => "write at least one line below the names of the columns",
        What::Param { .. } => "see whether it logs requests to this endpoint with this parameter",
    }
}

/// A column of a CSV file, whose first line names the columns.
fn column_of(text: &str, column: &str) -> Result<Found, Wrong> {
    let start = At { byte: 0, line: 1 };
    let bom = '\u{feff}'.len_utf8() * usize::from(text.starts_with('\u{feff}'));
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(&text.as_bytes()[bom..]);
    let unread = |e: &csv::Error| {
        Wrong::line(start, format!("this is no CSV: {e}"), "write it as RFC 4180 says")
    };
    let header = reader.headers().map_err(|e| unread(&e))?.clone();
    let mut places = header.iter().enumerate().filter(|(_, name)| *name == column);
    let Some((place, _)) = places.next() else {
        let what = format!("the first line names no column `{}`", super::short(column));
        let help = did_you_mean(column, header.iter()).map_or_else(
            || "the first line names the columns".into(),
            |c| format!("did you mean `{c}`?"),
        );
        return Err(Wrong::line(start, what, help));
    };
    if places.next().is_some() {
        let what = format!("the first line names `{}` twice", super::short(column));
        return Err(Wrong::line(start, what, "give each column a name of its own"));
    }
    let mut found = Found::default();
    let mut record = csv::StringRecord::new();
    let mut at = start;
    while reader.read_record(&mut record).map_err(|e| unread(&e))? {
        at = record.position().map_or(at, |position| {
            let number = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
            At { byte: bom + number(position.byte()), line: number(position.line()) }
        });
        if record.len() != header.len() {
            let what = format!(
                "the first line has {} names, and this one {} cells",
                header.len(),
                record.len()
            );
            return Err(Wrong::line(at, what, "quote a cell that has a comma in it"));
        }
        match &record[place] {
            "" => {
                let what = format!("the cell of `{}` is empty", super::short(column));
                return Err(Wrong::line(at, what, "take the line out, or write a value"));
            }
            value => found.push(value.to_owned(), at)?,
        }
    }
    if text.matches('"').count() % 2 == 1 {
        return Err(Wrong::line(at, "a quote is opened and not closed", "close it, or double it"));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(text: &str) -> Result<Vec<String>, String> {
        let found = column_of(text, "email");
        found.map(|f| f.values).map_err(|w| format!("{}: {}", w.at.map_or(0, |at| at.line), w.what))
    }

    #[test]
    fn a_column_is_read_by_its_name_with_quotes_commas_and_any_line_ends() {
        let text = "\u{feff}id,email\r\n1,a@b\r\n2,\"c,\"\"d\"\"\"\r\n\r\n3,\"two\nlines\"";
        assert_eq!(column(text), Ok(vec!["a@b".into(), "c,\"d\"".into(), "two\nlines".into()]));
        assert_eq!(column("email\nx\nx\n"), Ok(vec!["x".into(), "x".into()]));
    }

    #[test]
    fn what_is_wrong_in_a_csv_file_has_its_line() {
        for (text, says) in [
            ("id,mail\n1,a\n", "1: the first line names no column `email`"),
            ("", "1: the first line names no column `email`"),
            ("email,email\n1,a\n", "1: the first line names `email` twice"),
            ("id,email\n1,a\n2\n", "3: the first line has 2 names, and this one 1 cells"),
            ("id,email\n1,a\n2,b,c\n", "3: the first line has 2 names, and this one 3 cells"),
            ("id,email\n1,a\n2,\n", "3: the cell of `email` is empty"),
            ("id,email\n1,a\n2,\"b\n3,c\n", "3: a quote is opened and not closed"),
        ] {
            assert_eq!(column(text), Err(says.into()), "{text}");
        }
        let wrong = column_of("id,mail\n", "email").expect_err("no such column");
        assert_eq!(wrong.help, "did you mean `mail`?");
    }

    #[test]
    fn a_file_that_cannot_be_read_whole_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let what = What::Column("email".into());
        let says = |name: &str| {
            let wrong = read(&folder.path().join(name), &what).expect_err(name);
            (wrong.at.map(|at| at.line), wrong.what)
        };
        assert!(says("none.csv").1.contains("can't be read: entity not found"));
        assert!(says("").1.contains("is no regular file"));
        std::fs::write(folder.path().join("latin.csv"), b"email\na\n\xe9\n").expect("written");
        assert_eq!(says("latin.csv").0, Some(3));
        std::fs::write(folder.path().join("empty.csv"), b"email\n").expect("written");
        assert!(says("empty.csv").1.contains("has no such value"));
        let long = File::create(folder.path().join("long.csv")).expect("made");
        long.set_len(LONGEST.bytes + 1).expect("as long");
        assert!(says("long.csv").1.contains("longer than 64 MiB"));
    }

    #[test]
    fn a_file_is_read_once_and_more_values_than_the_bound_are_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("keys.csv");
        std::fs::write(&path, "email\na\n").expect("written");
        let mut files = Files::of(folder.path());
        let wanted = Wanted { file: "keys.csv".into(), what: What::Column("email".into()) };
        let first = files.values(&wanted).expect("read");
        std::fs::remove_file(&path).expect("removed");
        assert_eq!(files.values(&wanted).expect("kept").sha256, first.sha256);
        let many = format!("email\n{}", "x\n".repeat(MOST + 1));
        let says = column(&many).expect_err("too many");
        assert_eq!(says, "1000002: more than 1,000,000 values");
    }
}
