//! Rows as lines, sent while they come: a million of them take no more memory than a few hundred.
//!
//! A task of its own reads rows and fills chunks; a few of them wait for the client, and when they do, Postgres does too.
//! What goes wrong before the first chunk is a problem like any other. After it the status is gone: the answer breaks off
//! without its last chunk, which every client sees.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::failure::Failure;
use super::handler::lease;
use super::laps::Stage;
use super::observe::Course;
use super::param::Given;
use super::pool::Lease;
use super::problem::HttpProblem;
use super::start::{App, Endpoint};

/// Pieces that wait for the client.
const PIECES: usize = 4;

/// JSON, one object a line.
pub(super) const LINES: &str = "application/x-ndjson";

/// A proxy that collects the answer would collect all of it.
const UNBUFFERED: HeaderName = HeaderName::from_static("x-accel-buffering");

/// A piece of the answer. One that ends without its end has broken off.
enum Piece {
    Lines(Bytes),
    End,
    Failed(HttpProblem),
}

/// The head of the answer, with a body that goes on.
pub(super) async fn answer(
    app: &Arc<App>,
    endpoint: &Arc<Endpoint>,
    given: &[Given<'_>],
    course: &mut Course,
) -> Result<Response, HttpProblem> {
    let lease = lease(app, course).await?;
    course.statement(app);
    let (sender, mut pieces) = mpsc::channel(PIECES);
    let given: Vec<Given<'static>> = given.iter().map(Given::owned).collect();
    tokio::spawn(pump(Arc::clone(app), Arc::clone(endpoint), given, lease, sender));
    // The task has a deadline and then goes, and so does the channel.
    let first = pieces.recv().await;
    course.laps.lap(Stage::Query);
    if let Some(Piece::Failed(problem)) = first {
        return Err(problem);
    }
    let rest = Rest { app: Arc::clone(app), next: first, pieces };
    let mut response = Response::new(Body::from_stream(stream::unfold(rest, Rest::next)));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(LINES));
    headers.insert(UNBUFFERED, HeaderValue::from_static("no"));
    Ok(response)
}

/// What is still to be sent.
struct Rest {
    app: Arc<App>,
    next: Option<Piece>,
    pieces: mpsc::Receiver<Piece>,
}

impl Rest {
    async fn next(mut self) -> Option<(std::io::Result<Bytes>, Self)> {
        let piece = match self.next.take() {
            Some(piece) => Some(piece),
            None => self.pieces.recv().await,
        };
        let broken = match piece {
            Some(Piece::End) => return None,
            Some(Piece::Lines(lines)) => return Some((Ok(lines), self)),
            Some(Piece::Failed(problem)) => problem.detail(),
            None => "the answer broke off",
        };
        self.app.counters.server_error();
        Some((Err(std::io::Error::other(broken)), self))
    }
}

/// Reads rows until they end, the client goes, or it takes too long.
async fn pump(
    app: Arc<App>,
    endpoint: Arc<Endpoint>,
    given: Vec<Given<'static>>,
    lease: Lease,
    sender: mpsc::Sender<Piece>,
) {
    let Some(session) = lease.session() else { return };
    let limit = app.statement_deadline;
    let lines = endpoint.statement.lines(session, &given, |lines| send(&sender, lines));
    let result = timeout(limit, lines).await.unwrap_or(Err(Failure::Deadline));
    // Nobody may be there any more to be told; and a channel that is full says it by ending without its end.
    match result {
        Ok(()) => {
            lease.give_back();
            drop(timeout(limit, sender.send(Piece::End)).await);
        }
        Err(failure) => {
            if failure.spares_connection() {
                lease.give_back();
            }
            drop(sender.try_send(Piece::Failed(failure.problem())));
        }
    }
}

async fn send(sender: &mpsc::Sender<Piece>, lines: Vec<u8>) -> Result<(), Failure> {
    sender.send(Piece::Lines(lines.into())).await.map_err(|_| Failure::Gone)
}
