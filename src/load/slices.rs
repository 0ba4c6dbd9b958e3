//! Slices of time that are being filled, the cache's recent past, and the course of the window: its median, slice by
//! slice.

use std::collections::VecDeque;

use hdrhistogram::Histogram;

use super::recording::{histogram, rank_ns, record};
use crate::stats::{Drift, drift};

/// One second in nanoseconds.
const SECOND_NS: u64 = 1_000_000_000;
/// Slices of a window that is short: twice what a drift is judged by, if they are long enough for it.
const FEWEST: u64 = 20;
/// Shortest slice.
const SHORTEST_NS: u64 = 500_000_000;
/// Most slices: of a longer window they are longer than a second.
const MOST: u64 = 120;

/// Length of a part of the cache's recent past.
const HIT_PART_NS: u64 = 100_000_000;
/// Parts that make the last second.
const HIT_PARTS: usize = 10;
/// Fewer cached answers than this say nothing about a ratio; then the look goes further back.
pub(super) const FEWEST_CACHED: u64 = 200;
/// As far back as it goes: ten minutes.
const MOST_HIT_PARTS: usize = 6000;

/// A slice of time that is being filled.
#[derive(Debug)]
pub(super) struct Filling {
    pub(super) from_ns: u64,
    pub(super) failed: u64,
    pub(super) response: Histogram<u64>,
    /// Answers from the cache, and all with the API's word on its cache.
    pub(super) hits: (u64, u64),
}

impl Filling {
    /// An empty slice.
    pub(super) fn new(from_ns: u64) -> Self {
        Self { from_ns, failed: 0, response: histogram(), hits: (0, 0) }
    }

    /// The same slice, empty, from another time on.
    pub(super) fn restart(&mut self, from_ns: u64) {
        self.from_ns = from_ns;
        self.failed = 0;
        self.hits = (0, 0);
        self.response.reset();
    }

    /// Quantile `q` of the right answers; none without any.
    pub(super) fn quantile_ns(&self, q: f64) -> Option<f64> {
        let rank = (q * self.response.len() as f64).ceil().max(1.0);
        rank_ns(&self.response, rank).map(|ns| ns as f64)
    }
}

/// The cache's recent past, in tenths of a second.
#[derive(Debug)]
pub(super) struct Hits {
    from_ns: u64,
    /// Hits and all cached answers of each part, the one that is being filled last.
    parts: VecDeque<(u64, u64)>,
}

impl Hits {
    /// No past.
    pub(super) fn new(now: u64) -> Self {
        Self { from_ns: now, parts: VecDeque::from([(0, 0)]) }
    }

    /// An answer with the API's word on its cache.
    pub(super) fn answered(&mut self, is_hit: bool) {
        if let Some(part) = self.parts.back_mut() {
            part.0 += u64::from(is_hit);
            part.1 += 1;
        }
    }

    /// Closes the parts that are over at `now`.
    pub(super) fn roll(&mut self, now: u64) {
        while now >= self.from_ns + HIT_PART_NS {
            self.from_ns += HIT_PART_NS;
            self.parts.push_back((0, 0));
            if self.parts.len() > MOST_HIT_PARTS {
                self.parts.pop_front();
            }
        }
    }

    /// Hits among the cached answers of the last whole second, or of as many parts before it as hold enough of them;
    /// none if there are not so many.
    pub(super) fn ratio(&self) -> Option<f64> {
        let (mut hits, mut all) = (0, 0);
        for (i, part) in self.parts.iter().rev().skip(1).enumerate() {
            hits += part.0;
            all += part.1;
            if i + 1 >= HIT_PARTS && all >= FEWEST_CACHED {
                return Some(hits as f64 / all as f64);
            }
        }
        None
    }
}

/// The course of the window, by when its answers came: slices of a second, at most 120 of them; in a window of less than
/// 20 s up to 20, each of half a second or more.
#[derive(Debug)]
pub(super) struct Course {
    start_ns: u64,
    slice_ns: u64,
    last: u64,
    current: u64,
    part: Filling,
    medians: Vec<f64>,
}

