//! What must not change when the question is put in another way, and what must change exactly.

use proptest::prelude::*;

use crate::stats::{Comparison, Orientation, Pair, Question, Spread, Verdict, compare, holm};

fn question(orientation: Orientation, family: u32) -> Question {
    Question { orientation, confidence: 0.95, margin: 0.05, family }
}

fn of(pairs: &[Pair], orientation: Orientation, family: u32) -> Comparison {
    compare(pairs, question(orientation, family)).expect("positive values of different blocks")
}

fn lower(pairs: &[Pair]) -> Comparison {
    of(pairs, Orientation::LowerIsBetter, 1)
}

fn table(at_least: usize) -> impl Strategy<Value = Vec<Pair>> {
    // Effects of all sizes, and scatter from nearly none to more than any effect.
    (-1.0..1.0_f64, 1e-4..0.3_f64, 1e-3..1e9_f64).prop_flat_map(move |(effect, scatter, level)| {
        let d = (effect - scatter)..(effect + scatter);
        prop::collection::vec((0.5..2.0_f64, d), at_least..24).prop_map(move |values| {
            (1..)
                .zip(values)
                .map(|(block, (of_block, d))| {
                    let baseline = level * of_block;
                    Pair { block, baseline, variant: baseline * d.exp() }
                })
                .collect()
        })
    })
}

fn changed(pairs: &[Pair], change: impl Fn(Pair) -> Pair) -> Vec<Pair> {
    pairs.iter().copied().map(change).collect()
}

fn swapped(pairs: &[Pair]) -> Vec<Pair> {
    changed(pairs, |p| Pair { block: p.block, baseline: p.variant, variant: p.baseline })
}

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-9 * a.abs().max(b.abs())
}

fn spread(comparison: &Comparison) -> Spread {
    comparison.spread.expect("two or more blocks")
}

/// The word from the other side.
fn mirrored(word: &str) -> &str {
    match word {
        "faster" => "slower",
        "slower" => "faster",
        "slightly faster" => "slightly slower",
        "slightly slower" => "slightly faster",
        other => other,
    }
}

proptest! {
    #[test]
    fn swapping_the_labels_inverts_the_ratio(p in table(2)) {
        let (a, b) = (lower(&p), lower(&swapped(&p)));
        // The logarithm is negated to the last bit; two exponentials may differ by theirs.
        prop_assert!((a.ratio * b.ratio - 1.0).abs() <= 4.0 * f64::EPSILON);
        let (s, t) = (spread(&a), spread(&b));
        prop_assert_eq!((s.sd_log, s.p_value), (t.sd_log, t.p_value));
        prop_assert_eq!((s.detectable, s.blocks_needed), (t.detectable, t.blocks_needed));
        let inverted = t.interval.inverted();
        prop_assert!(close(s.interval.low, inverted.low) && close(s.interval.high, inverted.high));
        let inverted = t.adjusted.inverted();
        prop_assert!(close(s.adjusted.low, inverted.low) && close(s.adjusted.high, inverted.high));
        prop_assert!(close(s.hodges_lehmann * t.hodges_lehmann, 1.0));
    }

    #[test]
    fn swapping_the_labels_mirrors_the_word(p in table(2)) {
        let (a, b) = (Verdict::of(&lower(&p)), Verdict::of(&lower(&swapped(&p))));
        prop_assert_eq!(a.word(), mirrored(b.word()));
    }

    #[test]
    fn a_rate_is_judged_as_the_time_that_it_is_the_inverse_of(p in table(2)) {
        let rates = changed(&p, |x| Pair {
            block: x.block, baseline: 1.0 / x.baseline, variant: 1.0 / x.variant,
        });
        let time = Verdict::of(&lower(&p));
        let rate = Verdict::of(&of(&rates, Orientation::HigherIsBetter, 1));
        prop_assert_eq!(time.word(), rate.word());
    }

    #[test]
    fn the_unit_of_time_changes_nothing(p in table(2), unit in prop::sample::select(vec![1e-9, 1e-3, 60.0, 1e6])) {
        let other = changed(&p, |x| Pair {
            block: x.block, baseline: x.baseline * unit, variant: x.variant * unit,
        });
        let (a, b) = (lower(&p), lower(&other));
        prop_assert!(close(a.ratio, b.ratio));
        prop_assert!(close(spread(&a).interval.low, spread(&b).interval.low));
        prop_assert!(close(spread(&a).interval.high, spread(&b).interval.high));
    }

    #[test]
    fn a_level_common_to_a_block_changes_nothing(p in table(2), slope in -0.5..0.5_f64) {
        let drifting = changed(&p, |x| {
            let level = (slope * f64::from(x.block)).exp();
            Pair { block: x.block, baseline: x.baseline * level, variant: x.variant * level }
        });
        let (a, b) = (lower(&p), lower(&drifting));
        prop_assert!(close(a.ratio, b.ratio));
        prop_assert!((spread(&a).sd_log - spread(&b).sd_log).abs() < 1e-9);
    }

    #[test]
    fn an_unrelated_variant_leaves_the_unadjusted_figures(p in table(2), family in 2_u32..40) {
        let (alone, among) = (lower(&p), of(&p, Orientation::LowerIsBetter, family));
        prop_assert_eq!(alone.ratio.to_bits(), among.ratio.to_bits());
        let (s, t) = (spread(&alone), spread(&among));
        prop_assert_eq!((s.interval, s.equivalence, s.p_value), (t.interval, t.equivalence, t.p_value));
        prop_assert_eq!((s.rank_interval, s.fragile), (t.rank_interval, t.fragile));
        // Only the interval of the verdict pays for the company.
        prop_assert!(t.adjusted.low < s.adjusted.low && s.adjusted.high < t.adjusted.high);
    }

    #[test]
    fn an_unrelated_comparison_never_makes_another_more_certain(
        p in prop::collection::vec(0.0..1.0_f64, 1..12), other in 0.0..1.0_f64,
    ) {
        let alone = holm(&p);
        let mut more = p.clone();
        more.push(other);
        for (among, alone) in holm(&more).iter().zip(&alone) {
            prop_assert!(among >= alone);
        }
    }

    #[test]
    fn measuring_every_block_twice_narrows_the_interval(p in table(2)) {
        let last = p.iter().map(|x| x.block).max().expect("blocks");
        let mut doubled = p.clone();
        doubled.extend(changed(&p, |x| Pair { block: x.block + last, ..x }));
        let (once, twice) = (lower(&p), lower(&doubled));
        prop_assert!(close(once.ratio, twice.ratio));
        let (s, t) = (spread(&once), spread(&twice));
        prop_assert!(s.interval.low < t.interval.low && t.interval.high < s.interval.high);
        prop_assert!(t.detectable < s.detectable);
        // Copies are told by their block numbers, so that nobody narrows an interval by a copy.
        doubled.truncate(p.len());
        doubled.extend(p.iter().copied());
        prop_assert!(compare(&doubled, question(Orientation::LowerIsBetter, 1)).is_err());
    }

    #[test]
    fn the_p_value_and_the_interval_tell_the_same(p in table(2)) {
        let s = spread(&lower(&p));
        prop_assume!((s.p_value - 0.05).abs() > 1e-6);
        prop_assert_eq!(s.p_value < 0.05, !s.interval.contains(1.0));
    }
}
