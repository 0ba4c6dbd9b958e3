//! The population of keys that requests ask for: which rows, in which rank.
//!
//! It depends on the data's seed only, so all blocks ask for the same population; the order of asking differs between
//! blocks, and comes from their own seed.

use std::sync::Arc;

use anyhow::{bail, ensure};

use super::dice::{Stream, digest};
use crate::plan::DrawSource;
use crate::rows::Rows;

/// Rows looked at to learn how common matching ones are.
const SAMPLED: u64 = 2000;
/// Where fewer of the sampled rows match, the matching ones are listed instead of drawn by rejection.
const RARE: u64 = SAMPLED / 20;
/// Rejections in a row before a draw walks on to the next matching row: one in 10^90 draws.
const MOST_TRIES: u32 = 4096;

/// Keys, ranked from 0.
#[derive(Debug, Clone)]
pub(super) enum Keys {
    /// The first of a list.
    Values {
        /// All of the list.
        list: Arc<[String]>,
        /// Number of keys.
        count: u64,
    },
    /// The first rows of a fixed permutation, no condition: nothing is stored.
    Shuffled {
        /// Rows and column.
        source: Source,
        /// Number of keys.
        count: u64,
        /// Rank to row.
        permutation: Permutation,
    },
    /// These rows.
    Listed {
        /// Rows and column.
        source: Source,
        /// Row numbers by rank.
        rows: Vec<u64>,
    },
    /// All rows in their order, no condition.
    InOrder(Source),
    /// All rows that match, found by rejection: they are common. Has no ranks.
    Matching(Source),
}

/// A column of a table and the conditions on its rows.
#[derive(Debug, Clone)]
pub(super) struct Source {
    rows: Arc<Rows>,
    column: usize,
    conditions: Vec<(usize, Vec<u8>)>,
}

impl Source {
    fn new(source: &DrawSource, tables: &[Arc<Rows>]) -> anyhow::Result<Option<Self>> {
        let DrawSource::Column { table, column, conditions } = source else { return Ok(None) };
        let Some(rows) = tables.iter().find(|rows| rows.spec().name == *table) else {
            bail!("no table `{table}` is generated");
        };
        let place = |name: &str| {
            let found = rows.column(name);
            found.ok_or_else(|| anyhow::anyhow!("table `{table}` has no generated column `{name}`"))
        };
        ensure!(rows.spec().rows > 0, "table `{table}` has no rows to draw keys from");
        let mut known = Vec::new();
        for (name, value) in conditions {
            known.push((place(name)?, value.clone().into_bytes()));
        }
        Ok(Some(Self { rows: Arc::clone(rows), column: place(column)?, conditions: known }))
    }

    fn total(&self) -> u64 {
        self.rows.spec().rows
    }

    /// Whether a row is asked for: its key is not NULL and its other columns are as told.
    fn matches(&self, row: u64, text: &mut Vec<u8>) -> bool {
        !self.rows.is_null(self.column, row)
            && self.conditions.iter().all(|(column, wanted)| {
                text.clear();
                self.rows.write_text(*column, row, text);
                !self.rows.is_null(*column, row) && text == wanted
            })
    }

    fn is_every_row(&self) -> bool {
        self.conditions.is_empty() && self.rows.spec().columns[self.column].null_share() <= 0.0
    }

    fn text(&self, row: u64) -> String {
        let mut text = Vec::new();
        self.rows.write_text(self.column, row, &mut text);
        String::from_utf8(text).expect("generated values are UTF-8")
    }

    fn named(&self) -> String {
        let spec = self.rows.spec();
        format!("{}.{}", spec.name, spec.columns[self.column].name)
    }
}

