//! The bootstrap, bias-corrected and accelerated (Efron), for runs of many blocks.
//!
//! A second opinion, never the verdict's interval. Below 20 blocks it is refused, because it covers 85 to 90 % there where
//! it says 95; and at 20 it still covers only 92 % of normal and 87 % of strongly skewed scatter (the full simulation).

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use statrs::distribution::{ContinuousCDF, Normal};

use crate::stats::Interval;
use crate::stats::estimate::mean_and_sd;

/// Fewer differences are not resampled.
pub const BOOTSTRAP_FEWEST: usize = 20;
/// Resamples: enough that the ends of a 95 % interval hold still in their third digit.
const RESAMPLES: usize = 4_999;

/// The interval of the mean of the differences, from resampled blocks; the same for the same seed.
///
/// None for fewer than 20 differences, or where one is not finite.
pub fn bootstrap_interval(differences: &[f64], confidence: f64, seed: u64) -> Option<Interval> {
    if differences.len() < BOOTSTRAP_FEWEST || !differences.iter().all(|d| d.is_finite()) {
        return None;
    }
    let (mean, sd) = mean_and_sd(differences);
    if sd <= 0.0 {
        return Some(Interval { low: mean, high: mean });
    }
    let means = resampled_means(differences, seed);
    let bias = bias(&means, mean);
    let acceleration = acceleration(differences, mean);
    let end = |p: f64| at_rank(&means, corrected(p, bias, acceleration));
    let tail = (1.0 - confidence) / 2.0;
    Some(Interval { low: end(tail), high: end(1.0 - tail) })
}

/// The share of the resampled means below an end that should have the share `p` below it (Efron's formula).
fn corrected(p: f64, bias: f64, acceleration: f64) -> f64 {
    let z = bias + Normal::standard().inverse_cdf(p);
    Normal::standard().cdf(bias + z / (1.0 - acceleration * z))
}

/// Ascending.
fn resampled_means(differences: &[f64], seed: u64) -> Vec<f64> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let n = differences.len();
    let mut below = || {
        // A 64-bit word times n, upper half: uneven by less than n in 2^64.
        let scaled = (u128::from(rng.next_u64()) * n as u128) >> 64;
        usize::try_from(scaled).unwrap_or(0)
    };
    let mut means: Vec<f64> = (0..RESAMPLES)
        .map(|_| (0..n).map(|_| differences[below()]).sum::<f64>() / n as f64)
        .collect();
    means.sort_by(f64::total_cmp);
    means
}

/// How far the median of the resampled means is from the mean, in standard deviations.
fn bias(means: &[f64], mean: f64) -> f64 {
    let below = means.partition_point(|m| *m < mean) as f64;
    let at_most = means.partition_point(|m| *m <= mean) as f64;
    let share = f64::midpoint(below, at_most) / means.len() as f64;
    // All on one side would be infinitely far: as far as so many resamples can tell.
    let least = 1.0 / (means.len() + 1) as f64;
    Normal::standard().inverse_cdf(share.clamp(least, 1.0 - least))
}

/// A sixth of the skewness of the jackknife; of a mean, leaving block i out moves it by `(d_i - mean) / (n - 1)`.
fn acceleration(differences: &[f64], mean: f64) -> f64 {
    let power = |k: i32| differences.iter().map(|d| (d - mean).powi(k)).sum::<f64>();
    power(3) / (6.0 * power(2).powf(1.5))
}

