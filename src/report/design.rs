//! Which design a run had: how many blocks, and who decided that.

use super::cells::{blocks, is_complete};
use crate::results::{PilotRecord, Results};
use crate::units::{Share, share};

/// A sentence on the blocks, and one on what a block is.
pub(super) fn design(results: &Results) -> String {
    let n = blocks(results);
    let plural = if n == 1 { "block" } else { "blocks" };
    let how_many = match &results.manifest.pilot {
        None => format!("{n} {plural}, a number fixed beforehand"),
        Some(pilot) => by_precision(pilot),
    };
    // A run that broke off says so elsewhere.
    let run = results.blocks_run();
    let cut = is_complete(results) && usize::try_from(n).is_ok_and(|n| run < n);
    let cut = if cut { format!("; the time budget left {run}") } else { String::new() };
    format!(
        "{how_many}{cut}. A block runs every cell once, in random order, each with servers started afresh; ratios are paired \
         within blocks."
    )
}

/// The rule, the pilot, and the n that came of both.
fn by_precision(pilot: &PilotRecord) -> String {
    let (n, first) = (pilot.decided, pilot.blocks);
    let asked = if n == first {
        "no more than the pilot".into()
    } else if n == pilot.most {
        format!("{n} or more, and {n} is the most that the design allows")
    } else {
        n.to_string()
    };
    let scattered = match pilot.sd_log {
        Some(sd) => {
            format!("which scattered by {} (standard deviation of the log-ratio)", share(sd))
        }
        None => "of which a comparison had no scatter".into(),
    };
    format!(
        "n = {n} blocks by precision. After a pilot of {first}, {scattered}, as many as {} intervals of ±{} around the \
         primary ratios take, decided once and never by an effect: {asked}. Where the pilot scatters more than all blocks \
         together, its scatter is the one that counts",
        Share(pilot.confidence),
        Share(pilot.half_width),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture::{results, with_blocks};

    #[test]
    fn the_rule_the_pilot_and_n_are_named() {
        let mut results = results();
        let mut pilot = PilotRecord {
            blocks: 6,
            half_width: 0.03,
            confidence: 0.95,
            most: 40,
            decided: 8,
            sd_log: Some(0.0312),
        };
        let mut said = |pilot: &PilotRecord| {
            results.manifest.pilot = Some(pilot.clone());
            design(&results)
        };
        let text = said(&pilot);
        assert!(text.starts_with("n = 8 blocks by precision. After a pilot of 6,"), "{text}");
        assert!(text.contains("scattered by 3.12%"), "{text}");
        assert!(text.contains("95% intervals of ±3% around"), "{text}");
        assert!(text.contains("never by an effect: 8. "), "{text}");
        pilot.most = 8;
        assert!(said(&pilot).contains("8 is the most that the design allows"));
        pilot.decided = 6;
        assert!(said(&pilot).contains("no more than the pilot."));
        pilot.sd_log = None;
        assert!(said(&pilot).contains("had no scatter"));
    }

    #[test]
    fn blocks_that_the_budget_cut_off_are_told() {
        let mut results = results();
        results.trials.retain(|trial| trial.block <= 4);
        let text = design(&results);
        let says = "8 blocks, a number fixed beforehand; the time budget left 4. A block";
        assert!(text.starts_with(says), "{text}");
    }

    #[test]
    fn a_fixed_number_was_fixed_beforehand() {
        assert!(design(&results()).starts_with("8 blocks, a number fixed beforehand."));
        assert!(design(&with_blocks(1)).starts_with("1 block, a number fixed beforehand."));
    }
}
