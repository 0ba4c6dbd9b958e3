//! Routes: method, path, and the parameters that the path carries.

use std::collections::BTreeMap;

use super::codes;
use super::notes::Notes;
use super::view::View;

/// Paths that the API itself answers.
const RESERVED: [&str; 5] = ["/__querylab", "/health", "/metrics", "/openapi.json", "/docs"];
const METHODS: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];

/// A route taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Route {
    pub(super) method: String,
    pub(super) path: String,
    /// Names in the path, in order.
    pub(super) params: Vec<String>,
}

/// Takes a route apart.
///
/// # Errors
///
/// What is wrong and what to write.
pub(super) fn parse(text: &str) -> Result<Route, (String, &'static str)> {
    let shape = "write it like `\"GET /users/{id}\"`";
    let Some((method, path)) = text.split_once(' ').filter(|(_, path)| path.starts_with('/'))
    else {
        return Err(("the route is not a method and a path".into(), shape));
    };
    if !METHODS.contains(&method) {
        return Err((
            "the route's method is not one of GET, POST, PUT, PATCH, DELETE".into(),
            shape,
        ));
    }
    if path.len() > 200 {
        return Err(("the route's path is longer than 200 bytes".into(), shape));
    }
    if let Some(taken) = reserved(path) {
        return Err((format!("the API itself answers `{taken}`"), "choose another path"));
    }
    let mut params: Vec<String> = Vec::new();
    let segments = path.split('/').skip(1).collect::<Vec<_>>();
    for segment in &segments {
        let named = segment.strip_prefix('{').and_then(|s| s.strip_suffix('}'));
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"._~-".contains(&b);
        match named {
            Some(name) if is_name(name) && params.iter().any(|p| p == name) => {
                return Err((format!("the path names `{{{name}}}` twice"), shape));
            }
            Some(name) if is_name(name) => params.push(name.to_owned()),
            None if segment.bytes().all(plain)
                && !segment.is_empty()
                && !segment.starts_with("..") => {}
            None if segments == [""] => {}
            _ => {
                let what = format!("the path's part `{segment}` can't be served");
                return Err((what, "a part is a plain word, or one `{param}` and nothing else"));
            }
        }
    }
    Ok(Route { method: method.to_owned(), path: path.to_owned(), params })
}

/// What of the API's own a path would stand before.
pub(super) fn reserved(path: &str) -> Option<&'static str> {
    let is_below = |taken: &&&str| {
        path.strip_prefix(**taken).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    RESERVED.iter().find(is_below).copied()
}

/// Whether a text can be the name of a param.
pub(super) fn is_name(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-';
    !text.is_empty() && text.len() <= 48 && text.bytes().all(plain)
}

/// Notes endpoints that answer the same requests.
pub(super) fn check_duplicates(notes: &mut Notes<'_>, view: &View<'_>) {
    let mut seen = BTreeMap::<(String, String), &str>::new();
    for (name, endpoint) in &view.document.endpoints {
        let Ok(route) = parse(&endpoint.route) else { continue };
        // `/users/{id}` and `/users/{name}` are the same route.
        let shape: Vec<&str> =
            route.path.split('/').map(|s| if s.starts_with('{') { "{}" } else { s }).collect();
        let key = (route.method, shape.join("/"));
        if let Some(first) = seen.get(&key) {
            let path = notes.path_of(view.name, &["endpoints", name, "route"]);
            let other = notes.path_of(view.name, &["endpoints", first, "route"]);
            let what = format!("endpoints `{first}` and `{name}` have the same route");
            let help = "give each endpoint its own method and path";
            notes.contradiction(codes::ROUTE, &path, what, help, (&other, "the first one"));
        } else {
            seen.insert(key, name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes_are_taken_apart() {
        let route = parse("GET /users/{id}/orders/{order_id}").expect("a route");
        assert_eq!(route.method, "GET");
        assert_eq!(route.params, ["id", "order_id"]);
        assert!(parse("GET /").is_ok());
        for wrong in [
            "GET",
            "users",
            "get /users",
            "FETCH /users",
            "GET users",
            "GET /users/",
            "GET //a",
            "GET /a/../b",
            "GET /{id}.json",
            "GET /{*rest}",
            "GET /{id}/{id}",
            "GET /a;b",
            "GET /a b",
            "GET /health",
            "GET /__querylab/counters",
            "POST /{}",
            "GET /{id",
            "GET /é",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
        assert!(parse("GET /healthy").is_ok());
    }
}
