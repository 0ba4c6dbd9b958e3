//! Requests as the API logs them, a JSON object a line: which of them are asked for again, and with which value.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::values::{At, Found, Wrong};

/// Requests of these statuses were the client's mistake: sent again, they are refused again.
const REFUSED: std::ops::Range<u16> = 400..500;

/// Which requests of a log are meant.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Asked {
    /// Their method; none: any.
    pub(super) method: Option<String>,
    /// What the log may call the endpoint: its name or its path, as it is or with `{param}` in it.
    pub(super) endpoints: Vec<String>,
}

/// The fields of a line that are looked at; others are the log's own business.
#[derive(Debug, Deserialize)]
struct Line {
    #[serde(default)]
    endpoint: Option<String>,
    #[serde(default)]
    method: Option<String>,
    #[serde(default)]
    query_params: BTreeMap<String, Value>,
    #[serde(default)]
    status_code: Option<u16>,
}

/// The values of parameter `name`, in the order of the log. A request that was asked for and left it out has `default`.
///
/// # Errors
///
/// The first line that is no request, or has no value where it should have one.
pub(super) fn values(
    text: &str,
    name: &str,
    default: Option<&str>,
    asked: Option<&Asked>,
) -> Result<Found, Wrong> {
    let mut found = Found::default();
    let mut byte = 0;
    for (line, text) in (1..).zip(text.split('\n')) {
        let at = At { byte, line };
        byte += text.len() + 1;
        let text = text.trim_start_matches('\u{feff}').trim();
        if text.is_empty() {
            continue;
        }
        let line: Line = serde_json::from_str(text).map_err(|e| {
            let help = "a line is a JSON object with `endpoint`, `method`, `query_params`, …";
            let text = e.to_string();
            // Its line is always the first, of the one line that it was given.
            let why = text.split(" at line ").next().unwrap_or_default();
            Wrong::line(at, format!("this is no logged request: {why}"), help)
        })?;
        let Some(path) = meant(&line, asked) else { continue };
        let value = match line.query_params.get(name) {
            None | Some(Value::Null) => path.get(name).cloned(),
            Some(Value::String(text)) => Some(text.clone()),
            Some(value @ (Value::Number(_) | Value::Bool(_))) => Some(value.to_string()),
            Some(_) => {
                let what = format!("the parameter `{name}` is a list or a table");
                return Err(Wrong::line(at, what, "one value can be asked for again, not several"));
            }
        };
        match value.or_else(|| asked.and(default).map(str::to_owned)) {
            Some(value) => found.push(value, at)?,
            // Of all requests, those with the parameter are meant; of an endpoint's, each of them.
            None if asked.is_none() => {}
            None => {
                let what = format!("the request has no parameter `{name}`, which has no default");
                let help = "take the line out, or give the parameter a `default`";
                return Err(Wrong::line(at, what, help));
            }
        }
    }
    Ok(found)
}

/// What the path says, if the request is one of those asked for.
fn meant(line: &Line, asked: Option<&Asked>) -> Option<BTreeMap<String, String>> {
    if line.status_code.is_some_and(|status| REFUSED.contains(&status)) {
        return None;
    }
    let Some(asked) = asked else { return Some(BTreeMap::new()) };
    let method = asked.method.as_deref().zip(line.method.as_deref());
    if method.is_some_and(|(asked, was)| !asked.eq_ignore_ascii_case(was)) {
        return None;
    }
    let was = line.endpoint.as_deref()?;
    asked.endpoints.iter().find_map(|endpoint| fill(endpoint, was))
}

