//! The order in which trials run: every cell once a block, shuffled, with the first place shared out evenly.
//!
//! What runs first in a block meets a machine that has just rested, so no cell may come first more often than any
//! other by more than one block. First places are dealt from a shuffled stack of all cells that is dealt again when
//! empty; the rest of each block is shuffled freely.

use super::seeds::{Draws, derive};
use super::types::{Role, TrialPlan};

/// What each block runs once.
pub(super) type Slot = (usize, Role);

/// The trials of all blocks. More blocks of the same slots only add to the end.
pub(super) fn trials(root: u64, blocks: u32, slots: &[Slot]) -> Vec<TrialPlan> {
    let mut draws = Draws::new(derive(root, "order"));
    let mut first_places: Vec<Slot> = Vec::new();
    let mut trials = Vec::new();
    let mut number = 0;
    for block in 1..=blocks {
        if first_places.is_empty() {
            first_places = slots.to_vec();
            draws.shuffle(&mut first_places);
        }
        let Some(first) = first_places.pop() else { break };
        let mut rest: Vec<Slot> = slots.iter().copied().filter(|s| *s != first).collect();
        draws.shuffle(&mut rest);
        let params_seed = derive(root, &format!("params/{block}"));
        let arrivals_seed = derive(root, &format!("arrivals/{block}"));
        for (order, (cell, role)) in (1..).zip(std::iter::once(first).chain(rest)) {
            trials.push(TrialPlan { number, block, order, cell, role, params_seed, arrivals_seed });
            number += 1;
        }
    }
    trials
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::*;

    fn slots(n: usize) -> Vec<Slot> {
        let twin = std::iter::once((0, Role::Twin));
        (0..n).map(|c| (c, Role::Variant)).chain(twin).collect()
    }

    #[test]
    fn the_order_of_the_first_experiment_never_changes() {
        let order: Vec<String> = trials(20_250_105, 3, &slots(5))
            .chunks(6)
            .map(|block| {
                let cells = block.iter().map(|t| match t.role {
                    Role::Variant => t.cell.to_string(),
                    Role::Twin => format!("{}'", t.cell),
                });
                cells.collect::<Vec<_>>().join(" ")
            })
            .collect();
        insta::assert_snapshot!(order.join("\n"), @r"
        4 0 1 0' 3 2
        2 1 0 3 0' 4
        1 2 3 0 4 0'
        ");
    }

    proptest! {
        #[test]
        fn each_block_runs_every_cell_once_and_first_places_are_even(
            seed in any::<u64>(), n in 1_usize..20, blocks in 1_u32..40,
        ) {
            let slots = slots(n);
            let trials = trials(seed, blocks, &slots);
            prop_assert_eq!(trials.len(), slots.len() * blocks as usize);
            let all: BTreeSet<Slot> = slots.iter().copied().collect();
            let mut firsts: BTreeMap<Slot, u32> = slots.iter().map(|s| (*s, 0)).collect();
            for (block, of_block) in (1..).zip(trials.chunks(slots.len())) {
                let seen: BTreeSet<Slot> = of_block.iter().map(|t| (t.cell, t.role)).collect();
                prop_assert_eq!(&seen, &all);
                prop_assert!(of_block.iter().all(|t| t.block == block));
                prop_assert!(of_block.iter().all(|t| t.params_seed == of_block[0].params_seed));
                let first = (of_block[0].cell, of_block[0].role);
                *firsts.entry(first).or_default() += 1;
            }
            let most = firsts.values().max().copied().unwrap_or(0);
            let least = firsts.values().min().copied().unwrap_or(0);
            prop_assert!(most - least <= 1, "{:?}", firsts);
            prop_assert!(trials.iter().zip(0..).all(|(t, i)| t.number == i));
        }

        #[test]
        fn more_blocks_only_add_to_the_end(seed in any::<u64>(), n in 1_usize..9) {
            let few = trials(seed, 6, &slots(n));
            let more = trials(seed, 12, &slots(n));
            prop_assert_eq!(&few[..], &more[..few.len()]);
        }

        #[test]
        fn another_seed_is_another_order(seed in any::<u64>()) {
            let order = |s| trials(s, 8, &slots(9)).iter().map(|t| t.cell).collect::<Vec<_>>();
            prop_assert_ne!(order(seed), order(seed.wrapping_add(1)));
        }
    }
}
