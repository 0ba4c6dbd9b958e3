//! Runs that make no sense any more.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::engine::Engine;
use super::fault::Fault;

/// Fewer requests than this do not end a run, however they went.
const FEWEST_TO_ABORT: u64 = 200;
/// Timeouts without a right answer that end a run.
const SILENT_TIMEOUTS: u64 = 3;

/// Why it makes no sense to go on: most requests of this phase fail, or there are no right answers any more.
pub(super) fn hopeless(engine: &Engine, now: u64) -> Option<String> {
    let ledger = engine.ledger.borrow();
    let phase = &ledger.phase;
    let ended = phase.answered + phase.failed;
    if ended >= FEWEST_TO_ABORT && phase.failed * 2 > ended {
        return Some(format!("most requests fail: {}", kinds(&phase.failures, ended)));
    }
    let silence = &ledger.silence;
    let silent_ns = now.saturating_sub(silence.from_ns);
    let failed: u64 = silence.failures.values().sum();
    let timeouts = engine.plan.timeout_ns.saturating_mul(SILENT_TIMEOUTS);
    if silent_ns >= timeouts && failed >= SILENT_TIMEOUTS {
        let silent = crate::units::latency_ns(silent_ns as f64);
        let kinds = kinds(&silence.failures, failed);
        return Some(format!("no right answer for {silent}: {kinds}"));
    }
    None
}

/// `status-502 x 4312 (99.8 %)`, the most frequent first.
fn kinds(failures: &BTreeMap<Fault, u64>, of: u64) -> String {
    let mut kinds: Vec<_> = failures.iter().collect();
    kinds.sort_by_key(|(_, count)| Reverse(**count));
    let kinds = kinds.into_iter().map(|(fault, count)| {
        format!("{} x {count} ({:.1} %)", fault.word(), *count as f64 * 100.0 / of as f64)
    });
    kinds.collect::<Vec<_>>().join(", ")
}
