//! What a catalogue says of tables, as plain values.

/// Tables with all that decides which rows they can hold.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Schema {
    /// Tables; partitions are parts of theirs.
    pub tables: Vec<TableFacts>,
    /// What was seen and is not taken over, a sentence each.
    pub notes: Vec<String>,
}

/// One table.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TableFacts {
    /// Name.
    pub name: String,
    /// Rows as the statistics estimate them; none where nobody has counted.
    pub rows: Option<u64>,
    /// Columns, in their order.
    pub columns: Vec<ColumnFacts>,
    /// Columns of the primary key.
    pub primary: Vec<String>,
    /// Sets of columns whose values together are unique, the primary key's among them.
    pub unique: Vec<Vec<String>>,
    /// Foreign keys.
    pub references: Vec<Reference>,
    /// Check constraints, as Postgres writes them: `CHECK ((price > 0))`.
    pub checks: Vec<String>,
    /// How it is partitioned.
    pub partition: Option<Partition>,
    /// Indexes that no constraint has made.
    pub indexes: Vec<IndexFacts>,
}

/// One column.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ColumnFacts {
    /// Name.
    pub name: String,
    /// What it can hold, domains resolved.
    pub kind: Kind,
    /// The type's name as Postgres writes it.
    pub type_name: String,
    /// Whether it may be NULL.
    pub nullable: bool,
    /// Where values come from that nobody states.
    pub origin: Origin,
    /// Check constraints of its domains, with `VALUE` for the value.
    pub domain_checks: Vec<String>,
    /// What ANALYZE has seen.
    pub statistics: Option<Statistics>,
}

/// Where values come from that nobody states.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Origin {
    /// From nowhere: NULL.
    #[default]
    Nowhere,
    /// A default other than a sequence.
    Default,
    /// A sequence, by a default or as an identity.
    Sequence,
    /// Computed from other columns; nobody may state it.
    Generated,
}

/// What a column can hold.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Kind {
    /// True or false.
    Bool,
    /// Whole numbers of 2, 4 or 8 bytes.
    Integer(u32),
    /// Decimals: digits in all and after the point, where the type states them.
    Numeric(Option<(u32, u32)>),
    /// Floating point.
    Float,
    /// Text of at most so many characters.
    Text(Option<u32>),
    /// UUID.
    Uuid,
    /// Day.
    Date,
    /// Moment; true with a time zone.
    Timestamp(bool),
    /// JSON.
    Json,
    /// Bytes.
    Bytea,
    /// Network address.
    Inet,
    /// Point.
    Point,
    /// One of these labels.
    Enum(Vec<String>),
    /// Array of them.
    Array(Box<Self>),
    /// Another type, by its name in the catalogue.
    Other(String),
    /// Not known.
    #[default]
    Unknown,
}

/// What ANALYZE has seen of a column; values as text.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Statistics {
    /// Share of NULL, 0 to 1.
    pub null_share: f64,
    /// Number of different values; negative: as a share of the rows.
    pub distinct: f64,
    /// The most common values, and the share of the rows that has each.
    pub common: Vec<(String, f64)>,
    /// Bounds of groups of as many rows each, without the most common values.
    pub bounds: Vec<String>,
    /// How the values' order agrees with that of the rows, -1 to 1.
    pub correlation: Option<f64>,
}

/// A foreign key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reference {
    /// Its columns.
    pub columns: Vec<String>,
    /// The other table.
    pub table: String,
    /// Columns there, one for each.
    pub others: Vec<String>,
}

/// How a table is partitioned.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Partition {
    /// As Postgres writes it: `RANGE (created_at)`.
    pub key: String,
    /// Of each partition: `FOR VALUES FROM ('2024-01-01') TO ('2024-07-01')`.
    pub bounds: Vec<String>,
}

/// An index that no constraint has made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IndexFacts {
    /// Name.
    pub name: String,
    /// Its statement, as Postgres writes it.
    pub sql: String,
    /// Whether it lets no value in twice.
    pub unique: bool,
    /// Access method: `btree`.
    pub method: String,
    /// Its first column; none where that is an expression.
    pub first: Option<String>,
    /// Condition of a partial index.
    pub condition: Option<String>,
}
