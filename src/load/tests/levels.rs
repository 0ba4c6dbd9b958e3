//! Loads that do not stay at one level: stages, searches, and mixes of endpoints.

use std::cell::Cell;

use tokio::time::Duration;

use super::scripts::{Run, closed, drive, near, on_paused_clock, open, reply, right, scripted};
use crate::load::fixtures::{MS, S, example, users};
use crate::load::places::Part;
use crate::load::{PhaseEvent, Shot, Shots, StepEnd};
use crate::plan::{
    DistributionPlan, DrawPlan, DrawSource, LoadPlan, SearchPlan, StagePlan, TargetPlan,
};
use crate::spec::{Arrival, Metric};

fn stage(seconds: u64, from: f64, to: f64) -> StagePlan {
    StagePlan { duration_ns: seconds * S, from, to }
}

fn staged(plan: LoadPlan, stages: &[StagePlan]) -> LoadPlan {
    let duration_ns = stages.iter().map(|stage| stage.duration_ns).sum();
    LoadPlan { stages: stages.to_vec(), duration_ns, ..plan }
}

/// Right answers in each second of the window, which begins with a second of the run.
fn by_second(run: &Run) -> Vec<u64> {
    let warm = usize::try_from(run.recording.warmup_ns / S).expect("small");
    run.recording.slices[warm..].iter().map(|slice| slice.answered).collect()
}

#[test]
fn an_open_load_follows_its_stages_to_the_request() {
    let stages = [stage(2, 100.0, 100.0), stage(4, 100.0, 500.0), stage(2, 50.0, 50.0)];
    let run = on_paused_clock(async {
        let plan = staged(open(100.0, Arrival::Constant, 100), &stages);
        drive(plan, scripted(|uri, _| reply(uri, 0)), None).await
    });
    let window = &run.recording.window;
    assert_eq!(run.recording.failure, None);
    assert_eq!(run.recording.warmup_ns % S, 0);
    assert_eq!((window.due, window.answered, window.dropped), (1500, 1500, 0));
    assert_eq!(window.drift, None, "it moves on purpose");
    for (seen, wanted) in by_second(&run).into_iter().zip([100, 100, 150, 250, 350, 450, 50, 50]) {
        // An answer at the very edge may fall into the next second.
        assert!(seen.abs_diff(wanted) <= 1, "{seen} {wanted}: {:?}", by_second(&run));
    }
}

#[test]
fn users_of_a_closed_load_join_and_leave_as_its_stages_say() {
    let stages = [stage(2, 4.0, 4.0), stage(4, 4.0, 12.0), stage(2, 2.0, 2.0)];
    let run = on_paused_clock(async {
        // Nearly ten requests a second for each user that is there.
        let plan = staged(closed(4, 99 * MS), &stages);
        drive(plan, scripted(|uri, _| reply(uri, 0)), None).await
    });
    let seen = by_second(&run);
    for (second, wanted) in
        [(0, 40), (1, 40), (2, 50), (3, 70), (4, 90), (5, 110), (6, 20), (7, 20)]
    {
        assert!(seen[second].abs_diff(wanted) <= 12, "second {second}: {seen:?}");
    }
    assert_eq!(run.recording.sent_total, run.recording.answered_total);
}

fn search(at_most_ms: u64, most_per_s: f64) -> SearchPlan {
    SearchPlan {
        metric: Metric::ResponseTimeP99,
        at_most_ns: at_most_ms * MS,
        most_per_s,
        step_ns: 2 * S,
        settle_ns: S,
        precision: 0.05,
        error_ratio_max: 0.0,
    }
}

/// A search against a server that takes 5 ms for each request, one after the other: 200 a second.
fn searched(start: f64, plan: SearchPlan, max_in_flight: u32) -> Run {
    on_paused_clock(async {
        let busy_until = Cell::new(Duration::ZERO);
        let door = scripted(move |uri, now| {
            let begins = busy_until.get().max(now);
            busy_until.set(begins + Duration::from_millis(5));
            let mut reply = reply(uri, 0);
            reply.after = busy_until.get().saturating_sub(now);
            reply
        });
        let load = open(start, Arrival::Constant, max_in_flight);
        drive(LoadPlan { search: Some(plan), ..load }, door, None).await
    })
}

