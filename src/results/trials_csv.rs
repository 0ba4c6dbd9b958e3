//! `trials.csv`, the table of truth: one row a trial, read back without loss.
//!
//! Columns are only ever appended. Missing is an empty cell. Open maps (`failures`, `cache`, `index_scans`,
//! `seq_scans`) are one cell of `name=count` joined by `;`.

use std::collections::BTreeMap;
use std::fmt::Display;

use super::used::LATER_USE;
use super::{FailureKind, Outcome, Quantiles, Table, TrialRecord, Window, Witness};
use crate::plan::Role;

/// Components with columns of their own, in this order.
pub(super) const COMPONENTS: [&str; 5] = ["postgres", "redis", "nginx", "api", "generator"];

/// The trials as a table.
pub fn trials_table(trials: &[TrialRecord]) -> Table {
    let mut rows: Vec<Cells> = trials.iter().map(cells).collect();
    // Tables of before these columns stay byte for byte what they are.
    for (name, pick) in LATER {
        let value = |t: &TrialRecord| t.witness.as_ref().and_then(pick);
        if trials.iter().any(|t| value(t).is_some()) {
            for (row, trial) in rows.iter_mut().zip(trials) {
                row.put_some(name, value(trial));
            }
        }
    }
    for (name, pick) in LATER_WINDOW {
        let value = |t: &TrialRecord| t.window.as_ref().and_then(pick);
        if trials.iter().any(|t| value(t).is_some()) {
            for (row, trial) in rows.iter_mut().zip(trials) {
                row.put_some(name, value(trial));
            }
        }
    }
    for component in COMPONENTS {
        let used = |t: &'_ TrialRecord| t.witness.as_ref()?.resources.get(component).cloned();
        let used: Vec<_> = trials.iter().map(used).collect();
        for (name, pick) in LATER_USE {
            if used.iter().flatten().any(|r| pick(r).is_some()) {
                for (row, used) in rows.iter_mut().zip(&used) {
                    row.put_some(format!("{component}_{name}"), used.as_ref().and_then(pick));
                }
            }
        }
    }
    let header = rows.first().map_or_else(header_of_nothing, Cells::names);
    Table {
        file: "trials.csv".into(),
        header,
        rows: rows
            .into_iter()
            .map(|row| row.0.into_iter().map(|(_, value)| value).collect())
            .collect(),
    }
}

type Text = fn(&Witness) -> Option<String>;
/// Columns that came later, in the order in which they came.
const LATER: [(&str, Text); 20] = [
    ("api_refused", |w| text(w.api_refused)),
    ("api_unconnected", |w| text(w.api_unconnected)),
    ("api_cache_bypasses", |w| text(w.api_cache_bypasses)),
    ("nginx_requests", |w| text(w.nginx_requests)),
    ("foreign_cpu_share", |w| text(w.foreign_cpu_share)),
    ("page_cache_share", |w| text(w.page_cache_share)),
    ("postgres_statements", |w| text(w.postgres_statements)),
    ("api_direct", |w| text(w.api_direct)),
    ("stage_requests", |w| text(w.stages.as_ref().map(|s| s.requests))),
    ("stage_routing_ns", |w| text(w.stages.as_ref().map(|s| s.routing_ns))),
    ("stage_pool_wait_ns", |w| text(w.stages.as_ref().map(|s| s.pool_wait_ns))),
    ("stage_cache_ns", |w| text(w.stages.as_ref().map(|s| s.cache_ns))),
    ("stage_query_ns", |w| text(w.stages.as_ref().map(|s| s.query_ns))),
    ("stage_serialise_ns", |w| text(w.stages.as_ref().map(|s| s.serialise_ns))),
    ("path_rounds", |w| text(w.paths.as_ref().map(|s| s.rounds))),
    ("path_nginx_ns", |w| text(w.paths.as_ref().map(|s| s.nginx_ns))),
    ("path_api_ns", |w| text(w.paths.as_ref().map(|s| s.api_ns))),
    ("path_whole_ns", |w| text(w.paths.as_ref().map(|s| s.whole_ns))),
    ("wal_bytes", |w| text(w.wal_bytes)),
    ("redis_operations", |w| text(w.redis_operations)),
];

