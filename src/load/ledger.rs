//! The books: every request is entered when it is due and again when it ends, once for the run and once for the window.

use std::collections::BTreeMap;

pub(super) use super::entry::{Answered, Sample, Silence, Tally};
use super::fault::{CacheWord, Fault};
use super::recording::{Slice, WindowRecording, record};
use super::samples::{Keeper, Outcome, Raw};
use super::slices::{Course, Filling, Hits};
use super::steady::{self, WarmSlice};
use super::wire::Moved;

/// Length of a slice of the timeline.
const SECOND_NS: u64 = 1_000_000_000;
/// Wrong answers kept as texts.
const WRONG_KEPT: usize = 3;

/// The books.
#[derive(Debug)]
pub(super) struct Ledger {
    pub(super) window: WindowRecording,
    pub(super) sent: u64,
    pub(super) answered: u64,
    pub(super) failed: u64,
    pub(super) reopened: u64,
    pub(super) phase: Tally,
    pub(super) silence: Silence,
    pub(super) wrong_answers: Vec<String>,
    pub(super) slices: Vec<Slice>,
    pub(super) warm: Vec<WarmSlice>,
    under_way: u64,
    window_under_way: u64,
    /// Since when requests are under way without one that has ended.
    silent_from_ns: u64,
    second: Filling,
    warm_part: Filling,
    warm_ns: u64,
    hits: Hits,
    course: Option<Course>,
    keeper: Option<Keeper>,
    closed: bool,
    broken: Option<anyhow::Error>,
}

impl Ledger {
    /// Empty books, opened at `now`; `warm_ns` is the length of the slices that tell whether a phase is steady.
    pub(super) fn new(now: u64, warm_ns: u64) -> Self {
        Self {
            window: WindowRecording::new(),
            sent: 0,
            answered: 0,
            failed: 0,
            reopened: 0,
            phase: Tally::default(),
            silence: Silence { from_ns: now, failures: BTreeMap::new() },
            wrong_answers: Vec::new(),
            slices: Vec::new(),
            warm: Vec::new(),
            under_way: 0,
            window_under_way: 0,
            silent_from_ns: now,
            second: Filling::new(now),
            warm_part: Filling::new(now),
            warm_ns: warm_ns.max(1),
            hits: Hits::new(now),
            course: None,
            keeper: None,
            closed: false,
            broken: None,
        }
    }

    /// A phase begins: what was seen before says nothing about it.
    pub(super) fn begin_phase(&mut self, now: u64) {
        self.phase = Tally::default();
        self.warm.clear();
        self.warm_part.restart(now);
        self.hits = Hits::new(now);
    }

    /// The window begins: its samples count from here.
    pub(super) fn begin_window(&mut self, start_ns: u64) {
        if let Some(keeper) = &mut self.keeper {
            keeper.begin(start_ns);
        }
    }

    /// The window has these bounds, and is to stay what it is: it is looked at whether it does.
    pub(super) fn watch_course(&mut self, start_ns: u64, end_ns: u64) {
        self.course = Some(Course::new(start_ns, end_ns));
    }

    /// From now on each request of the window is also kept as it was.
    pub(super) fn keep_samples(&mut self, keeper: Keeper) {
        self.keeper = Some(keeper);
    }

    /// A request that was due and taken up then goes out.
    pub(super) fn sent(&mut self, due_ns: u64, taken_ns: u64, in_window: bool) {
        self.sent += 1;
        if self.under_way == 0 {
            self.silent_from_ns = taken_ns;
        }
        self.under_way += 1;
        if in_window {
            self.window.due += 1;
            self.window.sent += 1;
            self.window_under_way += 1;
            let lag = record(&mut self.window.lag, taken_ns.saturating_sub(due_ns));
            self.note(lag);
        }
    }

    /// A request is due and cannot go out.
    pub(super) fn dropped(&mut self, due_ns: u64, in_window: bool) {
        if in_window {
            self.window.due += 1;
            self.window.dropped += 1;
            self.keep(Some(due_ns), None, None, Outcome::Dropped);
        }
    }

    /// What a request moved over its connection, however it ended.
    pub(super) fn moved(&mut self, in_window: bool, moved: Moved) {
        if in_window {
            self.window.wire_sent_bytes += moved.sent_bytes;
            self.window.wire_received_bytes += moved.received_bytes;
        }
    }

