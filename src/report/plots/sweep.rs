//! Throughput and latency where loads form a sweep: closed loops of more and more users, or higher and higher rates.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::{Plot, series};
use crate::plan::ModelPlan;
use crate::plot::{
    Anchor, Axis, Canvas, Key, Panel, Picture, SERIES, Scale, axes, header, legend, short,
};
use crate::report::cells::{Cell, cell};
use crate::report::values::digits;
use crate::results::Results;
use crate::spec::Metric;
use crate::units::{latency_ns, sig3};

/// Fewer levels are no sweep.
const FEWEST: usize = 3;

/// What a level is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Users,
    Rates,
}

/// A level under which a variant was driven.
struct Stop {
    level: f64,
    throughput: f64,
    p50_us: f64,
    p95_us: Option<f64>,
}

struct Curve {
    /// The variant, and what else tells it from its other curves.
    variant: String,
    is_one_of_several: bool,
    series: usize,
    stops: Vec<Stop>,
}

/// A plot for each kind of which there are levels enough.
pub(super) fn plots(results: &Results) -> Vec<Plot> {
    [Kind::Users, Kind::Rates].into_iter().filter_map(|kind| plot(results, kind)).collect()
}

fn plot(results: &Results, kind: Kind) -> Option<Plot> {
    let variants = results.plan.variants.iter();
    let mut curves: Vec<Curve> = variants.flat_map(|v| curves_of(results, &v.name, kind)).collect();
    if curves.iter().any(|curve| curve.is_one_of_several) {
        // A colour is a curve here, and not a variant.
        (0..).zip(&mut curves).for_each(|(i, curve)| curve.series = i);
    }
    if !curves.iter().any(|curve| curve.stops.len() >= FEWEST) {
        return None;
    }
    let (name, levels) = match kind {
        Kind::Users => ("sweep-users", "users"),
        Kind::Rates => ("sweep-rates", "requests offered per second"),
    };
    let title = format!("Throughput and response time with more {levels}");
    let head = format!(
        "Each mark is a load, with its number of {levels}: strong p50, faint p95. Means over the blocks; \
                        to the right is more work done, upwards a longer wait."
    );
    let about = format!(
        "Throughput against response time, p50 and p95, with more {levels}, each variant a curve"
    );
    Some(Plot::new(name, about, |width| draw(&curves, &title, &head, width)))
}

/// A variant's curves: loads that differ in more than their levels are on several, and none of them is lost.
fn curves_of(results: &Results, variant: &str, kind: Kind) -> Vec<Curve> {
    let mut groups: BTreeMap<(String, usize), Vec<Stop>> = BTreeMap::new();
    for cell in results.plan.loads.iter().filter_map(|load| cell(results, variant, load)) {
        let Some(stop) = stop(&cell, kind) else { continue };
        let rest = beside_the_level(&cell);
        let mut turn = 0;
        while groups.get(&(rest.clone(), turn)).is_some_and(|stops| has(stops, stop.level)) {
            turn += 1;
        }
        groups.entry((rest, turn)).or_default().push(stop);
    }
    // A single point is no curve, but one whose level another load has too is kept beside it.
    let twice: Vec<String> =
        groups.keys().filter(|(_, turn)| *turn > 0).map(|(rest, _)| rest.clone()).collect();
    groups.retain(|(rest, _), stops| stops.len() >= 2 || twice.contains(rest));
    let is_one_of_several = groups.len() > 1;
    let of = |((rest, turn), mut stops): ((String, usize), Vec<Stop>)| {
        stops.sort_by(|a, b| a.level.total_cmp(&b.level));
        let mut name = variant.to_owned();
        if is_one_of_several {
            name += &rest;
            if turn > 0 {
                write!(name, " ({})", turn + 1).expect("a String takes all");
            }
        }
        Curve { variant: name, is_one_of_several, series: series(results, variant), stops }
    };
    groups.into_iter().map(of).collect()
}

fn has(stops: &[Stop], level: f64) -> bool {
    stops.iter().any(|stop| stop.level.total_cmp(&level).is_eq())
}

/// Where a load lies on the other axes of a matrix, in words.
fn beside_the_level(cell: &Cell<'_>) -> String {
    let mut rest = String::new();
    for (axis, value) in cell.plan.point.iter().flat_map(|point| &point.at) {
        let last = axis.rsplit('.').next().unwrap_or(axis);
        if !["users", "rate"].contains(&last) {
            rest.extend([", ", last, " ", value]);
        }
    }
    rest
}

