//! Where the time goes and what passes the sockets: what the servers count at the window's edges, and the ways after it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use tokio::sync::watch;

use super::done::Done;
use super::event::Interrupt;
use super::watched::watched;
use crate::load::{self, Job, PathFault, PathTimes, Recording};
use crate::plan::{ApiCounters, LoadPlan, ModelPlan, RedisAddress, StageSums};
use crate::probe::{self, Memory, RedisStats, Snapshot};
use crate::results::{FailureKind, PathSums, Resources};
use crate::stack::{STATIC_PATH, Stack};

/// Who is asked at the window's edges, each on a socket of its own.
pub(super) struct Watch {
    pids: BTreeMap<String, Vec<u32>>,
    api_sockets: Vec<PathBuf>,
    redis: Option<RedisAddress>,
}

/// What was known at one edge of the window.
pub(super) struct Edge {
    used: Snapshot,
    /// None where the API did not answer in time.
    api: Option<ApiCounters>,
    redis: Option<RedisStats>,
}

/// What happened between two edges.
#[derive(Default)]
pub(super) struct Between {
    /// By component.
    pub(super) resources: BTreeMap<String, Resources>,
    /// Share of the machine's time that others had.
    pub(super) steal_share: f64,
    /// Where the time went inside of the API.
    pub(super) stages: Option<StageSums>,
}

impl Watch {
    /// Watches a stack.
    pub(super) fn of(stack: &Stack) -> Self {
        Self { pids: stack.pids(), api_sockets: stack.api_sockets(), redis: stack.redis_address() }
    }

    /// Looks at everything now. The API first, because its sums move fastest.
    ///
    /// # Errors
    ///
    /// If /proc cannot be read; a server that does not answer leaves its part unknown.
    pub(super) async fn edge(&self, memory: Memory) -> anyhow::Result<Edge> {
        let api = probe::counters(&self.api_sockets).await.ok();
        let used = probe::snapshot(&self.pids, memory)?;
        let redis = match &self.redis {
            Some(address) => probe::redis_stats(address).await.ok(),
            None => None,
        };
        Ok(Edge { used, api, redis })
    }
}

impl Edge {
    /// CPU time of all servers since `before`.
    pub(super) fn cpu_us_since(&self, before: &Self) -> u64 {
        self.used.since(&before.used).values().map(|used| used.cpu_us).sum()
    }

    /// What happened since `before`; the generator is known by its recording.
    pub(super) fn since(&self, before: &Self, recording: &Recording) -> Between {
        let api = self.api.as_ref().zip(before.api.as_ref());
        let window = &recording.window;
        let client = (window.wire_received_bytes, window.wire_sent_bytes);
        let api_bytes = api.map(|(now, then)| {
            let received = now.http_received_bytes.saturating_sub(then.http_received_bytes);
            (received, now.http_sent_bytes.saturating_sub(then.http_sent_bytes))
        });
        let redis_bytes = self.redis.zip(before.redis).map(|(now, then)| redis_moved(now, then));
        let mut resources = BTreeMap::new();
        for (component, used) in self.used.since(&before.used) {
            let moved = match component.as_str() {
                "api" => api_bytes,
                "redis" => redis_bytes,
                "nginx" => api_bytes.map(|api| both_sides(client, api)),
                _ => None,
            };
            let used = Resources {
                cpu_us: used.cpu_us,
                pss_bytes: used.pss_bytes,
                context_switches: Some(used.voluntary_switches + used.involuntary_switches),
                disk_bytes: Some(used.disk_read_bytes + used.disk_written_bytes),
                voluntary_switches: Some(used.voluntary_switches),
                involuntary_switches: Some(used.involuntary_switches),
                disk_read_bytes: Some(used.disk_read_bytes),
                disk_written_bytes: Some(used.disk_written_bytes),
                net_received_bytes: moved.map(|(received, _)| received),
                net_sent_bytes: moved.map(|(_, sent)| sent),
            };
            resources.insert(component, used);
        }
        Between {
            resources,
            steal_share: self.used.steal_share_since(&before.used),
            stages: api.map(|(now, then)| now.stages.since(&then.stages)),
        }
    }
}

/// The load generator's use of the window.
pub(super) fn generator(recording: &Recording) -> Resources {
    let window = &recording.window;
    Resources {
        cpu_us: window.generator_cpu_ns / 1000,
        net_received_bytes: Some(window.wire_received_bytes),
        net_sent_bytes: Some(window.wire_sent_bytes),
        ..Resources::default()
    }
}

