//! Indexes: each statement makes exactly the index that it is named for, and each distinct set gets its own database.

use std::collections::BTreeMap;

use super::codes;
use super::notes::Notes;
use super::sql::{self, Kind, Scan};
use super::types::{IndexPlan, IndexSetPlan};
use crate::spec::{Document, Variant};

/// Notes what is wrong with `[indexes]`.
pub(super) fn check_all(notes: &mut Notes<'_>, file: &Document) {
    for (name, statement) in &file.indexes {
        if let Err((what, help)) = check(name, statement) {
            let path = ["indexes", name.as_str()];
            notes.error(codes::INDEX, &path, format!("index `{name}`: {what}"), help);
        }
    }
}

/// Whether a statement makes an index of this name, and nothing else.
///
/// # Errors
///
/// What is wrong and what to write.
fn check(name: &str, statement: &str) -> Result<(), (String, String)> {
    let scan = sql::scan(statement);
    if let Some(why) = sql::not_one_statement(statement, &scan) {
        return Err((format!("not one statement: {why}"), "write one CREATE INDEX".into()));
    }
    let shape = format!("write `CREATE INDEX {name} ON …`");
    let Some((made, after)) = name_of(statement, &scan)? else {
        return Err(("the statement is no CREATE INDEX".into(), shape));
    };
    if made != name {
        let what = format!("the statement makes an index `{made}`");
        return Err((what, format!("the key and the statement have the same name: {shape}")));
    }
    if !scan.tokens.get(after).is_some_and(|t| t.is(statement, "on")) {
        return Err(("the statement names no table".into(), shape));
    }
    if sql::placeholders(&scan).next().is_some() {
        return Err(("an index has no placeholders".into(), "write the value itself".into()));
    }
    Ok(())
}

/// The name in `CREATE [UNIQUE] INDEX name`, and the position of the piece after it.
fn name_of(statement: &str, scan: &Scan) -> Result<Option<(String, usize)>, (String, String)> {
    let word = |at: usize, keyword| scan.tokens.get(at).is_some_and(|t| t.is(statement, keyword));
    let at = if word(1, "unique") { 2 } else { 1 };
    if !(word(0, "create") && word(at, "index")) {
        return Ok(None);
    }
    let name = at + 1;
    for (keyword, why) in [
        ("concurrently", "nobody else uses the database: CONCURRENTLY only makes it slower"),
        ("if", "an index that is there already would not be built and not be measured"),
    ] {
        if word(name, keyword) {
            return Err((why.into(), "leave it out of the statement".into()));
        }
    }
    let token = scan.tokens.get(name).filter(|t| !t.is(statement, "on"));
    Ok(token.and_then(|t| sql::identifier(statement, t)).map(|made| (made, name + 1)))
}

/// The table that an index statement names, without its schema; for estimates only.
pub(super) fn table_of(statement: &str) -> Option<String> {
    let scan = sql::scan(statement);
    let on = scan.tokens.iter().position(|t| t.is(statement, "on"))?;
    let mut names = scan.tokens[on + 1..]
        .iter()
        .filter(|t| !t.is(statement, "only"))
        .take_while(|t| matches!(t.kind, Kind::Word | Kind::Quoted) || t.text(statement) == ".")
        .take_while(|t| !t.is(statement, "using"))
        .filter_map(|t| sql::identifier(statement, t));
    let first = names.next()?;
    Some(names.next().unwrap_or(first))
}

/// The databases: one for each distinct set of indexes in each version of Postgres, in the order in which variants first need them.
#[derive(Debug, Default)]
pub(super) struct Sets {
    /// In order of first use.
    pub(super) plans: Vec<IndexSetPlan>,
    by_names: BTreeMap<(Vec<String>, Option<u32>), usize>,
}

impl Sets {
    /// Position of the set that a variant needs; unknown and repeated names are noted.
    pub(super) fn of(
        &mut self,
        notes: &mut Notes<'_>,
        file: &Document,
        name: &str,
        (variant, major): (&Variant, Option<u32>),
    ) -> usize {
        let mut names: Vec<String> = Vec::new();
        // In somebody else's Postgres none is made: those that a variant names have to be there.
        let is_made = file.services.postgres.url_from.is_none();
        for (position, index) in variant.indexes.iter().enumerate() {
            let position = position.to_string();
            let path = ["variants", name, "indexes", &position];
            if is_made && !file.indexes.contains_key(index) {
                notes.unknown(&path, "index", index, file.indexes.keys().map(String::as_str));
            } else if names.contains(index) {
                let what = format!("variant `{name}` names index `{index}` twice");
                notes.error(codes::VARIANT, &path, what, "once is enough");
            } else {
                names.push(index.clone());
            }
        }
        // Built in the order of their names, so that equal sets are equal databases.
        names.sort();
        let names = (names, major);
        if let Some(position) = self.by_names.get(&names) {
            return *position;
        }
        let position = self.plans.len();
        let sql = |name: &String| file.indexes.get(name).cloned().unwrap_or_default();
        let index = |name: &String| IndexPlan { name: name.clone(), sql: sql(name) };
        let indexes = names.0.iter().map(index).collect();
        self.plans.push(IndexSetPlan { database: format!("ql_set_{position}"), indexes, major });
        self.by_names.insert(names, position);
        position
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_makes_the_index_that_it_is_named_for() {
        for fine in [
            "CREATE INDEX idx ON users (email)",
            "create unique index IDX on users (email) where status = 'a;b';",
            "CREATE INDEX \"idx\" ON public.users USING gin (tags)",
            "CREATE /* UNIQUE */ INDEX idx -- on\n ON users (lower(email))",
        ] {
            assert_eq!(check("idx", fine), Ok(()), "{fine}");
        }
        for wrong in [
            "CREATE INDEX other ON users (email)",
            "CREATE INDEX ON users (email)",
            "CREATE INDEX idx ON users (email); DROP TABLE users",
            "CREATE INDEX IF NOT EXISTS idx ON users (email)",
            "CREATE INDEX CONCURRENTLY idx ON users (email)",
            "CREATE TABLE idx (x int)",
            "CREATE INDEX idx",
            "CREATE INDEX idx ON users (email) WHERE id = $1",
            "CREATE INDEX \"IDX\" ON users (email)",
            "",
        ] {
            assert!(check("idx", wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_index_tells_its_table() {
        let table = |sql| table_of(sql);
        assert_eq!(table("CREATE INDEX i ON users (email)").as_deref(), Some("users"));
        assert_eq!(
            table("CREATE INDEX i ON ONLY public.users USING gin (x)").as_deref(),
            Some("users")
        );
        assert_eq!(table("CREATE INDEX i ON users USING gin (x)").as_deref(), Some("users"));
    }
}