impl Keys {
    /// `wanted` ranked keys of a source; all of them if none is said (in row order if `in_order`, else without ranks
    /// where they are common).
    ///
    /// # Errors
    ///
    /// If the source does not exist or has fewer keys.
    pub(super) fn new(
        source: &DrawSource,
        wanted: Option<u64>,
        in_order: bool,
        tables: &[Arc<Rows>],
        data_seed: u64,
    ) -> anyhow::Result<Self> {
        if let Some(list) = listed(source)? {
            let count = wanted.unwrap_or(list.len() as u64);
            ensure!(count > 0, "the list of values is empty");
            ensure!(
                count <= list.len() as u64,
                "{count} keys are wanted of a list of {}",
                list.len()
            );
            return Ok(Self::Values { list, count });
        }
        let source = Source::new(source, tables)?.expect("not a list: a column");
        let Some(count) = wanted else { return Self::all(source, in_order) };
        ensure!(count > 0, "0 keys are wanted");
        let total = source.total();
        ensure!(count <= total, "{count} keys are wanted of {total} rows of {}", source.named());
        let permutation = Permutation::new(total, &source.named(), data_seed);
        if source.is_every_row() {
            return Ok(Self::Shuffled { source, count, permutation });
        }
        let mut text = Vec::new();
        let wanted = usize::try_from(count)?;
        let walk = (0..total).map(|rank| permutation.at(rank) + 1);
        let rows: Vec<u64> =
            walk.filter(|row| source.matches(*row, &mut text)).take(wanted).collect();
        ensure!(
            rows.len() == wanted,
            "{count} keys are wanted of {}, but only {} rows of {total} meet the conditions",
            source.named(),
            rows.len()
        );
        Ok(Self::Listed { source, rows })
    }

    fn all(source: Source, in_order: bool) -> anyhow::Result<Self> {
        if source.is_every_row() {
            return Ok(Self::InOrder(source));
        }
        let mut text = Vec::new();
        let step = (source.total() / SAMPLED).max(1);
        let sample = (1..=source.total()).step_by(usize::try_from(step)?);
        let hits = sample.filter(|row| source.matches(*row, &mut text)).count() as u64;
        if !in_order && hits >= RARE && source.total() >= SAMPLED {
            return Ok(Self::Matching(source));
        }
        let rows: Vec<u64> =
            (1..=source.total()).filter(|row| source.matches(*row, &mut text)).collect();
        ensure!(!rows.is_empty(), "no row of {} meets the conditions", source.named());
        Ok(Self::Listed { source, rows })
    }

    /// Number of ranks; none where keys have none.
    pub(super) fn count(&self) -> Option<u64> {
        match self {
            Self::Values { count, .. } | Self::Shuffled { count, .. } => Some(*count),
            Self::Listed { rows, .. } => Some(rows.len() as u64),
            Self::InOrder(source) => Some(source.total()),
            Self::Matching(_) => None,
        }
    }

    /// The key of a rank below `count`; where keys have no ranks, any one by `stream`.
    pub(super) fn text(&self, rank: u64, stream: &mut Stream) -> String {
        let place = usize::try_from(rank).expect("ranks are below the length of a list");
        match self {
            Self::Values { list, .. } => list[place].clone(),
            Self::Shuffled { source, permutation, .. } => source.text(permutation.at(rank) + 1),
            Self::Listed { source, rows } => source.text(rows[place]),
            Self::InOrder(source) => source.text(rank + 1),
            Self::Matching(source) => source.text(any_matching(source, stream)),
        }
    }
}

/// The values of a source that has them itself; none for a column.
fn listed(source: &DrawSource) -> anyhow::Result<Option<Arc<[String]>>> {
    Ok(match source {
        DrawSource::Column { .. } => None,
        DrawSource::Values(values) => Some(values.as_slice().into()),
        DrawSource::Csv { file, values, .. } | DrawSource::Log { file, values, .. } => {
            ensure!(
                values.count == values.list.len() as u64,
                "the values of `{file}` are not at hand: a plan that was read back has only their digest"
            );
            Some(Arc::clone(&values.list))
        }
    })
}

