//! Looks at the same code again: what each has measured, and how sure one of several must be.

use super::{gate, moved};
use crate::plan::RegressionPlan;
use crate::results::{Look, Results};
use crate::spec::Metric;
use crate::stats::OfBlock;

/// Blocks of a confirmation count from here, so that none is there twice; those of each earlier run as far again.
pub(super) const CONFIRMED_FROM: u32 = 1000;

/// Pocock's nominal levels: so often may each of 1, 2, … looks err where all together may 5 % of the time.
const POCOCK: [f64; 10] =
    [0.05, 0.0294, 0.0221, 0.0182, 0.0158, 0.0142, 0.0130, 0.0120, 0.0112, 0.0106];

/// How often each of so many looks may err.
pub(super) fn level(looks: usize) -> f64 {
    let known = POCOCK.get(looks.saturating_sub(1)).copied();
    // Beyond the table by Bonferroni, which is stricter.
    known.unwrap_or(0.05 / looks as f64)
}

/// How often a look may call a sound run slower: it and each of the runs before it may look twice.
pub(super) fn fail_level(earlier: &[Look]) -> f64 {
    level(2 * (earlier.len() + 1))
}

/// How often a look may pass a slower run: no run is passed by being measured often.
pub(super) fn pass_level(earlier: &[Look]) -> f64 {
    level(earlier.len() + 1)
}

/// What earlier runs have measured of a ratio.
pub(super) fn earlier_ratios(
    earlier: &[Look],
    (variant, load): (&str, &str),
    metric: Metric,
) -> Vec<OfBlock> {
    let key = key((variant, load), metric);
    let of = |(from, look): (u32, &Look)| {
        let ratios = look.ratios.get(&key).cloned().unwrap_or_default();
        ratios.into_iter().map(move |(block, x)| (from.saturating_add(block), x))
    };
    (1..).map(|n: u32| n.saturating_mul(10 * CONFIRMED_FROM)).zip(earlier).flat_map(of).collect()
}

/// What a run has measured, with what was measured once more: a line of the ledger. None of a machine that was unreliable.
pub fn look(now: &Results, confirmed: Option<&Results>, limits: &RegressionPlan) -> Option<Look> {
    let is_reliable = |run: &Results| gate::unreliable(run, "it").is_none();
    if !is_reliable(now) {
        return None;
    }
    let confirmed = confirmed.filter(|again| is_reliable(again));
    let run = &now.manifest.run;
    let mut look = Look {
        run: run.run.clone(),
        finished_at: now.manifest.finished_at.clone(),
        ratios: std::collections::BTreeMap::new(),
    };
    let baseline = now.plan.design.baseline.as_str();
    for (metric, _) in &limits.ratios {
        for cell in now.plan.cells.iter().filter(|cell| cell.variant != baseline) {
            let place = (cell.variant.as_str(), cell.load.as_str());
            let of = |results: &Results| moved::log_ratios(results, place.0, place.1, *metric);
            let Ok(mut ratios) = of(now) else { continue };
            let more = confirmed.and_then(|again| of(again).ok()).unwrap_or_default();
            ratios.extend(more.into_iter().map(|(block, x)| (block + CONFIRMED_FROM, x)));
            look.ratios.insert(key(place, *metric), ratios);
        }
    }
    Some(look)
}

fn key((variant, load): (&str, &str), metric: Metric) -> String {
    format!("{}:{load}:{variant}", metric.name())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_further_look_must_be_surer() {
        let levels: Vec<f64> = (1..40).map(level).collect();
        assert!(levels.is_sorted_by(|a, b| a > b), "{levels:?}");
        assert!((level(1) - 0.05).abs() < 1e-12 && (level(2) - 0.0294).abs() < 1e-12);
    }
}
