//! One request to a declared endpoint: checked, looked up, executed, answered.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use bytes::Bytes;
use tokio::time::timeout;

use super::cache_key::Key;
use super::counters::CacheUse;
use super::failure::Failure;
use super::intake::{self, Takes};
use super::laps::Stage;
use super::observe::Course;
use super::param::Given;
use super::params::Sent;
use super::pool::{Lease, NoConnection};
use super::problem::HttpProblem;
use super::start::{App, Endpoint};
use super::statement::Answer;
use super::{caching, streaming, writing};
use crate::spec::AnswerShape;

const NEXT_CURSOR: HeaderName = HeaderName::from_static("x-next-cursor");

/// Answers one request; whatever happens, there is an answer, and it is counted and noted.
pub(super) async fn answer(app: Arc<App>, endpoint: Arc<Endpoint>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let mut course = Course::of(&app, &head);
    let response = match accepted(&endpoint, &head, body).await {
        Err(refusal) => refused(&app, refusal),
        Ok(body) => {
            app.counters.request();
            let sent = Sent { path: head.uri.path(), query: head.uri.query(), body: &body };
            let response = match respond(&app, &endpoint, sent, &mut course).await {
                Ok(response) => response,
                Err(problem) => failed(&app, &endpoint, problem),
            };
            course.laps.lap(Stage::Serialise);
            app.counters.answered(&course.laps);
            response
        }
    };
    course.end(&app, Some(&endpoint), (&head.method, &head.uri), response)
}

/// The body of a request that may be thought about; else the answer to it.
async fn accepted(endpoint: &Endpoint, head: &Parts, body: Body) -> Result<Vec<u8>, Response> {
    if let Some(refusal) = intake::refusal(head, &body, endpoint.takes) {
        return Err(refusal);
    }
    // The router gives HEAD to whoever answers GET; running a statement for it would be counted as a request.
    if head.method.as_str() != endpoint.method {
        return Err(wrong_method().into_response());
    }
    match endpoint.takes {
        Takes::Nothing => Ok(Vec::new()),
        Takes::Json => intake::whole(body).await,
    }
}

fn failed(app: &App, endpoint: &Endpoint, problem: HttpProblem) -> Response {
    if problem.status().is_server_error() {
        app.counters.server_error();
        if app.may_log() {
            tracing::warn!(endpoint = endpoint.name, ?problem, "a request failed");
        }
    }
    problem.into_response()
}

/// Answers a request that no endpoint is for, unless it is refused for what it is.
pub(super) fn stray(app: &Arc<App>, request: Request, problem: HttpProblem) -> Response {
    let (head, body) = request.into_parts();
    let course = Course::of(app, &head);
    let answer = intake::refusal(&head, &body, Takes::Nothing);
    let response = refused(app, answer.unwrap_or_else(|| problem.into_response()));
    course.end(app, None, (&head.method, &head.uri), response)
}

/// Counts a request that is answered without the cache and without a statement.
fn refused(app: &App, answer: Response) -> Response {
    app.counters.request();
    app.counters.refused();
    answer
}

/// The path is right, the method is not.
pub(super) fn wrong_method() -> HttpProblem {
    let detail = "the path exists, but not with this method";
    HttpProblem::new(StatusCode::METHOD_NOT_ALLOWED, "wrong-method", detail)
}

/// There is no such path.
pub(super) fn no_route() -> HttpProblem {
    HttpProblem::new(StatusCode::NOT_FOUND, "no-route", "there is no such path")
}

async fn respond(
    app: &Arc<App>,
    endpoint: &Arc<Endpoint>,
    sent: Sent<'_>,
    course: &mut Course,
) -> Result<Response, HttpProblem> {
    let given = endpoint.params.read(sent);
    course.laps.lap(Stage::Routing);
    let given = given.inspect_err(|_| app.counters.refused())?;
    let key = endpoint.cache.as_ref().and_then(|caching| {
        Some((caching, Key::new(&caching.plan, endpoint.statement.sql(), &given)?))
    });
    if let Some(cached) = key {
        let body = caching::answer(app, endpoint, cached, &given, course).await?;
        return Ok(page(endpoint, sent, body));
    }
    course.settle(app, CacheUse::Bypass);
    if endpoint.statement.shape() == AnswerShape::Lines {
        return streaming::answer(app, endpoint, &given, course).await;
    }
    let answer = if endpoint.writes.is_empty() {
        ask_database(app, endpoint, &given, course).await?
    } else {
        writing::answer(app, endpoint, &given, course).await?
    };
    Ok(page(endpoint, sent, answer.body.into()))
}

