//! Two runs beside each other: how far a block's log-ratio moved from the one to the other.
//!
//! Within a run a variant is paired with the baseline of the same block, so that whatever slows the whole machine is in
//! both and cancels. Two runs have no blocks in common: their log-ratios are two independent samples, which may scatter
//! differently (Welch).

use statrs::distribution::{ContinuousCDF, StudentsT};

use crate::stats::blocks::blocks_for;
use crate::stats::estimate::mean_and_sd;
use crate::stats::verdict::classify;
use crate::stats::{Comparison, Interval, NoComparison, Question, Spread, median};

/// Ranks are summed over so many values at most; larger samples do without the exact interval.
const MOST_RANKED: usize = 80;

/// A block and its log-ratio (or another logarithm) in one run.
pub type OfBlock = (u32, f64);

/// How far the mean of a sample lies from that of another, on logarithms.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shift {
    /// Mean of the later less mean of the earlier.
    pub mean: f64,
    /// Its standard error.
    pub standard_error: f64,
    /// Degrees of freedom by Welch and Satterthwaite.
    pub freedom: f64,
}

/// The shift from one sample of logarithms to another; none with fewer than two values on a side, or with one that is not
/// finite.
pub fn shift(before: &[f64], after: &[f64]) -> Option<Shift> {
    let usable = |values: &[f64]| values.len() >= 2 && values.iter().all(|x| x.is_finite());
    if !usable(before) || !usable(after) {
        return None;
    }
    let part = |values: &[f64]| {
        let (mean, sd) = mean_and_sd(values);
        (mean, sd * sd / values.len() as f64, values.len() as f64 - 1.0)
    };
    let ((mean_before, a, a_freedom), (mean_after, b, b_freedom)) = (part(before), part(after));
    let of_parts = a * a / a_freedom + b * b / b_freedom;
    let freedom = if of_parts > 0.0 { (a + b).powi(2) / of_parts } else { a_freedom + b_freedom };
    Some(Shift { mean: mean_after - mean_before, standard_error: (a + b).sqrt(), freedom })
}

impl Shift {
    /// The probability of such a shift, or one farther up, if the true one were `limit` (of logarithms).
    pub fn p_above(&self, limit: f64) -> f64 {
        let distance = self.mean - limit;
        if self.standard_error > 0.0 {
            self.student().sf(distance / self.standard_error)
        } else if distance > 0.0 {
            0.0
        } else {
            1.0
        }
    }

    /// The probability of such a shift, or one farther down, if the true one were `limit`.
    pub fn p_below(&self, limit: f64) -> f64 {
        Self { mean: -self.mean, ..*self }.p_above(-limit)
    }

    /// The same seen from the other side: for what is better when it is more.
    #[must_use]
    pub fn inverted(self) -> Self {
        Self { mean: -self.mean, ..self }
    }

    /// Two-sided interval of the ratio.
    pub fn interval(&self, confidence: f64) -> Interval {
        let half = self.quantile(f64::midpoint(1.0, confidence)) * self.standard_error;
        Interval { low: (self.mean - half).exp(), high: (self.mean + half).exp() }
    }

    fn quantile(&self, p: f64) -> f64 {
        self.student().inverse_cdf(p)
    }

    fn student(&self) -> StudentsT {
        StudentsT::new(0.0, 1.0, self.freedom.max(1.0))
            .expect("one or more degrees of freedom make a distribution")
    }
}

/// Compares the log-ratios of two runs: the ratio is the later one's over the earlier one's.
///
/// # Errors
///
/// If a block occurs twice on a side, a value is not finite, or a side has fewer than two.
pub fn compare_runs(
    before: &[OfBlock],
    after: &[OfBlock],
    question: Question,
) -> Result<Comparison, NoComparison> {
    let (a, b) = (values(before)?, values(after)?);
    let shift = shift(&a, &b).ok_or(NoComparison::NoPairs)?;
    let n = a.len().min(b.len());
    let alpha = 1.0 - question.confidence;
    let equivalence = shift.interval(0.90);
    let ranked = |confidence| rank_interval(&a, &b, confidence);
    let word = |interval, equivalence| {
        classify(interval, equivalence, question.orientation, question.margin)
    };
    let fragile = match (ranked(0.95), ranked(0.90)) {
        (Some(at_95), Some(at_90)) => word(shift.interval(0.95), equivalence) != word(at_95, at_90),
        _ => false,
    };
    let t = shift.quantile(f64::midpoint(1.0, question.confidence));
    let spread = Spread {
        // Of a block of the later less a block of the earlier run.
        sd_log: shift.standard_error * (n as f64).sqrt(),
        interval: shift.interval(question.confidence),
        adjusted: shift.interval(1.0 - alpha / f64::from(question.family.max(1))),
        equivalence,
        p_value: (2.0 * shift.p_above(0.0).min(shift.p_below(0.0))).min(1.0),
        hodges_lehmann: median(&differences(&a, &b)).unwrap_or(shift.mean).exp(),
        rank_interval: ranked(0.95),
        detectable: ((t + shift.quantile(0.80)) * shift.standard_error).exp() - 1.0,
        blocks_needed: blocks_for(t * shift.standard_error * (n as f64).sqrt(), question.margin),
        fragile,
        odd_block: odd_block(before, after),
    };
    Ok(Comparison { question, n, ratio: shift.mean.exp(), spread: Some(spread) })
}

