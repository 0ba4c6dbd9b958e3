//! What `drive` has measured: a table for people, JSON and CSV for programs.

use std::collections::BTreeMap;
use std::fmt::Write;

use comfy_table::{Table, presets};
use serde::Serialize;

use crate::load::{Recording, Slice, WindowRecording};
use crate::units;

/// A lag above this, and above a twentieth of the median, says that the generator was late, not only the server.
const LATE_US: f64 = 1000.0;
/// The share of the median response time that its own lag may have.
const LATE_SHARE: f64 = 0.05;
/// More of a core than this, and the generator is what limits a load.
const MOST_CPU: f64 = 0.85;
/// A larger share of the window in which the generator's thread was held up is in the figures.
const MOST_HELD_UP: f64 = 0.05;
/// The same, for a single time.
const LONGEST_HOLD_UP_NS: u64 = 250_000_000;
/// What any of these means.
const NOT_THE_SERVERS: &str = "The times below are its own as much as the server's.";

/// What was driven, and what came of it.
pub(super) struct Driven {
    /// One line.
    pub(super) described: String,
    pub(super) recording: Recording,
}

/// A distribution in microseconds. A figure is none where it falls among failures, or has too few samples.
#[derive(Debug, Serialize)]
struct Times {
    p50: Option<f64>,
    p90: Option<f64>,
    p95: Option<f64>,
    p99: Option<f64>,
    p999: Option<f64>,
    max: Option<f64>,
    mean: Option<f64>,
}

#[derive(Serialize)]
struct Lag {
    p50: f64,
    p99: f64,
    max: f64,
}

#[derive(Serialize)]
struct Object<'a> {
    format: u32,
    duration_s: f64,
    due: u64,
    sent: u64,
    dropped: u64,
    answered: u64,
    failed: &'a BTreeMap<String, u64>,
    rate_rps: f64,
    response_bytes: u64,
    response_time_us: Times,
    service_time_us: Times,
    response_time_drift: Option<f64>,
    response_time_drift_p: Option<f64>,
    unsteady: bool,
    stall_seconds: Option<f64>,
    lag_us: Lag,
    cpu_seconds: f64,
    held_up_seconds: f64,
    generator_limited: bool,
    generator_limits: Vec<String>,
    reopened: u64,
    interrupted: bool,
    failure: Option<&'a str>,
}

impl Times {
    fn of(quantile: impl Fn(f64) -> Option<f64>, max: Option<f64>, mean: Option<f64>) -> Self {
        let [p50, p90, p95, p99, p999] = [0.5, 0.9, 0.95, 0.99, 0.999].map(quantile);
        Self { p50, p90, p95, p99, p999, max, mean }
    }

    fn response(window: &WindowRecording) -> Self {
        let quantile = |q| window.quantile_response_us(q);
        Self::of(quantile, window.max_response_us(), window.mean_response_us())
    }

    fn service(window: &WindowRecording) -> Self {
        let quantile = |q| window.quantile_service_us(q);
        Self::of(quantile, window.max_service_us(), window.mean_service_us())
    }

    fn row(&self, name: &str) -> Vec<String> {
        let all = [self.p50, self.p90, self.p95, self.p99, self.p999, self.max, self.mean];
        let mut row = vec![name.to_owned()];
        row.extend(all.map(|us| us.map_or("-".into(), latency)));
        row
    }
}

impl Lag {
    fn of(window: &WindowRecording) -> Self {
        let quantile = |q| window.lag.value_at_quantile(q) as f64 / 1e3;
        Self { p50: quantile(0.5), p99: quantile(0.99), max: window.lag.max() as f64 / 1e3 }
    }
}

fn latency(us: f64) -> String {
    units::latency_ns(us * 1e3)
}

/// Why these figures are the generator's as much as the server's; nothing if they are not.
fn limits(window: &WindowRecording) -> Vec<String> {
    let mut why = Vec::new();
    let lag_us = window.lag_p99_us();
    let median_us = window.quantile_response_us(0.5).unwrap_or(0.0);
    if lag_us > LATE_US.max(median_us * LATE_SHARE) {
        why.push(format!(
            "one request in a hundred was taken up {} late or later",
            latency(lag_us)
        ));
    }
    let cpu = window.generator_cpu_share();
    if cpu > MOST_CPU {
        why.push(format!("it used {} of its core", units::sig3(cpu)));
    }
    let is_held_up = window.held_up_share() > MOST_HELD_UP;
    if is_held_up || window.longest_hold_up_ns > LONGEST_HOLD_UP_NS {
        let [sum, longest] =
            [window.held_up_ns, window.longest_hold_up_ns].map(|ns| units::latency_ns(ns as f64));
        why.push(format!("its thread was held up for {sum} or more, up to {longest} at a time"));
    }
    why
}