/// Why the database gave no answer.
pub(super) enum Unanswered {
    /// It was not asked.
    Unasked(HttpProblem),
    /// It was.
    Failed(Failure),
}

/// What a statement without an answer may have written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// Nothing, and it will not.
    Nothing,
    /// All that it does: it is over.
    Whole,
    /// Anything, and it may still be at work.
    Unknown,
}

impl Unanswered {
    /// What was written.
    pub(super) fn effect(&self) -> Effect {
        match self {
            Self::Unasked(_) => Effect::Nothing,
            Self::Failed(failure) if failure.is_refusal() => Effect::Nothing,
            Self::Failed(failure) if failure.spares_connection() => Effect::Whole,
            Self::Failed(_) => Effect::Unknown,
        }
    }

    /// What the client is told.
    pub(super) fn problem(self) -> HttpProblem {
        match self {
            Self::Unasked(problem) => problem,
            Self::Failed(failure) => failure.problem(),
        }
    }
}

/// As [`try_database`], for who only answers the client.
pub(super) async fn ask_database(
    app: &App,
    endpoint: &Endpoint,
    given: &[Given<'_>],
    course: &mut Course,
) -> Result<Answer, HttpProblem> {
    try_database(app, endpoint, given, course).await.map_err(Unanswered::problem)
}

/// Leases a connection for one statement, and counts it. Should the request go away meanwhile, dropping the lease sees to it that
/// nobody gets the old answer.
pub(super) async fn try_database(
    app: &App,
    endpoint: &Endpoint,
    given: &[Given<'_>],
    course: &mut Course,
) -> Result<Answer, Unanswered> {
    let lease = lease(app, course).await.map_err(Unanswered::Unasked)?;
    let Some(session) = lease.session() else {
        let problem = no_connection(app, &NoConnection::Closed, course);
        return Err(Unanswered::Unasked(problem));
    };
    course.statement(app);
    let run = endpoint.statement.run(session, given, &mut course.laps);
    let result = timeout(app.statement_deadline, run).await.unwrap_or(Err(Failure::Deadline));
    match result {
        Ok(answer) => {
            lease.give_back();
            Ok(answer)
        }
        Err(failure) => {
            course.laps.lap(Stage::Query);
            if failure.spares_connection() {
                lease.give_back();
            } else if failure.spoils_session() {
                lease.retire();
            }
            Err(Unanswered::Failed(failure))
        }
    }
}

/// A connection from the pool.
pub(super) async fn lease(app: &App, course: &mut Course) -> Result<Lease, HttpProblem> {
    let lease = app.connections.lease().await;
    course.laps.lap(Stage::PoolWait);
    lease.map_err(|why| no_connection(app, &why, course))
}

fn no_connection(app: &App, why: &NoConnection, course: &Course) -> HttpProblem {
    if course.is_request() {
        app.counters.unconnected(why.kind());
    }
    let (kind, detail) = match why {
        NoConnection::Timeout => ("pool-timeout", "no database connection came free in time"),
        NoConnection::Full => ("pool-full", "too many requests wait for a database connection"),
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

/// An answer, and where the next page begins if it is one of several.
fn page(endpoint: &Endpoint, sent: Sent<'_>, body: Bytes) -> Response {
    let next = endpoint.params.cursor().and_then(|cursor| cursor.next(&body));
    let mut response = Response::new(Body::from(body));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let Some(next) = next else { return response };
    let pairs = sent.query.unwrap_or_default().split('&');
    let others = pairs.filter(|pair| !pair.is_empty() && !pair.starts_with("cursor="));
    let query: Vec<&str> = others.collect();
    let separator = if query.is_empty() { "" } else { "&" };
    let link = format!("<{}?{}{separator}cursor={next}>; rel=\"next\"", sent.path, query.join("&"));
    // What came as a URI and hexadecimal digits are always a value.
    if let (Ok(link), Ok(next)) = (HeaderValue::from_str(&link), HeaderValue::from_str(&next)) {
        headers.insert(header::LINK, link);
        headers.insert(NEXT_CURSOR, next);
    }
    response
}
