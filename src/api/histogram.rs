//! Times by size, counted without locks, as Prometheus wants them.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Upper bounds in nanoseconds, and as Prometheus writes them: in seconds.
const BOUNDS: [(u64, &str); 19] = [
    (50_000, "0.00005"),
    (100_000, "0.0001"),
    (250_000, "0.00025"),
    (500_000, "0.0005"),
    (1_000_000, "0.001"),
    (2_500_000, "0.0025"),
    (5_000_000, "0.005"),
    (10_000_000, "0.01"),
    (25_000_000, "0.025"),
    (50_000_000, "0.05"),
    (100_000_000, "0.1"),
    (250_000_000, "0.25"),
    (500_000_000, "0.5"),
    (1_000_000_000, "1"),
    (2_500_000_000, "2.5"),
    (5_000_000_000, "5"),
    (10_000_000_000, "10"),
    (30_000_000_000, "30"),
    (60_000_000_000, "60"),
];

/// How many took how long.
#[derive(Debug, Default)]
pub(super) struct Histogram {
    /// By the first bound that is not below; beyond the last one, `longer`.
    buckets: [AtomicU64; BOUNDS.len()],
    longer: AtomicU64,
    sum_ns: AtomicU64,
}

impl Histogram {
    /// One more.
    pub(super) fn record(&self, ns: u64) {
        let place = BOUNDS.partition_point(|(bound, _)| *bound < ns);
        self.buckets.get(place).unwrap_or(&self.longer).fetch_add(1, Ordering::Relaxed);
        self.sum_ns.fetch_add(ns, Ordering::Relaxed);
    }

    /// All times together.
    pub(super) fn sum_ns(&self) -> u64 {
        self.sum_ns.load(Ordering::Relaxed)
    }

    /// Whether nothing was recorded yet.
    pub(super) fn is_empty(&self) -> bool {
        let none = |counter: &AtomicU64| counter.load(Ordering::Relaxed) == 0;
        self.buckets.iter().all(none) && none(&self.longer)
    }

    /// Its lines in the text format; `labels` are `a="b",c="d"` or nothing.
    pub(super) fn expose(&self, name: &str, labels: &str, out: &mut String) {
        let comma = if labels.is_empty() { "" } else { "," };
        let mut count = 0;
        for (counter, (_, bound)) in self.buckets.iter().zip(BOUNDS) {
            count += counter.load(Ordering::Relaxed);
            line(out, format_args!("{name}_bucket{{{labels}{comma}le=\"{bound}\"}} {count}"));
        }
        count += self.longer.load(Ordering::Relaxed);
        line(out, format_args!("{name}_bucket{{{labels}{comma}le=\"+Inf\"}} {count}"));
        let around = if labels.is_empty() { String::new() } else { format!("{{{labels}}}") };
        let sum = Duration::from_nanos(self.sum_ns()).as_secs_f64();
        line(out, format_args!("{name}_sum{around} {sum}"));
        line(out, format_args!("{name}_count{around} {count}"));
    }
}

/// One line; a `String` takes all.
pub(super) fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).and_then(|()| out.write_char('\n')).expect("a String takes all");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_add_up_and_a_bound_belongs_to_its_bucket() {
        let histogram = Histogram::default();
        assert!(histogram.is_empty());
        for ns in [1, 50_000, 50_001, 1_000_000, 61_000_000_000] {
            histogram.record(ns);
        }
        let mut text = String::new();
        histogram.expose("t_seconds", "a=\"b\"", &mut text);
        for wanted in [
            "t_seconds_bucket{a=\"b\",le=\"0.00005\"} 2\n",
            "t_seconds_bucket{a=\"b\",le=\"0.0001\"} 3\n",
            "t_seconds_bucket{a=\"b\",le=\"0.001\"} 4\n",
            "t_seconds_bucket{a=\"b\",le=\"60\"} 4\n",
            "t_seconds_bucket{a=\"b\",le=\"+Inf\"} 5\n",
            "t_seconds_sum{a=\"b\"} 61.001100002\n",
            "t_seconds_count{a=\"b\"} 5\n",
        ] {
            assert!(text.contains(wanted), "{wanted} in {text}");
        }
    }

    #[test]
    fn bounds_rise_and_say_what_they_are() {
        for pair in BOUNDS.windows(2) {
            assert!(pair[0].0 < pair[1].0);
        }
        for (ns, text) in BOUNDS {
            let seconds: f64 = text.parse().expect("a number");
            assert!((seconds * 1e9 - ns as f64).abs() < 1.0, "{text}");
        }
    }
}
