//! What a request that is refused or failed gets: RFC 9457 problem details. They name a parameter, never its value.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use serde::Serialize;

const NO_ROW: &str = "no-row";

/// A refusal or a failure, to be answered with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct HttpProblem {
    status: StatusCode,
    kind: &'static str,
    detail: &'static str,
    param: Option<Box<str>>,
    sqlstate: Option<Box<str>>,
}

#[derive(Serialize)]
struct Body9457<'a> {
    r#type: String,
    title: &'a str,
    status: u16,
    detail: &'a str,
    kind: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    param: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sqlstate: Option<&'a str>,
}

impl HttpProblem {
    /// A problem of this status; `kind` is for programs, `detail` for people.
    pub(super) fn new(status: StatusCode, kind: &'static str, detail: &'static str) -> Self {
        Self { status, kind, detail, param: None, sqlstate: None }
    }

    /// The author of the request got a parameter wrong.
    pub(super) fn parameter(name: &str, detail: &'static str) -> Self {
        let mut problem = Self::new(StatusCode::BAD_REQUEST, "invalid-parameter", detail);
        // A name that we declared is short; one that a stranger sent is not ours to repeat at length.
        let shown: String = name.chars().filter(|c| !c.is_control()).take(48).collect();
        problem.param = Some(shown.into());
        problem
    }

    /// The only row was asked for, and there is none.
    pub(super) fn no_row() -> Self {
        Self::new(StatusCode::NOT_FOUND, NO_ROW, "there is no such row")
    }

    /// Whether it is that.
    pub(super) fn is_no_row(&self) -> bool {
        self.kind == NO_ROW
    }

    /// With the five characters by which Postgres classifies the error.
    pub(super) fn sqlstate(mut self, code: &str) -> Self {
        self.sqlstate = Some(code.into());
        self
    }

    /// What it says to people.
    pub(super) fn detail(&self) -> &'static str {
        self.detail
    }

    /// Its status.
    pub(super) fn status(&self) -> StatusCode {
        self.status
    }

    /// The answer.
    pub(super) fn into_response(self) -> Response {
        let body = Body9457 {
            r#type: format!("urn:querylab:problem:{}", self.kind),
            title: self.status.canonical_reason().unwrap_or("Problem"),
            status: self.status.as_u16(),
            detail: self.detail,
            kind: self.kind,
            param: self.param.as_deref(),
            sqlstate: self.sqlstate.as_deref(),
        };
        // Strings and a number always serialise; an empty body is what is left if they ever do not.
        let bytes = serde_json::to_vec(&body).unwrap_or_default();
        let mut response = Response::new(Body::from(bytes));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stranger_s_parameter_name_is_cut_and_cleaned() {
        let long = "x\r\n".repeat(100);
        let problem = HttpProblem::parameter(&long, "unknown parameter");
        assert_eq!(problem.param.as_deref(), Some("x".repeat(48).as_str()));
    }

    #[test]
    fn only_an_answer_of_503_says_when_to_come_back() {
        let response =
            |status| HttpProblem::new(status, "kind", "detail").into_response().into_parts().0;
        let busy = response(StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(busy.headers[header::RETRY_AFTER], "1");
        assert_eq!(busy.headers[header::CONTENT_TYPE], "application/problem+json");
        let wrong = response(StatusCode::BAD_REQUEST);
        assert!(!wrong.headers.contains_key(header::RETRY_AFTER));
    }
}
