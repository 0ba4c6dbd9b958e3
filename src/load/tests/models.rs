//! What the load models measure, and how a run goes through its phases.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use tokio::time::Duration;

use super::scripts::{
    Reply, closed, drive, near, on_connections, on_paused_clock, open, reply, scripted,
};
use crate::load::PhaseEvent;
use crate::load::fixtures::{MS, S};
use crate::load::wire::Door;
use crate::plan::{DistributionPlan, FillPlan, Until, WarmupPlan};
use crate::spec::Arrival;

#[test]
fn a_constant_latency_is_measured_and_every_request_is_accounted_for() {
    let run = on_paused_clock(async {
        drive(open(500.0, Arrival::Constant, 100), scripted(|uri, _| reply(uri, 4)), None).await
    });
    let window = &run.recording.window;
    assert_eq!(run.recording.failure, None);
    assert_eq!((window.due, window.sent, window.answered), (5000, 5000, 5000));
    assert_eq!((window.dropped, window.failed), (0, 0));
    assert_eq!(window.cache, BTreeMap::from([("miss".into(), 5000)]));
    near(window.quantile_response_us(0.5), 4000.0, 1010.0);
    near(window.quantile_response_us(0.99), 4000.0, 1010.0);
    assert!((window.rate_rps() - 500.0).abs() < 1e-9);
    assert!(run.recording.warmup_reached);
    assert_eq!(run.recording.warmup_ns, 2 * S);
    near(Some(run.seconds), 12.0, 0.05);
    let milestones: Vec<_> =
        run.events.iter().filter(|e| !matches!(e, PhaseEvent::Progress { .. })).collect();
    assert_eq!(
        milestones,
        [
            &PhaseEvent::WarmupStarted,
            &PhaseEvent::WindowStarted,
            &PhaseEvent::WindowEnded,
            &PhaseEvent::Drained
        ]
    );
    let told = run.events.len() - milestones.len();
    assert!((20..=24).contains(&told), "{told} words of progress in 12 s");
    assert_eq!(run.recording.slices.len(), 13);
    assert_eq!(run.recording.slices[5].answered, 500);
}

#[test]
fn connections_are_opened_ahead_kept_open_and_added_only_when_all_are_busy() {
    let opened = |after_ms: u64| {
        let count = Rc::new(Cell::new(0));
        let counted = Rc::clone(&count);
        on_paused_clock(async {
            let Door::Memory(connect) = scripted(move |uri, _| reply(uri, after_ms)) else {
                panic!("a door of a test")
            };
            let door = Door::Memory(Rc::new(move || {
                counted.set(counted.get() + 1);
                connect()
            }));
            let run = drive(open(500.0, Arrival::Constant, 200), door, None).await;
            assert_eq!((run.recording.reopened, run.recording.window.dropped), (0, 0));
        });
        count.get()
    };
    assert_eq!(opened(1), 64);
    // A hundred under way at once, and a few in hand.
    let many = opened(200);
    assert!((100..=106).contains(&many), "{many}");
}

/// Answers in a millisecond, except from 5 to 6 s, when it answers nobody.
fn stall(uri: &hyper::Uri, now: Duration) -> Reply {
    let until = Duration::from_secs(6);
    let is_stalled = now >= Duration::from_secs(5) && now < until;
    let mut reply = reply(uri, 1);
    reply.after += if is_stalled { until.saturating_sub(now) } else { Duration::ZERO };
    reply
}

#[test]
fn a_server_that_stalls_for_a_second_shows_in_an_open_load_and_hides_in_a_closed_one() {
    let run = on_paused_clock(async {
        drive(open(500.0, Arrival::Constant, 1000), scripted(stall), None).await
    });
    // A tenth of the requests waited between 0 and 1 s.
    let window = &run.recording.window;
    assert_eq!(window.answered, 5000);
    near(window.quantile_response_us(0.95), 500_000.0, 20_000.0);
    near(window.quantile_response_us(0.99), 900_000.0, 20_000.0);
    near(window.max_response_us(), 1_000_000.0, 5000.0);
    let users = on_paused_clock(async { drive(closed(2, 0), scripted(stall), None).await });
    assert!(users.recording.window.answered > 5000);
    near(users.recording.window.quantile_response_us(0.99), 1000.0, 1010.0);
}

