//! Which values of a partition key find a partition.

use super::facts::{Kind, Partition};
use super::recipe::Bounds;
use super::stats::moment;

/// The bounds that partitions set to a column; none where it is no key, or where nothing can be read.
pub(super) fn narrow(
    column: &str,
    kind: &Kind,
    partition: Option<&Partition>,
    bounds: &mut Bounds,
) {
    let Some(partition) = partition else { return };
    let Some((how, key)) = partition.key.split_once(' ') else { return };
    let key = key.trim().trim_start_matches('(').trim_end_matches(')').trim_matches('"');
    if key != column {
        return;
    }
    if how.eq_ignore_ascii_case("list") {
        let lists = partition.bounds.iter().filter_map(|bound| behind(bound, "IN ("));
        let all: Vec<String> = lists.flat_map(|list| values(list).into_iter().flatten()).collect();
        if !all.is_empty() {
            bounds.one_of = Some(all);
        }
    } else if how.eq_ignore_ascii_case("range") {
        range(kind, &partition.bounds, bounds);
    }
}

/// The first ranges that follow on each other without a gap.
fn range(kind: &Kind, texts: &[String], bounds: &mut Bounds) {
    let place = |text: &str| match kind {
        Kind::Date | Kind::Timestamp(_) => moment(text).map(|us| us as f64),
        _ => text.parse::<f64>().ok(),
    };
    let one = |text: &String| {
        let end = |word| values(behind(text, word)?).into_iter().next();
        let (from, to) = (end("FROM (")?, end("TO (")?);
        // MINVALUE and MAXVALUE are not there.
        let least = from.as_deref().map_or(Some(f64::NEG_INFINITY), place)?;
        let most = to.as_deref().map_or(Some(f64::INFINITY), place)?;
        Some(((least, from), (most, to)))
    };
    let mut ranges: Vec<_> = texts.iter().filter_map(one).collect();
    ranges.sort_by(|a, b| a.0.0.total_cmp(&b.0.0));
    let mut ranges = ranges.into_iter();
    let Some((first, mut last)) = ranges.next() else { return };
    for (from, to) in ranges {
        if from.0 > last.0 {
            break;
        }
        last = to;
    }
    bounds.least = first.1.map(|text| (text, false));
    bounds.most = last.1.map(|text| (text, true));
}

/// What stands behind a word, up to its closing parenthesis.
fn behind<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(word)?;
    let mut in_text = false;
    let end = rest.find(|c| {
        in_text ^= c == '\'';
        c == ')' && !in_text
    })?;
    Some(&rest[..end])
}

/// The values of a list; nothing for those that stand without quotes and are no number.
fn values(list: &str) -> Vec<Option<String>> {
    let mut in_text = false;
    let parts = list.split(|c| {
        in_text ^= c == '\'';
        c == ',' && !in_text
    });
    let value = |part: &str| {
        let part = part.trim();
        match part.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')) {
            Some(text) => Some(text.replace("''", "'")),
            None => part.parse::<f64>().ok().map(|_| part.to_owned()),
        }
    };
    parts.map(value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bounds(column: &str, kind: &Kind, key: &str, texts: &[&str]) -> Bounds {
        let texts = texts.iter().map(|text| (*text).to_owned()).collect();
        let partition = Partition { key: key.into(), bounds: texts };
        let mut bounds = Bounds::default();
        narrow(column, kind, Some(&partition), &mut bounds);
        bounds
    }

    #[test]
    fn ranges_without_a_gap_are_one_and_lists_are_put_together() {
        let found = bounds(
            "at",
            &Kind::Timestamp(true),
            "RANGE (at)",
            &[
                "FOR VALUES FROM ('2024-07-01 00:00:00+00') TO ('2025-01-01 00:00:00+00')",
                "FOR VALUES FROM ('2024-01-01 00:00:00+00') TO ('2024-07-01 00:00:00+00')",
                "FOR VALUES FROM ('2030-01-01 00:00:00+00') TO (MAXVALUE)",
                "DEFAULT",
            ],
        );
        assert_eq!(found.least, Some(("2024-01-01 00:00:00+00".into(), false)));
        assert_eq!(found.most, Some(("2025-01-01 00:00:00+00".into(), true)));
        let found = bounds(
            "zone",
            &Kind::Text(None),
            "LIST (zone)",
            &["FOR VALUES IN ('a,b', 'it''s')", "FOR VALUES IN (NULL, 7)"],
        );
        assert_eq!(found.one_of, Some(vec!["a,b".into(), "it's".into(), "7".into()]));
    }

    #[test]
    fn another_column_and_a_hash_are_not_bound() {
        for key in ["HASH (id)", "RANGE (other)", "RANGE (id, at)", ""] {
            let found =
                bounds("id", &Kind::Integer(4), key, &["FOR VALUES FROM (1) TO (2)", "DEFAULT"]);
            assert_eq!(found, Bounds::default(), "{key}");
        }
        let open =
            bounds("id", &Kind::Integer(4), "RANGE (id)", &["FOR VALUES FROM (MINVALUE) TO (10)"]);
        assert_eq!((open.least, open.most), (None, Some(("10".into(), true))));
    }
}
