//! Finding one's way in a plan.

use super::types::{CellPlan, IndexSetPlan, Plan, TrialPlan, VariantPlan};

impl Plan {
    /// The cell of a trial of this plan.
    ///
    /// # Panics
    ///
    /// If the trial is of another plan with more cells.
    pub fn cell(&self, trial: &TrialPlan) -> &CellPlan {
        &self.cells[trial.cell]
    }

    /// A variant, by name.
    pub fn variant(&self, name: &str) -> Option<&VariantPlan> {
        self.variants.iter().find(|v| v.name == name)
    }

    /// The indexes of a variant, by the variant's name.
    pub fn index_set_of(&self, variant: &str) -> Option<&IndexSetPlan> {
        self.index_sets.get(self.variant(variant)?.index_set)
    }

    /// The cell of a variant under a load; none if it is excluded.
    pub fn cell_of(&self, variant: &str, load: &str) -> Option<&CellPlan> {
        self.cells.iter().find(|c| c.variant == variant && c.load == load)
    }
}
