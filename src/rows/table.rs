//! One table, made ready: rows as values, and as lines of COPY.

use sha2::{Digest, Sha256};

use super::column::{Column, Form};
use super::draw::keys;
use super::permute::Permutation;
use super::shapes::RowOrder;
use super::spec::{ColumnSpec, Generator, TableSpec};
use super::value::Value;
use crate::units::hex;

/// Rows at each end that a checksum covers: enough to see any change of a generator, cheap at any size.
const CHECKED: u64 = 1000;

/// The rows of one table.
#[derive(Debug, Clone)]
pub struct Rows {
    spec: TableSpec,
    columns: Vec<Column>,
    /// Where rows lie, if not by their number.
    shuffled: Option<Permutation>,
}

impl Rows {
    /// Checks the table and makes it ready.
    ///
    /// # Errors
    ///
    /// A fragment that names the column and what no row can be made of: weights of 0, an empty range, a sequence that
    /// leaves 64 bits, two columns of one name.
    pub fn new(seed: u64, spec: TableSpec) -> Result<Self, String> {
        // A table that stays empty needs none.
        if spec.columns.is_empty() && spec.rows > 0 {
            return Err(format!("table `{}` has no columns", spec.name));
        }
        let mut columns = Vec::with_capacity(spec.columns.len());
        for (i, column) in spec.columns.iter().enumerate() {
            let place = |what| format!("column `{}.{}`: {what}", spec.name, column.name);
            if spec.columns[..i].iter().any(|earlier| earlier.name == column.name) {
                return Err(place("there are two of this name".into()));
            }
            columns.push(Column::new(seed, &spec.name, spec.rows, column).map_err(place)?);
        }
        // No column has an empty name, so nothing else is mixed under this key.
        let [key, _] = keys(seed, &spec.name, "");
        let is_shuffled = spec.order == RowOrder::Shuffled && spec.rows > 0;
        let shuffled = is_shuffled.then(|| Permutation::new(spec.rows, key));
        Ok(Self { spec, columns, shuffled })
    }

    /// What these rows are made from.
    pub fn spec(&self) -> &TableSpec {
        &self.spec
    }

    pub(super) fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// Position of a column by name.
    pub fn column(&self, name: &str) -> Option<usize> {
        self.spec.columns.iter().position(|column| column.name == name)
    }

    /// The value of a column in a row from 1 to `spec().rows`.
    ///
    /// # Panics
    ///
    /// If there is no such column: positions come from [`Rows::column`].
    pub fn value(&self, column: usize, row: u64) -> Value<'_> {
        self.columns[column].value(row)
    }

    /// Whether a row's value is NULL.
    ///
    /// # Panics
    ///
    /// If there is no such column: positions come from [`Rows::column`].
    pub fn is_null(&self, column: usize, row: u64) -> bool {
        self.columns[column].is_null(row)
    }

    /// Appends the text of one value, without escapes; nothing for NULL.
    ///
    /// # Panics
    ///
    /// If there is no such column: positions come from [`Rows::column`].
    pub fn write_text(&self, column: usize, row: u64, out: &mut Vec<u8>) {
        self.columns[column].write(row, Form::Plain, out);
    }

    /// The row at a place of the table, both from 1 to `spec().rows`: each is somewhere, once.
    pub fn row_at(&self, place: u64) -> u64 {
        match &self.shuffled {
            Some(shuffled) => shuffled.at(place.saturating_sub(1)) + 1,
            None => place,
        }
    }

    /// Appends one line of COPY's text format: tabs between values, `\N` for NULL, backslash escapes.
    pub fn write_copy_row(&self, row: u64, out: &mut Vec<u8>) {
        for (i, column) in self.columns.iter().enumerate() {
            if i > 0 {
                out.push(b'\t');
            }
            column.write(row, Form::Copy, out);
        }
        out.push(b'\n');
    }
}

/// Whether a generator that looks at no other column can be made ready.
///
/// # Errors
///
/// A fragment that says what no row can be made of.
pub fn trial(generator: &Generator) -> Result<(), String> {
    let spec = ColumnSpec { name: String::new(), generator: generator.clone(), null_ratio: 0.0 };
    Column::new(0, "", 1, &spec).map(|_| ())
}

