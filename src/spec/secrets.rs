//! Secrets have no place in a checked-in file: found, refused, and never printed.

use serde_json::Value;

use super::parse::Path;

/// A key with such a last word holds a secret if its value is a text.
const KEYS: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "pwd",
    "secret",
    "token",
    "api_key",
    "apikey",
    "access_key",
    "secret_key",
    "private_key",
    "credential",
    "credentials",
    "requirepass",
    "masterauth",
    "pgpass",
];

/// Below these the keys are the author's own columns, parameters and names, and say nothing about the value.
const OWN_KEYS: &[&str] =
    &["fields", "where", "weights", "columns", "indexes", "params", "mix", "ratios"];

/// What an author is told.
pub(super) const HELP: &str = "take it out: querylab makes its own passwords, and has the URL of somebody else's Postgres from the environment variable that `services.postgres.url_from` names";

/// Takes every secret out of `tree` (null is left behind) and gives back where they were.
pub(super) fn take(tree: &mut Value) -> Vec<Path> {
    let mut found = Vec::new();
    visit(tree, &mut Path::new(), &mut found);
    found
}

fn visit(value: &mut Value, path: &mut Path, found: &mut Vec<Path>) {
    match value {
        Value::Object(table) => {
            for (key, value) in table.iter_mut() {
                path.push(key.clone());
                visit(value, path, found);
                path.pop();
            }
        }
        Value::Array(list) => {
            for (position, value) in list.iter_mut().enumerate() {
                path.push(position.to_string());
                visit(value, path, found);
                path.pop();
            }
        }
        Value::String(text) if in_url(text) || (!text.is_empty() && by_key(path)) => {
            *value = Value::Null;
            found.push(path.clone());
        }
        Value::Number(_) if by_key(path) => {
            *value = Value::Null;
            found.push(path.clone());
        }
        _ => {}
    }
}

fn by_key(path: &[String]) -> bool {
    let Some((key, above)) = path.split_last() else { return false };
    is_secret_key(key) && !above.last().is_some_and(|a| OWN_KEYS.contains(&a.as_str()))
}

/// Whether a key of this name holds a secret: `db_password`, `API-Key`.
pub(super) fn is_secret_key(key: &str) -> bool {
    let key = super::suggest::plain(key);
    KEYS.iter().any(|k| {
        key.strip_suffix(k).is_some_and(|head| head.is_empty() || head.ends_with(['_', '.']))
    })
}

/// Whether a text holds a URL with a user in it, or a secret among the parameters of a URL or a connection string.
pub(super) fn in_url(text: &str) -> bool {
    let with_user = text.match_indices("://").any(|(at, _)| {
        let rest = &text[at + 3..];
        let end = rest
            .find(|c: char| {
                matches!(c, '/' | '?' | '#' | '\'' | '"' | '<' | '>') || c.is_whitespace()
            })
            .unwrap_or(rest.len());
        rest[..end].rfind('@').is_some_and(|user| user > 0)
    });
    with_user || with_parameter(text)
}

fn with_parameter(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let has_url = lower.contains("://");
    let is_connection = ["host=", "dbname=", "user="].iter().any(|k| lower.contains(k));
    KEYS.iter().any(|key| {
        lower.match_indices(&format!("{key}=")).any(|(at, hit)| {
            let before = lower[..at].chars().next_back();
            let value = lower[at + hit.len()..].chars().next();
            let as_parameter = has_url && matches!(before, Some('?' | '&'));
            let in_string = is_connection && matches!(before, None | Some(' ' | '\'' | '"'));
            (as_parameter || in_string) && value.is_some_and(|c| !c.is_whitespace() && c != '&')
        })
    })
}

/// Bytes to mask in a text that is not TOML: what follows the `=` of a secret's key, and lines with secret URLs.
pub(super) fn in_text(text: &str) -> Vec<std::ops::Range<usize>> {
    let mut found = Vec::new();
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let end = start + line.trim_end().len();
        for (at, _) in line.match_indices('=') {
            let key = line[..at].trim_end().trim_end_matches(['"', '\'']);
            let head = |c: char| !(c.is_alphanumeric() || c == '_' || c == '-');
            if is_secret_key(key.rsplit(head).next().unwrap_or_default()) {
                found.push(start + at + 1..end);
            }
        }
        if in_url(line) {
            found.push(start..end);
        }
        start += line.len();
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn secrets_are_found_by_their_key_and_in_urls() {
        let mut tree = json!({
            "services": {"redis": {"settings": {"requirepass": "x", "maxmemory": "1mb"}}},
            "password": "x", "api-key": 5, "secret": {"title": "a table"},
            "list": ["postgres://u:p@h/d", "postgres://h/d", "http://h/?a=1&token=x", "host=h password=x"],
            "password_encryption": "scram-sha-256",
        });
        let mut found: Vec<String> = take(&mut tree).iter().map(|p| p.join(".")).collect();
        found.sort();
        assert_eq!(
            found,
            [
                "api-key",
                "list.0",
                "list.2",
                "list.3",
                "password",
                "services.redis.settings.requirepass"
            ]
        );
        assert!(!tree.to_string().contains("u:p"));
    }

    #[test]
    fn columns_and_statements_about_passwords_are_no_secrets() {
        let mut tree = json!({
            "check": {"fields": {"token": "{token}", "password": "x"}},
            "where": {"token": "a"},
            "columns": {"password": {"generator": "template", "template": "p{row}"}},
            "query": "SELECT password FROM users WHERE password = $1 AND email = 'a@b'",
            "template": "https://example.com/@user{row}",
            "mail": "email{row}@example.com",
        });
        assert_eq!(take(&mut tree), Vec::<Path>::new());
    }

    #[test]
    fn text_that_is_not_toml_is_masked_by_its_lines() {
        let text = "a = 1\npassword = \"hunter2\nx = {token='t'}\n";
        let masked: Vec<&str> = in_text(text).into_iter().map(|r| &text[r]).collect();
        assert_eq!(masked, [" \"hunter2", "'t'}"]);
    }
}
