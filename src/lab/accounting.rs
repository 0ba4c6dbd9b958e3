//! Every request accounted for: the client's sums against the API's, the API's against Redis' and Postgres'.
//!
//! Pure. A broken identity is a `Correctness` failure that shows both sides.

use crate::plan::{CellPlan, ExpectPlan};
use crate::results::{Window, Witness};

/// Checks the identities of one trial; each broken one is a sentence.
pub(super) fn broken_identities(
    cell: &CellPlan,
    window: &Window,
    witness: &Witness,
    failed: u64,
) -> Vec<String> {
    let mut broken = Vec::new();
    if window.due != window.sent + window.dropped {
        broken.push(format!(
            "due {} is not sent {} + dropped {}",
            window.due, window.sent, window.dropped
        ));
    }
    if window.sent != window.answered + window.failed {
        broken.push(format!(
            "sent {} is not answered {} + failed {}",
            window.sent, window.answered, window.failed
        ));
    }
    // A failed request may have ended before it reached the API; an answered one may not.
    let reached = witness.client_sent.saturating_sub(failed)..=witness.client_sent;
    if !reached.contains(&witness.api_requests) {
        broken.push(format!(
            "the client sent {} requests ({failed} failed), but the API counted {}",
            witness.client_sent, witness.api_requests
        ));
    }
    // What a failed request left behind on the way is not known: each may account for a difference of one.
    let differ = |a: u64, b: u64| a.abs_diff(b) > failed;
    let (requests, statements) = (witness.api_requests, witness.api_statements);
    let (hits, misses, errors) =
        (witness.api_cache_hits, witness.api_cache_misses, witness.api_cache_errors);
    if cell.api.endpoints.iter().all(|e| e.cache.is_some()) {
        if differ(requests, hits + misses + errors) {
            broken.push(format!(
                "{requests} cached requests, but {hits} hits + {misses} misses + {errors} errors"
            ));
        }
        if differ(statements, misses + errors) {
            broken.push(format!("{misses} misses + {errors} errors, but {statements} statements"));
        }
        // An error of the cache may have been counted by Redis, or not.
        if let Some(counted) =
            witness.redis_hits.filter(|counted| counted.abs_diff(hits) > failed + errors)
        {
            broken.push(format!("the API counted {hits} cache hits, but Redis {counted}"));
        }
        if let Some(counted) =
            witness.redis_misses.filter(|counted| counted.abs_diff(misses) > failed + errors)
        {
            broken.push(format!("the API counted {misses} cache misses, but Redis {counted}"));
        }
    } else if cell.api.endpoints.iter().all(|e| e.cache.is_none()) && differ(statements, requests) {
        broken.push(format!("{requests} requests without a cache, but {statements} statements"));
    }
    broken
}

/// Checks what the variant expects of its window; each unmet expectation is a sentence.
pub(super) fn unmet_expectations(
    expect: &ExpectPlan,
    window: &Window,
    witness: &Witness,
    failed: u64,
) -> Vec<String> {
    let mut unmet = Vec::new();
    if let Some(per_request) = expect.index_scans_per_request {
        let of = |index: &str| witness.index_scans.get(index).copied().unwrap_or(0);
        let scans: u64 = match expect.plan.as_ref().and_then(|plan| plan.index.as_ref()) {
            Some(index) => of(index),
            None => witness.index_scans.values().sum(),
        };
        let wanted = per_request * witness.api_statements as f64;
        // Statements of failed requests may have been cancelled before they ran.
        if (scans as f64 - wanted).abs() > failed as f64 * per_request + 0.5 {
            unmet.push(format!(
                "{} statements should have made {wanted} index scans, but Postgres counted {scans}",
                witness.api_statements
            ));
        }
    }
    if let Some(ratio) = hit_ratio(window) {
        if let Some(min) = expect.cache_hit_ratio_min
            && ratio < min
        {
            unmet.push(format!("the cache hit ratio was {ratio:.4}, below {min}"));
        }
        if let Some(max) = expect.cache_hit_ratio_max
            && ratio > max
        {
            unmet.push(format!("the cache hit ratio was {ratio:.4}, above {max}"));
        }
    } else if expect.cache_hit_ratio_min.is_some() {
        unmet.push("no answer came from a cached endpoint, so there is no cache hit ratio".into());
    }
    unmet
}

