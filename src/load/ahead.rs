//! Requests drawn before they are due: a bounded number of each part is in hand, and what is taken is drawn anew while
//! the generator would only wait.
//!
//! A request is a pure function of its part and number, so this changes when it is drawn, and never what it is.

use std::cell::RefCell;
use std::collections::VecDeque;

use super::places::Part;
use super::shots::{Shot, Shots};

/// Requests of each part in hand: some tens of kilobytes.
const IN_HAND: usize = 256;
/// Parts of a run.
const PARTS: usize = 4;

/// The requests of a run, taken part by part in their order.
pub(super) struct Ahead {
    shots: Shots,
    lanes: [RefCell<Lane>; PARTS],
}

/// What is in hand of one part.
#[derive(Default)]
struct Lane {
    /// Number of the first request that has not been drawn.
    next: u64,
    drawn: VecDeque<Shot>,
}

impl Lane {
    fn draw(&mut self, shots: &Shots, part: Part) -> Shot {
        self.next += 1;
        shots.draw(part, self.next - 1)
    }
}

impl Ahead {
    /// Nothing drawn yet.
    pub(super) fn new(shots: Shots) -> Self {
        Self { shots, lanes: Default::default() }
    }

    /// The next request of a part; where none is in hand it is drawn now.
    pub(super) fn take(&self, part: Part) -> Shot {
        let mut lane = self.lane(part);
        lane.drawn.pop_front().unwrap_or_else(|| lane.draw(&self.shots, part))
    }

    /// The next request of a part, but to the target at this position. Nothing of such a part is drawn ahead.
    pub(super) fn aimed(&self, part: Part, target: usize) -> Shot {
        let mut lane = self.lane(part);
        lane.next += 1;
        self.shots.aimed(part, lane.next - 1, target)
    }

    /// Draws one more request of a part, if there is room for it.
    pub(super) fn top_up(&self, part: Part) {
        let mut lane = self.lane(part);
        // Where all requests are the same there is nothing to draw.
        if lane.drawn.len() < IN_HAND && !self.shots.is_constant() {
            let shot = lane.draw(&self.shots, part);
            lane.drawn.push_back(shot);
        }
    }

    /// Draws as many requests of these parts as there is room for: before anything is timed.
    pub(super) fn fill(&self, parts: &[Part]) {
        for part in parts {
            for _ in 0..IN_HAND {
                self.top_up(*part);
            }
        }
    }

    fn lane(&self, part: Part) -> std::cell::RefMut<'_, Lane> {
        self.lanes[part as usize].borrow_mut()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::fixtures::{example, users};

    fn shots() -> Shots {
        Shots::new(&example(), &[users(10_000)], 1, 2).expect("good")
    }

    #[test]
    fn what_is_taken_is_the_same_however_far_ahead_it_was_drawn() {
        let (shots, ahead, late) = (shots(), Ahead::new(shots()), Ahead::new(shots()));
        ahead.fill(&[Part::Warmup, Part::Window]);
        for n in 0..1000 {
            for part in [Part::Window, Part::Warmup, Part::Fill] {
                let wanted = shots.draw(part, n);
                assert_eq!(ahead.take(part), wanted, "{part:?} {n}");
                assert_eq!(late.take(part), wanted, "{part:?} {n}");
            }
            // Ahead of the window, behind the warm-up, never for the fill.
            for _ in 0..n % 3 {
                ahead.top_up(Part::Window);
            }
        }
    }

    #[test]
    fn no_more_than_the_bound_is_in_hand() {
        let ahead = Ahead::new(shots());
        for _ in 0..3 {
            ahead.fill(&[Part::Window]);
        }
        assert_eq!(ahead.lane(Part::Window).drawn.len(), IN_HAND);
        assert_eq!(ahead.lane(Part::Warmup).drawn.len(), 0);
        let same = Ahead::new(Shots::one("/".into()));
        same.fill(&[Part::Window]);
        assert_eq!(same.lane(Part::Window).drawn.len(), 0);
        assert_eq!(same.take(Part::Window).uri, "/");
    }
}
