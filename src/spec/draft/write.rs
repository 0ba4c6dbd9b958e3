//! The starting experiment as text.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::endpoints::{self, Lookup};
use super::facts::Schema;
use super::keys::{self, Chosen, Table};
use super::text::{Names, list, number, quoted, remark};

/// Endpoints that one variant drives at most.
const MOST_LOOKUPS: usize = 24;
/// Secondary indexes that variants differ in at most; others stay as the migrations make them.
const MOST_INDEXES: usize = 200;
/// Rows of a table in the profile `smoke`.
pub(super) const SMOKE_ROWS: u64 = 1000;

/// What is wanted of the draft.
#[derive(Debug, Clone, Default)]
pub struct Wishes {
    /// The experiment's id: the stem of the file that it is for.
    pub id: String,
    /// Where the tables were found, for people.
    pub origin: String,
    /// Folder of migrations, relative to the file.
    pub migrations: String,
    /// Whether the migrations make the secondary indexes, which are then dropped after the load.
    pub migrations_make_indexes: bool,
    /// Rows of a table whose rows nobody has counted.
    pub rows: u64,
    /// Rows of the largest table at most; the others become fewer by the same factor.
    pub most_rows: u64,
    /// Tables that can't be filled, and why.
    pub leave_out: BTreeMap<String, String>,
}

/// A draft.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Drafted {
    /// The file.
    pub text: String,
    /// Tables that it fills.
    pub tables: Vec<String>,
    /// Tables that it doesn't, and why.
    pub left: Vec<(String, String)>,
}

/// A name as an experiment's id.
#[must_use]
pub fn id_of(name: &str) -> String {
    Names::default().make(&name.to_lowercase(), '-')
}

/// Writes a starting experiment.
///
/// # Errors
///
/// A sentence, if no table can be filled.
pub fn draft(schema: &Schema, wishes: &Wishes) -> Result<Drafted, String> {
    let chosen = keys::choose(schema, wishes);
    if chosen.tables.is_empty() {
        let first = chosen.left.first();
        let why = first.map_or_else(
            || "there are none".to_owned(),
            |(table, why)| format!("of `{table}`: {why}"),
        );
        return Err(format!("no table can be filled: {why}"));
    }
    let mut draft = Draft { wishes, schema, chosen: &chosen, text: String::new() };
    draft.head();
    draft.dataset();
    let (lookups, indexes) = draft.lookups();
    draft.indexes(&indexes);
    draft.api(&lookups);
    draft.variants(&lookups, &indexes);
    draft.profiles();
    let text = draft.text;
    let tables = chosen.tables.iter().map(|table| table.facts.name.clone()).collect();
    Ok(Drafted { text, tables, left: chosen.left })
}

/// A secondary index: its name in the file and its statement.
struct Index {
    name: String,
    sql: String,
    /// Whether the database has it already.
    exists: bool,
}

struct Draft<'a> {
    wishes: &'a Wishes,
    schema: &'a Schema,
    chosen: &'a Chosen<'a>,
    text: String,
}

