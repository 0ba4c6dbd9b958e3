//! Whether a warm-up has come to rest: latency and throughput of its last slices no longer move.
//!
//! Two looks, both practical and not statistical: over the last ten slices the trend (Theil-Sen, so one odd slice does
//! not matter) may move the median latency by 5 % and the throughput by 10 %.

/// Slices that must agree.
pub(super) const SLICES: usize = 10;
/// Fewer answers than this in a slice have no median worth comparing: then the warm-up lasts to its end.
const FEWEST_ANSWERS: u64 = 20;
/// Most that the latency may move over all slices, as a share of its median.
const LATENCY_MOVES: f64 = 0.05;
/// Most that the throughput may move over all slices, as a share of its median.
const THROUGHPUT_MOVES: f64 = 0.10;

/// A part of the warm-up.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct WarmSlice {
    /// Right answers in it.
    pub(super) answered: u64,
    /// Their median response time.
    pub(super) p50_ns: f64,
}

/// Whether the last ten slices show a steady state.
pub(super) fn is_steady(slices: &[WarmSlice]) -> bool {
    let Some(start) = slices.len().checked_sub(SLICES) else { return false };
    let last = &slices[start..];
    if last.iter().any(|slice| slice.answered < FEWEST_ANSWERS) {
        return false;
    }
    let latency: Vec<f64> = last.iter().map(|slice| slice.p50_ns).collect();
    let throughput: Vec<f64> = last.iter().map(|slice| slice.answered as f64).collect();
    moves(&latency) <= LATENCY_MOVES && moves(&throughput) <= THROUGHPUT_MOVES
}

/// How far the trend moves over the whole length, as a share of the median.
fn moves(series: &[f64]) -> f64 {
    let middle = median(series.to_vec());
    if middle <= 0.0 {
        return 0.0;
    }
    theil_sen(series).abs() * series.len() as f64 / middle
}

/// Median of the slopes between all pairs of points that are one step apart each; 0 for fewer than two points.
fn theil_sen(series: &[f64]) -> f64 {
    let mut slopes = Vec::new();
    for (i, a) in series.iter().enumerate() {
        for (j, b) in series.iter().enumerate().skip(i + 1) {
            slopes.push((b - a) / (j - i) as f64);
        }
    }
    median(slopes)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let n = values.len();
    match n {
        0 => 0.0,
        n if n % 2 == 1 => values[n / 2],
        _ => f64::midpoint(values[n / 2 - 1], values[n / 2]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slices(of: impl Fn(f64) -> (f64, f64)) -> Vec<WarmSlice> {
        let slice = |i: u32| {
            let (answered, p50_ns) = of(f64::from(i));
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small")]
            let answered = answered as u64;
            WarmSlice { answered, p50_ns }
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
    fn only_the_last_ten_slices_count() {
        let mut all = slices(|i| (200.0, 1e6 * (10.0 - i)));
        assert!(!is_steady(&all));
        all.extend(slices(|_| (200.0, 1e6)));
        assert!(is_steady(&all));
    }

    #[test]
    fn the_slope_is_the_median_of_pairs() {
        assert!((theil_sen(&[1.0, 3.0, 5.0, 100.0, 9.0]) - 2.0).abs() < 1e-12);
        assert!(theil_sen(&[7.0]).abs() < 1e-12);
    }
}
