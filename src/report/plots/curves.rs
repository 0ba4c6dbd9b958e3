//! Curves over the axes of a matrix: a figure at each value of an axis, everything else being equal.

use std::collections::{BTreeMap, BTreeSet};

use super::Plot;
use crate::plan::PointPlan;
use crate::plot::{
    Axis, Canvas, Key, Panel, Picture, SERIES, Scale, axes, header, legend, short, text_width,
};
use crate::report::cells::{Cell, cell};
use crate::report::values::{is_latency, name, show};
use crate::results::Results;
use crate::spec::Metric;
use crate::stats::Estimate;
use crate::units::{Bytes, Rate, Share, Span};

/// Values so many times apart need a logarithmic scale.
const FAR: f64 = 20.0;

/// One value of the axis.
struct Stop {
    x: f64,
    text: String,
    figure: Estimate,
    /// p95, where the figure is p50.
    tail: Option<f64>,
}

struct Curve {
    name: String,
    stops: Vec<Stop>,
}

/// A plot for each numeric axis under each load.
pub(super) fn plots(results: &Results) -> Vec<Plot> {
    let points = results.plan.cells.iter().filter_map(|cell| cell.point.as_ref());
    let all: BTreeSet<(&str, &str)> = points
        .flat_map(|point| point.at.keys().map(|axis| (point.load.as_str(), axis.as_str())))
        .collect();
    all.into_iter().filter_map(|(load, axis)| plot(results, load, axis)).collect()
}

/// The number that each value stands for, where all are numbers, or quantities of one kind.
fn numbers<'t>(texts: &BTreeSet<&'t str>) -> Option<BTreeMap<&'t str, f64>> {
    let kinds: [fn(&str) -> Option<f64>; 5] = [
        |t| t.parse().ok().filter(|x: &f64| x.is_finite()),
        |t| t.parse::<Span>().ok().map(Span::secs),
        |t| t.parse::<Bytes>().ok().map(|x| x.0 as f64),
        |t| t.parse::<Rate>().ok().map(|x| x.0),
        |t| t.parse::<Share>().ok().map(|x| x.0),
    ];
    kinds.into_iter().find_map(|kind| {
        texts.iter().map(|t| Some((*t, kind(t)?))).collect::<Option<BTreeMap<_, _>>>()
    })
}

fn plot(results: &Results, load: &str, axis: &str) -> Option<Plot> {
    let of_load = |point: &&PointPlan| point.load == load;
    let points = || results.plan.cells.iter().filter_map(|c| c.point.as_ref()).filter(of_load);
    let texts: BTreeSet<&str> =
        points().filter_map(|p| p.at.get(axis)).map(String::as_str).collect();
    let numbers = numbers(&texts)?;
    let metric = metric(results, load);
    let mut curves: BTreeMap<String, Vec<Stop>> = BTreeMap::new();
    for plan in &results.plan.cells {
        let Some(point) = plan.point.as_ref().filter(of_load) else { continue };
        let Some(text) = point.at.get(axis) else { continue };
        let Some(x) = numbers.get(text.as_str()) else { continue };
        let cell = cell(results, &plan.variant, &plan.load);
        if let Some(stop) = cell.and_then(|cell| stop(&cell, metric, (*x, text.as_str()))) {
            curves.entry(named(point, axis)).or_default().push(stop);
        }
    }
    let mut curves: Vec<Curve> =
        curves.into_iter().map(|(name, stops)| Curve { name, stops }).collect();
    curves.retain(|curve| curve.stops.len() >= 2);
    for curve in &mut curves {
        curve.stops.sort_by(|a, b| a.x.total_cmp(&b.x));
    }
    if curves.is_empty() {
        return None;
    }
    let key = axis.replace('"', "");
    let what = name(metric);
    let title = format!("{what} over {key} under {load}");
    let tail = if metric == Metric::ResponseTimeP50 { ", p95 faint" } else { "" };
    let head = format!(
        "Each mark is a cell with this value of {key}, everything else on its curve being equal{tail}. Means over the blocks, \
         with their intervals."
    );
    let about = format!(
        "{what} at each value of {key} under {load}, a curve for all that is otherwise equal"
    );
    let file = format!("curve-{}-{load}", slug(axis));
    Some(Plot::new(&file, about, |width| draw(&curves, metric, &key, (&title, &head), width)))
}

