//! Tables, keys, checks, partitions, indexes and statistics of schema `public`, as values for a draft.

use std::collections::BTreeMap;

use anyhow::Result;
use sqlx::postgres::PgConnection;

use super::types::Types;
use crate::dataset::connect::answer;
use crate::spec::draft::{
    ColumnFacts, IndexFacts, Origin, Partition, Reference, Schema, Statistics, TableFacts,
};

/// Tables but for those of extensions and of the migrations themselves; partitions are parts of theirs.
const TABLES: &str = "
SELECT c.oid::int8, c.relname::text,
       CASE WHEN c.relkind = 'p' THEN (
           SELECT CASE WHEN bool_and(l.reltuples < 0) THEN -1 ELSE sum(greatest(l.reltuples, 0)) END
           FROM pg_catalog.pg_partition_tree(c.oid) t JOIN pg_catalog.pg_class l ON l.oid = t.relid WHERE t.isleaf
       ) ELSE c.reltuples END::float8 AS rows,
       pg_catalog.pg_get_partkeydef(c.oid),
       ARRAY(SELECT pg_catalog.pg_get_expr(l.relpartbound, l.oid) FROM pg_catalog.pg_partition_tree(c.oid) t
             JOIN pg_catalog.pg_class l ON l.oid = t.relid WHERE t.level = 1 ORDER BY l.relname)
FROM pg_catalog.pg_class c
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
  AND c.relname <> '_sqlx_migrations'
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend x
                  WHERE x.classid = 'pg_class'::regclass AND x.objid = c.oid AND x.deptype = 'e')
ORDER BY c.oid";

const COLUMNS: &str = "
SELECT a.attrelid::int8, a.attname::text, a.attnotnull,
       a.attidentity::text, a.attgenerated::text,
       pg_catalog.format_type(a.atttypid, a.atttypmod),
       pg_catalog.pg_get_expr(d.adbin, d.adrelid), a.atttypid::int8, a.atttypmod
FROM pg_catalog.pg_attribute a
LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE a.attrelid::int8 = ANY($1) AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attrelid, a.attnum";

const CONSTRAINTS: &str = "
SELECT c.conrelid::int8, c.contype::text,
       ARRAY(SELECT a.attname::text FROM unnest(c.conkey) WITH ORDINALITY k(number, place)
             JOIN pg_catalog.pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.number ORDER BY k.place),
       f.relname::text,
       ARRAY(SELECT a.attname::text FROM unnest(c.confkey) WITH ORDINALITY k(number, place)
             JOIN pg_catalog.pg_attribute a ON a.attrelid = c.confrelid AND a.attnum = k.number ORDER BY k.place),
       pg_catalog.pg_get_constraintdef(c.oid)
FROM pg_catalog.pg_constraint c LEFT JOIN pg_catalog.pg_class f ON f.oid = c.confrelid
WHERE c.conrelid::int8 = ANY($1) AND c.conparentid = 0
ORDER BY c.conrelid, c.oid";

const INDEXES: &str = "
SELECT i.indrelid::int8, c.relname::text, pg_catalog.pg_get_indexdef(i.indexrelid), i.indisunique, m.amname::text,
       ARRAY(SELECT b.attname::text FROM unnest(i.indkey) WITH ORDINALITY k(number, place)
             JOIN pg_catalog.pg_attribute b ON b.attrelid = i.indrelid AND b.attnum = k.number
             WHERE k.place <= i.indnkeyatts ORDER BY k.place),
       a.attname::text,
       ARRAY(SELECT DISTINCT b.attname::text FROM pg_catalog.pg_depend d
             JOIN pg_catalog.pg_attribute b ON b.attrelid = d.refobjid AND b.attnum = d.refobjsubid
             WHERE d.classid = 'pg_class'::regclass AND d.objid = i.indexrelid AND d.refobjid = i.indrelid
               AND d.refobjsubid > 0 ORDER BY 1),
       pg_catalog.pg_get_expr(i.indpred, i.indrelid)
FROM pg_catalog.pg_index i
JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
JOIN pg_catalog.pg_am m ON m.oid = c.relam
LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
WHERE i.indrelid::int8 = ANY($1) AND i.indisvalid
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint k WHERE k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x'))
ORDER BY i.indrelid, c.relname";

/// Of a partitioned table those of all partitions together.
const STATISTICS: &str = "
SELECT s.tablename::text, s.attname::text, s.null_frac::float8, s.n_distinct::float8, s.most_common_vals::text::text[],
       s.most_common_freqs::float8[], s.histogram_bounds::text::text[],
       s.correlation::float8
FROM pg_catalog.pg_stats s
WHERE s.schemaname = 'public'
ORDER BY s.tablename, s.attname, s.inherited";

/// What is there and not taken over.
const LEFT: &str = "
SELECT format('%s tables of schema %I are not read: only those of public are', count(*), n.nspname)
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND n.nspname NOT IN ('public', 'pg_catalog', 'information_schema')
  AND n.nspname NOT LIKE 'pg\\_%' GROUP BY n.nspname
UNION ALL
SELECT format('foreign table %I is not read', c.relname) FROM pg_catalog.pg_class c
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'f'
ORDER BY 1";

/// Table, name, rows, partition key, bounds of partitions.
type TableRow = (i64, String, Option<f64>, Option<String>, Vec<Option<String>>);
/// Table, name, NOT NULL, identity, generated, type's name, default, type, its modifier.
type ColumnRow = (i64, String, bool, String, String, String, Option<String>, i64, i32);
/// Table, kind, columns, other table, columns there, SQL.
type ConstraintRow = (i64, String, Vec<String>, Option<String>, Vec<String>, String);
/// Table, name, SQL, unique, method, key columns, whether it starts with a column, all columns, condition.
type IndexRow =
    (i64, String, String, bool, String, Vec<String>, Option<String>, Vec<String>, Option<String>);
