//! Rows of a table that are not made here.

use serde::{Deserialize, Serialize};

/// Where the rows of a table come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourcePlan {
    /// The table.
    pub table: String,
    /// Its columns, in the order of the rows; empty: what the statements say.
    pub columns: Vec<String>,
    /// Number of rows, where the file tells.
    pub rows: Option<u64>,
    /// Where from.
    pub from: SourceKind,
}

/// A file or a query. Files are named as the author did, relative to the experiment's folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SourceKind {
    /// A CSV file.
    Csv {
        /// The file.
        file: String,
        /// SHA-256 of the file, in hex.
        sha256: String,
        /// Whether its first line names the columns.
        header: bool,
        /// Between cells.
        delimiter: char,
        /// Around cells.
        quote: char,
        /// Stands without quotes for NULL.
        null: String,
    },
    /// A file of statements.
    Sql {
        /// The file.
        file: String,
        /// SHA-256 of the file, in hex.
        sha256: String,
    },
    /// The lines of a plain dump that are the table's.
    Dump {
        /// The file.
        file: String,
        /// SHA-256 of the file, in hex.
        sha256: String,
        /// The first byte of its rows.
        start: u64,
        /// The byte behind them.
        end: u64,
    },
    /// A query.
    Query {
        /// One statement.
        sql: String,
    },
}

impl SourceKind {
    /// The file and its digest, if it is one.
    #[must_use]
    pub fn file(&self) -> Option<(&str, &str)> {
        match self {
            Self::Csv { file, sha256, .. }
            | Self::Sql { file, sha256 }
            | Self::Dump { file, sha256, .. } => Some((file, sha256)),
            Self::Query { .. } => None,
        }
    }

    /// Whether the server is sent rows, and no statement that it could plan one way or another.
    #[must_use]
    pub fn is_copied(&self) -> bool {
        matches!(self, Self::Csv { .. } | Self::Dump { .. })
    }
}
