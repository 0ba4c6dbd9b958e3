//! A search for the highest rate: each one is driven for a while, judged, and drained before the next.

use std::rc::Rc;

use hdrhistogram::Histogram;

use super::clock::thread_cpu_ns;
use super::engine::{Phase, Step};
use super::ledger::Sample;
use super::phases::{Conductor, Ended, PhaseEvent, TICK_NS};
use super::places::Part;
use super::recording::{Recording, histogram, rank_ns, record};
use super::schedule::Arrivals;
use super::search::{Search, SearchStep, Searched, StepEnd};
use super::senders::Leg;
use crate::plan::{ModelPlan, SearchPlan};
use crate::spec::{Arrival, Metric};

/// Steps have arrivals of their own, numbered behind those of the parts of a run.
const FIRST_STEP: u64 = Part::Window as u64 + 1;

/// What became of the requests that a rate is judged by.
#[derive(Debug)]
pub(super) struct StepBooks {
    sent: u64,
    dropped: u64,
    answered: u64,
    failed: u64,
    response: Histogram<u64>,
    service: Histogram<u64>,
    broken: Option<anyhow::Error>,
}

impl StepBooks {
    /// Nothing yet.
    pub(super) fn new() -> Self {
        Self {
            sent: 0,
            dropped: 0,
            answered: 0,
            failed: 0,
            response: histogram(),
            service: histogram(),
            broken: None,
        }
    }

    /// A request is due and goes out.
    pub(super) fn sent(&mut self) {
        self.sent += 1;
    }

    /// A request is due and cannot go out.
    pub(super) fn dropped(&mut self) {
        self.dropped += 1;
    }

    /// A request that was sent has ended.
    pub(super) fn ended(&mut self, sample: &Sample) {
        let Ok(answered) = sample.end else {
            self.failed += 1;
            return;
        };
        self.answered += 1;
        let since = |ns: u64| sample.done_ns.saturating_sub(ns);
        let recorded = record(&mut self.response, since(sample.due_ns))
            .and_then(|()| record(&mut self.service, since(answered.sent_ns)));
        if let Err(e) = recorded {
            self.broken.get_or_insert(e);
        }
    }

    /// What an objective is about, in nanoseconds; none where it took for ever, because of failures, or nothing came.
    fn figure_ns(&self, metric: Metric) -> Option<f64> {
        let is_service = metric.name().starts_with("service_time");
        let times = if is_service { &self.service } else { &self.response };
        let total = self.answered + self.failed;
        match metric.quantile() {
            Some(q) => rank_ns(times, (q * total as f64).ceil().max(1.0)).map(|ns| ns as f64),
            None if self.failed > 0 || times.is_empty() => None,
            None if metric == Metric::ResponseTimeMean => Some(times.mean()),
            None => Some(times.max() as f64),
        }
    }

    /// Whether the rate is one that the objective allows.
    fn judge(&self, search: &SearchPlan) -> StepEnd {
        if self.dropped > 0 {
            StepEnd::Dropped
        } else if self.sent == 0 {
            StepEnd::Empty
        } else if self.failed as f64 > search.error_ratio_max * self.sent as f64 {
            StepEnd::Failed
        } else if self.figure_ns(search.metric).is_some_and(|ns| ns <= search.at_most_ns as f64) {
            StepEnd::Kept
        } else {
            StepEnd::Slow
        }
    }
}

impl Conductor {
    /// Looks for the highest rate that keeps the objective, and leaves the load running at it, not measured yet.
    pub(super) async fn search(
        &mut self,
        plan: SearchPlan,
        recording: &mut Recording,
    ) -> anyhow::Result<Ended> {
        let ModelPlan::Open { rate_per_s, arrival, .. } = self.engine.plan.model else {
            return Ok(Ended::Aborted("only an open load can search for a rate".into()));
        };
        self.begin(Phase::Rest, PhaseEvent::SearchStarted);
        let mut search = Search::new(rate_per_s, plan.most_per_s, plan.precision);
        let mut steps = Vec::new();
        let mut ended = self.answers().await?;
        while let (Ended::TimeUp, Some(rate)) = (&ended, search.next()) {
            let number = FIRST_STEP + steps.len() as u64;
            let arrivals = Arrivals::new(rate, arrival, self.engine.arrivals_seed, number);
            let (step, how) = self.step(&plan, rate, arrivals).await?;
            ended = how;
            if ended == Ended::TimeUp {
                search.judged(step.end);
                self.tell(PhaseEvent::Stepped {
                    rate_per_s: rate,
                    end: step.end,
                    figure_us: step.figure_us,
                });
                steps.push(step);
            }
        }
        let found = search.found();
        recording.search = Some(Searched { max_rate_per_s: found, steps });
        match (ended, found) {
            (Ended::TimeUp, Some(rate)) => self.settle(&plan, rate, arrival).await,
            (Ended::TimeUp, None) => {
                let why = format!(
                    "no rate keeps {} at {}: even {}/s did not",
                    plan.metric.name(),
                    crate::units::Span(plan.at_most_ns),
                    crate::units::sig3(recording.lowest_tried())
                );
                Ok(Ended::Aborted(why))
            }
            (ended, _) => Ok(ended),
        }
    }

