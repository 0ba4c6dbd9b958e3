//! Caches: a key must tell apart all requests whose answers differ.

use super::notes::Notes;
use super::types::{CachePlan, KeyPiece, WritesPlan};
use super::view::View;
use super::{codes, sql};
use crate::spec::{AnswerShape, Bind, CacheStrategy, Endpoint};

/// Where the file does not say: renewed in the last fifth of its life.
const REFRESH: f64 = 0.2;

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
    if endpoint.answer == AnswerShape::Lines {
        let path = notes.path_of(view.name, &["endpoints", name, "answer"]);
        let what = format!("endpoint `{name}` is cached, and answers in lines");
        notes.error(codes::CACHE, &path, what, "answer with `rows`, or without a cache");
    }
    let pieces = key(notes, view, name, &cache.key, names);
    let refresh = (cache.strategy == CacheStrategy::RefreshAhead)
        .then(|| cache.refresh.map_or(REFRESH, |share| share.0));
    Some(CachePlan {
        strategy: cache.strategy,
        jitter: cache.jitter.map(|share| share.0),
        negative_ttl_ns: cache.negative_ttl.map(|span| span.0),
        single_flight: cache.single_flight,
        refresh,
        ..CachePlan::aside(pieces, cache.ttl.0)
    })
}

/// The entries that an endpoint whose params are `names` makes wrong, of the endpoints that the variant drives with it.
pub(super) fn writes(
    notes: &mut Notes<'_>,
    view: &View<'_>,
    name: &str,
    endpoint: &Endpoint,
    names: &[&str],
) -> Vec<WritesPlan> {
    let path = notes.path_of(view.name, &["endpoints", name, "writes"]);
    if !endpoint.writes.is_empty() && endpoint.route.starts_with("GET ") {
        let what = format!("endpoint `{name}` writes with GET, which is for reading");
        notes.error(codes::CACHE, &path, what, "use POST, PUT, PATCH or DELETE");
    }
    if !endpoint.writes.is_empty() && endpoint.answer == AnswerShape::Lines {
        let path = notes.path_of(view.name, &["endpoints", name, "answer"]);
        let what = format!(
            "endpoint `{name}` answers in lines, and what it `writes` to caches is known at its end"
        );
        notes.error(codes::CACHE, &path, what, "answer with `rows` or `row`, or without `writes`");
    }
    let mut writes = Vec::new();
    for read in &endpoint.writes {
        let Some(reader) = view.document.endpoints.get(read) else {
            notes.unknown(
                &path,
                "endpoint",
                read,
                view.document.endpoints.keys().map(String::as_str),
            );
            continue;
        };
        if reader.cache.is_none() {
            let what = format!("`{name}` writes to the cache of `{read}`, which has none");
            notes.error(codes::CACHE, &path, what, "name endpoints that have a `cache`");
            continue;
        }
        let mut asked: Vec<&str> = Vec::new();
        for bind in &reader.bind {
            if let Bind::Param(param) = bind
                && !asked.contains(&param.as_str())
            {
                asked.push(param);
            }
        }
        let places: Option<Vec<usize>> =
            asked.iter().map(|param| names.iter().position(|name| name == param)).collect();
        let Some(params) = places else {
            let list = asked.join("`, `");
            let what = format!("`{name}` cannot tell which entry of `{read}` it changes");
            notes.error(codes::CACHE, &path, what, format!("bind `{list}` in `{name}` too"));
            continue;
        };
        if view.driven().iter().any(|(driven, _)| *driven == read.as_str()) {
            writes.push(WritesPlan { endpoint: read.clone(), params });
        }
    }
    writes
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
