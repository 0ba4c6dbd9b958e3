//! What is on disk about a run's data: tables and indexes, what they weigh and what they took.

use serde::{Deserialize, Serialize};

/// What the data cost, once per run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct DatasetRecord {
    /// By table.
    pub tables: Vec<TableRecord>,
    /// By database and index.
    pub indexes: Vec<IndexRecord>,
    /// Whole time to have it ready.
    pub prepare_ms: u64,
}

/// One table.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TableRecord {
    /// Name.
    pub name: String,
    /// Rows loaded.
    pub rows: u64,
    /// Bytes of the heap with its maps.
    pub table_bytes: u64,
    /// Time of the COPY.
    pub load_ms: u64,
    /// Checksum of the first and last rows as generated.
    pub checksum: String,
}

/// One index of one database.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct IndexRecord {
    /// Database.
    pub database: String,
    /// Variants that use that database.
    pub variants: Vec<String>,
    /// Index.
    pub name: String,
    /// Its statement.
    pub sql: String,
    /// Time of CREATE INDEX.
    pub build_ms: u64,
    /// Bytes.
    pub index_bytes: u64,
}
