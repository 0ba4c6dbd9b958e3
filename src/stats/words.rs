//! Every word of a verdict, from numbers that lead to it.

use crate::stats::verdict::{Class, classify};
use crate::stats::{
    Because, Interval, Orientation, Pair, Question, Verdict, Why, Withheld, compare,
};

const QUESTION: Question =
    Question { orientation: Orientation::LowerIsBetter, confidence: 0.95, margin: 0.05, family: 1 };

/// Blocks around `ratio` whose log-ratios have this standard deviation, exactly.
fn verdict(ratio: f64, sd: f64, n: u32, question: Question) -> Verdict {
    let step = (sd * (f64::from(n - 1) / f64::from(n)).sqrt()).exp();
    let pairs: Vec<Pair> = (1..=n)
        .map(|block| Pair {
            block,
            baseline: 1000.0,
            variant: 1000.0 * if block % 2 == 0 { ratio * step } else { ratio / step },
        })
        .collect();
    Verdict::of(&compare(&pairs, question).expect("pairs"))
}

fn text(ratio: f64, sd: f64, n: u32) -> String {
    verdict(ratio, sd, n, QUESTION).text()
}

#[test]
fn each_word_has_the_numbers_that_lead_to_it() {
    let cases = [
        ((0.47, 0.03, 8), "**faster** 2.13x (95% CI 2.07-2.18, n=8 blocks)"),
        ((2.0, 0.03, 8), "**slower** 2.00x (95% CI 1.95-2.05, n=8 blocks)"),
        ((1.0, 0.03, 8), "**no relevant difference** (within ±5%)"),
        ((1.018, 0.005, 8), "**no relevant difference** (within ±5%) (detectable, 1.80%)"),
        (
            (1.06, 0.02, 8),
            "**slightly slower, size uncertain** 1.06x (95% CI 1.04-1.08, n=8 blocks)",
        ),
        (
            (0.94, 0.02, 8),
            "**slightly faster, size uncertain** 1.06x (95% CI 1.05-1.08, n=8 blocks)",
        ),
        ((1.0, 0.10, 8), "**inconclusive**: would have seen >= 12.2%; about 24 blocks needed"),
        ((0.47, 0.03, 4), "**no verdict**: 4 valid blocks, 6 are needed"),
    ];
    for ((ratio, sd, n), want) in cases {
        assert_eq!(text(ratio, sd, n), want);
    }
}

#[test]
fn six_blocks_are_enough_and_five_are_not() {
    assert_eq!(text(0.47, 0.03, 5), "**no verdict**: 5 valid blocks, 6 are needed");
    assert_eq!(text(0.47, 0.03, 1), "**no verdict**: 1 valid block, 6 are needed");
    assert_eq!(verdict(0.47, 0.03, 6, QUESTION).word(), "faster");
}

#[test]
fn a_detectable_difference_has_no_sign_and_estimated_blocks_three_digits() {
    let below = "**no relevant difference** (within ±5%) (detectable, 1.80%)";
    assert_eq!(text(0.982, 0.005, 8), below);
    let blocks = |blocks_needed| {
        let text = Verdict::Inconclusive { detectable: 0.1, blocks_needed }.text();
        text.rsplit("about ").next().map(str::to_owned).expect("a part")
    };
    assert_eq!(blocks(999), "999 blocks needed");
    assert_eq!(blocks(1000), "1000 blocks needed");
    assert_eq!(blocks(12_345), "12300 blocks needed");
}

