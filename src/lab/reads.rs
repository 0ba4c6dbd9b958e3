//! Whether nothing that a plan asks for writes: only then may it work on cached data themselves. Whatever is not known to
//! read only is taken for a write; then there is a copy, which is always right.

use crate::plan::Plan;

/// Words that may be followed by a parenthesis without anything being called, and functions that only compute.
const HARMLESS: &[&str] = &[
    "abs",
    "all",
    "and",
    "any",
    "array_agg",
    "as",
    "avg",
    "bool_and",
    "bool_or",
    "by",
    "cast",
    "ceil",
    "char",
    "coalesce",
    "concat",
    "count",
    "date_part",
    "date_trunc",
    "decimal",
    "dense_rank",
    "exists",
    "extract",
    "filter",
    "floor",
    "from",
    "greatest",
    "in",
    "json_agg",
    "json_build_object",
    "jsonb_agg",
    "jsonb_build_object",
    "lateral",
    "least",
    "left",
    "length",
    "limit",
    "lower",
    "max",
    "min",
    "not",
    "now",
    "nullif",
    "numeric",
    "on",
    "or",
    "over",
    "rank",
    "right",
    "round",
    "row_number",
    "select",
    "substring",
    "sum",
    "to_char",
    "unnest",
    "upper",
    "using",
    "values",
    "varchar",
    "when",
    "where",
];
/// Words that no statement has that only reads; `for` stands before UPDATE and SHARE, `into` before a new table.
const WRITING: &[&str] = &[
    "alter", "call", "copy", "create", "delete", "do", "drop", "for", "grant", "insert", "into",
    "lock", "merge", "truncate", "update",
];

/// Whether every statement of every cell only reads, and no server tidies up by itself.
pub(super) fn only(plan: &Plan) -> bool {
    plan.cells.iter().all(|cell| {
        let tidies = cell.stack.postgres.settings.get("autovacuum");
        let reads = |query: &str, method: &str| method == "GET" && is_read(query);
        tidies.is_none_or(|value| matches!(value.as_str(), "off" | "false" | "no" | "0"))
            && cell.api.endpoints.iter().all(|e| reads(&e.query, &e.method))
    })
}

fn is_read(sql: &str) -> bool {
    // What could hide a word is not looked into: `$` that is no placeholder's begins a text without apostrophes.
    let quotes = sql.split('$').skip(1).any(|rest| !rest.starts_with(|c: char| c.is_ascii_digit()));
    if quotes
        || sql.contains(['"', '\\', ';'])
        || ["--", "/*"].iter().any(|hides| sql.contains(hides))
    {
        return false;
    }
    // Every second piece between apostrophes is a text; a doubled one makes an empty piece between two texts.
    let code: Vec<&str> = sql.split('\'').step_by(2).collect();
    let code = code.join("''").to_ascii_lowercase();
    let mut rest = code.as_str();
    let mut first = true;
    while let Some(start) = rest.find(|c: char| c.is_alphabetic() || c == '_') {
        let word_on = &rest[start..];
        let end = word_on
            .find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$'))
            .unwrap_or(word_on.len());
        let (word, after) = word_on.split_at(end);
        if first && word != "select" {
            return false;
        }
        first = false;
        let is_called = after.trim_start().starts_with('(');
        if WRITING.contains(&word) || (is_called && !HARMLESS.contains(&word)) {
            return false;
        }
        rest = after;
    }
    !first
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_queries_read() {
        for sql in [
            "SELECT id, email FROM users WHERE email = $1 AND status = 'for update'",
            "select count(*) from a join b on (a.id = b.a_id) where a.x in (1, 2)",
            "SELECT lower(name), coalesce(score, 0) FROM people ORDER BY id LIMIT 10",
            "SELECT 'it''s (insert)' FROM a",
        ] {
            assert!(is_read(sql), "{sql}");
        }
    }

    #[test]
    fn whatever_is_not_known_to_read_is_taken_for_a_write() {
        for sql in [
            "INSERT INTO a VALUES (1)",
            "WITH x AS (DELETE FROM a RETURNING *) SELECT * FROM x",
            "SELECT * FROM a FOR UPDATE",
            "SELECT * INTO b FROM a",
            "SELECT nextval('s')",
            "SELECT my_function (1)",
            "SELECT pg_advisory_lock(1)",
            "SELECT \"nextval\"('s')",
            "SELECT 1 /* */ FROM a",
            "SELECT 1; DELETE FROM a",
            "SELECT E'\\'' || nextval('s')",
            "SELECT $a$'$a$, nextval('s')",
            "SELECT $$'$$, nextval('s')",
            "TABLE a",
            "",
        ] {
            assert!(!is_read(sql), "{sql}");
        }
    }
}