type WindowFigure = fn(&Window) -> Option<String>;
/// The same of the window.
const LATER_WINDOW: [(&str, WindowFigure); 6] = [
    ("max_rate_rps", |w| text(w.max_rate_rps)),
    ("response_time_drift", |w| text(w.drift)),
    ("response_time_drift_p", |w| text(w.drift_p)),
    ("response_lines", |w| text(w.response_lines)),
    ("dated_answers", |w| text(w.dated)),
    ("stale_answers", |w| text(w.stale)),
];
fn text(value: Option<impl Display>) -> Option<String> {
    value.map(|v| v.to_string())
}

fn header_of_nothing() -> Vec<String> {
    vec!["format".into(), "number".into()]
}

struct Cells(Vec<(String, String)>);

impl Cells {
    fn put(&mut self, name: impl Into<String>, value: impl Display) {
        self.0.push((name.into(), value.to_string()));
    }

    fn put_some(&mut self, name: impl Into<String>, value: Option<impl Display>) {
        self.0.push((name.into(), value.map(|v| v.to_string()).unwrap_or_default()));
    }

    fn put_map(&mut self, name: &str, map: Option<&BTreeMap<String, u64>>) {
        let joined =
            map.map(|m| m.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>().join(";"));
        self.put_some(name, joined);
    }

    fn names(&self) -> Vec<String> {
        self.0.iter().map(|(name, _)| name.clone()).collect()
    }
}

fn cells(t: &TrialRecord) -> Cells {
    let mut c = Cells(Vec::with_capacity(96));
    c.put("format", t.format);
    c.put("number", t.number);
    c.put("block", t.block);
    c.put("order", t.order);
    c.put("variant", &t.variant);
    c.put("load", &t.load);
    c.put(
        "role",
        match t.role {
            Role::Variant => "variant",
            Role::Twin => "twin",
        },
    );
    let (outcome, kind, reason) = match &t.outcome {
        Outcome::Ok => ("ok", None, None),
        Outcome::Overloaded => ("overloaded", None, None),
        Outcome::Failed(f) => ("failed", Some(kind_word(f.kind)), Some(&f.reason)),
        Outcome::Invalid(reason) => ("invalid", None, Some(reason)),
    };
    c.put("outcome", outcome);
    c.put_some("failure_kind", kind);
    c.put_some("failure_reason", reason);
    c.put("started_at", &t.started_at);
    c.put("wall_ms", t.wall_ms);
    c.put_some("fill_ms", t.fill_ms);
    c.put_some("warmup_ms", t.warmup_ms);
    c.put_some("warmup_reached", t.warmup_reached);
    window_cells(&mut c, t.window.as_ref());
    witness_cells(&mut c, t.witness.as_ref());
    c.put_some("plan_hash", t.plan_hash.as_ref());
    c.put("notes", t.notes.join("\n"));
    c
}

fn window_cells(c: &mut Cells, w: Option<&Window>) {
    c.put_some("window_ns", w.map(|w| w.duration_ns));
    c.put_some("requests_due", w.map(|w| w.due));
    c.put_some("requests_sent", w.map(|w| w.sent));
    c.put_some("requests_dropped", w.map(|w| w.dropped));
    c.put_some("requests_answered", w.map(|w| w.answered));
    c.put_some("requests_failed", w.map(|w| w.failed));
    c.put_map("failures", w.map(|w| &w.failures));
    c.put_map("cache", w.map(|w| &w.cache));
    c.put_some("response_bytes", w.map(|w| w.response_bytes));
    c.put_some("rate_rps", w.map(|w| w.rate_rps));
    for (prefix, pick) in TIMES {
        let q = w.map(pick);
        for (name, quantile) in QUANTILES {
            c.put_some(format!("{prefix}_{name}_us"), q.and_then(quantile));
        }
    }
    c.put_some("lag_p99_us", w.map(|w| w.lag_p99_us));
    c.put_some("generator_cpu_share", w.map(|w| w.generator_cpu_share));
}