/// The parts of a path that stand where a template has `{param}`; none if they do not fit.
fn fill(template: &str, path: &str) -> Option<BTreeMap<String, String>> {
    if template == path {
        return Some(BTreeMap::new());
    }
    let (template, path): (Vec<&str>, Vec<&str>) =
        (template.split('/').collect(), path.split('/').collect());
    if template.len() != path.len() {
        return None;
    }
    let mut filled = BTreeMap::new();
    for (part, text) in template.into_iter().zip(path) {
        match part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) {
            Some(name) if !text.is_empty() => {
                filled.insert(name.to_owned(), text.to_owned());
            }
            _ if part == text => {}
            _ => return None,
        }
    }
    Some(filled)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The origin's own example, and others like it.
    const LOG: &str = r#"{"timestamp":"2025-01-05T10:30:45.123Z","request_id":"req_abc123xyz","endpoint":"/users/cached","method":"GET","query_params":{"email":"user5000000@example.com"},"query_time_ms":12,"cache_status":"hit","db_queries":0,"status_code":200,"response_size_bytes":256}
{"endpoint":"/users/scan","method":"GET","query_params":{"email":"b@c"},"status_code":200}

{"endpoint":"/users/cached","method":"GET","query_params":{"email":"no such\u0000"},"status_code":422}
{"endpoint":"/users/cached","method":"POST","query_params":{"email":"p@q"},"status_code":200}
{"endpoint":"/users/cached","method":"GET","query_params":{"email":"d@e","limit":5},"status_code":503}
{"endpoint":"/health","method":"GET","query_params":{},"status_code":200}
"#;

    fn asked(method: Option<&str>, endpoints: &[&str]) -> Asked {
        let endpoints = endpoints.iter().map(|e| (*e).to_owned()).collect();
        Asked { method: method.map(str::to_owned), endpoints }
    }

    fn of(text: &str, name: &str, asked: Option<&Asked>) -> Result<Vec<String>, String> {
        let mut all = Vec::new();
        let found = values(text, name, None, asked);
        let found = found.map_err(|w| format!("{}: {}", w.at.map_or(0, |at| at.line), w.what))?;
        all.extend(found.into_values());
        Ok(all)
    }

    #[test]
    fn values_come_in_the_order_of_the_log_and_what_was_refused_is_left_out() {
        let all = of(LOG, "email", None).expect("a log");
        assert_eq!(all, ["user5000000@example.com", "b@c", "p@q", "d@e"]);
        let cached = asked(Some("GET"), &["cached", "/users/cached"]);
        let of_cached = of(LOG, "email", Some(&cached)).expect("a log");
        assert_eq!(of_cached, ["user5000000@example.com", "d@e"]);
        assert_eq!(of(LOG, "limit", None), Ok(vec!["5".into()]));
    }

    #[test]
    fn a_path_gives_the_value_that_its_template_names() {
        let log = "{\"endpoint\":\"/users/42/posts\",\"method\":\"GET\"}\n{\"endpoint\":\"/users//posts\"}";
        let posts = asked(None, &["/users/{id}/posts"]);
        assert_eq!(of(log, "id", Some(&posts)), Ok(vec!["42".into()]));
    }

    #[test]
    fn what_is_wrong_in_a_log_has_its_line() {
        let cached = asked(None, &["/users/cached"]);
        let says = |line: &str| of(&format!("\n{line}\n"), "email", Some(&cached)).expect_err(line);
        assert!(says("GET /users").starts_with("2: this is no logged request: "));
        assert!(says("[1]").starts_with("2: this is no logged request: "));
        assert!(says(r#"{"status_code":"ok"}"#).starts_with("2: this is no logged request: "));
        assert_eq!(
            says(r#"{"endpoint":"/users/cached","query_params":{"email":["a"]}}"#),
            "2: the parameter `email` is a list or a table"
        );
        assert_eq!(
            says(r#"{"endpoint":"/users/cached","query_params":{}}"#),
            "2: the request has no parameter `email`, which has no default"
        );
    }

    #[test]
    fn a_request_that_left_a_parameter_out_meant_its_default() {
        let cached = asked(None, &["/users/cached"]);
        let found = values(LOG, "limit", Some("10"), Some(&cached)).expect("a log");
        assert_eq!(found.into_values(), ["10", "10", "5"]);
    }
}
