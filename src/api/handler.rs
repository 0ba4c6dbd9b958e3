//! One request to a declared endpoint: checked, looked up, executed, answered.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use tokio::time::timeout;

use super::cache::{Found, Key};
use super::counters::CacheUse;
use super::failure::Failure;
use super::intake::{self, Takes};
use super::laps::{Laps, Stage};
use super::param::Given;
use super::params::Sent;
use super::pool::NoConnection;
use super::problem::HttpProblem;
use super::start::{App, Caching, Endpoint};
use super::statement::Answer;

/// Answers one request; whatever happens, there is an answer and it is counted.
pub(super) async fn answer(app: Arc<App>, endpoint: Arc<Endpoint>, request: Request) -> Response {
    let mut laps = Laps::since(request.extensions().get().copied());
    if let Some(refusal) = intake::refusal(&request, endpoint.takes) {
        return refused(&app, refusal);
    }
    let (Parts { uri, method, .. }, body) = request.into_parts();
    // The router gives HEAD to whoever answers GET; running a statement for it would be counted as a request.
    if method.as_str() != endpoint.method {
        return refused(&app, wrong_method().into_response());
    }
    let body = match endpoint.takes {
        Takes::Nothing => Vec::new(),
        Takes::Json => match intake::whole(body).await {
            Ok(body) => body,
            Err(refusal) => return refused(&app, refusal),
        },
    };
    app.counters.request();
    let sent = Sent { path: uri.path(), query: uri.query(), body: &body };
    let response = match respond(&app, &endpoint, sent, &mut laps).await {
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

/// The path is right, the method is not.
pub(super) fn wrong_method() -> HttpProblem {
    let detail = "the path exists, but not with this method";
    HttpProblem::new(StatusCode::METHOD_NOT_ALLOWED, "wrong-method", detail)
}

async fn respond(
    app: &App,
    endpoint: &Endpoint,
    sent: Sent<'_>,
    laps: &mut Laps,
) -> Result<Response, HttpProblem> {
    let given = endpoint.params.read(sent);
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
