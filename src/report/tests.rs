//! The whole report from a made-up run: snapshot, determinism, what must and must not be said.

use std::fmt::Write as _;

use super::fixture::{results, with_blocks};
use super::render;
use crate::results::{Failure, FailureKind, Outcome, Results, State};

fn markdown(results: &Results) -> String {
    render(results).expect("the template fits the view").markdown
}

#[test]
fn the_report_of_a_whole_run() {
    insta::assert_snapshot!(markdown(&results()));
}

#[test]
fn the_tables_of_a_whole_run() {
    let report = render(&results()).expect("the template fits the view");
    let mut text = String::new();
    for table in &report.tables {
        writeln!(text, "{}\n{}", table.file, table.header.join(",")).expect("a String takes text");
        for row in &table.rows {
            assert_eq!(row.len(), table.header.len(), "{}: {row:?}", table.file);
            writeln!(text, "{}", row.join(",")).expect("a String takes text");
        }
        text.push('\n');
    }
    writeln!(
        text,
        "{:#?}\n{:#?}\n{:?}\n{}",
        report.thresholds_failed,
        report.claims_refuted,
        report.claims,
        report.headline.join("\n")
    )
    .expect("a String takes text");
    insta::assert_snapshot!(text);
}

#[test]
fn the_same_results_give_the_same_bytes_in_any_order_of_trials_within_a_block() {
    let one = results();
    let mut other = one.clone();
    other.trials.reverse();
    other.trials.sort_by_key(|t| t.block);
    assert_eq!(render(&one).expect("renders"), render(&one).expect("renders"));
    let tables = |r: &Results| render(r).expect("renders").tables;
    assert_eq!(tables(&one), tables(&other));
}

#[test]
fn every_table_has_as_many_cells_in_every_row_as_in_its_head() {
    let text = markdown(&results());
    let mut width = None;
    for line in text.lines() {
        if !line.starts_with('|') {
            width = None;
            continue;
        }
        let mut bars = 0;
        let mut escaped = false;
        for c in line.chars() {
            bars += u32::from(c == '|' && !escaped);
            escaped = c == '\\' && !escaped;
        }
        assert_eq!(*width.get_or_insert(bars), bars, "{line}");
    }
}

#[test]
fn an_incomplete_run_says_so_in_its_title_and_gives_no_verdict() {
    let mut results = results();
    results.manifest.run.state = State::Interrupted;
    results.manifest.run.reason = Some("interrupted in block 3 of 8".into());
    results.trials.truncate(40);
    let report = render(&results).expect("renders");
    let first = report.markdown.lines().next().expect("a title");
    assert!(first.ends_with("(INCOMPLETE)"), "{first}");
    for word in ["**faster**", "**slower**", "**no relevant difference**", "**slightly"] {
        assert!(!report.markdown.contains(word), "{word}");
    }
    assert!(report.markdown.contains("**no verdict**: the run is incomplete"));
    assert_eq!(report.headline[0], "INCOMPLETE: no verdicts");
    // The data were complete: what they say stands. Nothing of time does.
    assert_eq!((report.claims.supported, report.claims.refuted), (1, 0));
}

#[test]
fn a_variant_of_which_over_a_quarter_of_the_trials_still_moved_has_no_verdict_on_latency() {
    let words_with = |unsteady: u32| {
        let mut results = results();
        for trial in &mut results.trials {
            let is_it = trial.variant == "cached" && trial.load == "unloaded";
            if is_it && trial.block <= unsteady {
                trial.notes.push(crate::results::UNSTEADY.into());
            }
        }
        let lines = render(&results).expect("renders").headline;
        lines.into_iter().find(|line| line.starts_with("cached")).expect("a line")
    };
    assert!(words_with(2).contains("faster"), "a quarter is not over a quarter");
    assert!(words_with(3).contains("(no steady state)"), "{}", words_with(3));
}

#[test]
fn a_drift_stands_beside_the_figures_where_it_is_known() {
    let mut results = results();
    assert!(!markdown(&results).contains("| drift"), "older results have none");
    for trial in results.trials.iter_mut().filter(|t| t.variant == "cached") {
        trial.window.as_mut().expect("a window").drift = Some(f64::from(trial.block) / -100.0);
        if trial.load == "steady" && trial.block == 8 {
            trial.notes.push(crate::results::UNSTEADY.into());
        }
    }
    let text = markdown(&results);
    let of = |load: &str| {
        let (_, after) = text.split_once(&format!("### Load `{load}`")).expect("a chapter");
        after.lines().find(|line| line.starts_with("| `cached`")).expect("a row").to_owned()
    };
    // The middle of 1 to 8 %, downwards.
    assert!(of("unloaded").ends_with("−4.50% |"), "{}", of("unloaded"));
    assert!(of("steady").ends_with("−4.50%, 1 moved |"), "{}", of("steady"));
}

