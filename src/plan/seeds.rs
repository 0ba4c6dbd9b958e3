//! One root seed, and the streams drawn from it.
//!
//! The derivation is fixed for good: results that are checked in name only the root seed.

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use sha2::{Digest, Sha256};

/// Seed of a stream (`data`, `order`, `params/3`, `arrivals/3`): the first eight bytes, little-endian, of SHA-256 over
/// `querylab/1`, a zero byte, the root seed (little-endian) and the stream's name.
pub fn derive(root: u64, stream: &str) -> u64 {
    let mut hash = Sha256::new();
    hash.update(b"querylab/1\0");
    hash.update(root.to_le_bytes());
    hash.update(stream.as_bytes());
    let digest = hash.finalize();
    let mut first = [0_u8; 8];
    first.copy_from_slice(&digest[..8]);
    u64::from_le_bytes(first)
}

/// Draws for orders. Seeded with all 32 bytes given here, because how a library widens a `u64` may change with it.
pub(super) struct Draws(ChaCha8Rng);

impl Draws {
    /// The draws of a stream's seed.
    pub(super) fn new(seed: u64) -> Self {
        let mut key = [0_u8; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        Self(ChaCha8Rng::from_seed(key))
    }

    /// A number below `bound`, each equally likely. `bound` is more than zero.
    fn below(&mut self, bound: u64) -> u64 {
        // The last, incomplete multiple of `bound` is drawn again, or small numbers would come up more often.
        let limit = u64::MAX - u64::MAX % bound;
        loop {
            let draw = self.0.next_u64();
            if draw < limit {
                return draw % bound;
            }
        }
    }

    /// Fisher–Yates.
    pub(super) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let pick = self.below(last as u64 + 1);
            items.swap(last, usize::try_from(pick).unwrap_or(last));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seeds_of_the_first_experiment_never_change() {
        let root = 20_250_105;
        let seeds: Vec<String> = ["data", "order", "params/1", "params/2", "arrivals/1"]
            .iter()
            .map(|s| format!("{s} {:016x}", derive(root, s)))
            .collect();
        insta::assert_snapshot!(seeds.join("\n"), @r"
        data 656a9b20be1ce7bb
        order e12fbccc4c2e344a
        params/1 80a07a5d2df4203b
        params/2 a2e95445c0cd7f2d
        arrivals/1 d6837741f487b0f3
        ");
    }

    #[test]
    fn every_order_of_three_is_equally_likely() {
        let mut draws = Draws::new(7);
        let mut counts = std::collections::BTreeMap::<[u8; 3], u32>::new();
        for _ in 0..6000 {
            let mut items = [0, 1, 2];
            draws.shuffle(&mut items);
            *counts.entry(items).or_default() += 1;
        }
        assert_eq!(counts.len(), 6);
        // Standard deviation of each count is 29.
        assert!(counts.values().all(|n| n.abs_diff(1000) < 150), "{counts:?}");
    }
}
