//! Failed requests beside the baseline's: differences of shares, because none has no logarithm and no ratio.
//!
//! No word is given to such a difference: it stands as a number with its interval, and the p-value of the exact
//! sign-flip test. Where nobody failed there is nothing to compare, and each share stands with its limit, 3/n.

use std::fmt::Write as _;

use super::cells::{Cell, cell};
use super::markdown::code;
use crate::results::Results;
use crate::spec::Metric;
use crate::stats::{Difference, benjamini_hochberg, difference, none_in};
use crate::units::{Share, count, share, sig3};

/// One variant's share of failed requests less the baseline's, under one load.
#[derive(Debug, Clone)]
pub(super) struct Errors {
    /// The load.
    pub(super) load: String,
    /// The variant.
    pub(super) variant: String,
    /// Variant minus baseline, in shares of what was due.
    pub(super) difference: Difference,
    /// Adjusted over all of these by Benjamini and Hochberg: they are exploratory.
    pub(super) p_adjusted: f64,
    /// Requests of whichever of the two had none that failed.
    clean: Option<(String, u64)>,
}

/// All of them, by load and variant in the order of the plan; only where a request failed on either side.
pub(super) fn compared(results: &Results) -> Vec<Errors> {
    let plan = &results.plan;
    let mut all = Vec::new();
    for load in &plan.loads {
        let Some(baseline) = cell(results, &plan.design.baseline, load) else { continue };
        for variant in plan.variants.iter().filter(|v| v.name != plan.design.baseline) {
            let cell = cell(results, &variant.name, load);
            all.extend(cell.and_then(|c| one(&c, &baseline, plan.design.confidence)));
        }
    }
    let p: Vec<f64> = all.iter().map(|e| e.difference.p_value).collect();
    for (errors, adjusted) in all.iter_mut().zip(benjamini_hochberg(&p)) {
        errors.p_adjusted = adjusted;
    }
    all
}

fn one(variant: &Cell<'_>, baseline: &Cell<'_>, confidence: f64) -> Option<Errors> {
    let (ours, theirs) = (variant.sums(), baseline.sums());
    if ours.failed == 0 && theirs.failed == 0 {
        return None;
    }
    let clean = match (ours.failed, theirs.failed) {
        (0, _) => Some((variant.plan.variant.clone(), ours.due)),
        (_, 0) => Some((baseline.plan.variant.clone(), theirs.due)),
        _ => None,
    };
    let pairs = variant.pairs(baseline, Metric::ErrorRatio).ok()?;
    let difference = difference(&pairs, confidence).ok()?;
    let (load, variant) = (variant.plan.load.clone(), variant.plan.variant.clone());
    Some(Errors { load, variant, difference, p_adjusted: difference.p_value, clean })
}

impl Errors {
    /// One sentence.
    pub(super) fn text(&self, baseline: &str, confidence: f64) -> String {
        let d = &self.difference;
        let interval = d.interval.map_or_else(String::new, |i| {
            format!("{} CI {} to {}, ", Share(confidence), points(i.low), points(i.high))
        });
        let blocks = if d.n == 1 { "block" } else { "blocks" };
        let mut text = format!(
            "{} beside {}, difference of the shares of failed requests: {} points ({interval}n={} {blocks}; exact sign \
             flips p = {}, adjusted {}).",
            code(&self.variant),
            code(baseline),
            points(d.mean),
            d.n,
            sig3(d.p_value),
            sig3(self.p_adjusted)
        );
        if let Some((name, due)) = &self.clean {
            let (name, limit) = (code(name), share(none_in(*due)));
            write!(text, " Of {name}'s {} none failed: at most {limit} would.", count(*due))
                .expect("a String takes text");
        }
        text
    }
}

/// A difference of shares in points of a hundred, with its sign.
fn points(x: f64) -> String {
    let sign = if x < 0.0 { "−" } else { "+" };
    format!("{sign}{}", sig3(x.abs() * 100.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture::results;

    #[test]
    fn only_where_a_request_failed_are_shares_compared_and_none_keeps_its_limit() {
        let all = compared(&results());
        assert_eq!(all.len(), 1);
        let errors = &all[0];
        assert_eq!((errors.variant.as_str(), errors.load.as_str()), ("cached", "users100"));
        assert_eq!(errors.difference.n, 8);
        // One block of eight differs: half of all sign patterns are as far.
        assert!((errors.difference.p_value - 1.0).abs() < 1e-12, "{errors:?}");
        let text = errors.text("btree", 0.95);
        assert!(text.starts_with("`cached` beside `btree`, difference of"), "{text}");
        assert!(text.contains("n=8 blocks; exact sign flips p = 1"), "{text}");
        assert!(text.contains("Of `btree`'s "), "{text}");
    }

    #[test]
    fn errors_in_every_block_are_told_with_their_size() {
        let mut results = results();
        for trial in results.trials.iter_mut().filter(|t| t.variant == "cached") {
            let window = trial.window.as_mut().expect("a window");
            window.failed = window.due / 50;
            window.answered = window.sent - window.failed;
        }
        let all = compared(&results);
        assert_eq!(all.len(), 3, "one for each load");
        for errors in &all {
            assert!((errors.difference.mean - 0.02).abs() < 1e-3, "{errors:?}");
            // Both tails of 2^8 patterns, and the same p three times over.
            assert!((errors.difference.p_value - 2.0 / 256.0).abs() < 1e-12, "{errors:?}");
            assert!((errors.p_adjusted - errors.difference.p_value).abs() < 1e-12);
        }
    }

    #[test]
    fn points_carry_their_sign() {
        let cases = [(0.0, "+0"), (0.001_234, "+0.123"), (-0.02, "−2.00")];
        for (x, want) in cases {
            assert_eq!(points(x), want);
        }
    }
}
