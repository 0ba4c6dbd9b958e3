//! Runs that did other work than the kept one, and what is said of each.

use super::structure::{Change, Exact, exact};
use crate::report::fixture::results;
use crate::results::TrialRecord;

fn changed(change: impl Fn(&mut TrialRecord)) -> Vec<String> {
    let mut other = results();
    other.trials.iter_mut().for_each(change);
    let found = exact(&results(), &other, 0.02);
    found.iter().filter(|e| e.is_changed()).map(Exact::line).collect()
}

#[test]
fn a_run_beside_itself_changed_nothing_and_much_is_compared() {
    let found = exact(&results(), &results(), 0.0);
    assert!(found.iter().all(|e| !e.is_changed()));
    assert!(found.len() > 40, "{}", found.len());
}

#[test]
fn fewer_requests_on_a_slower_machine_change_nothing() {
    // A quarter of the requests, and with them of all that they cause; what comes on top stays.
    let slower = changed(|t| {
        let Some(w) = &mut t.witness else { return };
        w.api_requests /= 4;
        w.api_cache_hits /= 4;
        w.api_statements = w.api_requests - w.api_cache_hits;
        w.index_scans = [("idx".into(), w.api_statements)].into();
        w.buffers_hit = Some(5 * w.api_statements + 500);
    });
    assert_eq!(slower, Vec::<String>::new());
}

#[test]
fn a_second_statement_more_buffers_a_lost_plan_and_a_cache_that_misses_are_found() {
    let is = |found: Vec<String>, want: &str| {
        assert!(found.iter().any(|line| line.contains(want)), "{want}: {found:?}");
    };
    is(
        changed(|t| t.witness.iter_mut().for_each(|w| w.api_statements *= 2)),
        "SQL statements for each request",
    );
    is(
        changed(|t| {
            t.witness.iter_mut().for_each(|w| w.buffers_hit = w.buffers_hit.map(|n| n * 5));
        }),
        "buffers of Postgres for each statement of btree under steady: 25",
    );
    is(
        changed(|t| {
            t.window.iter_mut().for_each(|w| w.response_bytes = w.response_bytes * 11 / 10);
        }),
        "bytes of each answer",
    );
    let rehashed = changed(|t| t.plan_hash = Some("other".into()));
    assert_eq!(rehashed, Vec::<String>::new(), "the same plans by another digest");
    let broken = changed(|t| {
        let Some(w) = &mut t.witness else { return };
        w.api_cache_misses = 20 * w.api_cache_hits;
    });
    is(broken, "share of look-ups that the cache answered of cached");
}

#[test]
fn a_lost_index_is_another_plan() {
    let mut other = results();
    for trial in other.trials.iter_mut().filter(|t| t.variant == "btree") {
        trial.plan_hash = Some("other".into());
    }
    let scan = other.plans["scan-scan"].clone();
    other.plans.insert("btree-indexed".into(), scan);
    let found = exact(&results(), &other, 0.02);
    let lines: Vec<String> = found.iter().filter(|e| e.is_changed()).map(Exact::line).collect();
    assert_eq!(lines, ["plan of btree: Seq Scan users, was Index Scan idx_users_email"]);
}

#[test]
fn an_index_that_is_lost_in_some_blocks_is_told_and_not_taken_for_the_kept_plan() {
    let mut other = results();
    for trial in other.trials.iter_mut().filter(|t| t.variant == "btree" && t.block > 1) {
        trial.plan_hash = Some("other".into());
    }
    let found = exact(&results(), &other, 0.02);
    let told: Vec<&Exact> = found.iter().filter(|e| e.is_changed()).collect();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].what == "plan in some blocks" && told[0].change == Change::InPart);
    let found = exact(&other, &results(), 0.02);
    assert!(found.iter().all(|e| !e.is_changed()), "the kept run had both");
}

#[test]
fn sizes_of_indexes_are_held_to_the_tolerance() {
    let mut other = results();
    other.manifest.dataset.indexes[0].index_bytes += 9 << 20;
    let lines = |tolerance| -> Vec<String> {
        let found = exact(&results(), &other, tolerance);
        found.iter().filter(|e| e.is_changed()).map(Exact::line).collect()
    };
    assert_eq!(lines(0.03), Vec::<String>::new());
    assert_eq!(lines(0.02).len(), 2, "of both variants that use it");
}
