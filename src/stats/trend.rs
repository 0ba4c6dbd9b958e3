//! Whether a series has come to rest: its trend, and what a trend of that size is worth.
//!
//! A test alone flags chance: neighbouring seconds resemble each other, and Mann and Kendall then see a trend in one of
//! seven series without any. A size alone flags noise. So drift needs both.

use statrs::distribution::{ContinuousCDF, Normal};

use crate::stats::median;

/// Windows that must agree before a warm-up has ended.
pub const REST_WINDOWS: usize = 10;
/// Most that a median may move by over those windows, as a share of itself.
const REST_MOVES: f64 = 0.05;
/// Most that a hit ratio may move by over those windows.
const REST_HIT_RATIO: f64 = 0.01;
/// A drift of the measured window that is larger is worth a flag.
const DRIFT_MOVES: f64 = 0.05;
/// A drift that chance explains with a larger probability is not.
const DRIFT_P: f64 = 0.01;
/// A trial more than these of all makes a variant one without a steady state: a quarter.
const UNSTEADY_PART: usize = 4;

/// One second of a warm-up.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WarmWindow {
    /// Median latency, in any unit; 0 where nothing was answered, which is never at rest.
    pub latency: f64,
    /// Cache hits among answers; none without a cache.
    pub hit_ratio: Option<f64>,
    /// Blocks read from outside of shared buffers for each request; none where it is not known.
    pub reads: Option<f64>,
    /// The number of times that a plan has changed so far.
    pub plan_changes: u32,
}

/// Whether the last ten windows are at rest: over all of them the trends of latency and of reads move by no more than
/// 5 % of their medians, that of the hit ratio by less than one point, and no plan changed.
///
/// What is known in some of the ten windows only does not rest.
pub fn is_at_rest(windows: &[WarmWindow]) -> bool {
    let Some(start) = windows.len().checked_sub(REST_WINDOWS) else { return false };
    let last = &windows[start..];
    let latency: Vec<f64> = last.iter().map(|w| w.latency).collect();
    let plans_rest = last.iter().all(|w| w.plan_changes == last[0].plan_changes);
    let rests = |of: &dyn Fn(&WarmWindow) -> Option<f64>, holds: &dyn Fn(&[f64]) -> bool| {
        let known: Vec<f64> = last.iter().filter_map(of).collect();
        known.is_empty() || (known.len() == last.len() && holds(&known))
    };
    latency.iter().all(|x| *x > 0.0)
        && moves(&latency).abs() <= REST_MOVES
        && rests(&|w| w.reads, &|reads| moves(reads).abs() <= REST_MOVES)
        && rests(&|w| w.hit_ratio, &|hits| {
            (theil_sen(hits) * hits.len() as f64).abs() < REST_HIT_RATIO
        })
        && plans_rest
}

/// How a series moved over a measured window.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Drift {
    /// Of the trend over the whole window, as a share of the median: 0.07 for 7 % upwards.
    pub moves: f64,
    /// The probability of such a trend by chance, two-sided.
    pub p_value: f64,
}

impl Drift {
    /// Whether the trial is flagged: the drift is neither small nor chance. A flag deletes nothing.
    pub fn is_unsteady(self) -> bool {
        self.moves.abs() > DRIFT_MOVES && self.p_value < DRIFT_P
    }
}

/// The drift of a series of equal windows; none for fewer than ten of them, or with one that is not finite.
pub fn drift(series: &[f64]) -> Option<Drift> {
    let judged = series.len() >= REST_WINDOWS && series.iter().all(|x| x.is_finite());
    judged.then(|| Drift { moves: moves(series), p_value: mann_kendall(series) })
}

/// Whether a variant has no steady state: more than a quarter of its trials are unsteady.
pub fn lacks_steady_state(unsteady: usize, trials: usize) -> bool {
    unsteady.saturating_mul(UNSTEADY_PART) > trials
}

/// How far the trend moves over the whole length, as a share of the median. Of a median of 0, nothing or infinitely far.
pub fn moves(series: &[f64]) -> f64 {
    let whole = theil_sen(series) * series.len() as f64;
    match median(series) {
        _ if whole == 0.0 => 0.0,
        Some(middle) if middle != 0.0 => whole / middle.abs(),
        _ => f64::INFINITY.copysign(whole),
    }
}

