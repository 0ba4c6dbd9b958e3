//! From the first connection to the last answer: fill, warm-up, window, drain, in one run without a gap.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::rc::Rc;

use anyhow::Context as _;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::clock::{Timer, thread_cpu_ns};
use super::engine::{Engine, Phase};
use super::fault::Fault;
use super::pulse::Pulse;
use super::recording::{Recording, WindowRecording};
use super::steady::is_steady;
use crate::plan::{ModelPlan, Until};

/// How often the conductor looks around.
const TICK_NS: u64 = 50_000_000;
/// How often progress is told.
const PROGRESS_NS: u64 = 500_000_000;
/// Connections that an open load starts with.
const OPEN_AT_FIRST: u32 = 64;
/// Fewer requests than this do not end a run, however they went.
const FEWEST_TO_ABORT: u64 = 200;
/// Timeouts without a right answer that end a run.
const SILENT_TIMEOUTS: u64 = 3;
/// After a request's deadline its failure is written down within this time.
const DRAIN_GRACE_NS: u64 = 1_000_000_000;

/// What a load tells while it runs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum PhaseEvent {
    /// The cache is being filled.
    FillStarted,
    /// The cell's own arrivals have begun.
    WarmupStarted,
    /// What is due from now on is measured.
    WindowStarted,
    /// What is due from now on is not; nothing more is sent.
    WindowEnded,
    /// Every request has ended.
    Drained,
    /// At most twice a second.
    Progress {
        /// Right answers since the run's start.
        answered: u64,
        /// Right answers per second since the last word.
        rate_rps: f64,
        /// Since the run's start, in nanoseconds.
        elapsed_ns: u64,
    },
}

/// Who may stop a run, and who hears of it.
pub(super) struct Caller {
    /// Hears of phases; may have gone deaf.
    pub(super) events: mpsc::UnboundedSender<PhaseEvent>,
    /// True stops the run.
    pub(super) cancel: watch::Receiver<bool>,
    /// Whether anybody waits for the recording.
    pub(super) is_gone: Box<dyn Fn() -> bool>,
}

/// How a phase ended.
#[derive(Debug, PartialEq)]
enum Ended {
    /// Its condition held.
    Reached,
    /// Its time is up.
    TimeUp,
    /// The run is to stop.
    Cancelled,
    /// The run makes no sense.
    Aborted(String),
}

/// The conductor.
pub(super) struct Conductor {
    engine: Rc<Engine>,
    caller: Caller,
    timer: Timer,
    pulse: Pulse,
    tasks: JoinSet<anyhow::Result<()>>,
    told_ns: u64,
    told_answered: u64,
}

impl Conductor {
    /// A conductor for one run.
    pub(super) fn new(engine: Rc<Engine>, caller: Caller) -> anyhow::Result<Self> {
        let timer = engine.clock.timer()?;
        let told_ns = engine.clock.now();
        let (pulse, tasks) = (Pulse::default(), JoinSet::new());
        Ok(Self { engine, caller, timer, pulse, tasks, told_ns, told_answered: 0 })
    }

    /// Runs the load from its fill to its last answer.
    ///
    /// # Errors
    ///
    /// If the generator itself fails, or a request is lost. A server that fails is no error: the recording says so.
    pub(super) async fn run(mut self) -> anyhow::Result<Recording> {
        let mut recording = self.phases().await?;
        self.engine.phase.set(Phase::Over);
        self.tasks.abort_all();
        self.engine.forsake_waiting();
        let mut ledger = self.engine.ledger.borrow_mut();
        ledger.close(self.engine.clock.now());
        ledger.sound()?;
        recording.window = WindowRecording {
            duration_ns: recording.window.duration_ns,
            generator_cpu_ns: recording.window.generator_cpu_ns,
            held_up_ns: recording.window.held_up_ns,
            longest_hold_up_ns: recording.window.longest_hold_up_ns,
            ..std::mem::replace(&mut ledger.window, WindowRecording::new())
        };
        recording.window.balance()?;
        recording.sent_total = ledger.sent;
        recording.answered_total = ledger.answered;
        recording.failed_total = ledger.failed;
        recording.reopened = ledger.reopened;
        recording.wrong_answers = std::mem::take(&mut ledger.wrong_answers);
        recording.slices = std::mem::take(&mut ledger.slices);
        anyhow::ensure!(
            ledger.sent == ledger.answered + ledger.failed,
            "lost requests: {} sent, {} answered, {} failed",
            ledger.sent,
            ledger.answered,
            ledger.failed
        );
        Ok(recording)
    }

