//! What was made, and what it cost: plain values for whoever asked for the data.

use serde::{Deserialize, Serialize};

use super::cache::{Kept, KeptSet};
use crate::plan::Plan;

/// The data of a plan, ready.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dataset {
    /// In the order in which they were loaded.
    pub tables: Vec<LoadedTable>,
    /// By database, in the order in which they were built.
    pub indexes: Vec<BuiltIndex>,
    /// Time for all of it.
    pub prepare_ms: u64,
    /// Number and digest of each migration that was run.
    pub migrations: Vec<(i64, String)>,
    /// What those who write pay for indexes, where the design asks for it.
    pub write_costs: Vec<WriteCost>,
}

impl Dataset {
    /// What the cache has to know of it.
    #[must_use]
    pub fn kept(&self, plan: &Plan) -> Kept {
        let of = |database: &str| -> Vec<BuiltIndex> {
            self.indexes.iter().filter(|i| i.database == database).cloned().collect()
        };
        let sets = plan
            .index_sets
            .iter()
            .map(|set| KeptSet { database: set.database.clone(), indexes: of(&set.database) });
        Kept { tables: self.tables.clone(), sets: sets.collect(), prepare_ms: self.prepare_ms }
    }
}

/// One table.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadedTable {
    /// Name.
    pub name: String,
    /// Rows, as Postgres counted them.
    pub rows: u64,
    /// Heap with its maps and its TOAST table.
    pub table_bytes: u64,
    /// Time of the COPY.
    pub load_ms: u64,
    /// Checksum of the first and last rows as generated.
    pub checksum: String,
}

/// One index of one database.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuiltIndex {
    /// Database.
    pub database: String,
    /// Index.
    pub name: String,
    /// Its statement.
    pub sql: String,
    /// Time of CREATE INDEX.
    pub build_ms: u64,
    /// Size.
    pub index_bytes: u64,
}

/// What it costs to write to one table of one database.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WriteCost {
    /// Database of an index set; none: without any declared index.
    pub database: Option<String>,
    /// Table.
    pub table: String,
    /// Of a row that is inserted; none where no rows could be.
    pub insert: Option<RowCost>,
    /// Of a row that is changed in no column that matters to an index; none where no rows could be.
    pub update: Option<RowCost>,
    /// Rows that were changed in all passes.
    pub updated: u64,
    /// Of them, those that needed no new entry in any index.
    pub hot: u64,
}

/// What one row costs: of each round the middle of its passes, and of those the mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowCost {
    /// Time without the commit.
    pub ns: u64,
    /// The same in the cheapest pass of all rounds.
    pub least_ns: u64,
    /// And in the dearest.
    pub most_ns: u64,
    /// Bytes of the log.
    pub wal_bytes: u64,
}