/// A matching row, each equally likely. At least one exists: the sample found it.
fn any_matching(source: &Source, stream: &mut Stream) -> u64 {
    let mut text = Vec::new();
    let mut row = 1;
    for _ in 0..MOST_TRIES {
        row = stream.below(source.total()) + 1;
        if source.matches(row, &mut text) {
            return row;
        }
    }
    let onward = (row..=source.total()).chain(1..row);
    onward.into_iter().find(|row| source.matches(*row, &mut text)).unwrap_or(row)
}

/// A fixed permutation of 0 to n-1 that needs no memory: a Feistel network over the next even power of two, walked on
/// until it falls below n (Black and Rogaway, "Ciphers with arbitrary finite domains", 2002).
#[derive(Debug, Clone)]
pub(super) struct Permutation {
    count: u64,
    half_bits: u32,
    keys: [u64; 6],
}

impl Permutation {
    fn new(count: u64, name: &str, seed: u64) -> Self {
        let bits = 64 - count.saturating_sub(1).leading_zeros();
        let mut keys = [0; 6];
        for (i, key) in keys.iter_mut().enumerate() {
            let digest = digest(&format!("keys {i} {name}"), seed);
            *key = u64::from_le_bytes(digest[..8].try_into().expect("eight of 32 bytes"));
        }
        Self { count, half_bits: bits.div_ceil(2).max(1), keys }
    }

    /// Where `rank`, below n, is sent.
    fn at(&self, rank: u64) -> u64 {
        let mut x = rank;
        loop {
            x = self.round_trip(x);
            // A permutation's cycle through a number below n comes back below n: this ends.
            if x < self.count {
                return x;
            }
        }
    }

