//! The parts of a run, and where each begins in keys that are asked for one after the other.

/// A part of a run with requests of its own: windows of all variants send the same ones, however long their warm-ups
/// were.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// Requests before the load, one by one.
    Check = 0,
    /// Filling the cache.
    Fill = 1,
    /// The cell's own arrivals, not measured yet.
    Warmup = 2,
    /// Measured.
    Window = 3,
}

/// Where keys are asked for one after the other: request `n` of this part.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    /// The part.
    pub(super) part: Part,
    /// The request's number in it.
    pub(super) n: u64,
}

impl Place {
    /// The rank of its key among `count`, where the window begins at `first`.
    ///
    /// Each part begins at a place of its own, because the window must not depend on how far the others came; and as
    /// far from the next one as can be, because a key that was just asked for is found in memory. The window has the
    /// first half, fill and warm-up a quarter each, and checks go backwards from the window's first key.
    pub(super) fn rank(self, first: u64, count: u64) -> u64 {
        let (first, n, count) = (u128::from(first), u128::from(self.n), u128::from(count.max(1)));
        let rank = match self.part {
            Part::Check => first + count - 1 - n % count,
            Part::Fill => first + count / 2 + n,
            Part::Warmup => first + count / 4 * 3 + n,
            Part::Window => first + n,
        };
        u64::try_from(rank % count).expect("below a u64")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_part_has_a_stretch_of_the_sequence_for_itself() {
        let mut seen = BTreeSet::new();
        for (part, requests) in
            [(Part::Check, 3), (Part::Fill, 1000), (Part::Warmup, 997), (Part::Window, 2000)]
        {
            for n in 0..requests {
                let rank = Place { part, n }.rank(123, 4000);
                assert!(rank < 4000 && seen.insert(rank), "{part:?} {n} was asked for before");
            }
        }
    }

    #[test]
    fn any_request_among_any_keys_has_a_rank() {
        for part in [Part::Check, Part::Fill, Part::Warmup, Part::Window] {
            for count in [0, 1, 2, 3, u64::MAX] {
                let rank = Place { part, n: u64::MAX }.rank(count.saturating_sub(1), count);
                assert!(rank < count.max(1), "{part:?} {count}");
            }
        }
    }
}
