//! Every request accounted for: the client's sums against those of Nginx and the API, the API's against Redis' and Postgres'.
//!
//! Pure. A broken identity is a `Correctness` failure that shows both sides.

use crate::plan::ExpectPlan;
use crate::results::{Window, Witness};

/// What a cache does beside answering requests one by one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Beside {
    /// Misses that got the answer of another request, and made no statement.
    pub(super) coalesced: u64,
    /// Statements that renewed an entry, for no request.
    pub(super) renewals: u64,
}

/// Checks the identities of one trial; each broken one is a sentence.
pub(super) fn broken_identities(
    window: &Window,
    witness: &Witness,
    failed: u64,
    beside: Beside,
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
    let (sent, requests) = (witness.client_sent, witness.api_requests);
    // A failed request may have ended before it reached a server; an answered one may not.
    let reached = sent.saturating_sub(failed)..=sent;
    // What went to the API's own socket never came by Nginx.
    let handled = witness.nginx_requests.map(|n| n + witness.api_direct.unwrap_or(0));
    if let Some(handled) = handled.filter(|handled| !reached.contains(handled)) {
        broken.push(format!(
            "the client sent {sent} requests ({failed} failed), but Nginx handled {handled}"
        ));
    }
    if !reached.contains(&requests) {
        broken.push(format!(
            "the client sent {sent} requests ({failed} failed), but the API counted {requests}"
        ));
    }
    // What a failed request left behind on the way is not known: each may account for a difference of one.
    let differ = |a: u64, b: u64| a.abs_diff(b) > failed;
    if let Some(handled) = handled.filter(|handled| differ(*handled, requests)) {
        broken.push(format!("Nginx handled {handled} requests, but the API counted {requests}"));
    }
    let statements = witness.api_statements;
    let (hits, misses, errors) =
        (witness.api_cache_hits, witness.api_cache_misses, witness.api_cache_errors);
    let known = |count: Option<u64>| count.unwrap_or(0);
    let (refused, bypasses) = (known(witness.api_refused), known(witness.api_cache_bypasses));
    let unconnected = known(witness.api_unconnected);
    if differ(requests, refused + bypasses + hits + misses + errors) {
        broken.push(format!(
            "{requests} requests, but {refused} refused + {bypasses} past the cache + {hits} hits + {misses} misses + {errors} errors"
        ));
    }
    let Beside { coalesced, renewals } = beside;
    if differ(statements + unconnected + coalesced, bypasses + misses + errors + renewals) {
        let apart = if beside == Beside::default() {
            String::new()
        } else {
            format!(" ({renewals} renewals, and {coalesced} misses that shared one)")
        };
        let sentence = format!(
            "{bypasses} requests past the cache + {misses} misses + {errors} errors, but {statements} statements + {unconnected} without a connection{apart}"
        );
        broken.push(sentence);
    }
    if let Some(theirs) = witness.postgres_statements.filter(|theirs| differ(*theirs, statements)) {
        broken
            .push(format!("the API sent {statements} statements, but Postgres executed {theirs}"));
    }
    // An error of the cache may have been counted by Redis, or not.
    for (what, ours, theirs) in
        [("hits", hits, witness.redis_hits), ("misses", misses, witness.redis_misses)]
    {
        if let Some(theirs) = theirs.filter(|n| n.abs_diff(ours) > failed + errors) {
            broken.push(format!("the API counted {ours} cache {what}, but Redis {theirs}"));
        }
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

    fn broken_identities(window: &Window, witness: &Witness, failed: u64) -> Vec<String> {
        super::broken_identities(window, witness, failed, Beside::default())
    }

    #[test]
    fn shared_answers_and_renewals_are_accounted_for() {
        let cached =
            Witness { api_cache_hits: 80, api_cache_misses: 20, api_statements: 15, ..witness() };
        let beside = Beside { coalesced: 12, renewals: 7 };
        assert_eq!(super::broken_identities(&window(), &cached, 0, beside), Vec::<String>::new());
        let more = Beside { renewals: 8, ..beside };
        assert_eq!(super::broken_identities(&window(), &cached, 0, more).len(), 1);
    }

    fn window() -> Window {
        Window { due: 100, sent: 100, answered: 100, ..Window::default() }
    }

    fn witness() -> Witness {
        Witness { client_sent: 100, api_requests: 100, ..Witness::default() }
    }

    #[test]
    fn nginx_stands_between_the_client_and_the_api_and_counts_for_itself() {
        let all = Witness { api_refused: Some(100), nginx_requests: Some(100), ..witness() };
        assert_eq!(broken_identities(&window(), &all, 0), Vec::<String>::new());
        let more = Witness { nginx_requests: Some(101), ..all.clone() };
        assert_eq!(
            broken_identities(&window(), &more, 0),
            [
                "the client sent 100 requests (0 failed), but Nginx handled 101",
                "Nginx handled 101 requests, but the API counted 100"
            ]
        );
        let fewer = Witness { nginx_requests: Some(99), ..all };
        assert_eq!(broken_identities(&window(), &fewer, 0).len(), 2);
        assert_eq!(broken_identities(&window(), &fewer, 1), Vec::<String>::new());
    }

    #[test]
    fn requests_to_the_apis_own_socket_never_came_by_nginx() {
        let all = Witness {
            api_refused: Some(100),
            nginx_requests: Some(60),
            api_direct: Some(40),
            ..witness()
        };
        assert_eq!(broken_identities(&window(), &all, 0), Vec::<String>::new());
        let one_more = Witness { api_direct: Some(41), ..all };
        assert_eq!(broken_identities(&window(), &one_more, 0).len(), 2);
    }

    #[test]
    fn requests_refused_before_a_statement_count_apart() {
        let all = Witness { api_refused: Some(100), ..witness() };
        assert_eq!(broken_identities(&window(), &all, 0), Vec::<String>::new());
        let some = Witness {
            api_refused: Some(40),
            api_cache_hits: 50,
            api_cache_misses: 9,
            api_cache_errors: 1,
            api_statements: 10,
            redis_hits: Some(50),
            redis_misses: Some(9),
            ..witness()
        };
        assert_eq!(broken_identities(&window(), &some, 0), Vec::<String>::new());
        let hidden = Witness { api_refused: Some(39), ..some };
        assert_eq!(
            broken_identities(&window(), &hidden, 0),
            ["100 requests, but 39 refused + 0 past the cache + 50 hits + 9 misses + 1 errors"]
        );
    }

    #[test]
    fn a_request_past_the_cache_is_a_statement_without_a_lookup() {
        let past = Witness { api_cache_bypasses: Some(100), api_statements: 100, ..witness() };
        assert_eq!(broken_identities(&window(), &past, 0), Vec::<String>::new());
        let fewer = Witness { api_statements: 97, api_unconnected: Some(2), ..past };
        assert_eq!(
            broken_identities(&window(), &fewer, 0),
            [
                "100 requests past the cache + 0 misses + 0 errors, but 97 statements + 2 without a connection"
            ]
        );
        assert_eq!(broken_identities(&window(), &fewer, 1), Vec::<String>::new());
    }

    #[test]
    fn postgres_counts_the_statements_for_itself() {
        let past = Witness {
            api_cache_bypasses: Some(100),
            api_statements: 100,
            postgres_statements: Some(100),
            ..witness()
        };
        assert_eq!(broken_identities(&window(), &past, 0), Vec::<String>::new());
        let fewer = Witness { postgres_statements: Some(98), ..past };
        assert_eq!(
            broken_identities(&window(), &fewer, 0),
            ["the API sent 100 statements, but Postgres executed 98"]
        );
        // A failed request may have given up its statement.
        assert_eq!(broken_identities(&window(), &fewer, 2), Vec::<String>::new());
    }

    #[test]
    fn redis_is_believed_up_to_the_errors_of_the_cache() {
        let cached = Witness {
            api_cache_hits: 90,
            api_cache_misses: 10,
            api_statements: 10,
            redis_hits: Some(90),
            redis_misses: Some(11),
            ..witness()
        };
        let broken = broken_identities(&window(), &cached, 0);
        assert_eq!(broken, ["the API counted 10 cache misses, but Redis 11"]);
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
