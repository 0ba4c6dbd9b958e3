//! The window as the client saw it, what the other witnesses counted, and what follows for the trial.

use std::collections::BTreeMap;

use anyhow::Context as _;

use super::accounting::{self, Beside};
use super::breakdown::{self, Between, Edge};
use super::counts::Counted;
use super::done::Done;
use super::validity::Weight;
use crate::load::{PathTimes, Recording, SearchStep, StepEnd};
use crate::plan::{ApiCounters, CellPlan, Plan};
use crate::probe::{self, DatabaseStats, RedisStats};
use crate::results::{BROKEN_ACCOUNTS, FailureKind, Outcome, Quantiles, Window, Witness};
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
        response_lines: (w.response_lines > 0).then_some(w.response_lines),
        dated: (w.dated > 0).then_some(w.dated),
        stale: (w.dated > 0).then_some(w.stale),
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
        max_rate_rps: recording.search.as_ref().and_then(|search| search.max_rate_per_s),
        drift: w.drift.map(|drift| drift.moves).filter(|moves| moves.is_finite()),
        drift_p: w.drift.map(|drift| drift.p_value),
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
    /// The ways after the window, if they were timed.
    paths: Option<PathTimes>,
}

impl Sums {
    /// Asks Nginx, the API and Redis, each on its own socket. Before the first request Nginx had counted
    /// `nginx_before`, that question included. `client_sent` is without the requests that timed the ways.
    pub(super) async fn ask(
        stack: &Stack,
        (client_sent, paths): (u64, Option<PathTimes>),
        nginx_before: u64,
    ) -> anyhow::Result<Self> {
        let nginx_now = stack.nginx_requests().await.context("Nginx' own counts")?;
        let ways = paths.clone().unwrap_or_default();
        // This question is one of them, and what Nginx answered itself was no request to the API.
        let nginx = nginx_now.saturating_sub(nginx_before + 1 + ways.nginx_sent);
        let client_sent = client_sent + ways.api_sent + ways.whole_sent;
        let counters = probe::counters(&stack.api_sockets()).await?;
        let redis = match stack.redis_address() {
            Some(address) => Some(probe::redis_stats(&address).await?),
            None => None,
        };
        Ok(Self { client_sent, counters, redis, nginx, paths })
    }

    /// Requests that failed, in any phase.
    pub(super) fn failed(&self, recording: &Recording) -> u64 {
        let fault = self.paths.as_ref().and_then(|paths| paths.fault.as_ref());
        recording.failed_total + u64::from(fault.is_some())
    }

    /// What the cache did beside answering requests.
    pub(super) fn beside(&self) -> Beside {
        Beside { coalesced: self.counters.coalesced, renewals: self.counters.renewals }
    }

    /// All witnesses together.
    pub(super) fn witness(
        &self,
        plan: &Plan,
        cell: &CellPlan,
        recording: &Recording,
        counted: Option<&Counted>,
        snapshots: Option<&(Edge, Edge)>,
    ) -> Witness {
        let mut resources =
            BTreeMap::from([("generator".to_owned(), breakdown::generator(recording))]);
        let between = snapshots.map(|(start, end)| end.since(start, recording));
        let between = between.unwrap_or_default();
        let Between { resources: servers, steal_share, stages } = between;
        resources.extend(servers);
        let stats = counted.map(|counted| &counted.stats);
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
            index_scans: stats.map(|s| own_index_scans(plan, cell, s)).unwrap_or_default(),
            seq_scans: stats.map(|s| s.seq_scans.clone()).unwrap_or_default(),
            buffers_hit: stats.map(|s| s.buffers_hit),
            buffers_read: stats.map(|s| s.buffers_read),
            temp_bytes: stats.map(|s| s.temp_bytes),
            wal_bytes: stats.map(|s| s.wal_bytes),
            redis_operations: self.redis.map(|r| r.operations),
            redis_hits: self.redis.map(|r| r.hits),
            redis_misses: self.redis.map(|r| r.misses),
            redis_evicted: self.redis.map(|r| r.evicted),
            redis_memory_bytes: self.redis.map(|r| r.memory_bytes),
            resources,
            steal_share,
            postgres_statements: counted.and_then(|counted| counted.statements),
            foreign_cpu_share: None,
            page_cache_share: None,
            api_direct: self.paths.as_ref().map(|paths| paths.api_sent),
            stages,
            paths: self.paths.as_ref().and_then(breakdown::sums),
        }
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
    let starved = done.faults.iter().any(|fault| fault.weight == Weight::Void);
    if let Some(wrong) = recording.wrong_answers.first() {
        done.fail(FailureKind::Correctness, format!("a wrong answer under load: {wrong}"));
    }
    if let Some(failure) = &recording.failure {
        done.fail(FailureKind::Measurement, failure.clone());
    }
    // Where the generator was too slow for its own requests, they may have timed out in its hands.
    if let Some(errors) = accounting::too_many_errors(&cell.expect, window).filter(|_| !starved) {
        done.fail(FailureKind::Correctness, errors);
    }
    if window.dropped > 0 && !matches!(done.outcome, Outcome::Failed(_)) {
        done.outcome = Outcome::Overloaded;
    }
    let steps = recording.search.iter().flat_map(|search| &search.steps);
    let busy = |step: &&SearchStep| step.end != StepEnd::Kept && step.generator_cpu_share > 0.85;
    if let Some(step) = steps.filter(busy).min_by(|a, b| a.rate_per_s.total_cmp(&b.rate_per_s)) {
        done.notes.push(format!(
            "at {:.0}/s of the search the load generator used {:.0} % of a core: the rate that was found may be its own",
            step.rate_per_s,
            step.generator_cpu_share * 100.0
        ));
    }
}

/// Whether the other witnesses agree, and the variant did what it claims; `failed` requests of all phases leave it open.
pub(super) fn judge_sums(
    cell: &CellPlan,
    failed: u64,
    window: &Window,
    (witness, beside): (&Witness, Beside),
    done: &mut Done,
) {
    for broken in accounting::broken_identities(window, witness, failed, beside) {
        done.fail(FailureKind::Correctness, format!("{BROKEN_ACCOUNTS}{broken}"));
    }
    for unmet in accounting::unmet_expectations(&cell.expect, window, witness, failed) {
        done.fail(FailureKind::Correctness, unmet);
    }
    if witness.resources.len() < 2 {
        done.notes
            .push("what the servers used in the window is not known: its edges were missed".into());
    }
}
