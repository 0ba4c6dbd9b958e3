//! What a load has recorded: plain values, complete in themselves.

use std::collections::BTreeMap;

use anyhow::{Context as _, ensure};
use hdrhistogram::Histogram;

use super::ledger::Answered;
use super::samples::SamplesKept;
use super::search::Searched;
use super::versions::Age;
use crate::stats::Drift;

/// A quantile of 0.9 and above is given only where this many samples lie beyond it.
const BEYOND: f64 = 20.0;

/// How a load went.
#[derive(Debug, Clone)]
pub struct Recording {
    /// Time of the fill; none without one.
    pub fill_ns: Option<u64>,
    /// Whether the fill's condition held in time; true without a fill.
    pub fill_reached: bool,
    /// Time of the warm-up.
    pub warmup_ns: u64,
    /// Whether the warm-up ended because its condition held.
    pub warmup_reached: bool,
    /// What was searched before the window; none without a search.
    pub search: Option<Searched>,
    /// The window.
    pub window: WindowRecording,
    /// Requests sent, all phases.
    pub sent_total: u64,
    /// Right answers, all phases.
    pub answered_total: u64,
    /// Failures, all phases.
    pub failed_total: u64,
    /// Connections that were opened anew because the server had ended them.
    pub reopened: u64,
    /// The first three wrong answers, for people.
    pub wrong_answers: Vec<String>,
    /// Each second of the run.
    pub slices: Vec<Slice>,
    /// Raw samples of the window, where they were asked for.
    pub samples: Option<SamplesKept>,
    /// Stopped on request.
    pub cancelled: bool,
    /// Why the run ended early: the window is then not whole.
    pub failure: Option<String>,
}

/// One second of a run, by when answers came.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Slice {
    /// Its start, since the run's.
    pub t_ns: u64,
    /// Right answers.
    pub answered: u64,
    /// Failures.
    pub failed: u64,
    /// Median response time of the right answers, in microseconds.
    pub p50_us: Option<f64>,
    /// 99th percentile of the right answers, however few they are: for a plot.
    pub p99_us: Option<f64>,
}

/// The measured window. Requests belong to it by when they were due.
#[derive(Debug, Clone)]
pub struct WindowRecording {
    /// Its length; shorter than planned only where the run ended early.
    pub duration_ns: u64,
    /// Requests due in it.
    pub due: u64,
    /// Of them sent.
    pub sent: u64,
    /// Of them not sent, because too many were under way.
    pub dropped: u64,
    /// Of those sent, answered right.
    pub answered: u64,
    /// Of those sent, failed.
    pub failed: u64,
    /// Failures by kind.
    pub failures: BTreeMap<String, u64>,
    /// Right answers by the API's word on its cache.
    pub cache: BTreeMap<String, u64>,
    /// Bytes of the bodies of right answers.
    pub response_bytes: u64,
    /// Rows of right answers that came in lines.
    pub response_lines: u64,
    /// Right answers that were compared with the writes before them.
    pub dated: u64,
    /// Of those, older than a write that had been answered before they were asked for.
    pub stale: u64,
    /// How the median response time moved over the window; none where it has too few slices with answers, and in a window
    /// in stages, which moves on purpose.
    pub drift: Option<Drift>,
    /// The longest time in which requests of the window were under way and none ended.
    pub longest_silence_ns: u64,
    /// Bytes of whole requests as they went out, heads included.
    pub wire_sent_bytes: u64,
    /// Bytes of answers as they came in, heads included, right or not.
    pub wire_received_bytes: u64,
    /// CPU time of the generator's thread between the window's edges.
    pub generator_cpu_ns: u64,
    /// How late the generator's own ticks of 50 ms came, summed over the window: time in which its thread was held up.
    pub held_up_ns: u64,
    /// The latest of them.
    pub longest_hold_up_ns: u64,
    /// From due to done, of right answers, in nanoseconds.
    pub response: Histogram<u64>,
    /// From sent to done, of right answers, in nanoseconds.
    pub service: Histogram<u64>,
    /// From sent to the answer's first byte, of right answers, in nanoseconds.
    pub first_byte: Histogram<u64>,
    /// How late the generator took up what was due, in nanoseconds, of all that was sent.
    pub lag: Histogram<u64>,
}

/// Less than this is no stall, whatever the median is.
const STALL_NS: u64 = 250_000_000;
/// So many medians of the service time are one.
const STALL_TIMES: u64 = 10;

