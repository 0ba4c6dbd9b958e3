//! `[dataset]`: migrations, tables and the generators of their columns.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::column::{Column, RowsLie};
use super::rows_from::RowsFrom;

/// `[dataset]`: where the rows come from.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Dataset {
    /// Folder of migrations, relative to this file: `NNNN_name.sql`. Needed unless Postgres is somebody else's.
    #[serde(default)]
    pub migrations: String,
    /// Statements after the load.
    #[serde(default = "after_load")]
    pub after_load: Vec<String>,
    /// Tables to fill.
    #[serde(default)]
    pub tables: BTreeMap<String, Table>,
}

fn after_load() -> Vec<String> {
    vec!["VACUUM (FREEZE, ANALYZE)".into()]
}

/// `[dataset.tables.NAME]`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// Number of rows.
    #[serde(default)]
    #[schemars(range(min = 0, max = 1_000_000_000_u64))]
    pub rows: u64,
    /// How the rows lie in the table: by their number (`clustered`, the default), or `shuffled`.
    #[serde(default)]
    pub order: Option<RowsLie>,
    /// Column name to its generator; columns not named get their default.
    #[serde(default)]
    pub columns: BTreeMap<String, Column>,
    /// Rows that are not made here, instead of `rows`, `order` and `columns`.
    #[serde(default)]
    pub from: Option<RowsFrom>,
}
