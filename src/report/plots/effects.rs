//! Effects: each variant's ratio to the baseline with its intervals, beside the margin of what is relevant.

use super::{Plot, series};
use crate::plot::{Anchor, Axis, Canvas, Panel, Picture, Scale, fit, header, level_axis, short};
use crate::report::compared::{Compared, Family, Noise};
use crate::report::values::name;
use crate::results::Results;
use crate::spec::Better;
use crate::stats::{Comparison, Interval};
use crate::units::{Share, sig3};

/// One line of the plot.
struct Row {
    name: String,
    comparison: Comparison,
    /// The verdict's interval, where it is another.
    corrected: Option<Interval>,
    word: String,
    /// None for the baseline beside itself.
    series: Option<usize>,
}

/// What is drawn.
struct Forest {
    title: String,
    about: String,
    rows: Vec<Row>,
    margin: f64,
    baseline: String,
}

/// The primary comparisons: the plot of the report's head.
pub(super) fn primary(
    results: &Results,
    compared: &[Compared],
    noise: Option<&Noise>,
) -> Option<Plot> {
    let design = &results.plan.design;
    let of_design = |n: &&Noise| n.load == design.primary_load && n.metric == design.primary_metric;
    let mut rows: Vec<Row> =
        noise.filter(of_design).and_then(|n| again(n, &design.baseline)).into_iter().collect();
    let family = compared.iter().filter(|c| c.family == Family::Primary);
    rows.extend(family.filter_map(|c| row(results, c, c.variant.clone())));
    let what = name(design.primary_metric);
    let forest = Forest {
        title: format!(
            "{} under {}, beside {}",
            capital(&what),
            design.primary_load,
            design.baseline
        ),
        about: legend_text(results, design.primary_metric.better(), true),
        margin: design.margin,
        baseline: design.baseline.clone(),
        rows,
    };
    let about = format!(
        "Ratio of {what} under {} to {}, with its interval, for each variant",
        design.primary_load, design.baseline
    );
    plot("effects", about, &forest)
}

/// All comparisons under a load, by metric.
pub(super) fn under(
    results: &Results,
    compared: &[Compared],
    noise: Option<&Noise>,
    load: &str,
) -> Option<Plot> {
    let design = &results.plan.design;
    let twin = noise.filter(|n| n.load == load).and_then(|n| again(n, &design.baseline));
    let mut rows: Vec<Row> = twin.into_iter().collect();
    let here = compared.iter().filter(|c| c.load == load);
    rows.extend(here.filter_map(|c| row(results, c, format!("{}, {}", c.variant, short_name(c)))));
    let forest = Forest {
        title: format!("Every metric under {load}, beside {}", design.baseline),
        about: legend_text(results, Better::Lower, false),
        margin: design.margin,
        baseline: design.baseline.clone(),
        rows,
    };
    let about =
        format!("Ratios to {} by every metric under {load}, with their intervals", design.baseline);
    plot(&format!("effects-{load}"), about, &forest)
}

fn plot(name: &str, about: String, forest: &Forest) -> Option<Plot> {
    let shown = forest.rows.iter().any(|row| row.comparison.spread.is_some());
    shown.then(|| Plot::new(name, about, |width| draw(forest, width)))
}

