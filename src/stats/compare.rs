//! Two variants, block by block: the ratio of one metric, with everything that is known about its uncertainty.
//!
//! The ratio is the exponential of the mean difference of logarithms: geometric, the same to the last digit for any
//! order of blocks and any unit of time, and inverted when the labels are swapped.

use std::collections::BTreeSet;

use crate::stats::blocks::{blocks_for, detectable};
use crate::stats::estimate::{half_width, mean_and_sd, t_p_value, t_quantile};
use crate::stats::verdict::classify;
use crate::stats::{hodges_lehmann, median, rank_interval};

/// One block's values of both.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pair {
    /// The block.
    pub block: u32,
    /// The baseline's value.
    pub baseline: f64,
    /// The variant's value.
    pub variant: f64,
}

/// Both ends included.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl Interval {
    /// Whether `x` is in it.
    pub fn contains(self, x: f64) -> bool {
        self.low <= x && x <= self.high
    }

    /// Whether all of it is in `other`.
    pub fn within(self, other: Self) -> bool {
        other.low <= self.low && self.high <= other.high
    }

    /// The interval of the reciprocal, of a positive quantity.
    #[must_use]
    pub fn inverted(self) -> Self {
        Self { low: 1.0 / self.high, high: 1.0 / self.low }
    }

    fn exp(self) -> Self {
        Self { low: self.low.exp(), high: self.high.exp() }
    }
}

/// Which way is better: of latencies less, of throughput more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Orientation {
    /// Latencies, sizes, costs.
    LowerIsBetter,
    /// Throughput, hit ratio.
    HigherIsBetter,
}

/// What is asked of a comparison, decided before the numbers were seen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Question {
    /// Which way is better.
    pub orientation: Orientation,
    /// Confidence of the intervals, 0 to 1.
    pub confidence: f64,
    /// A smaller difference is not relevant: 0.05 for 5 %.
    pub margin: f64,
    /// Comparisons in the family that the verdict's interval is corrected for (Bonferroni); 1 for none.
    pub family: u32,
}

/// The variant's value over the baseline's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Comparison {
    /// What was asked.
    pub question: Question,
    /// Blocks.
    pub n: usize,
    /// Geometric mean over the blocks of variant over baseline.
    pub ratio: f64,
    /// Its uncertainty; none for a single block.
    pub spread: Option<Spread>,
}

/// The uncertainty of a ratio. All intervals are of the ratio, variant over baseline.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    /// Standard deviation of a block's log-ratio; after a pilot, of the pilot's if that is larger.
    pub sd_log: f64,
    /// Paired t interval at the question's confidence.
    pub interval: Interval,
    /// The same, corrected for the family: the verdict's.
    pub adjusted: Interval,
    /// 90 % interval, for equivalence by two one-sided tests at 5 %.
    pub equivalence: Interval,
    /// Two-sided, paired t.
    pub p_value: f64,
    /// Hodges–Lehmann estimate.
    pub hodges_lehmann: f64,
    /// Its exact signed-rank interval at 95 %; none under 6 blocks.
    pub rank_interval: Option<Interval>,
    /// The difference that such blocks detect with a probability of 80 %: 0.035 for 3.5 %.
    pub detectable: f64,
    /// Blocks for an interval whose half-width is the margin, at this spread.
    pub blocks_needed: u64,
    /// Whether t and signed-rank intervals, both at 95 % and uncorrected, lead to different words.
    pub fragile: bool,
    /// The block farthest from the median.
    pub odd_block: u32,
}

/// Why there is no ratio.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoComparison {
    /// No block has both.
    NoPairs,
    /// A value is not positive and finite: it has no logarithm.
    NotPositive {
        /// The block.
        block: u32,
    },
    /// A value is not finite: it has no difference.
    NotFinite {
        /// The block.
        block: u32,
    },
    /// A block occurs twice: it would narrow the interval without having been measured twice.
    DuplicateBlock {
        /// The block.
        block: u32,
    },
}

