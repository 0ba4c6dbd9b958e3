//! The patterns of the schema, checked by hand: there are few, and a message says more than a regular expression.

/// Names of variants, endpoints, loads and the like; the same as `NAME_PATTERN`.
pub(super) const NAME: &str = super::document::NAME_PATTERN;
/// Tables and columns.
pub(super) const IDENTIFIER: &str = "^[A-Za-z_][A-Za-z0-9_]{0,62}$";
/// `experiment.id`.
const ID: &str = "^[a-z0-9][a-z0-9_-]{0,79}$";
/// `version` of a server.
const VERSION: &str = "^(>=[0-9]{1,3}(\\.[0-9]{1,3}){0,2}|[0-9]{1,3})$";
/// `route` of an endpoint.
const ROUTE: &str = "^(GET|POST|PUT|PATCH|DELETE) /[^ ?#]*$";
/// `url_from` of Postgres.
const VARIABLE: &str = "^QUERYLAB_[A-Z0-9][A-Z0-9_]{0,59}$";
/// `path` of static files.
const STATIC: &str = "^(/[A-Za-z0-9_~-][A-Za-z0-9._~-]{0,59}){1,3}/$";

/// Whether `text` matches `pattern`; if not, what to write. `None` for a pattern that is not one of ours.
pub(super) fn check(pattern: &str, text: &str) -> Option<Result<(), &'static str>> {
    let (matches, help) = match pattern {
        NAME => (
            name(text, 48),
            "a name is 1 to 48 of a-z, 0-9, `_` and `-`, and begins with a letter or digit",
        ),
        ID => {
            (name(text, 80), "an id is 1 to 80 of a-z, 0-9, `_` and `-`, like `0001-email-lookup`")
        }
        IDENTIFIER => (
            identifier(text),
            "tables and columns are 1 to 63 of A-Z, a-z, 0-9 and `_`, and do not begin with a digit; the schema is not written",
        ),
        VERSION => (
            version(text),
            "write the oldest version that will do, like `\">=15\"` or `\">=7.2\"`, or a major version of Postgres, like `\"18\"`",
        ),
        ROUTE => (route(text), "write a method and a path, like `\"GET /users/{id}\"`"),
        VARIABLE => (
            variable(text),
            "write the name of an environment variable that holds the URL, never the URL itself: `QUERYLAB_` and then A-Z, 0-9 and `_`, like `\"QUERYLAB_SHOP_URL\"`",
        ),
        STATIC => (
            static_path(text),
            "write one to three parts of A-Z, a-z, 0-9, `.`, `_`, `~` and `-` that do not begin with a dot, between slashes, like `\"/static/\"`",
        ),
        _ => return None,
    };
    Some(if matches { Ok(()) } else { Err(help) })
}

fn name(text: &str, longest: usize) -> bool {
    let good = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    text.len() <= longest
        && text.bytes().next().is_some_and(good)
        && text.bytes().all(|b| good(b) || b == b'_' || b == b'-')
}

/// Whether `text` is a plain name of a table or a column.
pub(super) fn identifier(text: &str) -> bool {
    text.len() <= 63
        && text.bytes().next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

fn version(text: &str) -> bool {
    let alone = (1..=3).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    let Some(numbers) = text.strip_prefix(">=") else { return alone };
    let parts: Vec<&str> = numbers.split('.').collect();
    let number = |p: &&str| (1..=3).contains(&p.len()) && p.bytes().all(|b| b.is_ascii_digit());
    parts.len() <= 3 && parts.iter().all(number)
}

/// A second underscore behind the first would be an override of a key.
fn variable(text: &str) -> bool {
    let Some(name) = text.strip_prefix("QUERYLAB_") else { return false };
    name.len() <= 60
        && name.bytes().next().is_some_and(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
        && name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
}

fn route(text: &str) -> bool {
    let Some((method, path)) = text.split_once(' ') else { return false };
    ["GET", "POST", "PUT", "PATCH", "DELETE"].contains(&method)
        && path.starts_with('/')
        && !path.contains([' ', '?', '#'])
        && !path.chars().any(char::is_control)
}

fn static_path(text: &str) -> bool {
    let Some(inner) = text.strip_prefix('/').and_then(|rest| rest.strip_suffix('/')) else {
        return false;
    };
    let good = |b: u8| b.is_ascii_alphanumeric() || b"._~-".contains(&b);
    let mut parts = inner.split('/');
    inner.split('/').count() <= 3
        && parts.all(|part| {
            (1..=60).contains(&part.len()) && !part.starts_with('.') && part.bytes().all(good)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_safe_as_parts_of_paths() {
        let good = |text: &str| check(NAME, text) == Some(Ok(()));
        assert!(good("0001-email") && good("a") && good(&"a".repeat(48)));
        for bad in ["", "../x", "a/b", ".", "..", "CON", "-x", "_x", "é", "a\n", "a b", "🦀"] {
            assert!(!good(bad), "{bad:?}");
        }
        assert!(!good(&"a".repeat(49)));
    }

    #[test]
    fn identifiers_versions_and_routes_have_their_forms() {
        let cases = [
            (IDENTIFIER, vec!["User", "_a1", "order"], vec!["1a", "a.b", "a\"; drop", "é", ""]),
            (
                VERSION,
                vec![">=15", ">=7.0.15", "18"],
                vec!["15.3", "1518", ">=", ">=1.", ">=1.2.3.4", ">=x"],
            ),
            (
                VARIABLE,
                vec!["QUERYLAB_SHOP_URL", "QUERYLAB_1"],
                vec!["DATABASE_URL", "QUERYLAB_", "QUERYLAB__A", "QUERYLAB_a", "postgres://h/d"],
            ),
            (
                STATIC,
                vec!["/static/", "/a/b.c/d/"],
                vec!["/", "//", "static/", "/static", "/../", "/a/./", "/a/b/c/d/", "/a b/", "/é/"],
            ),
            (
                ROUTE,
                vec!["GET /", "POST /a/{b}"],
                vec!["GET", "get /", "GET x", "GET /a?b", "HEAD /", "GET /a b", "GET /\u{7}"],
            ),
        ];
        for (pattern, good, bad) in cases {
            for text in good {
                assert_eq!(check(pattern, text), Some(Ok(())), "{text}");
            }
            for text in bad {
                assert!(check(pattern, text).expect("known").is_err(), "{text}");
            }
        }
    }
}
