//! CPU time of a tree of processes between two moments, in nanoseconds as far as the kernel gives them.
//!
//! A thread's own time is exact, but is gone when the thread ends. A process' time, and that of its ended children, knows of
//! them all, but in ticks of 10 ms. So: the threads where all of them are still there, and else the larger of both.

use std::collections::BTreeMap;

use procfs::process::{Process, Stat};

/// Process id, and when it started: a pid alone may have been given out again.
type Id = (i32, u64);

/// The times of all processes of a tree at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Times(BTreeMap<Id, Time>);

/// The times of one process since its start, all in nanoseconds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Time {
    /// By living thread.
    threads: BTreeMap<i32, u64>,
    /// Of the whole process, in whole ticks.
    whole: u64,
    /// Of its ended children, in whole ticks.
    children: u64,
}

impl Times {
    /// Adds a process as it is now.
    pub(super) fn add(&mut self, stat: &Stat) {
        let ns_per_tick = 1_000_000_000 / procfs::ticks_per_second().max(1);
        let children = u64::try_from(stat.cutime + stat.cstime).unwrap_or(0);
        let mut threads = BTreeMap::new();
        let tasks = Process::new(stat.pid).and_then(|process| process.tasks());
        for task in tasks.into_iter().flatten().filter_map(Result::ok) {
            if let Ok(scheduled) = task.schedstat() {
                threads.insert(task.tid, scheduled.sum_exec_runtime);
            }
        }
        let time = Time {
            threads,
            whole: (stat.utime + stat.stime) * ns_per_tick,
            children: children * ns_per_tick,
        };
        self.0.insert((stat.pid, stat.starttime), time);
    }

    /// Nanoseconds that the tree used between `before` and now.
    pub(super) fn since(&self, before: &Self) -> u64 {
        let nothing = Time::default();
        let mut used = 0;
        let mut ended_children = 0;
        for (id, now) in &self.0 {
            let then = before.0.get(id).unwrap_or(&nothing);
            used += now.since(then);
            ended_children += now.children.saturating_sub(then.children);
        }
        // Who has ended meanwhile is counted by his parent with all of his life.
        let ended = before.0.iter().filter(|(id, _)| !self.0.contains_key(id));
        let known: u64 = ended.map(|(_, time)| time.so_far()).sum();
        used + ended_children.saturating_sub(known)
    }
}

impl Time {
    fn so_far(&self) -> u64 {
        self.whole.max(self.threads.values().sum())
    }

    fn since(&self, then: &Self) -> u64 {
        let of_thread = |(tid, ns): (&i32, &u64)| {
            ns.saturating_sub(then.threads.get(tid).copied().unwrap_or(0))
        };
        let by_threads: u64 = self.threads.iter().map(of_thread).sum();
        let all_there = then.threads.keys().all(|tid| self.threads.contains_key(tid));
        if all_there && !self.threads.is_empty() {
            return by_threads;
        }
        by_threads.max(self.whole.saturating_sub(then.whole))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn time(threads: &[(i32, u64)], whole: u64, children: u64) -> Time {
        let threads = threads.iter().map(|(tid, ms)| (*tid, ms * MS)).collect();
        Time { threads, whole: whole * MS, children: children * MS }
    }

    fn used(before: &[(i32, Time)], now: &[(i32, Time)]) -> u64 {
        let times =
            |list: &[(i32, Time)]| Times(list.iter().map(|(p, t)| ((*p, 1), t.clone())).collect());
        times(now).since(&times(before)) / MS
    }

    #[test]
    fn threads_are_believed_as_long_as_all_of_them_are_there() {
        // The ticks turn in between, and would say 10.
        assert_eq!(used(&[(1, time(&[(1, 8)], 0, 0))], &[(1, time(&[(1, 11)], 10, 0))]), 3);
        assert_eq!(used(&[], &[(1, time(&[(1, 4), (2, 1)], 0, 0))]), 5, "a new process");
    }

    #[test]
    fn the_work_of_a_thread_that_has_ended_is_in_the_ticks() {
        let before = [(1, time(&[(1, 5), (2, 40)], 40, 0))];
        assert_eq!(used(&before, &[(1, time(&[(1, 6)], 90, 0))]), 50);
        assert_eq!(used(&before, &[(1, time(&[(1, 6)], 40, 0))]), 1, "and never less than none");
    }

    #[test]
    fn the_work_of_a_child_that_has_ended_is_its_parents_without_what_was_known() {
        let before = [(1, time(&[(1, 1)], 0, 0)), (2, time(&[(2, 15)], 10, 0))];
        assert_eq!(used(&before, &[(1, time(&[(1, 2)], 0, 60))]), 1 + 60 - 15);
        assert_eq!(used(&before, &[(1, time(&[(1, 2)], 0, 10))]), 1);
    }

    #[test]
    fn another_process_with_the_pid_of_an_ended_one_starts_from_nothing() {
        let before = Times([((7, 1), time(&[(7, 500)], 500, 0))].into());
        let now = Times([((7, 2), time(&[(7, 3)], 0, 0))].into());
        assert_eq!(now.since(&before), 3 * MS);
    }
}
