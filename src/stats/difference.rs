//! Two variants, block by block, where a ratio has no meaning: shares and counts that may be zero.
//!
//! Error shares are mostly zero and then, in one block, not at all: no bell shape to lean on. So the p-value is the exact
//! sign-flip test: were the variants alike, each block's difference might as well have had the other sign.

use std::collections::BTreeSet;

use crate::stats::estimate::{half_width, mean_and_sd, t_p_value};
use crate::stats::{Interval, NoComparison, Pair};

/// Rounds of requests on two ways: with fewer, the difference of the two means says more about luck than about the ways.
pub const FEWEST_ROUNDS: u64 = 50;

/// Up to so many blocks all sign patterns are counted, by halves of at most 2^16 each.
const MOST_EXACT: usize = 32;

/// The mean difference over the blocks, variant minus baseline, in the metric's unit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Difference {
    /// Blocks.
    pub n: usize,
    /// The mean.
    pub mean: f64,
    /// Its t interval at the asked confidence; none for a single block.
    pub interval: Option<Interval>,
    /// Two-sided, exact sign-flip test; 1 where all differences are 0. Below 6 blocks it cannot be under 0.05.
    pub p_value: f64,
}

/// Compares values that may be zero, block by block.
///
/// # Errors
///
/// If there are no pairs, a value is not finite, or a block occurs twice; see [`NoComparison`].
pub fn difference(pairs: &[Pair], confidence: f64) -> Result<Difference, NoComparison> {
    let mut seen = BTreeSet::new();
    let mut differences = Vec::with_capacity(pairs.len());
    for pair in pairs {
        if !pair.baseline.is_finite() || !pair.variant.is_finite() {
            return Err(NoComparison::NotFinite { block: pair.block });
        }
        if !seen.insert(pair.block) {
            return Err(NoComparison::DuplicateBlock { block: pair.block });
        }
        differences.push(pair.variant - pair.baseline);
    }
    if differences.is_empty() {
        return Err(NoComparison::NoPairs);
    }
    let n = differences.len();
    let (mean, sd) = mean_and_sd(&differences);
    let interval = (n >= 2).then(|| {
        let half = half_width(sd, n, confidence);
        Interval { low: mean - half, high: mean + half }
    });
    Ok(Difference { n, mean, interval, p_value: sign_flip_p_value(&differences) })
}

/// The share of all sign patterns under which the mean is at least as far from 0: exact, whatever the distribution.
///
/// Beyond 32 differences there are too many patterns to count; Student's t agrees with them by then.
pub fn sign_flip_p_value(differences: &[f64]) -> f64 {
    // A zero has no sign: it halves nothing.
    let d: Vec<f64> = differences.iter().copied().filter(|d| *d != 0.0).collect();
    let n = d.len();
    if n == 0 {
        return 1.0;
    }
    if n > MOST_EXACT {
        let (mean, sd) = mean_and_sd(differences);
        let error = sd / (differences.len() as f64).sqrt();
        return if error > 0.0 { t_p_value(differences.len(), mean / error) } else { 0.0 };
    }
    // Rounding of sums must not push the pattern that was observed below itself.
    let slack = 1e-9 * d.iter().map(|x| x.abs()).sum::<f64>();
    let observed = d.iter().sum::<f64>().abs() - slack;
    let (left, right) = d.split_at(n / 2);
    let (left, right) = (all_sums(left), all_sums(right));
    let as_far: usize = left
        .iter()
        .map(|a| {
            // Both tails: the sums are symmetric about 0, so the lower one is the upper one of the negated half.
            right.len() - right.partition_point(|b| a + b < observed)
        })
        .sum();
    // The tails meet where everything is as far as what was observed.
    (2.0 * as_far as f64 / (left.len() as f64 * right.len() as f64)).min(1.0)
}