#[test]
fn the_words_that_need_no_numbers() {
    let cases = [
        (
            Verdict::NotComparable(Because::Correctness),
            "**not comparable**: a trial failed its checks (answers, plan, index use or accounting)",
        ),
        (
            Verdict::NotComparable(Because::LoadModel),
            "**not comparable**: driven by different load models",
        ),
        (Verdict::NoVerdict(Why::Incomplete), "**no verdict**: the run is incomplete"),
        (
            Verdict::NoVerdict(Why::HostUnreliable),
            "**no verdict**: host unreliable, the A/A check found a difference",
        ),
        (Verdict::NoVerdict(Why::NotRun), "**no verdict**: not run under this load"),
        (
            Verdict::NoVerdict(Why::AmongFailures),
            "**no verdict**: the quantile lies among failed requests",
        ),
        (
            Verdict::NoVerdict(Why::FewSamples { needed: 2000 }),
            "**no verdict**: needs 2,000 samples in each trial",
        ),
        (Verdict::NoVerdict(Why::Undefined), "**no verdict**: a value is missing or zero"),
        (
            Verdict::Withheld(Withheld::Saturated),
            "**(saturated)** the offered load was not sustained; verdict on latency withheld",
        ),
        (
            Verdict::Withheld(Withheld::NoSteadyState),
            "**(no steady state)** it still moved in the window; verdict on latency withheld",
        ),
        (Verdict::Fragile { block: 3 }, "**inconclusive** (fragile: one block dominates, block 3)"),
    ];
    for (verdict, want) in cases {
        assert_eq!(verdict.text(), want);
    }
}

#[test]
fn more_throughput_is_faster_and_less_is_slower() {
    let higher = Question { orientation: Orientation::HigherIsBetter, ..QUESTION };
    assert_eq!(
        verdict(2.0, 0.03, 8, higher).text(),
        "**faster** 2.00x (95% CI 1.95-2.05, n=8 blocks)"
    );
    assert_eq!(
        verdict(0.5, 0.03, 8, higher).text(),
        "**slower** 2.00x (95% CI 1.95-2.05, n=8 blocks)"
    );
}

#[test]
fn a_family_is_named_where_its_correction_decided() {
    let four = Question { family: 4, ..QUESTION };
    assert_eq!(
        verdict(0.47, 0.03, 8, four).text(),
        "**faster** 2.13x (95% CI over 4 comparisons 2.05-2.20, n=8 blocks)"
    );
}

#[test]
fn the_corrected_interval_decides_and_not_the_narrower_one() {
    let family = |family| verdict(1.10, 0.04, 8, Question { family, ..QUESTION });
    assert_eq!(family(1).word(), "slower");
    assert_eq!(family(4).word(), "slightly slower");
}

#[test]
fn the_margin_itself_is_not_beyond_the_margin() {
    let at = |low, high| {
        let i = Interval { low, high };
        classify(i, i, Orientation::LowerIsBetter, 0.05)
    };
    assert_eq!(at(1.05, 1.2), Class::SlightlySlower);
    assert_eq!(at(1.050_001, 1.2), Class::Slower);
    assert_eq!(at(0.8, 1.0 / 1.05), Class::SlightlyFaster);
    assert_eq!(at(0.8, 0.952), Class::Faster);
    assert_eq!(at(1.0 / 1.05, 1.05), Class::NoRelevantDifference);
    assert_eq!(at(0.9, 1.0), Class::Inconclusive);
}

#[test]
fn no_text_holds_a_forbidden_word_or_too_many_digits() {
    let mut texts = Vec::new();
    for ratio in [0.001_234_5, 0.3, 0.97, 1.0, 1.03, 1.2, 123.456] {
        for sd in [0.0, 0.004, 0.03, 0.2, 1.0] {
            for n in [2, 6, 8, 20] {
                texts.push(text(ratio, sd, n));
            }
        }
    }
    for text in texts {
        for word in ["significant", "winner", "best", "p="] {
            assert!(!text.contains(word), "{text}");
        }
        for number in text.split(|c: char| !c.is_ascii_digit() && c != '.') {
            let digits = number.replace('.', "");
            let digits = digits.trim_start_matches('0').trim_end_matches('0');
            assert!(digits.len() <= 3, "{number} in {text}");
        }
    }
}
