//! Somebody else's Postgres: whether a plan is for one, and what may be sent there.

use super::codes;
use super::notes::Notes;
use super::sql::{self, Kind, Scan};
use super::types::Plan;
use crate::spec::{Problem, Spec};

/// Where a file names it.
const KEY: [&str; 3] = ["services", "postgres", "url_from"];
/// Words of statements that write, or that make something.
const WRITING: [&str; 6] = ["delete", "insert", "into", "merge", "truncate", "update"];
/// How the names of functions begin that do more than read, or that could lift the limits of a session. What else would
/// write is refused by the server: its transactions are read only.
const ACTING: [&str; 22] = [
    "dblink",
    "lo_",
    "nextval",
    "pg_advisory_",
    "pg_backup_",
    "pg_cancel_backend",
    "pg_copy_",
    "pg_create_",
    "pg_drop_",
    "pg_file_",
    "pg_log_",
    "pg_logical_",
    "pg_notify",
    "pg_promote",
    "pg_reload_conf",
    "pg_replication_",
    "pg_stat_reset",
    "pg_stat_statements_reset",
    "pg_terminate_backend",
    "pg_try_advisory_",
    "set_config",
    "setval",
];

impl Plan {
    /// The environment variable that holds the URL of somebody else's Postgres, if the plan is for one.
    pub fn url_from(&self) -> Option<&str> {
        self.cells.iter().find_map(|cell| cell.stack.postgres.url_from.as_deref())
    }
}

/// A mistake at the place where a file names somebody else's Postgres.
pub fn about_url_from(spec: &Spec, what: String, help: String) -> Problem {
    Problem::error(codes::EXTERNAL, what, spec.place_of(&KEY)).with_help(Some(help))
}

/// Notes what a statement has in it that does more than read.
pub(super) fn check_reads(
    notes: &mut Notes<'_>,
    name: &str,
    (statement, scan): (&str, &Scan),
    path: &[&str],
) {
    let Some(word) = acts(statement, scan) else { return };
    let what = format!("the query of `{name}` has `{word}` in it, and only reads may go there");
    let help = "Postgres is somebody else's: read with SELECT, WITH or VALUES (a name that is such a word goes in double quotes)";
    notes.contradiction(codes::EXTERNAL, path, what, help, (&KEY[..], "it is not querylab's"));
}

/// The first word that writes, locks rows, or calls what acts.
fn acts(statement: &str, scan: &Scan) -> Option<String> {
    let tokens = &scan.tokens;
    for (at, token) in tokens.iter().enumerate() {
        let next = tokens.get(at + 1);
        let is_word = token.kind == Kind::Word;
        if is_word && WRITING.iter().any(|word| token.is(statement, word)) {
            return Some(token.text(statement).to_owned());
        }
        let locks = ["key", "no", "share"];
        let is_lock = next.is_some_and(|n| locks.iter().any(|word| n.is(statement, word)));
        if token.is(statement, "for") && is_lock {
            return Some("for share".to_owned());
        }
        let is_called = next.is_some_and(|n| n.text(statement) == "(");
        let name = (is_word || token.kind == Kind::Quoted)
            .then(|| sql::identifier(statement, token))
            .flatten();
        let acting = |name: &String| ACTING.iter().any(|start| name.starts_with(start));
        if let Some(name) = name.filter(|name| is_called && acting(name)) {
            return Some(name);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_reads_may_go_there() {
        for statement in [
            "SELECT id, updated_at FROM users WHERE email = $1 AND note <> 'update me'",
            "WITH a AS (SELECT 1) SELECT * FROM a -- insert",
            "SELECT \"update\", substring(name for 3) FROM t",
            "VALUES (1)",
            "SELECT nextval FROM t",
        ] {
            assert_eq!(acts(statement, &sql::scan(statement)), None, "{statement}");
        }
    }

    #[test]
    fn what_writes_locks_or_acts_may_not() {
        for (statement, word) in [
            ("INSERT INTO t VALUES (1)", "INSERT"),
            ("WITH x AS (DELETE FROM t RETURNING 1) SELECT * FROM x", "DELETE"),
            ("SELECT * INTO other FROM t", "INTO"),
            ("SELECT * FROM t FOR UPDATE", "UPDATE"),
            ("SELECT * FROM t FOR NO KEY UPDATE", "for share"),
            ("SELECT * FROM t FOR SHARE", "for share"),
            ("SELECT nextval('s')", "nextval"),
            (
                "SELECT pg_catalog.Set_Config ('default_transaction_read_only', 'off', false)",
                "set_config",
            ),
            ("SELECT \"set_config\"('a.b', 'c', false)", "set_config"),
            ("SELECT pg_terminate_backend(1)", "pg_terminate_backend"),
        ] {
            let found = acts(statement, &sql::scan(statement));
            assert_eq!(found.as_deref(), Some(word), "{statement}");
        }
    }
}
