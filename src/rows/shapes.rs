//! The words of generators: how often which number, which parent, in which order.

use serde::{Deserialize, Serialize};

use super::spec::ColumnSpec;

/// How often which number of a range.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shape {
    /// All alike.
    Uniform,
    /// The bell, cut at the ends of the range.
    Normal {
        /// Its middle, in the range.
        mean: f64,
        /// Its standard deviation, at most the width of the range.
        deviation: f64,
    },
    /// Falling from the smallest, cut at the end of the range.
    Exponential {
        /// The mean, if it were not cut.
        mean: f64,
    },
    /// Zipf's law: the smallest most often, the k-th as often as 1/k^exponent.
    Zipfian {
        /// More than 0, at most 20.
        exponent: f64,
    },
}

/// How moments follow on each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// Not at all.
    Random,
    /// A later row has no earlier moment.
    Ascending,
}

/// How rows lie in a table.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RowOrder {
    /// By their number: what rises with the row number lies together.
    #[default]
    Clustered,
    /// In no order, the same on every machine.
    Shuffled,
}

impl RowOrder {
    /// Whether rows lie by their number.
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
    pub(super) fn is_clustered(&self) -> bool {
        *self == Self::Clustered
    }
}

/// Which rows of another table are referred to.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Parents {
    /// Any, all alike.
    Uniform,
    /// A few of them, wherever they are, much more often.
    Zipfian {
        /// More than 0, at most 20.
        exponent: f64,
    },
    /// All in their order, each by some rows in a row.
    Families(FamilySize),
}

/// By how many rows each is referred to, in the mean rows per parent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FamilySize {
    /// The same number each, give or take one.
    Equal,
    /// Anything from none to twice the mean.
    Uniform,
    /// Many with few, some with several times the mean.
    Exponential,
}

/// What the length of a text counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Prose {
    /// Words.
    Words,
    /// Sentences.
    Sentences,
    /// Characters.
    Characters,
}

/// A part of a text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Piece {
    /// This text.
    Text(String),
    /// The number of the row.
    Row,
    /// The text of another column of the row; nothing where that is NULL.
    Column(Box<ColumnSpec>),
}
