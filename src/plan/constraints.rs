//! What migrations say of single columns and keys: which values may be there once only, and which may not be NULL.
//!
//! Postgres decides; but that a generator repeats where each value must be unique is known before an hour of loading. Only
//! what is certain is taken: a table that is changed in any other way than by adding to it is left to Postgres, and so is
//! everything where triggers may change what is inserted.

use std::collections::BTreeSet;

use super::sql::{self, Kind, Token};

/// A rule of a table, and where it is stated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Constraint {
    pub(super) table: String,
    pub(super) rule: Rule,
    /// `0001_users.sql:7`.
    pub(super) stated_at: String,
}

/// What the rows of a table must keep to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Rule {
    /// No two rows have the same values in these columns.
    Unique(Vec<String>),
    /// The column is not NULL.
    NotNull(String),
}

/// What was learnt from all files so far.
#[derive(Debug, Default)]
pub(super) struct Constraints {
    all: Vec<Constraint>,
    tables: BTreeSet<String>,
    /// Tables that later statements change in ways that are not followed.
    unsure: BTreeSet<String>,
    /// Nothing is certain: triggers, or code that is not looked into.
    blind: bool,
}

impl Constraints {
    /// Those of a table that certainly hold.
    pub(super) fn of(&self, table: &str) -> impl Iterator<Item = &Constraint> {
        let known = !self.blind && !self.unsure.contains(table);
        self.all.iter().filter(move |c| known && c.table == table)
    }

    /// Learns from one file.
    pub(super) fn learn(&mut self, file: &str, text: &str) {
        let scan = sql::scan(text);
        // A function's body may do anything to a table.
        self.blind |= scan.tokens.iter().any(|t| {
            t.kind == Kind::Text && t.text(text).starts_with('$') && {
                let body = t.text(text).to_ascii_lowercase();
                ["alter", "drop", "execute"].iter().any(|word| body.contains(word))
            }
        });
        for statement in scan.tokens.split(|t| t.kind == Kind::Semicolon) {
            let mut words = Words { text, tokens: statement, file };
            self.statement(&mut words);
        }
    }

    fn statement(&mut self, words: &mut Words<'_>) {
        if words.take(&["create"]) {
            let is_trigger = |t: &Token| ["trigger", "rule"].iter().any(|w| t.is(words.text, w));
            self.blind |= words.tokens.iter().take(4).any(is_trigger);
            let is_unique = words.take(&["unique"]);
            if is_unique && words.take(&["index"]) {
                self.unique_index(words);
            } else if let Some(at) =
                words.tokens.iter().take(4).position(|t| t.is(words.text, "table"))
            {
                words.tokens = &words.tokens[at + 1..];
                self.create_table(words);
            }
        } else if words.take(&["alter", "table"]) {
            self.alter_table(words);
        } else if words.take(&["drop"]) {
            // Whatever it is, it is not there any more.
            self.unsure.extend(words.tokens.iter().filter_map(|t| sql::identifier(words.text, t)));
            self.blind |= words.tokens.first().is_some_and(|t| !t.is(words.text, "table"));
        }
    }

    fn create_table(&mut self, words: &mut Words<'_>) {
        let Some(table) = words.name() else { return };
        if !self.tables.insert(table.clone()) {
            // Of two schemas, or made twice.
            self.unsure.insert(table.clone());
        }
        let Some(inside) = words.parenthesis() else { return };
        for item in split(words.text, inside) {
            self.item(&table, &mut Words { tokens: item, ..*words });
        }
    }

    /// A column of a table, or a constraint of it.
    fn item(&mut self, table: &str, words: &mut Words<'_>) {
        let stated_at = words.place();
        let mut found = |rule| {
            let (table, stated_at) = (table.to_owned(), stated_at.clone());
            self.all.push(Constraint { table, rule, stated_at });
        };
        if words.take(&["constraint"]) {
            words.tokens = words.tokens.get(1..).unwrap_or_default();
        }
        let is_primary = words.take(&["primary", "key"]);
        if is_primary || words.take(&["unique"]) {
            // UNIQUE NULLS NOT DISTINCT is unique all the more.
            while ["nulls", "not", "distinct"].into_iter().any(|word| words.take(&[word])) {}
            if let Some(columns) = words.parenthesis().and_then(|inside| names(words.text, inside))
            {
                if is_primary {
                    for column in &columns {
                        found(Rule::NotNull(column.clone()));
                    }
                }
                found(Rule::Unique(columns));
            }
            return;
        }
        if ["check", "foreign", "exclude", "like"].into_iter().any(|word| words.take(&[word])) {
            return;
        }
        let Some(column) = words.tokens.first().and_then(|t| sql::identifier(words.text, t)) else {
            return;
        };
        let outside: Vec<&Token> = outside(words.text, &words.tokens[1..]);
        let is = |at: usize, word| outside.get(at).is_some_and(|t: &&Token| t.is(words.text, word));
        for at in 0..outside.len() {
            if is(at, "primary") && is(at + 1, "key") {
                found(Rule::NotNull(column.clone()));
                found(Rule::Unique(vec![column.clone()]));
            } else if is(at, "unique") {
                found(Rule::Unique(vec![column.clone()]));
            } else if is(at, "not") && is(at + 1, "null") {
                found(Rule::NotNull(column.clone()));
            }
        }
    }

