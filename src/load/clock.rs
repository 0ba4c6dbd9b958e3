//! Time and waiting: nanoseconds since the load began, and waits that end when they should.
//!
//! tokio's own timer wakes on whole milliseconds, a hundred times the latency of a lookup. So arrivals wait on a
//! timerfd with an absolute time of the monotonic clock. Tests wait on tokio's paused clock instead: that is the seam.

use std::os::fd::OwnedFd;

use anyhow::Context as _;
use rustix::time::{
    ClockId, Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, clock_gettime,
    timerfd_create, timerfd_settime,
};
use tokio::io::unix::AsyncFd;
use tokio::time::{Duration, Instant};

/// How waits are done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Waits {
    /// By the kernel's timers.
    Kernel,
    /// By tokio's timers, which a test can pause.
    #[cfg(test)]
    Tokio,
}

/// Nanoseconds since the load began.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    start: Instant,
    /// The same moment on the kernel's monotonic clock, read after `start`: so waits err on the late side, by less
    /// than a microsecond.
    start_monotonic_ns: u64,
    waits: Waits,
}

impl Clock {
    /// A clock that begins now.
    pub(super) fn start(waits: Waits) -> Self {
        let start = Instant::now();
        Self { start, start_monotonic_ns: kernel_ns(ClockId::Monotonic), waits }
    }

    /// Nanoseconds since the start.
    pub(super) fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// The moment so many nanoseconds after the start.
    pub(super) fn instant(&self, ns: u64) -> Instant {
        self.start + Duration::from_nanos(ns)
    }

    /// Something to wait with; one for each task that waits.
    pub(super) fn timer(&self) -> anyhow::Result<Timer> {
        let kernel = match self.waits {
            Waits::Kernel => {
                let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
                let fd = timerfd_create(TimerfdClockId::Monotonic, flags);
                let fd =
                    fd.context("cannot create a timer (is the limit on open files reached?)")?;
                Some(watched(fd)?)
            }
            #[cfg(test)]
            Waits::Tokio => None,
        };
        Ok(Timer { clock: *self, kernel })
    }
}

#[expect(
    deprecated,
    reason = "its successor is unsafe, because a type might close its file behind tokio's back: OwnedFd does not"
)]
fn watched(fd: OwnedFd) -> anyhow::Result<AsyncFd<OwnedFd>> {
    AsyncFd::new(fd).context("cannot wait for a timer")
}

/// One waiter.
#[derive(Debug)]
pub(super) struct Timer {
    clock: Clock,
    kernel: Option<AsyncFd<OwnedFd>>,
}

impl Timer {
    /// Returns at `ns` after the clock's start, at once if that is past. May be dropped and asked again.
    pub(super) async fn until(&mut self, ns: u64) -> anyhow::Result<()> {
        if self.clock.now() >= ns {
            return Ok(());
        }
        let Some(fd) = &self.kernel else {
            tokio::time::sleep_until(self.clock.instant(ns)).await;
            return Ok(());
        };
        let at = self.clock.start_monotonic_ns.saturating_add(ns);
        let it_value = Timespec {
            tv_sec: i64::try_from(at / 1_000_000_000).unwrap_or(i64::MAX),
            tv_nsec: (at % 1_000_000_000).cast_signed(),
        };
        let never = Timespec { tv_sec: 0, tv_nsec: 0 };
        let setting = Itimerspec { it_interval: never, it_value };
        timerfd_settime(fd.get_ref(), TimerfdTimerFlags::ABSTIME, &setting)
            .context("cannot set a timer")?;
        loop {
            let mut ready = fd.readable().await.context("cannot wait for a timer")?;
            let mut expirations = [0u8; 8];
            match rustix::io::read(fd.get_ref(), &mut expirations) {
                Ok(_) => return Ok(()),
                // Readiness left over from an earlier setting.
                Err(rustix::io::Errno::AGAIN) => ready.clear_ready(),
                Err(e) => return Err(e).context("cannot read a timer"),
            }
        }
    }
}

/// CPU time of this thread, user and system, in nanoseconds.
pub(super) fn thread_cpu_ns() -> u64 {
    kernel_ns(ClockId::ThreadCPUTime)
}

fn kernel_ns(clock: ClockId) -> u64 {
    let t = clock_gettime(clock);
    t.tv_sec.unsigned_abs() * 1_000_000_000 + t.tv_nsec.unsigned_abs()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_kernels_timer_is_never_early_and_can_be_asked_again() {
        let clock = Clock::start(Waits::Kernel);
        let mut timer = clock.timer().expect("a timer");
        timer.until(0).await.expect("past");
        for step in 1..=20u64 {
            let due = step * 2_000_000 + 137_000;
            // Half of the waits are given up and asked again, with stale readiness in between.
            if step % 2 == 0 {
                let early = timer.until(due - 1_500_000);
                drop(tokio::time::timeout(Duration::from_micros(100), early).await);
            }
            timer.until(due).await.expect("a wait");
            let now = clock.now();
            assert!(now >= due && now < due + 1_000_000_000, "{due} {now}");
        }
        assert!(thread_cpu_ns() > 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_paused_clock_waits_an_hour_in_no_time() {
        let clock = Clock::start(Waits::Tokio);
        let hour = 3_600_000_000_000;
        clock.timer().expect("a timer").until(hour).await.expect("a wait");
        assert_eq!(clock.now(), hour);
    }
}
