//! Request parameters: what the API takes, and which values are asked for how often.

use super::accepts::{self, Accepts, fits};
use super::notes::Notes;
use super::types::{DatasetPlan, DistributionPlan, DrawPlan, DrawSource, ParamPlace, ParamPlan};
use super::view::View;
use super::{codes, conditions, from_files};
use crate::rows::{Generator, TableSpec};
use crate::spec::{Distribution, DistributionKind, HotKeys, Param, ParamType};

/// Exponent of Zipf's law where the file states none: YCSB's.
const EXPONENT: f64 = 0.99;

/// The parameter as the API checks it.
pub(super) fn checked(
    notes: &mut Notes<'_>,
    view: &View<'_>,
    name: &str,
    p: &Param,
    place: ParamPlace,
) -> ParamPlan {
    if let Some(Err(why)) = p.pattern.as_deref().map(accepts::pattern) {
        let path = notes.path_of(view.name, &["params", name, "pattern"]);
        let what = format!("param `{name}`: the pattern is no regular expression: {why}");
        notes.error(codes::PARAM, &path, what, "write like `pattern = \"[a-z]{2,8}\"`");
    }
    if p.array && p.r#type == ParamType::Enum {
        let path = notes.path_of(view.name, &["params", name, "array"]);
        let what = format!("param `{name}`: an array of an enum can't be bound");
        let help = "let it be an array of `text`, and cast it in the query: `$1::text[]::mood[]`";
        notes.error(codes::PARAM, &path, what, help);
    }
    if p.default.as_ref().is_some_and(|d| !Accepts::of(p).takes(&d.to_string())) {
        let path = notes.path_of(view.name, &["params", name, "default"]);
        let what = format!("param `{name}`: the default is no value of its type and limits");
        notes.error(codes::PARAM, &path, what, "write one that the API takes");
    }
    ParamPlan {
        name: name.to_owned(),
        r#type: p.r#type,
        max_length: p.max_length,
        min: p.min,
        max: p.max,
        default: p.default.as_ref().map(ToString::to_string),
        array: p.array,
        optional: p.required == Some(false),
        min_length: p.min_length,
        pattern: p.pattern.clone(),
        one_of: p.one_of.clone().unwrap_or_default(),
        place,
    }
}

/// Which values are asked for; none if requests leave the parameter out, or if something is wrong with it.
pub(super) fn draw(
    notes: &mut Notes<'_>,
    view: &View<'_>,
    dataset: &DatasetPlan,
    name: &str,
    in_path: bool,
) -> Option<DrawPlan> {
    let p = view.document.params.get(name)?;
    let path = notes.path_of(view.name, &["params", name]);
    // `spec` has seen to it that there is one at most, patches and profiles included.
    let (source, available) = if let Some(from) = &p.from {
        column_source(notes, view, dataset, name, p, from)?
    } else if p.values.is_some() {
        values_source(notes, view, name, p)?
    } else if let Some(from) = &p.from_csv {
        from_files::csv(notes, view, name, p, from)?
    } else if let Some(from) = &p.from_log {
        from_files::log(notes, view, name, p, from)?
    } else if (p.default.is_some() || p.required == Some(false)) && !in_path {
        return None;
    } else {
        let what = format!("param `{name}` has no values to ask for");
        let help = "write `from = \"table.column\"`, `values = [ … ]`, `from_csv` or `from_log`";
        notes.error(codes::PARAM, &path, what, help);
        return None;
    };
    let distribution = distribution(notes, view, name, p, &source, available)?;
    Some(DrawPlan { param: name.to_owned(), source, distribution })
}

fn values_source(
    notes: &mut Notes<'_>,
    view: &View<'_>,
    name: &str,
    p: &Param,
) -> Option<(DrawSource, u64)> {
    let values: Vec<String> = p.values.iter().flatten().map(ToString::to_string).collect();
    let path = notes.path_of(view.name, &["params", name, "values"]);
    let accepts = Accepts::of(p);
    if let Some(value) = values.iter().find(|v| !accepts.takes(v)) {
        let what =
            format!("param `{name}`: `{}` is not of its type and limits", super::short(value));
        notes.error(codes::PARAM, &path, what, "write values that the API takes");
        return None;
    }
    let count = values.len() as u64;
    Some((DrawSource::Values(values), count))
}

