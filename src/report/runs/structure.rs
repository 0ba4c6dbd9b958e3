//! What is the same on any machine: plans, and work counted for each request. No clock is in these figures.
//!
//! Servers do a little beside the requests (catalogues are read, a checkpoint writes), and a cache that is asked more often
//! hits more often. So each figure is counted for the requests that cause it, a little is allowed for the rest, and a figure
//! has changed only if all blocks of one run lie beyond all blocks of the other.

use std::collections::BTreeSet;

use super::gate::Passes;
use crate::report::cells::{Cell, cell, data_value};
use crate::report::explain::{of_variant, scans, shape};
use crate::report::values::show;
use crate::results::{Results, TrialRecord, Window, Witness};
use crate::spec::Metric;
use crate::units::{bytes, sig3};

/// So much lower a hit ratio than in any block of the kept run is another cache, not a slower machine.
const HIT_RATIO: f64 = 0.10;
/// Figures of what happens on misses need so many of them.
const FEWEST: u64 = 100;

/// A figure that should be the same, and is or is not.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Exact {
    /// The variant.
    pub(super) variant: String,
    /// The load; none of data.
    pub(super) load: Option<String>,
    /// `buffers of Postgres for each statement`.
    pub(super) what: String,
    /// In the kept, or earlier, run.
    pub(super) before: String,
    /// In the later one.
    pub(super) after: String,
    /// Whether it changed by more than is tolerated.
    pub(super) change: Change,
}

/// Whether what should be the same is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    /// It is.
    None,
    /// In some blocks it is not.
    InPart,
    /// It is not.
    Whole,
}

impl Change {
    fn whole(changed: bool) -> Self {
        if changed { Self::Whole } else { Self::None }
    }

    /// What a gate makes of it.
    pub(super) fn passes(self) -> Passes {
        match self {
            Self::None => Passes::Yes,
            Self::InPart => Passes::Unknown,
            Self::Whole => Passes::No,
        }
    }
}

/// A figure of a trial: how much of what for how many, and what comes on top whatever the requests.
struct Counted {
    what: &'static str,
    /// How the figure is printed.
    unit: fn(f64) -> String,
    of: fn(&Window, &Witness) -> Option<(u64, u64)>,
    /// In the whole trial, beside the requests.
    allowed: u64,
    /// What a figure may differ by at least, where more than the requests decides it.
    loose: f64,
}

/// Requests that came to a statement: those that the cache did not answer.
fn reached(w: &Witness) -> u64 {
    let answered = w.api_cache_hits + w.api_refused.unwrap_or(0) + w.api_unconnected.unwrap_or(0);
    w.api_requests.saturating_sub(answered)
}

const COUNTED: [Counted; 7] = [
    Counted {
        what: "SQL statements for each request that the cache did not answer",
        unit: sig3,
        of: |_, w| Some((w.api_statements, reached(w))),
        allowed: 2,
        loose: 0.0,
    },
    Counted {
        what: "index scans for each statement",
        unit: sig3,
        // Where Postgres is somebody else's, none of its counts is known.
        of: |_, w| {
            let scans = w.buffers_hit.map(|_| w.index_scans.values().sum::<u64>());
            Some((scans?, w.api_statements))
        },
        allowed: 20,
        loose: 0.0,
    },
    Counted {
        what: "buffers of Postgres for each statement",
        unit: sig3,
        of: |_, w| Some((w.buffers_hit? + w.buffers_read?, w.api_statements)),
        // Catalogues, for each connection.
        allowed: 3_000,
        loose: 0.0,
    },
    Counted {
        what: "temporary bytes for each statement",
        unit: bytes,
        of: |_, w| Some((w.temp_bytes?, w.api_statements)),
        allowed: 1 << 20,
        // Workers that are free share a sort.
        loose: 0.2,
    },
    Counted {
        what: "write-ahead log for each statement",
        unit: bytes,
        of: |_, w| Some((w.wal_bytes?, w.api_statements)),
        allowed: 4 << 20,
        // The first change of a page after a checkpoint logs all of it: fewer requests have more such firsts.
        loose: 0.5,
    },
    Counted {
        what: "Redis look-ups for each request that asked the cache",
        unit: sig3,
        of: |_, w| Some((w.redis_hits? + w.redis_misses?, w.api_cache_hits + w.api_cache_misses)),
        allowed: 20,
        loose: 0.0,
    },
    Counted {
        what: "bytes of each answer",
        unit: bytes,
        of: |w, _| Some((w.response_bytes, w.answered)),
        allowed: 0,
        loose: 0.0,
    },
];

