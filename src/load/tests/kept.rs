//! Raw samples against the recording: what an independent sum over the file says must be what the recording says.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::Path;

use tokio::time::Duration;

use super::scripts::{Reply, drive_and_keep, on_paused_clock, open, reply, scripted};
use crate::load::fixtures::MS;
use crate::load::{SamplesKept, WindowRecording};
use crate::spec::Arrival;

/// One line of the file.
struct Line {
    times: [Option<u64>; 4],
    outcome: String,
    cache: String,
}

/// The file, read without any help of the code that wrote it.
fn lines(path: &Path) -> Vec<Line> {
    let text = std::fs::read_to_string(path).expect("samples");
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("due_ns,sent_ns,first_byte_ns,done_ns,outcome,cache"));
    let line = |line: &str| {
        let cells: Vec<&str> = line.split(',').collect();
        let &[due, sent, first, done, outcome, cache] = cells.as_slice() else {
            panic!("six cells: {line}")
        };
        let time = |cell: &str| (!cell.is_empty()).then(|| cell.parse().expect("a number"));
        Line {
            times: [time(due), time(sent), time(first), time(done)],
            outcome: outcome.to_owned(),
            cache: cache.to_owned(),
        }
    };
    lines.map(line).collect()
}

/// The value of rank ceil(q n) of sorted values, in microseconds; none where it fell among failures.
fn exact(sorted: &[u64], q: f64) -> Option<f64> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rank")]
    let rank = (q * sorted.len() as f64).ceil().max(1.0) as usize;
    Some(sorted[rank - 1]).filter(|ns| *ns < u64::MAX).map(|ns| ns as f64 / 1e3)
}

fn within(got: Option<f64>, wanted: Option<f64>) {
    let near = |(got, wanted): (f64, f64)| (got / wanted - 1.0).abs() <= 0.001;
    let fits = got.is_some() == wanted.is_some() && got.zip(wanted).is_none_or(near);
    assert!(fits, "{got:?} is not {wanted:?} within 0.1 %");
}

fn holds(lines: &[Line], window: &WindowRecording) {
    let count = |outcome: &str| lines.iter().filter(|l| l.outcome == outcome).count() as u64;
    assert_eq!(lines.len() as u64, window.due);
    assert_eq!(count("ok"), window.answered);
    assert_eq!(count("dropped"), window.dropped);
    let mut failures = BTreeMap::new();
    let mut cache = BTreeMap::new();
    for line in lines {
        if !["ok", "dropped"].contains(&line.outcome.as_str()) {
            *failures.entry(line.outcome.clone()).or_insert(0) += 1;
        }
        if !line.cache.is_empty() {
            *cache.entry(line.cache.clone()).or_insert(0) += 1;
        }
    }
    assert_eq!(failures, window.failures);
    assert_eq!(cache, window.cache);
    // Failures took for ever: they are at the end of the sorted list.
    let mut response = Vec::new();
    let mut service = Vec::new();
    for line in lines.iter().filter(|line| line.outcome == "ok") {
        let [Some(due), Some(sent), Some(first), Some(done)] = line.times else {
            panic!("a right answer has all its times")
        };
        assert!(due <= sent && sent <= first && first <= done);
        response.push(done - due);
        service.push(done - sent);
    }
    for times in [&mut response, &mut service] {
        times.extend((0..window.failed).map(|_| u64::MAX));
        times.sort_unstable();
    }
    assert!(window.quantile_response_us(0.95).is_some());
    for q in [0.5, 0.9, 0.95, 0.99] {
        within(window.quantile_response_us(q), exact(&response, q));
        within(window.quantile_service_us(q), exact(&service, q));
    }
}

#[test]
fn percentiles_and_counts_of_the_raw_samples_are_those_of_the_recording() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("samples.csv");
    // Latencies spread over three decades, a stall, a few wrong statuses, and more arrivals than places.
    let asked = Cell::new(0_u64);
    let script = move |uri: &hyper::Uri, now: Duration| {
        asked.set(asked.get() + 1);
        // Without a pattern, and the same each time.
        let spread = 1 + (asked.get().wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) % 100;
        let mut answer = reply(uri, spread);
        let stall = Duration::from_secs(6);
        if now > Duration::from_millis(5600) {
            answer.after += stall.saturating_sub(now);
        }
        let cache = if spread.is_multiple_of(3) { "hit" } else { "miss" };
        let status = if spread == 7 { 502 } else { 200 };
        Reply { status, cache, ..answer }
    };
    let run = on_paused_clock(async {
        let plan = open(500.0, Arrival::Poisson, 150);
        drive_and_keep(plan, scripted(script), None, Some(&path)).await
    });
    let window = &run.recording.window;
    assert!(window.answered > 4000, "{}", window.answered);
    assert!(window.failed > 10 && window.dropped > 10, "{} {}", window.failed, window.dropped);
    assert_eq!(run.recording.samples, Some(SamplesKept { written: window.due, lost: 0 }));
    holds(&lines(&path), window);
}

#[test]
fn a_load_that_is_stopped_has_a_line_for_each_request_all_the_same() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("samples.csv");
    let run = on_paused_clock(async {
        let slow = scripted(|uri, _| reply(uri, 400));
        let stop = Some(Duration::from_secs(4));
        drive_and_keep(open(100.0, Arrival::Constant, 1000), slow, stop, Some(&path)).await
    });
    let window = &run.recording.window;
    let lines = lines(&path);
    assert_eq!(lines.len() as u64, window.due);
    let cancelled: Vec<&Line> = lines.iter().filter(|l| l.outcome == "cancelled").collect();
    assert_eq!(Some(&(cancelled.len() as u64)), window.failures.get("cancelled"));
    assert!(cancelled.iter().all(|line| line.times == [None; 4]));
    assert!(lines.iter().any(|line| line.outcome == "ok"));
    let last = lines.iter().filter_map(|line| line.times[3]).max().expect("an answer");
    assert!(last <= 4000 * MS, "{last}");
}

#[test]
fn a_window_that_gets_slower_is_unsteady_and_a_calm_one_is_not() {
    let drift = |step: u64| {
        on_paused_clock(async move {
            let script = move |uri: &hyper::Uri, now: Duration| {
                reply(uri, 20 + step * now.as_secs().saturating_sub(2))
            };
            drive_and_keep(open(200.0, Arrival::Constant, 200), scripted(script), None, None).await
        })
    };
    let (calm, slower) = (drift(0).recording.window, drift(2).recording.window);
    assert!(calm.drift.is_some() && !calm.is_unsteady(), "{:?}", calm.drift);
    assert!(slower.is_unsteady(), "{:?}", slower.drift);
    assert!(slower.drift.is_some_and(|drift| drift.moves > 0.3), "{:?}", slower.drift);
}
