//! What a table's rows are: a column's generator as a value, without TOML.

use serde::{Deserialize, Serialize};

use super::shapes::{Order, Parents, Piece, Prose, RowOrder, Shape};

/// One table's rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TableSpec {
    /// The table.
    pub name: String,
    /// Number of rows.
    pub rows: u64,
    /// In the order of COPY.
    pub columns: Vec<ColumnSpec>,
    /// How the rows lie in the table.
    #[serde(default, skip_serializing_if = "RowOrder::is_clustered")]
    pub order: RowOrder,
}

/// One column's values.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ColumnSpec {
    /// The column.
    pub name: String,
    /// How its values are made.
    pub generator: Generator,
    /// Share of rows that are NULL, 0 to 1.
    pub null_ratio: f64,
}

/// How a column's values are made: a pure function of (seed, table, column, row). Rows count from 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Generator {
    /// `start + (row - 1) * step`.
    Sequence {
        /// Value of row 1.
        start: i64,
        /// Difference from row to row.
        step: i64,
    },
    /// Text pieces around the row number: `email{row}@example.com` is `["email", "@example.com"]`.
    Template {
        /// The row number stands between each two of them.
        pieces: Vec<String>,
    },
    /// First and last name from fixed lists.
    PersonName,
    /// One of the values, by weight; in the order given (sorted by value).
    Weighted {
        /// Value and weight, weights positive and finite in sum.
        choices: Vec<(String, f64)>,
    },
    /// Points in time.
    Timestamp {
        /// Row 1, in microseconds since 1970 UTC.
        start_us: i64,
        /// Distance from row to row, in microseconds.
        step_us: i64,
    },
    /// Uniform whole numbers, both ends included.
    Integer {
        /// Smallest.
        min: i64,
        /// Largest.
        max: i64,
    },
    /// Uniform numbers, `min` included, `max` not.
    Float {
        /// Smallest.
        min: f64,
        /// Largest.
        max: f64,
    },
    /// True with this probability.
    Bool {
        /// 0 to 1.
        probability: f64,
    },
    /// A number of words.
    Words {
        /// Fewest.
        min: u32,
        /// Most.
        max: u32,
    },
    /// Random UUID, version 4 layout.
    Uuid,
    /// The same in every row.
    Constant {
        /// As text.
        value: String,
    },
    /// Whole numbers, or decimals with a fixed number of digits after the point, both ends included.
    Numeric {
        /// Smallest, in units of the last digit.
        min: i64,
        /// Largest, in units of the last digit.
        max: i64,
        /// Digits after the point, 0 to 9; 0 makes whole numbers.
        scale: u32,
        /// How often which; in values, not in units of the last digit.
        shape: Shape,
    },
    /// Numbers that are not spread evenly, `min` included, `max` not.
    Real {
        /// Smallest.
        min: f64,
        /// Largest.
        max: f64,
        /// How often which.
        shape: Shape,
    },
    /// Days, both ends included.
    Date {
        /// First, in days since 1970-01-01.
        first: i64,
        /// Last, in days since 1970-01-01.
        last: i64,
        /// How many times as frequent the last day is as the first; 1 for evenly.
        growth: f64,
        /// Whether they rise with the rows.
        order: Order,
    },
    /// Points in time of a range, its end not included.
    Moment {
        /// Start, in microseconds since 1970 UTC.
        start_us: i64,
        /// End, in microseconds since 1970 UTC.
        end_us: i64,
        /// How many times as frequent the end is as the start; 1 for evenly.
        growth: f64,
        /// Mondays to Fridays only, between these minutes of the day (UTC).
        hours: Option<[u32; 2]>,
        /// Whether they rise with the rows.
        order: Order,
    },
    /// UUID, version 7 layout: the moments of a `Timestamp` and random bits.
    UuidV7 {
        /// Row 1, in microseconds since 1970 UTC.
        start_us: i64,
        /// Distance from row to row, in microseconds.
        step_us: i64,
    },
    /// E-mail addresses, each once: names and the row number.
    Email {
        /// All at this one; else at one of those that are reserved for examples.
        domain: Option<String>,
    },
    /// Names of companies.
    Company,
    /// Text of words.
    Prose {
        /// What `min` and `max` count.
        unit: Prose,
        /// Fewest.
        min: u32,
        /// Most.
        max: u32,
        /// Number of different words.
        vocabulary: u64,
        /// Of Zipf's law of the words; 0 for evenly.
        exponent: f64,
    },
    /// Text pieces, row numbers and other columns of the row one after the other.
    Format {
        /// In this order.
        pieces: Vec<Piece>,
    },
    /// Whole numbers, each at most once, in no visible order.
    Permutation {
        /// Smallest.
        min: i64,
        /// Largest; there are at least as many as rows.
        max: i64,
    },
    /// Values of a column of another table, or of this one.
    ForeignKey {
        /// That table.
        table: String,
        /// Its rows.
        rows: u64,
        /// That column.
        column: Box<ColumnSpec>,
        /// Which of its rows.
        parents: Parents,
    },
    /// JSON objects.
    Json {
        /// Members in their order.
        fields: Vec<ColumnSpec>,
    },
    /// Postgres arrays.
    Array {
        /// How elements are made; one that does not need the row number.
        of: Box<ColumnSpec>,
        /// Fewest elements.
        min: u32,
        /// Most elements.
        max: u32,
    },
    /// Random bytes.
    Bytes {
        /// Fewest.
        min: u32,
        /// Most.
        max: u32,
    },
    /// Addresses of a network.
    Inet {
        /// Address and length of the prefix, `10.0.0.0/8`.
        network: String,
    },
    /// Points of a plane.
    Point {
        /// Least x, least y, most x, most y.
        area: [f64; 4],
    },
    /// Another column of the row plus a number: in its units, days, or microseconds.
    Offset {
        /// The other column.
        column: Box<ColumnSpec>,
        /// Smallest distance.
        min: i64,
        /// Largest distance.
        max: i64,
        /// How often which.
        shape: Shape,
    },
    /// A value that follows from another column of the row: where that is the same, so is this.
    Dependent {
        /// The other column.
        on: Box<ColumnSpec>,
        /// Share of the rows that follow it, 0 to 1.
        share: f64,
        /// How values are made; one that does not need the row number.
        generator: Box<Self>,
    },
}