fn values(sample: &[OfBlock]) -> Result<Vec<f64>, NoComparison> {
    let mut seen = std::collections::BTreeSet::new();
    for (block, value) in sample {
        if !value.is_finite() {
            return Err(NoComparison::NotFinite { block: *block });
        }
        if !seen.insert(*block) {
            return Err(NoComparison::DuplicateBlock { block: *block });
        }
    }
    Ok(sample.iter().map(|(_, value)| *value).collect())
}

/// Every value of the later less every one of the earlier, ascending.
fn differences(before: &[f64], after: &[f64]) -> Vec<f64> {
    let mut all: Vec<f64> =
        after.iter().flat_map(|late| before.iter().map(move |early| late - early)).collect();
    all.sort_by(f64::total_cmp);
    all
}

/// The exact rank-sum interval of the shift, as a ratio; none where so few values do not reach the confidence.
fn rank_interval(before: &[f64], after: &[f64], confidence: f64) -> Option<Interval> {
    let (m, n) = (before.len(), after.len());
    if m + n > MOST_RANKED {
        return None;
    }
    let counts = rank_sums(m, n);
    let all: f64 = counts.iter().sum();
    let (mut below, mut k) = (0.0, 0_usize);
    for count in counts {
        below += count / all;
        if 2.0 * below > (1.0 - confidence) * (1.0 + 1e-12) {
            break;
        }
        k += 1;
    }
    let differences = differences(before, after);
    let low = differences.get(k.checked_sub(1)?)?;
    let high = differences.get(differences.len().checked_sub(k)?)?;
    Some(Interval { low: low.exp(), high: high.exp() })
}

/// How many ways give each value of the Mann–Whitney statistic, 0 …, m·n.
fn rank_sums(m: usize, n: usize) -> Vec<f64> {
    // ways[taken][sum]: so many of the ranks looked at so far were taken, with such a sum above the least possible.
    let mut ways = vec![vec![0.0; m * n + 1]; m + 1];
    ways[0][0] = 1.0;
    for rank in 0..m + n {
        for taken in (0..m.min(rank + 1)).rev() {
            // Taken as number `taken`, a rank adds by how much it is above the least that could have been taken.
            let Some(above) = rank.checked_sub(taken).filter(|above| *above <= n) else { continue };
            for sum in (0..=m * n - above).rev() {
                let more = ways[taken][sum];
                if more > 0.0 {
                    ways[taken + 1][sum + above] += more;
                }
            }
        }
    }
    ways.swap_remove(m)
}