/// An empty histogram of nanoseconds: three significant digits, any range.
pub(super) fn histogram() -> Histogram<u64> {
    Histogram::new(3).expect("three digits are allowed")
}

impl WindowRecording {
    /// A window in which nothing has happened.
    pub(super) fn new() -> Self {
        Self {
            duration_ns: 0,
            due: 0,
            sent: 0,
            dropped: 0,
            answered: 0,
            failed: 0,
            failures: BTreeMap::new(),
            cache: BTreeMap::new(),
            response_bytes: 0,
            response_lines: 0,
            dated: 0,
            stale: 0,
            drift: None,
            longest_silence_ns: 0,
            wire_sent_bytes: 0,
            wire_received_bytes: 0,
            generator_cpu_ns: 0,
            held_up_ns: 0,
            longest_hold_up_ns: 0,
            response: histogram(),
            service: histogram(),
            first_byte: histogram(),
            lag: histogram(),
        }
    }

    /// Counts a right answer.
    pub(super) fn count(&mut self, answered: &Answered) {
        self.answered += 1;
        self.response_bytes += answered.bytes;
        self.response_lines += answered.lines;
        self.dated += u64::from(answered.age != Age::Unknown);
        self.stale += u64::from(answered.age == Age::Stale);
        if let Some(word) = answered.cache {
            *self.cache.entry(word.word().into()).or_default() += 1;
        }
    }

    /// Quantile `q` of the response time in microseconds, where a failure took for ever. None where it falls among
    /// failures or has too few samples: `q` of 0.9 and above needs 20 beyond it (p99: 2000), any other needs one.
    pub fn quantile_response_us(&self, q: f64) -> Option<f64> {
        quantile_us(&self.response, self.failed, q)
    }

    /// Quantile `q` of the service time, by the same rules.
    pub fn quantile_service_us(&self, q: f64) -> Option<f64> {
        quantile_us(&self.service, self.failed, q)
    }

    /// Longest response time in microseconds; none where a request failed, or none was sent.
    pub fn max_response_us(&self) -> Option<f64> {
        whole(&self.response, self.failed).map(|h| h.max() as f64 / 1e3)
    }

    /// Longest service time, by the same rule.
    pub fn max_service_us(&self) -> Option<f64> {
        whole(&self.service, self.failed).map(|h| h.max() as f64 / 1e3)
    }

    /// Mean response time in microseconds; none where a request failed, or none was sent.
    pub fn mean_response_us(&self) -> Option<f64> {
        whole(&self.response, self.failed).map(|h| h.mean() / 1e3)
    }

    /// Mean service time, by the same rule.
    pub fn mean_service_us(&self) -> Option<f64> {
        whole(&self.service, self.failed).map(|h| h.mean() / 1e3)
    }

    /// 99th percentile of the lag in microseconds, however few were sent; 0 if none was.
    pub fn lag_p99_us(&self) -> f64 {
        self.lag.value_at_quantile(0.99) as f64 / 1e3
    }

    /// Whether it still moved: by more than 5 %, and not by chance.
    pub fn is_unsteady(&self) -> bool {
        self.drift.is_some_and(Drift::is_unsteady)
    }

    /// How long everything stood still, if it did: a quarter of a second or more without an end of any request, and ten times
    /// what one usually takes.
    pub fn stall_ns(&self) -> Option<u64> {
        let usual_ns = self.service.value_at_quantile(0.5);
        let least_ns = STALL_NS.max(usual_ns.saturating_mul(STALL_TIMES));
        Some(self.longest_silence_ns).filter(|ns| *ns >= least_ns)
    }

    /// Right answers per second of the window.
    pub fn rate_rps(&self) -> f64 {
        if self.duration_ns == 0 {
            0.0
        } else {
            self.answered as f64 * 1e9 / self.duration_ns as f64
        }
    }

    /// The share of the window in which the generator's thread was held up.
    pub fn held_up_share(&self) -> f64 {
        if self.duration_ns == 0 { 0.0 } else { self.held_up_ns as f64 / self.duration_ns as f64 }
    }

    /// The generator's CPU over the window: 1.0 is one core.
    pub fn generator_cpu_share(&self) -> f64 {
        if self.duration_ns == 0 {
            0.0
        } else {
            self.generator_cpu_ns as f64 / self.duration_ns as f64
        }
    }

