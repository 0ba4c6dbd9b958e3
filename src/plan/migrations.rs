//! The folder of migrations: what is in it, in which order, and what is certain to fail in it.
//!
//! Files are read here and nothing else: what they say in SQL is Postgres' to judge. But `\c` and `COPY … FROM stdin`
//! are psql's, and would fail an hour into a run with a message about a backslash.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use sha2::{Digest, Sha256};

use super::codes;
use super::constraints::{Constraint, Constraints};
use super::notes::Notes;
use super::sql::{self, Kind};
use crate::spec::{Place, Spec};
use crate::units::hex;

const KEY: [&str; 2] = ["dataset", "migrations"];
/// No one reads a longer folder, and a mistyped path may lead anywhere.
const MOST_FILES: usize = 1000;
/// A longer file is data, which belongs to `[dataset.tables]`.
const LONGEST_FILE: u64 = 8 << 20;

/// What was read.
#[derive(Debug, Default)]
pub(super) struct Migrations {
    /// File name and SHA-256 (line ends as LF), in the order of their numbers.
    pub(super) digests: Vec<(String, String)>,
    /// Every identifier that occurs anywhere: what is not here is in no table.
    words: BTreeSet<String>,
    /// Tables in the order of their CREATE TABLE.
    tables: Vec<String>,
    /// What tables must keep to.
    constraints: Constraints,
    /// Whether a file could not be read: then nothing is known to be missing.
    incomplete: bool,
}

impl Migrations {
    /// Whether any migration mentions this name, in whatever way.
    pub(super) fn mention(&self, name: &str) -> bool {
        self.incomplete || self.words.contains(&name.to_ascii_lowercase())
    }

    /// Everything mentioned, for suggestions.
    pub(super) fn words(&self) -> impl Iterator<Item = &str> + Clone {
        self.words.iter().map(String::as_str)
    }

    /// What a table must certainly keep to.
    pub(super) fn constraints_of(&self, table: &str) -> impl Iterator<Item = &Constraint> {
        let known = !self.incomplete;
        self.constraints.of(table).filter(move |_| known)
    }

    /// Position of a table's CREATE TABLE: tables are filled in this order, so that what is referred to is there.
    pub(super) fn position(&self, table: &str) -> usize {
        self.tables.iter().position(|t| t == table).unwrap_or(usize::MAX)
    }
}

/// Whether a path of the file may be followed: relative, and no device or stream behind it.
pub(super) fn relative(path: &str) -> bool {
    let first = Path::new(path).components().next();
    !path.is_empty()
        && !path.contains(['\0', '\n'])
        && !path.starts_with('~')
        && !matches!(first, None | Some(Component::RootDir | Component::Prefix(_)))
}

/// Reads the folder; none if it could not be read as one.
pub(super) fn read(notes: &mut Notes<'_>, spec: &Spec) -> Option<Migrations> {
    let told = &spec.document.dataset.migrations;
    if !relative(told) {
        let help = "name a folder relative to this file, like `\"../migrations/users\"`";
        notes.error(codes::PATH, &KEY, "the folder of migrations is not a relative path", help);
        return None;
    }
    let folder = spec.dir.join(told);
    let files = list(notes, &folder)?;
    let mut migrations = Migrations::default();
    for (name, path) in files.values() {
        read_one(notes, &mut migrations, name, path);
    }
    migrations.incomplete |= notes.any_error_of(codes::MIGRATION);
    Some(migrations)
}

