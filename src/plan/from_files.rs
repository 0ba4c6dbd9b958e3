//! Parameters whose values stand in a file beside the experiment.

use super::accepts::Accepts;
use super::logged::Asked;
use super::migrations::relative;
use super::notes::Notes;
use super::types::{DrawSource, FileValues};
use super::values::{Wanted, What};
use super::view::View;
use super::{codes, routes, short};
use crate::spec::{FromCsv, FromLog, Param, RowsFrom};

/// A column of a CSV file as a source, with the number of its values.
pub(super) fn csv(
    notes: &mut Notes<'_>,
    view: &View<'_>,
    name: &str,
    p: &Param,
    from: &FromCsv,
) -> Option<(DrawSource, u64)> {
    let what = What::Column(from.column.clone());
    let wanted = Wanted { file: from.file.clone(), what };
    let values = read(notes, view, (name, p), "from_csv", &wanted)?;
    let count = values.count;
    let (file, column) = (from.file.clone(), from.column.clone());
    Some((DrawSource::Csv { file, column, values }, count))
}

/// A column of a table whose rows come from elsewhere: of a CSV file that names its columns its values are known, of
/// anything else only to the server.
pub(super) fn of_table(
    notes: &mut Notes<'_>,
    view: &View<'_>,
    (name, p): (&str, &Param),
    (table, column): (&str, &str),
    from: &RowsFrom,
) -> Option<(DrawSource, u64)> {
    let path = notes.path_of(view.name, &["params", name, "from"]);
    let is_usual = from.header.unwrap_or(true) && from.delimiter.is_none() && from.quote.is_none();
    let why = match &from.csv {
        None => "they come from elsewhere, and are known to the server only",
        Some(_) if !is_usual => {
            "its CSV file has no header, or other delimiters or quotes than usual"
        }
        Some(_) if !p.r#where.is_empty() => "conditions are for rows that are made",
        Some(file) => {
            let what = What::Column(column.to_owned());
            let wanted = Wanted { file: file.clone(), what };
            let values = read(notes, view, (name, p), "from", &wanted)?;
            let (count, file) = (values.count, file.clone());
            return Some((DrawSource::Csv { file, column: column.to_owned(), values }, count));
        }
    };
    let what = format!("param `{name}`: no values of `{table}.{column}` can be drawn: {why}");
    let help = "write them down: `values = [ … ]`, or `from_csv` with a file that has them";
    notes.error(codes::PARAM, &path, what, help);
    None
}

/// A log's requests as a source, with the number of its values.
pub(super) fn log(
    notes: &mut Notes<'_>,
    view: &View<'_>,
    name: &str,
    p: &Param,
    from: &FromLog,
) -> Option<(DrawSource, u64)> {
    let asked = match &from.endpoint {
        Some(told) => Some(asked(notes, view, name, told)?),
        None => None,
    };
    let default = p.default.as_ref().map(ToString::to_string);
    let what = What::Param { name: name.to_owned(), default, asked };
    let wanted = Wanted { file: from.file.clone(), what };
    let values = read(notes, view, (name, p), "from_log", &wanted)?;
    let count = values.count;
    let (file, endpoint) = (from.file.clone(), from.endpoint.clone());
    Some((DrawSource::Log { file, endpoint, values }, count))
}

/// Which requests an endpoint's name, path, or method and path mean. Paths need not be of this file: the log may be of
/// another service.
fn asked(notes: &mut Notes<'_>, view: &View<'_>, name: &str, told: &str) -> Option<Asked> {
    if told.starts_with('/') {
        return Some(Asked { method: None, endpoints: vec![told.to_owned()] });
    }
    if let Ok(route) = routes::parse(told) {
        return Some(Asked { method: Some(route.method), endpoints: vec![route.path] });
    }
    if let Some(endpoint) = view.document.endpoints.get(told) {
        // A route that is wrong has been noted where it stands.
        let route = routes::parse(&endpoint.route).ok()?;
        return Some(Asked {
            method: Some(route.method),
            endpoints: vec![told.to_owned(), route.path],
        });
    }
    let path = notes.path_of(view.name, &["params", name, "from_log", "endpoint"]);
    let known = view.document.endpoints.keys().map(String::as_str);
    notes.unknown(&path, "endpoint", told, known);
    None
}

/// The values of a file, each one that the API takes; what is wrong is noted where it stands.
fn read(
    notes: &mut Notes<'_>,
    view: &View<'_>,
    (name, p): (&str, &Param),
    key: &str,
    wanted: &Wanted,
) -> Option<FileValues> {
    let path = match key {
        "from" => notes.path_of(view.name, &["params", name, key]),
        _ => notes.path_of(view.name, &["params", name, key, "file"]),
    };
    if !relative(&wanted.file) {
        let what = format!("param `{name}`: the file of its values is not a relative path");
        let help = "name a file relative to this one, like `\"keys.csv\"`";
        notes.error(codes::PATH, &path, what, help);
        return None;
    }
    let read = match notes.files.values(wanted) {
        Ok(read) => read,
        Err(wrong) => {
            let what = format!("param `{name}`: {}", wrong.what);
            match wrong.at {
                None => notes.error(codes::VALUES, &path, what, wrong.help),
                Some(at) => {
                    let place = notes.files.place(&wanted.file, at);
                    notes.error_at(codes::VALUES, place, what, wrong.help);
                }
            }
            return None;
        }
    };
    let accepts = Accepts::of(p);
    if let Some(position) = read.values.iter().position(|value| !accepts.takes(value)) {
        let place = notes.files.place(&wanted.file, read.at[position]);
        let value = short(&read.values[position]);
        let what = format!("param `{name}`: `{value}` is not of its type and limits");
        notes.error_at(codes::VALUES, place, what, "write values that the API takes");
        return None;
    }
    let count = read.values.len() as u64;
    Some(FileValues { sha256: read.sha256, count, list: read.values })
}
