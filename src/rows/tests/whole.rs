//! Rows are the same everywhere, in any order, as a value and as a line of COPY.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use sha2::{Digest, Sha256};

use super::*;
use crate::rows::checksum;
use crate::units::hex;

#[test]
fn every_generator_makes_the_same_rows_everywhere() {
    // Column by column, so that a change says whose it is.
    let expected = include_str!("golden.txt");
    let mut found = String::new();
    for spec in everything() {
        let rows = made(table("t", 2000, vec![spec.clone()]));
        let mut lines = Vec::new();
        (1..=2000).for_each(|row| rows.write_copy_row(row, &mut lines));
        let digest = hex(&Sha256::digest(&lines)[..16]);
        writeln!(found, "{} {digest}", spec.name).expect("a text takes everything");
    }
    assert!(found == expected, "rows have changed:\n{found}");
}

#[test]
fn all_rows_are_the_same_whatever_the_number_of_threads() {
    const ROWS: u64 = 4000;
    let rows = made(table("t", ROWS, everything()));
    let part = &|from: u64, to: u64| {
        let mut lines = Vec::new();
        (from..to).for_each(|row| rows.write_copy_row(row, &mut lines));
        lines
    };
    for threads in [1, 3, 8] {
        let bound = &|at: u64| 1 + ROWS * at / threads;
        let lines: Vec<Vec<u8>> = std::thread::scope(|scope| {
            let make = |at| scope.spawn(move || part(bound(at), bound(at + 1)));
            let makers: Vec<_> = (0..threads).map(make).collect();
            makers.into_iter().map(|maker| maker.join().expect("it makes them")).collect()
        });
        let digest = hex(&Sha256::digest(lines.concat()));
        assert_eq!(
            digest, "af18ffb8b5f219b869a19085215a8068c01faac92bd603698055d8ed115f2e78",
            "{threads} threads"
        );
    }
}

#[test]
fn values_and_lines_say_the_same_in_any_order() {
    let rows = made(table("t", 2000, everything()));
    let unescaped = |field: &str| {
        let mut out = String::new();
        let mut chars = field.chars();
        while let Some(c) = chars.next() {
            out.push(match (c, if c == '\\' { chars.next() } else { None }) {
                ('\\', Some('t')) => '\t',
                ('\\', Some('n')) => '\n',
                ('\\', Some('r')) => '\r',
                ('\\', Some(other)) => other,
                (plain, _) => plain,
            });
        }
        out
    };
    for row in (1..=2000).rev().step_by(3) {
        let mut line = Vec::new();
        rows.write_copy_row(row, &mut line);
        let line = String::from_utf8(line).expect("UTF-8");
        assert_eq!(line.matches('\n').count(), 1, "{line}");
        for (i, field) in line.trim_end_matches('\n').split('\t').enumerate() {
            assert_eq!(Some(unescaped(field)), rows.value(i, row).text(), "{i} {line}");
            let mut plain = Vec::new();
            rows.write_text(i, row, &mut plain);
            assert_eq!(plain, unescaped(field).into_bytes());
        }
    }
}

#[test]
fn json_is_json_and_its_null_is_null() {
    let rows = only(500, document());
    let mut nulls = 0;
    for text in texts(&rows, 0) {
        let value: serde_json::Value = serde_json::from_str(&text).expect(&text);
        nulls += usize::from(value["n"].is_null());
        assert!(value["n"].is_null() || value["n"].as_i64().is_some_and(|n| n >= 10_000));
        assert!(value["tags"].as_array().is_some_and(|tags| tags.len() <= 3));
        assert_eq!(value["say \"x\""], "a \"b\"\t\\");
        assert!(value["in"]["ok"].is_boolean());
    }
    assert!(nulls.abs_diff(100) < 40, "{nulls}");
    assert_eq!(texts(&only(1, Generator::Json { fields: vec![] }), 0), ["{}"]);
}

#[test]
fn a_permutation_has_each_number_once() {
    let rows = only(5000, Generator::Permutation { min: -7, max: 4992 });
    let all: BTreeSet<i64> = texts(&rows, 0).iter().map(|n| n.parse().expect("a number")).collect();
    assert_eq!((all.len(), all.first(), all.last()), (5000, Some(&-7), Some(&4992)));
}

#[test]
fn shuffled_rows_are_all_there_and_their_values_the_same() {
    let columns = vec![column("n", Generator::Sequence { start: 1, step: 1 })];
    let clustered = made(table("t", 3000, columns.clone()));
    let order = RowOrder::Shuffled;
    let shuffled = made(TableSpec { order, ..table("t", 3000, columns) });
    assert!((1..=3000).all(|place| clustered.row_at(place) == place));
    let rows: Vec<u64> = (1..=3000).map(|place| shuffled.row_at(place)).collect();
    assert_eq!(rows.iter().collect::<BTreeSet<_>>().len(), 3000);
    assert!(rows.iter().all(|row| (1..=3000).contains(row)));
    assert!(rows.windows(2).filter(|pair| pair[0].abs_diff(pair[1]) < 30).count() < 120);
    assert!((1..=3000).all(|row| shuffled.value(0, row) == clustered.value(0, row)));
    assert_ne!(checksum(&clustered), checksum(&shuffled));
}

#[test]
fn a_clustered_table_is_written_as_before_shuffling_was_there() {
    let spec = table("t", 1, vec![column("n", Generator::Uuid)]);
    let text = serde_json::to_value(&spec).expect("JSON");
    assert!(text.get("order").is_none(), "published plans have no such key: {text}");
    let read: TableSpec = serde_json::from_value(text).expect("a table");
    assert_eq!(read, spec);
}

#[test]
fn what_is_known_of_a_generator_is_true_of_its_rows() {
    for spec in everything() {
        let rows = made(table("t", 1000, vec![spec.clone()]));
        let all = texts(&rows, 0);
        if spec.generator.is_unique() {
            assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), 1000, "{}", spec.name);
        }
        if let Some((least, most)) = spec.generator.whole_range(1000) {
            let inside = |n: &String| n.parse::<i64>().is_ok_and(|n| (least..=most).contains(&n));
            assert!(all.iter().all(inside), "{}", spec.name);
        }
    }
}
