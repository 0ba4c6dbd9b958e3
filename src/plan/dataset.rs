//! Migrations, tables and the statements after the load: what every database of a run starts from.

use std::collections::BTreeMap;

use super::generators::{Around, Mistake, generator};
use super::migrations::{self, Migrations};
use super::notes::Notes;
use super::sql::{self, Kind};
use super::types::{DatasetPlan, SourcePlan};
use super::{codes, repeats, seeds, sources};
use crate::rows::{ColumnSpec, RowOrder, Rows, TableSpec};
use crate::spec::{RowsLie, Spec, Table};

/// Rows of all tables together.
const MOST_ROWS: u64 = 1_000_000_000;

/// What every database starts from, and what is known of its schema.
pub(super) fn resolve(notes: &mut Notes<'_>, spec: &Spec) -> (DatasetPlan, Option<Migrations>) {
    let file = &spec.document.dataset;
    // Somebody else's tables are as they are: which there are is not known here.
    let is_made = spec.document.services.postgres.url_from.is_none();
    let migrations = if is_made { migrations::read(notes, spec) } else { None };
    let mut tables: Vec<TableSpec> = Vec::new();
    let mut elsewhere: Vec<SourcePlan> = Vec::new();
    for (name, asked) in &file.tables {
        check_name(notes, migrations.as_ref(), "table", name, &["dataset", "tables", name]);
        if let Some(from) = &asked.from {
            elsewhere.extend(sources::source(notes, migrations.as_ref(), name, from));
            continue;
        }
        tables.push(table(notes, migrations.as_ref(), &file.tables, name));
    }
    let total = tables.iter().try_fold(0_u64, |sum, t| sum.checked_add(t.rows));
    if total.is_none_or(|rows| rows > MOST_ROWS) {
        let what = "the tables have more than 1,000,000,000 rows together";
        notes.error(codes::TOO_MUCH, &["dataset", "tables"], what, "take fewer rows");
    }
    if let Some(known) = &migrations {
        tables.sort_by_key(|t| (known.position(&t.name), t.name.clone()));
        elsewhere.sort_by_key(|s| (known.position(&s.table), s.table.clone()));
    }
    for statement in &file.after_load {
        check_after_load(notes, statement);
    }
    let data_seed = seeds::derive(spec.document.experiment.seed, "data");
    if !notes.any_error_of(codes::GENERATOR) {
        check_rows(notes, migrations.as_ref(), data_seed, &tables);
    }
    let plan = DatasetPlan {
        migrations: file.migrations.clone(),
        migration_digests: migrations.as_ref().map_or_else(Vec::new, |m| m.digests.clone()),
        data_seed,
        tables,
        sources: elsewhere,
        after_load: file.after_load.clone(),
    };
    (plan, migrations)
}

/// A name that Postgres takes without quotes, and that the migrations mention.
pub(super) fn check_name(
    notes: &mut Notes<'_>,
    migrations: Option<&Migrations>,
    kind: &str,
    name: &str,
    path: &[&str],
) {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    let starts = name.bytes().next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_');
    if !starts || !name.bytes().all(plain) || name.len() > 63 {
        let what = format!("`{name}` can't be the name of a {kind}");
        let help = "a name has letters, digits and `_`, starts with no digit, and has at most 63 \
                    bytes";
        notes.wrong_key(codes::UNKNOWN_NAME, path, what, help);
    } else if let Some(known) = migrations.filter(|m| !m.mention(name)) {
        let what = format!("no migration mentions a {kind} `{name}`");
        let help = crate::spec::did_you_mean(name, known.words())
            .map_or_else(|| "add it to a migration".into(), |c| format!("did you mean `{c}`?"));
        notes.wrong_key(codes::UNKNOWN_NAME, path, what, help);
    }
}

