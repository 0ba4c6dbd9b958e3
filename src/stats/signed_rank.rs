//! Hodges–Lehmann: the estimate and the exact interval that one odd block cannot move.
//!
//! It is the companion of the t interval. Where the two lead to different words, one block decides, and the
//! verdict says so.

use crate::stats::Interval;

/// The median of the Walsh averages (`(d_i + d_j) / 2` for i ≤ j) of the differences; none without differences.
pub fn hodges_lehmann(differences: &[f64]) -> Option<f64> {
    crate::stats::median(&walsh_averages(differences))
}

/// The exact signed-rank interval of the centre of the differences, at least at `confidence`.
///
/// None where no interval of so few differences reaches that confidence: 95 % needs 6 of them.
pub fn rank_interval(differences: &[f64], confidence: f64) -> Option<Interval> {
    let k = k_for(differences.len(), 1.0 - confidence)?;
    let averages = walsh_averages(differences);
    Some(Interval { low: *averages.get(k - 1)?, high: *averages.get(averages.len() - k)? })
}

fn walsh_averages(d: &[f64]) -> Vec<f64> {
    let mut averages: Vec<f64> =
        (0..d.len()).flat_map(|i| (i..d.len()).map(move |j| f64::midpoint(d[i], d[j]))).collect();
    averages.sort_by(f64::total_cmp);
    averages
}

/// Which Walsh average bounds the interval, counted from 1 from either end: the largest k with
/// `2 P(W <= k - 1) <= alpha`, W the signed-rank statistic of n differences under no effect.
fn k_for(n: usize, alpha: f64) -> Option<usize> {
    let probabilities = distribution(n);
    let mut below = 0.0;
    let mut k = 0;
    for p in probabilities {
        below += p;
        // The sums are exact multiples of 2^-n up to n = 50; the slack forgives what rounding does beyond.
        if 2.0 * below > alpha * (1.0 + 1e-12) {
            break;
        }
        k += 1;
    }
    (k > 0).then_some(k)
}

/// P(W = w) for w = 0 …, n(n+1)/2: each rank is in the sum or not, with probability one half.
fn distribution(n: usize) -> Vec<f64> {
    let mut p = vec![0.0; n * (n + 1) / 2 + 1];
    p[0] = 1.0;
    let mut largest = 0;
    for rank in 1..=n {
        for w in (0..=largest).rev() {
            let half = p[w] / 2.0;
            p[w] = half;
            p[w + rank] += half;
        }
        largest += rank;
    }
    p
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bounding_average_is_the_published_one() {
        let k = |n, alpha| k_for(n, alpha).unwrap_or(0);
        let at_95: Vec<usize> = (5..=12).map(|n| k(n, 0.05)).collect();
        assert_eq!(at_95, [0, 1, 3, 4, 6, 9, 11, 14]);
        let at_99: Vec<usize> = (7..=12).map(|n| k(n, 0.01)).collect();
        assert_eq!(at_99, [0, 1, 2, 4, 6, 8]);
    }

    #[test]
    fn the_distribution_of_the_statistic_is_a_distribution() {
        for n in [1, 2, 6, 20, 100] {
            let sum: f64 = distribution(n).iter().sum();
            assert!((sum - 1.0).abs() < 1e-12, "{n}: {sum}");
        }
        assert_eq!(distribution(3), [1.0, 1.0, 1.0, 2.0, 1.0, 1.0, 1.0].map(|c| c / 8.0));
    }

    #[test]
    fn the_estimate_is_the_median_of_the_pairwise_means() {
        // Walsh averages of 1, 2, 10: 1, 1.5, 2, 5.5, 6, 10.
        assert_eq!(hodges_lehmann(&[10.0, 1.0, 2.0]), Some(3.75));
        assert_eq!(hodges_lehmann(&[]), None);
    }

    #[test]
    fn the_interval_of_six_spans_all_of_them() {
        let d = [3.0, 1.0, 2.0, 6.0, 5.0, 4.0];
        assert_eq!(rank_interval(&d, 0.95), Some(Interval { low: 1.0, high: 6.0 }));
        assert_eq!(rank_interval(&d[..5], 0.95), None);
    }

    #[test]
    fn one_wild_block_does_not_move_the_estimate_far() {
        let tame = [0.01, 0.02, 0.0, -0.01, 0.015, 0.005, -0.005, 0.01];
        let mut wild = tame;
        wild[0] = 5.0;
        let moved = hodges_lehmann(&wild).expect("differences")
            - hodges_lehmann(&tame).expect("differences");
        assert!(moved.abs() < 0.01, "{moved}");
    }
}