impl Course {
    /// The course of a window between these times.
    pub(super) fn new(start_ns: u64, end_ns: u64) -> Self {
        let length = end_ns.saturating_sub(start_ns);
        // A second each, or half of one in a short window. Shorter ones are no slices of a course: neighbours in them share
        // their queue and the machine's mood, which looks like a trend far more often than it is one.
        let slices = (length / SECOND_NS).clamp((length / SHORTEST_NS).clamp(1, FEWEST), MOST);
        Self {
            start_ns,
            slice_ns: (length / slices).max(1),
            last: slices - 1,
            current: 0,
            part: Filling::new(start_ns),
            medians: Vec::new(),
        }
    }

    /// A right answer to a request of the window. What comes after the window's end belongs to its last slice.
    ///
    /// # Errors
    ///
    /// If it cannot be recorded.
    pub(super) fn answered(&mut self, done_ns: u64, response_ns: u64) -> anyhow::Result<()> {
        let slice = (done_ns.saturating_sub(self.start_ns) / self.slice_ns).min(self.last);
        if slice > self.current {
            self.close();
            self.current = slice;
        }
        record(&mut self.part.response, response_ns)
    }

    /// The drift of the median over the window; none where fewer than ten slices have answers.
    pub(super) fn drift(mut self) -> Option<Drift> {
        self.close();
        drift(&self.medians)
    }

    /// A slice without an answer has no median, and is no point of the course.
    fn close(&mut self) {
        self.medians.extend(self.part.quantile_ns(0.5));
        self.part.restart(self.start_ns);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::fixtures::{MS, S};

    /// Answers every 10 ms of a window of so many seconds, each as slow as told by the time in seconds.
    fn course(seconds: u64, slow: impl Fn(f64) -> f64) -> Option<Drift> {
        let mut course = Course::new(S, S + seconds * S);
        for at in (0..seconds * S).step_by(usize::try_from(10 * MS).expect("small")) {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small")]
            let response = slow(at as f64 / 1e9) as u64;
            course.answered(S + at, response).expect("recorded");
        }
        course.drift()
    }

    #[test]
    fn a_window_of_five_seconds_shows_its_drift_and_rest_is_none() {
        let still = course(5, |_| 1e6).expect("ten slices");
        assert!(still.moves.abs() < 1e-9 && !still.is_unsteady());
        let up = course(5, |t| 1e6 * (1.0 + 0.02 * t)).expect("ten slices");
        assert!((up.moves - 0.0952).abs() < 0.002 && up.is_unsteady(), "{up:?}");
        let down = course(5, |t| 1e6 * (1.0 - 0.02 * t)).expect("ten slices");
        assert!(down.moves < -0.09 && down.is_unsteady(), "{down:?}");
        let little = course(60, |t| 1e6 * (1.0 + 0.04 * t / 60.0)).expect("sixty slices");
        assert_eq!(course(4, |t| 1e6 * (1.0 + t)), None, "too short to tell");
        assert!(little.moves > 0.03 && !little.is_unsteady(), "{little:?}");
    }

    #[test]
    fn slices_without_answers_are_no_points_and_too_few_points_have_no_drift() {
        let mut course = Course::new(0, 10 * S);
        for slice in 0..9 {
            course.answered(slice * 1000 * MS, MS).expect("recorded");
        }
        assert_eq!(course.drift(), None, "nine points");
        let mut course = Course::new(0, 10 * S);
        for slice in 0..30 {
            course.answered(slice * 1000 * MS, MS).expect("recorded");
        }
        let drift = course.drift().expect("what came after the end is in the last slice");
        assert!(drift.moves.abs() < 1e-9);
    }

    #[test]
    fn a_long_window_has_no_more_slices_than_a_short_one() {
        let day = Course::new(0, 86_400 * S);
        assert_eq!((day.last, day.slice_ns), (119, 720 * S));
        let short = Course::new(0, 2 * S);
        assert_eq!((short.last, short.slice_ns), (3, 500 * MS));
        assert_eq!(Course::new(5, 5).drift(), None);
    }
}
