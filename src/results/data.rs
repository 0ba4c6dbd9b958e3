//! What is on disk about a run's data: tables and indexes, what they weigh and what they took.

use std::collections::BTreeMap;

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
    /// Where the data came from; not known in older results.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<DataOrigin>,
    /// What each index set costs those who write, where the design asks for it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub index_costs: Vec<IndexCostRecord>,
    /// Settings of Postgres that held while the data of this run were made, completed or looked through, and in no trial.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub only_while_loading: BTreeMap<String, String>,
}

/// Whether the data were made for a run, or are those of an earlier one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "how", rename_all = "kebab-case")]
pub enum DataOrigin {
    /// Made for this run.
    Built,
    /// Those of a Postgres that is somebody else's, as they were.
    External {
        /// Whether its role could write, were its sessions not read only.
        could_write: bool,
    },
    /// From the dataset cache. The times of tables, and of indexes that were there, are of the run that made them.
    Reused {
        /// Name of the entry: the digest of all that decides the data.
        entry: String,
        /// Whether the run had a copy, or the entry itself.
        place: DataPlace,
        /// Index sets that were not there and were built for this run.
        built_sets: u32,
        /// Time that the data took when they were made.
        built_ms: u64,
    },
}

/// Which files a run has used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DataPlace {
    /// Those of a copy.
    Copy,
    /// Those of the cache itself: nothing that the run asks for writes.
    InPlace,
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

/// What it costs to write to one table with one index set; of one row, the median of some passes, without the commit. The
/// mean of two such medians, where a range is known.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct IndexCostRecord {
    /// Database.
    pub database: String,
    /// Variants that use that database.
    pub variants: Vec<String>,
    /// Table.
    pub table: String,
    /// Microseconds for a row that is inserted.
    pub insert_us: Option<f64>,
    /// The same in the cheapest pass; not known in older results.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub insert_min_us: Option<f64>,
    /// And in the dearest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub insert_max_us: Option<f64>,
    /// The same over what it takes without any declared index.
    pub insert_slowdown: Option<f64>,
    /// Bytes of the log for it.
    pub insert_wal_bytes: Option<u64>,
    /// Microseconds for a row that is changed, in nothing that an index holds.
    pub update_us: Option<f64>,
    /// The same in the cheapest pass; not known in older results.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub update_min_us: Option<f64>,
    /// And in the dearest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub update_max_us: Option<f64>,
    /// The same over what it takes without any declared index.
    pub update_slowdown: Option<f64>,
    /// Bytes of the log for it.
    pub update_wal_bytes: Option<u64>,
    /// Share of the changed rows that needed no new entry in any index, 0 to 1.
    pub hot_update_ratio: Option<f64>,
}

impl IndexCostRecord {
    /// Whether the range of its passes is known: then it was measured in two rounds, after one that did not count.
    pub fn has_range(&self) -> bool {
        self.insert_min_us.or(self.update_min_us).is_some()
    }
}
