//! The window as the client saw it, what the other witnesses counted, and what follows for the trial.

use std::collections::BTreeMap;

use anyhow::Context as _;

use super::accounting;
use super::done::Done;
use crate::load::Recording;
use crate::plan::{ApiCounters, CellPlan, Plan};
use crate::probe::{self, DatabaseStats, RedisStats, Snapshot, Used};
use crate::results::{
    BROKEN_ACCOUNTS, FailureKind, Outcome, Quantiles, Resources, Window, Witness,
};
use crate::stack::Stack;

/// The client's side of the window.
pub(super) fn window(recording: &Recording) -> Window {
    let w = &recording.window;
    Window {
        duration_ns: w.duration_ns,
        due: w.due,
        sent: w.sent,
        dropped: w.dropped,
        answered: w.answered,
        failed: w.failed,
        failures: w.failures.clone(),
        cache: w.cache.clone(),
        response_bytes: w.response_bytes,
        rate_rps: w.rate_rps(),
        response_time: Quantiles {
            p50_us: w.quantile_response_us(0.5),
            p90_us: w.quantile_response_us(0.9),
            p95_us: w.quantile_response_us(0.95),
            p99_us: w.quantile_response_us(0.99),
            p999_us: w.quantile_response_us(0.999),
            max_us: w.max_response_us(),
            mean_us: w.mean_response_us(),
        },
        service_time: Quantiles {
            p50_us: w.quantile_service_us(0.5),
            p90_us: w.quantile_service_us(0.9),
            p95_us: w.quantile_service_us(0.95),
            p99_us: w.quantile_service_us(0.99),
            p999_us: w.quantile_service_us(0.999),
            max_us: w.max_service_us(),
            mean_us: w.mean_service_us(),
        },
        lag_p99_us: w.lag_p99_us(),
        generator_cpu_share: w.generator_cpu_share(),
        drift: None,
        drift_p: None,
    }
}

/// What the other witnesses counted over the trial.
pub(super) struct Sums {
    /// By the client, all phases.
    client_sent: u64,
    counters: ApiCounters,
    redis: Option<RedisStats>,
    /// By Nginx, without our own questions.
    nginx: u64,
}

impl Sums {
    /// Asks Nginx, the API and Redis, each on its own socket. Before the first request Nginx had counted
    /// `nginx_before`, that question included.
    pub(super) async fn ask(
        stack: &Stack,
        client_sent: u64,
        nginx_before: u64,
    ) -> anyhow::Result<Self> {
        let nginx_now = stack.nginx_requests().await.context("Nginx' own counts")?;
        // This question is one of them.
        let nginx = nginx_now.saturating_sub(nginx_before + 1);
        let counters = probe::counters(&stack.api_sockets()).await?;
        let redis = match stack.redis_address() {
            Some(address) => Some(probe::redis_stats(&address).await?),
            None => None,
        };
        Ok(Self { client_sent, counters, redis, nginx })
    }

    /// All witnesses together.
    pub(super) fn witness(
        &self,
        plan: &Plan,
        cell: &CellPlan,
        recording: &Recording,
        counted: &DatabaseStats,
        snapshots: Option<&(Snapshot, Snapshot)>,
    ) -> Witness {
        let mut steal_share = 0.0;
        let generator =
            Resources { cpu_us: recording.window.generator_cpu_ns / 1000, ..Resources::default() };
        let mut resources = BTreeMap::from([("generator".to_owned(), generator)]);
        if let Some((start, end)) = snapshots {
            steal_share = end.steal_share_since(start);
            resources.extend(
                end.since(start)
                    .into_iter()
                    .map(|(component, used)| (component, resources_of(used))),
            );
        }
        Witness {
            client_sent: self.client_sent,
            api_requests: self.counters.requests,
            api_statements: self.counters.statements,
            api_cache_hits: self.counters.cache_hits,
            api_cache_misses: self.counters.cache_misses,
            api_cache_errors: self.counters.cache_errors,
            api_refused: Some(self.counters.refused),
            api_unconnected: Some(self.counters.unconnected),
            api_cache_bypasses: Some(self.counters.cache_bypasses),
            nginx_requests: Some(self.nginx),
            index_scans: own_index_scans(plan, cell, counted),
            seq_scans: counted.seq_scans.clone(),
            buffers_hit: counted.buffers_hit,
            buffers_read: counted.buffers_read,
            temp_bytes: counted.temp_bytes,
            redis_hits: self.redis.map(|r| r.hits),
            redis_misses: self.redis.map(|r| r.misses),
            redis_evicted: self.redis.map(|r| r.evicted),
            redis_memory_bytes: self.redis.map(|r| r.memory_bytes),
            resources,
            steal_share,
        }
    }
}

fn resources_of(used: Used) -> Resources {
    Resources {
        cpu_us: used.cpu_us,
        pss_bytes: used.pss_bytes,
        context_switches: Some(used.context_switches),
        disk_bytes: Some(used.disk_bytes),
    }
}

/// Scans of the variant's own indexes, and of the one that its plan should use.
fn own_index_scans(plan: &Plan, cell: &CellPlan, counted: &DatabaseStats) -> BTreeMap<String, u64> {
    let own = plan.index_set_of(&cell.variant).map_or(&[][..], |set| &set.indexes);
    let expected = cell.expect.plan.as_ref().and_then(|node| node.index.as_ref());
    let is_own = |name: &String| own.iter().any(|i| i.name == *name) || expected == Some(name);
    counted
        .index_scans
        .iter()
        .filter(|(name, _)| is_own(name))
        .map(|(k, v)| (k.clone(), *v))
        .collect()
}

/// Whether the client got what it asked for. The validity of a trial is decided without looking at its latencies.
pub(super) fn judge_client(
    cell: &CellPlan,
    recording: &Recording,
    window: &Window,
    done: &mut Done,
) {
    if let Some(wrong) = recording.wrong_answers.first() {
        done.fail(FailureKind::Correctness, format!("a wrong answer under load: {wrong}"));
    }
    if let Some(failure) = &recording.failure {
        done.fail(FailureKind::Measurement, failure.clone());
    }
    if let Some(errors) = accounting::too_many_errors(&cell.expect, window) {
        done.fail(FailureKind::Correctness, errors);
    }
    if window.dropped > 0 && !matches!(done.outcome, Outcome::Failed(_)) {
        done.outcome = Outcome::Overloaded;
    }
    if window.generator_cpu_share > 0.85 {
        done.notes.push(format!(
            "the load generator used {:.0} % of a core: it may itself be the limit",
            window.generator_cpu_share * 100.0
        ));
    }
}

/// Whether the other witnesses agree, and the variant did what it claims.
pub(super) fn judge_sums(
    cell: &CellPlan,
    recording: &Recording,
    window: &Window,
    witness: &Witness,
    done: &mut Done,
) {
    let failed = recording.failed_total;
    for broken in accounting::broken_identities(window, witness, failed) {
        done.fail(FailureKind::Correctness, format!("{BROKEN_ACCOUNTS}{broken}"));
    }
    for unmet in accounting::unmet_expectations(&cell.expect, window, witness, failed) {
        done.fail(FailureKind::Correctness, unmet);
    }
    if witness.resources.len() < 2 {
        done.notes
            .push("what the servers used in the window is not known: its edges were missed".into());
    }
    if witness.steal_share > 0.02 {
        done.notes
            .push(format!("{:.1} % of the machine's time was stolen", witness.steal_share * 100.0));
    }
}