    /// Fails unless every request is accounted for.
    pub(super) fn balance(&self) -> anyhow::Result<()> {
        ensure!(
            self.due == self.sent + self.dropped,
            "lost requests: {} due, {} sent, {} dropped",
            self.due,
            self.sent,
            self.dropped
        );
        ensure!(
            self.sent == self.answered + self.failed,
            "lost requests: {} sent, {} answered, {} failed",
            self.sent,
            self.answered,
            self.failed
        );
        let kinds: u64 = self.failures.values().sum();
        ensure!(kinds == self.failed, "{} failed, but {kinds} by kind", self.failed);
        for histogram in [&self.response, &self.service] {
            let count = histogram.len();
            ensure!(count == self.answered, "{} answered, {count} in a histogram", self.answered);
        }
        Ok(())
    }
}

fn whole(histogram: &Histogram<u64>, failed: u64) -> Option<&Histogram<u64>> {
    (failed == 0 && !histogram.is_empty()).then_some(histogram)
}

fn quantile_us(answered: &Histogram<u64>, failed: u64, q: f64) -> Option<f64> {
    let total = (answered.len() + failed) as f64;
    let needed = if q >= 0.9 { (BEYOND / (1.0 - q)).round() } else { 1.0 };
    if !(0.0..1.0).contains(&q) || total < needed {
        return None;
    }
    rank_ns(answered, (q * total).ceil().max(1.0)).map(|ns| ns as f64 / 1e3)
}

/// The value of the given rank, from 1; none beyond the last.
pub(super) fn rank_ns(histogram: &Histogram<u64>, rank: f64) -> Option<u64> {
    let count = histogram.len() as f64;
    // The library rounds the rank up: half a rank less is safe from the last bit of the division.
    (rank <= count).then(|| histogram.value_at_quantile((rank - 0.5) / count))
}

/// Adds a value. An error here would be a lost sample, so it ends the run; the histogram grows by itself.
pub(super) fn record(histogram: &mut Histogram<u64>, ns: u64) -> anyhow::Result<()> {
    histogram.record(ns).with_context(|| format!("cannot record {ns} ns"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(answered: u64, failed: u64) -> WindowRecording {
        let mut window = WindowRecording::new();
        for i in 1..=answered {
            record(&mut window.response, i * 1000).expect("recorded");
        }
        window.failed = failed;
        window
    }

    fn close(got: Option<f64>, wanted: f64) {
        let got = got.expect("a quantile");
        assert!((got / wanted - 1.0).abs() < 0.001, "{got} {wanted}");
    }

    #[test]
    fn quantiles_are_those_of_the_ranks() {
        let window = window(10_000, 0);
        close(window.quantile_response_us(0.5), 5000.0);
        close(window.quantile_response_us(0.9), 9000.0);
        close(window.quantile_response_us(0.99), 9900.0);
        close(window.max_response_us(), 10_000.0);
        close(window.mean_response_us(), 5000.5);
        assert_eq!(window.quantile_response_us(0.999), None);
    }

    #[test]
    fn a_high_quantile_needs_twenty_samples_beyond_it() {
        for (q, needed) in [(0.9, 200), (0.95, 400), (0.99, 2000), (0.5, 1)] {
            assert!(window(needed, 0).quantile_response_us(q).is_some(), "{q}");
            assert_eq!(window(needed - 1, 0).quantile_response_us(q), None, "{q}");
        }
    }

    #[test]
    fn failures_took_for_ever() {
        let window = window(6000, 4000);
        close(window.quantile_response_us(0.5), 5000.0);
        close(window.quantile_response_us(0.6), 6000.0);
        assert_eq!(window.quantile_response_us(0.61), None);
        assert_eq!(window.quantile_response_us(0.99), None);
        assert_eq!(window.max_response_us(), None);
        assert_eq!(window.mean_response_us(), None);
    }

    #[test]
    fn a_lost_request_is_an_error() {
        let mut window = WindowRecording::new();
        assert!(window.balance().is_ok());
        window.due = 1;
        assert!(window.balance().is_err());
        window.sent = 1;
        assert!(window.balance().is_err());
        window.failed = 1;
        assert!(window.balance().is_err());
        window.failures.insert("timeout".into(), 1);
        assert!(window.balance().is_ok());
    }
}
