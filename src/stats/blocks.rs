//! How many blocks: for an interval of a wanted width, decided once after a pilot.
//!
//! The rule looks at the width and never at the effect. Adding blocks "until significant" would find more than twice as
//! many false differences as a fixed number does; this rule finds hardly more, as long as the blocks are then judged by
//! `compare_after_pilot`, which doesn't let a pilot profit from having been calm by luck.

use crate::stats::Comparison;
use crate::stats::estimate::t_quantile;

/// Blocks that are run before the number is decided: the fewest that may carry a verdict.
pub const PILOT_BLOCKS: u32 = 6;

/// How narrow an interval is to be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Precision {
    /// Half the width of the ratio's interval: 0.03 for a factor of 1.03 either way.
    pub half_width: f64,
    /// Confidence of that interval, 0 to 1.
    pub confidence: f64,
    /// No more blocks than this, whatever they scatter.
    pub most: u32,
}

/// Blocks of which the interval has the wanted half-width, `ceil((t s / ln(1 + h))^2)`: s the standard deviation of the
/// pilot's log-ratios and t the quantile that its n blocks allow, so that the pilot's own doubt about s is paid for.
///
/// Never fewer than the pilot, which has been run, and never more than `most` beyond that.
pub fn blocks_for_precision(sd_log: f64, pilot: usize, precision: Precision) -> u32 {
    let run = u32::try_from(pilot).unwrap_or(u32::MAX);
    let t = t_quantile(pilot.max(2), f64::midpoint(1.0, precision.confidence));
    let wanted = blocks_for(t * sd_log, precision.half_width);
    u32::try_from(wanted).unwrap_or(u32::MAX).min(precision.most).max(run)
}

/// The same for a family: the comparison that scatters most decides. None where one has no spread, or without any.
pub fn blocks_for_all(pilot: &[Comparison], precision: Precision) -> Option<u32> {
    let each = pilot.iter().map(|c| Some(blocks_for_precision(c.spread?.sd_log, c.n, precision)));
    each.collect::<Option<Vec<u32>>>()?.into_iter().max()
}

/// The smallest difference that `n` blocks show in four of five runs, where a block's log-ratio scatters by `sd_log`:
/// 0.035 for 3.5 %. Infinite for a single block.
pub fn detectable(sd_log: f64, n: usize, confidence: f64) -> f64 {
    if n < 2 {
        return f64::INFINITY;
    }
    let t = t_quantile(n, f64::midpoint(1.0, confidence)) + t_quantile(n, 0.80);
    (t * sd_log / (n as f64).sqrt()).exp() - 1.0
}

/// Fewest blocks that show a difference of `effect` in four of five runs: as many as carry a verdict at least, none
/// where `most` do not.
pub fn blocks_to_detect(effect: f64, sd_log: f64, confidence: f64, most: u32) -> Option<u32> {
    (PILOT_BLOCKS..=most)
        .find(|n| usize::try_from(*n).is_ok_and(|n| detectable(sd_log, n, confidence) <= effect))
}

