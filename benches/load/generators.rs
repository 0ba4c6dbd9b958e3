//! Rows per second of one processor that makes them: by the time that this thread had of it, not by a clock on the wall,
//! so that other programs count for less.

use anyhow::{Context as _, Result};
use querylab::plan::Plan;
use querylab::rows::{
    BINARY_END, BINARY_START, ColumnSpec, FamilySize, Generator, Order, Parents, Prose, RowOrder,
    Rows, Shape, TableSpec, Wire,
};
use rustix::time::{ClockId, clock_gettime};

use crate::bars::{Bar, Table};

/// Rows of a table with one column: enough that a second's noise does not matter.
const ROWS: u64 = 2_000_000;
/// What each generator is held to, in rows a second.
const BAR: f64 = 5e6;
/// The best of so many counts: other programs only ever take time away, and caches.
const TRIES: u32 = 3;

/// The table of the first experiment, and one of each kind of column.
pub(crate) fn measure(users: &Plan, table: &mut Table) -> Result<()> {
    let rows = rows_of(users)?;
    let mut say = |what: &str, each_s: f64, bar| {
        println!("{what:44} {:7.1} M rows/s", each_s / 1e6);
        table.add(what, format!("{:.1} M rows/s", each_s / 1e6), each_s, bar);
    };
    say("rows of `users`, text", each_second(&rows, None)?, Bar::AtLeast(BAR));
    say("rows of `users`, binary", each_second(&rows, Some(&wires(&rows)))?, Bar::AtLeast(BAR));
    for (what, generator) in plain() {
        say(what, each_second(&alone(generator)?, None)?, Bar::AtLeast(BAR));
    }
    say("point, binary", each_second(&alone(point())?, Some(&[Wire::Point]))?, Bar::AtLeast(BAR));
    for (what, generator) in composed() {
        say(what, each_second(&alone(generator)?, None)?, Bar::None);
    }
    Ok(())
}

fn each_second(rows: &Rows, wires: Option<&[Wire]>) -> Result<f64> {
    let count = rows.spec().rows.min(ROWS);
    let mut out = Vec::with_capacity(1 << 21);
    let mut best = f64::INFINITY;
    for _ in 0..TRIES {
        let start = cpu_s();
        for row in 1..=count {
            match wires {
                Some(wires) => {
                    rows.write_binary_row(wires, row, &mut out).map_err(anyhow::Error::msg)?;
                }
                None => rows.write_copy_row(row, &mut out),
            }
            if out.len() > 1 << 20 {
                std::hint::black_box(&out);
                out.clear();
            }
        }
        best = best.min(cpu_s() - start);
    }
    Ok(count as f64 / best)
}

/// Seconds that this thread has had a processor for.
fn cpu_s() -> f64 {
    let spent = clock_gettime(ClockId::ThreadCPUTime);
    spent.tv_sec as f64 + spent.tv_nsec as f64 / 1e9
}

fn column(generator: Generator) -> ColumnSpec {
    ColumnSpec { name: "x".into(), generator, null_ratio: 0.0 }
}

fn alone(generator: Generator) -> Result<Rows> {
    let columns = vec![column(generator)];
    let spec = TableSpec { name: "t".into(), rows: ROWS, columns, order: RowOrder::Clustered };
    Rows::new(20_250_105, spec).map_err(anyhow::Error::msg)
}

fn point() -> Generator {
    Generator::Point { area: [-180.0, -90.0, 180.0, 90.0] }
}

fn refers(parents: Parents) -> Generator {
    let id = ColumnSpec { name: "id".into(), ..column(Generator::Sequence { start: 1, step: 1 }) };
    Generator::ForeignKey { table: "p".into(), rows: 1_000_000, column: Box::new(id), parents }
}