/// Theil's and Sen's slope: the median of the slopes between all pairs of points, which are one step apart each; 0 for
/// fewer than two points. Nearly a third of the points may be wild without moving it far.
pub fn theil_sen(series: &[f64]) -> f64 {
    let slopes = pairs(series).map(|(steps, rise)| rise / steps as f64);
    median(&slopes.collect::<Vec<f64>>()).unwrap_or(0.0)
}

/// Mann's and Kendall's test against a trend: two-sided p-value by the normal approximation, corrected for ties and
/// continuity; good from ten points on. 1 where all points are equal.
pub fn mann_kendall(series: &[f64]) -> f64 {
    let sign = |rise: f64| if rise == 0.0 { 0.0 } else { rise.signum() };
    let s: f64 = pairs(series).map(|(_, rise)| sign(rise)).sum();
    let weight = |n: usize| (n * n.saturating_sub(1) * (2 * n + 5)) as f64;
    let mut sorted = series.to_vec();
    sorted.sort_by(f64::total_cmp);
    let ties: f64 = sorted.chunk_by(|a, b| b - a == 0.0).map(|tie| weight(tie.len())).sum();
    let variance = (weight(series.len()) - ties) / 18.0;
    if variance <= 0.0 {
        return 1.0;
    }
    let z = (s.abs() - 1.0).max(0.0) / variance.sqrt();
    (2.0 * Normal::standard().sf(z)).min(1.0)
}

