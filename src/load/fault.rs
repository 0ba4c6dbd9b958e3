//! Why a request failed, in one word each: the word is a key in the results.

use std::borrow::Cow;

/// Why a request failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fault {
    /// No whole answer by its deadline.
    Timeout,
    /// No connection: refused, unreachable.
    Connect,
    /// No connection: this machine has no port or no file handle left, which is not the server's fault.
    NoResources,
    /// The connection ended before the answer began.
    Reset,
    /// The connection ended inside the answer, or its length is not what its head said.
    BodyTruncated,
    /// Not HTTP.
    BadResponse,
    /// More body than any answer may have.
    BodyTooLarge,
    /// A request that cannot be written: longer than a URI may be.
    BadRequest,
    /// Another status than the right one.
    Status(u16),
    /// The right status, another answer.
    WrongAnswer,
    /// Under way when the run was stopped.
    Cancelled,
}

impl Fault {
    /// The word.
    pub(super) fn word(self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::Timeout => "timeout",
            Self::Connect => "connect",
            Self::NoResources => "no-resources",
            Self::Reset => "reset",
            Self::BodyTruncated => "body-truncated",
            Self::BadResponse => "bad-response",
            Self::BodyTooLarge => "body-too-large",
            Self::BadRequest => "bad-request",
            Self::Status(status) => return Cow::Owned(format!("status-{status}")),
            Self::WrongAnswer => "wrong-answer",
            Self::Cancelled => "cancelled",
        })
    }

    /// What a failed connect means.
    pub(super) fn of_connect(error: &std::io::Error) -> Self {
        use std::io::ErrorKind::AddrNotAvailable;
        let files = [rustix::io::Errno::MFILE, rustix::io::Errno::NFILE]
            .map(rustix::io::Errno::raw_os_error);
        let out_of_files = error.raw_os_error().is_some_and(|code| files.contains(&code));
        if out_of_files || error.kind() == AddrNotAvailable {
            Self::NoResources
        } else {
            Self::Connect
        }
    }
}

/// The API's word on its cache, header `X-Cache`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum CacheWord {
    /// Answered from the cache.
    Hit,
    /// The cache did not have it.
    Miss,
    /// The cache failed.
    Error,
    /// The cache was not asked.
    Bypass,
    /// A word that is none of these.
    Unknown,
}

impl CacheWord {
    /// Reads the header's value, in any case.
    pub(super) fn read(value: &[u8]) -> Self {
        let words = [Self::Hit, Self::Miss, Self::Error, Self::Bypass];
        let known = words.into_iter().find(|w| w.word().as_bytes().eq_ignore_ascii_case(value));
        known.unwrap_or(Self::Unknown)
    }

    /// The word, as a key in the results.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Miss => "miss",
            Self::Error => "error",
            Self::Bypass => "bypass",
            Self::Unknown => "unknown",
        }
    }
}
