//! Sessions whose truth is known, because they were drawn: scatter, drift, neighbours, and the order of trials.

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

use crate::stats::{Orientation, Pair, Question, Spread, compare};

/// What is asked of all of them.
pub(super) const QUESTION: Question =
    Question { orientation: Orientation::LowerIsBetter, confidence: 0.95, margin: 0.05, family: 1 };

/// How a trial's logarithm scatters; the standard deviation is the shape's for all of them.
#[derive(Debug, Clone, Copy)]
pub(super) enum Scatter {
    Normal,
    /// Student's t with three degrees of freedom.
    HeavyTails,
    /// One trial in twenty scatters five times as far.
    Outliers,
    /// Log-normal: long to the slow side.
    Skewed,
}

/// In which order the trials of the two variants are run.
#[derive(Debug, Clone, Copy)]
pub(super) enum Order {
    /// Random inside each block: ours.
    Random,
    /// ABAB.
    Alternating,
    /// AAA..BBB.
    Halves,
}

/// A kind of session.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    /// The truth.
    pub(super) ratio: f64,
    /// Standard deviation of a block's log-ratio.
    pub(super) sd: f64,
    pub(super) blocks: u32,
    pub(super) scatter: Scatter,
    /// Standard deviation of what a block's trials have in common.
    pub(super) level_sd: f64,
    /// Logarithm by which everything slows down from the first trial to the last.
    pub(super) drift: f64,
    /// Correlation of a trial with the one before it.
    pub(super) memory: f64,
    pub(super) order: Order,
}

pub(super) const PLAIN: Shape = Shape {
    ratio: 1.0,
    sd: 0.03,
    blocks: 8,
    scatter: Scatter::Normal,
    level_sd: 0.3,
    drift: 0.0,
    memory: 0.0,
    order: Order::Random,
};

/// Draws sessions of one shape.
pub(super) struct World {
    rng: ChaCha8Rng,
    pub(super) shape: Shape,
}

impl World {
    pub(super) fn new(seed: u64, shape: Shape) -> Self {
        Self { rng: ChaCha8Rng::seed_from_u64(seed), shape }
    }

    /// The blocks of a session.
    pub(super) fn session(&mut self) -> Vec<Pair> {
        let s = self.shape;
        let trials = self.trials();
        (0..s.blocks)
            .map(|i| {
                let (first, second) = match s.order {
                    Order::Halves => (i, i + s.blocks),
                    Order::Random | Order::Alternating => (2 * i, 2 * i + 1),
                };
                let flip = matches!(s.order, Order::Random) && self.uniform() < 0.5;
                let (a, b) = if flip { (second, first) } else { (first, second) };
                let at = |slot: u32| trials[slot as usize];
                Pair { block: i + 1, baseline: at(a), variant: s.ratio * at(b) }
            })
            .collect()
    }

    pub(super) fn spread(&mut self) -> Spread {
        self.spread_for(QUESTION)
    }

    pub(super) fn spread_for(&mut self, question: Question) -> Spread {
        let comparison = compare(&self.session(), question).expect("pairs of positive values");
        comparison.spread.expect("two or more blocks")
    }

    /// Two for each block, in the order of time.
    fn trials(&mut self) -> Vec<f64> {
        let s = self.shape;
        let last = f64::from(2 * s.blocks - 1);
        let (mut level, mut noise) = (0.0, self.scatter());
        (0..2 * s.blocks)
            .map(|slot| {
                if slot % 2 == 0 {
                    level = s.level_sd * self.normal();
                }
                let y = level + noise * s.sd / 2.0_f64.sqrt() + s.drift * f64::from(slot) / last;
                noise = s.memory * noise + (1.0 - s.memory * s.memory).sqrt() * self.scatter();
                1000.0 * y.exp()
            })
            .collect()
    }

    /// Mean 0 and variance 1.
    fn scatter(&mut self) -> f64 {
        match self.shape.scatter {
            Scatter::Normal => self.normal(),
            Scatter::HeavyTails => {
                let square = (0..3).map(|_| self.normal().powi(2)).sum::<f64>();
                self.normal() / square.sqrt()
            }
            Scatter::Outliers => {
                let wild = self.uniform() < 0.05;
                // 0.95 + 0.05 * 25 = 2.2.
                self.normal() * if wild { 5.0 } else { 1.0 } / 2.2_f64.sqrt()
            }
            Scatter::Skewed => {
                // Of exp(z): mean e^0.5, variance e^2 - e.
                let e = std::f64::consts::E;
                (self.normal().exp() - e.sqrt()) / (e * e - e).sqrt()
            }
        }
    }

    pub(super) fn normal(&mut self) -> f64 {
        let u = self.uniform().max(f64::MIN_POSITIVE);
        (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * self.uniform()).cos()
    }

    pub(super) fn uniform(&mut self) -> f64 {
        (self.rng.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// The percentage of `sessions` in which `holds`.
pub(super) fn percent(sessions: u32, mut holds: impl FnMut() -> bool) -> f64 {
    let held = (0..sessions).filter(|_| holds()).count();
    100.0 * held as f64 / f64::from(sessions)
}

/// Percentages beyond the margin, small, equivalent, inconclusive: the verdict rule without its doubts about blocks.
pub(super) fn shares_of_words(sessions: u32, world: &mut World) -> [f64; 4] {
    use crate::stats::verdict::{Class, classify};
    let mut counts = [0_u32; 4];
    for _ in 0..sessions {
        let s = world.spread();
        let class = classify(s.adjusted, s.equivalence, QUESTION.orientation, QUESTION.margin);
        counts[match class {
            Class::Faster | Class::Slower => 0,
            Class::SlightlyFaster | Class::SlightlySlower => 1,
            Class::NoRelevantDifference => 2,
            Class::Inconclusive => 3,
        }] += 1;
    }
    counts.map(|count| 100.0 * f64::from(count) / f64::from(sessions))
}

/// (sd, ratio) → [`shares_of_words`] of eight blocks: what the method says of its rule.
pub(super) const TABLE: [(f64, f64, [f64; 4]); 4] = [
    (0.03, 1.00, [0.0, 0.0, 99.0, 1.0]),
    (0.03, 1.10, [96.0, 4.0, 0.0, 0.0]),
    (0.03, 1.30, [100.0, 0.0, 0.0, 0.0]),
    (0.05, 1.00, [0.0, 4.0, 60.0, 36.0]),
];
