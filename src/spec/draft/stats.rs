//! What ANALYZE has seen of a column, as a generator that makes the like of it.

use chrono::{DateTime, NaiveDate, NaiveDateTime, SecondsFormat};

use super::facts::{Kind, Statistics};
use super::recipe::Recipe;
use super::text::{number, quoted};

/// More values are no list for people.
const MOST_VALUES: usize = 50;
/// Longer values are no categories.
const LONGEST_VALUE: usize = 100;
/// Values that together are this share of the rows are as good as all.
const ALL: f64 = 0.99;
/// Orders that agree so well are one.
const ORDERED: f64 = 0.95;

/// A generator of the like; none where the statistics say too little about it.
pub(super) fn recipe(kind: &Kind, seen: &Statistics, rows: u64) -> Option<Recipe> {
    if *kind == Kind::Bool {
        let share = |word: &str| seen.common.iter().find(|(v, _)| v == word).map(|(_, s)| *s);
        let there = 1.0 - seen.null_share;
        let is_true = share("t").or_else(|| Some(there - share("f")?))?;
        let probability = (is_true / there.max(1e-9)).clamp(0.0, 1.0);
        return Some(Recipe::of("bool").with("probability", number(rounded(probability, 4))));
    }
    if let Some(few) = of_few(kind, seen) {
        return Some(few);
    }
    match kind {
        Kind::Integer(_) => numbers(seen, Recipe::of("integer"), 0),
        Kind::Numeric(digits) => {
            let scale = digits.map_or(2, |(_, scale)| scale.min(9));
            let recipe = numbers(seen, Recipe::of("numeric"), scale)?;
            Some(recipe.with("scale", scale.to_string()))
        }
        Kind::Float => numbers(seen, Recipe::of("float"), 6),
        Kind::Timestamp(_) => {
            let (first, last) = ends(seen, moment)?;
            // The last of them is made too.
            let (start, end) = (rfc3339(first)?, rfc3339(last.saturating_add(1_000_000))?);
            let recipe = Recipe::of("timestamp").with("start", quoted(&start));
            Some(ordered(recipe.with("end", quoted(&end)), seen))
        }
        Kind::Date => {
            let (first, last) = ends(seen, |text| text.parse::<NaiveDate>().ok())?;
            let recipe = Recipe::of("date").with("start", quoted(&first.to_string()));
            Some(ordered(recipe.with("end", quoted(&last.to_string())), seen))
        }
        Kind::Text(most) => words(seen, rows, *most),
        _ => None,
    }
}

/// How many different values.
pub(super) fn distinct(seen: &Statistics, rows: u64) -> f64 {
    if seen.distinct < 0.0 { -seen.distinct * rows as f64 } else { seen.distinct }
}

/// Whether values lie in the order of the rows.
pub(super) fn is_ordered(seen: &Statistics) -> bool {
    seen.correlation.is_some_and(|c| c > ORDERED)
}

/// Whether some values are much more common than the mean one.
pub(super) fn is_skewed(seen: &Statistics, rows: u64) -> bool {
    let most = seen.common.first().map_or(0.0, |(_, share)| *share);
    most * distinct(seen, rows) > 3.0
}

fn ordered(recipe: Recipe, seen: &Statistics) -> Recipe {
    if is_ordered(seen) { recipe.with("order", quoted("ascending")) } else { recipe }
}

/// The most common values, where they are all that there are.
fn of_few(kind: &Kind, seen: &Statistics) -> Option<Recipe> {
    let sum: f64 = seen.common.iter().map(|(_, share)| *share).sum();
    let fits = |value: &String| {
        let is_short = value.chars().count() <= LONGEST_VALUE;
        is_short && !value.chars().any(char::is_control) && is_plain(kind, value)
    };
    let is_all = sum + seen.null_share >= ALL && seen.common.len() <= MOST_VALUES;
    if seen.common.is_empty() || !is_all || !seen.common.iter().all(|(value, _)| fits(value)) {
        return None;
    }
    if let [(value, _)] = seen.common.as_slice() {
        return Some(Recipe::constant(value));
    }
    Some(weighted(seen.common.iter().map(|(value, share)| (value.as_str(), *share))))
}