/// Columns of one value.
fn plain() -> Vec<(&'static str, Generator)> {
    let (start_us, end_us) = (1_704_067_200_000_000, 1_735_689_600_000_000);
    let number = |shape| Generator::Numeric { min: 1, max: 1_000_000, scale: 0, shape };
    let real = |shape| Generator::Real { min: 0.0, max: 1000.0, shape };
    let moment =
        |growth, hours, order| Generator::Moment { start_us, end_us, growth, hours, order };
    let words = Generator::Prose {
        unit: Prose::Words,
        min: 10,
        max: 10,
        vocabulary: 10_000,
        exponent: 0.0,
    };
    vec![
        ("sequence", Generator::Sequence { start: 1, step: 1 }),
        ("template", Generator::Template { pieces: vec!["u".into(), "@example.com".into()] }),
        ("person-name", Generator::PersonName),
        ("company", Generator::Company),
        ("email", Generator::Email { domain: None }),
        ("weighted", Generator::Weighted { choices: vec![("a".into(), 7.0), ("b".into(), 3.0)] }),
        ("integer", Generator::Integer { min: 1, max: 1_000_000 }),
        ("integer, normal", number(Shape::Normal { mean: 5e5, deviation: 1e5 })),
        ("integer, exponential", number(Shape::Exponential { mean: 1e4 })),
        ("integer, zipfian", number(Shape::Zipfian { exponent: 0.99 })),
        ("float", real(Shape::Uniform)),
        ("float, normal", real(Shape::Normal { mean: 500.0, deviation: 100.0 })),
        ("bool", Generator::Bool { probability: 0.5 }),
        ("timestamp, step", Generator::Timestamp { start_us, step_us: 1_000_000 }),
        ("timestamp, range", moment(1.0, None, Order::Random)),
        ("timestamp, growth, ascending", moment(4.0, None, Order::Ascending)),
        ("timestamp, business hours", moment(1.0, Some([540, 1020]), Order::Random)),
        ("date", Generator::Date { first: 0, last: 20_000, growth: 1.0, order: Order::Random }),
        ("uuid v4", Generator::Uuid),
        ("uuid v7", Generator::UuidV7 { start_us, step_us: 1000 }),
        ("permutation", Generator::Permutation { min: 1, max: 2_500_000 }),
        ("foreign key", refers(Parents::Uniform)),
        ("foreign key, zipfian", refers(Parents::Zipfian { exponent: 0.99 })),
        ("foreign key, families", refers(Parents::Families(FamilySize::Exponential))),
        ("bytea, 16 bytes", Generator::Bytes { min: 16, max: 16 }),
        ("inet", Generator::Inet { network: "10.0.0.0/8".into() }),
        ("point, text", point()),
        ("ten words", words),
    ]
}

/// Columns of several values: as fast as their parts, and held to nothing.
fn composed() -> Vec<(&'static str, Generator)> {
    let drawn = |unit, count| Generator::Prose {
        unit,
        min: count,
        max: count,
        vocabulary: 10_000,
        exponent: 1.0,
    };
    let named = |name: &str, generator| ColumnSpec { name: name.into(), ..column(generator) };
    let fields = vec![
        named("n", Generator::Integer { min: 1, max: 1000 }),
        named("who", Generator::PersonName),
        named("id", Generator::Uuid),
    ];
    let of = Box::new(column(Generator::Integer { min: 1, max: 1000 }));
    vec![
        ("ten words, zipfian", drawn(Prose::Words, 10)),
        ("three sentences, zipfian", drawn(Prose::Sentences, 3)),
        ("json of three fields", Generator::Json { fields }),
        ("array of five integers", Generator::Array { of, min: 5, max: 5 }),
    ]
}

fn rows_of(plan: &Plan) -> Result<Rows> {
    let table = plan.dataset.tables.first().context("a table")?;
    Rows::new(plan.dataset.data_seed, table.clone()).map_err(anyhow::Error::msg)
}

/// The forms of the columns of `users`: texts and a timestamp.
fn wires(rows: &Rows) -> Vec<Wire> {
    let wire = |name: &str| if name == "created_at" { Wire::Timestamp } else { Wire::Text };
    rows.spec().columns.iter().map(|column| wire(&column.name)).collect()
}

/// All rows of `users` as COPY takes them, in pieces.
pub(crate) fn prepared(plan: &Plan) -> Result<Vec<Vec<u8>>> {
    let rows = rows_of(plan)?;
    let wires = wires(&rows);
    let mut chunks = vec![BINARY_START.to_vec()];
    for row in 1..=rows.spec().rows {
        let mut last = chunks.pop().unwrap_or_default();
        rows.write_binary_row(&wires, row, &mut last).map_err(anyhow::Error::msg)?;
        let is_full = last.len() > 1 << 20;
        chunks.push(last);
        if is_full {
            chunks.push(Vec::with_capacity((1 << 20) + 4096));
        }
    }
    chunks.push(BINARY_END.to_vec());
    Ok(chunks)
}