#[test]
fn a_search_finds_the_capacity_and_the_window_is_driven_at_it() {
    let run = searched(60.0, search(30, 5000.0), 1000);
    let recording = &run.recording;
    assert_eq!(recording.failure, None);
    let searched = recording.search.as_ref().expect("a search");
    let found = searched.max_rate_per_s.expect("a rate");
    assert!((190.0..=201.0).contains(&found), "{searched:?}");
    let window = &recording.window;
    near(Some(window.rate_rps()), found, 1.0);
    near(window.quantile_response_us(0.5), 5000.0, 5000.0);
    assert_eq!((window.duration_ns, window.dropped, window.failed), (10 * S, 0, 0));
    assert_eq!(recording.sent_total, recording.answered_total);
    // Every step was told of, one after the other, and none reaches into the next.
    let told: Vec<f64> = run
        .events
        .iter()
        .filter_map(|event| match event {
            PhaseEvent::Stepped { rate_per_s, .. } => Some(*rate_per_s),
            _ => None,
        })
        .collect();
    let rates: Vec<f64> = searched.steps.iter().map(|step| step.rate_per_s).collect();
    assert_eq!(told, rates);
    assert!(searched.steps.windows(2).all(|pair| pair[0].until_ns <= pair[1].from_ns));
    assert!(searched.steps.iter().all(|step| step.until_ns - step.from_ns == 3 * S));
}

#[test]
fn dropped_arrivals_end_a_step_early_and_fail_it() {
    let run = searched(150.0, search(30_000, 5000.0), 20);
    let searched = run.recording.search.as_ref().expect("a search");
    let dropped: Vec<_> = searched.steps.iter().filter(|s| s.end == StepEnd::Dropped).collect();
    assert!(!dropped.is_empty(), "{searched:?}");
    assert!(dropped.iter().any(|step| step.until_ns - step.from_ns < 2 * S), "{dropped:?}");
    let found = searched.max_rate_per_s.expect("a rate");
    assert!((185.0..=215.0).contains(&found), "{searched:?}");
    assert_eq!(run.recording.failure, None);
}

#[test]
fn a_search_that_finds_nothing_is_a_failure_that_says_what_was_tried() {
    let run = searched(100.0, search(1, 200.0), 1000);
    let why = run.recording.failure.expect("a failure");
    assert_eq!(why, "no rate keeps response_time_p99 at 1ms: even 0.0977/s did not");
    assert_eq!(run.recording.search.expect("a search").max_rate_per_s, None);
    assert_eq!(run.recording.window.due, 0);
}

#[test]
fn every_variant_of_a_block_meets_the_same_arrivals_at_each_rate() {
    let rates = |start| {
        let run = searched(start, SearchPlan { settle_ns: 0, ..search(30, 100.0) }, 1000);
        let steps = run.recording.search.expect("a search").steps;
        steps.into_iter().map(|s| (s.rate_per_s, s.figure_us)).collect::<Vec<_>>()
    };
    assert_eq!(rates(50.0), rates(50.0));
}

#[test]
fn each_target_of_a_mix_has_a_sample_and_can_be_aimed_at_however_rare_it_is() {
    let target = |path: &str, weight| {
        let source = DrawSource::Values(vec!["a".into(), "b".into(), "c".into()]);
        let distribution = DistributionPlan::Uniform { keys: None };
        let draws = vec![DrawPlan { param: "k".into(), source, distribution }];
        TargetPlan { path: path.into(), weight, draws, ..example().targets.remove(0) }
    };
    let targets = vec![target("/often", 1e12), target("/rare", 1.0)];
    let shots = Shots::new(&LoadPlan { targets, ..example() }, &[users(100)], 1, 2).expect("good");
    for (position, path) in ["/often?k=", "/rare?k="].into_iter().enumerate() {
        let samples: Vec<Shot> = shots.samples(position, 3).collect();
        assert_eq!(samples.len(), 3);
        let sample = &samples[2];
        assert!(sample.target == position && sample.uri.starts_with(path), "{}", sample.uri);
        let aimed = shots.aimed(Part::Check, 5, position);
        assert!(aimed.target == position && aimed.uri.starts_with(path), "{}", aimed.uri);
    }
    assert_eq!(shots.samples(2, 3).next(), None);
    // What falls to a target by its weight is what is aimed at it.
    assert!(shots.samples(0, 4).eq((0..4).map(|n| shots.get(n))));
    assert_eq!(shots.draw(Part::Warmup, 7), shots.aimed(Part::Warmup, 7, 0));
}

#[test]
fn a_mix_is_sent_by_weight_and_each_answer_is_checked_by_its_own_target() {
    let run = on_paused_clock(async {
        let mut plan = open(500.0, Arrival::Constant, 100);
        let mut second = plan.targets[0].clone();
        second.path = "/users/cached".into();
        second.check.rows = Some(2);
        plan.targets[0].weight = 3.0;
        plan.targets.push(second);
        let door = scripted(move |uri, _| {
            let mut reply = reply(uri, 1);
            if uri.path() == "/users/cached" {
                let one = right(uri);
                let one = one.trim_start_matches('[').trim_end_matches(']');
                reply.body = format!("[{one},{one}]");
                reply.cache = "hit";
            }
            reply
        });
        drive(plan, door, None).await
    });
    let window = &run.recording.window;
    assert_eq!((window.due, window.answered, window.failed), (5000, 5000, 0));
    let hits = window.cache["hit"];
    // Five standard deviations of a quarter of 5000.
    assert!(hits.abs_diff(1250) < 153, "{:?}", window.cache);
}
