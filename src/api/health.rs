//! Am I there, can I serve, what have I done: the endpoints that every API process has beside its plan's.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use bytes::Bytes;
use tokio::time::timeout;

use super::problem::HttpProblem;
use super::start::{App, Endpoint};
use super::{docs_page, metrics};

/// Readiness that takes longer is no readiness.
const READY_WITHIN: Duration = Duration::from_secs(2);

/// The process answers.
pub(super) fn live() -> Response {
    plain(b"{\"status\":\"live\"}".to_vec())
}

/// Postgres answers a query, and Redis, where there is one, a PING.
pub(super) async fn ready(app: Arc<App>) -> Response {
    let not = |kind, detail| {
        HttpProblem::new(StatusCode::SERVICE_UNAVAILABLE, kind, detail).into_response()
    };
    if !timeout(READY_WITHIN, postgres_answers(&app)).await.unwrap_or(false) {
        return not("postgres-not-ready", "Postgres does not answer");
    }
    if let Some(redis) = &app.redis
        && !timeout(READY_WITHIN, redis.ping()).await.unwrap_or(false)
    {
        return not("redis-not-ready", "Redis does not answer");
    }
    plain(b"{\"status\":\"ready\"}".to_vec())
}

async fn postgres_answers(app: &App) -> bool {
    let Ok(lease) = app.connections.lease().await else { return false };
    let answers = match lease.session() {
        Some(session) => session.answers().await,
        None => false,
    };
    if answers {
        lease.give_back();
    }
    answers
}

/// The counters as JSON.
pub(super) fn counters(app: &App) -> Response {
    serde_json::to_vec(&app.counters.read()).map_or_else(
        |_| {
            HttpProblem::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "counters",
                "the counters cannot be written",
            )
            .into_response()
        },
        plain,
    )
}

/// The metrics, in Prometheus' text format.
pub(super) fn metrics(app: &App, endpoints: &[Arc<Endpoint>]) -> Response {
    let mut response = plain(metrics::exposition(app, endpoints).into_bytes());
    let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

/// The endpoints as a document for programs.
pub(super) fn document(json: Bytes) -> Response {
    plain(json)
}

/// The documentation page.
pub(super) fn page(html: Bytes) -> Response {
    let mut response = plain(html);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(docs_page::POLICY));
    response
}

fn plain(body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