    /// A request that was sent has ended.
    pub(super) fn ended(&mut self, sample: &Sample) {
        // The run is over and this request already counted as cancelled.
        if self.closed {
            return;
        }
        self.roll(sample.done_ns);
        self.under_way -= 1;
        self.window_under_way -= u64::from(sample.in_window);
        if sample.in_window {
            let silence_ns = sample.done_ns.saturating_sub(self.silent_from_ns);
            self.window.longest_silence_ns = self.window.longest_silence_ns.max(silence_ns);
        }
        self.silent_from_ns = sample.done_ns;
        match sample.end {
            Ok(answered) => self.right(sample, &answered),
            Err(fault) => self.wrong(fault, sample.in_window),
        }
        if sample.in_window {
            let outcome = match sample.end {
                Ok(answered) => Outcome::Right(answered.cache),
                Err(fault) => Outcome::Failed(fault),
            };
            self.keep(Some(sample.due_ns), Some(sample.done_ns), sample.end.ok(), outcome);
        }
    }

    fn keep(
        &mut self,
        due_ns: Option<u64>,
        done_ns: Option<u64>,
        answered: Option<Answered>,
        outcome: Outcome,
    ) {
        let Some(keeper) = &mut self.keeper else { return };
        let sent_ns = answered.map(|answered| answered.sent_ns);
        let first_byte_ns = answered.map(|answered| answered.first_byte_ns);
        keeper.push(Raw { due_ns, sent_ns, first_byte_ns, done_ns, outcome });
    }

    fn right(&mut self, sample: &Sample, answered: &Answered) {
        let response = sample.done_ns.saturating_sub(sample.due_ns);
        self.answered += 1;
        self.phase.answered += 1;
        self.silence.from_ns = sample.done_ns;
        self.silence.failures.clear();
        for part in [&mut self.second, &mut self.warm_part] {
            if let Err(e) = record(&mut part.response, response) {
                self.broken.get_or_insert(e);
            }
        }
        // What goes past the cache, as some endpoints of a mix do, did not ask it.
        if let Some(word) = answered.cache
            && word != CacheWord::Bypass
        {
            let is_hit = word == CacheWord::Hit;
            self.hits.answered(is_hit);
            self.warm_part.hits.0 += u64::from(is_hit);
            self.warm_part.hits.1 += 1;
        }
        if sample.in_window {
            let recorded = self.right_in_window(sample, answered, response);
            self.note(recorded);
        }
    }

    fn right_in_window(
        &mut self,
        sample: &Sample,
        answered: &Answered,
        response: u64,
    ) -> anyhow::Result<()> {
        let window = &mut self.window;
        window.count(answered);
        if let Some(course) = &mut self.course {
            course.answered(sample.done_ns, response)?;
        }
        record(&mut window.response, response)?;
        record(&mut window.service, sample.done_ns.saturating_sub(answered.sent_ns))?;
        record(&mut window.first_byte, answered.first_byte_ns.saturating_sub(answered.sent_ns))
    }

    fn wrong(&mut self, fault: Fault, in_window: bool) {
        self.failed += 1;
        self.phase.failed += 1;
        for failures in [&mut self.phase.failures, &mut self.silence.failures] {
            *failures.entry(fault).or_default() += 1;
        }
        self.second.failed += 1;
        if in_window {
            self.window.failed += 1;
            *self.window.failures.entry(fault.word().into_owned()).or_default() += 1;
        }
    }

    /// Keeps the text of a wrong answer, if it is among the first.
    pub(super) fn keep_wrong(&mut self, text: impl FnOnce() -> String) {
        if self.wrong_answers.len() < WRONG_KEPT {
            self.wrong_answers.push(text());
        }
    }

    /// Requests that have not ended.
    pub(super) fn under_way(&self) -> u64 {
        self.under_way
    }

    /// Closes the slices that are over at `now`.
    pub(super) fn roll(&mut self, now: u64) {
        while now >= self.second.from_ns + SECOND_NS {
            self.close_second();
        }
        while now >= self.warm_part.from_ns + self.warm_ns {
            let p50_ns = self.warm_part.quantile_ns(0.5).unwrap_or(0.0);
            let (answered, hits) = (self.warm_part.response.len(), self.warm_part.hits);
            steady::keep(&mut self.warm, WarmSlice { answered, p50_ns, hits });
            self.warm_part.restart(self.warm_part.from_ns + self.warm_ns);
        }
        self.hits.roll(now);
    }

    fn close_second(&mut self) {
        let part = &self.second;
        self.slices.push(Slice {
            t_ns: part.from_ns,
            answered: part.response.len(),
            failed: part.failed,
            p50_us: part.quantile_ns(0.5).map(|ns| ns / 1e3),
            p99_us: part.quantile_ns(0.99).map(|ns| ns / 1e3),
        });
        self.second.restart(part.from_ns + SECOND_NS);
    }

    /// Hits among the cached answers of the last whole second, or of as many tenths of a second before it as hold 200
    /// of them; none if the phase has not seen so many.
    pub(super) fn hit_ratio(&self) -> Option<f64> {
        self.hits.ratio()
    }

    fn note(&mut self, recorded: anyhow::Result<()>) {
        if let Err(e) = recorded {
            self.broken.get_or_insert(e);
        }
    }

