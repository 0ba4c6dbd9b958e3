//! Planted regressions, and what the gate says of each.

use super::gate::{Passes, Tier, gate, gate_again};
use super::looks::look;
use crate::plan::RegressionPlan;
use crate::report::fixture::{results, with_blocks};
use crate::results::{Look, Results, TrialRecord};
use crate::spec::Metric;

fn limits() -> RegressionPlan {
    RegressionPlan {
        kept: "../results/x".into(),
        structure: Some(0.02),
        ratios: vec![(Metric::ResponseTimeP50, 0.10), (Metric::Throughput, 0.10)],
    }
}

/// The same run, changed in every trial of a variant.
fn changed(variant: &str, change: impl Fn(&mut TrialRecord)) -> Results {
    let mut results = results();
    results.trials.iter_mut().filter(|t| t.variant == variant).for_each(change);
    results
}

fn slower(factor: f64) -> Results {
    changed("cached", |t| {
        let Some(w) = &mut t.window else { return };
        w.response_time.p50_us = w.response_time.p50_us.map(|x| x * factor);
        w.rate_rps /= factor;
    })
}

/// Tiers that do not pass, and how.
fn red(now: &Results, kept: &Results) -> Vec<(Tier, Passes)> {
    let mut found: Vec<(Tier, Passes)> = gate(now, kept, None, &limits())
        .judgements
        .iter()
        .filter(|j| j.passes != Passes::Yes)
        .map(|j| (j.tier, j.passes))
        .collect();
    found.sort_unstable();
    found.dedup();
    found
}

#[test]
fn an_unchanged_run_passes_every_tier() {
    let gated = gate(&results(), &results(), None, &limits());
    assert_eq!(red(&results(), &results()), []);
    assert_eq!(gated.passes(), Passes::Yes);
    for tier in [Tier::Answers, Tier::Structure, Tier::Timing] {
        assert!(gated.judgements.iter().filter(|j| j.tier == tier).count() >= 8, "{tier:?}");
    }
}

#[test]
fn a_quarter_more_time_fails_the_timing_and_a_twentieth_does_not() {
    assert_eq!(red(&slower(1.25), &results()), [(Tier::Timing, Passes::No)]);
    assert_eq!(red(&slower(1.02), &results()), []);
    assert_eq!(red(&slower(0.5), &results()), [], "less time is no regression");
    let found = gate(&slower(1.25), &results(), None, &limits());
    assert!(found.to_confirm().contains(&("cached".into(), "unloaded".into())));
}

#[test]
fn a_failure_that_a_second_run_does_not_confirm_is_none() {
    let (now, same) = (slower(1.14), results());
    let first = gate(&now, &results(), None, &limits());
    assert_ne!(first.passes(), Passes::Yes);
    let second = gate(&now, &results(), Some(&same), &limits());
    assert_ne!(second.passes(), Passes::No);
    let confirmed = gate(&slower(1.25), &results(), Some(&slower(1.25)), &limits());
    assert_eq!(confirmed.passes(), Passes::No);
}

#[test]
fn more_work_fails_the_structure_and_nothing_else() {
    let more = changed("btree", |t| {
        t.witness.iter_mut().for_each(|w| w.buffers_hit = w.buffers_hit.map(|n| n * 100));
    });
    assert_eq!(red(&more, &results()), [(Tier::Structure, Passes::No)]);
}

#[test]
fn wrong_answers_and_new_errors_fail_the_first_tier() {
    use crate::results::{Failure, FailureKind, Outcome};
    let wrong = changed("partial", |t| {
        let reason = "wrong".into();
        t.outcome = Outcome::Failed(Failure { kind: FailureKind::Correctness, reason });
    });
    assert!(red(&wrong, &results()).contains(&(Tier::Answers, Passes::No)));
    let errors = changed("composite", |t| {
        let Some(w) = &mut t.window else { return };
        w.failed = w.due / 50;
        w.answered = w.sent - w.failed;
    });
    assert!(red(&errors, &results()).contains(&(Tier::Answers, Passes::No)));
}

#[test]
fn times_of_another_machine_of_few_blocks_and_of_other_data_are_not_judged() {
    let mut other = slower(1.5);
    other.manifest.host.insert("cpu".into(), "another".into());
    assert_eq!(red(&other, &results()), [(Tier::Timing, Passes::Unknown)]);
    let few = with_blocks(5);
    assert_eq!(red(&few, &results()), [(Tier::Timing, Passes::Unknown)]);
    let said = gate(&few, &results(), None, &limits());
    let said: Vec<&str> = said.of(Passes::Unknown).map(|j| j.text.as_str()).collect();
    assert_eq!(said, ["6 blocks is the minimum for a 95% interval: this run has 5"]);
    let mut data = results();
    data.plan.seed += 1;
    let unknown = [(Tier::Structure, Passes::Unknown), (Tier::Timing, Passes::Unknown)];
    assert_eq!(red(&data, &results()), unknown);
}

