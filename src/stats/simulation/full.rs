//! The whole validation of the verdict engine, printed: `cargo test --lib -- --ignored --nocapture stats::simulation`.
//!
//! Each figure has the limits that it must be in; `docs/METHOD.md` shows what came out.

use crate::stats::simulation::world::{
    Order, PLAIN, QUESTION, Scatter, Shape, TABLE, World, percent, shares_of_words,
};
use crate::stats::{
    PILOT_BLOCKS, Pair, Precision, Question, Verdict, benjamini_hochberg, blocks_for_precision,
    bootstrap_interval, compare, compare_after_pilot, difference, drift, holm, mann_kendall,
};

/// Sessions behind each percentage: its standard error is 0.15 points where it is 5 %.
const SESSIONS: u32 = 20_000;

/// Prints a figure and holds it to its limits, in percent.
#[expect(clippy::print_stdout, reason = "the figures are what this is run for")]
fn figure(name: &str, got: f64, low: f64, high: f64) {
    println!("{name:<72} {got:6.2} %   [{low}, {high}]");
    assert!((low..=high).contains(&got), "{name}: {got}% is not in {low} to {high}");
}

fn false_differences(seed: u64, shape: Shape) -> f64 {
    let mut world = World::new(seed, shape);
    percent(SESSIONS, || !world.spread().interval.contains(1.0))
}

#[test]
#[ignore = "a minute: the full simulation, run by .ci/nightly simulate"]
fn equal_variants_and_all_kinds_of_scatter() {
    for n in [6, 8, 12, 20] {
        let shape = Shape { blocks: n, ..PLAIN };
        figure(
            &format!("A/A, normal, n={n}: false differences"),
            false_differences(100, shape),
            4.0,
            6.0,
        );
    }
    // Of strongly skewed trials t is more careful than it says.
    let kinds = [(Scatter::HeavyTails, 96.5), (Scatter::Outliers, 96.5), (Scatter::Skewed, 97.5)];
    for (scatter, most) in kinds {
        for n in [6, 8, 12] {
            let (mut t, mut ranks) = (0, 0);
            let mut world = World::new(101, Shape { scatter, blocks: n, ratio: 1.2, ..PLAIN });
            for _ in 0..SESSIONS {
                let s = world.spread();
                t += u32::from(s.interval.contains(1.2));
                ranks += u32::from(s.rank_interval.expect("six or more").contains(1.2));
            }
            let share = |held: u32| 100.0 * f64::from(held) / f64::from(SESSIONS);
            figure(&format!("{scatter:?}, n={n}: coverage of t"), share(t), 94.0, most);
            figure(&format!("{scatter:?}, n={n}: coverage of the ranks"), share(ranks), 94.0, 97.5);
        }
    }
}

#[test]
#[ignore = "a minute: the full simulation, run by .ci/nightly simulate"]
fn drift_and_neighbours_under_each_order() {
    let drifting = Shape { drift: 1.1_f64.ln(), level_sd: 0.0, sd: 0.028, blocks: 10, ..PLAIN };
    let steady = Shape { drift: 0.0, ..drifting };
    let cases = [
        ("10 % drift, random in blocks", drifting, Order::Random, (4.0, 6.0)),
        ("10 % drift, ABAB", drifting, Order::Alternating, (6.0, 100.0)),
        ("10 % drift, AAA..BBB", drifting, Order::Halves, (90.0, 100.0)),
        (
            "neighbours .6, random in blocks",
            Shape { memory: 0.6, ..steady },
            Order::Random,
            (4.0, 6.0),
        ),
        ("neighbours .6, AAA..BBB", Shape { memory: 0.6, ..steady }, Order::Halves, (15.0, 100.0)),
    ];
    for (name, shape, order, (low, high)) in cases {
        let got = false_differences(110, Shape { order, ..shape });
        figure(&format!("A/A, {name}: false differences"), got, low, high);
    }
}

