//! Trials that are in no figure, each with its reason and with what became of a second attempt.

use super::cells::attempt_after;
use super::markdown::{Align, cell as escaped, code, table};
use crate::results::{FailureKind, Outcome, Results, TrialRecord};

/// The table; empty where every trial counts.
pub(super) fn failures(results: &Results) -> String {
    let mut rows = Vec::new();
    for trial in &results.trials {
        let (kind, reason) = match &trial.outcome {
            Outcome::Ok | Outcome::Overloaded => continue,
            Outcome::Failed(failure) => (kind(failure.kind), escaped(&failure.reason)),
            Outcome::Invalid(reason) => (
                "not valid",
                format!("{}; {}", escaped(reason), repeated(attempt_after(results, trial))),
            ),
        };
        rows.push(vec![
            trial.number.to_string(),
            trial.block.to_string(),
            code(&trial.variant),
            code(&trial.load),
            kind.into(),
            reason,
        ]);
    }
    if rows.is_empty() {
        return String::new();
    }
    table(
        &[
            ("trial", Align::Right),
            ("block", Align::Right),
            ("variant", Align::Left),
            ("load", Align::Left),
            ("kind", Align::Left),
            ("reason", Align::Left),
        ],
        &rows,
    )
}

fn kind(kind: FailureKind) -> &'static str {
    match kind {
        FailureKind::Provisioning => "provisioning",
        FailureKind::Measurement => "measurement",
        FailureKind::Correctness => "correctness",
    }
}

/// What became of the second attempt.
fn repeated(again: Option<&TrialRecord>) -> String {
    match again {
        None => "not repeated".into(),
        Some(t) => {
            let how = match &t.outcome {
                Outcome::Ok => "valid",
                Outcome::Overloaded => "overloaded",
                Outcome::Failed(_) => "failed",
                Outcome::Invalid(_) => "not valid either",
            };
            format!("repeated as number {} of its block: {how}", t.order)
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::report::fixture::results;
    use crate::report::render;
    use crate::results::{Outcome, Results};

    /// The first trial of a cell, disturbed; and a second attempt at the end of its block, if there is to be one.
    fn disturbed(repeats: Option<Outcome>) -> Results {
        let mut results = results();
        let is_it = |t: &crate::results::TrialRecord| t.variant == "cached" && t.load == "unloaded";
        let position = results.trials.iter().position(is_it).expect("a trial");
        let mut again = results.trials[position].clone();
        let first = &mut results.trials[position];
        first.outcome = Outcome::Invalid("3.1% of the processors' time was stolen".into());
        let window = first.window.as_mut().expect("a window");
        window.response_time.p50_us = Some(9e9);
        if let Some(outcome) = repeats {
            let last = results.trials.iter().rposition(|t| t.block == again.block).expect("itself");
            again.order = results.trials[last].order + 1;
            again.outcome = outcome;
            results.trials.insert(last + 1, again);
        }
        results
    }

    fn markdown(results: &Results) -> String {
        render(results).expect("renders").markdown
    }

    #[test]
    fn a_repeated_trial_counts_instead_of_the_disturbed_one_and_both_are_told() {
        let text = markdown(&disturbed(Some(Outcome::Ok)));
        assert!(text.contains("stolen; repeated as number 16 of its block: valid"), "{text}");
        assert!(
            text.contains("1 of 121 trials were disturbed and are in no figure: 1 were repeated")
        );
        assert!(text.contains("`cached` beside `btree`: **faster**"));
        let summary = |r: &Results| render(r).expect("renders").tables[0].rows.clone();
        let (got, undisturbed) = (summary(&disturbed(Some(Outcome::Ok))), summary(&results()));
        for (row, old) in got.iter().zip(&undisturbed) {
            // Figures are those of the whole run; only the number of attempts differs.
            assert_eq!(row[7..], old[7..]);
        }
    }

    #[test]
    fn a_disturbed_trial_that_is_not_repeated_leaves_a_gap() {
        let text = markdown(&disturbed(None));
        assert!(text.contains("stolen; not repeated"), "{text}");
        assert!(text.contains("(95% CI over 4 comparisons") && text.contains("n=7 blocks)"));
        let text = markdown(&disturbed(Some(Outcome::Invalid("swapped".into()))));
        assert!(text.contains("repeated as number 16 of its block: not valid either"), "{text}");
        assert!(text.contains("swapped; not repeated"), "{text}");
    }
}