/// The block farthest from the median of its own run.
fn odd_block(before: &[OfBlock], after: &[OfBlock]) -> u32 {
    let mut odd = (0, -1.0);
    for sample in [before, after] {
        let values: Vec<f64> = sample.iter().map(|(_, value)| *value).collect();
        let centre = median(&values).unwrap_or(0.0);
        for (block, value) in sample {
            if (value - centre).abs() > odd.1 {
                odd = (*block, (value - centre).abs());
            }
        }
    }
    odd.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::{Orientation, Verdict};

    const QUESTION: Question = Question {
        orientation: Orientation::LowerIsBetter,
        confidence: 0.95,
        margin: 0.05,
        family: 1,
    };

    fn near(got: f64, want: f64) {
        assert!((got - want).abs() < 1e-4 * want.abs().max(1e-2), "{got} is not {want}");
    }

    fn blocks(values: &[f64]) -> Vec<OfBlock> {
        (1..).zip(values.iter().copied()).collect()
    }

    #[test]
    fn a_shift_is_that_of_welchs_test() {
        // t.test(c(27.5, 21, 19, 23.6, 17, 17.9), c(27.1, 22, 20.8, 23.4, 23.4, 23.5)) of R, by hand:
        // means 21 and 23.366667, variances 15.724 and 4.482667.
        let before = [27.5, 21.0, 19.0, 23.6, 17.0, 17.9];
        let after = [27.1, 22.0, 20.8, 23.4, 23.4, 23.5];
        let s = shift(&before, &after).expect("six each");
        near(s.mean, 2.366_667);
        near(s.standard_error, 1.835_151);
        near(s.freedom, 7.636_562);
        near(s.p_above(0.0) + s.p_below(0.0), 1.0);
        near(s.inverted().p_above(0.5), s.p_below(-0.5));
    }

    #[test]
    fn the_counts_of_the_rank_sum_are_the_published_ones() {
        // Mann and Whitney's table for 3 and 3: 1 1 2 3 3 3 3 2 1 1.
        let of = |m, n| format!("{:?}", rank_sums(m, n));
        assert_eq!(of(3, 3), "[1.0, 1.0, 2.0, 3.0, 3.0, 3.0, 3.0, 2.0, 1.0, 1.0]");
        assert_eq!(of(1, 4), "[1.0, 1.0, 1.0, 1.0, 1.0]");
        near(rank_sums(8, 8).iter().sum::<f64>(), 12_870.0);
        // The critical value of a two-sided test at 5 % with 8 and 8 is 13, so that the 14th difference bounds.
        let a: Vec<f64> = (0..8).map(f64::from).collect();
        let i = rank_interval(&a, &a, 0.95).expect("enough");
        near(i.low, differences(&a, &a)[13].exp());
        assert_eq!(rank_interval(&a[..3], &a[..3], 0.95), None);
    }

    #[test]
    fn swapping_two_runs_inverts_the_ratio_and_a_run_beside_itself_has_none() {
        let (a, b) = (
            blocks(&[0.01, -0.01, 0.02, -0.02, 0.0, 0.01]),
            blocks(&[0.32, 0.31, 0.29, 0.3, 0.28, 0.3]),
        );
        let there = compare_runs(&a, &b, QUESTION).expect("two runs");
        let back = compare_runs(&b, &a, QUESTION).expect("two runs");
        near(there.ratio * back.ratio, 1.0);
        assert_eq!(Verdict::of(&there).word(), "slower");
        assert_eq!(Verdict::of(&back).word(), "faster");
        let same = compare_runs(&a, &a, QUESTION).expect("two runs");
        near(same.ratio, 1.0);
        assert_eq!(Verdict::of(&same).word(), "no relevant difference");
    }

    #[test]
    fn what_has_no_shift_says_why() {
        let a = blocks(&[0.0, 0.1]);
        assert_eq!(compare_runs(&a, &a[..1], QUESTION), Err(NoComparison::NoPairs));
        let twice = [(3, 0.0), (3, 0.1)];
        let refused = compare_runs(&a, &twice, QUESTION);
        assert_eq!(refused, Err(NoComparison::DuplicateBlock { block: 3 }));
        let infinite = [(1, f64::INFINITY), (2, 0.0)];
        let refused = compare_runs(&infinite, &a, QUESTION);
        assert_eq!(refused, Err(NoComparison::NotFinite { block: 1 }));
        let still = shift(&[0.0, 0.0], &[0.1, 0.1]).expect("two each");
        assert_eq!((still.p_above(0.05), still.p_above(0.2)), (0.0, 1.0));
    }

    #[test]
    fn unchanged_runs_are_called_different_as_often_as_they_may() {
        use rand_chacha::ChaCha8Rng;
        use rand_core::{Rng, SeedableRng};
        let mut dice = ChaCha8Rng::seed_from_u64(5);
        let mut normal = || {
            let mut uniform = || ((dice.next_u64() >> 11) as f64 + 0.5) / (1_u64 << 53) as f64;
            let (u, v) = (uniform(), uniform());
            (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
        };
        let mut missed = 0;
        for _ in 0..4000 {
            let a: Vec<f64> = (0..6).map(|_| 0.02 * normal()).collect();
            let b: Vec<f64> = (0..6).map(|_| 0.06 * normal()).collect();
            missed += i32::from(shift(&a, &b).expect("six each").p_above(0.0) < 0.05);
        }
        // 5 % of 4000 is 200, give or take three standard deviations.
        assert!((158..=242).contains(&missed), "{missed}");
    }
}
