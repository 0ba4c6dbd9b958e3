//! The processor at work that never changes: what differs between rounds is not the work's.

use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio::time::Instant;

/// Bytes of a round: some milliseconds of work, longer than a tick and shorter than a time slice of anybody.
pub const HASHED_BYTES: usize = 8 << 20;
/// However little time there is.
const FEWEST: usize = 5;
/// However fast the processor is.
const MOST: usize = 1000;

/// Hashes the same bytes again and again for about so long: nanoseconds of each round, without the first, which finds its
/// caches cold. Blocks its thread.
pub fn hash_rounds(time: Duration) -> Vec<f64> {
    let bytes = vec![0x5a_u8; HASHED_BYTES];
    let start = Instant::now();
    let mut rounds = Vec::new();
    let mut is_first = true;
    while rounds.len() < FEWEST || (start.elapsed() < time && rounds.len() < MOST) {
        let round = Instant::now();
        std::hint::black_box(Sha256::digest(std::hint::black_box(&bytes)));
        if !is_first {
            rounds.push(round.elapsed().as_nanos() as f64);
        }
        is_first = false;
    }
    rounds
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_take_time_however_little_there_is() {
        let rounds = hash_rounds(Duration::ZERO);
        assert_eq!(rounds.len(), FEWEST);
        // Nothing hashes 8 MB in less than half a millisecond.
        assert!(rounds.iter().all(|ns| *ns > 5e5), "{rounds:?}");
    }
}