#[test]
fn a_generator_that_stalls_confesses_it_as_response_time_and_lag_but_not_as_service_time() {
    let run = on_paused_clock(async {
        tokio::task::spawn_local(async {
            tokio::time::sleep(Duration::from_secs(5)).await;
            tokio::time::advance(Duration::from_secs(1)).await;
        });
        drive(open(500.0, Arrival::Constant, 1000), scripted(|uri, _| reply(uri, 1)), None).await
    });
    let window = &run.recording.window;
    assert_eq!(window.answered, 5000);
    near(window.quantile_response_us(0.99), 900_000.0, 20_000.0);
    assert!(window.lag_p99_us() > 880_000.0);
    near(window.quantile_service_us(0.99), 1000.0, 1010.0);
}

#[test]
fn arrivals_beyond_the_bound_are_dropped_and_counted() {
    let run = on_paused_clock(async {
        drive(open(100.0, Arrival::Constant, 10), scripted(|uri, _| reply(uri, 500)), None).await
    });
    let window = &run.recording.window;
    // Ten places, each busy for half a second: 20 answers a second.
    assert_eq!(window.due, 1000);
    assert!((195..=210).contains(&window.answered), "{}", window.answered);
    assert_eq!(window.dropped, window.due - window.answered);
    assert!(!run.recording.warmup_reached);
}

#[test]
fn arrivals_wait_for_one_of_few_connections_and_their_wait_is_response_time_alone() {
    let run = on_paused_clock(async {
        drive(on_connections(open(500.0, Arrival::Constant, 1000), 20), scripted(stall), None).await
    });
    // As with a connection for each; but only twenty requests were under way when the server stalled.
    let window = &run.recording.window;
    assert_eq!((window.due, window.answered, window.dropped), (5000, 5000, 0));
    near(window.quantile_response_us(0.95), 525_000.0, 25_000.0);
    near(window.quantile_response_us(0.99), 905_000.0, 20_000.0);
    near(window.quantile_service_us(0.99), 1000.0, 1010.0);
    near(window.max_service_us(), 1_000_000.0, 45_000.0);
    // Waiting for the server is no lateness of the generator.
    assert!(window.lag_p99_us() < 1100.0, "{}", window.lag_p99_us());
}

#[test]
fn those_who_wait_for_a_connection_are_bounded_and_time_out_unsent() {
    let asked = Rc::new(Cell::new(0u64));
    let count = Rc::clone(&asked);
    let run = on_paused_clock(async move {
        let slow = scripted(move |uri, _| {
            count.set(count.get() + 1);
            reply(uri, 500)
        });
        // Four answers a second, and a thousand times as many arrivals; 2000 of them wait at most.
        let mut plan = on_connections(open(4000.0, Arrival::Constant, 2002), 2);
        plan.warmup = WarmupPlan { min_ns: 0, max_ns: 0, until: Until::Steady };
        plan.timeout_ns = S;
        plan.duration_ns = 900 * MS;
        drive(plan, slow, None).await
    });
    let (recording, window) = (&run.recording, &run.recording.window);
    assert_eq!(recording.failure, None);
    assert_eq!(window.due, 3600);
    assert!((1590..1600).contains(&window.dropped), "{}", window.dropped);
    let expired = window.failures["timeout"];
    assert!(expired > 1900 && window.failed == expired, "{:?}", window.failures);
    // Four are due in a millisecond and two can be sent: the others' time was up before their turn.
    assert!(asked.get() < recording.sent_total, "{} {}", asked.get(), recording.sent_total);
}