fn short_name(compared: &Compared) -> String {
    name(compared.metric).replace("response time ", "")
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|c| c.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

fn legend_text(results: &Results, better: Better, is_primary: bool) -> String {
    let design = &results.plan.design;
    let which = match (is_primary, better) {
        (true, Better::Lower) => "Less is better.",
        (true, Better::Higher) => "More is better.",
        (false, _) => "Of times less is better, of throughput more.",
    };
    let thin =
        if is_primary { "; thin line: the verdict's, corrected for all comparisons" } else { "" };
    format!(
        "{which} Thick bar: {} interval over blocks{thin}. Shaded: within {}, not relevant.",
        Share(design.confidence),
        Share(design.margin)
    )
}

fn again(noise: &Noise, baseline: &str) -> Option<Row> {
    Some(Row {
        name: format!("{baseline} again"),
        comparison: noise.comparison?,
        corrected: None,
        word: "A/A check, 99% interval".into(),
        series: None,
    })
}

fn row(results: &Results, compared: &Compared, name: String) -> Option<Row> {
    let comparison = compared.comparison?;
    let corrected = comparison.spread.map(|s| s.adjusted);
    Some(Row {
        name,
        comparison,
        corrected: corrected.filter(|_| compared.family == Family::Primary),
        word: compared.verdict.word().to_owned(),
        series: Some(series(results, &compared.variant)),
    })
}

impl Row {
    fn ends(&self) -> Interval {
        let ratio = self.comparison.ratio;
        let own =
            self.comparison.spread.map_or(Interval { low: ratio, high: ratio }, |s| s.interval);
        let wide = self.corrected.unwrap_or(own);
        Interval { low: own.low.min(wide.low), high: own.high.max(wide.high) }
    }

    fn figure(&self) -> String {
        let ratio = sig3(self.comparison.ratio);
        match self.comparison.spread {
            Some(s) => format!("{ratio}× ({}–{})", sig3(s.interval.low), sig3(s.interval.high)),
            None => format!("{ratio}×"),
        }
    }
}

/// Beyond this factor a ratio is pointed at, so that the others can be told apart.
const FAR: f64 = 4.0;

/// The values that the axis must hold.
fn range(forest: &Forest) -> (f64, f64) {
    let near = |r: &&Row| {
        let ends = r.ends();
        ends.high < FAR && ends.low > 1.0 / FAR
    };
    let near: Vec<Interval> = forest.rows.iter().filter(near).map(Row::ends).collect();
    let margin = (1.0 + forest.margin).powf(1.8);
    let all: Vec<Interval> = forest.rows.iter().map(Row::ends).collect();
    // With nothing near there is nothing to tell apart.
    let shown = if near.is_empty() { &all } else { &near };
    let low = shown.iter().map(|i| i.low).fold(1.0 / margin, f64::min);
    let high = shown.iter().map(|i| i.high).fold(margin, f64::max);
    let pad = (high / low).powf(0.06);
    (low / pad, high * pad)
}

fn draw(forest: &Forest, width: f64) -> Picture {
    let is_wide = width > 600.0;
    let mut canvas = Canvas::new(width);
    let top = header(&mut canvas, &forest.title, &forest.about) + 4.0;
    let step = if is_wide { 38.0 } else { 54.0 };
    let bottom = top + step * forest.rows.len() as f64 + 6.0;
    let (left, right) = if is_wide { (190.0, width - 230.0) } else { (14.0, width - 14.0) };
    let panel = Panel { left, top, right, bottom };
    let x = Scale::log(range(forest), (left, right));
    let limits = (1.0 / (1.0 + forest.margin), 1.0 + forest.margin);
    let (from, to) = (x.at(limits.0), x.at(limits.1));
    // Where names stand above the bars, the grid is only behind the bars.
    let rows = (0..forest.rows.len()).map(|i| top + step * i as f64);
    let fields: Vec<(f64, f64)> =
        if is_wide { vec![(top, bottom)] } else { rows.map(|y| (y + 35.0, y + 51.0)).collect() };
    for (above, below) in &fields {
        canvas.rect("band", (from, *above), (to - from, below - above));
    }
    let title = format!("ratio to {} (logarithmic)", forest.baseline);
    let most = if is_wide { 9 } else { 5 };
    let level = Axis::level(x, most, &title, |v| short(&format!("{}×", sig3(v))));
    level_axis(&mut canvas, panel, &level, &fields);
    for (above, below) in &fields {
        canvas.line("hair ink", (x.at(1.0), *above), (x.at(1.0), *below));
    }
    for (i, row) in forest.rows.iter().enumerate() {
        let y = top + step * i as f64;
        if is_wide {
            canvas.text(
                "strong",
                Anchor::End,
                (left - 14.0, y + 24.0),
                &fit(&row.name, 168.0, 12.6),
            );
            canvas.text("", Anchor::Start, (right + 14.0, y + 17.0), &row.figure());
            canvas.text("soft", Anchor::Start, (right + 14.0, y + 33.0), &row.word);
            bars(&mut canvas, &x, row, y + 20.0);
        } else {
            let text = format!("{}: {}", row.figure(), row.word);
            canvas.text(
                "strong",
                Anchor::Start,
                (left, y + 14.0),
                &fit(&row.name, width - 28.0, 12.6),
            );
            canvas.text("soft", Anchor::Start, (left, y + 30.0), &fit(&text, width - 28.0, 12.0));
            bars(&mut canvas, &x, row, y + 43.0);
        }
    }
    canvas.finish(bottom + 44.0, &forest.title, &said(forest))
}

fn bars(canvas: &mut Canvas, x: &Scale, row: &Row, y: f64) {
    let class = row.series.map_or("axis".to_owned(), |i| format!("l{}", i % crate::plot::SERIES));
    let (first, last) = x.ends();
    let ratio = row.comparison.ratio;
    if !x.holds(ratio) {
        // Too far to be on the scale: an arrow says which way.
        let (tip, back) = if ratio > 1.0 { (last - 2.0, -11.0) } else { (first + 2.0, 11.0) };
        canvas.line(&format!("hair {class}"), (tip + back * 5.0, y), (tip + back, y));
        let head =
            row.series.map_or("soft".to_owned(), |i| format!("f{}", i % crate::plot::SERIES));
        canvas.shape(&head, &[(tip, y), (tip + back, y - 5.5), (tip + back, y + 5.5)]);
        return;
    }
    if let Some(wide) = row.corrected {
        canvas.line(&format!("hair {class}"), (x.at(wide.low), y), (x.at(wide.high), y));
        for end in [wide.low, wide.high].into_iter().filter(|end| x.holds(*end)) {
            canvas.line(&format!("hair {class}"), (x.at(end), y - 5.0), (x.at(end), y + 5.0));
        }
    }
    if let Some(s) = row.comparison.spread {
        canvas.line(&format!("bar {class}"), (x.at(s.interval.low), y), (x.at(s.interval.high), y));
    }
    match row.series {
        Some(i) => canvas.mark(i, (x.at(ratio), y)),
        None => canvas.rect("soft", (x.at(ratio) - 3.0, y - 6.0), (6.0, 12.0)),
    }
}

/// The same in words.
fn said(forest: &Forest) -> String {
    let rows: Vec<String> =
        forest.rows.iter().map(|r| format!("{}: {}, {}", r.name, r.figure(), r.word)).collect();
    format!("Ratios to {}. {}.", forest.baseline, rows.join("; "))
}