/// The mean that so large a share lies below: rank `share * (count + 1)`, counted from 1.
fn at_rank(means: &[f64], share: f64) -> f64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share is between 0 and 1, and a NaN becomes rank 0"
    )]
    let rank = (share * (means.len() + 1) as f64).round() as usize;
    means[rank.clamp(1, means.len()) - 1]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Twenty quantiles of a standard normal: symmetric, standard deviation about 0.96.
    fn even() -> Vec<f64> {
        (1..=20).map(|i| Normal::standard().inverse_cdf(f64::from(i) / 21.0)).collect()
    }

    fn near(got: f64, want: f64, by: f64) {
        assert!((got - want).abs() < by, "{got} is not {want}");
    }

    #[test]
    fn of_even_scatter_it_is_the_normal_interval() {
        let d: Vec<f64> = even().iter().map(|x| 5.0 + x).collect();
        let interval = bootstrap_interval(&d, 0.95, 1).expect("twenty");
        let (_, sd) = mean_and_sd(&d);
        // The resampled sd lacks the n - 1: 1.96 * sd * sqrt(19 / 20) / sqrt(20).
        let half = 1.96 * sd * (19.0_f64 / 400.0).sqrt();
        near(interval.low, 5.0 - half, 0.02);
        near(interval.high, 5.0 + half, 0.02);
        let narrower = bootstrap_interval(&d, 0.80, 1).expect("twenty");
        near(narrower.high - narrower.low, 2.0 * half * 1.2816 / 1.96, 0.03);
    }

    #[test]
    fn of_skewed_scatter_it_leans_to_the_long_side() {
        let d: Vec<f64> = even().iter().map(|x| x.exp()).collect();
        let (mean, _) = mean_and_sd(&d);
        let i = bootstrap_interval(&d, 0.95, 1).expect("twenty");
        assert!(i.high - mean > 1.5 * (mean - i.low), "{i:?} around {mean}");
        let mirrored: Vec<f64> = d.iter().map(|x| -x).collect();
        let m = bootstrap_interval(&mirrored, 0.95, 1).expect("twenty");
        near(m.low, -i.high, 0.05);
        near(m.high, -i.low, 0.05);
        // R: sum((d-mean)^3) / (6 * sum((d-mean)^2)^1.5), by hand for 1, 2, 9: 90 / (6 * 38^1.5).
        near(acceleration(&[1.0, 2.0, 9.0], 4.0), 90.0 / (6.0 * 38.0_f64.powf(1.5)), 1e-12);
    }

    #[test]
    fn few_or_infinite_differences_are_refused_and_equal_ones_have_no_width() {
        assert_eq!(bootstrap_interval(&even()[1..], 0.95, 1), None);
        let mut bad = even();
        bad[3] = f64::INFINITY;
        assert_eq!(bootstrap_interval(&bad, 0.95, 1), None);
        let equal = bootstrap_interval(&[0.25; 20], 0.95, 1);
        assert_eq!(equal, Some(Interval { low: 0.25, high: 0.25 }));
    }

    #[test]
    fn a_seed_gives_the_same_interval_and_another_nearly_the_same() {
        let (a, b) = (bootstrap_interval(&even(), 0.95, 7), bootstrap_interval(&even(), 0.95, 8));
        assert_eq!(a, bootstrap_interval(&even(), 0.95, 7));
        assert_ne!(a, b);
        near(a.expect("twenty").low, b.expect("twenty").low, 0.03);
    }

    #[test]
    fn shares_are_corrected_by_the_formula() {
        near(corrected(0.975, 0.0, 0.0), 0.975, 1e-9);
        near(corrected(0.975, 0.1, 0.05), 0.991_724, 1e-5);
        near(corrected(0.025, 0.1, 0.05), 0.054_610, 1e-5);
        near(corrected(0.025, -0.2, 0.0), 0.009_138, 1e-5);
    }

    #[test]
    fn bias_and_ranks_of_known_values() {
        let means: Vec<f64> = (1..=99).map(f64::from).collect();
        near(bias(&means, 50.0), 0.0, 1e-9);
        // 84 below and 1 equal of 99: 84.5 / 99.
        near(bias(&means, 85.0), Normal::standard().inverse_cdf(84.5 / 99.0), 1e-9);
        near(bias(&means, 0.0), Normal::standard().inverse_cdf(0.01), 1e-9);
        let ranks = [(0.0, 1.0), (0.05, 5.0), (0.5, 50.0), (0.95, 95.0), (1.0, 99.0)];
        for (share, want) in ranks {
            near(at_rank(&means, share), want, 1e-9);
        }
    }
}
