//! The words that a report may use about a difference, and the rule that chooses them.
//!
//! Every text is made from the enum: nobody can write "significant" or "winner" into a report. Faster and slower
//! mean the better and the worse side of any metric: of a latency less is faster, of a throughput more is, so that
//! a reader never has to remember a metric's direction.

use std::fmt::Write as _;

use crate::stats::{Comparison, Interval, NoComparison, Orientation, Spread};
use crate::units::{share, sig3};

/// An exact signed-rank statement at 95 % needs 6 blocks; below it nothing is said.
pub const FEWEST_BLOCKS: usize = 6;

/// What may be said about a variant beside the baseline.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// Different things were measured.
    NotComparable(Because),
    /// Nothing may be said.
    NoVerdict(Why),
    /// A latency that is not that of the offered load.
    Withheld(Withheld),
    /// The corrected interval is beyond the margin on the better side.
    Faster(Figure),
    /// The corrected interval is beyond the margin on the worse side.
    Slower(Figure),
    /// The 90 % interval is within the margin.
    NoRelevantDifference {
        /// The margin.
        margin: f64,
        /// The size of a difference that is not relevant but there: 0.018 for 1.8 %.
        detectable: Option<f64>,
    },
    /// There is a difference on the better side; it may be within the margin.
    SlightlyFaster(Figure),
    /// There is a difference on the worse side; it may be within the margin.
    SlightlySlower(Figure),
    /// The blocks do not tell.
    Inconclusive {
        /// The difference that they would have told: 0.035 for 3.5 %.
        detectable: f64,
        /// Blocks that could tell the margin.
        blocks_needed: u64,
    },
    /// Two sound intervals lead to different words.
    Fragile {
        /// The block farthest from the others.
        block: u32,
    },
}

/// How many times, as the better is to the worse.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Figure {
    /// At least 1 for the better side's ratio.
    pub times: f64,
    /// The corrected interval.
    pub interval: Interval,
    /// Its confidence over the whole family.
    pub confidence: f64,
    /// Comparisons in the family.
    pub family: u32,
    /// Blocks.
    pub n: usize,
}

/// Why two variants are not comparable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Because {
    /// A trial failed for wrong answers, a wrong plan or broken accounting.
    Correctness,
    /// They were driven by different load models or rates.
    LoadModel,
}

/// Why there is no verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// Too few pairs.
    FewBlocks {
        /// Blocks in which both trials are valid.
        valid: usize,
    },
    /// The run did not end well.
    Incomplete,
    /// The A/A check found a difference where there is none.
    HostUnreliable,
    /// The variant or the baseline is not run under this load.
    NotRun,
    /// The quantile lies among failed requests, which took for ever.
    AmongFailures,
    /// A quantile needs more samples.
    FewSamples {
        /// In each trial.
        needed: u64,
    },
    /// A value is not measured, zero, or measured twice.
    Undefined,
}

/// Why a latency is withheld.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Withheld {
    /// The offered load was more than it could serve: requests were dropped.
    Saturated,
    /// Its figures still moved in the window.
    NoSteadyState,
}

impl From<NoComparison> for Why {
    fn from(none: NoComparison) -> Self {
        match none {
            NoComparison::NoPairs => Self::FewBlocks { valid: 0 },
            NoComparison::NotPositive { .. }
            | NoComparison::NotFinite { .. }
            | NoComparison::DuplicateBlock { .. } => Self::Undefined,
        }
    }
}

/// What an interval and its equivalence interval say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    Faster,
    Slower,
    NoRelevantDifference,
    SlightlyFaster,
    SlightlySlower,
    Inconclusive,
}

/// The rule: on the ratio for "lower is better", L = 1 / (1 + margin), U = 1 + margin.
pub(super) fn classify(
    interval: Interval,
    equivalence: Interval,
    orientation: Orientation,
    margin: f64,
) -> Class {
    let orient = |i: Interval| match orientation {
        Orientation::LowerIsBetter => i,
        Orientation::HigherIsBetter => i.inverted(),
    };
    let (interval, equivalence) = (orient(interval), orient(equivalence));
    let limits = Interval { low: 1.0 / (1.0 + margin), high: 1.0 + margin };
    if interval.high < limits.low {
        Class::Faster
    } else if interval.low > limits.high {
        Class::Slower
    } else if equivalence.within(limits) {
        Class::NoRelevantDifference
    } else if interval.high < 1.0 {
        Class::SlightlyFaster
    } else if interval.low > 1.0 {
        Class::SlightlySlower
    } else {
        Class::Inconclusive
    }
}

impl Verdict {
    /// The verdict of a comparison of valid trials.
    pub fn of(comparison: &Comparison) -> Self {
        let valid = comparison.n;
        let Some(spread) = comparison.spread.filter(|_| valid >= FEWEST_BLOCKS) else {
            return Self::NoVerdict(Why::FewBlocks { valid });
        };
        let q = comparison.question;
        if spread.fragile {
            return Self::Fragile { block: spread.odd_block };
        }
        match classify(spread.adjusted, spread.equivalence, q.orientation, q.margin) {
            Class::Faster => Self::Faster(figure(comparison, &spread, Side::Better)),
            Class::Slower => Self::Slower(figure(comparison, &spread, Side::Worse)),
            Class::SlightlyFaster => {
                Self::SlightlyFaster(figure(comparison, &spread, Side::Better))
            }
            Class::SlightlySlower => Self::SlightlySlower(figure(comparison, &spread, Side::Worse)),
            Class::NoRelevantDifference => Self::NoRelevantDifference {
                margin: q.margin,
                detectable: (!spread.adjusted.contains(1.0))
                    .then(|| (comparison.ratio - 1.0).abs()),
            },
            Class::Inconclusive => Self::Inconclusive {
                detectable: spread.detectable,
                blocks_needed: spread.blocks_needed,
            },
        }
    }