/// SHA-256, in hex, of the first and last 1000 rows of the table as COPY gets them.
pub fn checksum(rows: &Rows) -> String {
    let total = rows.spec.rows;
    let head = 1..=total.min(CHECKED);
    let tail = total.saturating_sub(CHECKED - 1).max(1)..=total;
    let mut lines = Vec::new();
    for place in head.chain(tail) {
        rows.write_copy_row(rows.row_at(place), &mut lines);
    }
    hex(&Sha256::digest(&lines))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SEED: u64 = 20_250_105;

    fn column(name: &str, generator: Generator) -> ColumnSpec {
        ColumnSpec { name: name.into(), generator, null_ratio: 0.0 }
    }

    fn table(rows: u64, columns: Vec<ColumnSpec>) -> TableSpec {
        TableSpec { name: "users".into(), rows, columns, order: RowOrder::Clustered }
    }

    fn users(rows: u64) -> Rows {
        let pieces = vec!["email".into(), "@example.com".into()];
        let choices = vec![("active".into(), 70.0), ("inactive".into(), 30.0)];
        let (start_us, step_us) = (1_704_067_200_000_000, 1_000_000);
        Rows::new(
            SEED,
            table(
                rows,
                vec![
                    column("email", Generator::Template { pieces }),
                    column("name", Generator::PersonName),
                    column("status", Generator::Weighted { choices }),
                    column("created_at", Generator::Timestamp { start_us, step_us }),
                ],
            ),
        )
        .expect("the example's table")
    }

    fn lines(rows: &Rows, which: impl Iterator<Item = u64>) -> String {
        let mut out = Vec::new();
        for row in which {
            rows.write_copy_row(row, &mut out);
        }
        String::from_utf8(out).expect("UTF-8")
    }

    fn only(rows: u64, generator: Generator) -> Rows {
        Rows::new(SEED, table(rows, vec![column("x", generator)])).expect("a good generator")
    }

    /// One line of COPY's text format as Postgres reads it (`CopyReadAttributesText`): none is NULL.
    fn read_copy_line(line: &[u8]) -> Vec<Option<String>> {
        let line = line.strip_suffix(b"\n").expect("a line");
        line.split(|b| *b == b'\t')
            .map(|field| {
                if field == b"\\N" {
                    return None;
                }
                let mut out = Vec::new();
                let mut bytes = field.iter();
                while let Some(b) = bytes.next() {
                    out.push(match b {
                        b'\\' => match bytes.next().expect("a backslash has a follower") {
                            b't' => b'\t',
                            b'n' => b'\n',
                            b'r' => b'\r',
                            other => *other,
                        },
                        b => *b,
                    });
                }
                Some(String::from_utf8(out).expect("UTF-8"))
            })
            .collect()
    }

    #[test]
    fn the_example_has_the_same_rows_everywhere() {
        let users = users(10_000_000);
        let first = lines(&users, 1..=1000);
        let last = lines(&users, 9_999_991..=10_000_000);
        assert_eq!(
            lines(&users, 1..=2),
            "email1@example.com\tIsaac Esposito\tinactive\t2024-01-01 00:00:00\n\
             email2@example.com\tDiego Silva\tinactive\t2024-01-01 00:00:01\n"
        );
        assert_eq!(
            hex(&Sha256::digest(first)),
            "da15068ac419b401f26fe1305503e73b5f1429b350428086bd0de75658925c3a"
        );
        assert_eq!(
            hex(&Sha256::digest(last)),
            "6db316ac0d39a2ee8220def2b48fd5abafededefa5495e65cc0d0a1fc1d61cea"
        );
        assert_eq!(
            checksum(&users),
            "976c45d36f9058e22e6f80b56784faa8923c89d323140b61f267f866bd37be59"
        );
    }

    #[test]
    fn rows_are_the_same_in_any_order_and_by_value() {
        let users = users(5000);
        let forward: Vec<String> = (1..=5000).map(|row| lines(&users, [row].into_iter())).collect();
        for row in (1..=5000u64).rev().step_by(7) {
            let line = lines(&users, [row].into_iter());
            assert_eq!(line, forward[usize::try_from(row).expect("small") - 1]);
            let values: Vec<_> = (0..4).map(|c| users.value(c, row).text()).collect();
            assert_eq!(read_copy_line(line.as_bytes()), values);
        }
    }

    #[test]
    fn seed_table_and_column_each_change_the_values() {
        let words = |seed, name: &str, col: &str| {
            let columns = vec![column(col, Generator::Uuid)];
            let spec = TableSpec { name: name.into(), ..table(10, columns) };
            lines(&Rows::new(seed, spec).expect("good"), 1..=10)
        };
        let all = [words(1, "a", "x"), words(2, "a", "x"), words(1, "b", "x"), words(1, "a", "y")];
        for (i, one) in all.iter().enumerate() {
            assert!(!all[..i].contains(one));
        }
        // Length before text: ("ab", "c") is not ("a", "bc").
        assert_ne!(words(1, "ab", "c"), words(1, "a", "bc"));
    }

    #[test]
    fn weights_come_out_within_half_a_point() {
        let users = users(200_000);
        let active =
            (1..=200_000).filter(|row| users.value(2, *row).text().as_deref() == Some("active"));
        let share = active.count() as f64 / 200_000.0;
        assert!((share - 0.70).abs() < 0.005, "{share}");
    }

    #[test]
    fn nulls_come_out_at_their_ratio_and_all_or_none_are_exact() {
        for (ratio, tolerance) in [(0.0, 0.0), (0.1, 0.005), (1.0, 0.0)] {
            let mut spec = column("x", Generator::Integer { min: 1, max: 6 });
            spec.null_ratio = ratio;
            let rows = Rows::new(SEED, table(100_000, vec![spec])).expect("good");
            let nulls = (1..=100_000).filter(|row| rows.value(0, *row) == Value::Null).count();
            assert!((nulls as f64 / 100_000.0 - ratio).abs() <= tolerance, "{ratio}: {nulls}");
        }
    }

    #[test]
    fn numbers_stay_in_their_range_and_reach_all_of_it() {
        let dice = only(60_000, Generator::Integer { min: -3, max: 2 });
        let mut seen = [0u32; 6];
        for row in 1..=60_000 {
            let Value::Int(n) = dice.value(0, row) else { panic!("a whole number") };
            seen[usize::try_from(n + 3).expect("in range")] += 1;
        }
        assert!(seen.iter().all(|n| n.abs_diff(10_000) < 400), "{seen:?}");
        let any = only(1000, Generator::Integer { min: i64::MIN, max: i64::MAX });
        assert!((1..=1000).any(|row| matches!(any.value(0, row), Value::Int(n) if n < 0)));
        let real = only(1000, Generator::Float { min: -1.5, max: 2.5 });
        for row in 1..=1000 {
            let Value::Float(x) = real.value(0, row) else { panic!("a number") };
            assert!((-1.5..2.5).contains(&x));
        }
        let coin = only(10_000, Generator::Bool { probability: 0.25 });
        let heads = (1..=10_000).filter(|row| coin.value(0, *row) == Value::Bool(true)).count();
        assert!(heads.abs_diff(2500) < 200, "{heads}");
    }

    #[test]
    fn words_are_as_many_as_asked_and_uuids_are_version_4() {
        let prose = only(500, Generator::Words { min: 2, max: 5 });
        let mut counts = [0u32; 6];
        for row in 1..=500 {
            counts[prose.value(0, row).text().expect("words").split(' ').count()] += 1;
        }
        assert_eq!(counts[0] + counts[1], 0);
        assert!(counts[2..].iter().all(|n| *n > 90), "{counts:?}");
        let ids = only(100, Generator::Uuid);
        for row in 1..=100 {
            let text = ids.value(0, row).text().expect("a uuid");
            let id: uuid::Uuid = text.parse().expect("a uuid");
            assert_eq!(id.get_version_num(), 4, "{text}");
        }
    }

    #[test]
    fn what_no_row_can_be_made_of_is_refused() {
        let choices = |weights: &[f64]| Generator::Weighted {
            choices: weights.iter().map(|w| (format!("{w}"), *w)).collect(),
        };
        let wrong = [
            Generator::Sequence { start: i64::MAX - 5, step: 1 },
            Generator::Timestamp { start_us: 0, step_us: i64::MAX / 4 },
            Generator::Timestamp { start_us: i64::MIN, step_us: 1 },
            Generator::Template { pieces: vec![] },
            Generator::Constant { value: "a\0b".into() },
            Generator::Integer { min: 2, max: 1 },
            Generator::Float { min: f64::MIN, max: f64::MAX },
            Generator::Float { min: 0.0, max: f64::NAN },
            Generator::Bool { probability: f64::NAN },
            Generator::Words { min: 3, max: 2 },
            Generator::Words { min: 0, max: u32::MAX },
            choices(&[]),
            choices(&[1.0, 0.0]),
            choices(&[1.0, f64::NAN]),
            choices(&[f64::MAX, f64::MAX]),
        ];
        for generator in wrong {
            let said = Rows::new(SEED, table(100, vec![column("x", generator.clone())]));
            let said = said.map(|_| ()).expect_err(&format!("{generator:?}"));
            assert!(said.starts_with("column `users.x`: "), "{said}");
        }
        let twice = vec![column("x", Generator::Uuid), column("x", Generator::Uuid)];
        assert!(Rows::new(SEED, table(1, twice)).is_err());
        assert!(Rows::new(SEED, table(1, vec![])).is_err());
        assert!(Rows::new(SEED, table(0, vec![])).is_ok(), "a table that stays empty");
    }

    proptest! {
        #[test]
        fn any_text_survives_copy(
            constant in "[^\0]*",
            pieces in prop::collection::vec("[^\0]{0,8}", 1..4),
            choices in prop::collection::btree_map("[^\0]{0,8}", 0.1f64..9.0, 1..5),
            row in 1u64..=1_000_000,
        ) {
            let expected = pieces.join(&row.to_string());
            let mut null = column("d", Generator::Uuid);
            null.null_ratio = 1.0;
            let columns = vec![
                column("a", Generator::Constant { value: constant.clone() }),
                column("b", Generator::Template { pieces }),
                column("c", Generator::Weighted { choices: choices.clone().into_iter().collect() }),
                null,
            ];
            let rows = Rows::new(SEED, table(1_000_000, columns)).expect("good");
            let mut line = Vec::new();
            rows.write_copy_row(row, &mut line);
            let read = read_copy_line(&line);
            prop_assert_eq!(read.len(), 4);
            prop_assert_eq!(read[0].as_ref(), Some(&constant));
            prop_assert_eq!(read[1].as_ref(), Some(&expected));
            prop_assert!(choices.contains_key(read[2].as_ref().expect("a choice")));
            prop_assert_eq!(&read[2], &rows.value(2, row).text());
            prop_assert_eq!(&read[3], &None);
        }
    }
}