#[test]
#[ignore = "a minute: the full simulation, run by .ci/nightly simulate"]
fn families_of_equal_variants() {
    for (size, sessions) in [(4_u32, 5000), (16, 3000), (48, 1000)] {
        let question = Question { family: size, ..QUESTION };
        let mut world = World::new(120, PLAIN);
        let (mut holms, mut exploratory, mut plain) = (0, 0, 0);
        let bonferroni = percent(sessions, || {
            let spreads: Vec<_> = (0..size).map(|_| world.spread_for(question)).collect();
            let p: Vec<f64> = spreads.iter().map(|s| s.p_value).collect();
            let any = |p: &[f64]| u32::from(p.iter().any(|p| *p < 0.05));
            plain += any(&p);
            holms += any(&holm(&p));
            exploratory += any(&benjamini_hochberg(&p));
            spreads.iter().any(|s| !s.adjusted.contains(1.0))
        });
        let share = |count: u32| 100.0 * f64::from(count) / f64::from(sessions);
        figure(&format!("{size} A/A: one or more by Holm"), share(holms), 0.0, 6.0);
        figure(&format!("{size} A/A: one or more by the corrected interval"), bonferroni, 0.0, 6.0);
        figure(
            &format!("{size} A/A: one or more by Benjamini-Hochberg"),
            share(exploratory),
            0.0,
            6.5,
        );
        figure(&format!("{size} A/A: one or more uncorrected"), share(plain), 15.0, 100.0);
    }
}

#[test]
#[ignore = "a minute: the full simulation, run by .ci/nightly simulate"]
fn the_rule_and_what_it_finds() {
    for (seed, (sd, ratio, want)) in (130..).zip(TABLE) {
        let got = shares_of_words(SESSIONS, &mut World::new(seed, Shape { ratio, sd, ..PLAIN }));
        let words = ["beyond the margin", "slightly", "no relevant difference", "inconclusive"];
        for ((got, want), word) in got.into_iter().zip(want).zip(words) {
            figure(&format!("sd {sd}, ratio {ratio}: {word}"), got, want - 2.0, want + 2.0);
        }
    }
    // (sd, blocks) → a planted 5 % found, with the right sign.
    let power = [
        (0.02, 6, 98.0),
        (0.03, 6, 85.0),
        (0.03, 8, 95.0),
        (0.03, 10, 98.0),
        (0.05, 8, 60.0),
        (0.05, 16, 93.0),
    ];
    for (sd, blocks, least) in power {
        let mut world = World::new(140, Shape { ratio: 1.05, sd, blocks, ..PLAIN });
        let mut wrong = 0;
        let found = percent(SESSIONS, || {
            let s = world.spread();
            wrong += u32::from(s.interval.high < 1.0);
            s.interval.low > 1.0
        });
        figure(&format!("planted 5 %, sd {sd}, n={blocks}: found"), found, least, 100.0);
        figure(
            &format!("planted 5 %, sd {sd}, n={blocks}: wrong sign"),
            f64::from(wrong),
            0.0,
            2.0,
        );
    }
    let mut world = World::new(150, PLAIN);
    let fragile = percent(SESSIONS, || {
        let c = compare(&world.session(), QUESTION).expect("pairs");
        matches!(Verdict::of(&c), Verdict::Fragile { .. })
    });
    figure("A/A, sd 0.03, n=8: fragile", fragile, 0.0, 5.0);
}