/// For each two points, how many steps lie between them and by how much they rise.
fn pairs(series: &[f64]) -> impl Iterator<Item = (usize, f64)> + '_ {
    series.iter().enumerate().flat_map(move |(i, a)| {
        series.iter().enumerate().skip(i + 1).map(move |(j, b)| (j - i, b - a))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(got: f64, want: f64) {
        assert!((got - want).abs() < 1e-4, "{got} is not {want}");
    }

    fn series(n: u32, of: impl Fn(f64) -> f64) -> Vec<f64> {
        (0..n).map(|i| of(f64::from(i))).collect()
    }

    /// Deterministic, without a trend, between -1 and 1.
    fn wobble(i: f64) -> f64 {
        (i * 2.4).sin()
    }

    fn warm(of: impl Fn(f64) -> f64) -> Vec<WarmWindow> {
        series(10, of)
            .into_iter()
            .map(|latency| WarmWindow { latency, hit_ratio: None, reads: None, plan_changes: 0 })
            .collect()
    }

    #[test]
    fn the_slope_is_the_median_of_pairs() {
        near(theil_sen(&[1.0, 3.0, 5.0, 100.0, 9.0]), 2.0);
        near(theil_sen(&[5.0, 4.0, 3.0]), -1.0);
        near(theil_sen(&[7.0]), 0.0);
        near(theil_sen(&[]), 0.0);
        near(moves(&[10.0, 11.0, 12.0]), 3.0 / 11.0);
        near(moves(&[-12.0, -11.0, -10.0]), 3.0 / 11.0);
        near(moves(&[0.0, 0.0, 0.0]), 0.0);
        assert!(moves(&[-1.0, 0.0, 1.0]) > 1e9 && moves(&[1.0, 0.0, -1.0]) < -1e9);
    }

    #[test]
    fn the_test_of_trend_agrees_with_known_values() {
        // S = 45 of 10 rising points, variance 125: z = 44 / 11.1803 = 3.93548.
        near(mann_kendall(&series(10, |i| i)), 8.303e-5);
        near(mann_kendall(&series(10, |i| -i)), 8.303e-5);
        // S = 3, n = 5 (1 and 3 discordant ...): 1 3 2 5 4 has 8 rises, 2 falls: S = 6, variance 16.667, z = 1.22474.
        near(mann_kendall(&[1.0, 3.0, 2.0, 5.0, 4.0]), 0.220_671);
        // Ties: 1 1 2 2 3 has S = 8, variance (300 - 18 - 18) / 18 = 14.667, z = 7 / 3.82971 = 1.82782.
        near(mann_kendall(&[1.0, 1.0, 2.0, 2.0, 3.0]), 0.067_577);
        for none in [&[][..], &[1.0], &[2.0; 12], &[1.0, 2.0, 1.0, 2.0, 1.0]] {
            near(mann_kendall(none), 1.0);
        }
    }

    #[test]
    fn drift_needs_size_and_evidence() {
        let of = |share: f64, noise: f64| {
            drift(&series(30, |i| 100.0 * (1.0 + share * i / 30.0 + noise * wobble(i))))
                .expect("30")
        };
        near(of(0.06, 0.0).moves, 0.06 / (1.0 + 0.06 * 14.5 / 30.0));
        assert!(of(0.06, 0.0).is_unsteady() && of(-0.06, 0.0).is_unsteady());
        assert!(!of(0.045, 0.0).is_unsteady(), "certain, but small");
        let noisy = drift(&series(10, |i| 100.0 + 2.0 * i + 60.0 * wobble(i))).expect("ten");
        assert!(
            noisy.moves.abs() > 0.05 && noisy.p_value > 0.01 && !noisy.is_unsteady(),
            "{noisy:?}"
        );
        assert!(!of(0.0, 0.03).is_unsteady());
        assert!(!Drift { moves: 0.05, p_value: 0.0 }.is_unsteady());
        assert!(!Drift { moves: 1.0, p_value: 0.01 }.is_unsteady());
    }

    #[test]
    fn too_few_windows_have_no_drift_to_speak_of() {
        assert_eq!(drift(&series(9, |i| i)), None);
        assert!(drift(&series(10, |i| i)).is_some());
        assert_eq!(drift(&series(10, |_| f64::NAN)), None);
    }

    #[test]
    fn more_than_a_quarter_of_unsteady_trials_is_no_steady_state() {
        assert!(!lacks_steady_state(2, 8) && lacks_steady_state(3, 8));
        assert!(!lacks_steady_state(0, 0) && !lacks_steady_state(1, 6) && lacks_steady_state(2, 6));
    }

    #[test]
    fn latency_at_rest_is_at_rest_and_trends_are_not() {
        assert!(is_at_rest(&warm(|_| 1e6)));
        assert!(is_at_rest(&warm(|i| 1e6 + 2e4 * wobble(i))));
        assert!(is_at_rest(&warm(|i| 1e6 * (1.0 + 0.004_9 * i))));
        assert!(!is_at_rest(&warm(|i| 1e6 * (1.0 + 0.005_4 * i))));
        assert!(!is_at_rest(&warm(|i| 1e6 * (1.0 - 0.02 * i))));
        assert!(is_at_rest(&warm(|i| if i > 8.5 { 9e6 } else { 1e6 })), "one odd window");
        assert!(!is_at_rest(&warm(|i| if i > 8.5 { 0.0 } else { 1e6 })), "one without an answer");
        assert!(!is_at_rest(&warm(|_| 1e6)[1..]) && !is_at_rest(&[]));
        let mut all = warm(|i| 1e6 * (11.0 - i));
        assert!(!is_at_rest(&all));
        all.extend(warm(|_| 1e6));
        assert!(is_at_rest(&all), "only the last ten count");
    }

    #[test]
    fn caches_reads_and_plans_must_rest_too() {
        let with = |change: &dyn Fn(u32, &mut WarmWindow)| {
            let mut windows = warm(|_| 1e6);
            (0..).zip(&mut windows).for_each(|(i, w)| change(i, w));
            is_at_rest(&windows)
        };
        let hits = |step: f64| with(&|i, w| w.hit_ratio = Some(0.9 + step * f64::from(i)));
        assert!(hits(0.0) && hits(0.000_9) && !hits(0.001_1) && !hits(-0.001_1));
        let reads = |from: f64, step: f64| with(&|i, w| w.reads = Some(from + step * f64::from(i)));
        assert!(reads(0.0, 0.0) && reads(2.0, 0.009) && !reads(2.0, 0.012) && !reads(2.0, -0.012));
        assert!(!with(&|i, w| w.plan_changes = u32::from(i > 5)));
        assert!(with(&|_, w| w.plan_changes = 3));
        assert!(!with(&|i, w| w.hit_ratio = (i > 0).then_some(0.9)), "not known everywhere");
    }
}