    async fn phases(&mut self) -> anyhow::Result<Recording> {
        let mut recording = empty();
        self.engine.open_ahead(connections(&self.engine)).await;
        if let Some(fill) = self.engine.plan.fill.clone() {
            let started = self.begin(Phase::Fill, PhaseEvent::FillStarted);
            for _ in 0..fill.users {
                self.tasks.spawn_local(Rc::clone(&self.engine).user(true, 0));
            }
            let ended = self.until(Some(&fill.until), started, started + fill.max_ns).await?;
            recording.fill_ns = Some(self.engine.clock.now() - started);
            recording.fill_reached = ended == Ended::Reached;
            if ended == Ended::TimeUp {
                recording.failure = Some(self.unfilled(&fill.until));
            }
            if stopped(&mut recording, ended) {
                return Ok(recording);
            }
        }
        let started = self.begin(Phase::Warmup, PhaseEvent::WarmupStarted);
        self.start_cell();
        let warmup = self.engine.plan.warmup.clone();
        let (earliest, latest) = (started + warmup.min_ns, started + warmup.max_ns);
        let ended = self.until(Some(&warmup.until), earliest, latest.max(earliest)).await?;
        recording.warmup_ns = self.engine.clock.now() - started;
        recording.warmup_reached = ended == Ended::Reached;
        if stopped(&mut recording, ended) {
            return Ok(recording);
        }
        let ended = self.window(&mut recording).await?;
        if stopped(&mut recording, ended) {
            return Ok(recording);
        }
        let ended = self.drain().await?;
        stopped(&mut recording, ended);
        Ok(recording)
    }

    /// The measured window; its bounds are fixed before the first request that falls into it.
    async fn window(&mut self, recording: &mut Recording) -> anyhow::Result<Ended> {
        let start = self.engine.clock.now();
        let end = start + self.engine.plan.duration_ns;
        let cpu_ns = thread_cpu_ns();
        self.pulse = Pulse::default();
        self.begin(Phase::Window(start, end), PhaseEvent::WindowStarted);
        let ended = self.until(None, end, end).await?;
        let now = self.engine.clock.now();
        recording.window.duration_ns =
            if ended == Ended::TimeUp { end - start } else { now - start };
        recording.window.generator_cpu_ns = thread_cpu_ns() - cpu_ns;
        recording.window.held_up_ns = self.pulse.late_ns;
        recording.window.longest_hold_up_ns = self.pulse.latest_ns;
        self.tell(PhaseEvent::WindowEnded);
        self.engine.turned.notify_waiters();
        Ok(ended)
    }

    /// Waits for the answers to what was due in the window.
    async fn drain(&mut self) -> anyhow::Result<Ended> {
        let latest = self.engine.clock.now() + self.engine.plan.timeout_ns + DRAIN_GRACE_NS;
        loop {
            let now = self.engine.clock.now();
            self.joined()?;
            if self.tasks.is_empty() && self.engine.ledger.borrow().under_way() == 0 {
                self.tell(PhaseEvent::Drained);
                return Ok(Ended::TimeUp);
            }
            if self.is_cancelled() {
                return Ok(Ended::Cancelled);
            }
            if now >= latest {
                return Ok(Ended::Aborted("requests did not end at their deadline".into()));
            }
            self.progress(now);
            self.timer.until(now + TICK_NS / 10).await?;
        }
    }

    fn begin(&mut self, phase: Phase, event: PhaseEvent) -> u64 {
        let now = self.engine.clock.now();
        self.engine.ledger.borrow_mut().begin_phase(now);
        self.engine.phase.set(phase);
        self.engine.turned.notify_waiters();
        self.tell(event);
        now
    }

    fn start_cell(&mut self) {
        match self.engine.plan.model.clone() {
            ModelPlan::Closed { users, think_ns } => {
                for _ in 0..users {
                    self.tasks.spawn_local(Rc::clone(&self.engine).user(false, think_ns));
                }
            }
            ModelPlan::Open { rate_per_s, arrival, .. } => {
                self.tasks.spawn_local(Rc::clone(&self.engine).dispatch(rate_per_s, arrival));
            }
        }
    }