/// Table, column, NULL, different values, common values and their shares, bounds, correlation.
type StatisticsRow = (String, String, f64, f64, Texts, Option<Vec<f64>>, Texts, Option<f64>);
type Texts = Option<Vec<Option<String>>>;

/// Everything that a draft needs to know.
pub(super) async fn read(connection: &mut PgConnection) -> Result<Schema> {
    let tables: Vec<TableRow> =
        answer("cannot list the tables", sqlx::query_as(TABLES).fetch_all(&mut *connection))
            .await?;
    let oids: Vec<i64> = tables.iter().map(|(oid, ..)| *oid).collect();
    let types = Types::read(connection).await?;
    let columns = sqlx::query_as(COLUMNS).bind(&oids).fetch_all(&mut *connection);
    let columns: Vec<ColumnRow> = answer("cannot list the columns", columns).await?;
    let constraints = sqlx::query_as(CONSTRAINTS).bind(&oids).fetch_all(&mut *connection);
    let constraints: Vec<ConstraintRow> =
        answer("cannot list the constraints", constraints).await?;
    let indexes = sqlx::query_as(INDEXES).bind(&oids).fetch_all(&mut *connection);
    let indexes: Vec<IndexRow> = answer("cannot list the indexes", indexes).await?;
    let statistics = sqlx::query_as(STATISTICS).fetch_all(&mut *connection);
    let statistics: Vec<StatisticsRow> = answer("cannot read the statistics", statistics).await?;
    let notes =
        answer("cannot list the rest", sqlx::query_scalar(LEFT).fetch_all(&mut *connection))
            .await?;
    let mut seen: BTreeMap<(String, String), Statistics> = BTreeMap::new();
    for row in statistics {
        // Those of all partitions come last, and replace those of the table alone.
        seen.insert((row.0.clone(), row.1.clone()), of_row(row));
    }
    let mut facts: BTreeMap<i64, TableFacts> = BTreeMap::new();
    for (oid, name, rows, key, bounds) in tables {
        let partition =
            key.map(|key| Partition { key, bounds: bounds.into_iter().flatten().collect() });
        facts.insert(
            oid,
            TableFacts { name, rows: counted(rows), partition, ..TableFacts::default() },
        );
    }
    for row in columns {
        let Some(table) = facts.get_mut(&row.0) else { continue };
        let statistics = seen.remove(&(table.name.clone(), row.1.clone()));
        table.columns.push(column(row, &types, statistics));
    }
    for row in constraints {
        if let Some(table) = facts.get_mut(&row.0) {
            constrain(table, row);
        }
    }
    for row in indexes {
        if let Some(table) = facts.get_mut(&row.0) {
            index(table, row);
        }
    }
    Ok(Schema { tables: oids.iter().filter_map(|oid| facts.remove(oid)).collect(), notes })
}

/// An estimate of rows; below zero nobody has counted.
fn counted(rows: Option<f64>) -> Option<u64> {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "at least zero, and the cast saturates"
    )]
    rows.filter(|rows| *rows >= 0.0).map(|rows| rows.round() as u64)
}

fn column(row: ColumnRow, types: &Types, statistics: Option<Statistics>) -> ColumnFacts {
    let (_, name, required, identity, generated, type_name, default_sql, oid, modifier) = row;
    let resolved = types.resolve(oid, modifier);
    let origin = if !generated.is_empty() {
        Origin::Generated
    } else if !identity.is_empty() {
        Origin::Sequence
    } else {
        match &default_sql {
            Some(sql) if sql.starts_with("nextval(") => Origin::Sequence,
            Some(_) => Origin::Default,
            None => Origin::Nowhere,
        }
    };
    ColumnFacts {
        name,
        kind: resolved.kind,
        type_name,
        nullable: !required && !resolved.required,
        origin,
        domain_checks: resolved.checks,
        statistics,
    }
}

fn constrain(table: &mut TableFacts, row: ConstraintRow) {
    let (_, kind, columns, other, others, sql) = row;
    match (kind.as_str(), other) {
        ("p", _) => {
            table.unique.insert(0, columns.clone());
            table.primary = columns;
        }
        ("u", _) => table.unique.push(columns),
        ("c", _) => table.checks.push(sql),
        ("f", Some(other)) => {
            table.references.push(Reference { columns, table: other, others });
        }
        // An exclusion is not read; the trial shows whether rows keep it.
        _ => {}
    }
}

fn index(table: &mut TableFacts, row: IndexRow) {
    let (_, name, sql, unique, method, keys, first, reads, condition) = row;
    if unique {
        // Of expressions alone: where their column differs in every row, so do they, in all likelihood.
        let set = if keys.is_empty() { reads.into_iter().take(1).collect() } else { keys };
        table.unique.push(set);
    }
    table.indexes.push(IndexFacts { name, sql, unique, method, first, condition });
}

fn of_row(row: StatisticsRow) -> Statistics {
    let (_, _, null_share, distinct, common, shares, bounds, correlation) = row;
    let values = |list: Texts| list.into_iter().flatten().flatten();
    Statistics {
        null_share,
        distinct,
        common: values(common).zip(shares.into_iter().flatten()).collect(),
        bounds: values(bounds).collect(),
        correlation,
    }
}
