//! Percentile curves on an axis of nines: each nine has the same room, so the tail is as long as it feels.

use super::{Plot, series};
use crate::plot::{
    Anchor, Axis, Canvas, Key, Panel, Picture, SERIES, Scale, axes, fit, header, legend, short,
    spread_out,
};
use crate::report::cells::cell;
use crate::results::Results;
use crate::spec::Metric;
use crate::stats::Estimate;
use crate::units::{Share, latency_ns};

/// Quantiles that every trial keeps, and the share of requests above each.
const QUANTILES: [(Metric, f64, &str); 5] = [
    (Metric::ResponseTimeP50, 0.5, "p50"),
    (Metric::ResponseTimeP90, 0.1, "p90"),
    (Metric::ResponseTimeP95, 0.05, "p95"),
    (Metric::ResponseTimeP99, 0.01, "p99"),
    (Metric::ResponseTimeP999, 0.001, "p99.9"),
];

/// One variant: the nines and the latency, in microseconds.
struct Curve {
    variant: String,
    series: usize,
    points: Vec<(f64, Estimate)>,
}

/// The plot of a load; none where fewer than two quantiles are known.
pub(super) fn plot(results: &Results, load: &str) -> Option<Plot> {
    let curves: Vec<Curve> =
        results.plan.variants.iter().filter_map(|v| curve(results, &v.name, load)).collect();
    if !curves.iter().any(|curve| curve.points.len() >= 2) {
        return None;
    }
    let (curves, far) = near_and_far(curves);
    let title = format!("Response time by percentile under {load}");
    let confidence = Share(results.plan.design.confidence);
    let mut head = format!(
        "Means over the blocks of each trial's percentile, with {confidence} intervals. Both axes are logarithmic: each nine has the same room."
    );
    if !far.is_empty() {
        head = format!("{head} Beyond this scale: {}.", said(&far));
    }
    let about = format!("Response time from p50 to p99.9 under {load}, each variant a curve");
    Some(Plot::new(&format!("percentiles-{load}"), about, |width| {
        draw(&curves, &title, &head, width)
    }))
}

fn curve(results: &Results, variant: &str, load: &str) -> Option<Curve> {
    let cell = cell(results, variant, load)?;
    let point =
        |(metric, above, _): (Metric, f64, &str)| Some((-above.log10(), cell.value(metric).ok()?));
    let points: Vec<_> = QUANTILES.into_iter().filter_map(point).collect();
    (!points.is_empty()).then(|| Curve {
        variant: variant.to_owned(),
        series: series(results, variant),
        points,
    })
}

/// Curves that lie this many times above all others would leave them no room.
const FAR: f64 = 20.0;

/// Curves that share a scale, and those that are far above it.
fn near_and_far(mut curves: Vec<Curve>) -> (Vec<Curve>, Vec<Curve>) {
    let means = |c: &Curve| c.points.iter().map(|(_, e)| e.mean).collect::<Vec<f64>>();
    let low = |c: &Curve| means(c).into_iter().fold(f64::INFINITY, f64::min);
    let high = |c: &Curve| means(c).into_iter().fold(0.0, f64::max);
    curves.sort_by(|a, b| low(a).total_cmp(&low(b)));
    let below = |i: usize| curves[..i].iter().map(high).fold(0.0, f64::max);
    let cut = (2..curves.len()).find(|i| low(&curves[*i]) > FAR * below(*i));
    let mut far = curves.split_off(cut.unwrap_or(curves.len()));
    curves.sort_by_key(|c| c.series);
    far.sort_by_key(|c| c.series);
    (curves, far)
}

