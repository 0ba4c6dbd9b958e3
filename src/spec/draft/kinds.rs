//! A generator for a column, from its type, its bounds and its statistics.

use super::facts::{ColumnFacts, Kind};
use super::recipe::{Bounds, Recipe};
use super::text::quoted;
use super::{names, stats};

/// The year of moments that nothing is known of.
const FIRST: &str = "2024-01-01T00:00:00Z";
const FIRST_DAY: &str = "2024-01-01";
const LAST_DAY: &str = "2024-12-31";
const YEAR_US: i64 = 366 * DAY_US;
const DAY_US: i64 = 86_400_000_000;
/// Whole numbers that the file states exactly.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// A column, and what is asked of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) column: &'a ColumnFacts,
    pub(super) bounds: &'a Bounds,
    pub(super) rows: u64,
}

/// Values of which each is there at most once.
///
/// # Errors
///
/// Why there are none.
pub(super) fn unique(asked: Asked<'_>) -> Result<Recipe, String> {
    let Asked { column, bounds, rows } = asked;
    let name = &column.name;
    let few = |there: f64| format!("`{name}` has only {there} values for {rows} rows");
    if bounds.one_of.is_some() {
        return Err(format!("`{name}` has a list of values and none of them twice"));
    }
    match &column.kind {
        Kind::Integer(_) | Kind::Numeric(_) | Kind::Float => {
            let (least, most) = whole_range(&column.kind);
            let (low, high) = bounds.numbers(1.0);
            let seen = column.statistics.as_ref();
            // Of keys from 1 on, a sample rarely has the first one.
            let seldom = |first: &f64| *first < 1.0 || *first > rows as f64;
            let first = seen.and_then(|seen| seen.bounds.first()?.parse::<f64>().ok());
            let first = first.filter(seldom);
            let start = first.or(low).unwrap_or(1.0).max(low.unwrap_or(least)).max(least).ceil();
            let there = high.unwrap_or(most).min(most).floor() - start + 1.0;
            if there < rows as f64 {
                return Err(few(there.max(0.0)));
            }
            let start = stats::rounded(start, 0).to_string();
            let is_mixed =
                seen.is_some_and(|seen| seen.correlation.is_some() && !stats::is_ordered(seen));
            Ok(match column.kind {
                Kind::Integer(_) if is_mixed => Recipe::of("permutation").with("min", start),
                _ if start == "1" => Recipe::of("sequence"),
                _ => Recipe::of("sequence").with("start", start),
            })
        }
        Kind::Text(_) => text(asked).ok_or_else(|| few(0.0)),
        Kind::Uuid => Ok(Recipe::of("uuid")),
        Kind::Bytea => Ok(Recipe::of("bytea").between(16.0, 16.0)),
        Kind::Timestamp(_) => {
            let (start, end) = moments(bounds);
            let step = (end - start) / i64::try_from(rows.max(1)).unwrap_or(i64::MAX);
            if step == 0 {
                return Err(few((end - start) as f64));
            }
            let step = format!("{}us", step.min(1_000_000));
            let start = stats::rfc3339(start).unwrap_or_else(|| FIRST.to_owned());
            Ok(Recipe::of("timestamp").with("start", quoted(&start)).with("step", quoted(&step)))
        }
        _ => {
            Err(format!("no values of type {} are made that differ in every row", column.type_name))
        }
    }
}

