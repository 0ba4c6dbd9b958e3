//! Caches: a key must tell apart all requests whose answers differ.

use super::notes::Notes;
use super::types::{CachePlan, KeyPiece};
use super::view::View;
use super::{codes, sql};
use crate::spec::Endpoint;

/// The cache of an endpoint whose params are `names`.
pub(super) fn resolve(
    notes: &mut Notes<'_>,
    view: &View<'_>,
    name: &str,
    endpoint: &Endpoint,
    names: &[&str],
) -> Option<CachePlan> {
    let cache = endpoint.cache.as_ref()?;
    let scan = sql::scan(&endpoint.query);
    let writes = ["insert", "update", "delete", "merge"];
    let is_write = scan.tokens.iter().any(|t| writes.iter().any(|w| t.is(&endpoint.query, w)));
    let starts = scan.tokens.first().is_some_and(|t| t.is(&endpoint.query, "select"));
    if !endpoint.route.starts_with("GET ") || (is_write && !starts) {
        let path = notes.path_of(view.name, &["endpoints", name, "cache"]);
        let what = format!("endpoint `{name}` writes, and a cached write happens only once");
        notes.error(codes::CACHE, &path, what, "cache only GET endpoints that read");
    }
    let pieces = key(notes, view, name, &cache.key, names);
    Some(CachePlan { key: pieces, ttl_ns: cache.ttl.0 })
}

fn key(
    notes: &mut Notes<'_>,
    view: &View<'_>,
    name: &str,
    text: &str,
    names: &[&str],
) -> Vec<KeyPiece> {
    let path = notes.path_of(view.name, &["endpoints", name, "cache", "key"]);
    if text.contains(' ') {
        let what = format!("the cache key of `{name}` holds white space");
        notes.error(codes::CACHE, &path, what, "write like `\"user:email:{email}\"`");
    }
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        let Some((param, tail)) = after.split_once('}') else { break };
        if !before.is_empty() {
            pieces.push(KeyPiece::Text(before.to_owned()));
        }
        if let Some(position) = names.iter().position(|n| *n == param) {
            pieces.push(KeyPiece::Param(position));
        } else {
            let kind = format!("param of endpoint `{name}`");
            notes.unknown(&path, &kind, param, names.iter().copied());
        }
        rest = tail;
    }
    if !rest.is_empty() {
        pieces.push(KeyPiece::Text(rest.to_owned()));
    }
    let missing: Vec<&str> = names
        .iter()
        .enumerate()
        .filter(|(position, _)| !pieces.contains(&KeyPiece::Param(*position)))
        .map(|(_, param)| *param)
        .collect();
    if !missing.is_empty() {
        let list = missing.join("`, `");
        let what =
            format!("the cache key of `{name}` leaves out `{list}`, which changes the answer");
        let help =
            format!("add `{{{}}}` to the key, or one request gets another's answer", missing[0]);
        notes.error(codes::CACHE, &path, what, help);
    }
    let touching = |pair: &[KeyPiece]| pair.iter().all(|p| matches!(p, KeyPiece::Param(_)));
    if pieces.windows(2).any(touching) {
        let what = format!("the cache key of `{name}` has two parameters side by side");
        notes.error(codes::CACHE, &path, what, "put a character between them: `{a}:{b}`");
    }
    pieces
}

/// Notes two cached endpoints of one variant that would answer from each other's entries.
pub(super) fn check_shared_keys(notes: &mut Notes<'_>, view: &View<'_>) {
    let driven = view.driven();
    for (index, (first, _)) in driven.iter().enumerate() {
        for (second, _) in &driven[index + 1..] {
            let endpoint = |name: &str| view.document.endpoints.get(name);
            let (Some(a), Some(b)) = (endpoint(first), endpoint(second)) else { continue };
            let same_key = match (&a.cache, &b.cache) {
                (Some(a), Some(b)) => a.key == b.key,
                _ => false,
            };
            if same_key && (a.query != b.query || a.bind != b.bind) {
                let path = notes.path_of(view.name, &["endpoints", second, "cache", "key"]);
                let what =
                    format!("`{first}` and `{second}` cache different answers under one key");
                notes.error(codes::CACHE, &path, what, "give each its own prefix");
            }
        }
    }
}
