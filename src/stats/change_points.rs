//! Where a series changed its level: a distance between what came before and after, and a test of what it found.
//!
//! Divisive, as Otava does it: the split of a stretch at which both sides differ most by energy distance, kept if Welch's
//! test of the two sides says so, and then each side by itself. Splits were looked for, so that the test is told more
//! often than it may be wrong by: its limit is strict, and what is found is a hint for people, never a verdict.

use crate::stats::estimate::mean_and_sd;
use crate::stats::two_runs::shift;

/// Fewest values on a side: less have no scatter that could be believed.
const FEWEST: usize = 3;
/// Longer series are looked at from their end.
const MOST: usize = 1000;
/// Largest p-value of a change, as in Otava.
pub const CHANGE_P: f64 = 0.001;

/// A series changed its level.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ChangePoint {
    /// Position of the first value at the new level.
    pub at: usize,
    /// The new level over the old one.
    pub ratio: f64,
    /// Of Welch's test between the stretches on both sides.
    pub p_value: f64,
}

/// The change points of a series of positive values, oldest first; changes smaller than `least` (0.05 for 5 %) are none.
/// Values that have no logarithm make a series without any.
pub fn change_points(values: &[f64], least: f64) -> Vec<ChangePoint> {
    let skipped = values.len().saturating_sub(MOST);
    let series = &values[skipped..];
    if !series.iter().all(|x| x.is_finite() && *x > 0.0) {
        return Vec::new();
    }
    let logs: Vec<f64> = series.iter().map(|x| x.ln()).collect();
    let mut splits = Vec::new();
    let mut waiting = vec![(0, logs.len())];
    while let Some((from, to)) = waiting.pop() {
        let Some(at) = best_split(&logs[from..to]).map(|at| from + at) else { continue };
        if is_change(&logs[from..at], &logs[at..to]) {
            splits.push(at);
            waiting.extend([(from, at), (at, to)]);
        }
    }
    splits.sort_unstable();
    weak_removed(&logs, splits, least)
        .into_iter()
        .map(|change| ChangePoint { at: change.at + skipped, ..change })
        .collect()
}

/// The split with the largest energy distance between both sides.
fn best_split(logs: &[f64]) -> Option<usize> {
    let n = logs.len();
    if n < 2 * FEWEST {
        return None;
    }
    let (mut best, mut at) = (0.0, None);
    for split in FEWEST..=n - FEWEST {
        let distance = energy(&logs[..split], &logs[split..]);
        if distance > best {
            (best, at) = (distance, Some(split));
        }
    }
    at
}

/// The energy statistic of Székely and Rizzo.
fn energy(a: &[f64], b: &[f64]) -> f64 {
    let (n, m) = (a.len() as f64, b.len() as f64);
    let between = mean_distance(a, b);
    n * m / (n + m) * (2.0 * between - mean_distance(a, a) - mean_distance(b, b))
}

/// Mean of |x − y| over all pairs: by sorted values and running sums, because it is asked for often.
fn mean_distance(a: &[f64], b: &[f64]) -> f64 {
    let mut all: Vec<(f64, bool)> =
        a.iter().map(|x| (*x, true)).chain(b.iter().map(|x| (*x, false))).collect();
    all.sort_by(|x, y| x.0.total_cmp(&y.0));
    let (mut of_a, mut of_b, mut sum) = ((0.0, 0.0), (0.0, 0.0), 0.0);
    for (x, is_a) in all {
        let (own, other) = if is_a { (&mut of_a, &of_b) } else { (&mut of_b, &of_a) };
        sum += x * other.0 - other.1;
        own.0 += 1.0;
        own.1 += x;
    }
    sum / (a.len() * b.len()) as f64
}

fn is_change(before: &[f64], after: &[f64]) -> bool {
    p_value(before, after).is_some_and(|p| p <= CHANGE_P)
}