/// Values as they may be, some of them more than once.
///
/// # Errors
///
/// Why there are none.
pub(super) fn any(asked: Asked<'_>) -> Result<Recipe, String> {
    let Asked { column, bounds, rows } = asked;
    if let Some((other, strict)) = &bounds.after
        && let Some(recipe) = after(&column.kind, other, *strict)
    {
        return Ok(recipe);
    }
    if let Some(values) = &bounds.one_of {
        return Ok(one_of(column, values));
    }
    let seen = column.statistics.as_ref();
    if let Some(recipe) = seen.and_then(|seen| stats::recipe(&column.kind, seen, rows)) {
        return Ok(recipe);
    }
    let within = |unit: f64, limit: f64| {
        let (min, max) = bounds.fit(names::range(&column.name), unit);
        (min.max(-limit).min(limit), max.max(-limit).min(limit))
    };
    Ok(match &column.kind {
        Kind::Bool => Recipe::of("bool"),
        Kind::Integer(_) => {
            let (least, most) = whole_range(&column.kind);
            let (min, max) = within(1.0, EXACT);
            let (min, max) = (min.ceil().max(least), max.floor().min(most));
            Recipe::of("integer").between(min.min(max), max)
        }
        Kind::Numeric(digits) => {
            let scale = digits.map_or(2, |(_, scale)| scale.min(9));
            let whole = digits.map_or(9, |(all, scale)| all.saturating_sub(scale)).min(9);
            let unit = 10_f64.powi(-i32::try_from(scale).unwrap_or(9));
            let (min, max) = within(unit, 10_f64.powi(i32::try_from(whole).unwrap_or(9)) - unit);
            let (min, max) = (stats::rounded(min, scale), stats::rounded(max, scale));
            let recipe = Recipe::of("numeric").between(min.min(max), max);
            recipe.with("scale", scale.to_string())
        }
        Kind::Float => {
            let (min, max) = within(0.001, EXACT);
            Recipe::of("float").between(min, if max > min { max } else { min + 1.0 })
        }
        Kind::Text(most) => {
            let longest = bounds.longest.into_iter().chain(*most).min();
            names::text(&column.name, &Bounds { longest, ..bounds.clone() })
        }
        Kind::Uuid => Recipe::of("uuid"),
        Kind::Date => dates(bounds),
        Kind::Timestamp(_) => {
            let (start, end) = moments(bounds);
            let of = |us| stats::rfc3339(us).unwrap_or_else(|| FIRST.to_owned());
            Recipe::of("timestamp").with("start", quoted(&of(start))).with("end", quoted(&of(end)))
        }
        Kind::Json => Recipe::of("json").with(
            "fields",
            r#"{ label = { generator = "words", min = 1, max = 3 }, size = { generator = "integer", min = 1, max = 1000 } }"#.into(),
        ),
        Kind::Bytea => Recipe::of("bytea").between(16.0, 64.0),
        Kind::Inet => Recipe::of("inet"),
        Kind::Point => Recipe::of("point"),
        Kind::Enum(labels) => Recipe::choice(labels.iter().map(String::as_str)),
        Kind::Array(of) => array(column, of)?,
        Kind::Other(name) => other(name)?,
        Kind::Unknown => return Err(format!("nothing is known of type {}", column.type_name)),
    })
}

/// Days from the first to the last before the end of the bounds.
fn dates(bounds: &Bounds) -> Recipe {
    let (first, end) = moments(bounds);
    let day = |us: i64, otherwise: &str| {
        let day = stats::rfc3339(us).and_then(|text| text.get(..10).map(str::to_owned));
        quoted(&day.unwrap_or_else(|| otherwise.to_owned()))
    };
    let last = (end - DAY_US).max(first);
    Recipe::of("date").with("start", day(first, FIRST_DAY)).with("end", day(last, LAST_DAY))
}

/// From when to before when, in microseconds since 1970.
fn moments(bounds: &Bounds) -> (i64, i64) {
    let of = |bound: &Option<(String, bool)>| {
        let (text, _) = bound.as_ref()?;
        stats::moment(text)
    };
    match (of(&bounds.least), of(&bounds.most)) {
        (Some(start), Some(end)) if start < end => (start, end),
        (Some(start), _) => (start, start.saturating_add(YEAR_US)),
        (None, Some(end)) => (end.saturating_sub(YEAR_US), end),
        (None, None) => {
            let start = stats::moment(FIRST_DAY).unwrap_or(0);
            (start, start + YEAR_US)
        }
    }
}

/// Something more than another column of the row.
fn after(kind: &Kind, other: &str, strict: bool) -> Option<Recipe> {
    let recipe = Recipe::of("offset").with("column", quoted(other));
    let least = f64::from(u8::from(strict));
    match kind {
        Kind::Integer(_) | Kind::Numeric(_) => Some(recipe.between(least, 100.0)),
        Kind::Date | Kind::Timestamp(_) => {
            let shortest = if strict { "1d" } else { "0s" };
            Some(recipe.with("shortest", quoted(shortest)).with("longest", quoted("30d")))
        }
        _ => None,
    }
}

fn one_of(column: &ColumnFacts, values: &[String]) -> Recipe {
    let common = column.statistics.iter().flat_map(|seen| &seen.common);
    let known: Vec<(&str, f64)> = common
        .filter(|(value, _)| values.contains(value))
        .map(|(value, share)| (value.as_str(), *share))
        .collect();
    if known.len() > 1 {
        return stats::weighted(known.into_iter());
    }
    let mut once: Vec<&str> = Vec::new();
    for value in values {
        if !once.contains(&value.as_str()) {
            once.push(value);
        }
    }
    Recipe::choice(once)
}

