//! What whoever prepares the data is told, and what it tells: where Postgres is, and every step that is done.

use crate::plan::PostgresAddress;

/// The database that the rows are loaded into. Others are cloned from it, and then it becomes that of an index set itself.
pub(super) const TEMPLATE: &str = "ql_template";

/// How to reach Postgres, and as whom.
#[derive(Debug, Clone)]
pub struct Addresses {
    /// The administrator, database `postgres`.
    pub admin: PostgresAddress,
    /// The role of the experiment's own SQL: no superuser.
    pub app: PostgresAddress,
}

impl Addresses {
    /// The administrator in another database.
    pub(super) fn admin_to(&self, database: &str) -> PostgresAddress {
        PostgresAddress { database: database.to_owned(), ..self.admin.clone() }
    }

    /// The experiment's role in another database.
    pub fn app_to(&self, database: &str) -> PostgresAddress {
        PostgresAddress { database: database.to_owned(), ..self.app.clone() }
    }
}

/// Which files servers work on that have data from the cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// Those of a copy.
    Copy,
    /// The entry's own.
    InPlace,
}

/// How rows were sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum CopyForm {
    /// In COPY's binary format.
    Binary,
    /// As text: a column's type takes its values only so.
    Text,
}

/// What has been done.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(tag = "step", rename_all = "kebab-case")]
pub enum Progress {
    /// The data were taken from the cache: nothing is loaded.
    Restored {
        /// Name of the entry.
        entry: String,
        /// Size of its files.
        bytes: u64,
        /// Which files the servers have.
        place: Place,
        /// Time to look through it and to copy it.
        ms: u64,
    },
    /// The data were put into the cache.
    Kept {
        /// Name of the entry.
        entry: String,
        /// Time.
        ms: u64,
    },
    /// Migrations were run.
    Migrated {
        /// How many.
        migrations: usize,
    },
    /// Rows were sent.
    Loading {
        /// Table.
        table: String,
        /// Rows sent so far.
        done: u64,
        /// Rows in all.
        rows: u64,
        /// Time since the table's start.
        ms: u64,
    },
    /// A table is loaded, its indexes are built and its foreign keys checked.
    Loaded {
        /// Table.
        table: String,
        /// Rows.
        rows: u64,
        /// Time for all of it.
        ms: u64,
        /// How they were sent.
        form: CopyForm,
        /// Whether they were written frozen.
        frozen: bool,
        /// Indexes that were built after the rows.
        indexes: usize,
    },
    /// The statements after the load were run.
    AfterLoad {
        /// Time.
        ms: u64,
    },
    /// A database was cloned.
    Cloned {
        /// Database.
        database: String,
        /// Time.
        ms: u64,
    },
    /// What writing to a database costs was measured in a clone of it.
    Priced {
        /// Database.
        database: String,
        /// Which time; 0 is the one that does not count.
        round: u32,
        /// Time.
        ms: u64,
    },
    /// An index was built.
    Indexed {
        /// Index.
        index: String,
        /// Time.
        ms: u64,
        /// Size.
        bytes: u64,
    },
}