#[test]
fn a_run_that_is_stopped_accounts_for_those_who_still_wait() {
    let run = on_paused_clock(async {
        let mut plan = on_connections(open(100.0, Arrival::Constant, 1000), 2);
        plan.timeout_ns = 30 * S;
        drive(plan, scripted(|uri, _| reply(uri, 1900)), Some(Duration::from_secs(5))).await
    });
    let window = &run.recording.window;
    assert!(run.recording.cancelled);
    window.balance().expect("balanced");
    assert!(window.dropped > 100, "{}", window.dropped);
}

#[test]
fn users_think_and_their_wait_for_each_other_is_none() {
    let run = on_paused_clock(async {
        drive(closed(5, 99 * MS), scripted(|uri, _| reply(uri, 1)), None).await
    });
    // Each sends ten times a second; tokio's timer adds up to a millisecond to both pauses.
    let answered = run.recording.window.answered;
    assert!((480..=505).contains(&answered), "{answered}");
    near(run.recording.window.quantile_response_us(0.5), 1000.0, 1010.0);
}

/// What the window asks for and when, after a warm-up of this length.
fn window_after(warm_ms: u64, distribution: &DistributionPlan) -> Vec<(String, Duration)> {
    on_paused_clock(async {
        let seen = Rc::new(RefCell::new(Vec::new()));
        let all = Rc::clone(&seen);
        let mut plan = open(200.0, Arrival::Poisson, 100);
        plan.targets[0].draws[0].distribution = distribution.clone();
        plan.warmup = WarmupPlan { min_ns: 0, max_ns: warm_ms * MS, until: Until::Steady };
        plan.duration_ns = S;
        let from = Duration::from_millis(warm_ms);
        let door = scripted(move |uri, now| {
            // At the very edge tokio's clock, which rounds to milliseconds, may still send a request of the warm-up.
            if now > from {
                all.borrow_mut().push((uri.to_string(), now.saturating_sub(from)));
            }
            reply(uri, 0)
        });
        assert!(drive(plan, door, None).await.recording.window.answered > 100);
        seen.take()
    })
}

#[test]
fn the_windows_of_two_variants_send_the_same_requests_after_any_warm_up() {
    for distribution in [
        DistributionPlan::Zipfian { exponent: 0.99, keys: 5000 },
        DistributionPlan::Uniform { keys: Some(5000) },
        DistributionPlan::Sequential { keys: Some(5000) },
    ] {
        let (short, long) = (window_after(500, &distribution), window_after(700, &distribution));
        assert!(short == long, "{distribution:?}: {:?} {:?}", short.first(), long.first());
    }
}

#[test]
fn a_fill_ends_at_its_hit_ratio_and_one_that_never_gets_there_is_a_failure() {
    let fill = |wanted| {
        on_paused_clock(async move {
            let mut plan = open(100.0, Arrival::Constant, 10);
            let until = Until::CacheHitRatioAtLeast(wanted);
            plan.fill = Some(FillPlan { users: 4, max_ns: 8 * S, until });
            let asked = Cell::new(0u64);
            let door = scripted(move |uri, _| {
                asked.set(asked.get() + 1);
                let cache = if asked.get() > 5000 && !asked.get().is_multiple_of(10) {
                    "hit"
                } else {
                    "miss"
                };
                Reply { cache, ..reply(uri, 1) }
            });
            drive(plan, door, None).await
        })
    };
    let reached = fill(0.85).recording;
    assert!(reached.fill_reached && reached.failure.is_none());
    assert!(
        reached.fill_ns.is_some_and(|ns| (2 * S..7 * S).contains(&ns)),
        "{:?}",
        reached.fill_ns
    );
    assert_eq!(reached.window.answered, 1000);
    assert_eq!(reached.sent_total, reached.answered_total);
    let never = fill(0.95).recording;
    assert!(!never.fill_reached);
    let why = never.failure.expect("a failure");
    assert_eq!(why, "the fill did not reach a cache hit ratio of 0.95 in its time: it was 0.900");
    assert_eq!(never.window.due, 0);
}