impl ColumnSpec {
    /// Share of the rows that are NULL, those included that are because another column is.
    pub fn null_share(&self) -> f64 {
        match &self.generator {
            Generator::Offset { column, .. } => {
                1.0 - (1.0 - self.null_ratio) * (1.0 - column.null_share())
            }
            _ => self.null_ratio,
        }
    }
}

impl Generator {
    /// Whether any number will do for a row: nothing in the value counts rows or looks at another column.
    pub fn is_free(&self) -> bool {
        match self {
            Self::PersonName
            | Self::Weighted { .. }
            | Self::Integer { .. }
            | Self::Float { .. }
            | Self::Bool { .. }
            | Self::Words { .. }
            | Self::Uuid
            | Self::Constant { .. }
            | Self::Numeric { .. }
            | Self::Real { .. }
            | Self::Company
            | Self::Prose { .. }
            | Self::Bytes { .. }
            | Self::Inet { .. }
            | Self::Point { .. }
            | Self::Array { .. } => true,
            Self::Date { order, .. } | Self::Moment { order, .. } => *order == Order::Random,
            Self::ForeignKey { parents, .. } => !matches!(parents, Parents::Families(_)),
            Self::Json { fields } => fields.iter().all(|field| field.generator.is_free()),
            Self::Sequence { .. }
            | Self::Template { .. }
            | Self::Timestamp { .. }
            | Self::UuidV7 { .. }
            | Self::Email { .. }
            | Self::Format { .. }
            | Self::Permutation { .. }
            | Self::Offset { .. }
            | Self::Dependent { .. } => false,
        }
    }

