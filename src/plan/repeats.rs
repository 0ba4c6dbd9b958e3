//! Generators held against the rules of the migrations: what would fail at the load, said before it.
//!
//! Rows are a pure function, so the first of them are made and looked at; what is refused here would certainly be refused
//! by Postgres, or nearly so where the numbers are too few for so many draws. What passes may still repeat further on: then
//! the load says where.

use std::collections::BTreeMap;

use super::codes;
use super::constraints::{Constraint, Rule};
use super::notes::Notes;
use crate::rows::{ColumnSpec, Generator, Rows, TableSpec};
use crate::units;

/// Rows that are looked at: enough for lists of names and of words, and done in a moment.
const LOOKED_AT: u64 = 20_000;
/// Pairs of equal draws that are expected where nobody could hope for none: the odds are below e^-50.
const HOPELESS: f64 = 50.0;

/// Notes where the generators of a table can't keep to a rule.
pub(super) fn check<'c>(
    notes: &mut Notes<'_>,
    seed: u64,
    table: &TableSpec,
    rules: impl Iterator<Item = &'c Constraint>,
) {
    for constraint in rules.filter(|_| table.rows > 0) {
        let stated_at = &constraint.stated_at;
        match &constraint.rule {
            Rule::NotNull(name) => {
                let column = table.columns.iter().find(|c| c.name == *name);
                if column.is_some_and(|c| c.null_share() > 0.0) {
                    let what = format!(
                        "column `{}.{name}` is NOT NULL ({stated_at}), and some rows would be NULL",
                        table.name
                    );
                    refuse(notes, &table.name, name, what, "take `null_ratio` away");
                }
            }
            Rule::Unique(names) => {
                if let Some((name, why)) = repeats(seed, table, names) {
                    let what = format!(
                        "{} of `{}` must be unique ({stated_at}), and {why}",
                        listed(names),
                        table.name
                    );
                    let help = "take a generator that never repeats: `sequence`, `permutation`, \
                                `uuid`, `email`, a `template` with `{row}`";
                    refuse(notes, &table.name, name, what, help);
                }
            }
        }
    }
}

fn refuse(notes: &mut Notes<'_>, table: &str, column: &str, what: String, help: &str) {
    let path = ["dataset", "tables", table, "columns", column, "generator"];
    notes.error(codes::GENERATOR, &path, what, help);
}

fn listed(names: &[String]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(" with ")
}

/// The column to change and how its values repeat; none where nothing is known of it.
fn repeats<'c>(seed: u64, table: &TableSpec, names: &'c [String]) -> Option<(&'c str, String)> {
    let columns: Option<Vec<&ColumnSpec>> =
        names.iter().map(|name| table.columns.iter().find(|c| c.name == *name)).collect();
    // A column that the file does not name has what the schema gives it.
    let columns = columns?;
    if columns.iter().any(|column| column.generator.is_unique()) {
        return None;
    }
    let first = names.first()?;
    if let [column] = columns[..]
        && let Some(numbers) = too_few(table.rows, column)
    {
        let rows = units::count(table.rows);
        return Some((first, format!("{rows} rows draw from only {numbers} numbers")));
    }
    let columns: Vec<ColumnSpec> = columns.into_iter().cloned().collect();
    let count = columns.len();
    let rows = Rows::new(seed, TableSpec { columns, ..table.clone() }).ok()?;
    let mut rows_with = BTreeMap::new();
    for row in 1..=table.rows.min(LOOKED_AT) {
        // NULL is not the same as NULL.
        let Some(values) =
            (0..count).map(|at| rows.value(at, row).text()).collect::<Option<Vec<_>>>()
        else {
            continue;
        };
        let shown = values.join(", ");
        if let Some(earlier) = rows_with.insert(values, row) {
            let shown: String = shown.chars().take(60).collect();
            return Some((first, format!("rows {earlier} and {row} both have `{shown}`")));
        }
    }
    None
}

/// How many numbers there are, where so many draws can't all be different.
fn too_few(rows: u64, column: &ColumnSpec) -> Option<String> {
    let (Generator::Integer { min, max } | Generator::Numeric { min, max, .. }) = column.generator
    else {
        return None;
    };
    let numbers = max.abs_diff(min) as f64 + 1.0;
    let drawn = rows as f64 * (1.0 - column.null_ratio);
    (drawn * drawn / (2.0 * numbers) > HOPELESS).then(|| format!("{numbers}"))
}