#[test]
fn pairs_that_are_void_are_none_however_many_blocks_were_begun() {
    use crate::results::Outcome;
    for left in [1, 5] {
        let void = changed("cached", |t| {
            if t.block > left {
                t.outcome = Outcome::Invalid("the machine was disturbed".into());
            }
        });
        assert_eq!(red(&void, &results()), [(Tier::Timing, Passes::Unknown)], "{left} valid");
        assert_eq!(red(&results(), &void), [(Tier::Timing, Passes::Unknown)], "{left} kept");
    }
}

#[test]
fn a_figure_that_only_one_of_the_runs_has_is_not_passed_over() {
    let without = changed("cached", |t| {
        t.window.iter_mut().for_each(|w| w.response_time.p50_us = None);
    });
    assert_eq!(red(&results(), &without), [(Tier::Timing, Passes::Unknown)]);
    assert_eq!(red(&without, &results()), [(Tier::Timing, Passes::Unknown)]);
    // Nor is one that the second look lost: then the first alone would fail the run.
    let gated = gate(&slower(1.25), &results(), Some(&without), &limits());
    let of_cached = |text: &str| text.starts_with("response time p50 of cached");
    let all: Vec<Passes> =
        gated.judgements.iter().filter(|j| of_cached(&j.text)).map(|j| j.passes).collect();
    assert_eq!(all, [Passes::Unknown; 3]);
}

#[test]
fn ratios_to_another_baseline_and_under_another_load_are_not_held_against_kept_ones() {
    let mut other = results();
    other.plan.design.baseline = "scan".into();
    assert_eq!(red(&other, &results()), [(Tier::Timing, Passes::Unknown)]);
    let mut other = results();
    let model = other.plan.cells.iter().find(|c| c.load == "unloaded").expect("a cell");
    let model = model.drive.model.clone();
    for cell in other.plan.cells.iter_mut().filter(|c| c.load == "users100") {
        cell.drive.model = model.clone();
    }
    let gated = gate(&other, &results(), None, &limits());
    let text = "throughput of cached under users100: driven by another load than in the kept run";
    assert!(gated.of(Passes::Unknown).any(|j| j.text == text), "{gated:?}");
}

#[test]
fn a_baseline_that_lost_is_told() {
    let other = changed("btree", |t| {
        let Some(w) = &mut t.window else { return };
        w.response_time.p50_us = w.response_time.p50_us.map(|x| x * 1.5);
        w.rate_rps /= 1.5;
    });
    assert_eq!(red(&other, &results()), [(Tier::Timing, Passes::Unknown)]);
    let gated = gate(&other, &results(), None, &limits());
    assert!(gated.of(Passes::Unknown).all(|j| j.text.contains("of btree, the baseline")));
}

#[test]
fn requests_that_are_dropped_now_and_a_run_that_was_stopped_do_not_pass() {
    use crate::results::{Outcome, State};
    let dropping = changed("composite", |t| {
        if t.load == "steady" {
            t.outcome = Outcome::Overloaded;
        }
    });
    assert!(red(&dropping, &results()).contains(&(Tier::Answers, Passes::Unknown)));
    let mut stopped = results();
    stopped.manifest.run.state = State::Interrupted;
    assert_eq!(red(&stopped, &results()), [(Tier::Answers, Passes::Unknown)]);
    assert_eq!(red(&results(), &stopped), [(Tier::Answers, Passes::Unknown)]);
}

#[test]
fn what_could_not_be_measured_once_more_is_told_and_fails_nothing() {
    let first = gate(&slower(1.25), &results(), None, &limits());
    assert_eq!(first.passes(), Passes::No);
    let told = first.unconfirmed();
    assert_eq!(told.passes(), Passes::Unknown);
    assert!(told.of(Passes::Unknown).all(|j| j.text.contains("could not be measured once more")));
}

#[test]
fn running_again_until_it_is_green_does_not_work() {
    let again = |now: &Results, earlier: &[Results]| {
        let earlier: Vec<Look> = earlier.iter().filter_map(|r| look(r, None, &limits())).collect();
        gate_again((now, &results(), None), &earlier, &limits())
    };
    let (good, bad) = (results(), slower(1.25));
    assert_eq!(gate(&good, &results(), None, &limits()).passes(), Passes::Yes, "alone it is green");
    let lucky = again(&good, std::slice::from_ref(&bad));
    assert_ne!(lucky.passes(), Passes::Yes);
    assert!(lucky.judgements.iter().any(|j| j.text.contains("measured 2 times")));
    assert_eq!(again(&bad, &[slower(1.25), slower(1.24)]).passes(), Passes::No);
    assert_eq!(
        again(&good, &[results(), results()]).passes(),
        Passes::Yes,
        "unchanged code stays green"
    );
    // What the first run was unlucky with, enough good ones outweigh.
    let outweighed = again(&good, &[slower(1.14), results(), results(), results(), results()]);
    assert_eq!(outweighed.passes(), Passes::Yes);
}
