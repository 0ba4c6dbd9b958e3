//! When to send, as a value: nothing here waits.

use super::dice::{Dice, Stream};
use crate::plan::StagePlan;
use crate::spec::Arrival;

/// Arrival times of an open load: nanoseconds since its start, never falling.
#[derive(Debug, Clone)]
pub struct Arrivals {
    pace: Pace,
    arrival: Arrival,
    stream: Stream,
    count: u64,
    /// As a float it is exact to a microsecond over centuries, and gaps do not lose their fractions. Nanoseconds at a
    /// level; in stages, arrivals of a process of one a time unit.
    last: f64,
}

#[derive(Debug, Clone)]
enum Pace {
    /// Nanoseconds from one to the next; without end.
    Level(f64),
    /// One behind the other, to the end of the last one.
    Stages(Vec<Stretch>),
}

/// A stage with what comes before it.
#[derive(Debug, Clone, Copy)]
struct Stretch {
    start_ns: f64,
    duration_ns: f64,
    /// Arrivals per second at its beginning and at its end.
    from: f64,
    to: f64,
    /// Arrivals before it, and by its end.
    before: f64,
    by_end: f64,
}

impl Arrivals {
    /// Arrivals at a rate above 0, without end. `part` numbers the phases of a run: each has its own arrivals, so that
    /// the measured windows of all variants have the same ones, however long their warm-ups took.
    pub fn new(rate_per_s: f64, arrival: Arrival, seed: u64, part: u64) -> Self {
        Self::at(Pace::Level(1e9 / rate_per_s), arrival, seed, part)
    }

    /// Arrivals in stages, to the end of the last one: a process of constant rate whose time is stretched and squeezed
    /// until its rate is that of the stages. So equal gaps become gaps that hold one arrival each by the integral of
    /// the rate, and exponential ones a Poisson process with that rate.
    pub fn staged(stages: &[StagePlan], arrival: Arrival, seed: u64, part: u64) -> Self {
        let mut stretches: Vec<Stretch> = Vec::new();
        for stage in stages {
            let last = stretches.last();
            let start_ns = last.map_or(0.0, |s| s.start_ns + s.duration_ns);
            let before = last.map_or(0.0, |s| s.by_end);
            let (from, to) = (stage.from, stage.to);
            let duration_ns = stage.duration_ns as f64;
            let by_end = before + f64::midpoint(from, to) * duration_ns / 1e9;
            stretches.push(Stretch { start_ns, duration_ns, from, to, before, by_end });
        }
        Self::at(Pace::Stages(stretches), arrival, seed, part)
    }

    fn at(pace: Pace, arrival: Arrival, seed: u64, part: u64) -> Self {
        let stream = Dice::new("arrivals", seed).stream(part);
        Self { pace, arrival, stream, count: 0, last: 0.0 }
    }
}

impl Stretch {
    /// When so many arrivals have come, in nanoseconds; they lie within this stretch.
    fn when(&self, arrivals: f64) -> f64 {
        let own = (arrivals - self.before).max(0.0);
        let steeper = (self.to - self.from) * 1e9 / self.duration_ns;
        // The root of `own = from t + steeper t² / 2`, in the form that loses no digits where the ramp is flat.
        let root = (self.from * self.from + 2.0 * own * steeper).max(0.0).sqrt();
        // To the nearest: what is due with a second's beginning must not fall into the second before.
        (self.start_ns + 2e9 * own / (self.from + root)).round()
    }
}

