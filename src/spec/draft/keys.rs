//! The tables that are filled, in the order of their foreign keys, each with its rows and a generator per column.

use std::collections::BTreeMap;

use super::checks::rules;
use super::facts::{ColumnFacts, Origin, Reference, Schema, TableFacts};
use super::kinds::{self, Asked};
use super::recipe::{Bounds, Recipe};
use super::text::quoted;
use super::write::Wishes;
use super::{partitions, stats};
use crate::spec::patterns;

/// Tables that a file can hold, with all that belongs to them.
const MOST_TABLES: usize = 200;

/// A table that is filled.
#[derive(Debug, Clone)]
pub(super) struct Table<'a> {
    pub(super) facts: &'a TableFacts,
    pub(super) rows: u64,
    /// Column and generator, in the table's order, with the share of NULL.
    pub(super) columns: Vec<(&'a ColumnFacts, Recipe, f64)>,
    /// What a reader should know of it.
    pub(super) remarks: Vec<String>,
}

/// Tables that are filled, and those that are not, with the reason.
#[derive(Debug, Clone, Default)]
pub(super) struct Chosen<'a> {
    pub(super) tables: Vec<Table<'a>>,
    pub(super) left: Vec<(String, String)>,
}

/// Where the values of a column come from at last, by table and column.
type Roots = BTreeMap<(String, String), (String, String)>;

/// Decides about every table.
pub(super) fn choose<'a>(schema: &'a Schema, wishes: &Wishes) -> Chosen<'a> {
    let mut chosen = Chosen::default();
    let mut open: Vec<&TableFacts> = Vec::new();
    for table in &schema.tables {
        let names = std::iter::once(&table.name).chain(table.columns.iter().map(|c| &c.name));
        let odd = names.clone().find(|name| !patterns::identifier(name));
        let why = if let Some(why) = wishes.leave_out.get(&table.name) {
            Some(why.clone())
        } else if let Some(odd) = odd {
            Some(format!("the file has no words for the name `{odd}`"))
        } else {
            (table.rows == Some(0)).then(|| "it is empty".to_owned())
        };
        match why {
            Some(why) => chosen.left.push((table.name.clone(), why)),
            None => open.push(table),
        }
    }
    let most = schema.tables.iter().filter_map(|table| table.rows).max().unwrap_or(0);
    let mut roots = Roots::new();
    while !open.is_empty() {
        let waits = |table: &TableFacts| {
            let mut others = table.references.iter().filter(|r| r.table != table.name);
            others.any(|r| open.iter().any(|other| other.name == r.table))
        };
        let Some(next) = open.iter().position(|table| !waits(table)) else {
            // The first of a circle, or of what refers to one: the others may do without it.
            let table = open.remove(0);
            let why = "it is one of several tables that refer to each other in a circle";
            chosen.left.push((table.name.clone(), why.into()));
            continue;
        };
        let facts = open.remove(next);
        if chosen.tables.len() >= MOST_TABLES {
            let why = format!("a file has room for {MOST_TABLES} tables");
            chosen.left.push((facts.name.clone(), why));
            continue;
        }
        let rows = scaled(facts.rows.unwrap_or(wishes.rows), most, wishes.most_rows);
        let table = Filling { schema, chosen: &chosen, roots: &roots, facts, rows };
        match table.fill() {
            Ok((table, own)) => {
                roots.extend(own);
                chosen.tables.push(table);
            }
            Err(why) => chosen.left.push((facts.name.clone(), why)),
        }
    }
    chosen
}

/// All tables by the same factor, where the largest is too large.
fn scaled(rows: u64, largest: u64, most: u64) -> u64 {
    if largest <= most {
        return rows.min(most);
    }
    let part = u128::from(rows) * u128::from(most) / u128::from(largest);
    u64::try_from(part).unwrap_or(most).clamp(1, most)
}

struct Filling<'a, 'c> {
    schema: &'a Schema,
    chosen: &'c Chosen<'a>,
    roots: &'c Roots,
    facts: &'a TableFacts,
    rows: u64,
}