    /// Fails if a sample could not be recorded.
    pub(super) fn sound(&mut self) -> anyhow::Result<()> {
        self.broken.take().map_or(Ok(()), Err)
    }

    /// Closes the books: what is still under way has failed, as `cancelled`; nothing is entered any more.
    pub(super) fn close(&mut self, now: u64) {
        self.roll(now);
        for i in 0..self.under_way {
            let in_window = i < self.window_under_way;
            self.wrong(Fault::Cancelled, in_window);
            if in_window {
                self.keep(None, None, None, Outcome::Failed(Fault::Cancelled));
            }
        }
        (self.under_way, self.window_under_way) = (0, 0);
        if self.second.failed > 0 || !self.second.response.is_empty() {
            self.close_second();
        }
        self.window.drift = self.course.take().and_then(Course::drift);
        if let Some(keeper) = self.keeper.take() {
            keeper.end();
        }
        self.closed = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::fixtures::{MS, S, answered};

    fn answer(ledger: &mut Ledger, at: u64, cache: Option<CacheWord>) {
        ledger.sent(at, at, true);
        let end = Ok(answered(at, 10, cache));
        ledger.ended(&Sample { due_ns: at, done_ns: at + MS, in_window: true, end });
    }

    #[test]
    fn what_is_under_way_at_the_end_has_failed_as_cancelled() {
        let mut ledger = Ledger::new(0, 200 * MS);
        answer(&mut ledger, 0, None);
        ledger.sent(MS, MS, true);
        ledger.sent(MS, MS, false);
        ledger.dropped(MS, true);
        ledger.close(2 * S);
        let late = Sample { due_ns: MS, done_ns: 3 * S, in_window: true, end: Err(Fault::Timeout) };
        ledger.ended(&late);
        ledger.window.balance().expect("balanced");
        assert_eq!((ledger.sent, ledger.answered, ledger.failed), (3, 1, 2));
        assert_eq!(ledger.window.failures, BTreeMap::from([("cancelled".into(), 1)]));
        assert_eq!((ledger.window.due, ledger.window.dropped), (3, 1));
    }

    #[test]
    fn a_stall_is_the_longest_time_in_which_requests_wait_and_none_ends() {
        let mut ledger = Ledger::new(0, 200 * MS);
        for i in 0..100 {
            answer(&mut ledger, i * MS, None);
        }
        // Nobody waits: no stall, however long.
        answer(&mut ledger, 5 * S, None);
        assert_eq!(ledger.window.stall_ns(), None);
        for i in 0..3 {
            ledger.sent(6 * S + i * 100 * MS, 6 * S + i * 100 * MS, true);
        }
        for _ in 0..3 {
            let end = Ok(answered(6 * S, 10, None));
            ledger.ended(&Sample { due_ns: 6 * S, done_ns: 7 * S, in_window: true, end });
        }
        assert_eq!(ledger.window.stall_ns(), Some(S));
    }

    #[test]
    fn seconds_without_answers_are_slices_too() {
        let mut ledger = Ledger::new(0, 200 * MS);
        answer(&mut ledger, 100 * MS, None);
        answer(&mut ledger, 3500 * MS, None);
        ledger.close(4 * S);
        let counts: Vec<_> = ledger.slices.iter().map(|s| (s.t_ns / S, s.answered)).collect();
        assert_eq!(counts, [(0, 1), (1, 0), (2, 0), (3, 1)]);
        assert_eq!(ledger.slices[1].p50_us, None);
    }

    #[test]
    fn the_hit_ratio_is_that_of_the_last_second_and_needs_enough_answers() {
        let mut ledger = Ledger::new(0, 200 * MS);
        for i in 0..1000 {
            answer(&mut ledger, i * MS, Some(CacheWord::Miss));
        }
        ledger.roll(S);
        assert_eq!(ledger.hit_ratio(), Some(0.0));
        for i in 1000..2000 {
            let word = if i % 4 == 0 { CacheWord::Miss } else { CacheWord::Hit };
            answer(&mut ledger, i * MS, Some(word));
        }
        ledger.roll(2 * S);
        let ratio = ledger.hit_ratio().expect("enough answers");
        assert!((ratio - 0.75).abs() < 0.01, "{ratio}");
        for i in 2000..3000 {
            let word = if i % 5 == 0 { CacheWord::Hit } else { CacheWord::Bypass };
            answer(&mut ledger, i * MS, Some(word));
        }
        ledger.roll(3 * S);
        assert_eq!(ledger.hit_ratio(), Some(1.0), "what goes past the cache did not ask it");
        ledger.begin_phase(3 * S);
        for i in 0..150 {
            answer(&mut ledger, 3 * S + i * MS, Some(CacheWord::Hit));
        }
        ledger.roll(5 * S);
        assert_eq!(ledger.hit_ratio(), None);
    }
}
