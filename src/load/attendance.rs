//! When a user of a closed load is there: users join and leave as the stages say.

use crate::plan::StagePlan;

/// The times in which one user is there: from, and until, in nanoseconds since the window's start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Attendance {
    /// Whether it is there before the window.
    pub(super) warms_up: bool,
    spans: Vec<(u64, u64)>,
}

/// Whether a user is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum There {
    /// Now.
    Yes,
    /// Not now; next at this time after the window's start.
    From(u64),
    /// Not any more.
    Gone,
}

impl Attendance {
    /// The times of user `number`, from 1. Of n users the first n are there; on a ramp a user joins or leaves where the
    /// level is half a user below its number, so that the users of a ramp are, on average, those of its line.
    pub(super) fn of(number: u32, stages: &[StagePlan]) -> Self {
        let threshold = f64::from(number) - 0.5;
        let mut spans: Vec<(u64, u64)> = Vec::new();
        let mut start = 0_u64;
        for stage in stages {
            let end = start.saturating_add(stage.duration_ns);
            let (from, until) = match (stage.from >= threshold, stage.to >= threshold) {
                (true, true) => (start, end),
                (false, true) => (start + crossing(stage, threshold), end),
                (true, false) => (start, start + crossing(stage, threshold)),
                (false, false) => (end, end),
            };
            match spans.last_mut() {
                Some((_, last)) if *last == from => *last = until,
                _ if until > from => spans.push((from, until)),
                _ => {}
            }
            start = end;
        }
        let warms_up = stages.first().is_some_and(|stage| stage.from >= threshold);
        Self { warms_up, spans }
    }

    /// Whether the user is there at a time after the window's start.
    pub(super) fn at(&self, ns: u64) -> There {
        match self.spans.iter().find(|(_, until)| ns < *until) {
            Some((from, _)) if *from <= ns => There::Yes,
            Some((from, _)) => There::From(*from),
            None => There::Gone,
        }
    }
}

/// When a ramp crosses a level, since its beginning.
fn crossing(stage: &StagePlan, level: f64) -> u64 {
    let share = (level - stage.from) / (stage.to - stage.from);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of a duration, and the cast saturates"
    )]
    let ns = (share * stage.duration_ns as f64) as u64;
    ns.min(stage.duration_ns)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::fixtures::{MS, S};

    fn stage(seconds: u64, from: f64, to: f64) -> StagePlan {
        StagePlan { duration_ns: seconds * S, from, to }
    }

    /// Two users for 10 s, up to ten in 16 s, four for 4 s, down to none of the last three in 6 s.
    fn stages() -> [StagePlan; 4] {
        [stage(10, 2.0, 2.0), stage(16, 2.0, 10.0), stage(4, 4.0, 4.0), stage(6, 4.0, 1.0)]
    }

    fn there(at_ms: u64) -> usize {
        let is_there = |n: &u32| Attendance::of(*n, &stages()).at(at_ms * MS) == There::Yes;
        (1..=10).filter(is_there).count()
    }

    #[test]
    fn users_join_and_leave_at_the_right_times() {
        assert_eq!(there(0), 2);
        assert_eq!(there(9_999), 2);
        // A ramp of one user in two seconds; the third joins after one.
        assert_eq!((there(10_999), there(11_000)), (2, 3));
        assert_eq!((there(12_999), there(13_000)), (3, 4));
        assert_eq!((there(24_999), there(25_000), there(25_999)), (9, 10, 10));
        // A level below the ramp's end: six leave at once.
        assert_eq!((there(26_000), there(30_000)), (4, 4));
        // One leaves every two seconds, the first after one.
        assert_eq!((there(30_999), there(31_000)), (4, 3));
        assert_eq!((there(34_999), there(35_000), there(35_999)), (2, 1, 1));
        assert_eq!(there(36_000), 0);
    }

    #[test]
    fn a_user_knows_when_it_is_next_there_and_whether_it_warms_up() {
        let third = Attendance::of(3, &stages());
        assert!(!third.warms_up);
        assert_eq!(third.at(0), There::From(11 * S));
        assert_eq!(third.at(11 * S), There::Yes);
        assert_eq!(third.at(33 * S), There::Gone);
        let second = Attendance::of(2, &stages());
        assert!(second.warms_up);
        assert_eq!(second.at(0), There::Yes);
        // Levels that go down and up again: away in between.
        let valley = [stage(2, 5.0, 5.0), stage(2, 1.0, 1.0), stage(2, 5.0, 5.0)];
        let fifth = Attendance::of(5, &valley);
        assert_eq!(fifth.at(S), There::Yes);
        assert_eq!(fifth.at(3 * S), There::From(4 * S));
        assert_eq!(Attendance::of(6, &valley).at(0), There::Gone);
    }

    #[test]
    fn a_ramp_holds_on_average_as_many_users_as_its_line() {
        for (from, to) in [(2.0, 10.0), (10.0, 2.0), (1.0, 7.0)] {
            let ramp = [stage(8, from, to)];
            let total: u64 = (1..=10)
                .map(|n| Attendance::of(n, &ramp))
                .flat_map(|user| user.spans)
                .map(|(join, leave)| leave - join)
                .sum();
            let wanted = f64::midpoint(from, to) * 8e9;
            assert!((total as f64 / wanted - 1.0).abs() < 1e-6, "{from} {to}: {total}");
        }
    }
}