    fn unique_index(&mut self, words: &mut Words<'_>) {
        let stated_at = words.place();
        let partial = words.tokens.iter().any(|t| t.is(words.text, "where"));
        let Some(on) = words.tokens.iter().position(|t| t.is(words.text, "on")) else { return };
        words.tokens = &words.tokens[on + 1..];
        let Some(table) = words.name() else { return };
        let columns = words.parenthesis().and_then(|inside| names(words.text, inside));
        if let (Some(columns), false) = (columns, partial) {
            self.all.push(Constraint { table, rule: Rule::Unique(columns), stated_at });
        }
    }

    fn alter_table(&mut self, words: &mut Words<'_>) {
        let Some(table) = words.name() else { return };
        for action in split(words.text, words.tokens) {
            let mut words = Words { tokens: action, ..*words };
            let stated_at = words.place();
            if words.take(&["add"]) {
                words.take(&["column"]);
                words.take(&["if", "not", "exists"]);
                self.item(&table, &mut words);
            } else if words.take(&["alter"]) {
                words.take(&["column"]);
                let column = words.tokens.first().and_then(|t| sql::identifier(words.text, t));
                words.tokens = words.tokens.get(1..).unwrap_or_default();
                if words.take(&["set", "not", "null"])
                    && let Some(column) = column
                {
                    let table = table.clone();
                    self.all.push(Constraint { table, rule: Rule::NotNull(column), stated_at });
                } else if words.take(&["drop"]) || words.take(&["type"]) {
                    self.unsure.insert(table.clone());
                }
            } else if !words.take(&["owner"]) {
                self.unsure.insert(table.clone());
            }
        }
    }
}

/// What is left of a statement.
#[derive(Clone, Copy)]
struct Words<'w> {
    text: &'w str,
    tokens: &'w [Token],
    file: &'w str,
}

impl<'w> Words<'w> {
    /// Goes behind these words, if they come next.
    fn take(&mut self, wanted: &[&str]) -> bool {
        let come = self.tokens.len() >= wanted.len()
            && wanted.iter().zip(self.tokens).all(|(word, token)| token.is(self.text, word));
        if come {
            self.tokens = &self.tokens[wanted.len()..];
        }
        come
    }

    /// Goes behind `[IF [NOT] EXISTS] [ONLY] [schema.]name`, and gives the name.
    fn name(&mut self) -> Option<String> {
        while ["if", "not", "exists", "only"].into_iter().any(|word| self.take(&[word])) {}
        let mut name = sql::identifier(self.text, self.tokens.first()?)?;
        self.tokens = &self.tokens[1..];
        if self.tokens.first().is_some_and(|t| t.text(self.text) == ".") {
            name = sql::identifier(self.text, self.tokens.get(1)?)?;
            self.tokens = &self.tokens[2..];
        }
        Some(name)
    }

    /// What stands in the first parenthesis, which nothing but words may precede.
    fn parenthesis(&self) -> Option<&'w [Token]> {
        let open = self.tokens.iter().position(|t| !matches!(t.kind, Kind::Word))?;
        let is = |t: &Token, sign| t.text(self.text) == sign;
        if !is(&self.tokens[open], "(") {
            return None;
        }
        let mut depth = 0_usize;
        for (at, token) in self.tokens.iter().enumerate().skip(open) {
            if is(token, "(") {
                depth += 1;
            } else if is(token, ")") {
                depth -= 1;
                if depth == 0 {
                    return Some(&self.tokens[open + 1..at]);
                }
            }
        }
        None
    }

    fn place(&self) -> String {
        let at = self.tokens.first().map_or(0, |t| t.start);
        format!("{}:{}", self.file, sql::line_and_column(self.text, at).0)
    }
}

/// Pieces between commas that stand in no parenthesis.
fn split<'t>(text: &str, tokens: &'t [Token]) -> Vec<&'t [Token]> {
    let mut depth = 0_usize;
    let at_comma = |token: &Token| {
        match token.text(text) {
            "(" | "[" => depth += 1,
            ")" | "]" => depth = depth.saturating_sub(1),
            "," => return depth == 0,
            _ => {}
        }
        false
    };
    tokens.split(at_comma).collect()
}

