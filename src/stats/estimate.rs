//! One variant's figure over its blocks: a mean of trial values, with a t interval.

use statrs::distribution::{ChiSquared, ContinuousCDF, StudentsT};

use crate::stats::Interval;

/// How trial values are averaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// On logarithms: times, rates, sizes. Their errors multiply.
    Log,
    /// As they are: shares and counts for each request, which may be zero.
    Linear,
}

/// A mean over blocks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// Blocks.
    pub n: usize,
    /// The mean, in the metric's unit.
    pub mean: f64,
    /// Its t interval; none for a single block.
    pub interval: Option<Interval>,
}

/// The mean of trial values and its interval at `confidence`; none without values, with one that is not finite, or,
/// on logarithms, with one that is not positive.
pub fn estimate(values: &[f64], scale: Scale, confidence: f64) -> Option<Estimate> {
    let usable = |x: &f64| x.is_finite() && (scale == Scale::Linear || *x > 0.0);
    if values.is_empty() || !values.iter().all(usable) {
        return None;
    }
    let n = values.len();
    let y: Vec<f64> = match scale {
        Scale::Log => values.iter().map(|x| x.ln()).collect(),
        Scale::Linear => values.to_vec(),
    };
    let back = |x: f64| if scale == Scale::Log { x.exp() } else { x };
    let (mean, sd) = mean_and_sd(&y);
    let interval = (n >= 2).then(|| {
        let half = half_width(sd, n, confidence);
        Interval { low: back(mean - half), high: back(mean + half) }
    });
    Some(Estimate { n, mean: back(mean), interval })
}

/// The geometric mean; none without values or with one that is not positive and finite.
pub fn geometric_mean(values: &[f64]) -> Option<f64> {
    estimate(values, Scale::Log, 0.95).map(|e| e.mean)
}

/// The median, the mean of the middle two for an even number; none without values.
pub fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let n = sorted.len();
    if n == 0 {
        return None;
    }
    Some(f64::midpoint(sorted[(n - 1) / 2], sorted[n / 2]))
}

/// The standard deviation of the logarithms: how values scatter as shares of themselves. None for fewer than two, or
/// with one that is not positive and finite.
pub fn scatter(values: &[f64]) -> Option<f64> {
    let usable = values.len() >= 2 && values.iter().all(|x| x.is_finite() && *x > 0.0);
    usable.then(|| mean_and_sd(&values.iter().map(|x| x.ln()).collect::<Vec<f64>>()).1)
}

/// Where the true standard deviation lies if `n` values of a bell shape gave `sd`, by the chi-squared distribution. None
/// for a single value.
pub fn scatter_interval(sd: f64, n: usize, confidence: f64) -> Option<Interval> {
    let freedom = n.checked_sub(1).filter(|f| *f > 0)? as f64;
    let squares = ChiSquared::new(freedom).ok()?;
    let end = |p: f64| sd * (freedom / squares.inverse_cdf(p)).sqrt();
    let tail = f64::midpoint(1.0, -confidence);
    Some(Interval { low: end(1.0 - tail), high: end(tail) })
}

/// Mean and sample standard deviation (0 for one value, and for equal ones).
pub(super) fn mean_and_sd(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = sum(values) / n;
    match values.first() {
        // Equal values have no spread; rounding of their mean must not make one.
        Some(first) if values.iter().all(|x| x.total_cmp(first).is_eq()) => (*first, 0.0),
        _ => {
            let squares: Vec<f64> = values.iter().map(|x| (x - mean) * (x - mean)).collect();
            (mean, (sum(&squares) / (n - 1.0)).sqrt())
        }
    }
}

/// A sum that is the same to the last digit for any order of the values, and exactly negated for negated ones: up
/// and down the sorted values, and the middle of both.
fn sum(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let up: f64 = sorted.iter().sum();
    let down: f64 = sorted.iter().rev().sum();
    f64::midpoint(up, down)
}