/// Whether a value is one that the file can state: not infinite, before Christ, or with words that mean something in it.
fn is_plain(kind: &Kind, value: &str) -> bool {
    match kind {
        Kind::Integer(_) => value.parse::<i64>().is_ok(),
        Kind::Numeric(_) | Kind::Float => value.parse::<f64>().is_ok_and(f64::is_finite),
        Kind::Date => value.parse::<NaiveDate>().is_ok(),
        Kind::Timestamp(_) => moment(value).is_some(),
        _ => !value.contains("${") && !value.contains("://"),
    }
}

/// One of the values, by their shares.
pub(super) fn weighted<'a>(values: impl Iterator<Item = (&'a str, f64)>) -> Recipe {
    let weights: Vec<String> = values
        .map(|(value, share)| {
            format!("{} = {}", quoted(value), number(rounded(share, 5).max(1e-5)))
        })
        .collect();
    Recipe::of("weighted").with("weights", format!("{{ {} }}", weights.join(", ")))
}

/// Least and most of what was seen.
fn ends<T: Ord + Copy>(seen: &Statistics, read: impl Fn(&str) -> Option<T>) -> Option<(T, T)> {
    let common = seen.common.iter().map(|(value, _)| value);
    let values: Vec<T> = seen.bounds.iter().chain(common).filter_map(|text| read(text)).collect();
    let (first, last) = (values.iter().min()?, values.iter().max()?);
    (first < last).then_some((*first, *last))
}

/// Numbers of a range, with its shape where it is not even.
fn numbers(seen: &Statistics, recipe: Recipe, scale: u32) -> Option<Recipe> {
    let read = |text: &String| text.parse::<f64>().ok().filter(|x| x.is_finite());
    let bounds: Vec<f64> = seen.bounds.iter().filter_map(read).collect();
    let common = seen.common.iter().filter_map(|(value, _)| read(value));
    let all: Vec<f64> = bounds.iter().copied().chain(common).collect();
    let min = all.iter().copied().reduce(f64::min)?;
    let max = all.iter().copied().reduce(f64::max)?;
    // Beyond 2^53 units of the last digit a file can't state them exactly.
    let ten = 10_f64.powi(i32::try_from(scale).ok()?);
    if min >= max || max.abs().max(min.abs()) * ten > 9e15 {
        return None;
    }
    let (min, max) = (rounded(min, scale), rounded(max, scale));
    if min >= max {
        return None;
    }
    let recipe = recipe.between(min, max);
    let shaped = |recipe: Recipe, name: &str| recipe.with("distribution", quoted(name));
    if bounds.len() < 10 {
        return Some(recipe);
    }
    let count = bounds.len() as f64;
    let mean = bounds.iter().sum::<f64>() / count;
    let variance = bounds.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / count;
    let (place, spread) = ((mean - min) / (max - min), variance.sqrt() / (max - min));
    let digits = scale + 2;
    // An even range has its mean in the middle and a deviation of 0.289 of its width.
    Some(if (0.4..=0.6).contains(&place) && spread < 0.25 {
        let deviation = number(rounded(variance.sqrt(), digits).max(1e-6));
        shaped(recipe, "normal")
            .with("mean", number(rounded(mean, digits)))
            .with("deviation", deviation)
    } else if place > 0.0 && place < 0.3 && rounded(mean, digits) > min {
        shaped(recipe, "exponential").with("mean", number(rounded(mean, digits)))
    } else {
        recipe
    })
}

