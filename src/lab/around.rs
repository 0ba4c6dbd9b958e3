//! What goes on around a window: the machine, Postgres' own work and who the servers are, at both of its edges.

use std::collections::BTreeMap;

use super::validity::Observed;
use crate::load::WindowRecording;
use crate::plan::{CellPlan, ModelPlan, Plan};
use crate::probe::{self, Housekeeping, Identities, Machine};

/// Settings of Postgres with which a file brings checkpoints about.
const OF_CHECKPOINTS: [&str; 2] = ["checkpoint_timeout", "max_wal_size"];
/// The one with which it brings autovacuums about.
const OF_AUTOVACUUM: &str = "autovacuum";

/// Everything around a window at one of its edges.
pub(super) struct Edge {
    machine: Machine,
    housekeeping: Housekeeping,
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
        Ok(Self { machine, housekeeping: session.housekeeping().await?, servers })
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
        heartbeat_gap_ns: window.heartbeat_gap_ns,
        ..Observed::default()
    };
    if let Some((start, end)) = edges {
        let passed = end.machine.since(&start.machine);
        seen.steal_share = passed.steal_share;
        seen.throttled_share = passed.throttled_share;
        seen.foreign_share = passed.foreign_share(servers_cpu_ns);
        seen.foreign_ns = passed.foreign_ns(servers_cpu_ns);
        seen.swapped_in_pages = passed.swapped_in_pages;
        seen.clock_step_ns = passed.clock_step_ns;
        seen.restarted = end.servers.changed_since(&start.servers);
        let (before, after) = (start.housekeeping, end.housekeeping);
        if !states(plan, &OF_CHECKPOINTS) {
            seen.checkpoints = after.checkpoints.saturating_sub(before.checkpoints);
        }
        if !states(plan, &[OF_AUTOVACUUM]) {
            let ended = after.autovacuums.saturating_sub(before.autovacuums);
            seen.autovacuums = ended.max(before.workers).max(after.workers);
        }
    }
    seen
}

/// Whether any variant states one of these settings: then what follows from it is part of the experiment, for all.
pub(super) fn states(plan: &Plan, names: &[&str]) -> bool {
    plan.cells.iter().any(|cell| {
        cell.stack
            .postgres
            .settings
            .keys()
            .any(|name| names.iter().any(|n| name.eq_ignore_ascii_case(n)))
    })
}
