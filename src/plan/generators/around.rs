//! What is around a column, and a mistake in it.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;

use crate::plan::migrations::Migrations;
use crate::spec::Table;

/// Columns that need each other, one after the other: more are a maze.
const MOST_STEPS: usize = 8;
/// Columns that one column may need in all, each counted as often as it is named.
const MOST_NEEDED: usize = 64;

/// A mistake in a column: the keys that lead to it, what is wrong, what to write.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::plan) struct Mistake {
    /// From the column on.
    pub(in crate::plan) keys: Vec<String>,
    pub(in crate::plan) what: String,
    pub(in crate::plan) help: String,
}

impl Mistake {
    /// The same, found in a part of the column.
    pub(super) fn within(mut self, part: &[&str]) -> Self {
        self.keys.splice(0..0, part.iter().map(|key| (*key).to_owned()));
        self
    }

    /// The same, found in another column that this key names.
    pub(super) fn seen_from(self, key: &str, other: &str) -> Self {
        let what = format!("it needs `{other}`: {}", self.what);
        Self { keys: vec![key.to_owned()], what, help: self.help }
    }
}

pub(super) fn mistake<T>(
    key: &str,
    what: impl Into<String>,
    help: impl Into<String>,
) -> Result<T, Mistake> {
    Err(Mistake { keys: vec![key.to_owned()], what: what.into(), help: help.into() })
}

/// The tables of the file, and where in them a column stands.
pub(in crate::plan) struct Around<'a> {
    pub(super) tables: &'a BTreeMap<String, Table>,
    pub(super) migrations: Option<&'a Migrations>,
    pub(super) table: &'a str,
    pub(super) rows: u64,
    /// Columns that need this one, the first of them first.
    trail: Vec<(&'a str, &'a str)>,
    /// How many columns the first of them has needed so far: names of names of names multiply.
    needed: Rc<Cell<usize>>,
}

impl<'a> Around<'a> {
    /// What is around the columns of a table.
    pub(in crate::plan) fn new(
        tables: &'a BTreeMap<String, Table>,
        migrations: Option<&'a Migrations>,
        table: &'a str,
        rows: u64,
    ) -> Self {
        let needed = Rc::new(Cell::new(0));
        Self { tables, migrations, table, rows, trail: Vec::new(), needed }
    }

    /// What is around a column of `table` that the column `name` needs, as its key `key` says.
    pub(super) fn needed_by(
        &self,
        name: &'a str,
        key: &str,
        (table, column): (&'a str, &'a str),
    ) -> Result<Self, Mistake> {
        let mut trail = self.trail.clone();
        trail.push((self.table, name));
        if trail.contains(&(table, column)) {
            let what = format!("`{table}.{column}` would need itself");
            return mistake(key, what, "name a column that does not need this one");
        }
        let needed = if self.trail.is_empty() { 1 } else { self.needed.get() + 1 };
        self.needed.set(needed);
        if trail.len() > MOST_STEPS || needed > MOST_NEEDED {
            let what = format!(
                "it needs more than {MOST_STEPS} columns in a row, or {MOST_NEEDED} in all"
            );
            return mistake(key, what, "make some of them by themselves");
        }
        let rows = self.tables.get(table).map_or(0, |table| table.rows);
        let needed = Rc::clone(&self.needed);
        Ok(Self { tables: self.tables, migrations: self.migrations, table, rows, trail, needed })
    }
}
