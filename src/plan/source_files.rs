//! Files that rows come from, read once from their first byte to their last: their digest, and what is wrong in them.
//!
//! They may be longer than memory, so nothing of them is kept.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use sha2::{Digest, Sha256};

use super::sql::{self, Kind};
use super::values::{self, At, Longest, Wrong, broken};
use crate::units::hex;

/// Bytes read at once.
const BUFFER: usize = 1 << 18;
/// A longer file is none that a run could load in a day.
const LONGEST: Longest = Longest { bytes: 64 << 30, shown: "64 GiB" };

/// How a CSV file is written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Dialect {
    pub(super) header: bool,
    pub(super) delimiter: u8,
    pub(super) quote: u8,
}

/// What was found in a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// SHA-256 of the file, in hex.
    pub(super) sha256: String,
    /// The columns that the file names.
    pub(super) columns: Vec<String>,
    /// Number of rows.
    pub(super) rows: u64,
    /// The first byte of the rows, and the one behind them.
    pub(super) bytes: (u64, u64),
}

/// Opens a file of rows.
///
/// # Errors
///
/// Why it can't be read.
pub(super) fn open(path: &Path) -> Result<File, Wrong> {
    values::open(path, LONGEST)
}

/// A reader that knows the digest of what went through it.
struct Hashing<R> {
    inner: R,
    hasher: Sha256,
}

impl<R: Read> Hashing<R> {
    fn new(inner: R) -> Self {
        Self { inner, hasher: Sha256::new() }
    }

    /// Reads the rest, and tells the digest of all.
    fn finish(mut self) -> Result<String, Wrong> {
        io::copy(&mut self, &mut io::sink()).map_err(|e| broken(&e))?;
        Ok(hex(&self.hasher.finalize()))
    }
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.hasher.update(&buffer[..count]);
        Ok(count)
    }
}

/// A CSV file: as many cells in each line as there are columns, all of them UTF-8.
///
/// # Errors
///
/// What is wrong, with its line.
pub(super) fn csv(file: impl Read, dialect: Dialect, columns: usize) -> Result<Found, Wrong> {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(dialect.delimiter)
        .quote(dialect.quote)
        .buffer_capacity(BUFFER)
        .from_reader(Hashing::new(file));
    let mut found = Found::default();
    let mut record = csv::ByteRecord::new();
    let mut wanted = columns;
    let mut is_header = dialect.header;
    loop {
        match reader.read_byte_record(&mut record) {
            Ok(true) => {}
            Ok(false) => break,
            Err(e) => {
                return Err(Wrong::whole(format!("it can't be read: {e}"), "see to the disk"));
            }
        }
        let number = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
        let at = record.position().map_or(At::default(), |position| At {
            byte: number(position.byte()),
            line: number(position.line()),
        });
        let mut cells = Vec::with_capacity(record.len());
        for cell in &record {
            let Ok(cell) = std::str::from_utf8(cell) else {
                let what = "a cell is not UTF-8";
                return Err(Wrong::line(at, what, "save the file as UTF-8"));
            };
            cells.push(cell);
        }
        if is_header {
            is_header = false;
            let clean = |(place, cell): (usize, &&str)| {
                let bom = if place == 0 { "\u{feff}" } else { "" };
                cell.strip_prefix(bom).unwrap_or(cell).to_owned()
            };
            found.columns = cells.iter().enumerate().map(clean).collect();
            wanted = found.columns.len();
            if let Some(twice) = twice(&found.columns) {
                let what = format!("the first line names `{}` twice", super::short(twice));
                return Err(Wrong::line(at, what, "give each column a name of its own"));
            }
            continue;
        }
        if cells.len() != wanted {
            let what =
                format!("there are {wanted} columns, and this line has {} cells", cells.len());
            return Err(Wrong::line(at, what, "quote a cell that has a delimiter in it"));
        }
        found.rows += 1;
    }
    found.sha256 = reader.into_inner().finish()?;
    Ok(found)
}

fn twice(names: &[String]) -> Option<&str> {
    let again = names.iter().enumerate().find(|(place, name)| names[..*place].contains(name));
    again.map(|(_, name)| name.as_str())
}

