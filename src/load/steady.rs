//! Whether a warm-up has come to rest: latency, hit ratio and throughput of its last slices no longer move.
//!
//! The trends are `stats`' (Theil and Sen, so one odd slice does not matter), and the looks are practical, not
//! statistical: over the last ten slices latency may move by 5 %, the hit ratio by less than a point, and throughput by
//! 10 %.

use super::slices::FEWEST_CACHED;
use crate::stats::{REST_WINDOWS, WarmWindow, is_at_rest, moves};

/// Fewer answers than this in a slice have no median worth comparing: then the warm-up lasts to its end.
const FEWEST_ANSWERS: u64 = 20;
/// Most that the throughput may move over all slices, as a share of its median.
const THROUGHPUT_MOVES: f64 = 0.10;

/// A part of the warm-up.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct WarmSlice {
    /// Right answers in it.
    pub(super) answered: u64,
    /// Their median response time.
    pub(super) p50_ns: f64,
    /// Of them from the cache, and with any word of the API on its cache.
    pub(super) hits: (u64, u64),
}

/// Adds a slice, and forgets what is too old to say anything: a load may take a day.
pub(super) fn keep(slices: &mut Vec<WarmSlice>, slice: WarmSlice) {
    let most = REST_WINDOWS - 1;
    slices.drain(..slices.len().saturating_sub(most));
    slices.push(slice);
}

/// Whether the last ten slices show a steady state.
pub(super) fn is_steady(slices: &[WarmSlice]) -> bool {
    let Some(start) = slices.len().checked_sub(REST_WINDOWS) else { return false };
    let last = &slices[start..];
    if last.iter().any(|slice| slice.answered < FEWEST_ANSWERS) {
        return false;
    }
    // Fewer say nothing about a ratio: then only latency and throughput are looked at.
    let has_ratio = last.iter().all(|slice| slice.hits.1 >= FEWEST_CACHED);
    let windows: Vec<WarmWindow> = last
        .iter()
        .map(|slice| WarmWindow {
            latency: slice.p50_ns,
            hit_ratio: has_ratio.then(|| slice.hits.0 as f64 / slice.hits.1 as f64),
            // What Postgres reads and how it plans is looked at before and after the load.
            reads: None,
            plan_changes: 0,
        })
        .collect();
    let throughput: Vec<f64> = last.iter().map(|slice| slice.answered as f64).collect();
    is_at_rest(&windows) && moves(&throughput).abs() <= THROUGHPUT_MOVES
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slices(of: impl Fn(f64) -> (f64, f64)) -> Vec<WarmSlice> {
        let slice = |i: u32| {
            let (answered, p50_ns) = of(f64::from(i));
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small")]
            let answered = answered as u64;
            WarmSlice { answered, p50_ns, hits: (0, 0) }
        };
        (0..10).map(slice).collect()
    }

    #[test]
    fn rest_is_steady_and_trends_are_not() {
        let wobble = |i: f64| (i * 2.4).sin();
        assert!(is_steady(&slices(|_| (200.0, 1e6))));
        assert!(is_steady(&slices(|i| (200.0 + 6.0 * wobble(i), 1e6 + 2e4 * wobble(i)))));
        assert!(!is_steady(&slices(|i| (200.0, 1e6 * (1.0 - 0.02 * i)))));
        assert!(!is_steady(&slices(|i| (200.0 + 10.0 * i, 1e6))));
    }

    #[test]
    fn one_odd_slice_does_not_matter_but_too_few_answers_do() {
        assert!(is_steady(&slices(|i| (200.0, if i > 8.5 { 9e6 } else { 1e6 }))));
        assert!(!is_steady(&slices(|i| (if i > 8.5 { 3.0 } else { 200.0 }, 1e6))));
        assert!(!is_steady(&slices(|_| (200.0, 1e6))[1..]));
        assert!(!is_steady(&[]));
    }

    #[test]
    fn no_more_slices_are_kept_than_are_looked_at() {
        let mut kept = Vec::new();
        for slice in
            slices(|i| (200.0, 1e6 * (10.0 - i))).into_iter().chain(slices(|_| (200.0, 1e6)))
        {
            keep(&mut kept, slice);
            assert!(kept.len() <= REST_WINDOWS);
        }
        assert_eq!(kept.len(), REST_WINDOWS);
        assert!(is_steady(&kept), "the last ten");
    }

    #[test]
    fn only_the_last_ten_slices_count() {
        let mut all = slices(|i| (200.0, 1e6 * (10.0 - i)));
        assert!(!is_steady(&all));
        all.extend(slices(|_| (200.0, 1e6)));
        assert!(is_steady(&all));
    }

    #[test]
    fn slices_whose_answers_took_no_time_are_not_at_rest() {
        assert!(!is_steady(&slices(|_| (200.0, 0.0))), "no median to move away from");
    }

    #[test]
    fn a_hit_ratio_that_moves_is_no_rest_where_there_are_answers_enough_to_tell() {
        let with = |cached: u64, step: f64| {
            let mut all = slices(|_| (1000.0, 1e6));
            for (i, slice) in (0..).zip(&mut all) {
                let ratio = 0.8 + step * f64::from(i);
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "small"
                )]
                let hits = (cached as f64 * ratio).round() as u64;
                slice.hits = (hits, cached);
            }
            is_steady(&all)
        };
        assert!(with(1000, 0.0) && with(1000, 0.000_9));
        assert!(!with(1000, 0.002) && !with(1000, -0.002));
        assert!(with(100, 0.01), "a hundred answers are within chance");
    }
}
