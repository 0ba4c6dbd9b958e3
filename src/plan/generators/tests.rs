//! Columns of a file, and the generators or the mistakes that they are.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Around, generator};
use crate::rows::{FamilySize, Generator, Order, Parents, Piece, Prose, Shape};
use crate::spec::{Column, Table};

fn tables(columns: &Value, rows: u64) -> BTreeMap<String, Table> {
    let tables = json!({
        "t": { "rows": rows, "columns": columns },
        "users": { "rows": 50, "columns": {
            "id": { "generator": "permutation" },
            "name": { "generator": "person-name" },
            "phone": { "generator": "permutation", "null_ratio": 0.5 },
            "boss": { "generator": "foreign-key", "references": "users.id" },
        } },
        "empty": { "rows": 0, "columns": { "id": { "generator": "sequence" } } },
    });
    serde_json::from_value(tables).expect("tables")
}

/// The generator of the column `x` of a table with other columns, or the keys that its mistake is about.
fn made_among(columns: &Value, rows: u64) -> Result<Generator, String> {
    let tables = tables(columns, rows);
    let around = Around::new(&tables, None, "t", rows);
    let column: &Column = &tables["t"].columns["x"];
    generator(&around, "x", column).map_err(|m| m.keys.join("."))
}

fn made(column: &Value, rows: u64) -> Result<Generator, String> {
    made_among(&json!({ "x": column }), rows)
}

#[test]
fn columns_become_generators() {
    let cases = [
        (
            json!({ "generator": "template", "template": "email{row}@example.com" }),
            Generator::Template { pieces: vec!["email".into(), "@example.com".into()] },
        ),
        (
            json!({ "generator": "timestamp", "start": "1970-01-01T00:00:01Z", "step": "1s" }),
            Generator::Timestamp { start_us: 1_000_000, step_us: 1_000_000 },
        ),
        (
            json!({ "generator": "weighted", "weights": { "b": 30, "a": 70 } }),
            Generator::Weighted { choices: vec![("a".into(), 70.0), ("b".into(), 30.0)] },
        ),
        (json!({ "generator": "sequence" }), Generator::Sequence { start: 1, step: 1 }),
        (
            json!({ "generator": "integer", "min": -3, "max": 5 }),
            Generator::Integer { min: -3, max: 5 },
        ),
        (json!({ "generator": "bool" }), Generator::Bool { probability: 0.5 }),
        (json!({ "generator": "constant", "value": 7 }), Generator::Constant { value: "7".into() }),
        (json!({ "generator": "words", "min": 1, "max": 3 }), Generator::Words { min: 1, max: 3 }),
        (
            json!({ "generator": "float", "min": 0, "max": 1 }),
            Generator::Float { min: 0.0, max: 1.0 },
        ),
    ];
    for (column, want) in cases {
        assert_eq!(made(&column, 10), Ok(want), "{column}");
    }
}

#[test]
fn shapes_ranges_and_lists_become_generators() {
    let bell = Shape::Normal { mean: 50.0, deviation: 100.0 / 6.0 };
    let day = |day: i64| day * 86_400_000_000;
    let cases = [
        (
            json!({ "generator": "integer", "min": 0, "max": 100, "distribution": "normal" }),
            Generator::Numeric { min: 0, max: 100, scale: 0, shape: bell },
        ),
        (
            json!({ "generator": "numeric", "min": 0.5, "max": 9.99 }),
            Generator::Numeric { min: 50, max: 999, scale: 2, shape: Shape::Uniform },
        ),
        (
            json!({ "generator": "float", "min": 0, "max": 9, "distribution": "exponential", "mean": 2 }),
            Generator::Real { min: 0.0, max: 9.0, shape: Shape::Exponential { mean: 2.0 } },
        ),
        (
            json!({ "generator": "choice", "values": ["b", 1] }),
            Generator::Weighted { choices: vec![("b".into(), 1.0), ("1".into(), 1.0)] },
        ),
        (json!({ "generator": "permutation" }), Generator::Permutation { min: 1, max: 10 }),
        (
            json!({ "generator": "date", "start": "1970-01-02", "end": "1970-01-03" }),
            Generator::Date { first: 1, last: 2, growth: 1.0, order: Order::Random },
        ),
        (
            json!({
                "generator": "timestamp", "start": "1970-01-01T00:00:00Z", "end": "1970-01-08T00:00:00Z",
                "business_hours": "09:00-17:30", "order": "ascending", "growth": 2,
            }),
            Generator::Moment {
                start_us: 0,
                end_us: day(7),
                growth: 2.0,
                hours: Some([540, 1050]),
                order: Order::Ascending,
            },
        ),
        (
            json!({ "generator": "uuid", "version": 7, "start": "1970-01-01T00:00:01Z", "step": "1ms" }),
            Generator::UuidV7 { start_us: 1_000_000, step_us: 1000 },
        ),
        (
            json!({ "generator": "text", "min": 0, "max": 9 }),
            Generator::Prose {
                unit: Prose::Characters,
                min: 0,
                max: 9,
                vocabulary: 300,
                exponent: 0.0,
            },
        ),
        (json!({ "generator": "inet" }), Generator::Inet { network: "10.0.0.0/8".into() }),
        (json!({ "generator": "bytea", "min": 1, "max": 2 }), Generator::Bytes { min: 1, max: 2 }),
    ];
    for (column, want) in cases {
        assert_eq!(made(&column, 10), Ok(want), "{column}");
    }
}

