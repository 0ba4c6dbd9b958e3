//! Latency over time: every second of every trial, the warm-up before zero and the window after it.

use super::panels::Tiles;
use super::{Plot, series};
use crate::plan::Role;
use crate::plot::{Anchor, Axis, Canvas, Panel, Picture, SERIES, Scale, axes, fit, header, short};
use crate::report::cells::cell;
use crate::results::{Results, TrialRecord};
use crate::units::{latency_ns, sig3};

/// Seconds from the window's beginning, p50 and p99 in microseconds.
type Moment = (f64, f64, f64);

/// One variant's trials.
struct Story {
    variant: String,
    series: usize,
    /// Seconds of the longest window.
    window: f64,
    trials: Vec<Vec<Moment>>,
}

/// The plot of a load; none where no seconds were kept.
pub(super) fn plot(results: &Results, load: &str) -> Option<Plot> {
    let stories: Vec<Story> =
        results.plan.variants.iter().filter_map(|v| story(results, &v.name, load)).collect();
    if stories.is_empty() {
        return None;
    }
    let title = format!("Response time over time under {load}");
    let head = "Each line is one trial, second by second: p50 strong, p99 faint. Shaded: before the measured window, which begins at 0. \
                Each panel has its own scale, logarithmic.";
    let about = format!(
        "Response time of every second of every trial under {load}, with warm-up and measured window marked"
    );
    Some(Plot::new(&format!("timeline-{load}"), about, |width| draw(&stories, &title, head, width)))
}

fn story(results: &Results, variant: &str, load: &str) -> Option<Story> {
    let cell = cell(results, variant, load)?;
    let trials: Vec<Vec<Moment>> = cell
        .valid()
        .into_iter()
        .map(|trial| moments(results, trial))
        .filter(|moments| moments.len() >= 2)
        .collect();
    let windows = cell.valid().into_iter().filter_map(|t| t.window.as_ref());
    let window = windows.map(|w| w.duration_ns as f64 / 1e9).fold(0.0, f64::max);
    (!trials.is_empty()).then(|| Story {
        variant: variant.to_owned(),
        series: series(results, variant),
        window,
        trials,
    })
}

fn moments(results: &Results, trial: &TrialRecord) -> Vec<Moment> {
    let before = (trial.fill_ms.unwrap_or(0) + trial.warmup_ms.unwrap_or(0)) as f64 / 1e3;
    let window = trial.window.as_ref().map_or(0.0, |w| w.duration_ns as f64 / 1e9);
    let of_trial = results.timeline.iter().filter(|row| {
        (row.block, row.order) == (trial.block, trial.order) && row.role == Role::Variant
    });
    of_trial
        .filter_map(|row| {
            let at = row.slice.t_ms as f64 / 1e3 - before;
            let p50 = row.slice.response_time_p50_us?;
            (at < window && p50 > 0.0)
                .then(|| (at, p50, row.slice.response_time_p99_us.unwrap_or(p50)))
        })
        .collect()
}

fn draw(stories: &[Story], title: &str, about: &str, width: f64) -> Picture {
    let mut canvas = Canvas::new(width);
    let top = header(&mut canvas, title, about);
    let tiles = Tiles::new(width, top, stories.len(), 132.0);
    for (i, story) in stories.iter().enumerate() {
        let panel = tiles.panel(i);
        let at = tiles.title(i);
        let room = panel.right - at.0;
        canvas.mark(story.series, (at.0 + 5.0, at.1 - 4.0));
        canvas.text(
            "strong",
            Anchor::Start,
            (at.0 + 16.0, at.1),
            &fit(&story.variant, room - 16.0, 12.6),
        );
        one(&mut canvas, story, panel);
    }
    canvas.finish(tiles.bottom() + 8.0, title, &said(stories))
}

fn one(canvas: &mut Canvas, story: &Story, panel: Panel) {
    let all = || story.trials.iter().flatten();
    let first = all().map(|m| m.0).fold(0.0, f64::min);
    let low = all().map(|m| m.1).fold(f64::INFINITY, f64::min);
    let high = all().map(|m| m.2).fold(0.0, f64::max);
    let x = Scale::linear((first, story.window.max(1.0)), (panel.left, panel.right));
    let y = Scale::log((low / 1.2, high * 1.2), (panel.bottom, panel.top));
    canvas.rect(
        "band",
        (panel.left, panel.top),
        (x.at(0.0) - panel.left, panel.bottom - panel.top),
    );
    let level = Axis::new(x, 6, "", |s| short(&format!("{} s", sig3(s))));
    let upright = Axis::new(y, 5, "", |us| short(&latency_ns(us * 1e3)));
    axes(canvas, panel, &level, &upright);
    canvas.line("hair ink", (x.at(0.0), panel.top), (x.at(0.0), panel.bottom));
    let class = format!("l{}", story.series % SERIES);
    for trial in &story.trials {
        let line = |pick: fn(&Moment) -> f64| -> Vec<(f64, f64)> {
            trial.iter().map(|m| (x.at(m.0), y.at(pick(m)))).collect()
        };
        canvas.path(&format!("faint {class}"), &line(|m| m.2));
        canvas.path(&format!("thin {class}"), &line(|m| m.1));
    }
}

/// The same in words.
fn said(stories: &[Story]) -> String {
    let of = |s: &Story| {
        let inside: Vec<f64> =
            s.trials.iter().flatten().filter(|m| m.0 >= 0.0).map(|m| m.1).collect();
        let low = inside.iter().copied().fold(f64::INFINITY, f64::min);
        let high = inside.iter().copied().fold(0.0, f64::max);
        if inside.is_empty() {
            return format!("{}: no second of a window", s.variant);
        }
        format!(
            "{}: p50 of a second from {} to {} in {} windows",
            s.variant,
            latency_ns(low * 1e3),
            latency_ns(high * 1e3),
            s.trials.len()
        )
    };
    stories.iter().map(of).collect::<Vec<_>>().join("; ")
}