fn table(
    notes: &mut Notes<'_>,
    migrations: Option<&Migrations>,
    tables: &BTreeMap<String, Table>,
    name: &str,
) -> TableSpec {
    let asked = &tables[name];
    let around = Around::new(tables, migrations, name, asked.rows);
    let mut columns = Vec::new();
    for (column, how) in &asked.columns {
        let path = ["dataset", "tables", name, "columns", column];
        check_name(notes, migrations, "column", column, &path);
        match generator(&around, column, how) {
            Ok(generator) => columns.push(ColumnSpec {
                name: column.clone(),
                generator,
                null_ratio: how.null_ratio.unwrap_or(0.0),
            }),
            Err(Mistake { keys, what, help }) => {
                let mut path = path.to_vec();
                path.extend(keys.iter().map(String::as_str));
                let what = format!("column `{name}.{column}`: {what}");
                notes.error(codes::GENERATOR, &path, what, help);
            }
        }
    }
    if asked.columns.is_empty() && asked.rows > 0 {
        let path = ["dataset", "tables", name];
        let what = format!("table `{name}` has rows but no columns");
        notes.error(codes::GENERATOR, &path, what, "name at least one column with its generator");
    }
    let order = match asked.order {
        None | Some(RowsLie::Clustered) => RowOrder::Clustered,
        Some(RowsLie::Shuffled) => RowOrder::Shuffled,
    };
    TableSpec { name: name.to_owned(), rows: asked.rows, columns, order }
}

/// Whether rows can be made at all, and keep to what the migrations say of them.
fn check_rows(
    notes: &mut Notes<'_>,
    migrations: Option<&Migrations>,
    seed: u64,
    tables: &[TableSpec],
) {
    for table in tables {
        if let Err(what) = Rows::new(seed, table.clone()) {
            let path = ["dataset", "tables", &table.name];
            notes.error(codes::GENERATOR, &path, what, "see the generators in docs/EXPERIMENT.md");
        } else if let Some(known) = migrations {
            repeats::check(notes, seed, table, known.constraints_of(&table.name));
        }
    }
}

/// Statements that would end the transaction, change the session or read a file.
const NOT_AFTER_LOAD: [&str; 16] = [
    "begin",
    "start",
    "commit",
    "end",
    "rollback",
    "abort",
    "savepoint",
    "release",
    "prepare",
    "execute",
    "deallocate",
    "set",
    "reset",
    "copy",
    "discard",
    "listen",
];

fn check_after_load(notes: &mut Notes<'_>, statement: &str) {
    let path = ["dataset", "after_load"];
    let shown = super::short(statement);
    let scan = sql::scan(statement);
    if let Some(why) = sql::not_one_statement(statement, &scan) {
        let what = format!("`{shown}` is not one statement: {why}");
        return notes.error(codes::STATEMENT, &path, what, "write each statement as its own text");
    }
    let first = scan.tokens.first().filter(|t| t.kind == Kind::Word);
    let word = first.map(|t| t.text(statement).to_ascii_lowercase()).unwrap_or_default();
    if NOT_AFTER_LOAD.contains(&word.as_str()) || sql::placeholders(&scan).next().is_some() {
        let what = format!("`{shown}` can't run after the load");
        let help = "statements like VACUUM, ANALYZE, CLUSTER or UPDATE can; each is on its own, \
                    without placeholders";
        notes.error(codes::STATEMENT, &path, what, help);
    }
}

/// What is known of the schema without a database.
pub(super) struct Known<'k> {
    pub(super) dataset: &'k DatasetPlan,
    pub(super) migrations: Option<&'k Migrations>,
}

impl<'k> Known<'k> {
    /// Whether a table of this name may exist.
    pub(super) fn may_be_table(&self, name: &str) -> bool {
        self.migrations.is_none_or(|m| m.mention(name))
    }

    /// Whether an index of this name may exist that `[indexes]` does not make: named in a migration, or by Postgres
    /// itself after its table and columns.
    pub(super) fn may_be_index(&self, name: &str) -> bool {
        let stem = name.trim_end_matches(|c: char| c.is_ascii_digit());
        let by_postgres = ["_pkey", "_key", "_excl", "_idx"].iter().any(|end| stem.ends_with(end));
        by_postgres || self.may_be_table(name)
    }

    /// Tables with rows.
    pub(super) fn tables(&self) -> impl Iterator<Item = &'k str> + Clone {
        let elsewhere = self.dataset.sources.iter().map(|s| s.table.as_str());
        self.dataset.tables.iter().map(|t| t.name.as_str()).chain(elsewhere)
    }
}
