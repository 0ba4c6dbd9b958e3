//! Where a table's rows come from if they are not made here: a CSV file, SQL, a dump, a query.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `from = { … }`: rows of a file, or of a query; one of `csv`, `sql`, `dump`, `query`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RowsFrom {
    /// A CSV file, relative to this one.
    #[serde(default)]
    #[schemars(length(min = 1, max = 1000))]
    pub csv: Option<String>,
    /// `csv`: whether its first line names the columns, which it does if left out.
    #[serde(default)]
    pub header: Option<bool>,
    /// `csv`: what stands between cells, a comma if left out; `"tab"` for a tab.
    #[serde(default)]
    #[schemars(length(min = 1, max = 3))]
    pub delimiter: Option<String>,
    /// `csv`: what stands around cells with delimiters in them, `"` if left out.
    #[serde(default)]
    #[schemars(length(min = 1, max = 1))]
    pub quote: Option<String>,
    /// `csv`: what stands without quotes for NULL, nothing if left out.
    #[serde(default)]
    #[schemars(length(max = 100))]
    pub null_as: Option<String>,
    /// A file of SQL statements that fill the table, relative to this one.
    #[serde(default)]
    #[schemars(length(min = 1, max = 1000))]
    pub sql: Option<String>,
    /// A plain file of `pg_dump` that has the table, relative to this one.
    #[serde(default)]
    #[schemars(length(min = 1, max = 1000))]
    pub dump: Option<String>,
    /// A query whose rows are inserted.
    #[serde(default)]
    #[schemars(length(min = 1, max = 100_000))]
    pub query: Option<String>,
    /// `query`, and `csv` without a header: the columns, in the order of the rows.
    #[serde(default)]
    pub columns: Option<Vec<String>>,
}