/// The lines of a table in a plain dump: behind its `COPY … FROM stdin;`, up to `\.`.
///
/// # Errors
///
/// That there are none, and what is there instead.
pub(super) fn dump(file: impl Read, table: &str) -> Result<Found, Wrong> {
    let mut reader = BufReader::with_capacity(BUFFER, Hashing::new(file));
    let mut found: Option<Found> = None;
    // In the lines of some table; of the one that is wanted, or of another.
    let mut inside: Option<bool> = None;
    let mut has_inserts = false;
    let mut line = Vec::new();
    let mut at = At { byte: 0, line: 0 };
    let mut next: u64 = 0;
    loop {
        line.clear();
        let start = next;
        let count = reader.read_until(b'\n', &mut line).map_err(|e| broken(&e))?;
        if count == 0 {
            break;
        }
        next += count as u64;
        at = At { byte: usize::try_from(start).unwrap_or(usize::MAX), line: at.line + 1 };
        if start == 0 && line.starts_with(b"PGDMP") {
            let help = "make it with `pg_dump --format=plain`";
            return Err(Wrong::line(at, "this dump is not a plain one", help));
        }
        let text = line.trim_ascii_end();
        if let Some(is_wanted) = inside {
            if text == b"\\." {
                inside = None;
                if let Some(found) = found.as_mut().filter(|_| is_wanted) {
                    found.bytes.1 = start;
                }
            } else if let Some(found) = found.as_mut().filter(|_| is_wanted) {
                found.rows += 1;
            }
        } else if text.starts_with(b"COPY ") && text.ends_with(b"FROM stdin;") {
            let named = std::str::from_utf8(text).ok().and_then(copied);
            let is_wanted = named.as_ref().is_some_and(|(name, _)| name == table);
            inside = Some(is_wanted);
            if let Some((_, columns)) = named.filter(|_| is_wanted) {
                if found.is_some() {
                    let help = "take a dump of one schema";
                    return Err(Wrong::line(at, format!("`{table}` is there twice"), help));
                }
                let bytes = (next, next);
                found = Some(Found { columns, bytes, ..Found::default() });
            }
        } else if text.starts_with(b"INSERT INTO ") {
            has_inserts = true;
        }
    }
    if inside.is_some() {
        return Err(Wrong::line(at, "the dump ends in the middle of its rows", "make it anew"));
    }
    let Some(mut found) = found else {
        let what = format!("it has no `COPY {table} (…) FROM stdin;`");
        let inserts = "make the dump without `--inserts`, or name the file as `sql`";
        let help = if has_inserts { inserts } else { "dump the table with its data" };
        return Err(Wrong::whole(what, help));
    };
    found.sha256 = reader.into_inner().finish()?;
    Ok(found)
}

/// Table and columns of `COPY public.users (id, "Name") FROM stdin;`; none of another schema.
fn copied(line: &str) -> Option<(String, Vec<String>)> {
    let scan = sql::scan(line);
    let mut tokens = scan.tokens.iter().skip(1);
    let mut table = sql::identifier(line, tokens.next()?)?;
    let mut sign = tokens.next()?;
    if sign.text(line) == "." {
        if table != "public" {
            return None;
        }
        table = sql::identifier(line, tokens.next()?)?;
        sign = tokens.next()?;
    }
    if sign.text(line) != "(" {
        return None;
    }
    let named = tokens.take_while(|t| t.text(line) != ")");
    let named = named.filter(|t| matches!(t.kind, Kind::Word | Kind::Quoted));
    let columns: Option<Vec<String>> = named.map(|t| sql::identifier(line, t)).collect();
    Some((table, columns?))
}

