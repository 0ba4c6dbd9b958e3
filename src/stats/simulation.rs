//! The verdict engine on simulated sessions: how often it is wrong must be what it says.

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

use crate::stats::verdict::{Class, classify};
use crate::stats::{Orientation, Pair, Question, Verdict, compare, holm};

const QUESTION: Question =
    Question { orientation: Orientation::LowerIsBetter, confidence: 0.95, margin: 0.05, family: 1 };

/// Sessions of `n` blocks whose log-ratios are normal around ln(`ratio`).
struct Sessions {
    rng: ChaCha8Rng,
    ratio: f64,
    sd: f64,
    n: u32,
}

impl Sessions {
    fn new(seed: u64, ratio: f64, sd: f64, n: u32) -> Self {
        Self { rng: ChaCha8Rng::seed_from_u64(seed), ratio, sd, n }
    }

    fn next(&mut self) -> Vec<Pair> {
        (1..=self.n)
            .map(|block| {
                // The block's own level is common to both and must cancel.
                let level = 1000.0 * (0.3 * self.normal()).exp();
                let d = self.ratio.ln() + self.sd * self.normal();
                Pair { block, baseline: level, variant: level * d.exp() }
            })
            .collect()
    }

    fn normal(&mut self) -> f64 {
        let u = self.uniform().max(f64::MIN_POSITIVE);
        (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * self.uniform()).cos()
    }

    fn uniform(&mut self) -> f64 {
        (self.rng.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

fn percent(count: usize, of: usize) -> f64 {
    100.0 * count as f64 / of as f64
}

#[test]
fn equal_variants_differ_in_five_of_a_hundred_sessions_and_the_interval_holds_the_truth() {
    let sessions = 4000;
    let mut simulated = Sessions::new(1, 1.0, 0.03, 8);
    let (mut different, mut rank_misses) = (0, 0);
    for _ in 0..sessions {
        let spread = compare(&simulated.next(), QUESTION).expect("pairs").spread.expect("eight");
        different += usize::from(!spread.interval.contains(1.0));
        rank_misses += usize::from(!spread.rank_interval.expect("eight").contains(1.0));
        assert_eq!(spread.p_value < 0.05, !spread.interval.contains(1.0));
    }
    let different = percent(different, sessions);
    assert!((4.0..=6.0).contains(&different), "false differences: {different}%");
    let coverage = 100.0 - different;
    assert!((94.0..=96.5).contains(&coverage), "coverage of t: {coverage}%");
    // The exact confidence at n = 8, k = 4 is 1 - 10/256 = 96.1 %.
    let coverage = 100.0 - percent(rank_misses, sessions);
    assert!((95.1..=97.1).contains(&coverage), "coverage of the ranks: {coverage}%");
}

#[test]
fn the_rule_gives_the_shares_of_the_method() {
    // (sd, ratio) → beyond the margin, small, equivalent, inconclusive: method, simulation 9.
    let table = [
        (0.03, 1.00, [0.0, 0.0, 99.0, 1.0]),
        (0.03, 1.10, [96.0, 4.0, 0.0, 0.0]),
        (0.03, 1.30, [100.0, 0.0, 0.0, 0.0]),
        (0.05, 1.00, [0.0, 4.0, 60.0, 36.0]),
    ];
    let sessions = 8000;
    for (seed, (sd, ratio, want)) in (10..).zip(table) {
        let mut simulated = Sessions::new(seed, ratio, sd, 8);
        let mut counts = [0_usize; 4];
        for _ in 0..sessions {
            let s = compare(&simulated.next(), QUESTION).expect("pairs").spread.expect("eight");
            let class = classify(s.adjusted, s.equivalence, QUESTION.orientation, QUESTION.margin);
            counts[match class {
                Class::Faster | Class::Slower => 0,
                Class::SlightlyFaster | Class::SlightlySlower => 1,
                Class::NoRelevantDifference => 2,
                Class::Inconclusive => 3,
            }] += 1;
        }
        for (count, want) in counts.into_iter().zip(want) {
            let got = percent(count, sessions);
            assert!((got - want).abs() <= 2.0, "sd {sd}, ratio {ratio}: {got}% is not {want}%");
        }
    }
}

#[test]
fn fragile_is_rare_where_no_block_is_odd_and_the_sign_is_never_wrong() {
    let sessions = 1000;
    let mut simulated = Sessions::new(20, 1.10, 0.03, 8);
    let mut fragile = 0;
    for _ in 0..sessions {
        match Verdict::of(&compare(&simulated.next(), QUESTION).expect("pairs")) {
            Verdict::Fragile { .. } => fragile += 1,
            Verdict::Faster(_) | Verdict::SlightlyFaster(_) => panic!("the wrong sign"),
            _ => {}
        }
    }
    assert!(percent(fragile, sessions) < 10.0, "{fragile} of {sessions}");
}

#[test]
fn a_family_of_equal_variants_rarely_shows_even_one_difference() {
    let sessions = 1000;
    let family = Question { family: 4, ..QUESTION };
    let mut simulated = Sessions::new(30, 1.0, 0.03, 8);
    let (mut by_interval, mut by_holm) = (0, 0);
    for _ in 0..sessions {
        let spreads: Vec<_> = (0..4)
            .map(|_| compare(&simulated.next(), family).expect("pairs").spread.expect("eight"))
            .collect();
        by_interval += usize::from(spreads.iter().any(|s| !s.adjusted.contains(1.0)));
        let p: Vec<f64> = spreads.iter().map(|s| s.p_value).collect();
        by_holm += usize::from(holm(&p).iter().any(|p| *p < 0.05));
    }
    assert!(percent(by_interval, sessions) <= 6.0, "{by_interval} of {sessions}");
    assert!(percent(by_holm, sessions) <= 6.0, "{by_holm} of {sessions}");
}

#[test]
fn a_level_that_is_common_to_a_block_cancels() {
    let mut simulated = Sessions::new(40, 2.0, 0.0, 8);
    let c = compare(&simulated.next(), QUESTION).expect("pairs");
    assert!((c.ratio - 2.0).abs() < 1e-12);
    assert!(c.spread.expect("eight").sd_log < 1e-12);
}

/// The share of the 2^n sign patterns whose mean is at least as far from 0: exact, whatever the distribution.
fn sign_flip_p_value(d: &[f64]) -> f64 {
    let observed = d.iter().sum::<f64>().abs();
    let patterns = 1_u32 << d.len();
    let as_far = (0..patterns)
        .filter(|pattern| {
            let sum: f64 = d
                .iter()
                .enumerate()
                .map(|(i, x)| if pattern >> i & 1 == 1 { *x } else { -x })
                .sum();
            sum.abs() >= observed - 1e-12
        })
        .count();
    as_far as f64 / f64::from(patterns)
}

#[test]
fn p_values_agree_with_the_exact_sign_flip_test() {
    for (seed, ratio) in [(50, 1.0), (51, 1.02), (52, 1.05)] {
        let mut simulated = Sessions::new(seed, ratio, 0.03, 10);
        let mut apart = 0.0;
        for _ in 0..100 {
            let pairs = simulated.next();
            let d: Vec<f64> = pairs.iter().map(|p| (p.variant / p.baseline).ln()).collect();
            let spread = compare(&pairs, QUESTION).expect("pairs").spread.expect("ten");
            apart += (sign_flip_p_value(&d) - spread.p_value).abs() / 100.0;
        }
        assert!(apart < 0.01, "ratio {ratio}: mean distance {apart}");
    }
}