    fn round_trip(&self, x: u64) -> u64 {
        let mask = (1 << self.half_bits) - 1;
        let (mut left, mut right) = (x >> self.half_bits, x & mask);
        for key in self.keys {
            let mut z = right.wrapping_add(key);
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            (left, right) = (right, left ^ ((z ^ (z >> 31)) & mask));
        }
        left << self.half_bits | right
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::load::dice::Dice;
    use crate::plan::FileValues;
    use crate::rows::{ColumnSpec, Generator, RowOrder, TableSpec};

    fn users(count: u64) -> Vec<Arc<Rows>> {
        let choices = vec![("active".into(), 70.0), ("inactive".into(), 29.9), ("vip".into(), 0.1)];
        let column = |name: &str, generator, null_ratio| ColumnSpec {
            name: name.into(),
            generator,
            null_ratio,
        };
        let columns = vec![
            column("id", Generator::Sequence { start: 1, step: 1 }, 0.0),
            column("status", Generator::Weighted { choices }, 0.0),
            column("phone", Generator::Sequence { start: 100, step: 1 }, 0.5),
        ];
        let spec =
            TableSpec { name: "users".into(), rows: count, columns, order: RowOrder::Clustered };
        vec![Arc::new(Rows::new(1, spec).expect("good"))]
    }

    fn from(column: &str, status: Option<&str>) -> DrawSource {
        let conditions = status.iter().map(|s| ("status".to_owned(), (*s).to_owned())).collect();
        DrawSource::Column { table: "users".into(), column: column.into(), conditions }
    }

    fn all(keys: &Keys) -> Vec<String> {
        let mut stream = Dice::new("test", 1).stream(0);
        (0..keys.count().expect("ranks")).map(|rank| keys.text(rank, &mut stream)).collect()
    }

    #[test]
    fn ranked_keys_are_distinct_rows_that_meet_the_conditions_and_depend_on_the_data_seed() {
        let tables = users(5000);
        let draw = |seed| Keys::new(&from("id", Some("active")), Some(1000), false, &tables, seed);
        let keys = all(&draw(1).expect("enough"));
        assert_eq!(keys.iter().collect::<BTreeSet<_>>().len(), 1000);
        for key in &keys {
            let row: u64 = key.parse().expect("an id");
            assert_eq!(tables[0].value(1, row).text().as_deref(), Some("active"));
        }
        assert_eq!(keys, all(&draw(1).expect("enough")));
        assert_ne!(keys, all(&draw(2).expect("enough")));
        // Not the first rows of the table: their pages would be neighbours.
        assert!(keys.iter().any(|key| key.parse::<u64>().expect("an id") > 4000));
    }

    #[test]
    fn keys_that_do_not_exist_are_an_error_that_counts_them() {
        let tables = users(5000);
        let says = |source, wanted| {
            let keys = Keys::new(&source, wanted, false, &tables, 1);
            keys.map(|_| ()).expect_err("too few").to_string()
        };
        assert_eq!(
            says(from("id", Some("inactive")), Some(4000)),
            "4000 keys are wanted of users.id, but only 1499 rows of 5000 meet the conditions"
        );
        assert!(says(from("id", None), Some(5001)).contains("5001 keys are wanted of 5000 rows"));
        assert!(says(from("id", Some("nobody")), None).contains("no row of users.id"));
        assert!(says(from("nix", None), None).contains("no generated column `nix`"));
        assert!(says(DrawSource::Values(vec![]), None).contains("empty"));
    }

    #[test]
    fn values_of_a_file_are_keys_in_its_order_and_a_plan_that_was_read_back_has_none() {
        let list: Arc<[String]> = ["c", "a", "b"].map(str::to_owned).into();
        let values = FileValues { sha256: "0".into(), count: 3, list };
        let source =
            DrawSource::Csv { file: "k.csv".into(), column: "k".into(), values: values.clone() };
        let keys = |wanted| Keys::new(&source, wanted, false, &[], 1);
        assert_eq!(all(&keys(None).expect("three")), ["c", "a", "b"]);
        assert_eq!(all(&keys(Some(2)).expect("two")), ["c", "a"]);
        assert!(keys(Some(4)).is_err());
        let json = serde_json::to_string(&source).expect("written");
        assert!(!json.contains("\"a\""), "{json}");
        let read: DrawSource = serde_json::from_str(&json).expect("read");
        let error = Keys::new(&read, None, false, &[], 1).map(drop).expect_err("gone").to_string();
        assert!(error.contains("the values of `k.csv` are not at hand"), "{error}");
    }

    #[test]
    fn keys_without_a_number_are_drawn_from_every_matching_row_and_never_null() {
        let tables = users(5000);
        let mut stream = Dice::new("test", 1).stream(0);
        let keys = Keys::new(&from("phone", Some("active")), None, false, &tables, 1).expect("ok");
        assert!(matches!(keys, Keys::Matching(_)));
        let mut seen = BTreeSet::new();
        for _ in 0..20_000 {
            let row = keys.text(0, &mut stream).parse::<u64>().expect("a phone") - 99;
            assert!(!tables[0].is_null(2, row));
            assert_eq!(tables[0].value(1, row).text().as_deref(), Some("active"));
            seen.insert(row);
        }
        let exist = (1..=5000).filter(|row| {
            !tables[0].is_null(2, *row)
                && tables[0].value(1, *row).text().as_deref() == Some("active")
        });
        assert_eq!(seen.len(), exist.count());
        let rare = Keys::new(&from("id", Some("vip")), None, false, &tables, 1).expect("ok");
        assert!(matches!(&rare, Keys::Listed { rows, .. } if (1..20).contains(&rows.len())));
    }

    proptest! {
        #[test]
        fn a_permutation_hits_every_row_once(count in 1u64..3000, seed: u64) {
            let permutation = Permutation::new(count, "x", seed);
            let seen: BTreeSet<u64> = (0..count).map(|rank| permutation.at(rank)).collect();
            prop_assert_eq!(seen.len() as u64, count);
            prop_assert!(seen.iter().all(|x| *x < count));
        }
    }
}