/// The column, and how many of its rows meet the conditions (as a share of all rows, so give or take a few).
fn column_source(
    notes: &mut Notes<'_>,
    view: &View<'_>,
    dataset: &DatasetPlan,
    name: &str,
    p: &Param,
    from: &str,
) -> Option<(DrawSource, u64)> {
    let path = notes.path_of(view.name, &["params", name, "from"]);
    let Some((table, column)) = from.split_once('.') else {
        let what = format!("param `{name}`: `{from}` is no column");
        notes.error(codes::PARAM, &path, what, "write it as `\"table.column\"`");
        return None;
    };
    if let Some(elsewhere) = view.document.dataset.tables.get(table).and_then(|t| t.from.as_ref()) {
        return from_files::of_table(notes, view, (name, p), (table, column), elsewhere);
    }
    let Some(spec) = dataset.tables.iter().find(|t| t.name == table) else {
        let known: Vec<&str> = dataset.tables.iter().map(|t| t.name.as_str()).collect();
        notes.unknown(&path, "table with generated rows", table, known);
        return None;
    };
    let Some(found) = spec.columns.iter().find(|c| c.name == column) else {
        // A column whose generator is wrong has been noted already.
        if !view.document.dataset.tables[table].columns.contains_key(column) {
            let known: Vec<&str> = spec.columns.iter().map(|c| c.name.as_str()).collect();
            notes.unknown(&path, &format!("generated column of `{table}`"), column, known);
        }
        return None;
    };
    if p.array || !generates(&found.generator, p.r#type, spec.rows) {
        let what = format!("param `{name}`: the values of `{from}` are not all of its type");
        notes.error(codes::PARAM, &path, what, "choose the type that the column generates");
        return None;
    }
    let (conditions, share) = where_conditions(notes, view, name, p, spec)?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of at most 10^9 rows"
    )]
    let available = (spec.rows as f64 * share * (1.0 - found.null_share())).floor() as u64;
    if available == 0 {
        let what = format!("param `{name}`: no row of `{table}` can give it a value");
        notes.error(codes::PARAM, &path, what, "give the table rows that meet the conditions");
        return None;
    }
    let (table, column) = (table.to_owned(), column.to_owned());
    Some((DrawSource::Column { table, column, conditions }, available))
}

type Conditions = Vec<(String, String)>;

fn where_conditions(
    notes: &mut Notes<'_>,
    view: &View<'_>,
    name: &str,
    p: &Param,
    table: &TableSpec,
) -> Option<(Conditions, f64)> {
    let mut conditions = Vec::new();
    let mut share = 1.0;
    for (column, value) in &p.r#where {
        let path = notes.path_of(view.name, &["params", name, "where", column]);
        let Some(spec) = table.columns.iter().find(|c| c.name == *column) else {
            let known: Vec<&str> = table.columns.iter().map(|c| c.name.as_str()).collect();
            let kind = format!("generated column of `{}`", table.name);
            notes.unknown_key(&path, &kind, column, known);
            continue;
        };
        let value = value.to_string();
        match conditions::share(&spec.generator, table.rows, &value) {
            Ok(of_rows) => share *= of_rows * (1.0 - spec.null_share()),
            Err(what) => {
                let what = format!("param `{name}`: {what}");
                notes.error(codes::WHERE, &path, what, "state a value that the column can have");
            }
        }
        conditions.push((column.clone(), value));
    }
    (conditions.len() == p.r#where.len()).then_some((conditions, share))
}

