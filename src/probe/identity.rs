//! Who the servers' processes are, so that one that was restarted is seen: a pid alone may be given out again.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use super::host::start_ticks;

/// The one server whose helpers live as long as it does: Postgres' come and go with their connections.
const WITH_HELPERS: &str = "nginx";

/// Pid and start time of each server's lasting processes, by component.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Identities(BTreeMap<String, BTreeSet<(u32, u64)>>);

/// Reads who the processes are that each component was started as (and the workers of Nginx).
pub fn identities(components: &BTreeMap<String, Vec<u32>>) -> Identities {
    let of = |name: &String, roots: &Vec<u32>| {
        let mut pids = roots.clone();
        if name == WITH_HELPERS {
            pids.extend(roots.iter().flat_map(|pid| children(*pid)));
        }
        pids.iter().filter_map(|pid| Some((*pid, start_ticks(*pid)?))).collect()
    };
    Identities(components.iter().map(|(name, roots)| (name.clone(), of(name, roots))).collect())
}

/// Direct children; none where the kernel does not list them.
fn children(pid: u32) -> Vec<u32> {
    let list = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    list.split_ascii_whitespace().filter_map(|pid| pid.parse().ok()).collect()
}

impl Identities {
    /// Components of which a process is no longer the one that it was in `before`.
    pub fn changed_since(&self, before: &Self) -> Vec<String> {
        let same = |name: &String| self.0.get(name) == before.0.get(name);
        before.0.keys().filter(|name| !same(name)).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_with_another_start_is_another_process() {
        let with = |ticks| Identities([("api".to_owned(), [(7, ticks)].into())].into());
        assert_eq!(with(1).changed_since(&with(1)), Vec::<String>::new());
        assert_eq!(with(2).changed_since(&with(1)), ["api"]);
        assert_eq!(Identities::default().changed_since(&with(1)), ["api"], "gone is changed");
        let me = [("me".to_owned(), vec![std::process::id()])].into();
        assert_eq!(identities(&me).changed_since(&identities(&me)), Vec::<String>::new());
        assert_eq!(identities(&me).0["me"].len(), 1);
    }
}