/// Everything exact that both runs have, in the order of the first one's plan.
pub(super) fn exact(before: &Results, after: &Results, tolerance: f64) -> Vec<Exact> {
    let mut all = Vec::new();
    for variant in before.plan.variants.iter().map(|v| v.name.as_str()) {
        if !after.plan.variants.iter().any(|v| v.name == variant) {
            continue;
        }
        all.extend(plans(before, after, variant));
        for metric in [Metric::IndexBytes, Metric::TableBytes] {
            all.extend(of_data(before, after, variant, metric, tolerance));
        }
        for load in &before.plan.loads {
            let both = (cell(before, variant, load), cell(after, variant, load));
            let (Some(old), Some(new)) = both else { continue };
            let figures = if asks_by_the_clock(&old) { &COUNTED[1..] } else { &COUNTED };
            for counted in figures {
                all.extend(counted.of_cells(&old, &new, tolerance));
            }
            all.extend(hit_ratio(&old, &new));
        }
    }
    all
}

/// Whether entries of its cache are renewed behind the requests' backs, or requests that miss at the same time share a
/// statement: then the first of the figures, statements for each miss, is not that of the work but of the hour.
fn asks_by_the_clock(cell: &Cell<'_>) -> bool {
    let mut caches = cell.plan.api.endpoints.iter().filter_map(|e| e.cache.as_ref());
    caches.any(|cache| cache.refresh.is_some() || cache.single_flight)
}

impl Counted {
    fn of_cells(&self, old: &Cell<'_>, new: &Cell<'_>, tolerance: f64) -> Option<Exact> {
        let old_range = self.range(old)?;
        if !self.is_known(new) {
            return Some(Exact {
                variant: old.plan.variant.clone(),
                load: Some(old.plan.load.clone()),
                what: self.what.into(),
                before: (self.unit)(old_range.middle()),
                after: "not known".into(),
                change: Change::InPart,
            });
        }
        let new_range = self.range(new)?;
        let tolerance = tolerance.max(self.loose);
        let room = |range: &Range, side: f64| {
            let edge = if side < 0.0 { range.low } else { range.high };
            edge * (1.0 + side * tolerance) + side * range.beside
        };
        let (before, after) = (old_range.middle(), new_range.middle());
        let changed = room(&new_range, -1.0) > room(&old_range, 1.0)
            || room(&new_range, 1.0) < room(&old_range, -1.0);
        Some(Exact {
            variant: old.plan.variant.clone(),
            load: Some(old.plan.load.clone()),
            what: self.what.into(),
            before: (self.unit)(before),
            after: (self.unit)(after),
            change: Change::whole(changed),
        })
    }

    /// Whether each valid trial says how much there was, if only of little.
    fn is_known(&self, cell: &Cell<'_>) -> bool {
        let of_trial = |trial: &&TrialRecord| {
            let both = trial.window.as_ref().zip(trial.witness.as_ref());
            both.is_some_and(|(window, witness)| (self.of)(window, witness).is_some())
        };
        cell.valid().iter().all(of_trial)
    }

    /// Over the valid trials; none where one does not know it, or too few requests caused it.
    fn range(&self, cell: &Cell<'_>) -> Option<Range> {
        let of_trial = |trial: &TrialRecord| -> Option<(f64, f64)> {
            let (sum, causes) = (self.of)(trial.window.as_ref()?, trial.witness.as_ref()?)?;
            (causes >= FEWEST.min(requests(trial)).max(1))
                .then(|| (sum as f64 / causes as f64, self.allowed as f64 / causes as f64))
        };
        let figures: Vec<(f64, f64)> =
            cell.valid().into_iter().map(of_trial).collect::<Option<_>>()?;
        let least = |pick: fn(&(f64, f64)) -> f64| figures.iter().map(pick).min_by(f64::total_cmp);
        let most = |pick: fn(&(f64, f64)) -> f64| figures.iter().map(pick).max_by(f64::total_cmp);
        Some(Range { low: least(|f| f.0)?, high: most(|f| f.0)?, beside: most(|f| f.1)? })
    }
}