/// Text with the row number in it, or digits of fixed number.
fn text(asked: Asked<'_>) -> Option<Recipe> {
    let Asked { column, bounds, rows } = asked;
    let Kind::Text(most) = &column.kind else { return None };
    let most = bounds.longest.into_iter().chain(*most).min();
    let least = bounds.shortest.unwrap_or(0);
    if least <= 3 && names::is_email(&column.name, most) {
        return Some(Recipe::of("email"));
    }
    let digits = u32::try_from(rows.max(1).to_string().len()).ok()?;
    if most == Some(least) && (digits..=15).contains(&least) {
        // All of them are to be of one length.
        let start = 10_u64.checked_pow(least - 1)?;
        return Some(Recipe::of("sequence").with("start", start.to_string()));
    }
    let room = most.unwrap_or(u32::MAX).checked_sub(digits)?;
    let usual = column.name.chars().filter(char::is_ascii_alphanumeric).chain(['-']);
    let mut prefix: String = usual.take(room.min(24) as usize).collect();
    while u32::try_from(prefix.len()).is_ok_and(|length| length + 1 < least && length < room) {
        prefix.push('x');
    }
    Some(Recipe::of("template").with("template", quoted(&(prefix + "{row}"))))
}

/// Least and most of a type.
fn whole_range(kind: &Kind) -> (f64, f64) {
    match kind {
        Kind::Integer(2) => (-32_768.0, 32_767.0),
        Kind::Integer(4) => (-2_147_483_648.0, 2_147_483_647.0),
        Kind::Numeric(Some((all, scale))) => {
            let whole = all.saturating_sub(*scale).min(15);
            let most = 10_f64.powi(i32::try_from(whole).unwrap_or(15)) - 1.0;
            (-most, most)
        }
        _ => (-EXACT, EXACT),
    }
}

fn array(column: &ColumnFacts, of: &Kind) -> Result<Recipe, String> {
    let element = match of {
        Kind::Text(most) if most.is_none_or(|most| most >= 24) => {
            Recipe::of("words").between(1.0, 1.0)
        }
        Kind::Text(_) => Recipe::choice(["a", "b", "c"]),
        kind => {
            let inner = ColumnFacts { kind: kind.clone(), ..ColumnFacts::default() };
            let bounds = Bounds::default();
            any(Asked { column: &inner, bounds: &bounds, rows: 1 })?
        }
    };
    if element.is_bound() || element.generator() == "array" {
        return Err(format!("no arrays are made of type {}", column.type_name));
    }
    Ok(Recipe::of("array").with("of", element.text()).between(0.0, 4.0))
}

/// Types that have no generator of their own, as some of their values.
fn other(name: &str) -> Result<Recipe, String> {
    let values: &[&str] = match name {
        "time" => &["08:00:00", "12:30:00", "17:45:00"],
        "timetz" => &["08:00:00+00", "12:30:00+00"],
        "interval" => &["5 minutes", "1 hour", "2 days"],
        "money" => &["1.00", "12.50", "99.00"],
        "cidr" => &["10.0.0.0/8", "192.168.0.0/16"],
        "macaddr" => &["08:00:2b:01:02:03", "08:00:2b:01:02:04"],
        "macaddr8" => &["08:00:2b:01:02:03:04:05"],
        "xml" => &["<x/>"],
        "tsvector" => return Ok(Recipe::of("words").between(3.0, 8.0)),
        "int4range" | "int8range" | "numrange" => &["[1,10)", "[5,20)"],
        "daterange" | "tsrange" | "tstzrange" => {
            &["[2024-01-01,2024-02-01)", "[2024-03-01,2024-05-01)"]
        }
        "oid" => return Ok(Recipe::of("integer").between(1.0, 1000.0)),
        "ltree" => &["top.a", "top.b.c"],
        "hstore" => &[""],
        "box" => &["(1,1),(0,0)"],
        "circle" => &["<(0,0),1>"],
        "path" | "polygon" => &["((0,0),(1,1),(1,0))"],
        "lseg" => &["[(0,0),(1,1)]"],
        _ => return Err(format!("no values of type {name} are made")),
    };
    Ok(match values {
        [one] => Recipe::constant(one),
        several => Recipe::choice(several.iter().copied()),
    })
}