/// The sums of all sign patterns, ascending.
fn all_sums(d: &[f64]) -> Vec<f64> {
    let mut sums = vec![0.0];
    for x in d {
        sums = sums.iter().flat_map(|sum| [sum - x, sum + x]).collect();
    }
    sums.sort_by(f64::total_cmp);
    sums
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pairs(of: &[(f64, f64)]) -> Vec<Pair> {
        (1..)
            .zip(of)
            .map(|(block, &(baseline, variant))| Pair { block, baseline, variant })
            .collect()
    }

    fn near(got: f64, want: f64) {
        assert!((got - want).abs() < 1e-4, "{got} is not {want}");
    }

    /// One pattern after the other, both tails.
    fn counted(d: &[f64]) -> f64 {
        let observed = d.iter().sum::<f64>().abs();
        let patterns = 1_u32 << d.len();
        let sum = |pattern: u32| {
            let signed =
                d.iter().enumerate().map(|(i, x)| if pattern >> i & 1 == 1 { *x } else { -x });
            signed.sum::<f64>().abs()
        };
        let as_far = (0..patterns).filter(|p| sum(*p) >= observed - 1e-12).count();
        as_far as f64 / f64::from(patterns)
    }

    #[test]
    fn a_difference_of_shares_is_in_their_unit_and_may_be_of_zeros() {
        let p =
            pairs(&[(0.0, 0.02), (0.0, 0.03), (0.01, 0.02), (0.0, 0.02), (0.0, 0.01), (0.0, 0.03)]);
        let d = difference(&p, 0.95).expect("six pairs");
        // Differences 2 3 1 2 1 3 %: mean 2 %, sd 0.8944 %, half 2.5706 * 0.8944 / sqrt(6) = 0.93864 %.
        near(d.mean, 0.02);
        let interval = d.interval.expect("six pairs");
        near(interval.low, 0.010_614);
        near(interval.high, 0.029_386);
        near(d.p_value, 2.0 / 64.0);
        assert_eq!(d.n, 6);
    }

    #[test]
    fn no_difference_at_all_is_no_evidence_and_one_block_is_none_either() {
        let d = difference(&pairs(&[(0.0, 0.0); 8]), 0.95).expect("pairs");
        assert_eq!(
            (d.mean, d.interval, d.p_value),
            (0.0, Some(Interval { low: 0.0, high: 0.0 }), 1.0)
        );
        let d = difference(&pairs(&[(0.0, 0.5)]), 0.95).expect("a pair");
        assert_eq!((d.n, d.mean, d.interval, d.p_value), (1, 0.5, None, 1.0));
    }

    #[test]
    fn what_is_not_finite_or_comes_twice_is_no_difference() {
        assert_eq!(difference(&[], 0.95), Err(NoComparison::NoPairs));
        for bad in [(f64::NAN, 0.0), (0.0, f64::INFINITY)] {
            let got = difference(&pairs(&[(0.0, 0.0), bad]), 0.95);
            assert_eq!(got, Err(NoComparison::NotFinite { block: 2 }));
        }
        let mut twice = pairs(&[(0.0, 0.1), (0.0, 0.2)]);
        twice[1].block = 1;
        assert_eq!(difference(&twice, 0.95), Err(NoComparison::DuplicateBlock { block: 1 }));
    }

    #[test]
    fn known_sign_flips() {
        // 1, 2, 3 with every sign: 6 4 2 0 0 -2 -4 -6. As far as 6 are two of eight, as far as 4 four.
        near(sign_flip_p_value(&[1.0, 2.0, 3.0]), 0.25);
        near(sign_flip_p_value(&[-1.0, 2.0, 3.0]), 0.5);
        near(sign_flip_p_value(&[1.0, -1.0]), 1.0);
        near(sign_flip_p_value(&[0.0, 1.0, 2.0, 3.0, 0.0]), 0.25);
        near(sign_flip_p_value(&[]), 1.0);
        // Fisher's table of Darwin's maize: 15 pairs, 863 of 32,768 patterns as extreme in one direction.
        let darwin = [49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48].map(f64::from);
        near(sign_flip_p_value(&darwin), 2.0 * 863.0 / 32768.0);
    }

    #[test]
    fn counting_goes_on_to_32_blocks_and_t_takes_over_there() {
        let of = |n: i32| (0..n).map(|i| f64::from(i % 5) - 1.4).collect::<Vec<f64>>();
        let (counted, student) = (sign_flip_p_value(&of(32)), sign_flip_p_value(&of(33)));
        assert!(
            (counted - 0.04).abs() < 0.03 && (counted - student).abs() < 0.02,
            "{counted} {student}"
        );
        assert!(sign_flip_p_value(&[1.0; 32]) > 0.0);
        assert!(sign_flip_p_value(&[1.0; 33]) <= 0.0);
    }

    proptest! {
        #[test]
        fn halves_count_what_one_pattern_after_the_other_counts(
            d in prop::collection::vec(-1.0..1.0_f64, 1..11),
        ) {
            prop_assert!((sign_flip_p_value(&d) - counted(&d)).abs() < 1e-12);
        }

        #[test]
        fn swapping_the_labels_changes_the_sign_and_nothing_else(
            values in prop::collection::vec((0.0..1.0_f64, 0.0..1.0_f64), 1..12),
        ) {
            let swapped: Vec<(f64, f64)> = values.iter().map(|(b, v)| (*v, *b)).collect();
            let (a, b) = (difference(&pairs(&values), 0.95), difference(&pairs(&swapped), 0.95));
            let (a, b) = (a.expect("pairs"), b.expect("pairs"));
            prop_assert!((a.mean + b.mean).abs() <= 0.0);
            prop_assert!((a.p_value - b.p_value).abs() < 1e-12);
        }
    }
}
