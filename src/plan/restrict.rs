//! A part of a plan: some variants, some loads; what refers to the rest goes with it.

use super::Plan;
use super::fingerprint::fingerprint;

impl Plan {
    /// This plan with only the cells that `keeps` (variant, load) wants; none if that leaves nothing.
    ///
    /// Seeds and order of what stays are those of the whole plan.
    pub fn restricted_to(mut self, keeps: impl Fn(&str, &str) -> bool) -> Option<Self> {
        let kept: Vec<usize> = (0..self.cells.len())
            .filter(|&c| keeps(&self.cells[c].variant, &self.cells[c].load))
            .collect();
        if kept.is_empty() {
            return None;
        }
        self.trials.retain(|trial| kept.contains(&trial.cell));
        let mut in_block = (0, 0);
        for (number, trial) in (0..).zip(&mut self.trials) {
            in_block = if in_block.0 == trial.block {
                (trial.block, in_block.1 + 1)
            } else {
                (trial.block, 1)
            };
            trial.number = number;
            trial.order = in_block.1;
            trial.cell = kept.iter().position(|&c| c == trial.cell)?;
        }
        self.cells = kept.iter().map(|&c| self.cells[c].clone()).collect();
        let has = |variant: &str| self.cells.iter().any(|c| c.variant == variant);
        let loads: Vec<String> = self
            .loads
            .iter()
            .filter(|l| self.cells.iter().any(|c| c.load == **l))
            .cloned()
            .collect();
        self.variants.retain(|v| has(&v.name));
        self.deltas.retain(|d| has(&d.variant));
        self.claims.retain(|claim| {
            has(&claim.variant)
                && claim.vs.as_ref().is_none_or(|vs| has(vs))
                && claim.load.as_ref().is_none_or(|load| loads.contains(load))
        });
        for threshold in &mut self.thresholds {
            threshold.variants.retain(|v| has(v));
            threshold.loads.retain(|l| loads.contains(l));
        }
        self.thresholds.retain(|t| !t.variants.is_empty() && !t.loads.is_empty());
        self.loads = loads;
        self.drop_unused_index_sets();
        self.warnings.push("only a part of the experiment was asked for".into());
        self.fingerprint = fingerprint(&self);
        Some(self)
    }

    fn drop_unused_index_sets(&mut self) {
        let mut sets = Vec::new();
        for variant in &mut self.variants {
            let set = &self.index_sets[variant.index_set];
            let position = sets.iter().position(|s| s == set).unwrap_or_else(|| {
                sets.push(set.clone());
                sets.len() - 1
            });
            variant.index_set = position;
        }
        self.index_sets = sets;
    }
}
