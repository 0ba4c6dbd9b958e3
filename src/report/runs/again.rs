//! `querylab verify --remeasure`: whether the conclusions of a kept run still hold in a new one. Verdicts and claims are
//! decided again; no figure of the one run is held against a figure of the other.

use serde::Serialize;

use super::gate::Passes;
use crate::report::claims;
use crate::report::compared::{Family, comparisons};
use crate::report::values::name;
use crate::results::Results;
use crate::stats::{Held, Verdict, Why};

/// One conclusion, as it was and as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Conclusion {
    /// About what.
    pub what: String,
    /// The word of the kept run.
    pub kept: String,
    /// The word of the new one.
    pub now: String,
    /// Whether it still holds.
    pub passes: Passes,
}

/// Every verdict of the primary family and every claim that the kept run had decided.
pub fn conclusions(kept: &Results, now: &Results) -> Vec<Conclusion> {
    let mut all = Vec::new();
    let found = comparisons(now);
    for old in comparisons(kept).iter().filter(|old| old.family == Family::Primary) {
        let new = found.iter().find(|new| {
            (&new.variant, &new.load, new.metric) == (&old.variant, &old.load, old.metric)
        });
        let missing = Verdict::NoVerdict(Why::NotRun);
        let (was, is) = (&old.verdict, new.map_or(&missing, |new| &new.verdict));
        let Some(passes) = verdict_holds(says(was), says(is)) else { continue };
        all.push(Conclusion {
            what: format!("{} of {} under {}", name(old.metric), old.variant, old.load),
            kept: was.word().into(),
            now: is.word().into(),
            passes,
        });
    }
    let judged = claims::judge(now);
    for old in claims::judge(kept) {
        let new = judged.iter().find(|new| new.claim.id == old.claim.id);
        let is = new.map_or(Held::Inconclusive, |new| new.held);
        let passes = match (old.held, is) {
            (Held::Inconclusive, _) => continue,
            (_, Held::Inconclusive) => Passes::Unknown,
            (was, is) if was == is => Passes::Yes,
            _ => Passes::No,
        };
        all.push(Conclusion {
            what: format!("claim {}", old.claim.id),
            kept: old.held.word().into(),
            now: is.word().into(),
            passes,
        });
    }
    all
}

/// What a verdict says: a side, and whether it is beyond the margin for certain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Says {
    Beyond(i8),
    Somewhat(i8),
    Same,
}

fn says(verdict: &Verdict) -> Option<Says> {
    Some(match verdict {
        Verdict::Faster(_) => Says::Beyond(1),
        Verdict::Slower(_) => Says::Beyond(-1),
        Verdict::SlightlyFaster(_) => Says::Somewhat(1),
        Verdict::SlightlySlower(_) => Says::Somewhat(-1),
        Verdict::NoRelevantDifference { .. } => Says::Same,
        _ => return None,
    })
}

/// None where the kept run had concluded nothing.
fn verdict_holds(was: Option<Says>, is: Option<Says>) -> Option<Passes> {
    let was = was?;
    let Some(is) = is else { return Some(Passes::Unknown) };
    Some(match (was, is) {
        (Says::Beyond(a), Says::Beyond(b)) if a != b => Passes::No,
        (Says::Beyond(_), Says::Same) | (Says::Same, Says::Beyond(_)) => Passes::No,
        (Says::Beyond(a) | Says::Somewhat(a), Says::Beyond(b) | Says::Somewhat(b)) => {
            if a == b {
                Passes::Yes
            } else {
                Passes::Unknown
            }
        }
        _ => Passes::Yes,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture::{results, with_blocks};

    #[test]
    fn conclusions_hold_in_the_same_run_and_are_told_where_they_do_not() {
        let same = conclusions(&results(), &results());
        assert!(same.len() > 4 && same.iter().all(|c| c.passes == Passes::Yes), "{same:?}");
        let mut other = results();
        for trial in other.trials.iter_mut().filter(|t| t.variant == "cached") {
            let Some(window) = &mut trial.window else { continue };
            window.response_time.p50_us = window.response_time.p50_us.map(|x| x * 4.0);
        }
        let found = conclusions(&results(), &other);
        let red: Vec<&Conclusion> = found.iter().filter(|c| c.passes == Passes::No).collect();
        let of_cached = |c: &&Conclusion| {
            c.what.contains("of cached") && c.kept == "faster" && c.now == "slower"
        };
        assert!(red.iter().any(of_cached), "{found:?}");
    }

    #[test]
    fn what_the_kept_run_did_not_conclude_and_the_new_one_cannot_are_told_apart() {
        let few = with_blocks(3);
        assert!(conclusions(&few, &results()).iter().all(|c| !c.what.contains(" under ")));
        let unknown = conclusions(&results(), &few);
        let verdicts = unknown.iter().filter(|c| c.what.contains(" under "));
        assert!(
            verdicts.clone().count() > 0 && verdicts.clone().all(|c| c.passes == Passes::Unknown)
        );
    }

    fn of_word(word: &str) -> Option<Says> {
        Some(match word {
            "faster" => Says::Beyond(1),
            "slower" => Says::Beyond(-1),
            "slightly faster" => Says::Somewhat(1),
            "slightly slower" => Says::Somewhat(-1),
            "no relevant difference" => Says::Same,
            _ => return None,
        })
    }

    #[test]
    fn a_difference_that_was_certain_and_is_none_does_not_hold() {
        for (was, is, passes) in [
            ("faster", "faster", Some(Passes::Yes)),
            ("faster", "slightly faster", Some(Passes::Yes)),
            ("faster", "no relevant difference", Some(Passes::No)),
            ("no relevant difference", "slower", Some(Passes::No)),
            ("no relevant difference", "slightly slower", Some(Passes::Yes)),
            ("slightly faster", "slightly slower", Some(Passes::Unknown)),
            ("slower", "inconclusive", Some(Passes::Unknown)),
            ("inconclusive", "slower", None),
        ] {
            assert_eq!(verdict_holds(of_word(was), of_word(is)), passes, "{was}, {is}");
        }
    }
}