impl Iterator for Arrivals {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        let gap = if let Pace::Level(gap_ns) = self.pace { gap_ns } else { 1.0 };
        match self.arrival {
            // Multiplied, not summed: the rate stays exact.
            Arrival::Constant => self.last = self.count as f64 * gap,
            Arrival::Poisson => self.last -= self.stream.unit().ln() * gap,
        }
        self.count += 1;
        let ns = match &self.pace {
            Pace::Level(_) => self.last,
            Pace::Stages(stretches) => {
                let at = stretches.partition_point(|stretch| stretch.by_end <= self.last);
                let ns = stretches.get(at)?.when(self.last);
                let end = stretches.last().map_or(0.0, |last| last.start_ns + last.duration_ns);
                Some(ns).filter(|ns| *ns < end)?
            }
        };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "not negative, and the cast saturates"
        )]
        Some(ns as u64)
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

    fn stage(seconds: u64, from: f64, to: f64) -> StagePlan {
        StagePlan { duration_ns: seconds * 1_000_000_000, from, to }
    }

    /// 100/s for 2 s, up to 900/s in 4 s, down to 300/s in 3 s, 50/s for 2 s: 200 + 2000 + 1800 + 100.
    fn hill() -> [StagePlan; 4] {
        [
            stage(2, 100.0, 100.0),
            stage(4, 100.0, 900.0),
            stage(3, 900.0, 300.0),
            stage(2, 50.0, 50.0),
        ]
    }

    /// Arrivals of the hill in each second, by the integral of its rate.
    const HILL: [u32; 11] = [100, 100, 200, 400, 600, 800, 800, 600, 400, 50, 50];

    fn by_second(due: impl Iterator<Item = u64>) -> [u32; 11] {
        let mut seconds = [0; 11];
        for at in due {
            seconds[usize::try_from(at / 1_000_000_000).expect("small")] += 1;
        }
        seconds
    }

    #[test]
    fn constant_arrivals_in_stages_come_exactly_by_the_integral_of_the_rate() {
        let due: Vec<u64> = Arrivals::staged(&hill(), Arrival::Constant, 1, 3).collect();
        assert_eq!(by_second(due.iter().copied()), HILL);
        assert_eq!(due.len(), 4100);
        assert_eq!(due[..3], [0, 10_000_000, 20_000_000]);
        // The ramp: 100 t + 100 t² = n, after 2 s; the hundredth comes half of (√5 - 1) seconds later.
        assert_eq!(due[200], 2_000_000_000);
        assert_eq!(due[300], 2_618_033_989);
        // The level at its end.
        assert_eq!(due[4000], 9_000_000_000);
        assert_eq!(due[4099], 10_980_000_000);
        assert!(due.is_sorted());
    }

    #[test]
    fn a_stage_of_one_level_is_that_level() {
        let level = [stage(10, 3000.0, 3000.0)];
        for arrival in [Arrival::Constant, Arrival::Poisson] {
            let staged: Vec<u64> = Arrivals::staged(&level, arrival, 5, 3).collect();
            let plain: Vec<u64> =
                Arrivals::new(3000.0, arrival, 5, 3).take_while(|t| *t < TEN_SECONDS).collect();
            assert_eq!(staged.len(), plain.len());
            let apart = staged.iter().zip(&plain).map(|(a, b)| a.abs_diff(*b)).max();
            // A nanosecond or two of rounding.
            assert!(apart.is_some_and(|ns| ns < 10), "{apart:?}");
        }
    }

    #[test]
    fn poisson_arrivals_in_stages_keep_the_rate_of_each_second() {
        for seed in 0..20 {
            let seconds = by_second(Arrivals::staged(&hill(), Arrival::Poisson, seed, 3));
            for (count, wanted) in seconds.into_iter().zip(HILL) {
                // Five standard deviations of a Poisson count.
                let most = 5.0 * f64::from(wanted).sqrt();
                assert!(f64::from(count.abs_diff(wanted)) < most, "{seed}: {seconds:?}");
            }
        }
    }

    #[test]
    fn ramps_are_the_same_for_a_seed_and_others_for_another_one() {
        let all = |seed, part| {
            Arrivals::staged(&hill(), Arrival::Poisson, seed, part).collect::<Vec<_>>()
        };
        assert_eq!(all(1, 3), all(1, 3));
        assert_ne!(all(1, 3), all(2, 3));
        assert_ne!(all(1, 3), all(1, 2));
        assert!(all(1, 3).is_sorted());
    }
}