/// `ceil((t s / ln(1 + h))^2)`, at least 2; without a half-width, as many as there are numbers.
pub(super) fn blocks_for(t_times_sd: f64, half_width: f64) -> u64 {
    let blocks = (t_times_sd / half_width.ln_1p()).powi(2).ceil();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the cast saturates, and a NaN (no width of no scatter) becomes 0"
    )]
    let blocks = blocks as u64;
    blocks.max(2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::{Orientation, Pair, Question, compare};

    const WANTED: Precision = Precision { half_width: 0.03, confidence: 0.95, most: 40 };

    #[test]
    fn a_pilot_is_the_fewest_blocks_that_carry_a_verdict() {
        assert_eq!(usize::try_from(PILOT_BLOCKS), Ok(crate::stats::FEWEST_BLOCKS));
    }

    #[test]
    fn the_number_follows_the_scatter_of_the_pilot() {
        // (2.570582 * s / 0.0295588)^2: s = 3 % → 6.81, 5 % → 18.91, 7 % → 37.06.
        for (sd, blocks) in [(0.03, 7), (0.05, 19), (0.07, 38)] {
            assert_eq!(blocks_for_precision(sd, 6, WANTED), blocks, "{sd}");
        }
        // The pilot's t is that of its own degrees of freedom: (2.364624 * 5 % / 0.0295588)^2 = 16.00 at n = 8.
        assert_eq!(blocks_for_precision(0.0499, 8, WANTED), 16);
        assert_eq!(blocks_for_precision(0.05, 6, Precision { confidence: 0.99, ..WANTED }), 40);
    }

    #[test]
    fn neither_fewer_than_were_run_nor_more_than_allowed() {
        assert_eq!(blocks_for_precision(0.001, 6, WANTED), 6);
        assert_eq!(blocks_for_precision(0.0, 6, WANTED), 6);
        assert_eq!(blocks_for_precision(0.5, 6, WANTED), 40);
        assert_eq!(blocks_for_precision(f64::INFINITY, 6, WANTED), 40);
        assert_eq!(blocks_for_precision(0.5, 6, Precision { half_width: 0.0, ..WANTED }), 40);
        assert_eq!(blocks_for_precision(0.5, 6, Precision { most: 4, ..WANTED }), 6);
    }

    #[test]
    fn what_blocks_show_is_that_of_the_method_and_more_blocks_show_less() {
        // method, simulation 6, n = 8: sd 1, 2, 3, 5, 8 % → 1.2, 2.3, 3.5, 5.9, 9.7 %.
        for (sd, want) in
            [(0.01, 0.012), (0.02, 0.023), (0.03, 0.035), (0.05, 0.059), (0.08, 0.097)]
        {
            let got = detectable(sd, 8, 0.95);
            assert!((got - want).abs() < 1e-3, "{sd}: {got}");
        }
        assert!(detectable(0.03, 12, 0.95) < detectable(0.03, 8, 0.95));
        assert!(detectable(0.03, 1, 0.95).is_infinite());
        assert!(detectable(0.0, 6, 0.95).abs() < 1e-15);
    }

    #[test]
    fn the_blocks_for_an_effect_are_the_first_that_show_it() {
        let of = |sd| blocks_to_detect(0.05, sd, 0.95, 100);
        assert_eq!(of(0.0), Some(6));
        assert_eq!(of(0.01), Some(6));
        let n = of(0.05).expect("fewer than a hundred");
        let at = |n: u32| detectable(0.05, usize::try_from(n).expect("few"), 0.95);
        assert!(at(n) <= 0.05 && at(n - 1) > 0.05 && (9..13).contains(&n), "{n}");
        assert_eq!(of(0.5), None);
    }

    #[test]
    fn a_share_of_a_block_is_a_whole_one() {
        let h = 0.03_f64.ln_1p();
        assert_eq!(blocks_for(2.999 * h, 0.03), 9);
        assert_eq!(blocks_for(3.001 * h, 0.03), 10);
        assert_eq!(blocks_for(0.0, 0.03), 2);
        assert_eq!(blocks_for(0.0, 0.0), 2);
    }

    #[test]
    fn the_widest_of_a_family_decides() {
        let question = Question {
            orientation: Orientation::LowerIsBetter,
            confidence: 0.95,
            margin: 0.05,
            family: 1,
        };
        let with_sd = |sd: f64, n: u32| {
            let step = (sd * (f64::from(n - 1) / f64::from(n)).sqrt()).exp();
            let of = |block| if block % 2 == 0 { step } else { 1.0 / step };
            let pairs: Vec<Pair> =
                (1..=n).map(|block| Pair { block, baseline: 1.0, variant: of(block) }).collect();
            compare(&pairs, question).expect("pairs")
        };
        let of = |all: &[Comparison]| blocks_for_all(all, WANTED);
        assert_eq!(of(&[with_sd(0.03, 6), with_sd(0.05, 6), with_sd(0.01, 6)]), Some(19));
        assert_eq!(of(&[]), None);
        let alone = Comparison { spread: None, n: 1, ..with_sd(0.03, 6) };
        assert_eq!(of(&[with_sd(0.03, 6), alone]), None);
    }
}