/// The primary metric under its load, else the median.
fn metric(results: &Results, load: &str) -> Metric {
    let design = &results.plan.design;
    let mut of_load = results.plan.cells.iter().filter(|cell| cell.load == design.primary_load);
    let is_primary = of_load.any(|cell| cell.point.as_ref().is_some_and(|p| p.load == load));
    if is_primary && !is_latency(design.primary_metric) {
        design.primary_metric
    } else {
        Metric::ResponseTimeP50
    }
}

fn stop(cell: &Cell<'_>, metric: Metric, (x, text): (f64, &str)) -> Option<Stop> {
    let figure = cell.value(metric).ok()?;
    let p95 = || cell.value(Metric::ResponseTimeP95).ok().map(|e| e.mean);
    let tail = (metric == Metric::ResponseTimeP50).then(p95).flatten();
    figure.mean.is_finite().then(|| Stop { x, text: text.to_owned(), figure, tail })
}

/// The variant, and where it lies on the other axes.
fn named(point: &PointPlan, axis: &str) -> String {
    let mut name = point.variant.clone();
    for (other, value) in point.at.iter().filter(|(other, _)| *other != axis) {
        let last = other.rsplit('.').next().unwrap_or(other).trim_matches('"');
        name.extend([", ", last, " ", value]);
    }
    name
}

fn slug(axis: &str) -> String {
    let of = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    axis.chars().map(of).collect::<String>().trim_matches('-').to_owned()
}

fn draw(
    curves: &[Curve],
    metric: Metric,
    key: &str,
    (title, about): (&str, &str),
    width: f64,
) -> Picture {
    let is_wide = width > 600.0;
    let mut canvas = Canvas::new(width);
    let top = header(&mut canvas, title, about);
    let entries: Vec<(Key, String)> =
        curves.iter().enumerate().map(|(i, c)| (Key::Series(i), c.name.clone())).collect();
    let top = legend(&mut canvas, top, &entries) + 26.0;
    let bottom = top + if is_wide { 300.0 } else { 240.0 };
    let panel = Panel { left: 66.0, top, right: width - 30.0, bottom };
    let (x, y) = (level(curves, key, panel), upright(curves, metric, panel));
    axes(&mut canvas, panel, &x, &y);
    for (i, curve) in curves.iter().enumerate() {
        let class = format!("l{}", i % SERIES);
        let at = |s: &Stop, value: f64| (x.scale.at(s.x), y.scale.at(value));
        let tail: Vec<(f64, f64)> =
            curve.stops.iter().filter_map(|s| Some(at(s, s.tail?))).collect();
        canvas.path(&format!("faint {class}"), &tail);
        let line: Vec<(f64, f64)> = curve.stops.iter().map(|s| at(s, s.figure.mean)).collect();
        canvas.path(&format!("line {class}"), &line);
        for stop in &curve.stops {
            if let Some(i) = stop.figure.interval {
                canvas.line(&format!("thin {class}"), at(stop, i.low), at(stop, i.high));
            }
        }
        canvas.marks(i, &line);
    }
    canvas.finish(bottom + 44.0, title, &said(curves, metric))
}

