//! The whole vocabulary of verdicts: whatever the numbers, a text is one of these sentences, and no other exists.

use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;

use crate::stats::{Because, Figure, Interval, Verdict, Why, Withheld};

/// Every sentence, with `#` for each number; a test fails for each that is never said, and for each that is not here.
const SENTENCES: [&str; 20] = [
    "**faster** #x (#% CI #-#, n=# blocks)",
    "**faster** #x (#% CI over # comparisons #-#, n=# blocks)",
    "**slower** #x (#% CI #-#, n=# blocks)",
    "**slower** #x (#% CI over # comparisons #-#, n=# blocks)",
    "**slightly faster, size uncertain** #x (#% CI #-#, n=# blocks)",
    "**slightly faster, size uncertain** #x (#% CI over # comparisons #-#, n=# blocks)",
    "**slightly slower, size uncertain** #x (#% CI #-#, n=# blocks)",
    "**slightly slower, size uncertain** #x (#% CI over # comparisons #-#, n=# blocks)",
    "**no relevant difference** (within ±#%)",
    "**no relevant difference** (within ±#%) (detectable, #%)",
    "**inconclusive**: would have seen >= #%; about # blocks needed",
    "**inconclusive** (fragile: one block dominates, block #)",
    "**not comparable**: a trial failed its checks (answers, plan, index use or accounting)",
    "**not comparable**: driven by different load models",
    "**(saturated)** the offered load was not sustained; verdict on latency withheld",
    "**(no steady state)** it still moved in the window; verdict on latency withheld",
    "**no verdict**: # valid block, # are needed",
    "**no verdict**: # valid blocks, # are needed",
    "**no verdict**: needs # samples in each trial",
    "**no verdict**: REASON",
];

/// The reasons without a number.
const REASONS: [&str; 5] = [
    "the run is incomplete",
    "host unreliable, the A/A check found a difference",
    "not run under this load",
    "the quantile lies among failed requests",
    "a value is missing or zero",
];

/// The words of a column; a reader's script may rely on them.
const WORDS: [&str; 10] = [
    "not comparable",
    "no verdict",
    "(saturated)",
    "(no steady state)",
    "faster",
    "slower",
    "no relevant difference",
    "slightly faster",
    "slightly slower",
    "inconclusive",
];

/// Digits, with dots and commas between them, become `#`.
fn sentence(text: &str) -> String {
    let mut out = String::new();
    let characters: Vec<char> = text.chars().collect();
    for (i, c) in characters.iter().enumerate() {
        let digit = |i: usize| characters.get(i).is_some_and(char::is_ascii_digit);
        let within = digit(i) || (['.', ','].contains(c) && i > 0 && digit(i - 1) && digit(i + 1));
        if !within {
            out.push(*c);
        } else if !out.ends_with('#') {
            out.push('#');
        }
    }
    match out.strip_prefix("**no verdict**: ") {
        Some(reason) if REASONS.contains(&reason) => "**no verdict**: REASON".into(),
        _ => out,
    }
}

fn figures() -> impl Strategy<Value = Figure> {
    (1e-4..1e6_f64, 0.5..1.0_f64, 0.5..0.999_f64, 0_u32..50, 6_usize..200).prop_map(
        |(times, width, confidence, family, n)| Figure {
            times,
            interval: Interval { low: times * width, high: times / width },
            confidence,
            family,
            n,
        },
    )
}

fn reasons() -> impl Strategy<Value = Why> {
    prop_oneof![
        (0_usize..6).prop_map(|valid| Why::FewBlocks { valid }),
        Just(Why::Incomplete),
        Just(Why::HostUnreliable),
        Just(Why::NotRun),
        Just(Why::AmongFailures),
        (1_u64..100_000).prop_map(|needed| Why::FewSamples { needed }),
        Just(Why::Undefined),
    ]
}

fn verdicts() -> impl Strategy<Value = Verdict> {
    prop_oneof![
        Just(Verdict::NotComparable(Because::Correctness)),
        Just(Verdict::NotComparable(Because::LoadModel)),
        reasons().prop_map(Verdict::NoVerdict),
        Just(Verdict::Withheld(Withheld::Saturated)),
        Just(Verdict::Withheld(Withheld::NoSteadyState)),
        figures().prop_map(Verdict::Faster),
        figures().prop_map(Verdict::Slower),
        figures().prop_map(Verdict::SlightlyFaster),
        figures().prop_map(Verdict::SlightlySlower),
        (0.001..0.5_f64, prop::option::of(0.0..0.5_f64)).prop_map(|(margin, detectable)| {
            Verdict::NoRelevantDifference { margin, detectable }
        }),
        (0.0..9.0_f64, 2_u64..1_000_000).prop_map(|(detectable, blocks_needed)| {
            Verdict::Inconclusive { detectable, blocks_needed }
        }),
        (1_u32..99).prop_map(|block| Verdict::Fragile { block }),
    ]
}

/// A new verdict must be added here, and so to the strategy above.
fn index(verdict: &Verdict) -> usize {
    match verdict {
        Verdict::NotComparable(Because::Correctness | Because::LoadModel) => 0,
        Verdict::NoVerdict(
            Why::FewBlocks { .. }
            | Why::Incomplete
            | Why::HostUnreliable
            | Why::NotRun
            | Why::AmongFailures
            | Why::FewSamples { .. }
            | Why::Undefined,
        ) => 1,
        Verdict::Withheld(Withheld::Saturated) => 2,
        Verdict::Withheld(Withheld::NoSteadyState) => 3,
        Verdict::Faster(_) => 4,
        Verdict::Slower(_) => 5,
        Verdict::NoRelevantDifference { .. } => 6,
        Verdict::SlightlyFaster(_) => 7,
        Verdict::SlightlySlower(_) => 8,
        Verdict::Inconclusive { .. } | Verdict::Fragile { .. } => 9,
    }
}

#[test]
fn every_text_is_one_of_the_sentences_and_every_sentence_is_said() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let (mut said, mut words) = (BTreeSet::new(), BTreeSet::new());
    for _ in 0..2000 {
        let tree = verdicts().new_tree(&mut runner).expect("a verdict");
        let verdict = tree.current();
        let text = verdict.text();
        let sentence = sentence(&text);
        assert!(SENTENCES.contains(&sentence.as_str()), "free wording: {text}");
        assert_eq!(verdict.word(), WORDS[index(&verdict)], "{text}");
        assert!(text.starts_with(&format!("**{}", verdict.word())), "{text}");
        said.insert(sentence);
        words.insert(verdict.word());
    }
    let never: Vec<&str> = SENTENCES.into_iter().filter(|s| !said.contains(*s)).collect();
    assert!(never.is_empty(), "never said: {never:?}");
    assert_eq!(words, BTreeSet::from(WORDS));
}

#[test]
fn a_sentence_is_the_text_without_its_numbers() {
    assert_eq!(sentence("2.13x (95% CI 2.07-2.18), 1,500."), "#x (#% CI #-#), #.");
    assert_eq!(sentence("**no verdict**: the run is incomplete"), "**no verdict**: REASON");
    assert_eq!(sentence("**no verdict**: I say so"), "**no verdict**: I say so");
}
