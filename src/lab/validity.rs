//! Whether a trial may count: rules over what was observed around it, and never over what it measured.
//!
//! A rule that looked at latencies would repeat the slow trials and keep the fast ones. These are the same for all
//! variants, and what they repeat is on record.

/// Lag of an open load beyond which a trial is repeated, at least.
const LAG_US: f64 = 1000.0;
/// The same, as a share of the baseline's median.
const LAG_OF_BASELINE: f64 = 0.05;
/// So many times that lag, and what was measured is the generator.
const LAG_VOID: f64 = 10.0;
/// A generator that uses more of a core than this may itself be the limit.
const GENERATOR_CPU: f64 = 0.85;
/// Between two looks of the generator at its clock.
const HEARTBEAT_GAP_NS: u64 = 250_000_000;
/// Of the machine's time.
const STEAL: f64 = 0.02;
/// Of the time, by a limit on our own control group.
const THROTTLED: f64 = 0.02;
/// Of the machine's time.
const FOREIGN_CPU: f64 = 0.10;
/// The kernel counts the machine in ticks of 10 ms: less than so many of them are no figure.
const FOREIGN_CPU_NS: u64 = 250_000_000;
/// Clocks that are slewed drift together; this much apart, one was set.
const CLOCK_STEP_NS: u64 = 20_000_000;
/// Repeated trials of a run, as a share of the planned ones.
const REPEATED: f64 = 0.20;

/// What was observed around a window.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Observed {
    /// How late requests were taken up, 99th percentile; none where users wait, and nothing is due by the clock.
    pub(super) lag_p99_us: Option<f64>,
    /// Median response time of the baseline under the same load in earlier blocks, if known.
    pub(super) baseline_p50_us: Option<f64>,
    /// CPU of the generator, 1.0 is one core.
    pub(super) generator_cpu_share: f64,
    /// Longest time between two looks of the generator at its clock.
    pub(super) heartbeat_gap_ns: u64,
    /// Share of the machine's time given to others by the hypervisor.
    pub(super) steal_share: f64,
    /// Share of the time for which our control group was kept from running.
    pub(super) throttled_share: f64,
    /// Share of the machine's time that other programs used.
    pub(super) foreign_share: f64,
    /// The same in nanoseconds of CPU.
    pub(super) foreign_ns: u64,
    /// Pages read back from swap.
    pub(super) swapped_in_pages: u64,
    /// How far the wall clock was set.
    pub(super) clock_step_ns: u64,
    /// Checkpoints begun, where the file does not bring them about.
    pub(super) checkpoints: u64,
    /// Autovacuums, likewise.
    pub(super) autovacuums: u64,
    /// Servers of which a process was replaced.
    pub(super) restarted: Vec<String>,
}

/// What a broken rule means for its trial.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Weight {
    /// The machine was disturbed: another attempt is better, but a machine that always is so must still finish.
    Disturbed,
    /// Not the servers were measured but the generator: such a trial never counts.
    Void,
}

/// A broken rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    /// What it means.
    pub(super) weight: Weight,
    /// For people.
    pub(super) what: String,
    /// The figure and its limit.
    pub(super) figure: String,
}

/// Whether there is another attempt to be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Attempts {
    /// There is.
    Left,
    /// This was the last one.
    Over,
}

/// What becomes of a trial.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ruling {
    /// It counts.
    Counts,
    /// It counts, and this is said of it.
    CountsWith(String),
    /// It does not count, and is repeated at the end of its block.
    Repeat(String),
    /// It does not count.
    Void(String),
}

