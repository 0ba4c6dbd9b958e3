//! What a quantile or a zero may say: how many samples stand behind it.

/// Samples in each trial that a quantile needs before it is printed, `20 / (1 - q)`; `per_mille` is 990 for p99.
///
/// With fewer, less than 20 samples lie beyond the quantile, and it is the memory of a few accidents.
pub fn samples_needed(per_mille: u32) -> u64 {
    u64::from(20_000_u32.div_ceil(1000_u32.saturating_sub(per_mille).max(1)))
}

/// The 95 % upper bound of a probability of which no case was seen in `n`: 3 / n, at most 1.
pub fn none_in(n: u64) -> f64 {
    if n == 0 { 1.0 } else { (3.0 / n as f64).min(1.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twenty_samples_lie_beyond_a_quantile_that_is_printed() {
        let needed: Vec<u64> = [500, 900, 950, 990, 999].map(samples_needed).to_vec();
        assert_eq!(needed, [40, 200, 400, 2000, 20_000]);
        assert_eq!(samples_needed(1000), 20_000);
    }

    #[test]
    fn no_errors_seen_is_no_proof_of_none() {
        for (n, bound) in [(0, 1.0), (1, 1.0), (3000, 0.001)] {
            assert!((none_in(n) - bound).abs() < 1e-15, "{n}");
        }
    }
}