    /// Waits until the condition holds, but at least to `earliest` and at most to `latest`.
    async fn until(
        &mut self,
        condition: Option<&Until>,
        earliest: u64,
        latest: u64,
    ) -> anyhow::Result<Ended> {
        loop {
            let now = self.engine.clock.now();
            self.joined()?;
            {
                let mut ledger = self.engine.ledger.borrow_mut();
                ledger.roll(now);
                ledger.sound()?;
            }
            if self.is_cancelled() {
                return Ok(Ended::Cancelled);
            }
            if let Some(why) = self.hopeless(now) {
                return Ok(Ended::Aborted(why));
            }
            if now >= earliest && condition.is_some_and(|condition| self.holds(condition)) {
                return Ok(Ended::Reached);
            }
            if now >= latest {
                return Ok(Ended::TimeUp);
            }
            self.progress(now);
            let wanted = latest.min(now + TICK_NS);
            self.timer.until(wanted).await?;
            self.pulse.beat(self.engine.clock.now().saturating_sub(wanted));
        }
    }

    fn holds(&self, condition: &Until) -> bool {
        let ledger = self.engine.ledger.borrow();
        match condition {
            Until::Steady => is_steady(&ledger.warm),
            Until::CacheHitRatioAtLeast(wanted) => {
                ledger.hit_ratio().is_some_and(|ratio| ratio >= *wanted)
            }
        }
    }

    /// Why it makes no sense to go on: most requests of this phase fail, or there are no right answers any more.
    fn hopeless(&self, now: u64) -> Option<String> {
        let ledger = self.engine.ledger.borrow();
        let phase = &ledger.phase;
        let ended = phase.answered + phase.failed;
        if ended >= FEWEST_TO_ABORT && phase.failed * 2 > ended {
            return Some(format!("most requests fail: {}", kinds(&phase.failures, ended)));
        }
        let silence = &ledger.silence;
        let silent_ns = now.saturating_sub(silence.from_ns);
        let failed: u64 = silence.failures.values().sum();
        let timeouts = self.engine.plan.timeout_ns.saturating_mul(SILENT_TIMEOUTS);
        if silent_ns >= timeouts && failed >= SILENT_TIMEOUTS {
            let silent = crate::units::latency_ns(silent_ns as f64);
            let kinds = kinds(&silence.failures, failed);
            return Some(format!("no right answer for {silent}: {kinds}"));
        }
        None
    }

    fn unfilled(&self, condition: &Until) -> String {
        let ledger = self.engine.ledger.borrow();
        let ratio = ledger.hit_ratio().map_or("unknown".into(), |ratio| format!("{ratio:.3}"));
        match condition {
            Until::Steady => "the fill came to no steady state in its time".into(),
            Until::CacheHitRatioAtLeast(wanted) => {
                format!(
                    "the fill did not reach a cache hit ratio of {wanted} in its time: it was {ratio}"
                )
            }
        }
    }

    /// Passes on the error of a task that has failed, or its panic.
    fn joined(&mut self) -> anyhow::Result<()> {
        while let Some(task) = self.tasks.try_join_next() {
            task.context("a part of the load generator fell over")??;
        }
        Ok(())
    }

    fn is_cancelled(&self) -> bool {
        *self.caller.cancel.borrow() || (self.caller.is_gone)()
    }

    fn progress(&mut self, now: u64) {
        let since = now - self.told_ns;
        if since < PROGRESS_NS {
            return;
        }
        let answered = self.engine.ledger.borrow().answered;
        let rate_rps = (answered - self.told_answered) as f64 * 1e9 / since as f64;
        (self.told_ns, self.told_answered) = (now, answered);
        self.tell(PhaseEvent::Progress { answered, rate_rps, elapsed_ns: now });
    }

    fn tell(&self, event: PhaseEvent) {
        // Whoever does not listen any more needs no word.
        self.caller.events.send(event).ok();
    }
}

/// Whether the run is over early; why is written into the recording.
fn stopped(recording: &mut Recording, ended: Ended) -> bool {
    match ended {
        Ended::Reached | Ended::TimeUp => {}
        Ended::Cancelled => recording.cancelled = true,
        Ended::Aborted(why) => recording.failure = Some(why),
    }
    recording.cancelled || recording.failure.is_some()
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

/// Connections that the load starts with.
fn connections(engine: &Engine) -> u32 {
    let fill = engine.plan.fill.as_ref().map_or(0, |fill| fill.users);
    fill.max(match engine.plan.model {
        ModelPlan::Closed { users, .. } => users,
        ModelPlan::Open { max_in_flight, connections, .. } => {
            max_in_flight.min(connections.unwrap_or(OPEN_AT_FIRST))
        }
    })
}

fn empty() -> Recording {
    Recording {
        fill_ns: None,
        fill_reached: true,
        warmup_ns: 0,
        warmup_reached: false,
        window: WindowRecording::new(),
        sent_total: 0,
        answered_total: 0,
        failed_total: 0,
        reopened: 0,
        wrong_answers: Vec::new(),
        slices: Vec::new(),
        cancelled: false,
        failure: None,
    }
}
