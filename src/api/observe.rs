//! What is noted of every request, and what its answer tells about itself: name, times, a line in the log.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::{Body, HttpBody};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use axum::response::Response;
use bytes::Bytes;
use hyper::body::Frame;
use tokio::time::Instant;

use super::counters::CacheUse;
use super::laps::{Laps, STAGES, Stage};
use super::request_id::{self, RequestId};
use super::request_log::Entry;
use super::start::{App, Endpoint};

const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

const X_CACHE: HeaderName = HeaderName::from_static("x-cache");

/// The stages as `Server-Timing` calls them.
const STAGE_NAMES: [&str; STAGES] = ["routing", "pool", "cache", "query", "serialise"];

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A request is answered.
    Request,
    /// An entry of the cache is renewed; nobody waits for it.
    Renewal,
}

/// A request on its way: what is known of it at its end.
pub(super) struct Course {
    /// Where its time went.
    pub(super) laps: Laps,
    /// The cache's part in it.
    cache: CacheUse,
    /// Statements sent for it.
    statements: u32,
    kind: Kind,
    id: RequestId,
    arrived: Instant,
}

impl Course {
    /// Begins when the request's head was there.
    pub(super) fn of(app: &App, request: &Parts) -> Self {
        let laps = Laps::since(request.extensions.get().copied());
        Self::begin(Kind::Request, laps, app.ids.name(&request.headers))
    }

    /// Begins now, behind the back of the request that found the entry.
    pub(super) fn renewal(app: &App) -> Self {
        Self::begin(Kind::Renewal, Laps::since(None), app.ids.name(&HeaderMap::new()))
    }

    fn begin(kind: Kind, laps: Laps, id: RequestId) -> Self {
        Self { arrived: laps.began(), laps, cache: CacheUse::Bypass, statements: 0, kind, id }
    }

    /// Whether somebody waits for it.
    pub(super) fn is_request(&self) -> bool {
        self.kind == Kind::Request
    }

    /// A statement is about to be sent.
    pub(super) fn statement(&mut self, app: &App) {
        self.statements += 1;
        app.counters.statement();
        if self.kind == Kind::Renewal {
            app.counters.renewal();
        }
    }

    /// The cache's part is settled.
    pub(super) fn settle(&mut self, app: &App, part: CacheUse) {
        app.counters.cache(part);
        self.cache = part;
    }

    /// Notes the request and has its answer tell about itself.
    pub(super) fn end(
        mut self,
        app: &Arc<App>,
        endpoint: Option<&Arc<Endpoint>>,
        (method, uri): (&Method, &Uri),
        mut response: Response,
    ) -> Response {
        self.laps.lap(Stage::Serialise);
        let spent = self.laps.spent_ns();
        let status = response.status().as_u16();
        let headers = response.headers_mut();
        headers.insert(request_id::FIELD, self.id.header());
        headers.insert(SERVER_TIMING, server_timing(&spent));
        if endpoint.is_some() {
            headers.insert(X_CACHE, HeaderValue::from_static(self.cache.name()));
        }
        let needs_path = endpoint.is_none_or(|endpoint| !endpoint.path_params.is_empty());
        let entry = Entry {
            arrived: self.arrived,
            id: self.id,
            endpoint: endpoint.cloned(),
            method: method.clone(),
            path: needs_path.then(|| uri.path().into()),
            query: uri.query().map(Into::into),
            query_ns: spent[Stage::Query as usize],
            cache: self.cache,
            statements: self.statements,
            status,
            bytes: 0,
        };
        let size = response.body().size_hint();
        if let Some(bytes) = size.exact() {
            note(app, Entry { bytes, ..entry }, spent.iter().sum());
            return response;
        }
        // An answer that is still being made is noted when it has been sent.
        let body = std::mem::take(response.body_mut());
        let noted = Noted { body, app: Arc::clone(app), entry: Some(entry), bytes: 0 };
        *response.body_mut() = Body::new(noted);
        response
    }
}

/// The request is over: it counts, and gets its line.
fn note(app: &App, entry: Entry, ns: u64) {
    let times = entry.endpoint.as_ref().map_or(&app.strays, |endpoint| &endpoint.times);
    times.record(entry.status, ns);
    if let Some(log) = &app.log {
        log.push(entry);
    }
}

/// A body that is noted at its end, however that comes.
struct Noted {
    body: Body,
    app: Arc<App>,
    entry: Option<Entry>,
    bytes: u64,
}

impl HttpBody for Noted {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        if let Poll::Ready(Some(Ok(frame))) = &frame
            && let Some(data) = frame.data_ref()
        {
            self.bytes += data.len() as u64;
        }
        frame
    }
}

impl Drop for Noted {
    fn drop(&mut self) {
        if let Some(entry) = self.entry.take() {
            // The statement ran for as long as its rows were sent.
            let ns = u64::try_from(entry.arrived.elapsed().as_nanos()).unwrap_or(u64::MAX);
            note(&self.app, Entry { bytes: self.bytes, query_ns: ns, ..entry }, ns);
        }
    }
}

/// `routing;dur=0.012, pool;dur=0.001, …`, in milliseconds.
fn server_timing(spent_ns: &[u64; STAGES]) -> HeaderValue {
    let mut text = Vec::with_capacity(112);
    for (name, ns) in STAGE_NAMES.iter().zip(spent_ns) {
        if !text.is_empty() {
            text.extend_from_slice(b", ");
        }
        text.extend_from_slice(name.as_bytes());
        text.extend_from_slice(b";dur=");
        milliseconds(ns / 1000, &mut text);
    }
    // Letters, digits and signs are always a value.
    HeaderValue::from_maybe_shared(Bytes::from(text))
        .unwrap_or_else(|_| HeaderValue::from_static("total"))
}

/// Microseconds as milliseconds with three digits behind the point.
fn milliseconds(micros: u64, text: &mut Vec<u8>) {
    // Twenty digits are the most that a u64 has.
    let mut digits = [b'0'; 24];
    let mut at = digits.len();
    let mut rest = micros;
    while rest > 0 || digits.len() - at < 4 {
        at -= 1;
        digits[at] = b"0123456789"[usize::try_from(rest % 10).unwrap_or(0)];
        rest /= 10;
    }
    let point = digits.len() - 3;
    text.extend_from_slice(&digits[at..point]);
    text.push(b'.');
    text.extend_from_slice(&digits[point..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_milliseconds_with_their_fraction() {
        let text = |micros| {
            let mut text = Vec::new();
            milliseconds(micros, &mut text);
            String::from_utf8(text).expect("ASCII")
        };
        for (micros, wanted) in
            [(0, "0.000"), (7, "0.007"), (1000, "1.000"), (1_234_567, "1234.567")]
        {
            assert_eq!(text(micros), wanted);
        }
        assert_eq!(text(u64::MAX), "18446744073709551.615");
        let header = server_timing(&[12_345, 0, 999, 1_000_000, 1_000]);
        assert_eq!(
            header,
            "routing;dur=0.012, pool;dur=0.000, cache;dur=0.000, query;dur=1.000, serialise;dur=0.001"
        );
    }
}