/// The axis itself: its ticks are its values, as far as they find room.
fn level(curves: &[Curve], key: &str, panel: Panel) -> Axis {
    let stops = || curves.iter().flat_map(|c| &c.stops);
    let low = stops().map(|s| s.x).fold(f64::INFINITY, f64::min);
    let high = stops().map(|s| s.x).fold(f64::NEG_INFINITY, f64::max);
    let ends = (panel.left + 14.0, panel.right - 14.0);
    let scale = if low > 0.0 && high > low * FAR {
        Scale::log((low, high), ends)
    } else {
        Scale::linear((low, high), ends)
    };
    let mut values: Vec<(f64, &str)> = stops().map(|s| (s.x, s.text.as_str())).collect();
    values.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut ticks = Vec::new();
    let mut free = f64::NEG_INFINITY;
    for (value, text) in values {
        let half = text_width(text, 12.0) / 2.0 + 4.0;
        if scale.at(value) - half > free {
            free = scale.at(value) + half;
            ticks.push((value, text.to_owned()));
        }
    }
    Axis { scale, ticks, title: key.to_owned() }
}

fn upright(curves: &[Curve], metric: Metric, panel: Panel) -> Axis {
    let stops = || curves.iter().flat_map(|c| &c.stops);
    let of = |s: &Stop| {
        let i = s.figure.interval.map_or((s.figure.mean, s.figure.mean), |i| (i.low, i.high));
        (i.0, s.tail.map_or(i.1, |tail| tail.max(i.1)))
    };
    let low = stops().map(|s| of(s).0).fold(f64::INFINITY, f64::min);
    let high = stops().map(|s| of(s).1).fold(f64::NEG_INFINITY, f64::max);
    let ends = (panel.bottom, panel.top);
    let scale = if low > 0.0 && (is_latency(metric) || high > low * FAR) {
        Scale::log((low / 1.2, high * 1.2), ends)
    } else {
        Scale::linear((low.min(0.0), high * 1.1), ends)
    };
    Axis::new(scale, 8, &name(metric), |value| short(&show(metric, value)))
}

/// The same in words.
fn said(curves: &[Curve], metric: Metric) -> String {
    let of = |c: &Curve| {
        let stops = c.stops.iter();
        let stops = stops.map(|s| format!("{} at {}", show(metric, s.figure.mean), s.text));
        format!("{}: {}", c.name, stops.collect::<Vec<_>>().join(", "))
    };
    curves.iter().map(of).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture::results;

    /// Loads become points of one curve, at these values.
    fn at(values: [&str; 3]) -> Results {
        let mut results = results();
        for cell in &mut results.plan.cells {
            let value = match cell.load.as_str() {
                "unloaded" => values[0],
                "steady" => values[1],
                _ => values[2],
            };
            cell.point = Some(PointPlan {
                variant: cell.variant.clone(),
                load: "all".into(),
                at: [("load.all.\"think_time\"".to_owned(), value.to_owned())].into(),
            });
        }
        results
    }

    #[test]
    fn every_axis_of_quantities_has_its_curve_in_the_order_of_their_size() {
        let all = plots(&at(["100ms", "20us", "3s"]));
        assert_eq!(all.len(), 1);
        assert_eq!(all[0].path, "plots/curve-load-all--think-time-all.svg");
        let picture = all[0].wide.file();
        let places: Vec<_> =
            ["at 20us", "at 100ms", "at 3s"].iter().map(|text| picture.find(text)).collect();
        assert!(places.is_sorted() && places[0].is_some(), "{picture}");
        assert!(picture.contains(">100ms</text>") && picture.contains("load.all.think_time"));
        assert_eq!(plots(&at(["on", "off", "auto"])).len(), 0, "words are no numbers");
        assert_eq!(plots(&results()).len(), 0);
    }

    #[test]
    fn what_differs_on_another_axis_is_another_curve() {
        let mut results = at(["1", "2", "2"]);
        for cell in results.plan.cells.iter_mut().filter(|cell| cell.load != "unloaded") {
            let at = &mut cell.point.as_mut().expect("set above").at;
            at.insert("users".into(), if cell.load == "steady" { "5" } else { "7" }.into());
        }
        let all = plots(&results);
        // Under `users` the two loads are a curve; on the other axis no two cells are otherwise equal.
        assert_eq!(all.len(), 1);
        assert!(all[0].wide.file().contains("btree, think_time 2"), "{}", all[0].wide.file());
    }
}
