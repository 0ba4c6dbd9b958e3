//! The same variant twice: from its trials to how a block scatters, and to the blocks that an effect takes here.

use super::figures::{Noise, NoiseFigure, Seen};
use crate::results::{Results, TrialRecord, Window};
use crate::spec::Metric;
use crate::stats::{
    Interval, Orientation, Pair, Precision, Question, blocks_for_precision, blocks_to_detect,
    compare, detectable, scatter_interval,
};

/// Confidence of what follows for experiments.
const CONFIDENCE: f64 = 0.95;
/// Confidence of the ratio's own interval, as in reports.
const RATIO_CONFIDENCE: f64 = 0.99;
/// The effect that blocks are counted for.
const EFFECT: f64 = 0.05;
/// A design of more blocks is none.
const MOST_BLOCKS: u32 = 1000;
/// Blocks of which it is told what they show.
const DESIGNS: [usize; 3] = [6, 8, 12];

/// Takes a metric from a window.
type Pick = fn(&Window) -> Option<f64>;

/// Median latency and throughput of one user.
const METRICS: [(Metric, Pick); 2] = [
    (Metric::ResponseTimeP50, |w| w.response_time.p50_us),
    (Metric::Throughput, |w| Some(w.rate_rps)),
];

/// The figures of all metrics; those of which fewer than two blocks have both trials are left out.
pub(super) fn noise(results: &Results) -> Noise {
    let figures = METRICS
        .iter()
        .filter_map(|(metric, pick)| figure(*metric, &pairs(results, *pick)))
        .collect();
    Noise { blocks: results.plan.design.blocks, figures }
}

/// Both trials of each block, where both are valid.
fn pairs(results: &Results, pick: Pick) -> Vec<Pair> {
    let baseline = &results.plan.design.baseline;
    let value = |t: &TrialRecord| t.window.as_ref().filter(|_| t.outcome.is_valid()).and_then(pick);
    let of = |block: u32, is_baseline: bool| {
        let its = |t: &&TrialRecord| t.block == block && (t.variant == *baseline) == is_baseline;
        results.trials.iter().filter(its).find_map(value)
    };
    (1..=results.plan.design.blocks)
        .filter_map(|block| {
            Some(Pair { block, baseline: of(block, true)?, variant: of(block, false)? })
        })
        .collect()
}

fn figure(metric: Metric, pairs: &[Pair]) -> Option<NoiseFigure> {
    let question = Question {
        // Of a variant and itself neither side is the better one.
        orientation: Orientation::LowerIsBetter,
        confidence: RATIO_CONFIDENCE,
        margin: EFFECT,
        family: 1,
    };
    let comparison = compare(pairs, question).ok()?;
    let spread = comparison.spread?;
    let (n, sd) = (comparison.n, spread.sd_log);
    let Interval { low, high } = scatter_interval(sd, n, CONFIDENCE)?;
    let precision = Precision { half_width: EFFECT, confidence: CONFIDENCE, most: MOST_BLOCKS };
    Some(NoiseFigure {
        metric: metric.name().to_owned(),
        n,
        ratio: comparison.ratio,
        ratio_low_99: spread.interval.low,
        ratio_high_99: spread.interval.high,
        sd_log: sd,
        sd_log_low_95: low,
        sd_log_high_95: high,
        detectable: DESIGNS
            .map(|blocks| Seen { blocks, difference: detectable(sd, blocks, CONFIDENCE) })
            .to_vec(),
        blocks_to_see_5_percent: blocks_to_detect(EFFECT, sd, CONFIDENCE, MOST_BLOCKS),
        blocks_for_5_percent_half_width: blocks_for_precision(sd, n, precision),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Eight blocks whose log-ratios have this standard deviation around none.
    fn with_sd(sd: f64) -> Vec<Pair> {
        let step = (sd * (7.0_f64 / 8.0).sqrt()).exp();
        let of = |block| if block % 2 == 0 { step } else { 1.0 / step };
        (1..=8).map(|block| Pair { block, baseline: 100.0, variant: 100.0 * of(block) }).collect()
    }

    #[test]
    fn a_scatter_of_so_much_takes_so_many_blocks() {
        let near = |got: f64, want: f64| assert!((got - want).abs() < 1e-3, "{got} is not {want}");
        let f = figure(Metric::ResponseTimeP50, &with_sd(0.03)).expect("eight pairs");
        assert_eq!((f.metric.as_str(), f.n), ("response_time_p50", 8));
        near(f.ratio, 1.0);
        near(f.sd_log, 0.03);
        near(f.sd_log_low_95, 0.0198);
        near(f.sd_log_high_95, 0.0611);
        let seen: Vec<usize> = f.detectable.iter().map(|s| s.blocks).collect();
        assert_eq!(seen, [6, 8, 12]);
        // method, simulation 6: 3.5 % at n = 8.
        near(f.detectable[1].difference, 0.035);
        assert_eq!(f.blocks_to_see_5_percent, Some(6));
        let f = figure(Metric::Throughput, &with_sd(0.08)).expect("eight pairs");
        let blocks = f.blocks_to_see_5_percent.expect("fewer than a thousand");
        assert!((20..26).contains(&blocks), "{blocks}");
        // (2.364624 * 0.08 / ln 1.05)^2 = 15.03.
        assert_eq!(f.blocks_for_5_percent_half_width, 16);
    }

    #[test]
    fn one_block_has_no_scatter_and_nothing_is_told() {
        assert_eq!(figure(Metric::Throughput, &with_sd(0.03)[..1]), None);
        assert_eq!(figure(Metric::Throughput, &[]), None);
    }
}