/// Answers from the cache over answers of cached endpoints, in the window.
pub(super) fn hit_ratio(window: &Window) -> Option<f64> {
    let of = |word: &str| window.cache.get(word).copied().unwrap_or(0);
    let cached = of("hit") + of("miss") + of("error");
    (cached > 0).then(|| of("hit") as f64 / cached as f64)
}

/// Failed requests over requests due, and what is wrong with it.
pub(super) fn too_many_errors(expect: &ExpectPlan, window: &Window) -> Option<String> {
    if window.sent == 0 {
        return Some("no request was sent in the window".into());
    }
    let ratio = window.failed as f64 / window.due.max(1) as f64;
    (ratio > expect.error_ratio_max).then(|| {
        let mut kinds: Vec<_> = window.failures.iter().collect();
        kinds.sort_by_key(|(_, n)| std::cmp::Reverse(**n));
        let kinds: Vec<String> = kinds.iter().map(|(kind, n)| format!("{kind} × {n}")).collect();
        format!(
            "{} of {} requests failed ({}); at most {} may",
            window.failed,
            window.due,
            kinds.join(", "),
            expect.error_ratio_max
        )
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::plan::PlanNode;

    fn window() -> Window {
        Window { due: 100, sent: 100, answered: 100, ..Window::default() }
    }

    #[test]
    fn index_scans_are_counted_by_postgres_and_compared_exactly() {
        let expect = ExpectPlan {
            plan: Some(PlanNode {
                node: "Index Scan".into(),
                index: Some("a".into()),
                relation: None,
            }),
            index_scans_per_request: Some(1.0),
            ..ExpectPlan::default()
        };
        let mut witness = Witness {
            api_statements: 100,
            index_scans: BTreeMap::from([("a".into(), 100), ("b".into(), 7)]),
            ..Witness::default()
        };
        assert!(unmet_expectations(&expect, &window(), &witness, 0).is_empty());
        witness.index_scans.insert("a".into(), 99);
        let unmet = unmet_expectations(&expect, &window(), &witness, 0);
        assert_eq!(
            unmet,
            ["100 statements should have made 100 index scans, but Postgres counted 99"]
        );
    }

    #[test]
    fn a_hit_ratio_below_its_band_is_unmet_and_so_is_none_at_all() {
        let expect = ExpectPlan { cache_hit_ratio_min: Some(0.9), ..ExpectPlan::default() };
        let mut window = window();
        assert_eq!(unmet_expectations(&expect, &window, &Witness::default(), 0).len(), 1);
        window.cache = BTreeMap::from([("hit".into(), 89), ("miss".into(), 11)]);
        let unmet = unmet_expectations(&expect, &window, &Witness::default(), 0);
        assert_eq!(unmet, ["the cache hit ratio was 0.8900, below 0.9"]);
        window.cache = BTreeMap::from([("hit".into(), 90), ("miss".into(), 10)]);
        assert!(unmet_expectations(&expect, &window, &Witness::default(), 0).is_empty());
    }

    #[test]
    fn errors_beyond_the_limit_are_named_by_kind() {
        let expect = ExpectPlan { error_ratio_max: 0.01, ..ExpectPlan::default() };
        let mut window = window();
        assert_eq!(too_many_errors(&expect, &window), None);
        window.failed = 2;
        window.failures = BTreeMap::from([("timeout".into(), 2)]);
        let text = too_many_errors(&expect, &window).unwrap();
        assert!(text.contains("2 of 100 requests failed (timeout × 2)"), "{text}");
        window.sent = 0;
        assert!(too_many_errors(&expect, &window).is_some(), "no request at all is no success");
    }
}