impl Draft<'_> {
    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    fn pair(&mut self, key: &str, value: &str) {
        writeln!(self.text, "{key} = {value}").expect("a String takes all");
    }

    fn head(&mut self) {
        let origin = remark(&self.wishes.origin);
        self.line(&format!("# Written by `querylab init` from {origin}: a starting point."));
        self.line("# What is asked, of which rows and under which load is yours to say: docs/EXPERIMENT.md.");
        self.line("");
        self.line("[experiment]");
        self.pair("format", "1");
        self.pair("id", &quoted(&self.wishes.id));
        self.pair("title", &quoted("Lookups by keys and indexes"));
        self.pair(
            "question",
            &quoted("What do lookups cost, and what do secondary indexes bring to them?"),
        );
        self.pair("seed", "1");
        self.line("\n[services.postgres]");
        self.pair("version", &quoted(">=15"));
    }

    fn dataset(&mut self) {
        self.line("\n[dataset]");
        self.pair("migrations", &quoted(&self.wishes.migrations));
        for note in &self.schema.notes {
            self.line(&format!("# {}", remark(note)));
        }
        for (table, why) in &self.chosen.left {
            self.line(&format!("# Not filled: {}: {}.", remark(table), remark(why)));
        }
        let names =
            self.chosen.tables.iter().map(|table| super::text::identifier(&table.facts.name));
        let vacuum = format!("VACUUM (FREEZE, ANALYZE) {}", names.collect::<Vec<_>>().join(", "));
        let made: Vec<String> =
            self.existing().map(|name| super::text::identifier(&name)).collect();
        if self.wishes.migrations_make_indexes && !made.is_empty() {
            self.line("# Secondary indexes are built per variant, so those of the migrations go after the load.");
            let drop = format!("DROP INDEX {}", made.join(", "));
            self.pair("after_load", &list([drop.as_str(), vacuum.as_str()]));
        } else {
            self.pair("after_load", &list([vacuum.as_str()]));
        }
        for table in &self.chosen.tables {
            self.table(table);
        }
    }

    fn table(&mut self, table: &Table<'_>) {
        let name = &table.facts.name;
        self.line("");
        if let Some(counted) = table.facts.rows.filter(|rows| *rows != table.rows) {
            self.line(&format!("# The database has about {counted} rows."));
        }
        for remark_of in &table.remarks {
            self.line(&format!("# {}", remark(remark_of)));
        }
        self.line(&format!("[dataset.tables.{name}]"));
        self.pair("rows", &table.rows.to_string());
        self.line(&format!("[dataset.tables.{name}.columns]"));
        for (column, recipe, null_share) in &table.columns {
            let recipe = if *null_share > 0.0 {
                recipe.clone().with("null_ratio", number(*null_share))
            } else {
                recipe.clone()
            };
            self.pair(&column.name, &recipe.text());
        }
    }

    /// Names of secondary indexes of filled tables, as the database has them.
    fn existing(&self) -> impl Iterator<Item = String> {
        let indexes = self.chosen.tables.iter().flat_map(|table| &table.facts.indexes);
        let own = indexes.filter(|index| !index.unique && index.sql.contains(" ON "));
        own.map(|index| index.name.clone()).take(MOST_INDEXES)
    }

    /// What is asked for, and the indexes that may help: those that exist, or one that might.
    fn lookups(&self) -> (Vec<Lookup>, Vec<Index>) {
        let mut names = Names::default();
        let mut lookups = Vec::new();
        let mut indexes = Vec::new();
        for table in &self.chosen.tables {
            lookups.extend(endpoints::of(table, &mut names));
            for index in table.facts.indexes.iter().filter(|index| !index.unique) {
                let Some((_, rest)) = index.sql.split_once(" ON ") else { continue };
                if indexes.len() >= MOST_INDEXES {
                    break;
                }
                // Alone, the index of a partitioned table would be of no partition.
                let rest = rest.strip_prefix("ONLY ").unwrap_or(rest);
                let name = names.make(&index.name, '_');
                let sql = format!("CREATE INDEX {} ON {rest}", super::text::identifier(&name));
                indexes.push(Index { name, sql, exists: true });
            }
        }
        if indexes.is_empty() {
            indexes.extend(self.candidate(&mut lookups, &mut names));
        }
        if lookups.is_empty() {
            lookups.extend(self.chosen.tables.iter().map(|t| endpoints::any(t, &mut names)));
        }
        lookups.truncate(MOST_LOOKUPS);
        (lookups, indexes)
    }

    /// An index that nobody has made: on a column of the largest table that no key and no index begins with.
    fn candidate(&self, lookups: &mut Vec<Lookup>, names: &mut Names) -> Option<Index> {
        let mut tables: Vec<&Table<'_>> = self.chosen.tables.iter().collect();
        tables.sort_by_key(|table| std::cmp::Reverse(table.rows));
        for table in tables {
            let name = &table.facts.name;
            let is_led = |column: &str| {
                table.facts.unique.iter().any(|set| set.first().is_some_and(|c| c == column))
            };
            for (column, ..) in table.columns.iter().filter(|(c, ..)| !is_led(&c.name)) {
                let Some(lookup) = endpoints::lookup(table, &column.name, None, false, names)
                else {
                    continue;
                };
                // It is asked for even where the list of lookups is long.
                lookups.insert(0, lookup);
                let index = names.make(&format!("idx_{name}_{}", column.name), '_');
                let column = super::text::identifier(&column.name);
                let table = super::text::identifier(name);
                let sql = format!(
                    "CREATE INDEX {} ON {table} ({column})",
                    super::text::identifier(&index)
                );
                return Some(Index { name: index, sql, exists: false });
            }
        }
        None
    }

    fn indexes(&mut self, indexes: &[Index]) {
        if indexes.is_empty() {
            return;
        }
        self.line("\n[indexes]");
        for index in indexes {
            self.pair(&index.name, &quoted(&index.sql));
        }
    }

    fn api(&mut self, lookups: &[Lookup]) {
        for param in lookups.iter().filter_map(|lookup| lookup.param.as_ref()) {
            self.line(&format!("\n[params.{}]", param.name));
            self.pair("type", &quoted(param.r#type));
            self.pair("from", &quoted(&param.from));
        }
        for lookup in lookups {
            self.line(&format!("\n[endpoints.{}]", lookup.name));
            self.pair("route", &quoted(&format!("GET /{}", lookup.name)));
            self.pair("query", &quoted(&lookup.sql));
            if let Some(param) = &lookup.param {
                self.pair("bind", &list([param.name.as_str()]));
            }
            let rows = if lookup.is_one { ", rows = 1" } else { "" };
            self.pair("check", &format!("{{ status = 200{rows} }}"));
        }
    }

    fn variants(&mut self, lookups: &[Lookup], indexes: &[Index]) {
        for (load, users, warmup, duration) in [("one", 1, "1s", "5s"), ("crowd", 20, "1s", "5s")] {
            self.line(&format!("\n[load.{load}]"));
            self.pair("model", &quoted("closed"));
            self.pair("users", &number(f64::from(users)));
            self.pair("warmup", &format!("{{ min = {}, max = \"10s\" }}", quoted(warmup)));
            self.pair("duration", &quoted(duration));
        }
        let driven = match lookups {
            [one] => format!("endpoint = {}", quoted(&one.name)),
            several => {
                let parts: Vec<String> =
                    several.iter().map(|l| format!("{} = 1", l.name)).collect();
                format!("mix = {{ {} }}", parts.join(", "))
            }
        };
        let all = list(indexes.iter().map(|index| index.name.as_str()));
        let exist = indexes.iter().any(|index| index.exists);
        let (own, other, title) = if indexes.is_empty() {
            ("[]", "[]", "Without just-in-time compilation")
        } else if exist {
            (all.as_str(), "[]", "Without the secondary indexes")
        } else {
            ("[]", all.as_str(), "With one more index")
        };
        self.line("\n[variants.as-is]");
        self.pair("title", &quoted("As it is"));
        self.line(&driven);
        self.pair("indexes", own);
        self.line("\n[variants.other]");
        self.pair("title", &quoted(title));
        self.line(&driven);
        self.pair("indexes", other);
        if indexes.is_empty() {
            self.pair("services", "{ postgres = { settings = { jit = \"off\" } } }");
        }
        // What has to read whole tables may be too slow for the largest.
        self.pair("expect", "{ error_ratio = { max = 1.0 } }");
        self.line("\n[design]");
        self.pair("baseline", &quoted("as-is"));
        self.pair("loads", &list(["one", "crowd"]));
        self.pair("blocks", "6");
        self.pair("aa_check", &quoted("one"));
    }

    fn profiles(&mut self) {
        self.line("\n# The same, as small as it can be: does it run at all?");
        self.line("[profiles.smoke]");
        self.pair("design", "{ blocks = 2, loads = [\"one\"], aa_check = \"none\" }");
        let warmup = "warmup = { min = \"0s\", max = \"1s\" }";
        self.pair("load.one", &format!("{{ duration = \"1s\", {warmup} }}"));
        for table in &self.chosen.tables {
            let rows = table.rows.min(SMOKE_ROWS);
            self.pair(&format!("dataset.tables.{}.rows", table.facts.name), &rows.to_string());
        }
    }
}
