//! Lookups: by each key and by the first column of each index, and the params that they ask with.

use super::facts::{ColumnFacts, Kind, TableFacts};
use super::keys::Table;
use super::recipe::Recipe;
use super::text::{Names, identifier};
use super::write::SMOKE_ROWS;

/// Most rows of an answer.
const MOST_ROWS: u32 = 100;
/// Types that the API writes as JSON, of those that have no generator of their own.
const WRITTEN: &str = "time timetz interval money cidr macaddr macaddr8 xml box circle path polygon \
                       lseg oid int4range int8range numrange daterange tsrange tstzrange";

/// A question to one table.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Lookup {
    /// The endpoint's name, and its path.
    pub(super) name: String,
    /// The statement.
    pub(super) sql: String,
    /// What it asks with; none where it asks for any rows.
    pub(super) param: Option<Param>,
    /// Whether there is exactly one row for each value.
    pub(super) is_one: bool,
}

/// What a lookup asks with.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Param {
    pub(super) name: String,
    pub(super) r#type: &'static str,
    /// `table.column`.
    pub(super) from: String,
}

/// The lookups of a table: by its keys first, then by its indexes.
pub(super) fn of(table: &Table<'_>, names: &mut Names) -> Vec<Lookup> {
    let facts = table.facts;
    let keys = facts.unique.iter().filter_map(|set| Some((set.first()?, None, set.len() == 1)));
    let indexes = facts.indexes.iter().filter_map(|index| {
        let is_equal = ["btree", "hash"].contains(&index.method.as_str());
        let first = index.first.as_ref().filter(|_| is_equal)?;
        Some((first, index.condition.as_deref(), false))
    });
    let mut seen: Vec<(&str, Option<&str>)> = Vec::new();
    let mut lookups = Vec::new();
    for (column, condition, is_one) in keys.chain(indexes) {
        if seen.contains(&(column, condition)) {
            continue;
        }
        seen.push((column, condition));
        lookups.extend(lookup(table, column, condition, is_one, names));
    }
    lookups
}

/// A lookup by one column; none where nothing can ask for its values.
pub(super) fn lookup(
    table: &Table<'_>,
    column: &str,
    condition: Option<&str>,
    is_one: bool,
    names: &mut Names,
) -> Option<Lookup> {
    let (facts, recipe, null_share) = table.columns.iter().find(|(c, ..)| c.name == column)?;
    // Even the smallest profile must have a value to ask for.
    if table.rows.min(SMOKE_ROWS) as f64 * (1.0 - null_share) < 1.0 {
        return None;
    }
    let (r#type, value) = asked(facts, recipe)?;
    let of_table = &table.facts.name;
    let condition = condition.map(|sql| format!(" AND ({sql})")).unwrap_or_default();
    let limit = if is_one { String::new() } else { format!(" LIMIT {MOST_ROWS}") };
    let sql =
        format!("{} WHERE {} = {value}{condition}{limit}", select(table.facts), identifier(column));
    let kind = if condition.is_empty() { "by" } else { "some-by" };
    let name = names.make(&format!("{of_table}-{kind}-{column}"), '-');
    let param = Param {
        name: names.make(&format!("{of_table}-{column}"), '-'),
        r#type,
        from: format!("{of_table}.{column}"),
    };
    Some(Lookup { name, sql, param: Some(param), is_one })
}

/// Some rows, whichever.
pub(super) fn any(table: &Table<'_>, names: &mut Names) -> Lookup {
    let name = names.make(&format!("{}-any", table.facts.name), '-');
    Lookup { name, sql: format!("{} LIMIT 10", select(table.facts)), param: None, is_one: false }
}

fn select(table: &TableFacts) -> String {
    let column = |c: &ColumnFacts| {
        let name = identifier(&c.name);
        if is_written(&c.kind) { name } else { format!("{name}::text AS {name}") }
    };
    let columns: Vec<String> = table.columns.iter().map(column).collect();
    format!("SELECT {} FROM {}", columns.join(", "), identifier(&table.name))
}

fn is_written(kind: &Kind) -> bool {
    match kind {
        Kind::Other(name) => WRITTEN.split(' ').any(|written| written == name),
        Kind::Array(of) => is_written(of),
        Kind::Unknown => false,
        _ => true,
    }
}

/// The param's type and how the statement takes it; none where the generator's values can't be asked for.
fn asked(column: &ColumnFacts, recipe: &Recipe) -> Option<(&'static str, String)> {
    let as_it_is = || "$1".to_owned();
    let is_listed = ["weighted", "choice", "constant"].contains(&recipe.generator());
    Some(match &column.kind {
        Kind::Bool => ("bool", as_it_is()),
        Kind::Integer(8) => ("bigint", as_it_is()),
        Kind::Integer(_) => ("integer", as_it_is()),
        Kind::Numeric(_) => ("numeric", as_it_is()),
        Kind::Float => ("float", as_it_is()),
        Kind::Uuid => ("uuid", as_it_is()),
        Kind::Date => ("date", as_it_is()),
        // A listed moment may have a zone, which the API would not take.
        Kind::Timestamp(_) if is_listed => return None,
        Kind::Timestamp(false) => ("timestamp", as_it_is()),
        Kind::Timestamp(true) => ("timestamp", "($1 AT TIME ZONE 'UTC')".to_owned()),
        Kind::Text(_) if recipe.generator() == "sentences" => return None,
        Kind::Text(_) if column.type_name.starts_with("character(") => {
            ("text", "$1::bpchar".to_owned())
        }
        Kind::Text(_) if column.type_name == "citext" => ("text", "$1::citext".to_owned()),
        Kind::Text(_) => ("text", as_it_is()),
        Kind::Inet => ("text", "$1::inet".to_owned()),
        Kind::Enum(_) => ("text", format!("$1::{}", column.type_name)),
        _ => return None,
    })
}
