//! Which rate is tried next: up until one fails, then into the gap. Nothing here waits.

use crate::plan::SEARCH_GROWTH;

/// How far down a search goes where even its first rate fails: halves of halves.
const MOST_HALVINGS: i32 = 10;

/// What a search has done.
#[derive(Debug, Clone, PartialEq)]
pub struct Searched {
    /// The highest rate that kept the objective, per second; none where even the lowest failed.
    pub max_rate_per_s: Option<f64>,
    /// In the order in which they were tried.
    pub steps: Vec<SearchStep>,
}

/// One rate that was tried.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SearchStep {
    /// From its first arrival, since the load began.
    pub from_ns: u64,
    /// Until its last one.
    pub until_ns: u64,
    /// Arrivals per second.
    pub rate_per_s: f64,
    /// What became of it.
    pub end: StepEnd,
    /// What the objective is about, in microseconds; none where it took for ever.
    pub figure_us: Option<f64>,
    /// The generator's CPU over the step: 1.0 is one core.
    pub generator_cpu_share: f64,
}

/// What became of a rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepEnd {
    /// The objective was kept.
    Kept,
    /// Answers took too long.
    Slow,
    /// Too many requests failed.
    Failed,
    /// Too many were under way, and arrivals were dropped.
    Dropped,
    /// Nothing was due: the rate is too low for the step.
    Empty,
}

impl StepEnd {
    /// For people and files.
    pub fn word(self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::Slow => "too slow",
            Self::Failed => "failures",
            Self::Dropped => "dropped",
            Self::Empty => "nothing due",
        }
    }
}

/// A search under way.
#[derive(Debug, Clone)]
pub(super) struct Search {
    start: f64,
    most: f64,
    precision: f64,
    /// Highest rate that was kept.
    kept: Option<f64>,
    /// Lowest rate that failed.
    failed: Option<f64>,
}

impl Search {
    /// A search from `start` up to `most` arrivals per second, until the gap between kept and failed is within the
    /// precision, a share above 0.
    pub(super) fn new(start: f64, most: f64, precision: f64) -> Self {
        Self { start, most, precision, kept: None, failed: None }
    }

    /// The rate to be tried now; none when the search is over.
    pub(super) fn next(&self) -> Option<f64> {
        match (self.kept, self.failed) {
            (None, None) => Some(self.start),
            (Some(kept), None) => (kept < self.most).then(|| (kept * SEARCH_GROWTH).min(self.most)),
            (None, Some(failed)) => {
                let lower = failed / 2.0;
                (lower >= self.start / 2_f64.powi(MOST_HALVINGS)).then_some(lower)
            }
            (Some(kept), Some(failed)) => {
                (failed > kept * (1.0 + self.precision)).then(|| (kept * failed).sqrt())
            }
        }
    }

    /// Takes down what became of the rate that was tried.
    pub(super) fn judged(&mut self, end: StepEnd) {
        let tried = self.next();
        if end == StepEnd::Kept {
            self.kept = tried;
        } else {
            self.failed = tried;
        }
    }

    /// The highest rate that was kept so far.
    pub(super) fn found(&self) -> Option<f64> {
        self.kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{LoadPlan, ModelPlan, SearchPlan};
    use crate::spec::{Arrival, Metric};

    /// The rates that are tried where all up to `capacity` are kept, and what is found.
    fn tried(start: f64, most: f64, precision: f64, capacity: f64) -> (Vec<f64>, Option<f64>) {
        let mut search = Search::new(start, most, precision);
        let mut rates = Vec::new();
        while let Some(rate) = search.next() {
            rates.push(rate);
            search.judged(if rate <= capacity { StepEnd::Kept } else { StepEnd::Slow });
            assert!(rates.len() < 200, "no end: {rates:?}");
        }
        (rates, search.found())
    }

    #[test]
    fn rates_go_up_by_a_quarter_until_one_fails_and_then_into_the_gap() {
        let (rates, found) = tried(100.0, 20_000.0, 0.05, 190.0);
        let rounded: Vec<f64> = rates.iter().map(|rate| (rate * 10.0).round() / 10.0).collect();
        // Between 156.3 and 195.3: 174.7 is kept, then 184.7, then 189.9.
        assert_eq!(rounded, [100.0, 125.0, 156.3, 195.3, 174.7, 184.7, 189.9]);
        assert!(found.is_some_and(|rate| (rate - 189.95).abs() < 0.1), "{found:?}");
    }

    #[test]
    fn what_is_found_is_within_the_precision_of_the_capacity_and_never_above_it() {
        for precision in [0.01, 0.05, 0.25] {
            for i in 0..200 {
                let capacity = 3.0 * 1.045_f64.powi(i);
                let (rates, found) = tried(100.0, 20_000.0, precision, capacity);
                let found = found.expect("a rate");
                assert!(found <= capacity, "{found} {capacity}");
                let bound = capacity.min(20_000.0);
                assert!(found * (1.0 + precision) * 1.000_001 >= bound, "{found} {capacity}");
                assert!(rates.iter().all(|rate| *rate <= 20_000.0));
            }
        }
    }

    #[test]
    fn a_search_that_starts_too_high_goes_down_and_gives_up_at_a_thousandth() {
        let (rates, found) = tried(100.0, 200.0, 0.1, 30.0);
        assert_eq!(rates[..3], [100.0, 50.0, 25.0]);
        assert!(found.is_some_and(|rate| (27.0..=30.0).contains(&rate)), "{found:?}");
        let (rates, found) = tried(1024.0, 2000.0, 0.1, 0.5);
        assert_eq!((rates.len(), rates.last(), found), (11, Some(&1.0), None));
    }

    #[test]
    fn the_highest_rate_that_may_be_tried_is_the_end() {
        let (rates, found) = tried(100.0, 150.0, 0.05, 1e9);
        assert_eq!((rates, found), (vec![100.0, 125.0, 150.0], Some(150.0)));
        let (rates, found) = tried(100.0, 100.0, 0.05, 1e9);
        assert_eq!((rates, found), (vec![100.0], Some(100.0)));
    }

    #[test]
    fn it_takes_no_more_steps_than_the_estimate_says() {
        for precision in [0.01, 0.05, 0.25] {
            for i in 0..60 {
                let capacity = 100.0 * 1.1_f64.powi(i);
                let (rates, _) = tried(100.0, 20_000.0, precision, capacity);
                let search = SearchPlan {
                    metric: Metric::ResponseTimeP99,
                    at_most_ns: 1,
                    most_per_s: 20_000.0,
                    step_ns: 1,
                    settle_ns: 0,
                    precision,
                    error_ratio_max: 0.0,
                };
                let arrival = Arrival::Poisson;
                let model = ModelPlan::Open {
                    rate_per_s: 100.0,
                    arrival,
                    max_in_flight: 1,
                    connections: None,
                };
                let search = Some(search);
                let plan = LoadPlan { model, search, ..crate::load::fixtures::example() };
                assert!(rates.len() as u64 <= plan.most_search_steps(), "{capacity}: {rates:?}");
            }
        }
    }
}