/// A file of statements, read whole.
///
/// # Errors
///
/// What is wrong, with its line.
pub(super) fn statements(file: impl Read) -> Result<(String, String), Wrong> {
    /// A longer one is rows, for which there are COPY and CSV.
    const LONGEST: u64 = 64 << 20;
    let mut reader = Hashing::new(file);
    let mut bytes = Vec::new();
    (&mut reader).take(LONGEST + 1).read_to_end(&mut bytes).map_err(|e| broken(&e))?;
    if bytes.len() as u64 > LONGEST {
        let help = "write the rows as CSV, or take a dump with COPY";
        return Err(Wrong::whole("it is longer than 64 MiB", help));
    }
    let sha256 = reader.finish()?;
    let text = values::text_of(bytes)?;
    if let Some((byte, what)) = super::migrations::refused(&text) {
        let (line, _) = sql::line_and_column(&text, byte);
        let help = "psql's own commands are of no use here; a plain dump is named as `dump`";
        return Err(Wrong::line(At { byte, line }, what, help));
    }
    Ok((text, sha256))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Dialect = Dialect { header: true, delimiter: b',', quote: b'"' };

    fn says<T: std::fmt::Debug>(wrong: Result<T, Wrong>) -> String {
        let wrong = wrong.expect_err("a mistake");
        format!("{}: {}", wrong.at.map_or(0, |at| at.line), wrong.what)
    }

    #[test]
    fn a_csv_file_is_counted_with_its_columns_and_what_is_wrong_has_its_line() {
        let text = "\u{feff}id,name\n1,\"a\nb\"\n2,\n";
        let found = csv(text.as_bytes(), PLAIN, 0).expect("right");
        assert_eq!((found.columns, found.rows), (vec!["id".into(), "name".into()], 2));
        assert_eq!(found.sha256, hex(&Sha256::digest(text)));
        let bare = Dialect { header: false, delimiter: b';', quote: b'\'' };
        assert_eq!(csv("1;'a;b'\n".as_bytes(), bare, 2).expect("right").rows, 1);
        for (text, what) in [
            ("id,name\n1,a\n2\n", "3: there are 2 columns, and this line has 1 cells"),
            ("id,id\n", "1: the first line names `id` twice"),
        ] {
            assert_eq!(says(csv(text.as_bytes(), PLAIN, 0)), what);
        }
        assert_eq!(says(csv(&b"id\n\xe9\n"[..], PLAIN, 0)), "2: a cell is not UTF-8");
    }

    #[test]
    fn the_rows_of_a_table_are_found_in_a_dump_and_no_others() {
        let dump_of = |table: &str| {
            let text = "--\n\\restrict x\nCREATE TABLE public.a (id int);\n\
                        COPY other.b (id) FROM stdin;\n7\n\\.\n\
                        COPY public.a (id, \"Na me\") FROM stdin;\n1\tx\n2\t\\\\.\n\\.\n\
                        COPY public.b (id) FROM stdin;\n\\.\nSELECT 1;\n";
            (text, dump(text.as_bytes(), table))
        };
        let (text, a) = dump_of("a");
        let a = a.expect("there");
        assert_eq!((a.rows, a.columns), (2, vec!["id".to_owned(), "Na me".to_owned()]));
        let rows =
            usize::try_from(a.bytes.0).expect("short")..usize::try_from(a.bytes.1).expect("short");
        assert_eq!(&text[rows], "1\tx\n2\t\\\\.\n");
        assert_eq!(a.sha256, hex(&Sha256::digest(text)));
        assert_eq!(dump_of("b").1.expect("there").rows, 0, "that of another schema is not it");
        assert!(says(dump_of("c").1).contains("has no `COPY c"));
        assert_eq!(says(dump(&b"PGDMP\x01"[..], "a")), "1: this dump is not a plain one");
        let cut = "COPY a (id) FROM stdin;\n1\n";
        assert_eq!(says(dump(cut.as_bytes(), "a")), "2: the dump ends in the middle of its rows");
    }

    #[test]
    fn statements_are_for_the_server_alone() {
        let (_, sha256) = statements("INSERT INTO a VALUES (1);".as_bytes()).expect("right");
        assert_eq!(sha256.len(), 64);
        assert!(says(statements("SELECT 1;\n\\i x\n".as_bytes())).starts_with("2: psql commands"));
        assert!(says(statements(&b"SELECT 1;\n\xff"[..])).starts_with("2: byte 10 belongs to"));
    }
}
