//! Columns that need others, and generators that nothing can be made of.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::rows::{Value, trial};

#[test]
fn a_reference_is_a_value_of_the_other_table() {
    let ids =
        made(table("other", 500, vec![column("id", Generator::Permutation { min: 1, max: 1000 })]));
    let ids: BTreeSet<String> = texts(&ids, 0).into_iter().collect();
    assert_eq!(ids.len(), 500, "each once");
    for parents in [
        Parents::Uniform,
        Parents::Zipfian { exponent: 0.99 },
        Parents::Families(FamilySize::Equal),
        Parents::Families(FamilySize::Uniform),
        Parents::Families(FamilySize::Exponential),
    ] {
        let rows = only(3000, parent(parents));
        assert!(texts(&rows, 0).iter().all(|id| ids.contains(id)), "{parents:?}");
    }
}

#[test]
fn a_dependent_value_follows_its_column_as_often_as_it_should() {
    let city = |share| Generator::Dependent {
        on: boxed("zip", zips()),
        share,
        generator: Box::new(cities()),
    };
    let rows = made(table(
        "t",
        20_000,
        vec![column("zip", zips()), column("always", city(1.0)), column("mostly", city(0.8))],
    ));
    let (zip, always, mostly) = (texts(&rows, 0), texts(&rows, 1), texts(&rows, 2));
    let mut city_of: BTreeMap<&str, &str> = BTreeMap::new();
    assert!(zip.iter().zip(&always).all(|(zip, city)| *city_of.entry(zip).or_insert(city) == city));
    assert!(always.iter().collect::<BTreeSet<_>>().len() > 3);
    // The most frequent city of each zip, by the rows that have it.
    let mut counts: BTreeMap<(&str, &str), u32> = BTreeMap::new();
    for (zip, city) in zip.iter().zip(&mostly) {
        *counts.entry((zip.as_str(), city.as_str())).or_default() += 1;
    }
    let mut best: BTreeMap<&str, u32> = BTreeMap::new();
    for ((zip, _), count) in counts {
        let most = best.entry(zip).or_default();
        *most = count.max(*most);
    }
    // 0.8 follow, and of the others a sixth is the same by chance.
    let share = f64::from(best.values().sum::<u32>()) / 20_000.0;
    assert!((share - 0.833).abs() < 0.02, "{share}");
}

#[test]
fn an_offset_is_never_before_what_it_is_added_to() {
    let mut base = column("created", moment(Order::Random, 1.0, None));
    base.null_ratio = 0.25;
    let offset = Generator::Offset {
        column: Box::new(base.clone()),
        min: 0,
        max: 3_600_000_000,
        shape: Shape::Uniform,
    };
    let rows = made(table("t", 2000, vec![base, column("updated", offset)]));
    let mut nulls = 0;
    for row in 1..=2000 {
        match (rows.value(0, row), rows.value(1, row)) {
            (Value::TimestampUs(a), Value::TimestampUs(b)) => {
                assert!((0..=3_600_000_000).contains(&(b - a)));
            }
            (Value::Null, Value::Null) => nulls += 1,
            other => panic!("{other:?}"),
        }
        assert_eq!(rows.is_null(0, row), rows.is_null(1, row));
    }
    assert!((400..600).contains(&nulls), "{nulls}");
}

#[test]
fn what_no_row_can_be_made_of_is_refused() {
    let element = |generator| Generator::Array { of: boxed("element", generator), min: 0, max: 1 };
    let sequence = || Generator::Sequence { start: 1, step: 1 };
    let dependent = |share, generator: Generator| Generator::Dependent {
        on: boxed("y", sequence()),
        share,
        generator: Box::new(generator),
    };
    let offset = |generator| Generator::Offset {
        column: boxed("y", generator),
        min: 0,
        max: 1,
        shape: Shape::Uniform,
    };
    let wrong = [
        uniform(0, 1, 10),
        uniform(1, 0, 0),
        Generator::Date { first: 1, last: 0, growth: 1.0, order: Order::Random },
        Generator::Date { first: 0, last: i64::MAX, growth: 1.0, order: Order::Random },
        moment(Order::Random, 0.0, None),
        moment(Order::Random, 1.0, Some([600, 600])),
        Generator::UuidV7 { start_us: -1, step_us: 1 },
        Generator::Email { domain: Some("a b".into()) },
        prose(Prose::Words, 2, 1),
        Generator::Permutation { min: 1, max: 0 },
        Generator::Permutation { min: i64::MIN, max: i64::MAX },
        Generator::ForeignKey {
            table: "o".into(),
            rows: 0,
            column: boxed("id", sequence()),
            parents: Parents::Uniform,
        },
        element(sequence()),
        element(element(Generator::Uuid)),
        Generator::Array { of: boxed("element", Generator::Uuid), min: 2, max: 1 },
        Generator::Bytes { min: 0, max: u32::MAX },
        Generator::Inet { network: "10.0.0.0/40".into() },
        Generator::Point { area: [0.0, 0.0, 0.0, 1.0] },
        Generator::Point { area: [0.0, f64::NAN, 1.0, 1.0] },
        Generator::Json { fields: vec![column("a\0", Generator::Uuid)] },
        Generator::Format { pieces: vec![Piece::Text("\0".into())] },
        offset(Generator::Uuid),
        offset(Generator::Float { min: 0.0, max: 1.0 }),
        dependent(1.5, Generator::Uuid),
        dependent(1.0, sequence()),
    ];
    for generator in wrong {
        assert!(trial(&generator).is_err(), "{generator:?}");
    }
    let few = Generator::Permutation { min: 1, max: 9 };
    assert!(Rows::new(SEED, table("t", 9, vec![column("x", few.clone())])).is_ok());
    assert!(Rows::new(SEED, table("t", 10, vec![column("x", few)])).is_err());
}
