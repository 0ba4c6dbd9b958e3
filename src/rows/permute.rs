//! Unique numbers without a list: a permutation of 0 to n-1 that is computed, not stored.
//!
//! A Feistel network over the next even power of two, walked on until it falls below n (Black and Rogaway, "Ciphers with
//! arbitrary finite domains", 2002): fewer than four steps on average.

use super::draw::{Key, finalise, mix};

/// Enough rounds that neighbours end up as strangers.
const ROUNDS: usize = 6;

/// One permutation of the numbers below `count`.
#[derive(Debug, Clone)]
pub(super) struct Permutation {
    count: u64,
    half_bits: u32,
    keys: [u64; ROUNDS],
}

impl Permutation {
    /// `count` is at least 1, and at most 2^62.
    pub(super) fn new(count: u64, key: Key) -> Self {
        let bits = 64 - count.saturating_sub(1).leading_zeros();
        let mut keys = [0; ROUNDS];
        for (round, lane) in keys.iter_mut().zip(0..) {
            *round = mix(key, 0, lane);
        }
        Self { count, half_bits: bits.div_ceil(2).max(1), keys }
    }

    /// Where `at`, below `count`, is sent.
    pub(super) fn at(&self, at: u64) -> u64 {
        // From beyond the last number there might be no way back.
        let mut x = at.min(self.count - 1);
        loop {
            x = self.once(x);
            // A permutation's cycle through a number below `count` comes back below it: this ends.
            if x < self.count {
                return x;
            }
        }
    }

    fn once(&self, x: u64) -> u64 {
        let mask = (1 << self.half_bits) - 1;
        let (mut left, mut right) = (x >> self.half_bits, x & mask);
        for key in self.keys {
            (left, right) = (right, left ^ (finalise(right.wrapping_add(key)) & mask));
        }
        left << self.half_bits | right
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_number_comes_once(count in 1u64..3000, a: u64, b: u64) {
            let permutation = Permutation::new(count, [a, b]);
            let mut all: Vec<u64> = (0..count).map(|x| permutation.at(x)).collect();
            all.sort_unstable();
            prop_assert_eq!(all, (0..count).collect::<Vec<_>>());
        }

        #[test]
        fn large_ones_stay_in_range(count in 1u64 << 40..1 << 62, at: u64, a: u64) {
            prop_assert!(Permutation::new(count, [a, 1]).at(at % count) < count);
        }
    }

    #[test]
    fn neighbours_become_strangers() {
        let permutation = Permutation::new(100_000, [1, 2]);
        let near = (0..99_999u64)
            .filter(|x| permutation.at(*x).abs_diff(permutation.at(x + 1)) < 100)
            .count();
        // 199 of 100,000 would be by chance, in 1000 rows about 2.
        assert!(near.abs_diff(200) < 80, "{near}");
    }
}
