//! Which row of another table a row refers to.
//!
//! Families, where each parent is referred to by rows that lie together, need the sum of all sizes before them. To keep
//! each row as cheap as the next, parents are taken in groups of sixteen, whose rows together are exactly the mean;
//! sizes differ within a group only.

use super::draw::{Key, below, mix};
use super::math::ln;
use super::permute::Permutation;
use super::shapes::{FamilySize, Parents};
use super::zipf::Zipf;

/// Parents of a group.
const GROUP: u64 = 16;
/// Weights that a family's size is drawn from.
const WEIGHTS: usize = 256;
/// Lane of the permutation's own key, which no row uses.
const LANE: u64 = u64::MAX;

/// A choice of parents.
#[derive(Debug, Clone)]
pub(super) enum Choice {
    Uniform {
        parents: u64,
    },
    /// Hot parents are anywhere in their table, not at its start.
    Zipfian {
        zipf: Zipf,
        places: Permutation,
    },
    Families {
        parents: u64,
        rows: u64,
        weights: Option<Box<[u32; WEIGHTS]>>,
    },
}

impl Choice {
    /// For `rows` rows that refer to `parents` others.
    pub(super) fn new(kind: Parents, parents: u64, rows: u64, key: Key) -> Result<Self, String> {
        if parents == 0 && rows > 0 {
            return Err("the table that is referred to has no rows".into());
        }
        // Nobody asks for the parent of a row that is not there.
        let parents = parents.max(1);
        Ok(match kind {
            Parents::Uniform => Self::Uniform { parents },
            Parents::Zipfian { exponent } => {
                if !(exponent > 0.0 && exponent <= 20.0) {
                    return Err(format!("an exponent of {exponent} is not above 0 and up to 20"));
                }
                let own = [mix(key, 0, LANE), mix(key, 0, LANE - 1)];
                let (zipf, places) = (Zipf::new(parents, exponent), Permutation::new(parents, own));
                Self::Zipfian { zipf, places }
            }
            Parents::Families(size) => {
                Self::Families { parents, rows: rows.max(1), weights: weights(size) }
            }
        })
    }

    /// The parent of a row, from 1 on.
    pub(super) fn of(&self, key: Key, row: u64) -> u64 {
        1 + match self {
            Self::Uniform { parents } => below(*parents, mix(key, row, 0)),
            Self::Zipfian { zipf, places } => places.at(zipf.rank(key, row, 0)),
            Self::Families { parents, rows, weights } => {
                let place = row.saturating_sub(1).min(rows - 1);
                let mean = share(place, *parents, *rows);
                match weights {
                    None => mean,
                    Some(weights) => in_group(place, mean / GROUP, *parents, *rows, |parent| {
                        u64::from(weights[(mix(key, parent, 0) >> 56) as usize])
                    }),
                }
            }
        }
    }
}

/// `a * b / c`, rounded down.
fn share(a: u64, b: u64, c: u64) -> u64 {
    u64::try_from(u128::from(a) * u128::from(b) / u128::from(c)).unwrap_or(u64::MAX)
}

/// The parent of the row at a place, whose group has one family for each weight.
fn in_group(place: u64, group: u64, parents: u64, rows: u64, weight: impl Fn(u64) -> u64) -> u64 {
    // The first place whose share is this parent or a later one.
    let start = |parent: u64| {
        let product = u128::from(rows) * u128::from(parent);
        u64::try_from(product.div_ceil(u128::from(parents))).unwrap_or(u64::MAX)
    };
    let first = group * GROUP;
    let end = (first + GROUP).min(parents);
    let (from, to) = (start(first), start(end));
    let mut sums = [0_u64; 16];
    let mut total = 0;
    for (sum, parent) in sums.iter_mut().zip(first..end) {
        total += weight(parent);
        *sum = total;
    }
    let target = share(2 * (place - from) + 1, total, 2 * (to - from));
    let before = sums.iter().zip(first..end).filter(|(sum, _)| **sum <= target).count();
    (first + before as u64).min(end - 1)
}