    /// The words alone, as in a column of a CSV file.
    pub fn word(&self) -> &'static str {
        match self {
            Self::NotComparable(_) => "not comparable",
            Self::NoVerdict(_) => "no verdict",
            Self::Withheld(Withheld::Saturated) => "(saturated)",
            Self::Withheld(Withheld::NoSteadyState) => "(no steady state)",
            Self::Faster(_) => "faster",
            Self::Slower(_) => "slower",
            Self::NoRelevantDifference { .. } => "no relevant difference",
            Self::SlightlyFaster(_) => "slightly faster",
            Self::SlightlySlower(_) => "slightly slower",
            Self::Inconclusive { .. } | Self::Fragile { .. } => "inconclusive",
        }
    }

    /// The words with their numbers or their reason, as Markdown.
    pub fn text(&self) -> String {
        let word = self.word();
        match self {
            Self::NotComparable(because) => format!("**{word}**: {}", because.text()),
            Self::NoVerdict(why) => format!("**{word}**: {}", why.text()),
            Self::Withheld(Withheld::Saturated) => {
                format!(
                    "**{word}** the offered load was not sustained; verdict on latency withheld"
                )
            }
            Self::Withheld(Withheld::NoSteadyState) => {
                format!("**{word}** it still moved in the window; verdict on latency withheld")
            }
            Self::Faster(f) | Self::Slower(f) => format!("**{word}** {}", f.text()),
            Self::SlightlyFaster(f) | Self::SlightlySlower(f) => {
                format!("**{word}, size uncertain** {}", f.text())
            }
            Self::NoRelevantDifference { margin, detectable } => {
                let mut text = format!("**{word}** (within ±{})", percent(*margin));
                if let Some(size) = detectable {
                    write!(text, " (detectable, {})", share(*size)).expect("a String takes text");
                }
                text
            }
            Self::Inconclusive { detectable, blocks_needed } => format!(
                "**{word}**: would have seen >= {}; about {} blocks needed",
                share(*detectable),
                three_digits(*blocks_needed)
            ),
            Self::Fragile { block } => {
                format!("**{word}** (fragile: one block dominates, block {block})")
            }
        }
    }
}

enum Side {
    Better,
    Worse,
}

/// "2.13x faster" is the worse value over the better; "2.13x slower" too. Where less is better and the variant is
/// better, that is the reciprocal of variant over baseline.
fn figure(comparison: &Comparison, spread: &Spread, side: Side) -> Figure {
    let q = comparison.question;
    let invert =
        match (q.orientation, side) {
            (Orientation::LowerIsBetter, Side::Better)
            | (Orientation::HigherIsBetter, Side::Worse) => true,
            (Orientation::LowerIsBetter, Side::Worse)
            | (Orientation::HigherIsBetter, Side::Better) => false,
        };
    Figure {
        times: if invert { 1.0 / comparison.ratio } else { comparison.ratio },
        interval: if invert { spread.adjusted.inverted() } else { spread.adjusted },
        confidence: q.confidence,
        family: q.family,
        n: comparison.n,
    }
}

impl Figure {
    /// `2.13x (95% CI 2.05-2.21, n=8 blocks)`.
    fn text(&self) -> String {
        let corrected = match self.family {
            0 | 1 => String::new(),
            m => format!(" over {m} comparisons"),
        };
        format!(
            "{}x ({} CI{corrected} {}-{}, n={} blocks)",
            sig3(self.times),
            percent(self.confidence),
            sig3(self.interval.low),
            sig3(self.interval.high),
            self.n
        )
    }
}

/// `95%`, `99.5%`: what an author wrote, not what was measured.
fn percent(share: f64) -> String {
    crate::units::Share(share).to_string()
}

/// A count that is an estimate: `24`, `2780`.
fn three_digits(n: u64) -> String {
    if n < 1000 { n.to_string() } else { sig3(n as f64) }
}

impl Because {
    fn text(self) -> &'static str {
        match self {
            Self::Correctness => {
                "a trial failed its checks (answers, plan, index use or accounting)"
            }
            Self::LoadModel => "driven by different load models",
        }
    }
}

impl Why {
    /// The reason, as a fragment.
    pub fn text(self) -> String {
        match self {
            Self::FewBlocks { valid } => {
                let blocks = if valid == 1 { "block" } else { "blocks" };
                format!("{valid} valid {blocks}, {FEWEST_BLOCKS} are needed")
            }
            Self::Incomplete => "the run is incomplete".into(),
            Self::HostUnreliable => "host unreliable, the A/A check found a difference".into(),
            Self::NotRun => "not run under this load".into(),
            Self::AmongFailures => "the quantile lies among failed requests".into(),
            Self::FewSamples { needed } => {
                format!("needs {} samples in each trial", crate::units::count(needed))
            }
            Self::Undefined => "a value is missing or zero".into(),
        }
    }
}
