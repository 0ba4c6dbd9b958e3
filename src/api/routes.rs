//! Method and path to endpoint. Parameters of the path are renamed by position, so that `/a/{x}` and `/a/{y}` are seen to
//! be the same path before the router, which would panic, sees it.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;

use anyhow::{Context as _, ensure};
use axum::Router;
use axum::extract::Request;
use axum::http::Method;
use axum::routing::{MethodFilter, on};
use bytes::Bytes;

use super::params::parameter_name;
use super::start::{App, Endpoint};
use super::{docs_page, handler, health, openapi};

/// Paths of our own.
const LIVE: &str = "/health/live";
const READY: &str = "/health/ready";
const COUNTERS: &str = "/__querylab/counters";
const METRICS: &str = "/metrics";
const OPENAPI: &str = "/openapi.json";
const DOCS: &str = "/docs";
const OURS: [&str; 6] = [LIVE, READY, COUNTERS, METRICS, OPENAPI, DOCS];

/// A path in the router's words, and which paths are the same.
fn pattern(path: &str) -> anyhow::Result<String> {
    ensure!(path.starts_with('/'), "the path must begin with a slash");
    let mut pattern = String::with_capacity(path.len());
    for (place, segment) in path.split('/').enumerate().skip(1) {
        pattern.push('/');
        if parameter_name(segment).is_some() {
            write!(pattern, "{{p{place}}}")?;
        } else {
            let plain = !segment.contains(['{', '}', '?', '#', '%', ' ']);
            ensure!(plain, "`{segment}` is neither a plain part of a path nor one parameter");
            pattern.push_str(segment);
        }
    }
    Ok(pattern)
}

/// The router of everything that is served.
///
/// # Errors
///
/// If a path cannot be routed, two endpoints share method and path, or one takes a path of ours.
pub(super) fn router(app: &Arc<App>, endpoints: &[Arc<Endpoint>]) -> anyhow::Result<Router> {
    let mut router = Router::new().without_v07_checks();
    let mut taken = BTreeSet::new();
    for endpoint in endpoints {
        let (method, pattern) = address(endpoint, &mut taken)
            .with_context(|| format!("endpoint `{}`", endpoint.name))?;
        let (app, endpoint) = (Arc::clone(app), Arc::clone(endpoint));
        let answer = move |request: Request| {
            handler::answer(Arc::clone(&app), Arc::clone(&endpoint), request)
        };
        router = router.route(&pattern, on(method, answer));
    }
    let (ready, counters) = (Arc::clone(app), Arc::clone(app));
    let (strayed, mistaken) = (Arc::clone(app), Arc::clone(app));
    let document = openapi::document(endpoints);
    let page = Bytes::from(docs_page::page(&document));
    let document = Bytes::from(serde_json::to_vec_pretty(&document).context("the OpenAPI")?);
    let (measured, listed) = (Arc::clone(app), endpoints.to_vec());
    Ok(router
        .route(LIVE, on(MethodFilter::GET, || async { health::live() }))
        .route(READY, on(MethodFilter::GET, move || health::ready(Arc::clone(&ready))))
        .route(
            COUNTERS,
            on(MethodFilter::GET, move || {
                let answer = health::counters(&counters);
                async { answer }
            }),
        )
        .route(
            METRICS,
            on(MethodFilter::GET, move || {
                let answer = health::metrics(&measured, &listed);
                async { answer }
            }),
        )
        .route(
            OPENAPI,
            on(MethodFilter::GET, move || {
                let answer = health::document(document.clone());
                async { answer }
            }),
        )
        .route(
            DOCS,
            on(MethodFilter::GET, move || {
                let answer = health::page(page.clone());
                async { answer }
            }),
        )
        .fallback(move |request: Request| async move {
            handler::stray(&strayed, request, handler::no_route())
        })
        .method_not_allowed_fallback(move |request: Request| async move {
            handler::stray(&mistaken, request, handler::wrong_method())
        }))
}

fn address(
    endpoint: &Endpoint,
    taken: &mut BTreeSet<(String, String)>,
) -> anyhow::Result<(MethodFilter, String)> {
    let (method, path) = (&endpoint.method, &endpoint.path);
    let pattern = pattern(path)?;
    ensure!(!OURS.contains(&pattern.as_str()), "`{path}` is a path of querylab");
    let known = Method::from_bytes(method.as_bytes()).ok().filter(|method| {
        [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE].contains(method)
    });
    let known = known.with_context(|| format!("method `{method}` is not served"))?;
    let filter = MethodFilter::try_from(known).context("a method that cannot be routed")?;
    let new = taken.insert((method.clone(), pattern.clone()));
    ensure!(new, "another endpoint answers {method} {path} already");
    Ok((filter, pattern))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_lose_their_names_so_that_equal_paths_are_equal() {
        assert_eq!(pattern("/users/{id}").expect("good"), "/users/{p2}");
        assert_eq!(pattern("/users/{email}").expect("good"), "/users/{p2}");
        assert_eq!(pattern("/{a}/:b/*c/").expect("good"), "/{p1}/:b/*c/");
        assert_eq!(pattern("/").expect("good"), "/");
    }

    #[test]
    fn paths_that_the_router_would_panic_on_are_refused() {
        for path in ["", "users", "/{}", "/{*rest}", "/a{b}", "/{a}{b}", "/{", "/a?b", "/a%20"] {
            let made = pattern(path);
            assert!(made.is_err(), "{path} became {made:?}");
        }
    }
}
