//! Caches: a key must tell apart all requests whose answers differ.

use super::notes::Notes;
use super::types::{CachePlan, KeyPiece};
use super::view::View;
use super::{codes, sql};
use crate::spec::{CacheStrategy, Endpoint};

/// Redis counts in milliseconds; a shorter life is none.
const SHORTEST_NS: u64 = 1_000_000;

/// The cache of an endpoint whose params are `names`.
pub(super) fn resolve(
    notes: &mut Notes<'_>,
    view: &View<'_>,
    name: &str,
    endpoint: &Endpoint,
    names: &[&str],
) -> Option<CachePlan> {
    let cache = endpoint.cache.as_ref()?;
    let path = |key| ["endpoints", name, "cache", key];
    if cache.strategy != CacheStrategy::CacheAside {
        let path = notes.path_of(view.name, &path("strategy"));
        notes.not_yet(&path, "a cache strategy other than `cache-aside`");
    }
    if cache.ttl.0 < SHORTEST_NS {
        let path = notes.path_of(view.name, &path("ttl"));
        let what = format!("the cache of `{name}` keeps nothing: its time to live is under 1 ms");
        notes.error(codes::CACHE, &path, what, "write like `ttl = \"300s\"`");
    }
    let scan = sql::scan(&endpoint.query);
    let writes = ["insert", "update", "delete", "merge"];
    let is_write = scan.tokens.iter().any(|t| writes.iter().any(|w| t.is(&endpoint.query, w)));
    let starts = scan.tokens.first().is_some_and(|t| t.is(&endpoint.query, "select"));
    if !endpoint.route.starts_with("GET ") || (is_write && !starts) {
        let path = notes.path_of(view.name, &["endpoints", name, "cache"]);
        let what = format!("endpoint `{name}` writes, and a cached write happens only once");
        notes.error(codes::CACHE, &path, what, "cache only GET endpoints that read");
    }
    let pieces = key(notes, view, name, &cache.key, names)?;
    Some(CachePlan { key: pieces, ttl_ns: cache.ttl.0 })
}

fn key(
    notes: &mut Notes<'_>,
    view: &View<'_>,
    name: &str,
    text: &str,
    names: &[&str],
) -> Option<Vec<KeyPiece>> {
    let path = notes.path_of(view.name, &["endpoints", name, "cache", "key"]);
    if text.is_empty() || text.len() > 200 || text.chars().any(|c| c.is_control() || c == ' ') {
        let what = format!("the cache key of `{name}` is empty, too long, or holds white space");
        notes.error(codes::CACHE, &path, what, "write like `\"user:email:{email}\"`");
        return None;
    }
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        let Some((param, tail)) = after.split_once('}') else { break };
        if !before.is_empty() {
            pieces.push(KeyPiece::Text(before.to_owned()));
        }
        match names.iter().position(|n| *n == param) {
            Some(position) => pieces.push(KeyPiece::Param(position)),
            None => {
                let kind = format!("param of endpoint `{name}`");
                notes.unknown(&path, &kind, param, names.iter().copied());
            }
        }
        rest = tail;
    }
    if !rest.is_empty() {
        pieces.push(KeyPiece::Text(rest.to_owned()));
    }
    if rest.contains(['{', '}']) {
        let what = format!("the cache key of `{name}` has a brace without its partner");
        notes.error(codes::CACHE, &path, what, "a parameter is written `{name}`");
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
    Some(pieces)
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
