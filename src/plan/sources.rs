//! Tables whose rows are not made here: files are looked through, so that what is wrong in them is said with its line.

use super::dataset::check_name;
use super::migrations::{self, Migrations};
use super::notes::Notes;
use super::source_files::{self, Dialect};
use super::sql::{self, Kind};
use super::types::{SourceKind, SourcePlan};
use super::values::Wrong;
use super::{codes, short};
use crate::spec::RowsFrom;

/// Where the rows of a table come from; none if that is wrong, which is noted.
pub(super) fn source(
    notes: &mut Notes<'_>,
    migrations: Option<&Migrations>,
    table: &str,
    from: &RowsFrom,
) -> Option<SourcePlan> {
    let path = ["dataset", "tables", table, "from"];
    for column in from.columns.iter().flatten() {
        check_name(notes, migrations, "column", column, &[&path[..], &["columns"][..]].concat());
    }
    if let Some(query) = &from.query {
        return of_query(notes, table, query, from);
    }
    // `spec` has seen to it that one of them is there.
    let (key, told) = [("csv", &from.csv), ("sql", &from.sql), ("dump", &from.dump)]
        .into_iter()
        .find_map(|(key, file)| Some((key, file.as_ref()?)))?;
    let path = [&path[..], &[key][..]].concat();
    if !migrations::relative(told) {
        let what = format!("table `{table}`: the file of its rows is not a relative path");
        notes.error(codes::PATH, &path, what, "name a file relative to this one");
        return None;
    }
    let read = source_files::open(&notes.files.path(told)).and_then(|file| match key {
        "csv" => of_csv(file, table, told, from),
        "sql" => of_statements(file, table, told),
        _ => of_dump(file, table, told),
    });
    match read {
        Ok(source) => {
            let names = if from.columns.is_some() { &[][..] } else { &source.columns[..] };
            for column in names {
                check_name(notes, migrations, "column", column, &path);
            }
            Some(source)
        }
        Err(Wrong { at, what, help }) => {
            let what = format!("table `{table}`: {what}");
            match at {
                None => notes.error(codes::VALUES, &path, what, help),
                Some(at) => {
                    let place = notes.files.place(told, at);
                    notes.error_at(codes::VALUES, place, what, help);
                }
            }
            None
        }
    }
}

fn of_csv(
    file: std::fs::File,
    table: &str,
    told: &str,
    from: &RowsFrom,
) -> Result<SourcePlan, Wrong> {
    // `spec` lets nothing but one ASCII character through, and a word for one.
    let sign = |text: Option<&String>, otherwise: u8| match text.map(String::as_str) {
        Some("tab") => b'\t',
        Some(text) => text.bytes().next().unwrap_or(otherwise),
        None => otherwise,
    };
    let (delimiter, quote) = (sign(from.delimiter.as_ref(), b','), sign(from.quote.as_ref(), b'"'));
    let header = from.header.unwrap_or(true);
    let columns = from.columns.clone().unwrap_or_default();
    let dialect = Dialect { header, delimiter, quote };
    let found = source_files::csv(file, dialect, columns.len())?;
    Ok(SourcePlan {
        table: table.to_owned(),
        columns: if header { found.columns } else { columns },
        rows: Some(found.rows),
        from: SourceKind::Csv {
            file: told.to_owned(),
            sha256: found.sha256,
            header,
            delimiter: char::from(delimiter),
            quote: char::from(quote),
            null: from.null_as.clone().unwrap_or_default(),
        },
    })
}

fn of_dump(file: std::fs::File, table: &str, told: &str) -> Result<SourcePlan, Wrong> {
    let found = source_files::dump(file, table)?;
    let (start, end) = found.bytes;
    let from = SourceKind::Dump { file: told.to_owned(), sha256: found.sha256, start, end };
    let table = table.to_owned();
    Ok(SourcePlan { table, columns: found.columns, rows: Some(found.rows), from })
}

fn of_statements(file: std::fs::File, table: &str, told: &str) -> Result<SourcePlan, Wrong> {
    let (text, sha256) = source_files::statements(file)?;
    let name = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
    if !text.split(|c| !name(c)).any(|word| word.eq_ignore_ascii_case(table)) {
        let what = format!("no statement of the file mentions `{table}`");
        return Err(Wrong::whole(what, "name the file that fills this table"));
    }
    let from = SourceKind::Sql { file: told.to_owned(), sha256 };
    Ok(SourcePlan { table: table.to_owned(), columns: Vec::new(), rows: None, from })
}

fn of_query(
    notes: &mut Notes<'_>,
    table: &str,
    query: &str,
    from: &RowsFrom,
) -> Option<SourcePlan> {
    let path = ["dataset", "tables", table, "from", "query"];
    let scan = sql::scan(query);
    let first = scan.tokens.first().filter(|t| t.kind == Kind::Word);
    let word = first.map(|t| t.text(query).to_ascii_lowercase()).unwrap_or_default();
    let wrong = if let Some(why) = sql::not_one_statement(query, &scan) {
        Some(format!("not one statement: {why}"))
    } else if sql::placeholders(&scan).next().is_some() {
        Some("nothing is bound to a placeholder".to_owned())
    } else {
        let gives = ["select", "values", "with", "table"].contains(&word.as_str());
        (!gives).then(|| "it gives no rows".to_owned())
    };
    if let Some(why) = wrong {
        let what = format!("table `{table}`: `{}`: {why}", short(query));
        let help = "write like `SELECT n, 'name ' || n FROM generate_series(1, 1000) AS n`";
        notes.error(codes::STATEMENT, &path, what, help);
        return None;
    }
    Some(SourcePlan {
        table: table.to_owned(),
        columns: from.columns.clone().unwrap_or_default(),
        rows: None,
        // A `;` at its end would stand in the middle of an INSERT.
        from: SourceKind::Query { sql: query.trim_end().trim_end_matches(';').to_owned() },
    })
}
