//! Claims as a report shows them: the sentence, its source, the figure that it is about, and what became of it.

use super::claims::{Counts, Judged};
use super::markdown::{Align, cell as escaped, code, table as grid};
use super::values;
use crate::plan::ClaimPlan;
use crate::stats::Held;

/// How many are what, as a sentence.
pub(super) fn count(counts: Counts) -> String {
    if counts == Counts::default() {
        return "none are made.".into();
    }
    let all = [
        (counts.supported, Held::Supported),
        (counts.refuted, Held::Refuted),
        (counts.inconclusive, Held::Inconclusive),
    ];
    all.map(|(n, held)| format!("{n} {}", held.word())).join(", ") + "."
}

/// A row for each; empty where none are made.
pub(super) fn table(claims: &[Judged<'_>]) -> String {
    if claims.is_empty() {
        return String::new();
    }
    let rows: Vec<Vec<String>> = claims
        .iter()
        .map(|j| {
            let verdict = match j.held {
                held @ Held::Supported => held.word().to_owned(),
                held => format!("**{}**", held.word()),
            };
            vec![
                escaped(&j.claim.text),
                j.claim.source.as_deref().map(escaped).unwrap_or_default(),
                of(j.claim),
                j.claimed(),
                escaped(&j.measured()),
                verdict,
            ]
        })
        .collect();
    grid(
        &[
            ("claim", Align::Left),
            ("source", Align::Left),
            ("figure", Align::Left),
            ("as a number", Align::Left),
            ("measured", Align::Left),
            ("verdict", Align::Left),
        ],
        &rows,
    )
}

/// Which figure a claim is about: a latency without its load says little.
fn of(claim: &ClaimPlan) -> String {
    let mut text = format!("{} of {}", values::name(claim.metric), code(&claim.variant));
    if let Some(vs) = &claim.vs {
        text = format!("{text} over {}'s", code(vs));
    }
    if let Some(load) = &claim.load {
        text = format!("{text} under {}", code(load));
    }
    text
}
