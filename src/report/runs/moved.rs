//! How a variant stood to the baseline of its own run, block by block, in two runs: whatever was slower for both cancels.

use crate::report::cells::{Cell, cell};
use crate::report::values::is_latency;
use crate::results::Results;
use crate::spec::Metric;
use crate::stats::OfBlock;

/// Log-ratios to the baseline of the same block; none where the design has no such pairs, or a value has no logarithm.
pub(super) fn log_ratios(
    results: &Results,
    variant: &str,
    load: &str,
    metric: Metric,
) -> Result<Vec<OfBlock>, String> {
    let baseline = &results.plan.design.baseline;
    let of = |variant: &str| {
        cell(results, variant, load).ok_or_else(|| format!("{variant} is not run under {load}"))
    };
    let (own, base) = (of(variant)?, of(baseline)?);
    sound(&own, metric)?;
    sound(&base, metric)?;
    let pairs = own.pairs(&base, metric).map_err(crate::report::values::Missing::text)?;
    let mut all = Vec::new();
    for pair in pairs {
        if !(pair.baseline > 0.0 && pair.variant > 0.0) {
            return Err(format!("the value of block {} has no ratio", pair.block));
        }
        all.push((pair.block, pair.variant.ln() - pair.baseline.ln()));
    }
    if all.is_empty() {
        return Err("no block has both".into());
    }
    Ok(all)
}

fn sound(cell: &Cell<'_>, metric: Metric) -> Result<(), String> {
    let variant = &cell.plan.variant;
    if cell.is_incorrect() {
        Err(format!("a trial of {variant} failed its checks"))
    } else if is_latency(metric) && cell.is_overloaded() {
        Err(format!("{variant} dropped requests"))
    } else {
        Ok(())
    }
}
