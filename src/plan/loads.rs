//! Load profiles: a closed model has users, an open one a rate, and neither has the other's keys. Either may be in
//! stages; an open one may look for its rate.

use super::codes;
use super::notes::Notes;
use super::types::{FillPlan, LoadPlan, ModelPlan, SearchPlan, StagePlan, Until, WarmupPlan};
use super::view::View;
use crate::spec::{Fill, Load, LoadModel, Processors, Search, Warmup};
use crate::units::sig3;

/// Requests under way at most where an open profile states no number.
const IN_FLIGHT: u32 = 4096;

/// A condition that ends a phase.
///
/// # Errors
///
/// What to write.
pub(super) fn until(text: &str) -> Result<Until, &'static str> {
    let help = "write `\"steady\"`, or a condition like `\"cache_hit_ratio >= 0.90\"`";
    if text.trim() == "steady" {
        return Ok(Until::Steady);
    }
    let (metric, limit) = text.split_once(">=").ok_or(help)?;
    match limit.trim().parse::<f64>() {
        Ok(x) if metric.trim() == "cache_hit_ratio" && x > 0.0 && x <= 1.0 => {
            Ok(Until::CacheHitRatioAtLeast(x))
        }
        _ => Err(help),
    }
}

/// A load profile as a variant sees it, without its targets; none if it contradicts itself. Of the requests of a
/// searched rate this share may fail.
pub(super) fn resolve(
    notes: &mut Notes<'_>,
    view: &View<'_>,
    name: &str,
    error_ratio_max: f64,
) -> Option<LoadPlan> {
    let load = view.document.load.get(name)?;
    let stages = stages(load);
    let found = level(load, &stages).zip(duration(load, &stages));
    let warmup = warmup(notes, view, name, &load.warmup);
    let fill = view.variant.and_then(|v| v.fill.as_ref());
    let fill = fill.and_then(|fill| resolve_fill(notes, view, fill));
    // `spec` has seen to it that a load states what its model needs, and nothing of the other's.
    let Some((level, duration_ns)) = found else {
        let path = notes.path_of(view.name, &["load", name]);
        let what = format!("load `{name}` lacks what its model needs");
        let help = "write `duration` and `users = …` or `rate = …`, or `stages = […]`";
        notes.error(codes::LOAD, &path, what, help);
        return None;
    };
    let search = match &load.search {
        Some(search) => Some(resolve_search(notes, view, name, search, error_ratio_max)?),
        None => None,
    };
    Some(LoadPlan {
        model: model(load, level),
        timeout_ns: load.timeout.0,
        duration_ns,
        warmup: warmup?,
        fill,
        targets: Vec::new(),
        stages,
        search,
        processors: match load.processors {
            None | Some(Processors::All) => None,
            Some(Processors::Last(count)) => Some(count.get()),
        },
    })
}

/// The stages, each with where it begins: a ramp begins where the stage before it ended.
fn stages(load: &Load) -> Vec<StagePlan> {
    let mut plans: Vec<StagePlan> = Vec::new();
    for stage in load.stages.iter().flatten() {
        let (level, ramp) = match load.model {
            LoadModel::Open => (stage.rate.map(|r| r.0), stage.ramp_to.map(|r| r.0)),
            LoadModel::Closed => (stage.users.map(f64::from), stage.ramp_to_users.map(f64::from)),
        };
        let before = plans.last().map(|stage| stage.to);
        let Some(from) = level.or(before) else { return Vec::new() };
        let to = ramp.unwrap_or(from);
        plans.push(StagePlan { duration_ns: stage.duration.0, from, to });
    }
    plans
}

/// The level of the warm-up, and of the window unless it has stages of its own or a rate that is searched.
fn level(load: &Load, stages: &[StagePlan]) -> Option<f64> {
    if let Some(first) = stages.first() {
        return Some(first.from);
    }
    match load.model {
        LoadModel::Closed => load.users.map(f64::from),
        LoadModel::Open => load.search.as_ref().map(|s| s.start).or(load.rate).map(|r| r.0),
    }
}

fn duration(load: &Load, stages: &[StagePlan]) -> Option<u64> {
    if stages.is_empty() {
        return load.duration.map(|span| span.0);
    }
    stages.iter().try_fold(0_u64, |sum, stage| sum.checked_add(stage.duration_ns))
}