/// Compares block by block.
///
/// # Errors
///
/// If a ratio is not defined; see [`NoComparison`].
pub fn compare(pairs: &[Pair], question: Question) -> Result<Comparison, NoComparison> {
    compare_after_pilot(pairs, 0, question)
}

/// Compares blocks whose number was decided by the scatter of the first `pilot` of them.
///
/// A pilot that scatters little by luck asks for few blocks, which then leave its luck in the interval: up to 7 % of
/// such intervals miss where 5 % may. So the scatter is the pilot's or that of all blocks, whichever is larger.
///
/// # Errors
///
/// If a ratio is not defined; see [`NoComparison`].
pub fn compare_after_pilot(
    pairs: &[Pair],
    pilot: u32,
    question: Question,
) -> Result<Comparison, NoComparison> {
    let mut seen = BTreeSet::new();
    let mut differences = Vec::with_capacity(pairs.len());
    for pair in pairs {
        let usable = |x: f64| x.is_finite() && x > 0.0;
        if !usable(pair.baseline) || !usable(pair.variant) {
            return Err(NoComparison::NotPositive { block: pair.block });
        }
        if !seen.insert(pair.block) {
            return Err(NoComparison::DuplicateBlock { block: pair.block });
        }
        differences.push((pair.block, pair.variant.ln() - pair.baseline.ln()));
    }
    // In the order of blocks, so that ties in `odd_block` do not depend on the caller's order.
    differences.sort_by_key(|(block, _)| *block);
    let d: Vec<f64> = differences.iter().map(|(_, d)| *d).collect();
    if d.is_empty() {
        return Err(NoComparison::NoPairs);
    }
    let (mean, sd) = mean_and_sd(&d);
    let first = differences.iter().take_while(|(block, _)| *block <= pilot).count();
    let sd = if first >= 2 { sd.max(mean_and_sd(&d[..first]).1) } else { sd };
    let spread = (d.len() >= 2).then(|| spread(&d, mean, sd, question, odd_block(&differences)));
    Ok(Comparison { question, n: d.len(), ratio: mean.exp(), spread })
}

fn spread(d: &[f64], mean: f64, sd: f64, question: Question, odd_block: u32) -> Spread {
    let n = d.len();
    let t_interval = |confidence: f64| {
        let half = half_width(sd, n, confidence);
        Interval { low: mean - half, high: mean + half }.exp()
    };
    let alpha = 1.0 - question.confidence;
    let equivalence = t_interval(0.90);
    let rank_interval_95 = rank_interval(d, 0.95).map(Interval::exp);
    let word = |interval, equivalence| {
        classify(interval, equivalence, question.orientation, question.margin)
    };
    let fragile = match (rank_interval_95, rank_interval(d, 0.90).map(Interval::exp)) {
        (Some(at_95), Some(at_90)) => word(t_interval(0.95), equivalence) != word(at_95, at_90),
        _ => false,
    };
    let standard_error = sd / (n as f64).sqrt();
    let t = t_quantile(n, f64::midpoint(1.0, question.confidence));
    Spread {
        sd_log: sd,
        interval: t_interval(question.confidence),
        adjusted: t_interval(1.0 - alpha / f64::from(question.family.max(1))),
        equivalence,
        p_value: p_value(mean, standard_error, n),
        hodges_lehmann: hodges_lehmann(d).unwrap_or(mean).exp(),
        rank_interval: rank_interval_95,
        detectable: detectable(sd, n, question.confidence),
        blocks_needed: blocks_for(t * sd, question.margin),
        fragile,
        odd_block,
    }
}

/// Without any spread a difference is certain, and so is none.
fn p_value(mean: f64, standard_error: f64, n: usize) -> f64 {
    match (standard_error > 0.0, mean == 0.0) {
        (true, _) => t_p_value(n, mean / standard_error),
        (false, true) => 1.0,
        (false, false) => 0.0,
    }
}