#[test]
fn a_pilot_that_scattered_more_than_all_blocks_widens_the_verdicts() {
    let interval = |pilot: Option<u32>| {
        let mut results = results();
        // The first blocks are wild, the others tame.
        for trial in results.trials.iter_mut().filter(|t| t.variant == "cached" && t.block <= 3) {
            let window = trial.window.as_mut().expect("a window");
            let wild = if trial.block == 2 { 1.3 } else { 0.8 };
            window.response_time.p50_us = window.response_time.p50_us.map(|x| x * wild);
        }
        results.manifest.pilot = pilot.map(|blocks| crate::results::PilotRecord {
            blocks,
            half_width: 0.03,
            confidence: 0.95,
            most: 40,
            decided: 8,
            sd_log: Some(0.2),
        });
        let report = render(&results).expect("renders");
        let row = report.tables[1].rows.iter().find(|r| r[1] == "cached").expect("a row").clone();
        let end = |i: usize| row[i].parse::<f64>().expect("a number");
        (end(9) / end(8), report.markdown)
    };
    let (fixed, text) = interval(None);
    assert!(text.contains("- **Design:** 8 blocks, a number fixed beforehand."));
    let (by_precision, text) = interval(Some(6));
    assert!(text.contains("- **Design:** n = 8 blocks by precision."));
    assert!(by_precision > fixed * 1.01, "{by_precision} {fixed}");
}

#[test]
fn the_baseline_beside_itself_is_a_row_and_what_was_not_found_says_what_would_have_been() {
    let text = markdown(&results());
    let (_, after) = text.split_once("### Load `unloaded`").expect("a chapter");
    let (here, later) = after.split_once("### Load").expect("another");
    let twin = here.lines().find(|line| line.contains("A/A")).expect("a row");
    assert!(
        twin.contains("`btree` again") && twin.contains("A/A") && twin.contains(">= "),
        "{twin}"
    );
    assert!(!later.contains("A/A"), "it runs twice under one load only");
    for line in here.lines().filter(|l| l.contains("**no relevant difference**")) {
        assert!(line.contains(">= "), "{line}");
    }
    for line in here.lines().filter(|l| l.contains("**slower**") || l.contains("**faster**")) {
        assert!(!line.contains(">= "), "{line}");
    }
}

#[test]
fn the_rows_that_were_loaded_stand_near_the_top_and_beside_the_claims() {
    let mut results = results();
    results.manifest.dataset.tables[0].rows = 1_234_567;
    let text = markdown(&results);
    let head: Vec<&str> = text.lines().take(8).collect();
    assert!(head.contains(&"- Data: 1,234,567 rows of `users`"), "{head:?}");
    let (_, confirmation) = text.split_once("### Confirmation").expect("a chapter");
    let (words, _) = confirmation.split_once("| claim").expect("a table");
    assert!(words.contains("1,234,567 rows of `users`"), "{words}");
}

#[test]
fn what_the_plan_warned_of_is_said_once_though_the_run_noted_it_too() {
    let mut results = results();
    let said = "the coffee is cold".to_owned();
    results.plan.warnings.push(said.clone());
    results.manifest.notes.push(said.clone());
    assert_eq!(markdown(&results).matches(&said).count(), 1);
}

#[test]
fn two_blocks_show_numbers_and_no_verdict() {
    let report = render(&with_blocks(2)).expect("renders");
    assert!(report.markdown.contains("**no verdict**: 2 valid blocks, 6 are needed"));
    assert!(!report.markdown.contains("**slower**"));
    assert!(report.markdown.contains("Few blocks: 2."));
    assert!(report.claims_refuted.is_empty());
}

#[test]
fn one_block_renders_without_intervals() {
    let report = render(&with_blocks(1)).expect("renders");
    assert!(report.markdown.contains("**no verdict**: 1 valid block, 6 are needed"));
}

#[test]
fn a_run_without_any_trial_renders() {
    let mut results = results();
    results.trials.clear();
    results.plans.clear();
    results.manifest.dataset = crate::results::DatasetRecord::default();
    results.manifest.settings.clear();
    results.manifest.run.state = State::Failed;
    let report = render(&results).expect("renders");
    assert!(report.markdown.contains("no window was measured"));
    // Nothing was measured: nothing has failed a limit, and nothing is claimed to be known.
    assert!(report.thresholds_failed.is_empty());
    assert_eq!(report.claims.inconclusive, 5);
}