/// Quantiles of a family's size, in some unit.
fn weights(size: FamilySize) -> Option<Box<[u32; WEIGHTS]>> {
    let quantile = |i: usize| (i as f64 + 0.5) / WEIGHTS as f64;
    let size_of: fn(f64) -> f64 = match size {
        FamilySize::Equal => return None,
        FamilySize::Uniform => |q| q * 4096.0,
        FamilySize::Exponential => |q| -ln(1.0 - q) * 4096.0,
    };
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "from 8 to 26,000, and the cast saturates"
    )]
    let weight = |i| (size_of(quantile(i)) as u32).max(1);
    Some(Box::new(std::array::from_fn(weight)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KEY: Key = [31, 37];

    fn sizes(kind: Parents, parents: u64, rows: u64) -> Vec<u32> {
        let choice = Choice::new(kind, parents, rows, KEY).expect("good");
        let mut sizes = vec![0; usize::try_from(parents).expect("few")];
        for row in 1..=rows {
            sizes[usize::try_from(choice.of(KEY, row)).expect("few") - 1] += 1;
        }
        sizes
    }

    #[test]
    fn equal_families_differ_by_one_at_most() {
        for (parents, rows) in [(10, 100), (7, 100), (100, 10)] {
            let sizes = sizes(Parents::Families(FamilySize::Equal), parents, rows);
            let (least, most) = (sizes.iter().min(), sizes.iter().max());
            assert!(most.zip(least).is_some_and(|(m, l)| m - l <= 1), "{sizes:?}");
        }
    }

    #[test]
    fn families_have_sizes_of_their_distribution() {
        // Of 1600 parents with 50 rows each in the mean: how many have fewer than a fifth of the mean.
        let small = |size| {
            let sizes = sizes(Parents::Families(size), 1600, 80_000);
            sizes.iter().filter(|size| **size < 10).count()
        };
        assert_eq!(small(FamilySize::Equal), 0);
        let uniform = small(FamilySize::Uniform);
        assert!((100..=220).contains(&uniform), "{uniform}");
        // 1 - e^(-0.2) of them.
        let exponential = small(FamilySize::Exponential);
        assert!((230..=350).contains(&exponential), "{exponential}");
    }

    #[test]
    fn hot_parents_are_anywhere_and_as_hot_as_the_law_says() {
        let mut sizes = sizes(Parents::Zipfian { exponent: 1.0 }, 1000, 100_000);
        assert!(sizes[0] < 5000, "the first parent is no hotter than others");
        sizes.sort_unstable_by(|a, b| b.cmp(a));
        assert!(sizes[0].abs_diff(13_360) < 500, "{}", sizes[0]);
        assert!(sizes[1].abs_diff(6680) < 400, "{}", sizes[1]);
    }

    #[test]
    fn nobody_refers_to_an_empty_table() {
        assert!(Choice::new(Parents::Uniform, 0, 1, KEY).is_err());
        for kind in [Parents::Uniform, Parents::Zipfian { exponent: 1.0 }] {
            assert!(Choice::new(kind, 0, 0, KEY).is_ok(), "no row, no reference");
        }
        assert!(Choice::new(Parents::Zipfian { exponent: -1.0 }, 1, 1, KEY).is_err());
    }

    proptest! {
        #[test]
        fn parents_exist_and_families_lie_together(
            parents in 1u64..200,
            rows in 1u64..2000,
            a: u64,
        ) {
            let key = [a, 5];
            for size in [FamilySize::Equal, FamilySize::Uniform, FamilySize::Exponential] {
                let choice = Choice::new(Parents::Families(size), parents, rows, key).expect("good");
                let all: Vec<u64> = (1..=rows).map(|row| choice.of(key, row)).collect();
                prop_assert!(all.is_sorted() && all.iter().all(|p| (1..=parents).contains(p)));
            }
            for kind in [Parents::Uniform, Parents::Zipfian { exponent: 0.9 }] {
                let choice = Choice::new(kind, parents, rows, key).expect("good");
                prop_assert!((1..=rows).all(|row| (1..=parents).contains(&choice.of(key, row))));
            }
        }
    }
}