type Pick = fn(&Window) -> &Quantiles;
type Quantile = fn(&Quantiles) -> Option<f64>;
const TIMES: [(&str, Pick); 2] =
    [("response_time", |w| &w.response_time), ("service_time", |w| &w.service_time)];
const QUANTILES: [(&str, Quantile); 7] = [
    ("p50", |q| q.p50_us),
    ("p90", |q| q.p90_us),
    ("p95", |q| q.p95_us),
    ("p99", |q| q.p99_us),
    ("p999", |q| q.p999_us),
    ("max", |q| q.max_us),
    ("mean", |q| q.mean_us),
];

fn witness_cells(c: &mut Cells, w: Option<&Witness>) {
    c.put_some("client_sent", w.map(|w| w.client_sent));
    c.put_some("api_requests", w.map(|w| w.api_requests));
    c.put_some("api_statements", w.map(|w| w.api_statements));
    c.put_some("api_cache_hits", w.map(|w| w.api_cache_hits));
    c.put_some("api_cache_misses", w.map(|w| w.api_cache_misses));
    c.put_some("api_cache_errors", w.map(|w| w.api_cache_errors));
    c.put_map("index_scans", w.map(|w| &w.index_scans));
    c.put_map("seq_scans", w.map(|w| &w.seq_scans));
    c.put_some("buffers_hit", w.and_then(|w| w.buffers_hit));
    c.put_some("buffers_read", w.and_then(|w| w.buffers_read));
    c.put_some("temp_bytes", w.and_then(|w| w.temp_bytes));
    c.put_some("redis_hits", w.and_then(|w| w.redis_hits));
    c.put_some("redis_misses", w.and_then(|w| w.redis_misses));
    c.put_some("redis_evicted", w.and_then(|w| w.redis_evicted));
    c.put_some("redis_memory_bytes", w.and_then(|w| w.redis_memory_bytes));
    for component in COMPONENTS {
        let r = w.and_then(|w| w.resources.get(component));
        c.put_some(format!("{component}_cpu_us"), r.map(|r| r.cpu_us));
        c.put_some(format!("{component}_pss_bytes"), r.and_then(|r| r.pss_bytes));
        c.put_some(format!("{component}_context_switches"), r.and_then(|r| r.context_switches));
        c.put_some(format!("{component}_disk_bytes"), r.and_then(|r| r.disk_bytes));
    }
    c.put_some("steal_share", w.map(|w| w.steal_share));
}

/// Kinds of failure, as their words are read back.
pub(super) const KINDS: [FailureKind; 3] =
    [FailureKind::Provisioning, FailureKind::Measurement, FailureKind::Correctness];