/// Tokens that stand in no parenthesis.
fn outside<'t>(text: &str, tokens: &'t [Token]) -> Vec<&'t Token> {
    let mut depth = 0_usize;
    let is_outside = |token: &&Token| {
        match token.text(text) {
            "(" => depth += 1,
            ")" => depth = depth.saturating_sub(1),
            _ => return depth == 0,
        }
        false
    };
    tokens.iter().filter(is_outside).collect()
}

/// Plain columns; none if one is an expression.
fn names(text: &str, tokens: &[Token]) -> Option<Vec<String>> {
    let name = |item: &[Token]| {
        let is_plain = item[1..].iter().all(|t| t.kind == Kind::Word);
        is_plain.then(|| sql::identifier(text, &item[0])).flatten()
    };
    split(text, tokens).into_iter().map(|item| (!item.is_empty()).then(|| name(item))?).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn learnt(text: &str, table: &str) -> Vec<String> {
        let mut constraints = Constraints::default();
        constraints.learn("0001_x.sql", text);
        let mut all: Vec<String> = (constraints.of(table))
            .map(|c| match &c.rule {
                Rule::Unique(columns) => format!("unique {} {}", columns.join(","), c.stated_at),
                Rule::NotNull(column) => format!("not null {column} {}", c.stated_at),
            })
            .collect();
        all.sort();
        all
    }

    #[test]
    fn keys_are_learnt_however_they_are_written() {
        let text = "CREATE TABLE IF NOT EXISTS public.t (\n  id bigint PRIMARY KEY,\n\
             a varchar(80) NOT NULL UNIQUE DEFAULT (lower('UNIQUE, x')),\n\
             \"B\" numeric(4, 2) CHECK (\"B\" IS NOT NULL),\n\
             CONSTRAINT ab UNIQUE (a, \"B\"), CHECK (a <> ''), FOREIGN KEY (id) REFERENCES u (id)\n);\n\
             CREATE UNIQUE INDEX ON t USING btree (c DESC NULLS LAST);\n\
             CREATE UNIQUE INDEX e ON t (lower(a));\n\
             CREATE UNIQUE INDEX w ON t (a) WHERE a > '';\n\
             CREATE INDEX i ON t (d);\n\
             ALTER TABLE ONLY t ADD CONSTRAINT k PRIMARY KEY (d), ALTER COLUMN f SET NOT NULL;\n\
             ALTER TABLE t ADD COLUMN g text UNIQUE;";
        assert_eq!(
            learnt(text, "t"),
            [
                "not null a 0001_x.sql:3",
                "not null d 0001_x.sql:11",
                "not null f 0001_x.sql:11",
                "not null id 0001_x.sql:2",
                "unique a 0001_x.sql:3",
                "unique a,B 0001_x.sql:5",
                "unique c 0001_x.sql:7",
                "unique d 0001_x.sql:11",
                "unique g 0001_x.sql:12",
                "unique id 0001_x.sql:2",
            ]
        );
        assert_eq!(learnt(text, "u"), [""; 0]);
    }

    #[test]
    fn what_is_not_certain_is_not_learnt() {
        let table = "CREATE TABLE t (a int UNIQUE, b int NOT NULL);";
        assert_eq!(learnt(table, "t").len(), 2);
        for then in [
            "ALTER TABLE t DROP CONSTRAINT t_a_key;",
            "ALTER TABLE t RENAME COLUMN a TO c;",
            "ALTER TABLE t ALTER b DROP NOT NULL;",
            "DROP TABLE t; CREATE TABLE t (a int, b int);",
            "DROP INDEX t_a_key;",
            "CREATE TABLE other.t (a int);",
            "CREATE TRIGGER x BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f();",
            "CREATE OR REPLACE TRIGGER x BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f();",
            "DO $x$ BEGIN ALTER TABLE t DROP COLUMN a; END $x$;",
        ] {
            assert_eq!(learnt(&format!("{table}\n{then}"), "t"), [""; 0], "{then}");
        }
        let fine = "ALTER TABLE t OWNER TO x; CREATE FUNCTION f() RETURNS int AS $$ SELECT 1 $$;";
        assert_eq!(learnt(&format!("{table}\n{fine}"), "t").len(), 2);
    }

    #[test]
    fn whatever_a_file_holds_nothing_panics() {
        for text in [
            "CREATE TABLE",
            "CREATE TABLE t",
            "CREATE TABLE t (",
            "CREATE TABLE t (,)",
            "CREATE TABLE t (a",
            "CREATE UNIQUE INDEX ON t (,)",
            "ALTER TABLE t ADD UNIQUE ()",
            "ALTER TABLE t ADD CONSTRAINT",
            "ALTER TABLE t ALTER",
            "CREATE TABLE t ()",
            ")",
            "CREATE TABLE t (a int))",
            "CREATE UNIQUE INDEX ON",
            "DROP",
            "ALTER TABLE t ADD",
        ] {
            learnt(text, "t");
        }
    }
}
