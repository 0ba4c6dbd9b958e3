//! What this process has counted since it started, exactly.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::histogram::Histogram;
use super::laps::{Laps, STAGES};
use super::pool::Unconnected;
use crate::plan::{ApiCounters, StageSums};

/// How Redis took part in one answer. Each request that is not refused counts as exactly one of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CacheUse {
    /// The endpoint has no cache, or the key is too long for it.
    Bypass,
    /// Answered from Redis.
    Hit,
    /// Redis did not have it.
    Miss,
    /// Redis failed, was too slow, or held something that is not ours.
    Error,
}

impl CacheUse {
    /// As `X-Cache` says it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Bypass => "bypass",
            Self::Hit => "hit",
            Self::Miss => "miss",
            Self::Error => "error",
        }
    }
}

/// The counters behind [`ApiCounters`].
#[derive(Debug, Default)]
pub(super) struct Counters {
    requests: AtomicU64,
    refused: AtomicU64,
    unconnected: AtomicU64,
    pool_timeouts: AtomicU64,
    pool_full: AtomicU64,
    statements: AtomicU64,
    cache_hits: AtomicU64,
    cache_misses: AtomicU64,
    cache_errors: AtomicU64,
    cache_bypasses: AtomicU64,
    coalesced: AtomicU64,
    renewals: AtomicU64,
    cache_write_failures: AtomicU64,
    server_errors: AtomicU64,
    connections_opened: AtomicU64,
    pool_wait: Histogram,
    pool_wait_max_ns: AtomicU64,
    /// Requests whose times are in `stages_ns`.
    timed: AtomicU64,
    stages_ns: [AtomicU64; STAGES],
    http_received_bytes: AtomicU64,
    http_sent_bytes: AtomicU64,
}

fn one_more(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

impl Counters {
    /// A request came in.
    pub(super) fn request(&self) {
        one_more(&self.requests);
    }

    /// A request is refused for what it is: neither the cache nor the database hears of it.
    pub(super) fn refused(&self) {
        one_more(&self.refused);
    }

    /// A request gets no database connection.
    pub(super) fn unconnected(&self, kind: Unconnected) {
        one_more(&self.unconnected);
        match kind {
            Unconnected::Timeout => one_more(&self.pool_timeouts),
            Unconnected::Full => one_more(&self.pool_full),
            Unconnected::Unreachable => {}
        }
    }

    /// A statement is about to be sent for a request.
    pub(super) fn statement(&self) {
        one_more(&self.statements);
    }

    /// The cache's part in a request is settled.
    pub(super) fn cache(&self, part: CacheUse) {
        match part {
            CacheUse::Bypass => one_more(&self.cache_bypasses),
            CacheUse::Hit => one_more(&self.cache_hits),
            CacheUse::Miss => one_more(&self.cache_misses),
            CacheUse::Error => one_more(&self.cache_errors),
        }
    }

    /// A request that missed got the answer of another one.
    pub(super) fn coalesced(&self) {
        one_more(&self.coalesced);
    }

    /// A statement is sent to renew an entry.
    pub(super) fn renewal(&self) {
        one_more(&self.renewals);
    }

    /// Redis did not take what a write or a renewal had to tell it.
    pub(super) fn cache_write_failed(&self) {
        one_more(&self.cache_write_failures);
    }

    /// An answer of 500 or above goes out.
    pub(super) fn server_error(&self) {
        one_more(&self.server_errors);
    }

    /// A database connection was opened.
    pub(super) fn connection_opened(&self) {
        one_more(&self.connections_opened);
    }

    /// A request waited this long for a connection (queue, opening, ping).
    pub(super) fn waited(&self, wait: Duration) {
        let nanos = u64::try_from(wait.as_nanos()).unwrap_or(u64::MAX);
        self.pool_wait.record(nanos);
        self.pool_wait_max_ns.fetch_max(nanos, Ordering::Relaxed);
    }

    /// How long requests waited for a connection.
    pub(super) fn pool_wait(&self) -> &Histogram {
        &self.pool_wait
    }

    /// A request has its answer, right or not: this is where its time went.
    pub(super) fn answered(&self, laps: &Laps) {
        for (sum, spent) in self.stages_ns.iter().zip(laps.spent_ns()) {
            if spent > 0 {
                sum.fetch_add(spent, Ordering::Relaxed);
            }
        }
        one_more(&self.timed);
    }

    /// Bytes came in from clients.
    pub(super) fn received(&self, bytes: usize) {
        self.http_received_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Bytes went out to clients.
    pub(super) fn sent(&self, bytes: usize) {
        self.http_sent_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// All of them now.
    pub(super) fn read(&self) -> ApiCounters {
        let now = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let [routing_ns, pool_wait_ns, cache_ns, query_ns, serialise_ns] =
            self.stages_ns.each_ref().map(now);
        let requests = now(&self.timed);
        ApiCounters {
            requests: now(&self.requests),
            refused: now(&self.refused),
            unconnected: now(&self.unconnected),
            pool_timeouts: now(&self.pool_timeouts),
            pool_full: now(&self.pool_full),
            statements: now(&self.statements),
            cache_hits: now(&self.cache_hits),
            cache_misses: now(&self.cache_misses),
            cache_errors: now(&self.cache_errors),
            cache_bypasses: now(&self.cache_bypasses),
            coalesced: now(&self.coalesced),
            renewals: now(&self.renewals),
            cache_write_failures: now(&self.cache_write_failures),
            server_errors: now(&self.server_errors),
            connections_opened: now(&self.connections_opened),
            pool_wait_total_ns: self.pool_wait.sum_ns(),
            pool_wait_max_ns: now(&self.pool_wait_max_ns),
            stages: StageSums {
                requests,
                routing_ns,
                pool_wait_ns,
                cache_ns,
                query_ns,
                serialise_ns,
            },
            http_received_bytes: now(&self.http_received_bytes),
            http_sent_bytes: now(&self.http_sent_bytes),
        }
    }
}