    /// Drives one rate, and waits for its answers.
    async fn step(
        &mut self,
        plan: &SearchPlan,
        rate: f64,
        arrivals: Arrivals,
    ) -> anyhow::Result<(SearchStep, Ended)> {
        let start = self.engine.clock.now();
        let judged = start + plan.settle_ns;
        let mut step = Step { start, judged, end: judged + plan.step_ns };
        let cpu_ns = thread_cpu_ns();
        self.engine.step.replace(StepBooks::new());
        self.turn(Phase::Step(step));
        let legs = vec![(Leg::Step, arrivals)];
        self.tasks.spawn_local(Rc::clone(&self.engine).dispatch(legs));
        let mut how = Ended::TimeUp;
        loop {
            let now = self.look()?;
            if self.is_cancelled() {
                how = Ended::Cancelled;
                break;
            }
            // What has failed for certain need not go on.
            if now >= step.end || self.engine.step.borrow().dropped > 0 {
                step.end = step.end.min(now);
                break;
            }
            self.progress(now);
            self.timer.until(step.end.min(now + TICK_NS)).await?;
        }
        let cpu_ns = thread_cpu_ns() - cpu_ns;
        self.engine.phase.set(Phase::Step(step));
        self.engine.turned.notify_waiters();
        if how == Ended::TimeUp {
            how = self.answers().await?;
        }
        self.turn(Phase::Rest);
        let mut books = self.engine.step.borrow_mut();
        if let Some(broken) = books.broken.take() {
            return Err(broken);
        }
        let took_ns = step.end - start;
        let step = SearchStep {
            from_ns: start,
            until_ns: step.end,
            rate_per_s: rate,
            end: books.judge(plan),
            figure_us: books.figure_ns(plan.metric).map(|ns| ns / 1e3),
            generator_cpu_share: cpu_ns as f64 / took_ns.max(1) as f64,
        };
        Ok((step, how))
    }

    /// Begins the arrivals of the window at the rate that was found, and lets them settle.
    async fn settle(
        &mut self,
        plan: &SearchPlan,
        rate: f64,
        arrival: Arrival,
    ) -> anyhow::Result<Ended> {
        let seed = self.engine.arrivals_seed;
        let leg = |leg, part| (leg, Arrivals::new(rate, arrival, seed, part as u64));
        let legs = vec![leg(Leg::Warmup, Part::Warmup), leg(Leg::Window, Part::Window)];
        let until = self.turn(Phase::Warmup) + plan.settle_ns;
        self.tasks.spawn_local(Rc::clone(&self.engine).dispatch(legs));
        self.until(None, until, until).await
    }
}

impl Recording {
    /// The lowest rate that a search has tried; 0 without one.
    fn lowest_tried(&self) -> f64 {
        let steps = self.search.iter().flat_map(|search| &search.steps);
        let lowest = steps.map(|step| step.rate_per_s).min_by(f64::total_cmp);
        lowest.unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::fault::Fault;
    use crate::load::fixtures::{self, MS};

    fn plan(metric: Metric, at_most_ms: u64, error_ratio_max: f64) -> SearchPlan {
        SearchPlan {
            metric,
            at_most_ns: at_most_ms * MS,
            most_per_s: 1.0,
            step_ns: 1,
            settle_ns: 1,
            precision: 0.05,
            error_ratio_max,
        }
    }

    /// Answers after 1 to `answered` ms, each sent a millisecond late, and failures.
    fn books(answered: u64, failed: u64) -> StepBooks {
        let mut books = StepBooks::new();
        for i in 1..=answered + failed {
            books.sent();
            let answer = fixtures::answered(MS, 0, None);
            let end = if i > answered { Err(Fault::Timeout) } else { Ok(answer) };
            books.ended(&Sample { due_ns: 0, done_ns: i * MS, in_window: false, end });
        }
        books
    }

    #[test]
    fn a_rate_is_judged_by_its_quantile_however_few_its_requests_are() {
        let books = books(100, 0);
        assert_eq!(books.judge(&plan(Metric::ResponseTimeP99, 100, 0.0)), StepEnd::Kept);
        assert_eq!(books.judge(&plan(Metric::ResponseTimeP99, 98, 0.0)), StepEnd::Slow);
        assert_eq!(books.judge(&plan(Metric::ServiceTimeP50, 50, 0.0)), StepEnd::Kept);
        assert_eq!(books.judge(&plan(Metric::ResponseTimeP50, 49, 0.0)), StepEnd::Slow);
        assert_eq!(books.judge(&plan(Metric::ResponseTimeMax, 101, 0.0)), StepEnd::Kept);
        assert_eq!(books.judge(&plan(Metric::ResponseTimeMean, 51, 0.0)), StepEnd::Kept);
        assert_eq!(books.judge(&plan(Metric::ResponseTimeMean, 50, 0.0)), StepEnd::Slow);
    }

    #[test]
    fn failures_took_for_ever_and_too_many_of_them_or_a_dropped_one_fail_the_rate() {
        let mut books = books(99, 1);
        assert_eq!(books.judge(&plan(Metric::ResponseTimeP99, 100, 0.01)), StepEnd::Kept);
        assert_eq!(books.judge(&plan(Metric::ResponseTimeP999, 500, 0.01)), StepEnd::Slow);
        assert_eq!(books.judge(&plan(Metric::ResponseTimeMax, 500, 0.01)), StepEnd::Slow);
        assert_eq!(books.judge(&plan(Metric::ResponseTimeP50, 99, 0.005)), StepEnd::Failed);
        books.dropped();
        assert_eq!(books.judge(&plan(Metric::ResponseTimeP50, 99, 0.01)), StepEnd::Dropped);
        let none = StepBooks::new();
        assert_eq!(none.judge(&plan(Metric::ResponseTimeP50, 99, 0.01)), StepEnd::Empty);
    }
}
