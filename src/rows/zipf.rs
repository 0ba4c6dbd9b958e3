//! Zipf's law over any number of ranks, without a table: rejection-inversion (Hörmann and Derflinger, "Rejection-inversion
//! to generate variates from monotone discrete distributions", 1996).

use super::draw::{Key, mix, unit};
use super::math::{exp, exp_minus_one_over, ln, ln_one_plus_over};

/// Draws before the most frequent rank is taken; nine of ten succeed at once.
const MOST_TRIES: u64 = 64;

/// Ranks 1 to `count`, rank k as often as 1/k^exponent says.
#[derive(Debug, Clone)]
pub(super) struct Zipf {
    count: f64,
    exponent: f64,
    first: f64,
    last: f64,
    squeeze: f64,
}

impl Zipf {
    /// `count` is 1 to 2^53, `exponent` more than 0 and finite.
    pub(super) fn new(count: u64, exponent: f64) -> Self {
        let mut zipf = Self { count: count as f64, exponent, first: 0.0, last: 0.0, squeeze: 0.0 };
        zipf.first = zipf.integral(1.5) - 1.0;
        zipf.last = zipf.integral(zipf.count + 0.5);
        zipf.squeeze = 2.0 - zipf.inverse(zipf.integral(2.5) - zipf.height(2.0));
        zipf
    }

    /// A rank below `count`, 0 the most frequent. Uses the lanes from `lane` on.
    pub(super) fn rank(&self, key: Key, row: u64, lane: u64) -> u64 {
        for try_lane in lane..lane + MOST_TRIES {
            let u = self.last + unit(mix(key, row, try_lane)) * (self.first - self.last);
            let x = self.inverse(u);
            let k = (x + 0.5).floor().clamp(1.0, self.count);
            if k - x <= self.squeeze || u >= self.integral(k + 0.5) - self.height(k) {
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "whole, and from 0 to 2^53"
                )]
                return (k - 1.0) as u64;
            }
        }
        0
    }

    fn height(&self, x: f64) -> f64 {
        exp(-self.exponent * ln(x))
    }

    fn integral(&self, x: f64) -> f64 {
        let log = ln(x);
        exp_minus_one_over((1.0 - self.exponent) * log) * log
    }

    fn inverse(&self, y: f64) -> f64 {
        // Rounding may push it below -1, where there is no logarithm.
        let t = (y * (1.0 - self.exponent)).max(-1.0 + 1e-16);
        exp(ln_one_plus_over(t) * y)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_come_as_often_as_the_law_says() {
        for exponent in [0.5, 0.99, 1.0, 1.5] {
            let zipf = Zipf::new(1000, exponent);
            let mut seen = [0u32; 1000];
            for row in 1..=200_000 {
                seen[usize::try_from(zipf.rank([5, 7], row, 0)).expect("small")] += 1;
            }
            let total: f64 = (1..=1000).map(|k| f64::from(k).powf(-exponent)).sum();
            for rank in [1u32, 2, 3, 10] {
                let want = f64::from(rank).powf(-exponent) / total * 200_000.0;
                let got = f64::from(seen[rank as usize - 1]);
                assert!((got - want).abs() < 5.0 * want.sqrt(), "{exponent} {rank}: {got} {want}");
            }
        }
    }

    #[test]
    fn one_rank_and_very_many_are_no_special_cases() {
        assert!((1..=100).all(|row| Zipf::new(1, 0.99).rank([1, 2], row, 0) == 0));
        let most = Zipf::new(1 << 53, 0.7);
        assert!((1..=1000).all(|row| most.rank([1, 2], row, 0) < 1 << 53));
        let steep = Zipf::new(1_000_000, 20.0);
        assert!((1..=100).all(|row| steep.rank([1, 2], row, 0) < 2));
    }
}