/// One object, on one line.
pub(super) fn json(driven: &Driven) -> String {
    let recording = &driven.recording;
    let window = &recording.window;
    let generator_limits = limits(window);
    let object = Object {
        format: 1,
        duration_s: window.duration_ns as f64 / 1e9,
        due: window.due,
        sent: window.sent,
        dropped: window.dropped,
        answered: window.answered,
        failed: &window.failures,
        rate_rps: window.rate_rps(),
        response_bytes: window.response_bytes,
        response_time_us: Times::response(window),
        service_time_us: Times::service(window),
        response_time_drift: window.drift.map(|d| d.moves).filter(|moves| moves.is_finite()),
        response_time_drift_p: window.drift.map(|d| d.p_value),
        unsteady: window.is_unsteady(),
        stall_seconds: window.stall_ns().map(|ns| ns as f64 / 1e9),
        lag_us: Lag::of(window),
        cpu_seconds: window.generator_cpu_ns as f64 / 1e9,
        held_up_seconds: window.held_up_ns as f64 / 1e9,
        generator_limited: !generator_limits.is_empty(),
        generator_limits,
        reopened: recording.reopened,
        interrupted: recording.cancelled,
        failure: recording.failure.as_deref(),
    };
    serde_json::to_string(&object).expect("numbers and texts are JSON")
}

/// The page for people.
pub(super) fn table(driven: &Driven) -> String {
    let window = &driven.recording.window;
    let mut page = format!("{}\n\n", driven.described);
    let mut line = |name: &str, text: String| {
        writeln!(page, "{name:<10} {text}").expect("a String takes all");
    };
    line("sent", units::count(window.sent));
    let rate = units::sig3(window.rate_rps());
    line("answered", format!("{} ({rate}/s)", units::count(window.answered)));
    let kinds = window.failures.iter().map(|(kind, n)| format!("{kind} {}", units::count(*n)));
    let kinds = kinds.collect::<Vec<_>>().join(", ");
    let kinds = if kinds.is_empty() { kinds } else { format!(" ({kinds})") };
    line("failed", format!("{}{kinds}", units::count(window.failed)));
    line("dropped", units::count(window.dropped));
    let lag = Lag::of(window);
    let cpu = units::sig3(window.generator_cpu_share());
    line(
        "generator",
        format!("{cpu} of a core; late by p99 {}, at most {}", latency(lag.p99), latency(lag.max)),
    );
    if let Some(drift) = window.drift {
        let (sign, moves) = (if drift.moves < 0.0 { "−" } else { "+" }, drift.moves.abs());
        let moves = units::share(moves);
        let rest = if drift.is_unsteady() { ": it had not come to rest" } else { "" };
        line("drift", format!("{sign}{moves} of the median over the window{rest}"));
    }
    if let Some(stall_ns) = window.stall_ns() {
        let long = units::latency_ns(stall_ns as f64);
        line("stall", format!("no request ended for {long}, though some were under way"));
    }
    let limits = limits(window);
    if !limits.is_empty() {
        let limits = limits.join("; ");
        write!(page, "\nWARNING: the generator was the bottleneck: {limits}.\n{NOT_THE_SERVERS}\n")
            .expect("a String takes all");
    }
    let mut t = Table::new();
    let header = ["", "p50", "p90", "p95", "p99", "p99.9", "max", "mean"];
    t.load_style(presets::ASCII_MARKDOWN).set_header(header.to_vec());
    t.add_row(Times::response(window).row("response time (from due)"));
    t.add_row(Times::service(window).row("service time (from sent)"));
    write!(page, "\n{t}\n").expect("a String takes all");
    if window.failed > 0 {
        page.push_str("A failure took for ever: figures that fall among failures are not given.\n");
    }
    page
}

/// Each second of the run, by when answers came.
pub(super) fn csv(slices: &[Slice]) -> String {
    let mut text = String::from("t_s,answered,failed,response_time_p50_us,response_time_p99_us\n");
    for slice in slices {
        let us = |us: Option<f64>| us.map_or(String::new(), |us| us.to_string());
        let (p50, p99) = (us(slice.p50_us), us(slice.p99_us));
        let t_s = slice.t_ns as f64 / 1e9;
        writeln!(text, "{t_s},{},{},{p50},{p99}", slice.answered, slice.failed)
            .expect("a String takes all");
    }
    text
}
