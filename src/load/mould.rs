//! What requests look like on the wire: what all of a kind have in common, and what one of them adds.

use std::io::Write as _;

use super::answer::Body;
use super::check::Judge;
use super::fault::Fault;
use crate::plan::{AnswerPlan, TargetPlan};

/// A longer request line is no request.
const LARGEST_REQUEST: usize = 64 << 10;

/// What each request says beside its method, its URI and its host.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Extras {
    /// Header fields, name and value, as they go out.
    pub fields: Vec<(String, String)>,
    /// The body; where it is empty, there is none.
    pub body: Vec<u8>,
}

/// What all requests of a kind have in common.
#[derive(Debug)]
pub(super) struct Mould {
    before_uri: Vec<u8>,
    /// Up to the end of the head, or to the length of a body that is drawn.
    after_uri: Vec<u8>,
    content: Content,
    pub(super) is_head: bool,
    pub(super) body: Body,
}

/// Where a request's body is from.
#[derive(Debug)]
enum Content {
    /// All requests have this one; an empty one is none.
    Same(Vec<u8>),
    /// Each has its own.
    Drawn,
}

/// One request, and whose lines are read from its answer.
#[derive(Clone, Copy)]
pub(super) struct Ask<'a> {
    pub(super) mould: &'a Mould,
    pub(super) uri: &'a str,
    /// Its own body, where the mould leaves that to it.
    pub(super) body: &'a str,
    /// Where the answer comes in lines: what they should be, and what was asked for.
    pub(super) lines: Option<(&'a TargetPlan, &'a [(String, String)])>,
}

impl Mould {
    /// Requests without a body of this method, to this host.
    pub(super) fn new(method: &str, host: &str, body: Body) -> Self {
        Self::with(method, host, &Extras::default(), body)
    }

    /// Requests to a target of the plan; with a body of their own where the target has one.
    pub(super) fn of(target: &TargetPlan, host: &str, extras: &Extras, judge: Judge) -> Self {
        let body = match (judge, target.answer) {
            (Judge::Status, _) => Body::Counted,
            (Judge::Plan, AnswerPlan::Lines) => Body::Lines,
            (Judge::Plan, AnswerPlan::Rows | AnswerPlan::Row) => Body::Kept,
        };
        if target.body.is_empty() {
            return Self::with(&target.method, host, extras, body);
        }
        let json = ("Content-Type".to_owned(), "application/json".to_owned());
        let (mut mould, length) = (Self::bare(&target.method, host, body), "Content-Length: ");
        mould.say(&[json]);
        mould.say(&extras.fields);
        mould.after_uri.extend_from_slice(length.as_bytes());
        mould.content = Content::Drawn;
        mould
    }

    /// Requests of this method, to this host, with these extras.
    pub(super) fn with(method: &str, host: &str, extras: &Extras, body: Body) -> Self {
        // Where a body is usual, its absence is said.
        let is_bare = matches!(method, "GET" | "HEAD" | "DELETE" | "OPTIONS");
        let mut mould = Self::bare(method, host, body);
        if !is_bare || !extras.body.is_empty() {
            let length = ("Content-Length".to_owned(), extras.body.len().to_string());
            mould.say(&[length]);
        }
        mould.say(&extras.fields);
        mould.after_uri.extend_from_slice(b"\r\n");
        mould.content = Content::Same(extras.body.clone());
        mould
    }

    fn bare(method: &str, host: &str, body: Body) -> Self {
        Self {
            before_uri: format!("{method} ").into_bytes(),
            after_uri: format!(" HTTP/1.1\r\nHost: {host}\r\n").into_bytes(),
            content: Content::Same(Vec::new()),
            is_head: method == "HEAD",
            body,
        }
    }

    fn say(&mut self, fields: &[(String, String)]) {
        for (name, value) in fields {
            self.after_uri.extend(format!("{name}: {value}\r\n").into_bytes());
        }
    }
}

impl<'a> Ask<'a> {
    /// A request that is no more than its URI.
    pub(super) fn plain(mould: &'a Mould, uri: &'a str) -> Self {
        Self { mould, uri, body: "", lines: None }
    }

    /// The body that goes out behind the head.
    pub(super) fn content(&self) -> &'a [u8] {
        match &self.mould.content {
            Content::Same(bytes) => bytes,
            Content::Drawn => self.body.as_bytes(),
        }
    }

    /// Writes the head.
    ///
    /// # Errors
    ///
    /// If the URI cannot be written.
    pub(super) fn cast(&self, out: &mut Vec<u8>) -> Result<(), Fault> {
        let (mould, uri) = (self.mould, self.uri);
        // A space would end the URI, a control character the line.
        let is_clean = uri.bytes().all(|byte| byte > b' ' && byte != 0x7f);
        if !is_clean || uri.len() > LARGEST_REQUEST {
            return Err(Fault::BadRequest);
        }
        out.clear();
        out.extend_from_slice(&mould.before_uri);
        out.extend_from_slice(uri.as_bytes());
        out.extend_from_slice(&mould.after_uri);
        match mould.content {
            Content::Same(_) => Ok(()),
            Content::Drawn => {
                write!(out, "{}\r\n\r\n", self.body.len()).map_err(|_| Fault::BadRequest)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::fixtures::example;
    use crate::plan::{MemberForm, MemberPlan};

    fn head(mould: &Mould, body: &str) -> String {
        let mut out = Vec::new();
        let ask = Ask { body, ..Ask::plain(mould, "/x?y=z") };
        ask.cast(&mut out).expect("a URI");
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn a_request_says_its_fields_and_the_length_of_its_body() {
        let bare = |method| head(&Mould::new(method, "h:1", Body::Kept), "");
        assert_eq!(bare("GET"), "GET /x?y=z HTTP/1.1\r\nHost: h:1\r\n\r\n");
        assert_eq!(bare("POST"), "POST /x?y=z HTTP/1.1\r\nHost: h:1\r\nContent-Length: 0\r\n\r\n");
        let extras = Extras {
            fields: vec![("Accept".into(), "*/*".into()), ("X-A".into(), "b c".into())],
            body: b"hello".to_vec(),
        };
        assert_eq!(
            head(&Mould::with("GET", "h", &extras, Body::Kept), ""),
            "GET /x?y=z HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nAccept: */*\r\nX-A: b c\r\n\r\n"
        );
    }

    #[test]
    fn a_body_of_its_own_goes_out_as_json_with_its_length() {
        let member = MemberPlan { param: "a".into(), form: MemberForm::Text };
        let plan = || example().targets.remove(0);
        let target = TargetPlan { method: "PATCH".into(), body: vec![member], ..plan() };
        let mould = Mould::of(&target, "h", &Extras::default(), Judge::Plan);
        let body = r#"{"a":"é"}"#;
        assert_eq!(
            head(&mould, body),
            "PATCH /x?y=z HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n"
        );
        let ask = Ask { body, ..Ask::plain(&mould, "/") };
        assert_eq!(ask.content(), body.as_bytes());
        let lines = TargetPlan { answer: AnswerPlan::Lines, ..plan() };
        let of = |judge| Mould::of(&lines, "h", &Extras::default(), judge).body;
        assert_eq!((of(Judge::Plan), of(Judge::Status)), (Body::Lines, Body::Counted));
    }
}
