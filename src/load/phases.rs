//! From the first connection to the last answer: fill, warm-up, window, drain, in one run without a gap.

use std::rc::Rc;

use anyhow::Context as _;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::clock::{Timer, thread_cpu_ns};
use super::engine::{Engine, Phase};
use super::hopeless::hopeless;
use super::places::Part;
use super::pulse::Pulse;
use super::recording::{Recording, WindowRecording};
use super::search::StepEnd;
use super::senders::User;
use super::start::connections;
use super::steady::is_steady;
use crate::plan::Until;

/// How often the conductor looks around.
pub(super) const TICK_NS: u64 = 50_000_000;
/// How often progress is told.
const PROGRESS_NS: u64 = 500_000_000;
/// After a request's deadline its failure is written down within this time.
const DRAIN_GRACE_NS: u64 = 1_000_000_000;

/// What a load tells while it runs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum PhaseEvent {
    /// The cache is being filled.
    FillStarted,
    /// The cell's own arrivals have begun.
    WarmupStarted,
    /// Rates are tried one after the other.
    SearchStarted,
    /// One of them has been judged.
    Stepped {
        /// The rate, per second.
        rate_per_s: f64,
        /// What became of it.
        end: StepEnd,
        /// What the objective is about, in microseconds; none where it took for ever.
        figure_us: Option<f64>,
    },
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
pub(super) enum Ended {
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
    pub(super) engine: Rc<Engine>,
    pub(super) timer: Timer,
    pub(super) tasks: JoinSet<anyhow::Result<()>>,
    caller: Caller,
    pulse: Pulse,
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
        self.engine.ahead.fill(&[Part::Fill, Part::Warmup, Part::Window]);
        self.engine.open_ahead(connections(&self.engine)).await;
        if let Some(fill) = self.engine.plan.fill.clone() {
            let started = self.begin(Phase::Fill, PhaseEvent::FillStarted);
            for _ in 0..fill.users {
                let user = User { fills: true, think_ns: 0, attends: None };
                self.tasks.spawn_local(Rc::clone(&self.engine).user(user));
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
        if let Some(search) = self.engine.plan.search {
            let ended = self.search(search, &mut recording).await?;
            if stopped(&mut recording, ended) {
                return Ok(recording);
            }
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
        self.engine.ledger.borrow_mut().begin_window(start);
        // A window in stages moves on purpose.
        if self.engine.plan.stages.is_empty() {
            self.engine.ledger.borrow_mut().watch_course(start, end);
        }
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
        let ended = self.answers().await?;
        if ended == Ended::TimeUp {
            self.tell(PhaseEvent::Drained);
        }
        Ok(ended)
    }

    /// Waits until nobody sends any more and every request has ended.
    pub(super) async fn answers(&mut self) -> anyhow::Result<Ended> {
        let latest = self.engine.clock.now() + self.engine.plan.timeout_ns + DRAIN_GRACE_NS;
        loop {
            let now = self.engine.clock.now();
            self.joined()?;
            if self.tasks.is_empty() && self.engine.ledger.borrow().under_way() == 0 {
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

    /// Turns to a phase, and says so.
    pub(super) fn begin(&mut self, phase: Phase, event: PhaseEvent) -> u64 {
        let now = self.turn(phase);
        self.tell(event);
        now
    }

    /// Turns to a phase: what was seen before says nothing about it.
    pub(super) fn turn(&mut self, phase: Phase) -> u64 {
        let now = self.engine.clock.now();
        self.engine.ledger.borrow_mut().begin_phase(now);
        self.engine.phase.set(phase);
        self.engine.turned.notify_waiters();
        now
    }

    /// Waits until the condition holds, but at least to `earliest` and at most to `latest`.
    pub(super) async fn until(
        &mut self,
        condition: Option<&Until>,
        earliest: u64,
        latest: u64,
    ) -> anyhow::Result<Ended> {
        loop {
            let now = self.look()?;
            if self.is_cancelled() {
                return Ok(Ended::Cancelled);
            }
            if let Some(why) = hopeless(&self.engine, now) {
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

    /// Passes on what went wrong, and closes the slices that are over by now.
    pub(super) fn look(&mut self) -> anyhow::Result<u64> {
        let now = self.engine.clock.now();
        self.joined()?;
        let mut ledger = self.engine.ledger.borrow_mut();
        ledger.roll(now);
        ledger.sound()?;
        Ok(now)
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

    pub(super) fn is_cancelled(&self) -> bool {
        *self.caller.cancel.borrow() || (self.caller.is_gone)()
    }

    pub(super) fn progress(&mut self, now: u64) {
        let since = now - self.told_ns;
        if since < PROGRESS_NS {
            return;
        }
        let answered = self.engine.ledger.borrow().answered;
        let rate_rps = (answered - self.told_answered) as f64 * 1e9 / since as f64;
        (self.told_ns, self.told_answered) = (now, answered);
        self.tell(PhaseEvent::Progress { answered, rate_rps, elapsed_ns: now });
    }

    pub(super) fn tell(&self, event: PhaseEvent) {
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

fn empty() -> Recording {
    Recording {
        fill_ns: None,
        fill_reached: true,
        warmup_ns: 0,
        warmup_reached: false,
        search: None,
        window: WindowRecording::new(),
        sent_total: 0,
        answered_total: 0,
        failed_total: 0,
        reopened: 0,
        wrong_answers: Vec::new(),
        slices: Vec::new(),
        samples: None,
        cancelled: false,
        failure: None,
    }
}
