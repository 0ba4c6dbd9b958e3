//! Latencies whose quantiles are known: what the oracle draws, and what an instrument should read.

use std::fmt;
use std::str::FromStr;

use anyhow::{Context as _, bail};
use statrs::distribution::{ContinuousCDF as _, Normal};

/// Draws in which each equal step of probability occurs once.
const DECK: u32 = 1000;

/// A distribution of latencies, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Law {
    Constant(f64),
    Exponential { mean: f64 },
    Lognormal { median: f64, sigma: f64 },
    Bimodal { low: f64, high: f64, high_share: f64 },
}

impl Law {
    /// The quantile `p`, in milliseconds.
    pub(crate) fn at(self, p: f64) -> f64 {
        match self {
            Self::Constant(ms) => ms,
            Self::Exponential { mean } => -mean * (1.0 - p).ln(),
            Self::Lognormal { median, sigma } => {
                let normal = Normal::standard();
                median * (sigma * normal.inverse_cdf(p)).exp()
            }
            Self::Bimodal { low, high, high_share } => {
                // Shares like 0.99 are not exact; the edge belongs to the low ones.
                if p <= 1.0 - high_share + 1e-9 { low } else { high }
            }
        }
    }
}

impl fmt::Display for Law {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Constant(ms) => write!(f, "constant:{ms}"),
            Self::Exponential { mean } => write!(f, "exponential:{mean}"),
            Self::Lognormal { median, sigma } => write!(f, "lognormal:{median}:{sigma}"),
            Self::Bimodal { low, high, high_share } => {
                write!(f, "bimodal:{low}:{high}:{high_share}")
            }
        }
    }
}

impl FromStr for Law {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let (name, numbers) = text.split_once(':').with_context(|| format!("no law: {text}"))?;
        let numbers: Result<Vec<f64>, _> = numbers.split(':').map(str::parse).collect();
        Ok(match (name, numbers?.as_slice()) {
            ("constant", &[ms]) => Self::Constant(ms),
            ("exponential", &[mean]) => Self::Exponential { mean },
            ("lognormal", &[median, sigma]) => Self::Lognormal { median, sigma },
            ("bimodal", &[low, high, high_share]) => Self::Bimodal { low, high, high_share },
            _ => bail!("no law: {text}"),
        })
    }
}

/// Seeded draws (`SplitMix64`). Shares are drawn in shuffled decks, in which each thousandth of the probability occurs
/// once: so a window's quantiles are those of the law, and what differs from them is the instrument and not the luck.
#[derive(Debug)]
pub(crate) struct Draws {
    state: u64,
    deck: Vec<u32>,
}

impl Draws {
    pub(crate) fn new(seed: u64) -> Self {
        Self { state: seed, deck: Vec::new() }
    }

    /// Sixty-four random bits.
    pub(crate) fn word(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Any order of these, each as likely as another.
    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            let below = u64::try_from(i + 1).expect("a length is a u64");
            let j = usize::try_from(self.word() % below).expect("below a length");
            items.swap(i, j);
        }
    }

    /// A probability: 0 and 1 excluded.
    pub(crate) fn share(&mut self) -> f64 {
        if self.deck.is_empty() {
            let mut deck: Vec<u32> = (0..DECK).collect();
            self.shuffle(&mut deck);
            self.deck = deck;
        }
        let card = self.deck.pop().expect("a deck is not empty");
        // The middle 98 % of the step: never 0 or 1.
        let within = 0.01 + 0.98 * ((self.word() >> 11) as f64 / (1u64 << 53) as f64);
        (f64::from(card) + within) / f64::from(DECK)
    }
}
