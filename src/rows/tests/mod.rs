//! Every generator in one table, for the tests beside this file.

mod links;
mod whole;

use super::{
    ColumnSpec, FamilySize, Generator, Order, Parents, Piece, Prose, RowOrder, Rows, Shape,
    TableSpec,
};

const SEED: u64 = 20_250_105;
/// 2024-01-01 and 2025-01-01.
const YEAR: (i64, i64) = (1_704_067_200_000_000, 1_735_689_600_000_000);

fn column(name: &str, generator: Generator) -> ColumnSpec {
    ColumnSpec { name: name.into(), generator, null_ratio: 0.0 }
}

fn boxed(name: &str, generator: Generator) -> Box<ColumnSpec> {
    Box::new(column(name, generator))
}

fn table(name: &str, rows: u64, columns: Vec<ColumnSpec>) -> TableSpec {
    TableSpec { name: name.into(), rows, columns, order: RowOrder::Clustered }
}

fn made(spec: TableSpec) -> Rows {
    Rows::new(SEED, spec).expect("good generators")
}

fn only(rows: u64, generator: Generator) -> Rows {
    made(table("t", rows, vec![column("x", generator)]))
}

fn texts(rows: &Rows, column: usize) -> Vec<String> {
    (1..=rows.spec().rows).map(|row| rows.value(column, row).text().unwrap_or_default()).collect()
}

fn uniform(min: i64, max: i64, scale: u32) -> Generator {
    Generator::Numeric { min, max, scale, shape: Shape::Uniform }
}

fn moment(order: Order, growth: f64, hours: Option<[u32; 2]>) -> Generator {
    Generator::Moment { start_us: YEAR.0, end_us: YEAR.1, growth, hours, order }
}

fn prose(unit: Prose, min: u32, max: u32) -> Generator {
    Generator::Prose { unit, min, max, vocabulary: 5000, exponent: 1.0 }
}

fn parent(parents: Parents) -> Generator {
    let column = boxed("id", Generator::Permutation { min: 1, max: 1000 });
    Generator::ForeignKey { table: "other".into(), rows: 500, column, parents }
}

fn cities() -> Generator {
    let cities = ["Bonn", "Köln", "Lyon", "Metz", "Oslo", "Pisa"];
    Generator::Weighted { choices: cities.map(|city| (city.to_owned(), 1.0)).to_vec() }
}

fn zips() -> Generator {
    let weights = Shape::Zipfian { exponent: 0.7 };
    Generator::Numeric { min: 10_000, max: 10_099, scale: 0, shape: weights }
}

fn document() -> Generator {
    let tags = Generator::Array { of: boxed("element", cities()), min: 0, max: 3 };
    let quoted = Generator::Constant { value: "a \"b\"\t\\".into() };
    let mut fields = vec![
        column("n", zips()),
        column("tags", tags),
        column("say \"x\"", quoted),
        column("at", moment(Order::Random, 1.0, None)),
        column(
            "in",
            Generator::Json { fields: vec![column("ok", Generator::Bool { probability: 0.5 })] },
        ),
    ];
    fields[0].null_ratio = 0.2;
    Generator::Json { fields }
}

/// One column of each kind that came after the first release, and of each shape.
fn everything() -> Vec<ColumnSpec> {
    let bell = Shape::Normal { mean: 50.0, deviation: 12.5 };
    let fall = Shape::Exponential { mean: 20.0 };
    let email = |domain: Option<&str>| Generator::Email { domain: domain.map(Into::into) };
    let pieces = vec![
        Piece::Text("{\"".into()),
        Piece::Column(boxed("zip", zips())),
        Piece::Text("\t-".into()),
        Piece::Row,
    ];
    let bare = Generator::Array { of: boxed("element", uniform(-5, 5, 1)), min: 0, max: 4 };
    let mut quoted = boxed("element", Generator::Constant { value: "a\"\\\n,}".into() });
    quoted.null_ratio = 0.3;
    let shift = |column, min, max, shape| Generator::Offset { column, min, max, shape };
    let (day, first, last) = (86_400_000_000, 19_723, 20_088);
    let dates = Generator::Date { first, last, growth: 2.0, order: Order::Random };
    vec![
        column("zip", zips()),
        column("bell", Generator::Numeric { min: 0, max: 10_000, scale: 2, shape: bell }),
        column("fall", Generator::Numeric { min: 0, max: 1000, scale: 0, shape: fall }),
        column("real", Generator::Real { min: 0.0, max: 100.0, shape: bell }),
        column("cents", uniform(-1000, 1000, 2)),
        column("date", dates.clone()),
        column("grown", moment(Order::Ascending, 5.0, None)),
        column("office", moment(Order::Random, 1.0, Some([540, 1020]))),
        column("uuid7", Generator::UuidV7 { start_us: YEAR.0, step_us: 1500 }),
        column("email", email(None)),
        column("mail", email(Some("my.test"))),
        column("company", Generator::Company),
        column("words", prose(Prose::Words, 1, 5)),
        column("lines", prose(Prose::Sentences, 1, 3)),
        column("chars", prose(Prose::Characters, 10, 80)),
        column("format", Generator::Format { pieces }),
        column("unique", Generator::Permutation { min: -100, max: 4000 }),
        column("any", parent(Parents::Uniform)),
        column("hot", parent(Parents::Zipfian { exponent: 0.99 })),
        column("equal", parent(Parents::Families(FamilySize::Equal))),
        column("family", parent(Parents::Families(FamilySize::Exponential))),
        column("json", document()),
        column("bare", bare),
        column("quoted", Generator::Array { of: quoted, min: 1, max: 3 }),
        column("bytes", Generator::Bytes { min: 0, max: 20 }),
        column("v4", Generator::Inet { network: "192.168.0.0/16".into() }),
        column("v6", Generator::Inet { network: "2001:db8::/32".into() }),
        column("point", Generator::Point { area: [-180.0, -90.0, 180.0, 90.0] }),
        column("paid", shift(boxed("zip", zips()), 0, 100, fall)),
        column(
            "sent",
            shift(boxed("grown", moment(Order::Ascending, 5.0, None)), 0, day, Shape::Uniform),
        ),
        column("due", shift(boxed("date", dates), 1, 30, Shape::Uniform)),
        column(
            "city",
            Generator::Dependent {
                on: boxed("zip", zips()),
                share: 0.9,
                generator: Box::new(cities()),
            },
        ),
    ]
}
