//! Plots of the made-up run: which there are, what they must show, and that they are the same again.

use super::Plots;
use crate::plan::ModelPlan;
use crate::report::compared::{comparisons, noise};
use crate::report::fixture::{results, with_blocks};
use crate::results::Results;

fn plots(results: &Results) -> Plots {
    Plots::of(results, &comparisons(results), noise(results).as_ref())
}

fn file(results: &Results, name: &str) -> String {
    let path = format!("plots/{name}.svg");
    let plots = plots(results);
    plots.all().iter().find(|plot| plot.path == path).expect("such a plot").wide.file()
}

#[test]
fn a_run_has_the_plots_for_which_it_has_figures() {
    let all = plots(&results());
    let names: Vec<&str> = all.all().iter().map(|plot| plot.path.as_str()).collect();
    assert!(names.contains(&"plots/effects.svg"), "{names:?}");
    for load in ["unloaded", "steady", "users100"] {
        for kind in ["effects", "percentiles", "timeline", "resources"] {
            let path = format!("plots/{kind}-{load}.svg");
            assert!(names.contains(&path.as_str()), "{path}: {names:?}");
        }
    }
    assert!(!names.iter().any(|name| name.contains("sweep")), "two levels are no sweep");
}

#[test]
fn the_same_results_give_the_same_pictures() {
    assert_eq!(plots(&results()), plots(&results()));
    insta::assert_snapshot!(file(&results(), "effects"));
}

#[test]
fn the_order_of_trials_within_a_block_changes_no_picture() {
    let one = results();
    let mut other = one.clone();
    other.trials.reverse();
    other.trials.sort_by_key(|t| t.block);
    for plot in plots(&one).all() {
        let name = plot.path.trim_start_matches("plots/").trim_end_matches(".svg");
        assert_eq!(file(&one, name), file(&other, name), "{name}");
    }
}

#[test]
fn one_block_has_no_effects_but_its_course() {
    let all = plots(&with_blocks(1));
    assert_eq!(all.link("effects"), "");
    assert!(!all.link("timeline-steady").is_empty());
}

#[test]
fn no_trial_is_no_plot() {
    let mut results = results();
    results.trials.clear();
    assert_eq!(plots(&results).all().len(), 0);
}

#[test]
fn every_picture_stays_within_its_frame_and_has_a_unit_and_words() {
    for plot in plots(&results()).all() {
        for (picture, width) in
            [(plot.wide.file(), super::WIDE), (plot.narrow.file(), super::NARROW)]
        {
            let (_, words) = picture.split_once("<desc>").expect("words");
            let (words, _) = words.split_once("</desc>").expect("their end");
            assert!(words.len() > 40, "{}: {words}", plot.path);
            assert!(!picture.contains("NaN") && !picture.contains("inf"), "{}", plot.path);
            // What a group says holds for the texts in it.
            let mut group = "";
            for line in picture.lines() {
                match line.split_once("<g ") {
                    Some((_, head)) => group = head,
                    None if line.starts_with("</g>") => group = "",
                    None => {}
                }
                let Some((_, text)) = line.split_once("<text") else { continue };
                let (head, rest) = text.split_once('>').expect("a text");
                let anchored = format!("{head}{group}");
                let said = rest.split("</text>").next().unwrap_or_default().replace("&gt;", ">");
                let x: f64 = head
                    .split_once(" x=\"")
                    .and_then(|(_, x)| x.split('"').next()?.parse().ok())
                    .expect("a place");
                let size = if head.contains("title") { 15.0 } else { 12.0 };
                // The widths are those of the widest font; a reader's own is narrower.
                let long = crate::plot::text_width(&said, size);
                let (low, high) = if anchored.contains("middle") {
                    (x - long / 2.0, x + long / 2.0)
                } else if anchored.contains("\"end\"") {
                    (x - long, x)
                } else {
                    (x, x + long)
                };
                assert!(
                    low >= -12.0 && high <= width + 12.0,
                    "{} at {width}: `{said}` from {low} to {high}",
                    plot.path
                );
            }
        }
    }
}

#[test]
fn loads_of_more_and_more_users_are_a_sweep() {
    let mut results = results();
    for cell in &mut results.plan.cells {
        let users = match cell.load.as_str() {
            "unloaded" => 1,
            "steady" => 10,
            _ => 100,
        };
        cell.drive.model = ModelPlan::Closed { users, think_ns: 0 };
    }
    let picture = file(&results, "sweep-users");
    assert!(picture.contains(">100</text>") && picture.contains("btree at 10:"), "{picture}");
    assert!(picture.contains("right answers per second"));
}
