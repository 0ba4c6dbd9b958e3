//! A look at the machine before a trial: it should have nothing else to do, and nothing left to write.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::probe::{self, Passed};

/// The longest wait before one trial.
const A_TRIAL: Duration = Duration::from_secs(10);
/// The longest wait of a run, in all.
const A_RUN: Duration = Duration::from_mins(1);
/// And no more of it than this part of what the run is expected to take.
const OF_THE_RUN: u32 = 10;
/// How long one look takes.
const LOOK: Duration = Duration::from_millis(250);
/// Of the machine's time, by other programs.
const FOREIGN_CPU: f64 = 0.05;
/// The kernel counts in ticks of 10 ms: this much may be one of them too many.
const TICKS_NS: u64 = 30_000_000;
/// Of the machine's time, by the hypervisor.
const STEAL: f64 = 0.01;
/// Written by programs and not yet by the disk.
const UNWRITTEN: u64 = 64 << 20;

/// How much a run may still wait.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience(Duration);

impl Patience {
    /// What a run of this expected length has.
    pub(super) fn of_a_run(estimate_ns: u64) -> Self {
        Self(A_RUN.min(Duration::from_nanos(estimate_ns) / OF_THE_RUN))
    }

    /// Waits until the machine is idle, or patience is over; tells why it still was not.
    ///
    /// # Errors
    ///
    /// If the machine can't be read.
    pub(super) async fn wait(&mut self) -> anyhow::Result<Option<String>> {
        let began = Instant::now();
        let most = A_TRIAL.min(self.0);
        let mut last = None;
        loop {
            // The first look costs nothing of it: without one nothing could be said.
            if last.is_some() && began.elapsed() >= most {
                break;
            }
            let before = probe::machine()?;
            sleep(LOOK).await;
            let passed = probe::machine()?.since(&before);
            last = busy(&passed, probe::unwritten_bytes());
            if last.is_none() {
                break;
            }
        }
        if began.elapsed() > LOOK * 2 || last.is_some() {
            self.0 = self.0.saturating_sub(began.elapsed());
        }
        Ok(last)
    }
}

/// What the machine has to do, if anything. No server of ours runs.
fn busy(passed: &Passed, unwritten: Option<u64>) -> Option<String> {
    let percent = |share: f64| format!("{:.0} %", share * 100.0);
    let foreign = passed.foreign_share(0);
    if foreign > FOREIGN_CPU && passed.foreign_ns(0) > TICKS_NS {
        return Some(format!("other programs use {} of it", percent(foreign)));
    }
    if passed.steal_share > STEAL {
        return Some(format!("{} of its time is stolen", percent(passed.steal_share)));
    }
    unwritten.filter(|bytes| *bytes > UNWRITTEN).map(|bytes| {
        format!("{} are still to be written to disk", crate::units::bytes(bytes as f64))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passed(foreign_ms: u64, steal_share: f64) -> Passed {
        let ms = 1_000_000;
        Passed { busy_ns: foreign_ms * ms, all_ns: 500 * ms, steal_share, ..Passed::default() }
    }

    #[test]
    fn a_machine_is_idle_below_every_limit_and_busy_above_any() {
        assert_eq!(busy(&passed(20, 0.01), Some(64 << 20)), None);
        assert_eq!(busy(&passed(30, 0.0), None), None, "one tick more or less");
        let says = |p: &Passed, bytes| busy(p, bytes).expect("busy");
        assert!(says(&passed(100, 0.0), None).contains("other programs use 20 %"));
        assert!(says(&passed(0, 0.02), None).contains("2 % of its time is stolen"));
        assert!(says(&passed(0, 0.0), Some(65 << 20)).contains("still to be written"));
    }

    #[tokio::test]
    async fn patience_ends_with_the_run_s_share_of_it() {
        let second = 1_000_000_000;
        assert_eq!(Patience::of_a_run(10 * second).0, Duration::from_secs(1));
        assert_eq!(Patience::of_a_run(3600 * second).0, A_RUN);
        let mut none = Patience::of_a_run(0);
        let began = Instant::now();
        none.wait().await.unwrap();
        assert!(began.elapsed() < Duration::from_secs(5), "one look, and no more");
    }
}