#[test]
fn wrong_answers_make_variants_not_comparable() {
    let mut results = results();
    let trial = results
        .trials
        .iter_mut()
        .find(|t| t.variant == "partial" && t.load == "unloaded")
        .expect("a trial");
    trial.outcome = Outcome::Failed(Failure {
        kind: FailureKind::Correctness,
        reason: "rows: 0, expected 1".into(),
    });
    let text = markdown(&results);
    assert!(text.contains("`partial` beside `btree`: **not comparable**"));
}

#[test]
fn a_plan_that_is_not_the_asserted_one_is_shown_and_compares_with_nothing() {
    let mut results = results();
    let other = results.plans["btree-indexed"].clone();
    results.plans.insert("composite-composite".into(), other);
    let text = markdown(&results);
    assert!(text.contains("Index Scan idx_users_email (**not as asserted**)"));
    assert!(text.contains("`composite` beside `btree`: **not comparable**"));
    assert!(text.contains("`cached` beside `btree`: **faster**"));
}

#[test]
fn a_host_that_differs_from_itself_gets_no_verdicts() {
    let mut results = results();
    for trial in results.trials.iter_mut().filter(|t| t.role == crate::plan::Role::Twin) {
        let window = trial.window.as_mut().expect("a window");
        window.response_time.p50_us = window.response_time.p50_us.map(|x| x * 1.2);
    }
    let report = render(&results).expect("renders");
    assert!(report.markdown.contains("host unreliable"));
    assert!(!report.markdown.contains("**slower**"));
}

#[test]
fn books_that_do_not_balance_are_shown() {
    let mut results = results();
    results.trials[0].window.as_mut().expect("a window").answered -= 1;
    assert!(markdown(&results).contains("**NO**: trial 0 (due"));
}

#[test]
fn a_quantile_among_failures_is_no_verdict_and_not_a_fast_one() {
    let mut results = results();
    for trial in results.trials.iter_mut().filter(|t| t.variant == "cached") {
        let window = trial.window.as_mut().expect("a window");
        window.failed = window.sent / 2 + 1;
        window.answered = window.sent - window.failed;
        window.response_time.p50_us = None;
    }
    let text = markdown(&results);
    let verdict =
        "`cached` beside `btree`: **no verdict**: the quantile lies among failed requests";
    assert!(text.contains(verdict));
    assert!(text.contains("∞ (failures)"));
}

#[test]
fn no_error_in_so_many_requests_does_not_support_any_bound() {
    let mut results = results();
    let claim = &mut results.plan.claims[4];
    claim.metric = crate::spec::Metric::ErrorRatio;
    claim.variant = "btree".into();
    claim.load = Some("steady".into());
    let mut count = |at_most: f64| {
        results.plan.claims[4].high = Some(at_most);
        render(&results).expect("renders").claims
    };
    // None in 40,000: at most 3 / 40,000 = 0.000075.
    let (loose, tight) = (count(0.0001), count(0.00001));
    assert_eq!((loose.supported, loose.inconclusive), (3, 1));
    assert_eq!((tight.supported, tight.inconclusive), (2, 2));
}

#[test]
fn nothing_of_this_machine_is_in_the_report() {
    let text = markdown(&results());
    assert!(!text.contains("/somewhere"), "the program's folder");
    assert!(text.contains("querylab run 'experiments/0001-email lookup.toml'"));
}

#[test]
fn hostile_texts_break_no_table_and_no_heading() {
    let mut results = results();
    let hostile = "a|b\n\n# Title\n```\n<!-- `x` \\";
    results.plan.experiment.title = hostile.into();
    results.plan.experiment.question = hostile.into();
    results.plan.experiment.context = hostile.into();
    results.plan.experiment.decision = hostile.into();
    results.plan.variants[0].title = hostile.into();
    results.plan.claims[0].text = hostile.into();
    results.plan.claims[0].source = Some(hostile.into());
    results.manifest.notes = vec![hostile.into()];
    results.manifest.command = vec!["querylab".into(), hostile.into()];
    let text = markdown(&results);
    let mut fence: Option<&str> = None;
    let mut headings = 0;
    for line in text.lines() {
        match fence {
            None if line.starts_with("```") => {
                fence = Some(line.trim_end_matches(char::is_alphabetic));
            }
            Some(open) if line == open => fence = None,
            Some(_) => {}
            None => {
                assert!(!line.contains("<!--"), "{line}");
                headings += u32::from(line.starts_with("# "));
            }
        }
    }
    assert_eq!((headings, fence), (1, None));
    assert!(text.lines().any(|l| l == "## How to reproduce"));
}