/// The rules that were broken.
pub(super) fn faults(seen: &Observed) -> Vec<Fault> {
    use Weight::{Disturbed, Void};
    let percent = |share: f64| format!("{:.1} %", share * 100.0);
    let mut faults = Vec::new();
    let mut broken = |is: bool, weight, what: &str, figure: String| {
        if is {
            faults.push(Fault { weight, what: what.to_owned(), figure });
        }
    };
    let limit = LAG_US.max(seen.baseline_p50_us.unwrap_or(0.0) * LAG_OF_BASELINE);
    let lag = seen.lag_p99_us.unwrap_or(0.0);
    let weight = if lag > limit * LAG_VOID { Void } else { Disturbed };
    let figure = format!("p99 {:.1} ms, at most {:.1}", lag / 1000.0, limit / 1000.0);
    broken(lag > limit, weight, "the generator sent late", figure);
    let (cpu, gap) = (seen.generator_cpu_share, seen.heartbeat_gap_ns);
    let figure = format!("{} of a core, at most 85 %", percent(cpu));
    broken(cpu > GENERATOR_CPU, Void, "the generator was busy", figure);
    let figure = format!("{} ms, at most 250", gap / 1_000_000);
    broken(gap > HEARTBEAT_GAP_NS, Disturbed, "the generator stood still", figure);
    let figure = format!("{} of the machine's, at most 2 %", percent(seen.steal_share));
    broken(seen.steal_share > STEAL, Disturbed, "time was stolen", figure);
    let figure = format!("{} of the time, at most 2 %", percent(seen.throttled_share));
    let what = "a limit on our CPU kept us from running";
    broken(seen.throttled_share > THROTTLED, Disturbed, what, figure);
    let figure = format!("{} of it, at most 10 %", percent(seen.foreign_share));
    let others = seen.foreign_share > FOREIGN_CPU && seen.foreign_ns > FOREIGN_CPU_NS;
    broken(others, Disturbed, "other programs used the machine", figure);
    let pages = seen.swapped_in_pages;
    broken(pages > 0, Disturbed, "memory came back from swap", format!("{pages} pages"));
    let figure = format!("by {} ms", seen.clock_step_ns / 1_000_000);
    broken(seen.clock_step_ns > CLOCK_STEP_NS, Disturbed, "the clock was set", figure);
    let (checkpoints, autovacuums) = (seen.checkpoints, seen.autovacuums);
    broken(checkpoints > 0, Disturbed, "there was a checkpoint", checkpoints.to_string());
    broken(autovacuums > 0, Disturbed, "autovacuum was at work", autovacuums.to_string());
    let restarted = seen.restarted.join(", ");
    broken(!restarted.is_empty(), Void, "a process of a server was replaced", restarted);
    faults
}

/// What becomes of a trial that broke these rules.
pub(super) fn ruling(faults: &[Fault], attempts: Attempts) -> Ruling {
    let Some(gravest) = faults.iter().map(|fault| fault.weight).max() else {
        return Ruling::Counts;
    };
    let reasons: Vec<String> =
        faults.iter().map(|fault| format!("{} ({})", fault.what, fault.figure)).collect();
    let reasons = reasons.join("; ");
    match (attempts, gravest) {
        (Attempts::Left, _) => Ruling::Repeat(reasons),
        (Attempts::Over, Weight::Void) => Ruling::Void(reasons),
        (Attempts::Over, Weight::Disturbed) => {
            // Without figures, so that a report can say how often it was so; they are in the trial's row.
            let what: Vec<&str> = faults.iter().map(|fault| fault.what.as_str()).collect();
            Ruling::CountsWith(format!(
                "disturbed, and counted because no repetition was left: {}",
                what.join("; ")
            ))
        }
    }
}