    /// Whether no two rows have the same value.
    pub fn is_unique(&self) -> bool {
        match self {
            Self::Sequence { step, .. } => *step != 0,
            Self::Timestamp { step_us, .. } => *step_us != 0,
            Self::Template { pieces } => pieces.len() > 1,
            Self::Format { pieces } => shows_its_row(pieces),
            Self::Uuid | Self::UuidV7 { .. } | Self::Email { .. } | Self::Permutation { .. } => {
                true
            }
            _ => false,
        }
    }

    /// Whether a value's text is never empty and has no digit at either end.
    fn has_no_digit_at_its_ends(&self) -> bool {
        match self {
            Self::PersonName | Self::Company => true,
            Self::Words { min, .. } => *min > 0,
            _ => false,
        }
    }

    /// The smallest and the largest whole number in rows 1 to `rows`; none where there are others than whole numbers.
    pub fn whole_range(&self, rows: u64) -> Option<(i64, i64)> {
        match self {
            Self::Sequence { start, step } => {
                let steps = i64::try_from(rows.saturating_sub(1)).unwrap_or(i64::MAX);
                let last = start.saturating_add(step.saturating_mul(steps));
                Some((*start.min(&last), *start.max(&last)))
            }
            Self::Integer { min, max }
            | Self::Permutation { min, max }
            | Self::Numeric { min, max, scale: 0, .. } => Some((*min, *max)),
            Self::ForeignKey { rows, column, .. } => column.generator.whole_range(*rows),
            Self::Dependent { generator, .. } => generator.whole_range(rows),
            Self::Offset { column, min, max, .. } => {
                let (least, most) = column.generator.whole_range(rows)?;
                Some((least.saturating_add(*min), most.saturating_add(*max)))
            }
            _ => None,
        }
    }
}

/// Whether the row's number can be read off the text: outside of it stands nothing but fixed text, and inside of it no
/// digit is next to it. `{row}{age}` is the same for row 1 with age 12 as for row 11 with age 2.
fn shows_its_row(pieces: &[Piece]) -> bool {
    let is_wall = |piece: Option<&Piece>, edge: fn(&str) -> Option<char>| match piece {
        None => true,
        Some(Piece::Text(text)) => edge(text).is_some_and(|c| !c.is_ascii_digit()),
        Some(Piece::Row) => false,
        Some(Piece::Column(column)) => {
            column.null_ratio <= 0.0 && column.generator.has_no_digit_at_its_ends()
        }
    };
    let is_fixed = |piece: &&Piece| matches!(piece, Piece::Text(_));
    let mut from_start = pieces.iter().skip_while(is_fixed);
    let mut from_end = pieces.iter().rev().skip_while(is_fixed);
    (from_start.next() == Some(&Piece::Row)
        && is_wall(from_start.next(), |text| text.chars().next()))
        || (from_end.next() == Some(&Piece::Row)
            && is_wall(from_end.next(), |text| text.chars().next_back()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_unique_only_where_its_row_can_be_read_off_it() {
        let text = |text: &str| Piece::Text(text.into());
        let column = |generator| {
            let name = "x".into();
            Piece::Column(Box::new(ColumnSpec { name, generator, null_ratio: 0.0 }))
        };
        let age = || column(Generator::Integer { min: 1, max: 99 });
        let name = || column(Generator::PersonName);
        for unique in [
            vec![Piece::Row, text("-"), age()],
            vec![text("no. 7"), Piece::Row, text(" of "), age()],
            vec![age(), text("-"), Piece::Row],
            vec![age(), text("-"), Piece::Row, text("7!")],
            vec![Piece::Row, name(), age()],
            vec![name(), Piece::Row],
        ] {
            assert!(Generator::Format { pieces: unique.clone() }.is_unique(), "{unique:?}");
        }
        for not in [
            vec![Piece::Row, age()],
            vec![age(), Piece::Row],
            vec![Piece::Row, text("7"), age()],
            vec![age(), text("-"), Piece::Row, text("-"), age()],
            vec![name(), text("-"), age()],
        ] {
            assert!(!Generator::Format { pieces: not.clone() }.is_unique(), "{not:?}");
        }
    }
}
