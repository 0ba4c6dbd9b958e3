//! Whether an answer is older than what a client had been told before it asked: the newest version of each row that the
//! generator has seen in the answer of a write.
//!
//! An answer is stale when its version is below the newest one that a whole, right answer of a write had shown before the
//! read went out. A write that was not answered yet may or may not be there: no answer is stale for lack of it. All of it
//! is on one thread, so what was seen before and what after is never in doubt.

use std::collections::BTreeMap;

use crate::plan::{VersionPlan, VersionRole, VersionedRow};

/// Rows whose versions are remembered. A row that is written first when they are this many is not watched.
const MOST_ROWS: usize = 1_000_000;

/// Parameters as drawn.
type Params = [(String, String)];

/// The newest version of each row that was written.
#[derive(Debug, Default)]
pub(super) struct Versions {
    newest: BTreeMap<String, i64>,
}

/// What an answer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Age {
    /// Nobody compares it with anything.
    Unknown,
    /// At least as new as all that had been seen before it was asked for.
    Current,
    /// Older than that.
    Stale,
}

impl Versions {
    /// What had been seen of the row when a request for it goes out; none if it is no read, or was never written.
    pub(super) fn seen(&self, plan: &VersionPlan, params: &Params) -> Option<i64> {
        if plan.role == VersionRole::Writes {
            return None;
        }
        self.newest.get(&name(plan.rows.first()?, params)).copied()
    }

    /// An answer with this version has come: of a read what it is beside what had been `seen` before, of a write a thing
    /// to remember.
    pub(super) fn answered(
        &mut self,
        plan: &VersionPlan,
        params: &Params,
        version: i64,
        seen: Option<i64>,
    ) -> Age {
        match plan.role {
            VersionRole::Reads if seen.is_some_and(|seen| version < seen) => Age::Stale,
            VersionRole::Reads if seen.is_some() => Age::Current,
            // Nobody has written it: there is nothing that it could be older than.
            VersionRole::Reads => Age::Unknown,
            VersionRole::Writes => {
                for row in &plan.rows {
                    self.wrote(name(row, params), version);
                }
                Age::Unknown
            }
        }
    }

    /// Answers of two writes may overtake each other on their way: the newest stays.
    fn wrote(&mut self, row: String, version: i64) {
        let is_full = self.newest.len() >= MOST_ROWS;
        match self.newest.get_mut(&row) {
            Some(newest) => *newest = version.max(*newest),
            None if is_full => {}
            None => drop(self.newest.insert(row, version)),
        }
    }
}

/// A row by the endpoint that reads it and the values that it is asked for with. No value holds a NUL.
fn name(row: &VersionedRow, params: &Params) -> String {
    let mut name = row.endpoint.clone();
    for param in &row.params {
        name.push('\0');
        let value = params.iter().find(|(name, _)| name == param);
        name.push_str(value.map_or("", |(_, value)| value));
    }
    name
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn plan(role: VersionRole, rows: &[(&str, &[&str])]) -> VersionPlan {
        let row = |(endpoint, params): &(&str, &[&str])| VersionedRow {
            endpoint: (*endpoint).into(),
            params: params.iter().map(|p| (*p).to_owned()).collect(),
        };
        VersionPlan { column: "version".into(), role, rows: rows.iter().map(row).collect() }
    }

    fn with(params: &[(&str, &str)]) -> Vec<(String, String)> {
        params.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()
    }

    #[test]
    fn an_answer_is_stale_only_beside_what_was_seen_before_it_was_asked_for() {
        let (read, write) = (
            plan(VersionRole::Reads, &[("cached", &["email"])]),
            plan(VersionRole::Writes, &[("cached", &["email"])]),
        );
        let (a, b) = (with(&[("email", "a")]), with(&[("name", "x"), ("email", "b")]));
        let mut versions = Versions::default();
        // Never written: nothing to compare with.
        assert_eq!(versions.seen(&read, &a), None);
        assert_eq!(versions.answered(&read, &a, 3, None), Age::Unknown);
        // Asked before the write was answered, answered after it: not stale.
        let before = versions.seen(&read, &a);
        assert_eq!(versions.answered(&write, &a, 5, None), Age::Unknown);
        assert_eq!(versions.answered(&read, &a, 4, before), Age::Unknown);
        // Asked after it.
        let after = versions.seen(&read, &a);
        assert_eq!(after, Some(5));
        assert_eq!(versions.answered(&read, &a, 4, after), Age::Stale);
        assert_eq!(versions.answered(&read, &a, 5, after), Age::Current);
        assert_eq!(versions.answered(&read, &a, 9, after), Age::Current);
        // Another row, and a write that overtook another one on its way back.
        assert_eq!(versions.seen(&read, &b), None);
        versions.answered(&write, &a, 4, None);
        assert_eq!(versions.seen(&read, &a), Some(5));
        assert_eq!(versions.seen(&write, &a), None, "a write is compared with nothing");
    }

    #[test]
    fn one_write_is_a_version_of_each_reading_endpoints_row_by_its_own_params() {
        let write = plan(VersionRole::Writes, &[("by-id", &["id"]), ("by-two", &["b", "a"])]);
        let mut versions = Versions::default();
        versions.answered(&write, &with(&[("a", "1"), ("b", "2"), ("id", "7")]), 8, None);
        let seen = |rows, params: &[(&str, &str)]| {
            versions.seen(&plan(VersionRole::Reads, &[rows]), &with(params))
        };
        assert_eq!(seen(("by-id", &["id"][..]), &[("id", "7")]), Some(8));
        assert_eq!(seen(("by-two", &["b", "a"][..]), &[("a", "1"), ("b", "2")]), Some(8));
        assert_eq!(seen(("by-two", &["b", "a"][..]), &[("a", "2"), ("b", "1")]), None);
        assert_eq!(seen(("other", &["id"][..]), &[("id", "7")]), None);
    }

    proptest! {
        /// A store that always answers what was last written is never stale, in whatever order answers come back.
        #[test]
        fn a_store_without_a_cache_is_never_stale(steps in proptest::collection::vec((0..3_u8, 0..3_usize), 0..60)) {
            let read = plan(VersionRole::Reads, &[("r", &["k"])]);
            let write = plan(VersionRole::Writes, &[("r", &["k"])]);
            let mut versions = Versions::default();
            let mut store = [0_i64; 3];
            // Requests under way: a write is done in the store at once, a read looks at it at once, both answer later.
            let mut under_way: Vec<(usize, i64, Option<Option<i64>>)> = Vec::new();
            for (what, key) in steps {
                let params = with(&[("k", &key.to_string())]);
                match what {
                    0 => {
                        store[key] += 1;
                        under_way.push((key, store[key], None));
                    }
                    1 => under_way.push((key, store[key], Some(versions.seen(&read, &params)))),
                    _ if under_way.is_empty() => {}
                    _ => {
                        let (key, version, seen) = under_way.swap_remove(key % under_way.len());
                        let params = with(&[("k", &key.to_string())]);
                        let plan = if seen.is_some() { &read } else { &write };
                        let age = versions.answered(plan, &params, version, seen.flatten());
                        prop_assert_ne!(age, Age::Stale);
                    }
                }
            }
        }
    }
}
