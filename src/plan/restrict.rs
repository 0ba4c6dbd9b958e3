//! A part of a plan: some variants, some loads; what refers to the rest goes with it.

use super::fingerprint::fingerprint;
use super::{ClaimPlan, Plan, Role, ThresholdPlan, estimate};

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
        let is_about = |claim: &ClaimPlan| {
            has(&claim.variant)
                && claim.vs.as_ref().is_none_or(|vs| has(vs))
                && claim.load.as_ref().is_none_or(|load| loads.contains(load))
        };
        let gone: Vec<String> =
            self.claims.extract_if(.., |claim| !is_about(claim)).map(|claim| claim.id).collect();
        if !gone.is_empty() {
            let gone = gone.join("`, `");
            self.warnings
                .push(format!("claims that are not about this part are not judged: `{gone}`"));
        }
        for threshold in &mut self.thresholds {
            threshold.variants.retain(|v| has(v));
            threshold.loads.retain(|l| loads.contains(l));
        }
        // Of sizes and build times there is one each, whatever the load.
        let is_about = |t: &ThresholdPlan| {
            !t.variants.is_empty() && (t.metric.is_of_data() || !t.loads.is_empty())
        };
        for gone in self.thresholds.extract_if(.., |t| !is_about(t)) {
            self.warnings.push(format!(
                "a threshold of `{}` is not about this part: it is not judged",
                gone.metric.name()
            ));
        }
        self.loads = loads;
        self.drop_unused_index_sets();
        self.warnings.push("only a part of the experiment was asked for".into());
        self.estimate_again();
        self.say_what_no_longer_applies();
        self.fingerprint = fingerprint(&self);
        Some(self)
    }

    /// The whole plan could be counted, so that a part of it can.
    fn estimate_again(&mut self) {
        let budget = self.design.time_budget_ns;
        let of_the_whole = estimate::beyond_budget(&self.estimate, budget);
        self.warnings.retain(|warning| Some(warning) != of_the_whole.as_ref());
        let costs = self.design.index_costs;
        let (data, sets) = (&self.dataset, &self.index_sets);
        let part = estimate::estimate(data, sets, &self.cells, &self.trials, costs);
        self.estimate = part.unwrap_or(self.estimate);
        self.warnings.extend(estimate::beyond_budget(&self.estimate, budget));
    }

    /// The primary load stays named, because another one was not declared before the run: then nothing is primary.
    fn say_what_no_longer_applies(&mut self) {
        let primary = &self.design.primary_load;
        if !self.loads.contains(primary) {
            self.warnings.push(format!(
                "the primary load `{primary}` is not in this part: every comparison is exploratory"
            ));
        }
        let twin = self.trials.iter().any(|trial| trial.role == Role::Twin);
        if let Some(load) = self.design.aa_check.take_if(|_| !twin) {
            self.warnings.push(format!(
                "the A/A check under `{load}` is not in this part: the noise of the machine is not known"
            ));
        }
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
