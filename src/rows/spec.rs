//! What a table's rows are: a column's generator as a value, without TOML.

use serde::{Deserialize, Serialize};

/// One table's rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TableSpec {
    /// The table.
    pub name: String,
    /// Number of rows.
    pub rows: u64,
    /// In the order of COPY.
    pub columns: Vec<ColumnSpec>,
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
}