/// Half the width of the two-sided t interval of a mean of n ≥ 2 values.
pub(super) fn half_width(sd: f64, n: usize, confidence: f64) -> f64 {
    t_quantile(n, f64::midpoint(1.0, confidence)) * sd / (n as f64).sqrt()
}

/// The quantile of Student's t with n - 1 degrees of freedom, n ≥ 2.
pub(super) fn t_quantile(n: usize, p: f64) -> f64 {
    student(n).inverse_cdf(p)
}

/// The two-sided p-value of a t statistic with n - 1 degrees of freedom, n ≥ 2.
pub(super) fn t_p_value(n: usize, t: f64) -> f64 {
    (2.0 * student(n).sf(t.abs())).min(1.0)
}

fn student(n: usize) -> StudentsT {
    let freedom = n.saturating_sub(1).max(1) as f64;
    StudentsT::new(0.0, 1.0, freedom).expect("one or more degrees of freedom make a distribution")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(got: f64, want: f64) {
        assert!((got - want).abs() < 5e-4 * want.abs().max(1.0), "{got} is not {want}");
    }

    #[test]
    fn quantiles_of_t_are_the_published_ones() {
        near(t_quantile(8, 0.975), 2.3646);
        near(t_quantile(6, 0.975), 2.5706);
        near(t_quantile(8, 0.95), 1.8946);
        near(t_quantile(8, 0.80), 0.8960);
        near(t_quantile(2, 0.975), 12.7062);
        near(t_p_value(8, 2.3646), 0.05);
    }

    #[test]
    fn a_scatter_of_few_values_is_known_roughly_only() {
        // Chi-squared with 7 degrees: 1.6899 and 16.0128 cut off 2.5 % each.
        let i = scatter_interval(0.03, 8, 0.95).expect("eight values");
        near(i.low / 0.03, 0.661_17);
        near(i.high / 0.03, 2.035_27);
        assert_eq!(scatter_interval(0.03, 1, 0.95), None);
        assert_eq!(scatter_interval(0.03, 0, 0.95), None);
    }

    #[test]
    fn a_scatter_is_of_shares_and_has_no_unit() {
        let sd = scatter(&[100.0, 110.0]).expect("two values");
        near(sd, 1.1_f64.ln() / 2.0_f64.sqrt());
        near(scatter(&[1.0, 1.1]).expect("two values"), sd);
        assert_eq!(scatter(&[1.0]), None);
        assert_eq!(scatter(&[1.0, 0.0]), None);
    }

    #[test]
    fn a_mean_of_times_is_geometric_with_the_interval_of_t() {
        let e = estimate(&[1.0, 10.0, 100.0], Scale::Log, 0.95).expect("values");
        near(e.mean, 10.0);
        let interval = e.interval.expect("three blocks");
        // ln 10 * 4.3027 / sqrt(3) = 5.71991; e^5.71991 = 304.88.
        near(interval.high / e.mean, 304.88);
        near(e.mean / interval.low, 304.88);
    }

    #[test]
    fn a_mean_of_shares_is_arithmetic_and_may_be_zero() {
        let e = estimate(&[0.0, 0.0, 0.3], Scale::Linear, 0.95).expect("values");
        near(e.mean, 0.1);
        assert_eq!(estimate(&[0.0, 1.0], Scale::Log, 0.95), None);
        assert_eq!(estimate(&[f64::NAN], Scale::Linear, 0.95), None);
    }

    #[test]
    fn equal_values_have_an_interval_of_no_width_and_one_value_has_none() {
        let e = estimate(&[0.1; 7], Scale::Linear, 0.95).expect("values");
        assert_eq!(e.interval, Some(Interval { low: 0.1, high: 0.1 }));
        assert_eq!(estimate(&[2.0], Scale::Log, 0.95).and_then(|e| e.interval), None);
    }

    #[test]
    fn medians_and_geometric_means_of_known_values() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(median(&[]), None);
        near(geometric_mean(&[2.0, 8.0]).expect("values"), 4.0);
    }
}
