//! One request to a declared endpoint: checked, looked up, executed, answered.

use std::sync::Arc;

use axum::body::{Body, HttpBody};
use axum::extract::Request;
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, Uri, header};
use axum::response::Response;
use tokio::time::timeout;

use super::cache::{Found, Key};
use super::counters::CacheUse;
use super::laps::{Laps, Stage};
use super::params::Given;
use super::pool::NoConnection;
use super::problem::HttpProblem;
use super::start::{App, Caching, Endpoint};
use super::statement::{Answer, Failure};

/// Path and query string together, in bytes; the proxy has the same limit.
const LONGEST_URI: usize = 8 * 1024;

/// Names and values of all header fields together, in bytes.
const LARGEST_HEADERS: usize = 32 * 1024;

/// Answers one request; whatever happens, there is an answer and it is counted.
pub(super) async fn answer(app: Arc<App>, endpoint: Arc<Endpoint>, request: Request) -> Response {
    let mut laps = Laps::since(request.extensions().get().copied());
    if let Some(refusal) = refusal(&request) {
        return refused(&app, refusal);
    }
    let (Parts { uri, method, .. }, _) = request.into_parts();
    // The router gives HEAD to whoever answers GET; running a statement for it would be counted as a request.
    if method.as_str() != endpoint.method {
        return refused(&app, wrong_method().into_response());
    }
    app.counters.request();
    let response = match respond(&app, &endpoint, &uri, &mut laps).await {
        Ok(response) => response,
        Err(problem) => {
            if problem.status().is_server_error() {
                app.counters.server_error();
                if app.may_log() {
                    tracing::warn!(endpoint = endpoint.name, ?problem, "a request failed");
                }
            }
            problem.into_response()
        }
    };
    laps.lap(Stage::Serialise);
    app.counters.answered(&laps);
    response
}

/// Counts a request that is answered without the cache and without a statement.
pub(super) fn refused(app: &App, answer: Response) -> Response {
    app.counters.request();
    app.counters.refused();
    answer
}

/// The answer to a request that is refused whatever its path: too long, or with a body that no endpoint takes.
///
/// A body also marks what may be smuggling: with both lengths given the server in front of us and we could disagree on where
/// the next request begins, so the connection is closed.
pub(super) fn refusal(request: &Request) -> Option<Response> {
    let uri = request.uri();
    let length = uri.path_and_query().map_or(0, |path| path.as_str().len());
    if length > LONGEST_URI {
        let detail = "path and query are longer than 8 KiB";
        return Some(
            HttpProblem::new(StatusCode::URI_TOO_LONG, "uri-too-long", detail).into_response(),
        );
    }
    let head: usize =
        request.headers().iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    let empty = request.body().is_end_stream() || request.body().size_hint().exact() == Some(0);
    let problem = if request.headers().contains_key(header::TRANSFER_ENCODING) {
        HttpProblem::new(
            StatusCode::BAD_REQUEST,
            "transfer-encoding",
            "no endpoint takes a chunked body",
        )
    } else if head > LARGEST_HEADERS {
        HttpProblem::new(
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            "headers-too-large",
            "the header fields are larger than 32 KiB",
        )
    } else if !empty {
        HttpProblem::new(StatusCode::PAYLOAD_TOO_LARGE, "body", "no endpoint takes a body")
    } else {
        return None;
    };
    let mut response = problem.into_response();
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    Some(response)
}

/// The path is right, the method is not.
pub(super) fn wrong_method() -> HttpProblem {
    let detail = "the path exists, but not with this method";
    HttpProblem::new(StatusCode::METHOD_NOT_ALLOWED, "wrong-method", detail)
}

async fn respond(
    app: &App,
    endpoint: &Endpoint,
    uri: &Uri,
    laps: &mut Laps,
) -> Result<Response, HttpProblem> {
    let given = endpoint.params.read(uri.path(), uri.query());
    laps.lap(Stage::Routing);
    let given = given.inspect_err(|_| app.counters.refused())?;
    let key = endpoint.cache.as_ref().and_then(|caching| {
        Some((caching, Key::new(&caching.plan, endpoint.statement.sql(), &given)?))
    });
    if let Some((caching, key)) = key {
        return cache_aside(app, endpoint, (caching, &key), &given, laps).await;
    }
    app.counters.cache(CacheUse::Bypass);
    let answer = ask_database(app, endpoint, &given, laps).await?;
    Ok(json(Body::from(answer.body), CacheUse::Bypass))
}

/// Redis, then Postgres, then Redis again. A request is counted once, when Redis' part in it is over.
async fn cache_aside(
    app: &App,
    endpoint: &Endpoint,
    (caching, key): (&Caching, &Key),
    given: &[Given<'_>],
    laps: &mut Laps,
) -> Result<Response, HttpProblem> {
    let found = caching.redis.find(key).await;
    laps.lap(Stage::Cache);
    let (mut part, reachable) = match found {
        Found::Hit(body) => {
            app.counters.cache(CacheUse::Hit);
            return Ok(json(Body::from(body), CacheUse::Hit));
        }
        Found::Nothing => (CacheUse::Miss, true),
        Found::Unusable => (CacheUse::Error, true),
        Found::Unreachable => (CacheUse::Error, false),
    };
    let answer = ask_database(app, endpoint, given, laps).await;
    if let Ok(answer) = &answer {
        // An answer without rows is not stored: the row may be written the next moment.
        let worth = reachable && answer.rows > 0;
        if worth {
            if !caching.redis.store(key, &answer.body, caching.ttl).await {
                part = CacheUse::Error;
            }
            laps.lap(Stage::Cache);
        }
    }
    app.counters.cache(part);
    Ok(json(Body::from(answer?.body), part))
}

/// Leases a connection for one statement. Should the request go away meanwhile, dropping the lease closes the connection.
async fn ask_database(
    app: &App,
    endpoint: &Endpoint,
    given: &[Given<'_>],
    laps: &mut Laps,
) -> Result<Answer, HttpProblem> {
    let lease = app.connections.lease().await;
    laps.lap(Stage::PoolWait);
    let mut lease = lease.map_err(|why| no_connection(app, &why))?;
    let Some(connection) = lease.connection() else {
        return Err(no_connection(app, &NoConnection::Closed));
    };
    app.counters.statement();
    let run = endpoint.statement.run(connection, given, laps);
    let result = timeout(app.statement_deadline, run).await.unwrap_or(Err(Failure::Deadline));
    match result {
        Ok(answer) => {
            lease.give_back();
            Ok(answer)
        }
        Err(failure) => {
            laps.lap(Stage::Query);
            if failure.spares_connection() {
                lease.give_back();
            }
            Err(failure.problem())
        }
    }
}

fn no_connection(app: &App, why: &NoConnection) -> HttpProblem {
    app.counters.unconnected();
    let (kind, detail) = match why {
        NoConnection::Timeout => ("pool-timeout", "no database connection came free in time"),
        NoConnection::Closed => ("stopping", "the API is stopping"),
        NoConnection::Unreachable(error) => {
            if app.may_log() {
                tracing::warn!(%error, "no connection to Postgres");
            }
            ("database-unavailable", "the database cannot be reached")
        }
    };
    HttpProblem::new(StatusCode::SERVICE_UNAVAILABLE, kind, detail)
}

fn json(body: Body, cache: CacheUse) -> Response {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert("x-cache", HeaderValue::from_static(cache.name()));
    response
}