fn stop(cell: &Cell<'_>, kind: Kind) -> Option<Stop> {
    let drive = &cell.plan.drive;
    let level = match (&drive.model, kind) {
        (ModelPlan::Closed { users, .. }, Kind::Users) => f64::from(*users),
        (ModelPlan::Open { rate_per_s, .. }, Kind::Rates) => *rate_per_s,
        _ => return None,
    };
    let value = |metric| cell.value(metric).ok().map(|e| e.mean);
    if !drive.is_level() {
        return None;
    }
    Some(Stop {
        level,
        throughput: value(Metric::Throughput)?,
        p50_us: value(Metric::ResponseTimeP50)?,
        p95_us: value(Metric::ResponseTimeP95),
    })
}

fn draw(curves: &[Curve], title: &str, about: &str, width: f64) -> Picture {
    let is_wide = width > 600.0;
    let mut canvas = Canvas::new(width);
    let top = header(&mut canvas, title, about);
    let entries: Vec<(Key, String)> =
        curves.iter().map(|c| (Key::Series(c.series), c.variant.clone())).collect();
    let top = legend(&mut canvas, top, &entries) + 26.0;
    let bottom = top + if is_wide { 330.0 } else { 260.0 };
    let panel = Panel { left: 66.0, top, right: width - 40.0, bottom };
    let stops = || curves.iter().flat_map(|c| &c.stops);
    let fewest = stops().map(|s| s.throughput).fold(f64::INFINITY, f64::min);
    let most = stops().map(|s| s.throughput).fold(0.0, f64::max);
    let ends = (panel.left, panel.right);
    let x = if most > fewest * 20.0 {
        Scale::log((fewest / 1.3, most * 1.3), ends)
    } else {
        Scale::linear((0.0, most * 1.08), ends)
    };
    let low = stops().map(|s| s.p50_us).fold(f64::INFINITY, f64::min);
    let high = stops().map(|s| s.p95_us.unwrap_or(s.p50_us)).fold(0.0, f64::max);
    let y =
        Axis::new(Scale::log((low / 1.2, high * 1.2), (bottom, top)), 9, "response time", |us| {
            short(&latency_ns(us * 1e3))
        });
    let x = Axis::new(x, if is_wide { 8 } else { 4 }, "right answers per second", |v| {
        format!("{}/s", short(&digits(v)))
    });
    axes(&mut canvas, panel, &x, &y);
    for curve in curves {
        let class = format!("l{}", curve.series % SERIES);
        let at = |s: &Stop, us: f64| (x.scale.at(s.throughput), y.scale.at(us));
        let tail: Vec<(f64, f64)> =
            curve.stops.iter().filter_map(|s| Some(at(s, s.p95_us?))).collect();
        canvas.path(&format!("faint {class}"), &tail);
        let line: Vec<(f64, f64)> = curve.stops.iter().map(|s| at(s, s.p50_us)).collect();
        canvas.path(&format!("line {class}"), &line);
        canvas.marks(curve.series, &line);
        for (stop, point) in curve.stops.iter().zip(line) {
            canvas.text(
                "soft",
                Anchor::Start,
                (point.0 + 7.0, point.1 + 14.0),
                &short(&sig3(stop.level)),
            );
        }
    }
    canvas.finish(bottom + 44.0, title, &said(curves))
}

/// The same in words.
fn said(curves: &[Curve]) -> String {
    let of = |c: &Curve| {
        let stops = c.stops.iter().map(|s| {
            format!(
                "{} at {}: {}/s, p50 {}",
                c.variant,
                short(&sig3(s.level)),
                digits(s.throughput),
                latency_ns(s.p50_us * 1e3)
            )
        });
        stops.collect::<Vec<_>>().join(", ")
    };
    curves.iter().map(of).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture::results;

    #[test]
    fn loads_of_the_same_level_are_on_curves_of_their_own_and_none_is_lost() {
        let mut results = results();
        for cell in &mut results.plan.cells {
            let users = if cell.load == "unloaded" { 1 } else { 10 };
            cell.drive.model = ModelPlan::Closed { users, think_ns: 0 };
        }
        let curves = curves_of(&results, "btree", Kind::Users);
        let seen: Vec<(&str, Vec<f64>)> = curves
            .iter()
            .map(|c| (c.variant.as_str(), c.stops.iter().map(|s| s.level).collect()))
            .collect();
        assert_eq!(seen, [("btree", vec![1.0, 10.0]), ("btree (2)", vec![10.0])]);
    }
}