#[test]
#[ignore = "a minute: the full simulation, run by .ci/nightly simulate"]
fn blocks_by_precision_cost_little_confidence() {
    let precision = Precision { half_width: 0.03, confidence: 0.95, most: 40 };
    for sd in [0.03, 0.05, 0.08] {
        let mut world = World::new(160, Shape { sd, blocks: 40, ..PLAIN });
        let (mut naive, mut narrow, mut blocks) = (0, 0, 0);
        let different = percent(SESSIONS / 2, || {
            let session = world.session();
            let of = |n: usize, pilot: u32| {
                let c = compare_after_pilot(&session[..n], pilot, QUESTION).expect("pairs");
                c.spread.expect("six or more")
            };
            let n = blocks_for_precision(of(6, 0).sd_log, 6, precision) as usize;
            let s = of(n, PILOT_BLOCKS);
            blocks += n;
            naive += u32::from(!of(n, 0).interval.contains(1.0));
            narrow += u32::from((s.interval.high / s.interval.low).sqrt() <= 1.03 || n == 40);
            !s.interval.contains(1.0)
        });
        let share = |count: u32| 100.0 * f64::from(count) / f64::from(SESSIONS / 2);
        let name = |what: &str| format!("A/A, sd {sd}, blocks by precision: {what}");
        figure(&name("false differences"), different, 4.0, 6.2);
        figure(&name("false without the pilot's scatter"), share(naive), 4.0, 8.0);
        figure(&name("half-width within 3 %, or capped"), share(narrow), 50.0, 100.0);
        let mean = blocks as f64 / f64::from(SESSIONS / 2);
        figure(&name("blocks on average, in percent of 40"), 2.5 * mean, 15.0, 100.0);
    }
}

#[test]
#[ignore = "minutes: the full simulation, run by .ci/nightly simulate"]
fn companions_hold_what_they_say() {
    // It holds less than it says even at 20 blocks, which is why no verdict rests on it.
    for (scatter, least) in [(Scatter::Normal, 90.0), (Scatter::Skewed, 82.0)] {
        let mut world = World::new(170, Shape { blocks: 20, scatter, ..PLAIN });
        let covered = percent(500, || {
            let d: Vec<f64> =
                world.session().iter().map(|p| (p.variant / p.baseline).ln()).collect();
            bootstrap_interval(&d, 0.95, 1).expect("twenty").contains(0.0)
        });
        figure(&format!("bootstrap, {scatter:?}, n=20: coverage"), covered, least, 97.0);
    }
    // Error shares of 1 in 2000, from 1000 requests a trial: mostly zeros.
    let mut world = World::new(180, PLAIN);
    let false_errors = percent(2000, || {
        let mut errors = || (0..20).filter(|_| world.uniform() < 0.025).count() as f64 / 1000.0;
        let pairs: Vec<Pair> =
            (1..=8).map(|block| Pair { block, baseline: errors(), variant: errors() }).collect();
        difference(&pairs, 0.95).expect("finite").p_value < 0.05
    });
    figure("error shares, n=8: false differences by sign flips", false_errors, 0.0, 6.0);
}

#[test]
#[ignore = "a minute: the full simulation, run by .ci/nightly simulate"]
fn steadiness_is_seen_and_rest_is_not_taken_for_drift() {
    let cases = [
        ("white, no trend", 0.0, 0.0, (0.0, 0.5), (4.0, 6.0)),
        ("neighbours .3, no trend", 0.3, 0.0, (0.0, 5.0), (8.0, 20.0)),
        ("neighbours .6, no trend", 0.6, 0.0, (0.0, 16.0), (20.0, 40.0)),
        ("white, 10 % trend", 0.0, 0.10, (95.0, 100.0), (98.0, 100.0)),
    ];
    for (name, memory, trend, flagged, tested) in cases {
        let mut world = World::new(190, PLAIN);
        let mut by_test = 0;
        let unsteady = percent(SESSIONS / 4, || {
            let mut noise = world.normal();
            let series: Vec<f64> = (0..30)
                .map(|i| {
                    noise = memory * noise + (1.0_f64 - memory * memory).sqrt() * world.normal();
                    100.0 * (1.0 + trend * f64::from(i) / 30.0 + 0.03 * noise)
                })
                .collect();
            by_test += u32::from(mann_kendall(&series) < 0.05);
            drift(&series).expect("thirty").is_unsteady()
        });
        figure(&format!("30 windows, {name}: flagged"), unsteady, flagged.0, flagged.1);
        let by_test = 100.0 * f64::from(by_test) / f64::from(SESSIONS / 4);
        figure(
            &format!("30 windows, {name}: Mann-Kendall alone, 5 %"),
            by_test,
            tested.0,
            tested.1,
        );
    }
}