/// The files by number.
fn list(notes: &mut Notes<'_>, folder: &Path) -> Option<BTreeMap<u64, (String, PathBuf)>> {
    let shown = folder.display();
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) => {
            let what =
                format!("the folder of migrations `{shown}` can't be read: {}", error.kind());
            notes.error(codes::MIGRATION, &KEY, what, "the path starts at this file's folder");
            return None;
        }
    };
    let mut names: Vec<String> = Vec::new();
    for entry in entries.take(MOST_FILES + 1) {
        match entry {
            Ok(entry) => names.push(entry.file_name().to_string_lossy().into_owned()),
            Err(error) => {
                let what = format!("the folder `{shown}` can't be read: {}", error.kind());
                notes.error(codes::MIGRATION, &KEY, what, "see to its permissions");
                return None;
            }
        }
    }
    names.sort();
    if names.is_empty() || names.len() > MOST_FILES {
        let what = match names.len() {
            0 => format!("there is no migration in `{shown}`"),
            _ => format!("there are more than {MOST_FILES} files in `{shown}`"),
        };
        notes.error(codes::MIGRATION, &KEY, what, "put files like `0001_users.sql` in it");
        return None;
    }
    let mut files = BTreeMap::<u64, (String, PathBuf)>::new();
    for name in names {
        let path = folder.join(&name);
        match number_of(&name) {
            None => {
                let what = format!("unknown file in migrations: `{name}`");
                let help = "a migration is named like `0001_users.sql`; keep other files elsewhere";
                notes.error_at(codes::MIGRATION, start_of(&path), what, help);
            }
            Some(number) => match files.get(&number) {
                Some((other, _)) => {
                    let what = format!("`{other}` and `{name}` have the same number");
                    let help = "give one of them another number";
                    notes.error_at(codes::MIGRATION, start_of(&path), what, help);
                }
                None => {
                    files.insert(number, (name, path));
                }
            },
        }
    }
    Some(files)
}

/// The number of `NNNN_name.sql`.
fn number_of(file: &str) -> Option<u64> {
    let (number, name) = file.strip_suffix(".sql")?.split_once('_')?;
    let reversible = matches!(name.rsplit_once('.'), Some((_, "up" | "down")));
    let digits = number.bytes().all(|b| b.is_ascii_digit());
    (digits && !name.is_empty() && !reversible)
        .then(|| number.parse::<i64>().ok())
        .flatten()
        .and_then(|n| u64::try_from(n).ok())
        .filter(|n| *n > 0)
}

fn start_of(path: &Path) -> Place {
    Place::File { path: path.display().to_string(), start: 0, end: 0, line: 1, column: 1 }
}

fn read_one(notes: &mut Notes<'_>, migrations: &mut Migrations, name: &str, path: &Path) {
    let mut refuse = |place: Place, what: String, help: &str| {
        notes.error_at(codes::MIGRATION, place, what, help);
    };
    let bytes = match std::fs::metadata(path) {
        Ok(about) if !about.is_file() => {
            return refuse(start_of(path), format!("`{name}` is no regular file"), "remove it");
        }
        Ok(about) if about.len() > LONGEST_FILE => {
            let help = "a migration has at most 8 MB; rows belong to `[dataset.tables]`";
            return refuse(start_of(path), format!("`{name}` is too long"), help);
        }
        Ok(_) => std::fs::read(path),
        Err(error) => Err(error),
    };
    let bytes = match bytes {
        Ok(bytes) => bytes,
        Err(error) => {
            let what = format!("`{name}` can't be read: {}", error.kind());
            return refuse(start_of(path), what, "see to its permissions");
        }
    };
    let text = match String::from_utf8(bytes) {
        Ok(text) => text.replace("\r\n", "\n"),
        Err(error) => {
            let at = error.utf8_error().valid_up_to();
            let what = format!("`{name}` is not UTF-8: byte {at} belongs to no character");
            return refuse(start_of(path), what, "save it as UTF-8");
        }
    };
    if let Some((start, what)) = refused(&text) {
        let (line, column) = sql::line_and_column(&text, start);
        let path = path.display().to_string();
        let place = Place::File { path, start, end: start + 1, line, column };
        let help = "migrations are SQL for the server; generate rows with `[dataset.tables]`";
        refuse(place, what, help);
    }
    let digest = Sha256::digest(text.as_bytes());
    migrations.digests.push((name.to_owned(), hex(&digest)));
    learn(migrations, &text);
    migrations.constraints.learn(name, &text);
}