fn p_value(before: &[f64], after: &[f64]) -> Option<f64> {
    let shift = shift(before, after)?;
    Some((2.0 * shift.p_above(0.0).min(shift.p_below(0.0))).min(1.0))
}

/// Each split beside its neighbours: those that no longer are changes, or small ones, go, the weakest first.
fn weak_removed(logs: &[f64], mut splits: Vec<usize>, least: f64) -> Vec<ChangePoint> {
    loop {
        let ends: Vec<usize> =
            std::iter::once(0).chain(splits.iter().copied()).chain([logs.len()]).collect();
        let changes: Vec<ChangePoint> = ends
            .windows(3)
            .map(|w| {
                let (before, after) = (&logs[w[0]..w[1]], &logs[w[1]..w[2]]);
                ChangePoint {
                    at: w[1],
                    ratio: (mean_and_sd(after).0 - mean_and_sd(before).0).exp(),
                    p_value: p_value(before, after).unwrap_or(1.0),
                }
            })
            .collect();
        let is_weak = |c: &ChangePoint| c.p_value > CHANGE_P || c.ratio.ln().abs() < least.ln_1p();
        let weakest = changes
            .iter()
            .filter(|change| is_weak(change))
            .min_by(|a, b| a.ratio.ln().abs().total_cmp(&b.ratio.ln().abs()));
        match weakest {
            None => return changes,
            Some(weakest) => splits.retain(|at| *at != weakest.at),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Levels that alternate a little, so many values each.
    fn series(levels: &[(f64, usize)]) -> Vec<f64> {
        let wobble = |i: usize| 1.0 + 0.01 * ((i * 7919 % 11) as f64 - 5.0) / 5.0;
        levels
            .iter()
            .flat_map(|(level, n)| std::iter::repeat_n(*level, *n))
            .enumerate()
            .map(|(i, level)| level * wobble(i))
            .collect()
    }

    #[test]
    fn changes_are_found_where_they_were_made() {
        let found = change_points(&series(&[(100.0, 12), (130.0, 9), (90.0, 10)]), 0.05);
        assert_eq!(found.iter().map(|c| c.at).collect::<Vec<_>>(), [12, 21]);
        assert!((found[0].ratio - 1.3).abs() < 0.02 && (found[1].ratio - 0.69).abs() < 0.02);
    }

    #[test]
    fn a_small_change_a_short_series_and_values_without_logarithm_have_none() {
        assert!(change_points(&series(&[(100.0, 12), (103.0, 12)]), 0.05).is_empty());
        assert_eq!(change_points(&series(&[(100.0, 12), (103.0, 12)]), 0.01).len(), 1);
        assert!(change_points(&series(&[(100.0, 2), (300.0, 3)]), 0.05).is_empty());
        assert!(change_points(&[1.0, 0.0, 1.0, 1.0, 5.0, 5.0, 5.0], 0.05).is_empty());
        assert!(change_points(&[], 0.05).is_empty());
    }

    #[test]
    fn one_odd_run_is_no_change() {
        let mut values = series(&[(100.0, 20)]);
        values[9] = 160.0;
        assert!(change_points(&values, 0.05).is_empty());
    }

    #[test]
    fn a_distance_is_the_mean_over_all_pairs() {
        assert!(
            (mean_distance(&[1.0, 4.0], &[2.0, 2.0, 7.0])
                - (1.0 + 1.0 + 6.0 + 2.0 + 2.0 + 3.0) / 6.0)
                .abs()
                < 1e-12
        );
    }

    proptest! {
        #[test]
        fn whatever_the_series_the_points_are_within_it_and_ascend(
            values in proptest::collection::vec(1e-3..1e6_f64, 0..40),
        ) {
            let found = change_points(&values, 0.05);
            prop_assert!(found.windows(2).all(|w| w[0].at < w[1].at));
            prop_assert!(found.iter().all(|c| c.at >= FEWEST && c.at + FEWEST <= values.len()));
        }
    }
}