#[test]
fn columns_that_need_others_hold_them() {
    let columns = |x| {
        json!({ "x": x, "y": { "generator": "sequence", "null_ratio": 0.5 }, "z": {
        "generator": "timestamp", "start": "1970-01-01T00:00:00Z", "step": "1s" } })
    };
    let template = json!({ "generator": "template", "template": "{y}-{row}" });
    let Ok(Generator::Format { pieces }) = made_among(&columns(template), 10) else {
        panic!("a format")
    };
    assert_eq!(pieces[1..], [Piece::Text("-".into()), Piece::Row]);
    assert!(matches!(&pieces[0], Piece::Column(y) if y.name == "y" && y.null_ratio > 0.4));

    let offset = json!({ "generator": "offset", "column": "z", "longest": "2d" });
    let Ok(Generator::Offset { min, max, .. }) = made_among(&columns(offset), 10) else {
        panic!("an offset")
    };
    assert_eq!((min, max), (0, 172_800_000_000));

    let uuid = json!({ "generator": "uuid", "depends_on": "y", "dependence": 0.5 });
    let Ok(Generator::Dependent { on, generator, .. }) = made_among(&columns(uuid), 10) else {
        panic!("a dependent column")
    };
    assert_eq!((on.name.as_str(), *generator), ("y", Generator::Uuid));

    let key =
        json!({ "generator": "foreign-key", "references": "users.id", "per_parent": "equal" });
    let Ok(Generator::ForeignKey { table, rows, column, parents }) = made(&key, 10) else {
        panic!("a foreign key")
    };
    assert_eq!((table.as_str(), rows), ("users", 50));
    assert_eq!(column.generator, Generator::Permutation { min: 1, max: 50 });
    assert_eq!(parents, Parents::Families(FamilySize::Equal));
    // A serial key is not in the file.
    let serial = made(&json!({ "generator": "foreign-key", "references": "users.serial" }), 10);
    let Ok(Generator::ForeignKey { column, .. }) = serial else { panic!("a foreign key") };
    assert_eq!(column.generator, Generator::Sequence { start: 1, step: 1 });
}

#[test]
fn what_no_generator_could_follow_is_refused_by_key() {
    let cases = [
        (json!({ "template": "x" }), "generator"),
        (json!({ "generator": "template" }), "template"),
        (json!({ "generator": "template", "template": "{id}" }), "template"),
        (json!({ "generator": "template", "template": "x\u{0}" }), "template"),
        (json!({ "generator": "weighted", "weights": {} }), "weights"),
        (json!({ "generator": "weighted", "weights": { "a": 1, "b": -1 } }), "weights"),
        (json!({ "generator": "weighted", "weights": { "a": 1e308, "b": 1e308 } }), "weights"),
        (json!({ "generator": "integer", "min": 5, "max": 1 }), "min"),
        (json!({ "generator": "integer", "min": 0.5, "max": 1 }), "min"),
        (json!({ "generator": "words", "min": 0, "max": 3 }), "min"),
        (json!({ "generator": "sequence", "step": 9_223_372_036_854_775_807_i64 }), "step"),
        (json!({ "generator": "timestamp", "start": "yesterday" }), "start"),
        (json!({ "generator": "timestamp", "start": "9999-12-31T23:59:59Z" }), "step"),
        (json!({ "generator": "timestamp", "start": "0000-06-01T00:00:00Z" }), "start"),
        (json!({ "generator": "bool", "probability": 1.5 }), "probability"),
        (json!({ "generator": "float", "min": 1, "max": 1 }), "max"),
        (
            json!({ "generator": "float", "min": 0, "max": 1, "distribution": "zipfian" }),
            "distribution",
        ),
        (json!({ "generator": "numeric", "min": 0.001, "max": 1 }), "min"),
        (json!({ "generator": "numeric", "min": 0, "max": 1e15, "scale": 4 }), "max"),
        (
            json!({ "generator": "integer", "min": 0, "max": 9, "distribution": "normal", "mean": 10 }),
            "mean",
        ),
        (
            json!({ "generator": "integer", "min": 0, "max": 0, "distribution": "normal" }),
            "deviation",
        ),
        (
            json!({ "generator": "integer", "min": 0, "max": 9, "distribution": "exponential", "mean": 0 }),
            "mean",
        ),
        (json!({ "generator": "permutation", "max": 9 }), "max"),
        (json!({ "generator": "permutation", "min": 1, "max": 0 }), "max"),
        (json!({ "generator": "choice", "values": [] }), "values"),
        (json!({ "generator": "choice", "values": [1, "1"] }), "values"),
        (json!({ "generator": "date", "start": "2024-02-30", "end": "2024-03-01" }), "start"),
        (json!({ "generator": "date", "start": "2024-02-02", "end": "2024-02-01" }), "end"),
        (json!({ "generator": "uuid", "version": 5 }), "version"),
        (
            json!({ "generator": "uuid", "version": 7, "start": "1969-01-01T00:00:00Z", "step": "1s" }),
            "start",
        ),
        (json!({ "generator": "email", "domain": "a b" }), "domain"),
        (json!({ "generator": "inet", "network": "10.0.0.0/40" }), "network"),
        (json!({ "generator": "point", "area": [0, 0, 1] }), "area"),
        (json!({ "generator": "point", "area": [0, 0, 0, 1] }), "area"),
        (json!({ "generator": "bytea", "min": 0, "max": 200_000 }), "max"),
        (
            json!({ "generator": "json", "fields": { "a": { "generator": "uuid", "version": 6 } } }),
            "fields.a.version",
        ),
        (
            json!({ "generator": "array", "min": 0, "max": 1, "of": { "generator": "sequence" } }),
            "of",
        ),
        (
            json!({ "generator": "array", "min": 0, "max": 1, "of": { "generator": "bool", "probability": 2 } }),
            "of.probability",
        ),
    ];
    for (column, keys) in cases {
        assert_eq!(made(&column, 10), Err(keys.to_owned()), "{column}");
    }
}