/// The first thing in a migration that only psql could do, or that never ends.
pub(super) fn refused(text: &str) -> Option<(usize, String)> {
    if text.starts_with('\u{feff}') {
        return Some((0, "the file starts with a byte order mark, which is no SQL".into()));
    }
    let scan = sql::scan(text);
    if scan.tokens.is_empty() && scan.open.is_none() {
        return Some((0, "the file holds no statement".into()));
    }
    for statement in scan.tokens.split(|t| t.kind == Kind::Semicolon) {
        if let Some(command) = statement.iter().find(|t| t.kind == Kind::Backslash) {
            let rest = text[command.start..].split_whitespace().next().unwrap_or("\\");
            return Some((command.start, format!("psql commands are not SQL: `{rest}`")));
        }
        let from_stdin =
            statement.windows(2).any(|pair| pair[0].is(text, "from") && pair[1].is(text, "stdin"));
        if let Some(copy) = statement.first().filter(|t| t.is(text, "copy") && from_stdin) {
            let what = "`COPY … FROM stdin` needs psql, which is not used here";
            return Some((copy.start, what.into()));
        }
    }
    scan.open.map(|(name, start)| (start, format!("the {name} that starts here never ends")))
}

/// Which names occur, and which tables are made.
fn learn(migrations: &mut Migrations, text: &str) {
    // The raw text, strings and all: a function's body may make a table too.
    let name = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
    let words = text.split(|c| !name(c)).filter(|w| !w.is_empty() && w.len() <= 63);
    migrations.words.extend(words.map(str::to_ascii_lowercase));
    let scan = sql::scan(text);
    for statement in scan.tokens.split(|t| t.kind == Kind::Semicolon) {
        let Some(create) = statement.iter().position(|t| t.is(text, "table")) else { continue };
        if !statement.first().is_some_and(|t| t.is(text, "create")) {
            continue;
        }
        // CREATE … TABLE [IF NOT EXISTS] [schema .] name
        let mut rest = statement[create + 1..]
            .iter()
            .skip_while(|t| ["if", "not", "exists"].iter().any(|w| t.is(text, w)));
        let (first, dot, second) = (rest.next(), rest.next(), rest.next());
        let qualified = dot.is_some_and(|t| t.text(text) == ".");
        let name = if qualified { second } else { first };
        migrations.tables.extend(name.and_then(|t| sql::identifier(text, t)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_migration_is_named_by_its_number() {
        assert_eq!(number_of("0001_users.sql"), Some(1));
        assert_eq!(number_of("20240101120000_add_index.sql"), Some(20_240_101_120_000));
        for wrong in [
            "users.sql",
            "0001.sql",
            "0001_.sql",
            "_users.sql",
            "-1_x.sql",
            "0000_x.sql",
            "1_a.txt",
            "0001_users.up.sql",
            "0001_users.down.sql",
            ".gitkeep",
            "0001-users.sql",
            "99999999999999999999_x.sql",
            "README.md",
        ] {
            assert_eq!(number_of(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn what_only_psql_can_do_is_found_with_its_line() {
        let line = |text: &str| refused(text).map(|(at, _)| sql::line_and_column(text, at).0);
        assert_eq!(line("CREATE TABLE a (x int);\n\\c other\n"), Some(2));
        assert_eq!(line("SELECT 1;\n\nCOPY a (x) FROM stdin;\n1\nit's\n\\.\n"), Some(3));
        assert_eq!(line("SELECT 1;\nSELECT 'a;\n"), Some(2));
        assert_eq!(line("-- nothing\n"), Some(1));
        assert_eq!(line("\u{feff}SELECT 1"), Some(1));
        for fine in [
            "-- no-transaction\nCREATE INDEX CONCURRENTLY i ON t (x);",
            "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS $$ SELECT 1; $$;",
            "COMMENT ON TABLE a IS '\n\\c is psql';",
            "COPY a TO stdout",
        ] {
            assert_eq!(line(fine), None, "{fine}");
        }
    }

    #[test]
    fn tables_are_learnt_in_the_order_in_which_they_are_made() {
        let mut m = Migrations::default();
        learn(
            &mut m,
            "CREATE TABLE users (id int);\nCREATE UNLOGGED TABLE IF NOT EXISTS public.Orders (user_id int REFERENCES users);\nCREATE TABLE \"Odd Name\" ();",
        );
        assert_eq!(m.tables, ["users", "orders", "Odd Name"]);
        assert!(m.mention("USER_ID") && !m.mention("emial"));
    }

    #[test]
    fn only_relative_paths_are_followed() {
        for fine in ["../migrations/users", "migrations", "./x"] {
            assert!(relative(fine), "{fine}");
        }
        for wrong in ["", "/etc", "~/x", "a\0b"] {
            assert!(!relative(wrong), "{wrong}");
        }
    }
}
