//! Random words by position: `ChaCha8`, one stream for each request number, so that request n needs no other request.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use sha2::{Digest, Sha256};

/// A family of streams.
#[derive(Debug, Clone)]
pub(super) struct Dice(ChaCha8Rng);

impl Dice {
    /// The streams of a seed for one use; another `label` gives unrelated ones.
    pub(super) fn new(label: &str, seed: u64) -> Self {
        Self(ChaCha8Rng::from_seed(digest(label, seed)))
    }

    /// Stream `n`, from its start.
    pub(super) fn stream(&self, n: u64) -> Stream {
        let mut rng = self.0.clone();
        rng.set_stream(n);
        Stream(rng)
    }
}

/// One stream of words.
#[derive(Debug, Clone)]
pub(super) struct Stream(ChaCha8Rng);

impl Stream {
    /// The next 64 bits.
    pub(super) fn word(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A number above 0 and at most 1, in steps of 2^-53.
    pub(super) fn unit(&mut self) -> f64 {
        ((self.word() >> 11) + 1) as f64 / 9_007_199_254_740_992.0
    }

    /// A whole number below `count`; 0 if that is 0.
    pub(super) fn below(&mut self, count: u64) -> u64 {
        ((u128::from(self.word()) * u128::from(count)) >> 64) as u64
    }
}

/// 32 bytes for a label and a seed.
pub(super) fn digest(label: &str, seed: u64) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(b"querylab load 1 ");
    hash.update(seed.to_le_bytes());
    hash.update(label.as_bytes());
    hash.finalize().into()
}
