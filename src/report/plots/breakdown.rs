//! Where the time goes: the parts of a request's mean time, one bar a variant.

use super::{Plot, panels};
use crate::plot::{
    Anchor, Axis, Canvas, Key, Panel, Picture, Scale, fit, header, legend, level_axis, short,
};
use crate::report::breakdown::{Row, rows};
use crate::report::cells::cell;
use crate::results::Results;
use crate::units::latency_ns;

/// One variant's parts in microseconds, in the order of a request's way; the remainder last.
struct Bar {
    variant: String,
    parts: Vec<f64>,
    rest: f64,
    whole: f64,
}

/// A bar this much longer than the shortest is drawn to a scale of its own.
const LONG: f64 = 8.0;

/// The plot of a load; none where nothing was clocked.
pub(super) fn plot(results: &Results, load: &str) -> Option<Plot> {
    let found: Vec<(String, Vec<Row>)> = results
        .plan
        .variants
        .iter()
        .filter_map(|v| Some((v.name.clone(), rows(&cell(results, &v.name, load)?)?)))
        .collect();
    let (_, first) = found.first()?;
    let names: Vec<String> = first.iter().map(|row| row.title.replace('*', "")).collect();
    let bars: Vec<Bar> = found.iter().filter_map(|(variant, rows)| bar(variant, rows)).collect();
    if bars.is_empty() {
        return None;
    }
    let title = format!("Where the time of a request goes under {load}");
    let head = "Means over the trials. What no part explains is the remainder; where parts that were measured apart are together longer \
                than the whole, there is none.";
    let about =
        format!("Parts of a request's mean service time under {load}, stacked, each variant a bar");
    Some(Plot::new(&format!("breakdown-{load}"), about, |width| {
        draw(&bars, &names, &title, head, width)
    }))
}

/// Parts, remainder and whole of a variant; none where the whole is not known.
fn bar(variant: &str, rows: &[Row]) -> Option<Bar> {
    let (whole, rows) = rows.split_last()?;
    let (rest, parts) = rows.split_last()?;
    let value = |row: &Row| row.mean.map_or(0.0, |e| e.mean);
    Some(Bar {
        variant: variant.to_owned(),
        parts: parts.iter().map(|row| value(row).max(0.0)).collect(),
        rest: value(rest),
        whole: whole.mean?.mean,
    })
}

impl Bar {
    fn length(&self) -> f64 {
        self.parts.iter().sum::<f64>() + self.rest.max(0.0)
    }
}

fn draw(bars: &[Bar], names: &[String], title: &str, about: &str, width: f64) -> Picture {
    let is_wide = width > 600.0;
    let mut canvas = Canvas::new(width);
    let top = header(&mut canvas, title, about);
    let used = |i: &usize| bars.iter().any(|bar| bar.parts[*i] > 0.0);
    let parts: Vec<usize> = (0..bars[0].parts.len()).filter(used).collect();
    let mut entries: Vec<(Key, String)> =
        parts.iter().map(|i| (Key::Field(*i), names[*i].clone())).collect();
    entries.push((Key::Rest, "remainder".into()));
    let top = legend(&mut canvas, top, &entries) + 10.0;
    let step = if is_wide { 40.0 } else { 58.0 };
    let bottom = top + step * bars.len() as f64;
    let (left, right) = if is_wide { (150.0, width - 190.0) } else { (14.0, width - 20.0) };
    let shortest = bars.iter().map(Bar::length).fold(f64::INFINITY, f64::min);
    let is_long = |bar: &Bar| bar.length() > shortest * LONG;
    let longest = bars.iter().filter(|b| !is_long(b)).map(Bar::length).fold(0.0, f64::max);
    let scale = Scale::linear((0.0, longest * 1.02), (left, right));
    let x = Axis::new(scale, if is_wide { 8 } else { 4 }, "mean service time", |us| {
        if us > 0.0 { short(&latency_ns(us * 1e3)) } else { "0 µs".into() }
    });
    let rows = (0..bars.len()).map(|i| top + step * i as f64);
    let fields: Vec<(f64, f64)> =
        if is_wide { vec![(top, bottom)] } else { rows.map(|y| (y + 27.0, y + 53.0)).collect() };
    level_axis(&mut canvas, Panel { left, top, right, bottom }, &x, &fields);
    for (i, bar) in bars.iter().enumerate() {
        let y = top + step * i as f64;
        let far = is_long(bar);
        let own = Scale::linear((0.0, bar.length()), (left, right));
        let whole = latency_ns(bar.whole * 1e3);
        let note = if far { format!("{whole}, a scale of its own") } else { whole };
        let (middle, height) = if is_wide { (y + 20.0, 22.0) } else { (y + 40.0, 20.0) };
        stack(&mut canvas, bar, &parts, if far { &own } else { &x.scale }, (middle, height));
        if is_wide {
            canvas.text(
                "strong",
                Anchor::End,
                (left - 12.0, middle + 4.0),
                &fit(&bar.variant, 130.0, 12.6),
            );
            canvas.text("", Anchor::Start, (right + 10.0, middle + 4.0), &note);
        } else {
            let text = fit(&bar.variant, 130.0, 12.6);
            canvas.text("strong", Anchor::Start, (left, y + 22.0), &text);
            canvas.text("", Anchor::End, (right, y + 22.0), &note);
        }
    }
    canvas.finish(bottom + 44.0, title, &said(bars, names))
}

fn stack(
    canvas: &mut Canvas,
    bar: &Bar,
    parts: &[usize],
    scale: &Scale,
    (middle, height): (f64, f64),
) {
    let top = middle - height / 2.0;
    let mut from = 0.0;
    for i in parts {
        let to = from + bar.parts[*i];
        let (left, right) = (scale.at(from), scale.at(to));
        // A hair of ground between two parts keeps them apart where their colours are near.
        let room = if right - left > 3.0 { right - left - 1.0 } else { right - left };
        canvas.rect(&format!("f{}", i % crate::plot::SERIES), (left, top), (room, height));
        from = to;
    }
    let (left, right) = (scale.at(from), scale.at(from + bar.rest.max(0.0)));
    canvas.rect("rest", (left, top), (right - left, height));
    panels::frame_of(canvas, (scale.at(0.0), top), height);
}

/// The same in words.
fn said(bars: &[Bar], names: &[String]) -> String {
    let of = |bar: &Bar| {
        let parts = names.iter().zip(&bar.parts).filter(|(_, us)| **us > 0.0);
        let parts: Vec<String> =
            parts.map(|(name, us)| format!("{name} {}", latency_ns(us * 1e3))).collect();
        format!("{}: {} of {}", bar.variant, parts.join(", "), latency_ns(bar.whole * 1e3))
    };
    bars.iter().map(of).collect::<Vec<_>>().join("; ")
}
