//! What goes on around a window: the machine, Postgres' own work and who the servers are, at both of its edges.

use std::collections::BTreeMap;
use std::time::Duration;

use super::validity::Observed;
use crate::load::WindowRecording;
use crate::plan::{CellPlan, ModelPlan, Plan};
use crate::probe::{self, Housekeeping, Identities, Machine};

/// For Postgres to answer at an edge, in which the load goes on.
const PATIENCE: Duration = Duration::from_secs(2);
/// Settings of Postgres with which a file brings checkpoints about.
const OF_CHECKPOINTS: [&str; 2] = ["checkpoint_timeout", "max_wal_size"];
/// The one with which it brings autovacuums about.
const OF_AUTOVACUUM: &str = "autovacuum";

/// Everything around a window at one of its edges.
pub(super) struct Edge {
    machine: Machine,
    /// None where Postgres did not answer: if it is gone, somebody else says so.
    housekeeping: Option<Housekeeping>,
    servers: Identities,
}

impl Edge {
    /// Looks around, now.
    pub(super) async fn see(
        session: &mut probe::Session,
        pids: &BTreeMap<String, Vec<u32>>,
    ) -> anyhow::Result<Self> {
        // First, because asking Postgres takes time in which the machine works for us.
        let machine = probe::machine()?;
        let servers = probe::identities(pids);
        let asked = tokio::time::timeout(PATIENCE, session.housekeeping()).await;
        Ok(Self { machine, housekeeping: asked.ok().and_then(Result::ok), servers })
    }
}

/// What the rules look at. `edges` is none where they were missed, and then only the generator's own word is known.
pub(super) fn observed(
    (plan, cell): (&Plan, &CellPlan),
    window: &WindowRecording,
    edges: Option<&(Edge, Edge)>,
    servers_cpu_ns: u64,
    baseline_p50_us: Option<f64>,
) -> Observed {
    let open = matches!(cell.drive.model, ModelPlan::Open { .. });
    let mut seen = Observed {
        lag_p99_us: open.then(|| window.lag_p99_us()),
        baseline_p50_us,
        generator_cpu_share: window.generator_cpu_share(),
        heartbeat_gap_ns: window.longest_hold_up_ns,
        ..Observed::default()
    };
    if let Some((start, end)) = edges {
        let passed = end.machine.since(&start.machine);
        seen.steal_share = passed.steal_share;
        seen.throttled_share = passed.throttled_share;
        // Somebody else's Postgres may be on this machine: then what it uses would be taken for somebody else's programs.
        let is_ours = plan.url_from().is_none();
        if is_ours {
            seen.foreign_share = passed.foreign_share(servers_cpu_ns);
            seen.foreign_ns = passed.foreign_ns(servers_cpu_ns);
        }
        seen.swapped_in_pages = passed.swapped_in_pages;
        seen.clock_step_ns = passed.clock_step_ns;
        seen.restarted = end.servers.changed_since(&start.servers);
        // Its checkpoints come as its owner wants them, and no trial that is repeated would be without.
        let housekeeping = start.housekeeping.zip(end.housekeeping).filter(|_| is_ours);
        if let Some((before, after)) = housekeeping {
            of_postgres(plan, &mut seen, before, after);
        }
    }
    seen
}

/// Postgres' own work in the window, as far as the file does not bring it about.
fn of_postgres(plan: &Plan, seen: &mut Observed, before: Housekeeping, after: Housekeeping) {
    if !states(plan, &OF_CHECKPOINTS) {
        seen.checkpoints = after.checkpoints.saturating_sub(before.checkpoints);
    }
    if !states(plan, &[OF_AUTOVACUUM]) {
        let ended = after.autovacuums.saturating_sub(before.autovacuums);
        seen.autovacuums = ended.max(before.workers).max(after.workers);
    }
}

/// Whether any variant states one of these settings: then what follows from it is part of the experiment, for all.
fn states(plan: &Plan, names: &[&str]) -> bool {
    plan.cells.iter().any(|cell| {
        cell.stack
            .postgres
            .settings
            .keys()
            .any(|name| names.iter().any(|n| name.eq_ignore_ascii_case(n)))
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::spec::{Layers, load};

    fn plan(sets: &[&str]) -> Plan {
        let file =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tiny/experiments/tiny.toml");
        let sets = sets.iter().map(|s| (*s).to_owned()).collect();
        let spec = load(&file, &Layers { sets, ..Layers::default() }).expect("a file");
        crate::plan::resolve(&spec).expect("a plan")
    }

    #[test]
    fn what_the_file_brings_about_is_part_of_the_experiment() {
        let before = Housekeeping { checkpoints: 3, autovacuums: 1, workers: 0 };
        let after = Housekeeping { checkpoints: 5, autovacuums: 1, workers: 1 };
        let seen = |sets: &[&str]| {
            let mut seen = Observed::default();
            of_postgres(&plan(sets), &mut seen, before, after);
            (seen.checkpoints, seen.autovacuums)
        };
        assert_eq!(seen(&[]), (2, 1));
        assert_eq!(seen(&["services.postgres.settings.checkpoint_timeout=\"30s\""]), (0, 1));
        assert_eq!(seen(&["services.postgres.settings.autovacuum=true"]), (2, 0));
    }
}
