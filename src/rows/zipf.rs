//! Zipf's law over any number of ranks, without a table of them: rejection-inversion (Hörmann and Derflinger,
//! "Rejection-inversion to generate variates from monotone discrete distributions", 1996).
//!
//! Nearly all draws are settled without a logarithm: in 512 pieces the inverse is a cubic, with a bound of how far it can
//! be off. Where that might change the rank, and nowhere else, the inverse itself decides; so the ranks are the same ones.

use super::draw::{Key, mix, unit};
use super::math::{exp, exp_minus_one_over, ln, ln_one_plus_over};

/// Draws before the most frequent rank is taken; nine of ten succeed at once.
const MOST_TRIES: u64 = 64;
/// Pieces of the inverse: a power of two, so that the highest bits of a word say which.
const PIECES: usize = 1 << PIECE_BITS;
const PIECE_BITS: u32 = 9;

/// Ranks 1 to `count`, rank k as often as 1/k^exponent says.
#[derive(Debug, Clone)]
pub(super) struct Zipf {
    count: f64,
    exponent: f64,
    first: f64,
    last: f64,
    squeeze: f64,
    pieces: Box<[Piece]>,
}

/// A piece of the inverse, as a polynomial of the place in it, from 0 to 1.
#[derive(Debug, Clone, Copy)]
struct Piece {
    by_power: [f64; 4],
    /// How far the polynomial may be off; more than a half, or no number, where it is of no use.
    doubt: f64,
}

impl Zipf {
    /// `count` is 1 to 2^53, `exponent` more than 0 and finite.
    pub(super) fn new(count: u64, exponent: f64) -> Self {
        let (count, pieces) = (count as f64, Box::default());
        let mut zipf = Self { count, exponent, first: 0.0, last: 0.0, squeeze: 0.0, pieces };
        zipf.first = zipf.integral(1.5) - 1.0;
        zipf.last = zipf.integral(zipf.count + 0.5);
        zipf.squeeze = 2.0 - zipf.inverse(zipf.integral(2.5) - zipf.height(2.0));
        zipf.pieces = zipf.cut();
        zipf
    }

    /// A rank below `count`, 0 the most frequent. Uses the lanes from `lane` on.
    pub(super) fn rank(&self, key: Key, row: u64, lane: u64) -> u64 {
        for try_lane in lane..lane + MOST_TRIES {
            let word = mix(key, row, try_lane);
            if let Some(rank) = self.guess(word).or_else(|| self.settle(word)) {
                return rank;
            }
        }
        0
    }

    /// The rank that a word stands for, if it stands for one.
    #[cold]
    fn settle(&self, word: u64) -> Option<u64> {
        let u = self.last + unit(word) * (self.first - self.last);
        let x = self.inverse(u);
        let k = (x + 0.5).floor().clamp(1.0, self.count);
        let is_taken = k - x <= self.squeeze || u >= self.integral(k + 0.5) - self.height(k);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "whole, and from 0 to 2^53"
        )]
        is_taken.then_some((k - 1.0) as u64)
    }

    /// The same where the polynomial leaves no doubt.
    fn guess(&self, word: u64) -> Option<u64> {
        let piece = self.pieces.get((word >> (u64::BITS - PIECE_BITS)) as usize)?;
        let at = unit(word << PIECE_BITS);
        let power = &piece.by_power;
        let x = power[0] + at * (power[1] + at * (power[2] + at * power[3]));
        // A cast instead of `floor`, which is a call where the processor has no instruction for it; it saturates.
        #[expect(clippy::cast_possible_truncation, reason = "what saturates is no rank")]
        let rank = (x + 0.5) as i64;
        let k = rank as f64;
        let above = k - x;
        // A doubt that is no number answers every question with no.
        let is_sure = k >= 1.0
            && k <= self.count
            && above > piece.doubt - 0.5
            && above <= self.squeeze.min(0.5) - piece.doubt;
        is_sure.then(|| rank.cast_unsigned() - 1)
    }

    /// The inverse in pieces, from that of the last rank to that of the first: cubics through the ends with the slopes there.
    fn cut(&self) -> Box<[Piece]> {
        let width = (self.first - self.last) / PIECES as f64;
        let end = |n: usize| {
            let u = self.last + n as f64 * width;
            let x = self.inverse(u);
            (u, x, width * exp(self.exponent * ln(x)))
        };
        let mut pieces = Vec::with_capacity(PIECES);
        let mut from = end(0);
        for n in 1..=PIECES {
            let to = end(n);
            let (rise, slopes) = (to.1 - from.1, (from.2, to.2));
            let square = 3.0 * rise - 2.0 * slopes.0 - slopes.1;
            let cube = slopes.0 + slopes.1 - 2.0 * rise;
            let doubt = self.off_by((from.0, from.1), (to.0, to.1), width)
                + 1e-12 * (slopes.0.abs() + square.abs() + cube.abs());
            pieces.push(Piece { by_power: [from.1, slopes.0, square, cube], doubt });
            from = to;
        }
        pieces.into()
    }

    /// How far the cubic between two ends can be off, and the inverse itself: twice the bounds.
    fn off_by(&self, from: (f64, f64), to: (f64, f64), width: f64) -> f64 {
        let s = self.exponent;
        // Of a cubic: the fourth derivative, which is largest at one of the ends, times width^4 / 384.
        let factor = (s * (2.0 * s - 1.0) * (3.0 * s - 2.0)).abs();
        let fourth = |x: f64| factor * exp((4.0 * s - 3.0) * ln(x));
        let square = width * width;
        let cubic = square * square / 384.0 * fourth(from.1).max(fourth(to.1));
        // Of the inverse: 1 + t is rounded, and its logarithm is divided by 1 - s.
        let t = |u: f64| u * (1.0 - s);
        let (least, most) = (t(from.0).min(t(to.0)), t(from.0).abs().max(t(to.0).abs()));
        let rounded = if most <= 1e-5 {
            0.0
        } else if least > -1.0 {
            32.0 * f64::EPSILON / ((1.0 - s).abs() * (1.0 + least))
        } else {
            f64::INFINITY
        };
        2.0 * (cubic + from.1.max(to.1) * (1e-12 + rounded))
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
    use proptest::prelude::*;

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

    #[test]
    fn nearly_all_draws_are_settled_without_a_logarithm() {
        for (count, exponent) in [(1000, 0.5), (1_000_000, 0.99), (1_000_000, 1.0), (1 << 40, 1.2)]
        {
            let zipf = Zipf::new(count, exponent);
            let words = (0..100_000).map(|row| mix([3, 4], row, 0));
            let settled = words.filter(|word| zipf.guess(*word).is_some()).count();
            assert!(settled > 85_000, "{count} ranks, {exponent}: {settled} of 100,000");
        }
    }

    proptest! {
        #[test]
        fn a_guess_is_what_the_inverse_says(
            bits in 0u32..=53,
            below in 0.5f64..=1.0,
            exponent in prop_oneof![0.01f64..3.0, 0.999f64..1.001, Just(1.0), 3.0f64..20.0],
            key: u64,
        ) {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "up to 2^53")]
            let count = ((below * (1_u64 << bits) as f64) as u64).max(1);
            let zipf = Zipf::new(count, exponent);
            for row in 0..2000 {
                let word = mix([key, 9], row, 0);
                if let Some(rank) = zipf.guess(word) {
                    prop_assert_eq!(zipf.settle(word), Some(rank), "{} ranks, {}: {}", count, exponent, word);
                }
            }
        }
    }
}