impl<'a> Filling<'a, '_> {
    /// The table's columns, or why it has none.
    fn fill(mut self) -> Result<(Table<'a>, Roots), String> {
        let mut remarks = Vec::new();
        let bounds = self.bounds(&mut remarks);
        let (mut made, own) = self.carriers(&bounds)?;
        for reference in &self.facts.references {
            self.refer(reference, &own, &mut made)?;
        }
        let mut late: Vec<&ColumnFacts> = Vec::new();
        for column in &self.facts.columns {
            let is_there = made.contains_key(column.name.as_str());
            let is_late = bounds[&column.name].after.is_some();
            if is_there || matches!(column.origin, Origin::Generated | Origin::Sequence) {
                continue;
            }
            if self.is_referring(&column.name) {
                continue;
            }
            if is_late {
                late.push(column);
            } else {
                self.make(column, &bounds[&column.name], &mut made, &mut remarks)?;
            }
        }
        for column in late {
            let mut bounds = bounds[&column.name].clone();
            let counts =
                ["sequence", "integer", "permutation", "numeric", "timestamp", "date", "offset"];
            let other = bounds.after.as_ref().and_then(|(other, _)| made.get(other.as_str()));
            if !other.is_some_and(|recipe| counts.contains(&recipe.generator())) {
                bounds.after = None;
            }
            self.make(column, &bounds, &mut made, &mut remarks)?;
        }
        let columns = self.facts.columns.iter().filter_map(|column| {
            let recipe = made.get(column.name.as_str())?.clone();
            Some((column, recipe, self.null_share(column, &bounds)))
        });
        let columns: Vec<_> = columns.collect();
        if columns.is_empty() {
            return Err("all of its columns have their values from elsewhere".into());
        }
        Ok((Table { facts: self.facts, rows: self.rows, columns, remarks }, own))
    }

    fn bounds(&self, remarks: &mut Vec<String>) -> BTreeMap<String, Bounds> {
        let of_table: Vec<_> = self.facts.checks.iter().flat_map(|check| rules(check)).collect();
        for rule in &of_table {
            if let super::checks::Rule::Unread(check) = rule {
                remarks.push(format!("not read: {check}"));
            }
        }
        let of = |column: &ColumnFacts| {
            let mut all = Bounds::of(&column.name, &of_table);
            for check in &column.domain_checks {
                let own = rules(check);
                let domain = Bounds::of("VALUE", &own);
                all.least = all.least.or(domain.least);
                all.most = all.most.or(domain.most);
                all.one_of = all.one_of.or(domain.one_of);
                all.shortest = all.shortest.max(domain.shortest);
                all.longest = domain.longest.or(all.longest);
            }
            let partition = self.facts.partition.as_ref();
            partitions::narrow(&column.name, &column.kind, partition, &mut all);
            (column.name.clone(), all)
        };
        self.facts.columns.iter().map(of).collect()
    }

    /// Sets of columns of which one at least has to differ in every row.
    fn carriers(
        &mut self,
        bounds: &BTreeMap<String, Bounds>,
    ) -> Result<(BTreeMap<&'a str, Recipe>, Roots), String> {
        let mut made: BTreeMap<&'a str, Recipe> = BTreeMap::new();
        let mut own = Roots::new();
        let facts = self.facts;
        let mut sets: Vec<&'a [String]> = facts.unique.iter().map(Vec::as_slice).collect();
        // The shorter ones leave less to choose.
        sets.sort_by_key(|set| set.len());
        for set in sets {
            let is_whole = self.is_referred_to(set);
            if !is_whole && set.iter().any(|column| made.contains_key(column.as_str())) {
                continue;
            }
            let mut why = String::new();
            let mut done = false;
            for name in set {
                if self.is_referring(name) {
                    continue;
                }
                let Some(column) = facts.columns.iter().find(|c| c.name == **name) else {
                    continue;
                };
                if done && !is_whole || made.contains_key(column.name.as_str()) {
                    continue;
                }
                match self.shrunk(column, &bounds[&column.name]) {
                    Ok((recipe, rows)) => {
                        self.rows = rows;
                        let place = (facts.name.clone(), column.name.clone());
                        own.insert(place.clone(), place);
                        made.insert(&column.name, recipe);
                        done = true;
                    }
                    Err(reason) => why = reason,
                }
            }
            done = done || self.one_to_one(set, &mut made, &mut own);
            if !done {
                return Err(format!("({}) is unique: {why}", set.join(", ")));
            }
        }
        Ok((made, own))
    }

    /// Values that differ in every row, of fewer rows where there are fewer values.
    fn shrunk(&self, column: &ColumnFacts, bounds: &Bounds) -> Result<(Recipe, u64), String> {
        let mut rows = self.rows;
        loop {
            match kinds::unique(Asked { column, bounds, rows }) {
                Ok(recipe) => return Ok((recipe, rows)),
                Err(why) if rows <= 1 => return Err(why),
                Err(_) => rows /= 10,
            }
        }
    }

    /// A foreign key in the set that takes the rows of the other table one after the other.
    fn one_to_one(
        &mut self,
        set: &[String],
        made: &mut BTreeMap<&'a str, Recipe>,
        own: &mut Roots,
    ) -> bool {
        let single = |r: &&Reference| r.columns.len() == 1 && set.contains(&r.columns[0]);
        for reference in self.facts.references.iter().filter(single) {
            let Some(parent) = self.chosen.tables.iter().find(|t| t.facts.name == reference.table)
            else {
                continue;
            };
            let Some(root) =
                self.roots.get(&(reference.table.clone(), reference.others[0].clone()))
            else {
                continue;
            };
            let column = &reference.columns[0];
            if set.len() == 1 && self.is_referred_to(set) {
                // Whoever refers to it may then refer to the other table as well.
                self.rows = parent.rows;
                own.insert((self.facts.name.clone(), column.clone()), root.clone());
            }
            self.rows = self.rows.min(parent.rows);
            let recipe = foreign_key(root).with("per_parent", quoted("equal"));
            made.insert(column, recipe);
            return true;
        }
        false
    }

    /// The columns of a foreign key.
    fn refer(
        &self,
        reference: &'a Reference,
        own: &Roots,
        made: &mut BTreeMap<&'a str, Recipe>,
    ) -> Result<(), String> {
        if reference.columns.iter().all(|column| made.contains_key(column.as_str())) {
            return Ok(());
        }
        let column = |name: &String| self.facts.columns.iter().find(|c| c.name == *name);
        let nullable = reference.columns.iter().filter_map(column).any(|c| c.nullable);
        let root = |other: &String| {
            let place = (reference.table.clone(), other.clone());
            self.roots.get(&place).or_else(|| own.get(&place)).cloned()
        };
        let roots: Option<Vec<_>> = reference.others.iter().map(root).collect();
        let Some(roots) = roots else {
            // One NULL, and nothing is referred to.
            return if nullable {
                Ok(())
            } else {
                Err(format!("it refers to `{}`, which has no such rows", reference.table))
            };
        };
        let is_single = reference.columns.len() == 1;
        for (name, root) in reference.columns.iter().zip(&roots) {
            let seen = column(name).and_then(|c| c.statistics.as_ref());
            let recipe = foreign_key(root);
            let recipe = match seen {
                // Columns of one key take the same row of the other table.
                _ if !is_single => recipe.with("per_parent", quoted("equal")),
                Some(seen) if stats::is_ordered(seen) && reference.table != self.facts.name => {
                    recipe.with("per_parent", quoted("uniform"))
                }
                Some(seen) if stats::is_skewed(seen, self.rows) => {
                    recipe.with("distribution", quoted("zipfian"))
                }
                _ => recipe,
            };
            made.insert(name, recipe);
        }
        Ok(())
    }

    fn make(
        &self,
        column: &'a ColumnFacts,
        bounds: &Bounds,
        made: &mut BTreeMap<&'a str, Recipe>,
        remarks: &mut Vec<String>,
    ) -> Result<(), String> {
        match kinds::any(Asked { column, bounds, rows: self.rows }) {
            Ok(recipe) => {
                made.insert(&column.name, recipe);
            }
            Err(why) if column.nullable || column.origin == Origin::Default => {
                let instead = if column.nullable { "NULL" } else { "its default" };
                remarks.push(format!("`{}` is {instead}: {why}", column.name));
            }
            Err(why) => return Err(format!("`{}`: {why}", column.name)),
        }
        Ok(())
    }

    /// The share of NULL that a column gets.
    fn null_share(&self, column: &ColumnFacts, bounds: &BTreeMap<String, Bounds>) -> f64 {
        let is_key = self.facts.unique.iter().any(|set| set.contains(&column.name));
        let is_needed = self.facts.columns.iter().any(|other| {
            let after = bounds[&other.name].after.as_ref();
            !other.nullable && after.is_some_and(|(name, _)| *name == column.name)
        });
        if !column.nullable || is_key || is_needed {
            return 0.0;
        }
        let is_own = |r: &Reference| r.table == self.facts.name && r.columns.contains(&column.name);
        let usual = if self.facts.references.iter().any(is_own) { 0.1 } else { 0.0 };
        column.statistics.as_ref().map_or(usual, |seen| stats::rounded(seen.null_share, 4))
    }

    fn is_referring(&self, column: &str) -> bool {
        self.facts.references.iter().any(|r| r.columns.iter().any(|name| name == column))
    }

    /// Whether a table of the schema refers to just these columns.
    fn is_referred_to(&self, set: &[String]) -> bool {
        let mut all = self.schema.tables.iter().flat_map(|table| &table.references);
        all.any(|r| {
            r.table == self.facts.name
                && r.others.len() == set.len()
                && r.others.iter().all(|other| set.contains(other))
        })
    }
}

fn foreign_key((table, column): &(String, String)) -> Recipe {
    Recipe::of("foreign-key").with("references", quoted(&format!("{table}.{column}")))
}
