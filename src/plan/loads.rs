//! Load profiles: a closed model has users, an open one a rate, and neither has the other's keys.

use super::codes;
use super::notes::Notes;
use super::types::{FillPlan, LoadPlan, ModelPlan, Until, WarmupPlan};
use super::view::View;
use crate::spec::{Fill, Load, LoadModel, Warmup};

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

/// A load profile as a variant sees it, without its targets; none if it contradicts itself.
pub(super) fn resolve(notes: &mut Notes<'_>, view: &View<'_>, name: &str) -> Option<LoadPlan> {
    let load = view.document.load.get(name)?;
    let model = model(notes, view, name, load);
    let warmup = warmup(notes, view, name, &load.warmup);
    let fill = view.variant.and_then(|v| v.fill.as_ref());
    let fill = fill.and_then(|fill| resolve_fill(notes, view, fill));
    Some(LoadPlan {
        model: model?,
        timeout_ns: load.timeout.0,
        duration_ns: load.duration.0,
        warmup: warmup?,
        fill,
        targets: Vec::new(),
    })
}

/// `spec` has seen to it that a load states what its model needs, and nothing of the other's.
fn model(notes: &mut Notes<'_>, view: &View<'_>, name: &str, load: &Load) -> Option<ModelPlan> {
    let model = match load.model {
        LoadModel::Closed => load.users.map(|users| ModelPlan::Closed {
            users,
            think_ns: load.think_time.map_or(0, |think| think.0),
        }),
        LoadModel::Open => load.rate.map(|rate| ModelPlan::Open {
            rate_per_s: rate.0,
            arrival: load.arrival.unwrap_or_default(),
            max_in_flight: load.max_in_flight.unwrap_or(IN_FLIGHT),
            connections: load.connections,
        }),
    };
    if model.is_none() {
        let path = notes.path_of(view.name, &["load", name]);
        let what = format!("load `{name}` lacks what its model needs");
        notes.error(codes::LOAD, &path, what, "write `users = …` or `rate = …`");
    }
    model
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
    let driven = match load.model {
        ModelPlan::Closed { users, .. } => users,
        ModelPlan::Open { max_in_flight, connections, .. } => {
            connections.map_or(max_in_flight, |most| most.min(max_in_flight))
        }
    };
    driven.saturating_add(load.fill.as_ref().map_or(0, |fill| fill.users))
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