fn model(load: &Load, level: f64) -> ModelPlan {
    match load.model {
        LoadModel::Closed => {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "it was a number of users before"
            )]
            let users = level as u32;
            ModelPlan::Closed { users, think_ns: load.think_time.map_or(0, |think| think.0) }
        }
        LoadModel::Open => ModelPlan::Open {
            rate_per_s: level,
            arrival: load.arrival.unwrap_or_default(),
            max_in_flight: load.max_in_flight.unwrap_or(IN_FLIGHT),
            connections: load.connections,
        },
    }
}

fn resolve_search(
    notes: &mut Notes<'_>,
    view: &View<'_>,
    name: &str,
    search: &Search,
    error_ratio_max: f64,
) -> Option<SearchPlan> {
    let (metric, at_most) = match Search::read_objective(&search.objective) {
        Ok(objective) => objective,
        Err(what) => {
            let path = notes.path_of(view.name, &["load", name, "search", "objective"]);
            let what = format!("the objective of load `{name}` {what}");
            notes.error(codes::LOAD, &path, what, "write like `\"response_time_p99 <= 50ms\"`");
            return None;
        }
    };
    let beyond = metric.quantile().map_or(1.0, |q| 1.0 - q);
    let requests = search.start.0 * search.step.secs();
    // A hair below one, because 1.0 - 0.99 is.
    if requests * beyond < 0.999 {
        notes.warn(format!(
            "load `{name}` judges its first rate by about {} requests, too few for `{}`: take longer steps, or a higher start",
            sig3(requests),
            metric.name()
        ));
    }
    Some(SearchPlan {
        metric,
        at_most_ns: at_most.0,
        most_per_s: search.most.0,
        step_ns: search.step.0,
        settle_ns: search.settle.0,
        precision: search.precision.0,
        error_ratio_max,
    })
}

fn warmup(
    notes: &mut Notes<'_>,
    view: &View<'_>,
    name: &str,
    warmup: &Warmup,
) -> Option<WarmupPlan> {
    let ends = match until(&warmup.until) {
        Ok(ends) => ends,
        Err(help) => {
            let path = notes.path_of(view.name, &["load", name, "warmup", "until"]);
            let what = format!("load `{name}`: this condition can't end a warm-up");
            notes.error(codes::LOAD, &path, what, help);
            return None;
        }
    };
    if ends != Until::Steady && view.variant.is_some() && !view.has_cache() {
        notes.warn(format!(
            "the warm-up of load `{name}` waits for cache hits, and `{}` has no cache: it takes its longest time",
            view.name
        ));
    }
    // `spec` has seen to it that the file states no warm-up then.
    if !view.document.design.cache_state.is_hot() {
        return Some(WarmupPlan { min_ns: 0, max_ns: 0, until: ends });
    }
    Some(WarmupPlan { min_ns: warmup.min.0, max_ns: warmup.max.0, until: ends })
}

fn resolve_fill(notes: &mut Notes<'_>, view: &View<'_>, fill: &Fill) -> Option<FillPlan> {
    let path = |key| ["variants", view.name, "fill", key];
    let ends = match until(&fill.until) {
        Ok(ends) => ends,
        Err(help) => {
            let what = format!("variant `{}`: this condition can't end a fill", view.name);
            notes.error(codes::LOAD, &path("until"), what, help);
            return None;
        }
    };
    if ends != Until::Steady && !view.has_cache() {
        let what = format!("variant `{}` fills a cache that none of its endpoints has", view.name);
        notes.error(codes::LOAD, &path("until"), what, "give the endpoint a cache, or drop `fill`");
    }
    Some(FillPlan { users: fill.users, max_ns: fill.max.0, until: ends })
}

/// Most connections that clients hold at once: those of the fill may still be open when the load starts.
pub(super) fn connections(load: &LoadPlan) -> u32 {
    load.most_under_way().saturating_add(load.fill.as_ref().map_or(0, |fill| fill.users))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_are_read() {
        assert_eq!(until("steady"), Ok(Until::Steady));
        assert_eq!(until("cache_hit_ratio >= 0.94"), Ok(Until::CacheHitRatioAtLeast(0.94)));
        assert_eq!(until("cache_hit_ratio>=1"), Ok(Until::CacheHitRatioAtLeast(1.0)));
        for wrong in [
            "",
            "stable",
            "cache_hit_ratio > 0.9",
            "cache_hit_ratio >= 94",
            "hits >= 0.5",
            "cache_hit_ratio >= NaN",
            "cache_hit_ratio >= -1",
            "cache_hit_ratio >= 0",
        ] {
            assert!(until(wrong).is_err(), "{wrong}");
        }
    }
}