fn draw(curves: &[Curve], title: &str, about: &str, width: f64) -> Picture {
    let is_wide = width > 600.0;
    let mut canvas = Canvas::new(width);
    let mut top = header(&mut canvas, title, about);
    if !is_wide {
        let entries: Vec<(Key, String)> =
            curves.iter().map(|c| (Key::Series(c.series), c.variant.clone())).collect();
        top = legend(&mut canvas, top, &entries);
    }
    top += 22.0;
    let bottom = top + if is_wide { 320.0 } else { 250.0 };
    let panel =
        Panel { left: 66.0, top, right: width - if is_wide { 150.0 } else { 18.0 }, bottom };
    let ends = |pick: fn(&Estimate) -> f64| {
        curves.iter().flat_map(|c| &c.points).map(move |(_, e)| pick(e))
    };
    let low = ends(|e| e.interval.map_or(e.mean, |i| i.low)).fold(f64::INFINITY, f64::min);
    let high = ends(|e| e.interval.map_or(e.mean, |i| i.high)).fold(0.0, f64::max);
    let y =
        Axis::new(Scale::log((low / 1.15, high * 1.15), (bottom, top)), 9, "response time", |us| {
            short(&latency_ns(us * 1e3))
        });
    let last = curves.iter().flat_map(|c| &c.points).map(|(nines, _)| *nines).fold(1.0, f64::max);
    let across = Scale::linear((0.2, last + 0.1), (panel.left, panel.right));
    let ticks = QUANTILES.iter().map(|(_, above, name)| (-above.log10(), (*name).to_owned()));
    let ticks = ticks.filter(|(nines, _)| *nines <= last).collect();
    let x = Axis { scale: across, ticks, title: "percentile of requests".into() };
    axes(&mut canvas, panel, &x, &y);
    for curve in curves {
        line(&mut canvas, curve, &x.scale, &y.scale);
    }
    if is_wide {
        names(&mut canvas, curves, panel, &x.scale, &y.scale);
    }
    canvas.finish(bottom + 44.0, title, &said(curves))
}

fn line(canvas: &mut Canvas, curve: &Curve, x: &Scale, y: &Scale) {
    let class = format!("l{}", curve.series % SERIES);
    let points: Vec<(f64, f64)> =
        curve.points.iter().map(|(nines, e)| (x.at(*nines), y.at(e.mean))).collect();
    canvas.path(&format!("line {class}"), &points);
    for ((_, estimate), point) in curve.points.iter().zip(&points) {
        if let Some(i) = estimate.interval {
            let (low, high) = (y.at(i.low.max(f64::MIN_POSITIVE)), y.at(i.high));
            canvas.line(&format!("thin {class}"), (point.0, low), (point.0, high));
        }
    }
    canvas.marks(curve.series, &points);
}

/// Each curve's name at its end, moved apart where ends are near.
fn names(canvas: &mut Canvas, curves: &[Curve], panel: Panel, x: &Scale, y: &Scale) {
    let ends: Vec<&(f64, Estimate)> = curves.iter().filter_map(|c| c.points.last()).collect();
    let wanted: Vec<f64> = ends.iter().map(|(_, e)| y.at(e.mean)).collect();
    let places = spread_out(&wanted, 17.0, (panel.top + 4.0, panel.bottom - 4.0));
    for ((curve, (nines, estimate)), place) in curves.iter().zip(ends).zip(places) {
        let class = format!("thin l{}", curve.series % SERIES);
        let end = (x.at(*nines) + 7.0, y.at(estimate.mean));
        canvas.path(&class, &[end, (panel.right + 4.0, place), (panel.right + 10.0, place)]);
        canvas.mark(curve.series, (panel.right + 16.0, place));
        canvas.text(
            "strong",
            Anchor::Start,
            (panel.right + 26.0, place + 4.0),
            &fit(&curve.variant, 116.0, 12.6),
        );
    }
}

/// The same in words.
fn said(curves: &[Curve]) -> String {
    let of = |curve: &Curve| {
        let points = curve.points.iter().map(|(nines, e)| {
            let name =
                QUANTILES.iter().find(|(_, above, _)| (-above.log10()).total_cmp(nines).is_eq());
            format!("{} {}", name.map_or("", |(_, _, name)| name), latency_ns(e.mean * 1e3))
        });
        format!("{}: {}", curve.variant, points.collect::<Vec<_>>().join(", "))
    };
    curves.iter().map(of).collect::<Vec<_>>().join("; ")
}