/// The word of a kind.
pub(super) fn kind_word(kind: FailureKind) -> &'static str {
    match kind {
        FailureKind::Provisioning => "provisioning",
        FailureKind::Measurement => "measurement",
        FailureKind::Correctness => "correctness",
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::plan::StageSums;
    use crate::results::files::table_bytes;
    use crate::results::{Failure, PathSums, Resources, read_trials};

    fn counts() -> impl Strategy<Value = BTreeMap<String, u64>> {
        proptest::collection::btree_map("[a-z_-]{1,12}", any::<u64>(), 0..3)
    }

    fn number() -> impl Strategy<Value = f64> {
        any::<f64>().prop_filter("finite", |x| x.is_finite())
    }

    fn any_window() -> impl Strategy<Value = Window> {
        (any::<[u64; 7]>(), counts(), counts(), proptest::collection::vec(number(), 10)).prop_map(
            |(n, failures, cache, x)| Window {
                duration_ns: n[0],
                due: n[1],
                sent: n[2],
                dropped: n[3],
                answered: n[4],
                failed: n[5],
                failures,
                cache,
                response_bytes: n[6],
                response_lines: (n[1] % 2 == 0).then_some(n[2]),
                dated: (n[2] % 2 == 0).then_some(n[3]),
                stale: (n[2] % 2 == 0).then_some(n[4]),
                rate_rps: x[0],
                response_time: Quantiles {
                    p50_us: Some(x[1]),
                    p99_us: None,
                    max_us: Some(x[2]),
                    ..Quantiles::default()
                },
                service_time: Quantiles {
                    p50_us: Some(x[3]),
                    mean_us: Some(x[4]),
                    ..Quantiles::default()
                },
                lag_p99_us: x[5],
                generator_cpu_share: x[6],
                max_rate_rps: (n[0] % 2 == 0).then_some(x[7]),
                drift: Some(x[7]),
                drift_p: (x[8] > 0.0).then_some(x[9]),
            },
        )
    }

    fn any_witness() -> impl Strategy<Value = Witness> {
        (any::<[u64; 6]>(), counts(), proptest::option::of(any::<u64>()), number()).prop_map(
            |(n, index_scans, redis_hits, steal_share)| Witness {
                client_sent: n[0],
                api_requests: n[1],
                buffers_hit: (n[2] % 2 == 0).then_some(n[2]),
                index_scans,
                redis_hits,
                resources: BTreeMap::from([(
                    "api".to_owned(),
                    Resources {
                        cpu_us: n[3],
                        pss_bytes: Some(n[4]),
                        context_switches: None,
                        disk_bytes: Some(n[5]),
                        net_sent_bytes: redis_hits,
                        ..Resources::default()
                    },
                )]),
                steal_share,
                api_refused: redis_hits,
                nginx_requests: redis_hits,
                api_direct: redis_hits,
                stages: redis_hits.map(|n| StageSums {
                    requests: n,
                    query_ns: n / 3,
                    ..StageSums::default()
                }),
                paths: redis_hits.map(|n| PathSums {
                    rounds: n,
                    api_ns: n / 5,
                    ..PathSums::default()
                }),
                api_cache_bypasses: redis_hits.map(|n| n / 2),
                foreign_cpu_share: redis_hits.map(|n| n as f64 / 3.0),
                postgres_statements: redis_hits.map(|n| n / 5),
                page_cache_share: redis_hits.map(|_| steal_share),
                ..Witness::default()
            },
        )
    }

    proptest! {
        #[test]
        fn a_trial_is_read_back_as_it_was_written(
            window in proptest::option::of(any_window()),
            witness in proptest::option::of(any_witness()),
            reason in "[ -~é\n\"]{1,40}",
            ending in 0..3,
        ) {
            let trial = TrialRecord {
                format: 1, number: 3, block: 1, order: 2,
                variant: "btree".into(), load: "unloaded".into(), role: Role::Twin,
                outcome: match ending {
                    0 => Outcome::Failed(Failure { kind: FailureKind::Correctness, reason }),
                    1 => Outcome::Invalid(reason),
                    _ => Outcome::Overloaded,
                },
                started_at: "2026-01-01T00:00:00Z".into(), wall_ms: 1, fill_ms: None,
                warmup_ms: Some(7), warmup_reached: Some(false), window, witness,
                plan_hash: None, notes: vec!["one".into(), "two".into()],
            };
            let bytes = table_bytes(&trials_table(std::slice::from_ref(&trial))).unwrap();
            prop_assert_eq!(read_trials(&bytes).unwrap(), vec![trial]);
        }
    }

    #[test]
    fn a_broken_cell_is_refused_with_its_line_and_column() {
        let error = read_trials(b"format,number\n1,x\n").unwrap_err();
        assert_eq!(format!("{error:#}"), "line 2: column `notes` is missing");
    }
}