/// Redis' bytes received and sent, without its answer to our first question.
fn redis_moved(now: RedisStats, then: RedisStats) -> (u64, u64) {
    let sent = now.sent_bytes.saturating_sub(then.sent_bytes);
    let received = now.received_bytes.saturating_sub(then.received_bytes);
    (received, sent.saturating_sub(then.answer_bytes))
}

/// What stands between two others receives what both send. Each is (received, sent).
fn both_sides(client: (u64, u64), api: (u64, u64)) -> (u64, u64) {
    (client.1 + api.1, client.0 + api.0)
}

/// Whether the ways may be timed under a load: one user sends one request at a time, and two of the ways are asked for the
/// same, which only a reading request bears.
fn can_be_timed(load: &LoadPlan) -> bool {
    let is_closed = matches!(load.model, ModelPlan::Closed { .. });
    is_closed && load.most_under_way() == 1 && load.targets.iter().all(|t| t.method == "GET")
}

/// Times the three ways after the window of a load of one user who only reads; none under any other load, or where the trial
/// is no longer worth it. The requests are part of the trial's accounts.
///
/// # Errors
///
/// If the requests cannot be prepared.
pub(super) async fn time_paths(
    job: Job,
    stack: &Stack,
    recording: &Recording,
    interrupt: watch::Receiver<Interrupt>,
    done: &mut Done,
) -> anyhow::Result<Option<PathTimes>> {
    let failed = matches!(done.outcome, crate::results::Outcome::Failed(_));
    let Some(api) = stack.api_sockets().into_iter().next() else { return Ok(None) };
    if !can_be_timed(&job.plan) || failed || recording.failed_total > 0 {
        return Ok(None);
    }
    let ways = load::Paths { api, nginx: STATIC_PATH.to_owned() };
    let times = match watched(load::time_paths(job, ways), stack, interrupt).await {
        Ok(times) => times?,
        Err(stop) => {
            done.stop_for(stop);
            return Ok(None);
        }
    };
    match &times.fault {
        Some(PathFault::Wrong(text)) => {
            done.fail(FailureKind::Correctness, format!("a wrong answer after the window: {text}"));
        }
        Some(PathFault::Unanswered(text)) => {
            done.notes.push(format!("the ways could not be timed: {text}"));
        }
        None => {}
    }
    Ok(Some(times))
}

/// The sums that are kept; none where a request failed.
pub(super) fn sums(times: &PathTimes) -> Option<PathSums> {
    (times.fault.is_none() && times.rounds > 0).then_some(PathSums {
        rounds: times.rounds,
        nginx_ns: times.nginx_ns,
        api_ns: times.api_ns,
        whole_ns: times.whole_ns,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::StagePlan;
    use crate::spec::{Layers, load};

    #[test]
    fn the_ways_are_timed_for_one_user_who_only_reads() {
        let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/fixtures/tiny/experiments/tiny.toml");
        let spec = load(&file, &Layers::default()).expect("a file");
        let plan = crate::plan::resolve(&spec).expect("a plan").cells.remove(0).drive;
        assert!(can_be_timed(&plan));
        let model = ModelPlan::Closed { users: 2, think_ns: 0 };
        assert!(!can_be_timed(&LoadPlan { model, ..plan.clone() }));
        let stages = vec![StagePlan { duration_ns: 1, from: 1.0, to: 5.0 }];
        assert!(!can_be_timed(&LoadPlan { stages, ..plan.clone() }), "not alone for long");
        let mut writes = plan;
        writes.targets[0].method = "POST".into();
        assert!(!can_be_timed(&writes));
    }

    #[test]
    fn nginx_moves_what_its_neighbours_move() {
        // The client sent 10 and received 300; the API received 12 of Nginx and sent 290.
        assert_eq!(both_sides((300, 10), (12, 290)), (10 + 290, 300 + 12));
    }

    #[test]
    fn the_answer_to_our_own_question_is_not_the_experiments_traffic() {
        let then = RedisStats {
            sent_bytes: 100,
            received_bytes: 50,
            answer_bytes: 5000,
            ..RedisStats::default()
        };
        let now = RedisStats { sent_bytes: 6100, received_bytes: 450, ..then };
        assert_eq!(redis_moved(now, then), (400, 1000));
        assert_eq!(redis_moved(then, then), (0, 0));
    }

    #[test]
    fn a_way_that_failed_gives_no_time() {
        let times = PathTimes { rounds: 7, api_ns: 3, ..PathTimes::default() };
        assert_eq!(sums(&times).map(|sums| (sums.rounds, sums.api_ns)), Some((7, 3)));
        let fault = Some(PathFault::Unanswered("/: timeout".into()));
        assert_eq!(sums(&PathTimes { fault, ..times }), None);
        assert_eq!(sums(&PathTimes::default()), None);
    }
}
