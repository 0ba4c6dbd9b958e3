//! The part that each test run can afford; the whole is in `full`.

use crate::stats::simulation::world::{
    Order, PLAIN, QUESTION, Scatter, Shape, TABLE, World, percent, shares_of_words,
};
use crate::stats::{Question, Verdict, compare, holm, sign_flip_p_value};

#[test]
fn equal_variants_differ_in_five_of_a_hundred_sessions_and_the_interval_holds_the_truth() {
    let sessions = 4000;
    let mut world = World::new(1, PLAIN);
    let mut rank_misses = 0;
    let different = percent(sessions, || {
        let spread = world.spread();
        rank_misses += u32::from(!spread.rank_interval.expect("eight").contains(1.0));
        assert_eq!(spread.p_value < 0.05, !spread.interval.contains(1.0));
        !spread.interval.contains(1.0)
    });
    assert!((4.0..=6.0).contains(&different), "false differences: {different}%");
    let coverage = 100.0 - different;
    assert!((94.0..=96.5).contains(&coverage), "coverage of t: {coverage}%");
    // The exact confidence at n = 8, k = 4 is 1 - 10/256 = 96.1 %.
    let coverage = 100.0 - 100.0 * f64::from(rank_misses) / f64::from(sessions);
    assert!((95.1..=97.1).contains(&coverage), "coverage of the ranks: {coverage}%");
}

#[test]
fn scatter_that_is_not_normal_makes_no_more_false_differences() {
    for (seed, scatter) in (60..).zip([Scatter::HeavyTails, Scatter::Outliers, Scatter::Skewed]) {
        let mut world = World::new(seed, Shape { scatter, ..PLAIN });
        let different = percent(1500, || !world.spread().interval.contains(1.0));
        assert!(different <= 6.0, "{scatter:?}: {different}%");
    }
}

#[test]
fn drift_is_no_difference_in_random_order_and_is_one_in_halves() {
    let drifting = Shape { drift: 1.1_f64.ln(), level_sd: 0.0, sd: 0.028, blocks: 10, ..PLAIN };
    let different = |order, memory| {
        let mut world = World::new(70, Shape { memory, order, ..drifting });
        percent(1000, || !world.spread().interval.contains(1.0))
    };
    let random = different(Order::Random, 0.0);
    assert!(random <= 7.0, "random in blocks: {random}%");
    let neighbours = different(Order::Random, 0.5);
    assert!(neighbours <= 7.0, "random in blocks, with neighbours: {neighbours}%");
    let halves = different(Order::Halves, 0.0);
    assert!(halves > 80.0, "the simulation has no drift to be immune to: {halves}%");
}

#[test]
fn the_rule_gives_the_shares_of_the_method() {
    for (seed, (sd, ratio, want)) in (10..).zip(TABLE) {
        let got = shares_of_words(3000, &mut World::new(seed, Shape { ratio, sd, ..PLAIN }));
        for (got, want) in got.into_iter().zip(want) {
            assert!((got - want).abs() <= 2.0, "sd {sd}, ratio {ratio}: {got}% is not {want}%");
        }
    }
}

#[test]
fn fragile_is_rare_where_no_block_is_odd_and_the_sign_is_never_wrong() {
    let mut world = World::new(20, Shape { ratio: 1.10, ..PLAIN });
    let fragile =
        percent(1000, || match Verdict::of(&compare(&world.session(), QUESTION).expect("pairs")) {
            Verdict::Fragile { .. } => true,
            Verdict::Faster(_) | Verdict::SlightlyFaster(_) => panic!("the wrong sign"),
            _ => false,
        });
    assert!(fragile < 10.0, "{fragile}%");
}

#[test]
fn a_family_of_equal_variants_rarely_shows_even_one_difference() {
    let family = Question { family: 4, ..QUESTION };
    let mut world = World::new(30, PLAIN);
    let mut by_holm = 0;
    let by_interval = percent(1000, || {
        let spreads: Vec<_> = (0..4).map(|_| world.spread_for(family)).collect();
        let p: Vec<f64> = spreads.iter().map(|s| s.p_value).collect();
        by_holm += u32::from(holm(&p).iter().any(|p| *p < 0.05));
        spreads.iter().any(|s| !s.adjusted.contains(1.0))
    });
    assert!(by_interval <= 6.0, "{by_interval}%");
    assert!(by_holm <= 60, "{by_holm} of 1000");
}

#[test]
fn a_level_that_is_common_to_a_block_cancels() {
    let mut world = World::new(40, Shape { ratio: 2.0, sd: 0.0, ..PLAIN });
    let c = compare(&world.session(), QUESTION).expect("pairs");
    assert!((c.ratio - 2.0).abs() < 1e-12);
    assert!(c.spread.expect("eight").sd_log < 1e-12);
}

#[test]
fn p_values_agree_with_the_exact_sign_flip_test() {
    for (seed, ratio) in [(50, 1.0), (51, 1.02), (52, 1.05)] {
        let mut world = World::new(seed, Shape { ratio, blocks: 10, ..PLAIN });
        let mut apart = 0.0;
        for _ in 0..100 {
            let pairs = world.session();
            let d: Vec<f64> = pairs.iter().map(|p| (p.variant / p.baseline).ln()).collect();
            let spread = compare(&pairs, QUESTION).expect("pairs").spread.expect("ten");
            apart += (sign_flip_p_value(&d) - spread.p_value).abs() / 100.0;
        }
        assert!(apart < 0.01, "ratio {ratio}: mean distance {apart}");
    }
}