/// A slow variant may have answered fewer requests than are asked for: then those will do.
fn requests(trial: &TrialRecord) -> u64 {
    trial.witness.as_ref().map_or(0, |w| w.api_requests)
}

/// The figure over the blocks.
struct Range {
    low: f64,
    high: f64,
    /// What comes on top for other reasons, at most.
    beside: f64,
}

impl Range {
    fn middle(&self) -> f64 {
        f64::midpoint(self.low, self.high)
    }
}

/// Plans by their shapes, of all valid trials: all of the later run must be of the kept one.
fn plans(before: &Results, after: &Results, variant: &str) -> Option<Exact> {
    let shapes = |results: &Results| -> BTreeSet<String> {
        let of_variant =
            results.trials.iter().filter(|t| t.variant == variant && t.outcome.is_valid());
        of_variant.filter_map(|t| t.plan_hash.clone()).collect()
    };
    let (old, new) = (shapes(before), shapes(after));
    if old.is_empty() || new.is_empty() {
        return None;
    }
    let (was, is) = (captured(before, variant), captured(after, variant));
    let change = if old.is_disjoint(&new) {
        // Another querylab may digest the same plan to another hash.
        Change::whole(was.is_empty() || was != is)
    } else if new.is_subset(&old) {
        Change::None
    } else {
        // They share a hash, so both digest alike, and the other one is of another plan.
        Change::InPart
    };
    let what = if change == Change::InPart { "plan in some blocks" } else { "plan" };
    Some(Exact {
        variant: variant.into(),
        load: None,
        what: what.into(),
        before: read_by(before, variant),
        after: read_by(after, variant),
        change,
    })
}

/// The shapes of the captured plans, in the order of the endpoints.
fn captured(results: &Results, variant: &str) -> Vec<Vec<String>> {
    of_variant(results, variant).into_iter().map(shape).collect()
}

/// What reads the tables, in words.
fn read_by(results: &Results, variant: &str) -> String {
    let plans = of_variant(results, variant).into_iter();
    let all: Vec<String> = plans.flat_map(scans).collect();
    if all.is_empty() { "another shape".into() } else { all.join(", ") }
}

/// Sizes are exact, but a page more or less is none.
fn of_data(
    before: &Results,
    after: &Results,
    variant: &str,
    metric: Metric,
    tolerance: f64,
) -> Option<Exact> {
    let (old, new) = (data_value(before, metric, variant)?, data_value(after, metric, variant)?);
    let page = 8192.0;
    Some(Exact {
        variant: variant.into(),
        load: None,
        what: crate::report::values::name(metric),
        before: show(metric, old),
        after: show(metric, new),
        change: Change::whole((new - old).abs() > old * tolerance + page),
    })
}

/// How often a cache hits depends on how many requests it saw. That it hardly does any more does not.
fn hit_ratio(old: &Cell<'_>, new: &Cell<'_>) -> Option<Exact> {
    let ratios = |cell: &Cell<'_>| -> Option<Vec<f64>> {
        let of = |trial: &&TrialRecord| {
            let w = trial.witness.as_ref()?;
            let asked = w.api_cache_hits + w.api_cache_misses + w.api_cache_errors;
            (asked >= FEWEST).then(|| w.api_cache_hits as f64 / asked as f64)
        };
        cell.valid().iter().map(of).collect()
    };
    let (old_ratios, new_ratios) = (ratios(old)?, ratios(new)?);
    let least = old_ratios.iter().copied().min_by(f64::total_cmp)?;
    let most = new_ratios.iter().copied().max_by(f64::total_cmp)?;
    let middle = |ratios: &[f64]| crate::stats::median(ratios).unwrap_or_default();
    Some(Exact {
        variant: old.plan.variant.clone(),
        load: Some(old.plan.load.clone()),
        what: "share of look-ups that the cache answered".into(),
        before: crate::units::share(middle(&old_ratios)),
        after: crate::units::share(middle(&new_ratios)),
        change: Change::whole(most < least - HIT_RATIO),
    })
}

impl Exact {
    /// Whether it changed at all.
    pub(super) fn is_changed(&self) -> bool {
        self.change != Change::None
    }

    /// One line.
    pub(super) fn line(&self) -> String {
        let under = self.load.as_ref().map(|l| format!(" under {l}")).unwrap_or_default();
        format!("{} of {}{under}: {}, was {}", self.what, self.variant, self.after, self.before)
    }
}