fn distribution(
    notes: &mut Notes<'_>,
    view: &View<'_>,
    name: &str,
    p: &Param,
    source: &DrawSource,
    available: u64,
) -> Option<DistributionPlan> {
    let d = &p.distribution;
    if let Some(keys) = d.keys.filter(|keys| *keys == 0 || *keys > available) {
        let path = notes.path_of(view.name, &["params", name, "distribution", "keys"]);
        let what = format!("param `{name}`: {keys} keys, but about {available} to choose from");
        notes.error(codes::PARAM, &path, what, "ask for fewer keys, or generate more rows");
    }
    let error = |notes: &mut Notes<'_>, what: &str, help: &str| {
        let path = notes.path_of(view.name, &["params", name, "distribution"]);
        notes.error(codes::PARAM, &path, format!("param `{name}`: {what}"), help);
        None
    };
    // A log has an order of its own, and `spec` lets nobody state another.
    if matches!(source, DrawSource::Log { .. }) {
        return Some(DistributionPlan::Sequential { keys: Some(available) });
    }
    let is_column = matches!(source, DrawSource::Column { .. });
    let keys = d.keys.or((!is_column).then_some(available));
    match (d.kind, keys) {
        (DistributionKind::Uniform, keys) => Some(DistributionPlan::Uniform { keys }),
        (DistributionKind::Sequential, Some(_)) => Some(DistributionPlan::Sequential { keys }),
        (DistributionKind::Zipfian, Some(keys)) => {
            Some(DistributionPlan::Zipfian { exponent: d.exponent.unwrap_or(EXPONENT), keys })
        }
        (DistributionKind::HotSet, Some(keys)) => match hot_set(d, keys) {
            Ok(plan) => Some(plan),
            Err(what) => {
                error(notes, &what, "write like `hot_keys = \"1%\", hot_requests = \"90%\"`")
            }
        },
        (_, None) => {
            let what = "this distribution needs a number of keys";
            error(notes, what, "write like `keys = 10_000`")
        }
    }
}

/// At least one hot key, and at least one other, each asked for.
fn hot_set(d: &Distribution, keys: u64) -> Result<DistributionPlan, String> {
    let (Some(hot), Some(requests)) = (d.hot_keys, d.hot_requests) else {
        return Err("a hot set needs `hot_keys` and `hot_requests`".into());
    };
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of at most 10^7 keys, from 0 to 10"
    )]
    let hot_keys = match hot {
        HotKeys::Count(count) => count,
        HotKeys::Share(share) => ((keys as f64 * share.0).round() as u64).max(1),
    };
    if hot_keys == 0 || hot_keys >= keys {
        return Err(format!("{hot_keys} hot keys of {keys}: some must be, and some not"));
    }
    if !(requests.0 > 0.0 && requests.0 < 1.0) {
        return Err("hot keys must have some of the requests, and not all".into());
    }
    Ok(DistributionPlan::HotSet { keys, hot_keys, hot_share: requests.0 })
}

/// Whether every value of a generator is one of a type.
fn generates(generator: &Generator, kind: ParamType, rows: u64) -> bool {
    use ParamType as P;
    if let Some((least, most)) = generator.whole_range(rows) {
        return match kind {
            P::Integer => [least, most].iter().all(|n| i32::try_from(*n).is_ok()),
            _ => matches!(kind, P::Bigint | P::Numeric | P::Float | P::Text | P::Json),
        };
    }
    match generator {
        Generator::Float { .. } | Generator::Real { .. } | Generator::Numeric { .. } => {
            matches!(kind, P::Numeric | P::Float | P::Text | P::Json)
        }
        Generator::Bool { .. } => matches!(kind, P::Bool | P::Text | P::Json),
        Generator::Uuid | Generator::UuidV7 { .. } => matches!(kind, P::Uuid | P::Text),
        // Without a zone, and with a time: the API takes them as nothing else.
        Generator::Timestamp { .. } | Generator::Moment { .. } => {
            matches!(kind, P::Timestamp | P::Text)
        }
        Generator::Date { .. } => matches!(kind, P::Date | P::Text),
        Generator::Json { .. } => matches!(kind, P::Json | P::Text),
        Generator::Template { pieces } => match kind {
            P::Text => true,
            // Numbers may be written as templates: `{row}` alone, or with a prefix of digits.
            _ => [1, rows].iter().all(|row| fits(kind, &pieces.join(&row.to_string()))),
        },
        Generator::Weighted { choices } => choices.iter().all(|(value, _)| fits(kind, value)),
        Generator::Constant { value } => fits(kind, value),
        Generator::ForeignKey { column, rows, .. } => generates(&column.generator, kind, *rows),
        Generator::Offset { column, .. } => generates(&column.generator, kind, rows),
        Generator::Dependent { generator, .. } => generates(generator, kind, rows),
        // Which labels an enum has is for the author to know: its column generates some of them.
        _ => matches!(kind, P::Text | P::Enum),
    }
}