/// Single words where values come again and again, else none: then the column's name says more.
fn words(seen: &Statistics, rows: u64, most: Option<u32>) -> Option<Recipe> {
    let distinct = distinct(seen, rows).round();
    let returns = distinct >= 2.0 && distinct <= rows as f64 * 0.2 && distinct <= 1e6;
    // Made words have up to some twenty letters.
    if !returns || most.is_some_and(|most| most < 24) {
        return None;
    }
    let recipe = Recipe::of("words").between(1.0, 1.0).with("vocabulary", number(distinct));
    Some(if is_skewed(seen, rows) { recipe.with("exponent", "1.0".into()) } else { recipe })
}

/// `2024-01-31 12:00:00+00`, with or without time and zone, in microseconds since 1970.
pub(super) fn moment(text: &str) -> Option<i64> {
    if let Ok(moment) = DateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f%#z") {
        return Some(moment.timestamp_micros());
    }
    let without_zone = NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f").ok();
    let moment = without_zone.or_else(|| text.parse::<NaiveDate>().ok()?.and_hms_opt(0, 0, 0))?;
    Some(moment.and_utc().timestamp_micros())
}

/// Microseconds since 1970 as RFC 3339.
pub(super) fn rfc3339(us: i64) -> Option<String> {
    Some(DateTime::from_timestamp_micros(us)?.to_rfc3339_opts(SecondsFormat::AutoSi, true))
}

/// A number with so many digits after the point.
pub(super) fn rounded(x: f64, digits: u32) -> f64 {
    let ten = 10_f64.powi(i32::try_from(digits).unwrap_or(9));
    (x * ten).round() / ten
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(common: &[(&str, f64)], bounds: &[&str]) -> Statistics {
        Statistics {
            distinct: -0.5,
            common: common.iter().map(|(value, share)| ((*value).to_owned(), *share)).collect(),
            bounds: bounds.iter().map(|bound| (*bound).to_owned()).collect(),
            ..Statistics::default()
        }
    }

    fn text(kind: &Kind, seen: &Statistics) -> String {
        recipe(kind, seen, 1000).map(|recipe| recipe.text()).unwrap_or_default()
    }

    #[test]
    fn few_values_are_drawn_by_their_shares() {
        let few = seen(&[("a\"b", 0.7), ("c", 0.3)], &[]);
        assert_eq!(
            text(&Kind::Text(None), &few),
            r#"{ generator = "weighted", weights = { "a\"b" = 0.7, "c" = 0.3 } }"#
        );
        let one = seen(&[("0", 1.0)], &[]);
        assert_eq!(text(&Kind::Integer(4), &one), r#"{ generator = "constant", value = "0" }"#);
    }

    #[test]
    fn a_range_has_the_shape_that_its_groups_have() {
        let even: Vec<String> = (0..=20).map(|i| (i * 5).to_string()).collect();
        let even: Vec<&str> = even.iter().map(String::as_str).collect();
        let integer = |bounds: &[&str]| text(&Kind::Integer(4), &seen(&[], bounds));
        assert_eq!(integer(&even), r#"{ generator = "integer", min = 0, max = 100 }"#);
        let falling: Vec<String> = (0..=20).map(|i: i32| i.pow(3).to_string()).collect();
        let falling: Vec<&str> = falling.iter().map(String::as_str).collect();
        assert!(integer(&falling).contains(r#"distribution = "exponential", mean = 2100"#));
    }

    #[test]
    fn moments_are_read_as_postgres_writes_them() {
        let noon = Some(1_706_702_400_000_000);
        for text in ["2024-01-31 12:00:00", "2024-01-31 12:00:00+00", "2024-01-31 13:30:00+01:30"] {
            assert_eq!(moment(text), noon, "{text}");
        }
        assert_eq!(moment("2024-01-31"), noon.map(|us| us - 43_200_000_000));
        assert_eq!(moment("infinity"), None);
        let bounds = seen(&[], &["2024-01-01 00:00:00+00", "2024-02-01 00:00:00+00"]);
        assert_eq!(
            text(&Kind::Timestamp(true), &bounds),
            r#"{ generator = "timestamp", start = "2024-01-01T00:00:00Z", end = "2024-02-01T00:00:01Z" }"#
        );
    }
}
