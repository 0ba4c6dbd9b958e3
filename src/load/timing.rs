//! What this machine's clock and timers are worth, read and waited for exactly as the generator does it.

use std::time::Duration;

use anyhow::Context as _;
use rustix::time::{ClockId, clock_getres};
use tokio::sync::oneshot;

use super::clock::{Clock, Waits};
use super::recording::{histogram, record};
use super::run::on_a_thread;

/// Readings of the clock in a row.
const READINGS: u32 = 200_000;
/// Waits differ by so much, so that none falls in step with the kernel's own ticks.
const STEP_NS: u64 = 13_700;

/// What the clock and the timers are worth.
#[derive(Debug, Clone, PartialEq)]
pub struct Timing {
    /// The monotonic clock's resolution, as the kernel says.
    pub resolution_ns: u64,
    /// Time that a reading takes.
    pub read_ns: f64,
    /// How long after its time a wait ends: median.
    pub overshoot_p50_us: f64,
    /// 99th percentile.
    pub overshoot_p99_us: f64,
    /// Longest.
    pub overshoot_max_us: f64,
}

/// Reads the clock and waits `waits` times for `wait` and a little, on a thread like the generator's.
///
/// # Errors
///
/// If the thread or a timer cannot be had.
pub async fn timing(waits: u32, wait: Duration) -> anyhow::Result<Timing> {
    let (answer, timed) = oneshot::channel::<anyhow::Result<Timing>>();
    on_a_thread(&[], move |runtime| {
        let timed = runtime.and_then(|runtime| runtime.block_on(time(waits, wait)));
        // Who has gone does not want to know.
        drop(answer.send(timed));
    })?;
    timed.await.context("the load generator's thread ended without an answer")?
}

async fn time(waits: u32, wait: Duration) -> anyhow::Result<Timing> {
    let clock = Clock::start(Waits::Kernel);
    let start = clock.now();
    for _ in 0..READINGS {
        std::hint::black_box(clock.now());
    }
    let read_ns = (clock.now() - start) as f64 / f64::from(READINGS);
    let resolution = clock_getres(ClockId::Monotonic);
    let mut timer = clock.timer()?;
    let mut overshoot = histogram();
    let wait_ns = u64::try_from(wait.as_nanos()).unwrap_or(u64::MAX);
    for n in 0..u64::from(waits) {
        let due = clock.now() + wait_ns + n % 7 * STEP_NS;
        timer.until(due).await?;
        record(&mut overshoot, clock.now() - due)?;
    }
    let late = |q: f64| overshoot.value_at_quantile(q) as f64 / 1e3;
    Ok(Timing {
        resolution_ns: resolution.tv_sec.unsigned_abs() * 1_000_000_000
            + resolution.tv_nsec.unsigned_abs(),
        read_ns,
        overshoot_p50_us: late(0.5),
        overshoot_p99_us: late(0.99),
        overshoot_max_us: overshoot.max() as f64 / 1e3,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_clock_takes_time_to_read_and_no_wait_ends_early() {
        let timing = timing(20, Duration::from_millis(1)).await.expect("timed");
        assert!((1..=10_000_000).contains(&timing.resolution_ns), "{timing:?}");
        assert!(timing.read_ns > 1.0 && timing.read_ns < 100_000.0, "{timing:?}");
        assert!(timing.overshoot_p50_us > 0.0, "{timing:?}");
        assert!(timing.overshoot_p50_us <= timing.overshoot_p99_us, "{timing:?}");
        assert!(timing.overshoot_p99_us <= timing.overshoot_max_us, "{timing:?}");
        assert!(timing.overshoot_max_us < 1e6, "{timing:?}");
    }
}
