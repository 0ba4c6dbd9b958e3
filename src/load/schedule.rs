//! When to send, as a value: nothing here waits.

use super::dice::{Dice, Stream};
use crate::spec::Arrival;

/// Arrival times of an open load: nanoseconds since its start, without end, never falling.
#[derive(Debug, Clone)]
pub struct Arrivals {
    gap_ns: f64,
    arrival: Arrival,
    stream: Stream,
    count: u64,
    /// As a float it is exact to a microsecond over centuries, and gaps do not lose their fractions.
    last_ns: f64,
}

impl Arrivals {
    /// Arrivals at a rate above 0. `part` numbers the phases of a run: each has its own arrivals, so that the measured
    /// windows of all variants have the same ones, however long their warm-ups took.
    pub fn new(rate_per_s: f64, arrival: Arrival, seed: u64, part: u64) -> Self {
        let stream = Dice::new("arrivals", seed).stream(part);
        Self { gap_ns: 1e9 / rate_per_s, arrival, stream, count: 0, last_ns: 0.0 }
    }
}

impl Iterator for Arrivals {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        match self.arrival {
            // Multiplied, not summed: the rate stays exact.
            Arrival::Constant => self.last_ns = self.count as f64 * self.gap_ns,
            Arrival::Poisson => self.last_ns -= self.stream.unit().ln() * self.gap_ns,
        }
        self.count += 1;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "not negative, and the cast saturates"
        )]
        Some(self.last_ns as u64)
    }
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::*;

    const TEN_SECONDS: u64 = 10_000_000_000;

    fn poisson(rate: f64, seed: u64) -> Arrivals {
        Arrivals::new(rate, Arrival::Poisson, seed, 0)
    }

    #[test]
    fn constant_arrivals_are_equally_far_apart_at_exactly_the_rate() {
        let due: Vec<u64> = Arrivals::new(3000.0, Arrival::Constant, 1, 0)
            .take_while(|t| *t < TEN_SECONDS)
            .collect();
        assert_eq!(due.len(), 30_000);
        assert_eq!(due[..4], [0, 333_333, 666_666, 1_000_000]);
        assert_eq!(due[29_997], 9_999_000_000);
    }

    #[test]
    fn poisson_arrivals_keep_the_rate() {
        for seed in 0..20 {
            let count = poisson(5000.0, seed).take_while(|t| *t < TEN_SECONDS).count();
            // 5 sigma of a Poisson count of 50,000.
            assert!(count.abs_diff(50_000) < 1118, "{count}");
        }
        let long = poisson(5000.0, 3).take_while(|t| *t < 100 * TEN_SECONDS).count() as f64;
        assert!((long / 5_000_000.0 - 1.0).abs() < 0.005, "{long}");
    }

    #[test]
    fn gaps_of_poisson_arrivals_are_exponential() {
        let mut last = 0;
        let mut gaps = Vec::new();
        for t in poisson(1000.0, 42).take(20_000) {
            gaps.push((t - last) as f64 / 1e6);
            last = t;
        }
        let n = gaps.len() as f64;
        let mean = gaps.iter().sum::<f64>() / n;
        assert!((mean - 1.0).abs() < 0.03, "{mean}");
        gaps.sort_by(f64::total_cmp);
        // Anderson-Darling against the exponential law of the known rate: 6.0 is passed with p = 0.001.
        let law = |x: f64| (1.0 - (-x).exp()).clamp(1e-12, 1.0 - 1e-12);
        let sum: f64 = (0..gaps.len())
            .map(|i| {
                let (low, high) = (law(gaps[i]), law(gaps[gaps.len() - 1 - i]));
                (2.0 * i as f64 + 1.0) * (low.ln() + (1.0 - high).ln())
            })
            .sum();
        let statistic = -n - sum / n;
        assert!(statistic < 6.0, "{statistic}");
    }

    /// The first due times, and the SHA-256 of the first 10,000: one per line, in decimal.
    fn golden(arrival: Arrival) -> (Vec<u64>, String) {
        // `arrivals/1` of root seed 20250105, as `plan` draws it for the example's first block; part 3 is the window.
        let seed = crate::plan::seeds::derive(20_250_105, "arrivals/1");
        let due: Vec<u64> = Arrivals::new(1000.0, arrival, seed, 3).take(10_000).collect();
        let mut hash = Sha256::new();
        for at in &due {
            hash.update(format!("{at}\n"));
        }
        let digest =
            hash.finalize().iter().fold(String::new(), |text, b| text + &format!("{b:02x}"));
        (due[..4].to_vec(), digest)
    }

    #[test]
    fn the_example_has_the_same_arrivals_everywhere() {
        let (first, digest) = golden(Arrival::Poisson);
        assert_eq!(first, [3_177_893, 4_241_290, 4_755_136, 5_221_966]);
        assert_eq!(digest, "484147fceb5ac3b0f28651253d659ac7c02f9b52c59a5dbff5c24c5f127c4bda");
        let (first, digest) = golden(Arrival::Constant);
        assert_eq!(first, [0, 1_000_000, 2_000_000, 3_000_000]);
        assert_eq!(digest, "8bf840fe5b419e499ca5fbe838703c327663675ea3c98559bbf8e6a27297e1e4");
    }

    #[test]
    fn the_same_seed_gives_the_same_arrivals_and_another_does_not() {
        let first = |seed, part| {
            Arrivals::new(100.0, Arrival::Poisson, seed, part).take(50).collect::<Vec<_>>()
        };
        assert_eq!(first(1, 0), first(1, 0));
        assert_ne!(first(1, 0), first(2, 0));
        assert_ne!(first(1, 0), first(1, 1));
    }
}