fn odd_block(differences: &[(u32, f64)]) -> u32 {
    let centre = median(&differences.iter().map(|(_, d)| *d).collect::<Vec<f64>>()).unwrap_or(0.0);
    let mut odd = (0, -1.0);
    for (block, d) in differences {
        if (d - centre).abs() > odd.1 {
            odd = (*block, (d - centre).abs());
        }
    }
    odd.0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const QUESTION: Question = Question {
        orientation: Orientation::LowerIsBetter,
        confidence: 0.95,
        margin: 0.05,
        family: 1,
    };

    fn pairs(ratios: &[f64]) -> Vec<Pair> {
        (1..)
            .zip(ratios)
            .map(|(block, r)| Pair { block, baseline: 100.0, variant: 100.0 * r })
            .collect()
    }

    fn near(got: f64, want: f64) {
        assert!((got / want - 1.0).abs() < 1e-4, "{got} is not {want}");
    }

    #[test]
    fn a_comparison_of_known_values() {
        // d = ln of these: mean 0.0953102 (ratio 1.1), sd 0.0100000 by construction (± 0.01 sqrt(7/8)).
        let step = (0.01 * (7.0_f64 / 8.0).sqrt()).exp();
        let ratios: Vec<f64> =
            (0..8).map(|i| if i % 2 == 0 { 1.1 * step } else { 1.1 / step }).collect();
        let c = compare(&pairs(&ratios), QUESTION).expect("eight pairs");
        let s = c.spread.expect("eight pairs");
        near(c.ratio, 1.1);
        near(s.sd_log, 0.01);
        // 2.364624 * 0.01 / sqrt(8) = 0.00836021.
        near(s.interval.low, 1.1 * (-0.008_360_21_f64).exp());
        near(s.interval.high, 1.1 * 0.008_360_21_f64.exp());
        // 1.894579 / sqrt(8) * 0.01 = 0.00669835.
        near(s.equivalence.high, 1.1 * 0.006_698_35_f64.exp());
        // (2.364624 + 0.896030) * 0.01 / sqrt(8) = 0.01152815.
        near(s.detectable, 0.011_594_86);
        near(s.hodges_lehmann, 1.1);
        assert_eq!(s.blocks_needed, 2);
        assert!(!s.fragile);
    }

    #[test]
    fn the_detectable_difference_and_the_blocks_are_those_of_the_method() {
        // method, simulation 6: at n = 8, sd 3 % → 3.5 %; 5 % → 5.9 %; 8 % → 9.7 %.
        for (sd, detectable) in [(0.03_f64, 0.035), (0.05, 0.059), (0.08, 0.097)] {
            let step = (sd * (7.0_f64 / 8.0).sqrt()).exp();
            let ratios: Vec<f64> =
                (0..8).map(|i| if i % 2 == 0 { step } else { 1.0 / step }).collect();
            let s = compare(&pairs(&ratios), QUESTION).expect("pairs").spread.expect("eight");
            assert!((s.detectable - detectable).abs() < 1e-3, "{sd}: {}", s.detectable);
            let want = (2.364_624 * sd / 1.05_f64.ln()).powi(2).ceil();
            assert!((s.blocks_needed as f64 - want).abs() < 0.5, "{sd}: {}", s.blocks_needed);
        }
    }

    #[test]
    fn the_corrected_interval_is_wider_by_the_family() {
        let p = pairs(&[1.0, 1.1, 1.05, 0.95, 1.02, 1.2, 1.01, 0.99]);
        let one = compare(&p, QUESTION).expect("pairs").spread.expect("eight");
        let four =
            compare(&p, Question { family: 4, ..QUESTION }).expect("pairs").spread.expect("eight");
        assert_eq!(one.adjusted, one.interval);
        assert_eq!(four.interval, one.interval);
        assert!(one.adjusted.within(four.adjusted) && one.adjusted != four.adjusted);
    }

    #[test]
    fn after_a_pilot_its_scatter_counts_where_it_is_the_larger() {
        let wild_first = pairs(&[0.9, 1.1, 1.0, 1.0, 1.0, 1.0]);
        let sd = |pairs: &[Pair], pilot| {
            let c = compare_after_pilot(pairs, pilot, QUESTION).expect("pairs");
            c.spread.expect("six").sd_log
        };
        let plain = sd(&wild_first, 0);
        near(plain, compare(&wild_first, QUESTION).expect("pairs").spread.expect("six").sd_log);
        // ln 1.1 - ln 0.9, over sqrt 2, of the first two; of the first three, ln 1 joins them.
        near(sd(&wild_first, 2), 0.141_895);
        near(sd(&wild_first, 3), 0.100_377);
        near(sd(&wild_first, 6), plain);
        near(sd(&wild_first, 1), plain);
        let tame_first = pairs(&[1.0, 1.0, 1.0, 1.0, 0.9, 1.1]);
        near(sd(&tame_first, 3), sd(&tame_first, 0));
    }

    #[test]
    fn one_dominating_block_is_called_fragile_and_named() {
        let p = pairs(&[1.06, 1.061, 1.06, 1.062, 1.058, 1.06, 1.061, 1.6]);
        let s = compare(&p, QUESTION).expect("pairs").spread.expect("eight");
        assert!(s.fragile, "{s:?}");
        assert_eq!(s.odd_block, 8);
    }

    #[test]
    fn what_has_no_logarithm_or_comes_twice_is_no_comparison() {
        assert_eq!(compare(&[], QUESTION), Err(NoComparison::NoPairs));
        for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert_eq!(
                compare(&pairs(&[1.0, bad]), QUESTION),
                Err(NoComparison::NotPositive { block: 2 })
            );
        }
        let mut twice = pairs(&[1.0, 1.1]);
        twice[1].block = 1;
        assert_eq!(compare(&twice, QUESTION), Err(NoComparison::DuplicateBlock { block: 1 }));
    }

    #[test]
    fn too_few_blocks_for_ranks_are_not_called_fragile() {
        let c = compare(&pairs(&[1.06, 1.061, 1.06, 1.06, 1.6]), QUESTION).expect("pairs");
        let s = c.spread.expect("five");
        assert_eq!((s.rank_interval, s.fragile, s.odd_block), (None, false, 5));
    }

    #[test]
    fn one_block_has_a_ratio_and_no_interval() {
        let c = compare(&pairs(&[2.0]), QUESTION).expect("a pair");
        assert_eq!((c.n, c.spread), (1, None));
    }

    fn any_pairs() -> impl Strategy<Value = Vec<Pair>> {
        prop::collection::vec((1e-3..1e9_f64, 1e-3..1e9_f64), 1..30).prop_map(|values| {
            (1..)
                .zip(values)
                .map(|(block, (baseline, variant))| Pair { block, baseline, variant })
                .collect()
        })
    }

    proptest! {
        #[test]
        fn the_order_of_blocks_changes_nothing(p in any_pairs(), seed in any::<usize>()) {
            let mut other = p.clone();
            other.rotate_left(seed % p.len());
            other.reverse();
            prop_assert_eq!(compare(&p, QUESTION), compare(&other, QUESTION));
        }

        #[test]
        fn a_ratio_is_between_the_smallest_and_the_largest(p in any_pairs()) {
            let c = compare(&p, QUESTION).unwrap();
            let each = p.iter().map(|x| x.variant / x.baseline);
            let low = each.clone().fold(f64::INFINITY, f64::min);
            let high = each.fold(0.0, f64::max);
            let slack = 1e-12;
            prop_assert!(c.ratio >= low * (1.0 - slack) && c.ratio <= high * (1.0 + slack));
            if let Some(s) = c.spread {
                prop_assert!(s.interval.contains(c.ratio));
                prop_assert!(s.interval.within(s.adjusted));
            }
        }
    }
}
