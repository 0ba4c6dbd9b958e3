//! What a request may be before anybody asks what it wants: its size, its body, and how long that may take to arrive.

use std::future::poll_fn;
use std::pin::Pin;
use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use tokio::time::timeout;

use super::problem::HttpProblem;

/// Path and query string together, in bytes; the proxy has the same limit.
const LONGEST_URI: usize = 8 * 1024;

/// Names and values of all header fields together, in bytes.
const LARGEST_HEADERS: usize = 32 * 1024;

/// 10 MiB, which is what the proxy calls `10m`.
pub(super) const LARGEST_BODY: usize = 10 * 1024 * 1024;

/// From the head to the last byte of the body.
const BODY_WITHIN: Duration = Duration::from_mins(1);

/// Whether an endpoint takes a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Takes {
    /// No body, not even an empty JSON object.
    Nothing,
    /// A JSON object.
    Json,
}

/// The answer to a request that is refused whatever its path: too long, or with a body that nobody there takes.
///
/// A body also marks what may be smuggling: with both lengths given the server in front of us and we could disagree on where
/// the next request begins, so the connection is closed.
pub(super) fn refusal(request: &Parts, body: &Body, takes: Takes) -> Option<Response> {
    let length = request.uri.path_and_query().map_or(0, |path| path.as_str().len());
    if length > LONGEST_URI {
        let detail = "path and query are longer than 8 KiB";
        return Some(
            HttpProblem::new(StatusCode::URI_TOO_LONG, "uri-too-long", detail).into_response(),
        );
    }
    let headers = &request.headers;
    let head: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    let problem = if headers.contains_key(header::TRANSFER_ENCODING) {
        let detail = "no endpoint takes a chunked body: send its length";
        HttpProblem::new(StatusCode::BAD_REQUEST, "transfer-encoding", detail)
    } else if head > LARGEST_HEADERS {
        HttpProblem::new(
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            "headers-too-large",
            "the header fields are larger than 32 KiB",
        )
    } else {
        wrong_body(headers, body, takes)?
    };
    Some(closing(problem))
}

fn wrong_body(headers: &HeaderMap, body: &Body, takes: Takes) -> Option<HttpProblem> {
    match takes {
        Takes::Nothing if body.is_end_stream() || body.size_hint().exact() == Some(0) => None,
        Takes::Nothing => {
            let detail = "no endpoint takes a body";
            Some(HttpProblem::new(StatusCode::PAYLOAD_TOO_LARGE, "body", detail))
        }
        Takes::Json if body.size_hint().lower() > LARGEST_BODY as u64 => Some(too_large()),
        Takes::Json if !is_json(headers) => {
            let detail = "the body must be application/json";
            Some(HttpProblem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "media-type", detail))
        }
        Takes::Json => None,
    }
}

/// What is not read to its end ends the connection: the rest of a body would be taken for the next request.
fn closing(problem: HttpProblem) -> Response {
    let mut response = problem.into_response();
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

fn is_json(headers: &HeaderMap) -> bool {
    let stated = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let kind = stated.and_then(|stated| stated.split(';').next()).unwrap_or_default();
    kind.trim().eq_ignore_ascii_case("application/json")
}

fn too_large() -> HttpProblem {
    let detail = "the body is larger than 10 MiB";
    HttpProblem::new(StatusCode::PAYLOAD_TOO_LARGE, "body-too-large", detail)
}

/// The whole body, within its limit and its time.
///
/// # Errors
///
/// The answer to give where it is too large, too slow, or does not arrive whole.
pub(super) async fn whole(body: Body) -> Result<Vec<u8>, Response> {
    let read = timeout(BODY_WITHIN, collect(body)).await;
    let late = || {
        let detail = "the body did not arrive within 60 s";
        HttpProblem::new(StatusCode::REQUEST_TIMEOUT, "body-too-slow", detail)
    };
    read.unwrap_or_else(|_| Err(late())).map_err(closing)
}

async fn collect(mut body: Body) -> Result<Vec<u8>, HttpProblem> {
    let expected = usize::try_from(body.size_hint().lower()).unwrap_or(0).min(LARGEST_BODY);
    let mut bytes = Vec::with_capacity(expected);
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        let broken = |_| {
            let detail = "the body did not arrive whole";
            HttpProblem::new(StatusCode::BAD_REQUEST, "body-broken", detail)
        };
        // Trailers are no data, and nobody here wants them.
        let Ok(data) = frame.map_err(broken)?.into_data() else { continue };
        if bytes.len() + data.len() > LARGEST_BODY {
            return Err(too_large());
        }
        bytes.extend_from_slice(&data);
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use axum::extract::Request;

    use super::*;

    fn posted(kind: &str, body: Vec<u8>) -> Request {
        let request = Request::post("/things").header(header::CONTENT_TYPE, kind);
        request.body(Body::from(body)).expect("a request")
    }

    fn status(request: Request, takes: Takes) -> Option<u16> {
        let (head, body) = request.into_parts();
        refusal(&head, &body, takes).map(|answer| answer.status().as_u16())
    }

    #[test]
    fn a_body_is_json_and_within_its_limit() {
        let json = "Application/JSON; charset=utf-8";
        assert_eq!(status(posted(json, vec![b' '; LARGEST_BODY]), Takes::Json), None);
        assert_eq!(status(posted(json, vec![b' '; LARGEST_BODY + 1]), Takes::Json), Some(413));
        assert_eq!(status(posted("text/plain", vec![]), Takes::Json), Some(415));
        assert_eq!(status(posted(json, vec![]), Takes::Nothing), None);
        assert_eq!(status(posted(json, vec![b'x']), Takes::Nothing), Some(413));
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_does_not_come_is_not_waited_for() {
        let never = futures_util::stream::pending::<Result<bytes::Bytes, std::io::Error>>();
        let late = whole(Body::from_stream(never)).await.expect_err("late");
        assert_eq!(late.status(), 408);
        let endless = futures_util::stream::repeat_with(|| {
            Ok::<_, std::io::Error>(bytes::Bytes::from_static(&[b' '; 8192]))
        });
        let large = whole(Body::from_stream(endless)).await.expect_err("too large");
        assert_eq!(
            (large.status().as_u16(), &large.headers()["connection"]),
            (413, &HeaderValue::from_static("close"))
        );
        let whole = whole(Body::from("{}")).await.expect("whole");
        assert_eq!(whole, b"{}");
    }
}
