//! The one place where wall-clock time enters.

use chrono::{DateTime, SecondsFormat, Utc};

/// Now, in UTC.
pub(super) fn utc_now() -> DateTime<Utc> {
    Utc::now()
}

/// RFC 3339 with milliseconds: `2026-01-02T03:04:05.678Z`.
pub(super) fn rfc3339(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// `20260102T030405Z`, as in the names of runs.
pub(super) fn compact(at: DateTime<Utc>) -> String {
    at.format("%Y%m%dT%H%M%SZ").to_string()
}