/// Trials that a run of so many may repeat.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a fifth of a count is a smaller count"
)]
pub(super) fn repetitions(planned: usize) -> usize {
    (planned as f64 * REPEATED).floor() as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calm() -> Observed {
        Observed {
            lag_p99_us: Some(1000.0),
            baseline_p50_us: None,
            generator_cpu_share: 0.85,
            heartbeat_gap_ns: 250_000_000,
            steal_share: 0.02,
            throttled_share: 0.02,
            foreign_share: 0.10,
            foreign_ns: u64::MAX,
            swapped_in_pages: 0,
            clock_step_ns: 20_000_000,
            checkpoints: 0,
            autovacuums: 0,
            restarted: Vec::new(),
        }
    }

    #[test]
    fn a_trial_at_every_limit_counts_and_one_beyond_any_of_them_does_not() {
        use Weight::{Disturbed, Void};
        assert_eq!(faults(&calm()), []);
        assert_eq!(faults(&Observed::default()), []);
        let cases = [
            (Observed { lag_p99_us: Some(1001.0), ..calm() }, Disturbed, "p99 1.0 ms, at most 1.0"),
            (Observed { lag_p99_us: Some(10_001.0), ..calm() }, Void, "p99 10.0 ms, at most 1.0"),
            (Observed { generator_cpu_share: 0.86, ..calm() }, Void, "86.0 % of a core"),
            (Observed { heartbeat_gap_ns: 251_000_000, ..calm() }, Disturbed, "251 ms"),
            (Observed { steal_share: 0.021, ..calm() }, Disturbed, "2.1 % of the machine's"),
            (Observed { throttled_share: 0.03, ..calm() }, Disturbed, "3.0 % of the time"),
            (Observed { foreign_share: 0.11, ..calm() }, Disturbed, "11.0 % of it"),
            (Observed { swapped_in_pages: 1, ..calm() }, Disturbed, "1 pages"),
            (Observed { clock_step_ns: 21_000_000, ..calm() }, Disturbed, "by 21 ms"),
            (Observed { checkpoints: 1, ..calm() }, Disturbed, "1"),
            (Observed { autovacuums: 2, ..calm() }, Disturbed, "2"),
            (Observed { restarted: vec!["nginx".into()], ..calm() }, Void, "nginx"),
        ];
        for (seen, weight, says) in cases {
            let faults = faults(&seen);
            assert_eq!(faults.len(), 1, "{seen:?}");
            assert_eq!(faults[0].weight, weight, "{seen:?}");
            assert!(faults[0].figure.contains(says), "{} lacks {says}", faults[0].figure);
        }
    }

    #[test]
    fn a_slow_baseline_allows_more_lag_and_users_who_wait_have_none() {
        let late = |baseline_p50_us, lag_p99_us| {
            faults(&Observed { lag_p99_us, baseline_p50_us, ..calm() })
        };
        assert_eq!(late(Some(100_000.0), Some(5000.0)), []);
        assert_eq!(late(Some(100_000.0), Some(5001.0)).len(), 1);
        assert_eq!(late(Some(100.0), Some(1001.0)).len(), 1, "a fast one allows no less");
        assert_eq!(late(None, None), []);
    }

    #[test]
    fn ticks_too_few_to_count_are_no_foreign_program() {
        let short = Observed { foreign_share: 0.5, foreign_ns: 250_000_000, ..calm() };
        assert_eq!(faults(&short), []);
    }

    #[test]
    fn the_last_attempt_counts_with_a_note_unless_the_generator_was_measured() {
        let of = |weight| Fault { weight, what: format!("{weight:?}"), figure: "7".into() };
        let (disturbed, void) = (of(Weight::Disturbed), of(Weight::Void));
        assert_eq!(ruling(&[], Attempts::Left), Ruling::Counts);
        assert_eq!(ruling(&[], Attempts::Over), Ruling::Counts);
        let both = [disturbed.clone(), void];
        let reasons = String::from("Disturbed (7); Void (7)");
        assert_eq!(ruling(&both, Attempts::Left), Ruling::Repeat(reasons.clone()));
        assert_eq!(ruling(&both, Attempts::Over), Ruling::Void(reasons));
        let counts = ruling(&[disturbed], Attempts::Over);
        assert!(matches!(counts, Ruling::CountsWith(note) if note.ends_with("left: Disturbed")));
    }

    #[test]
    fn a_fifth_of_a_run_may_be_repeated() {
        let all: Vec<usize> = [0, 4, 5, 40, 123].map(repetitions).to_vec();
        assert_eq!(all, [0, 0, 1, 8, 24]);
    }
}
