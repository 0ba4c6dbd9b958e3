//! `GET /metrics`: what this process has done and has in hand, in Prometheus' text format.

use std::sync::Arc;

use super::histogram::{Histogram, line};
use super::request_log::RequestLog;
use super::start::{App, Endpoint};

/// Times of requests by what became of them.
#[derive(Debug, Default)]
pub(super) struct Times {
    answered: Histogram,
    refused: Histogram,
    failed: Histogram,
}

impl Times {
    /// A request was answered with this status after so long.
    pub(super) fn record(&self, status: u16, ns: u64) {
        match status {
            500.. => self.failed.record(ns),
            400.. => self.refused.record(ns),
            _ => self.answered.record(ns),
        }
    }

    /// Each class of status, whether or not there were any.
    fn classes(&self) -> [(&'static str, &Histogram); 3] {
        [("2xx", &self.answered), ("4xx", &self.refused), ("5xx", &self.failed)]
    }
}

/// All metrics.
pub(super) fn exposition(app: &App, endpoints: &[Arc<Endpoint>]) -> String {
    let mut out = String::with_capacity(16 * 1024);
    requests(app, endpoints, &mut out);
    outcomes(app, &mut out);
    pool(app, &mut out);
    let log = app.log.as_ref();
    counter(
        &mut out,
        "querylab_request_log_dropped_total",
        "Lines of the request log that were left out because too many were waiting or could not be written.",
        &[("", log.map_or(0, RequestLog::dropped))],
    );
    head(&mut out, "querylab_build_info", "gauge", "Which querylab this is.");
    let version = env!("CARGO_PKG_VERSION");
    line(&mut out, format_args!("querylab_build_info{{version=\"{version}\"}} 1"));
    out
}

fn head(out: &mut String, name: &str, kind: &str, help: &str) {
    line(out, format_args!("# HELP {name} {help}"));
    line(out, format_args!("# TYPE {name} {kind}"));
}

/// A counter with a value for each list of labels.
fn counter(out: &mut String, name: &str, help: &str, values: &[(&str, u64)]) {
    head(out, name, "counter", help);
    for (labels, value) in values {
        let around = if labels.is_empty() { String::new() } else { format!("{{{labels}}}") };
        line(out, format_args!("{name}{around} {value}"));
    }
}

/// A text between the quotes of a label.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

fn requests(app: &App, endpoints: &[Arc<Endpoint>], out: &mut String) {
    let name = "querylab_http_request_duration_seconds";
    let help = "From the head of a request to its answer, by endpoint and class of status. Requests to no endpoint have none.";
    head(out, name, "histogram", help);
    let named = endpoints.iter().map(|endpoint| {
        let (path, method) = (escaped(&endpoint.path), &endpoint.method);
        (format!("endpoint=\"{path}\",method=\"{method}\""), &endpoint.times)
    });
    let strays = ("endpoint=\"\",method=\"\"".to_owned(), &app.strays);
    for (labels, times) in named.chain([strays]) {
        for (class, histogram) in times.classes() {
            // A class that never was stays out, but for the usual one.
            if class == "2xx" || !histogram.is_empty() {
                histogram.expose(name, &format!("{labels},status=\"{class}\""), out);
            }
        }
    }
}

fn outcomes(app: &App, out: &mut String) {
    let now = app.counters.read();
    counter(
        out,
        "querylab_cache_requests_total",
        "Requests by the cache's part in them.",
        &[
            ("result=\"hit\"", now.cache_hits),
            ("result=\"miss\"", now.cache_misses),
            ("result=\"error\"", now.cache_errors),
            ("result=\"bypass\"", now.cache_bypasses),
        ],
    );
    counter(
        out,
        "querylab_cache_events_total",
        "Misses that got another request's answer, entries renewed before their end, and writes that Redis did not hear of.",
        &[
            ("kind=\"coalesced\"", now.coalesced),
            ("kind=\"renewed\"", now.renewals),
            ("kind=\"write_failed\"", now.cache_write_failures),
        ],
    );
    counter(
        out,
        "querylab_db_statements_total",
        "Statements sent for requests.",
        &[("", now.statements)],
    );
    counter(
        out,
        "querylab_http_errors_total",
        "Requests that were refused, that got no database connection by reason, and all that were answered with 500 or above.",
        &[
            ("kind=\"refused\"", now.refused),
            ("kind=\"pool_timeout\"", now.pool_timeouts),
            ("kind=\"pool_full\"", now.pool_full),
            (
                "kind=\"database_away\"",
                now.unconnected.saturating_sub(now.pool_timeouts + now.pool_full),
            ),
            ("kind=\"server\"", now.server_errors),
        ],
    );
    head(
        out,
        "querylab_http_error_ratio",
        "gauge",
        "Answers of 500 and above over all requests since the start; 0 before the first.",
    );
    let ratio = now.server_errors as f64 / now.requests.max(1) as f64;
    line(out, format_args!("querylab_http_error_ratio {ratio}"));
    counter(
        out,
        "querylab_http_received_bytes_total",
        "Bytes that came in from clients.",
        &[("", now.http_received_bytes)],
    );
    counter(
        out,
        "querylab_http_sent_bytes_total",
        "Bytes that went out to clients.",
        &[("", now.http_sent_bytes)],
    );
}

fn pool(app: &App, out: &mut String) {
    let state = app.connections.state();
    head(out, "querylab_pool_connections", "gauge", "Database connections of the pool.");
    for (word, count) in [("in_use", state.in_use), ("idle", state.idle)] {
        line(out, format_args!("querylab_pool_connections{{state=\"{word}\"}} {count}"));
    }
    head(out, "querylab_pool_waiting", "gauge", "Requests that wait for a database connection.");
    line(out, format_args!("querylab_pool_waiting {}", state.waiting));
    let name = "querylab_pool_wait_seconds";
    head(out, name, "histogram", "How long requests waited for a database connection.");
    app.counters.pool_wait().expose(name, "", out);
    counter(
        out,
        "querylab_pool_connections_opened_total",
        "Database connections opened.",
        &[("", app.counters.read().connections_opened)],
    );
}