#[test]
fn business_hours_are_hours_and_in_the_range() {
    let column = |hours: &str, end: &str| json!({ "generator": "timestamp", "start": "2024-01-06T00:00:00Z", "end": end, "business_hours": hours });
    assert!(made(&column("00:00-24:00", "2024-01-09T00:00:00Z"), 10).is_ok());
    for hours in ["9-17", "09:00", "17:00-09:00", "09:60-17:00", "09:00-24:01", "09:00-09:00"] {
        let said = made(&column(hours, "2024-01-09T00:00:00Z"), 10);
        assert_eq!(said, Err("business_hours".into()), "{hours}");
    }
    // A Saturday and a Sunday.
    let said = made(&column("09:00-17:00", "2024-01-08T00:00:00Z"), 10);
    assert_eq!(said, Err("business_hours".into()));
}

#[test]
fn what_refers_to_nothing_is_refused_by_key() {
    let key = |references: &str| json!({ "generator": "foreign-key", "references": references });
    for references in ["nobody.id", "users.name", "users.phone", "users.boss", "empty.id", "users"]
    {
        assert_eq!(made(&key(references), 10), Err("references".into()), "{references}");
    }
    // Row 1 at 12 and row 11 at 2 would be one key.
    let ages = json!({
        "x": { "generator": "foreign-key", "references": "t.key", "null_ratio": 0.5 },
        "key": { "generator": "template", "template": "{row}{age}" },
        "age": { "generator": "integer", "min": 1, "max": 99 },
    });
    assert_eq!(made_among(&ages, 10), Err("references".into()));
    let bell =
        json!({ "generator": "foreign-key", "references": "users.id", "distribution": "normal" });
    assert_eq!(made(&bell, 10), Err("distribution".into()));
    let y = |y| json!({ "x": { "generator": "uuid", "depends_on": "y" }, "y": y });
    assert_eq!(
        made_among(&y(json!({ "generator": "uuid", "version": 9 })), 10),
        Err("depends_on".into())
    );
    let circle = json!({ "generator": "template", "template": "{x}" });
    assert_eq!(made_among(&y(circle), 10), Err("depends_on".into()));
    for (x, keys) in [
        (json!({ "generator": "sequence", "depends_on": "y" }), "depends_on"),
        (json!({ "generator": "uuid", "depends_on": "x" }), "depends_on"),
        (json!({ "generator": "uuid", "depends_on": "w" }), "depends_on"),
        (json!({ "generator": "uuid", "depends_on": "y", "dependence": 2 }), "dependence"),
        (json!({ "generator": "offset", "column": "y", "min": 0, "max": 1 }), "column"),
        (json!({ "generator": "template", "template": "a{x}" }), "template"),
    ] {
        let columns = json!({ "x": x, "y": { "generator": "person-name" } });
        assert_eq!(made_among(&columns, 10), Err(keys.to_owned()), "{x}");
    }
    // Names of names multiply: eight of eight of eight are too many.
    let eight = |name: &str| {
        let template = format!("{{{name}}}").repeat(8);
        json!({ "generator": "template", "template": template })
    };
    let columns = json!({ "x": eight("a"), "a": eight("b"), "b": eight("c"), "c": eight("row") });
    assert_eq!(made_among(&columns, 10), Err("template".into()));
    let day = json!({ "generator": "date", "start": "2024-01-01", "end": "2024-01-02" });
    let later = |longest: &str| json!({ "x": { "generator": "offset", "column": "y", "longest": longest }, "y": day });
    assert!(made_among(&later("3d"), 10).is_ok());
    assert_eq!(made_among(&later("5h"), 10), Err("longest".into()));
    assert_eq!(made_among(&later("5"), 10), Err("longest".into()));
}
