//! Resources over time: what each component used in each trial's window, from the run's beginning to its end.

use std::collections::BTreeMap;

use chrono::DateTime;

use super::panels::Tiles;
use super::{Plot, series};
use crate::plot::{
    Anchor, Axis, Canvas, Key, Panel, Picture, SERIES, Scale, axes, header, legend, short,
};
use crate::report::cells::cell;
use crate::report::costs::WAY;
use crate::results::{Results, TrialRecord};
use crate::units::sig3;

/// Minutes since the run began, and processor cores in use.
type Moment = (f64, f64);

/// One component: the trials of each variant, by its number.
struct Component {
    name: String,
    by_variant: BTreeMap<usize, Vec<Moment>>,
}

/// The plot of a load; none where no resources were recorded, or only in one block.
pub(super) fn plot(results: &Results, load: &str) -> Option<Plot> {
    let components: Vec<Component> =
        WAY.iter().filter_map(|name| component(results, load, name)).collect();
    if components.is_empty() {
        return None;
    }
    let names: BTreeMap<usize, String> =
        results.plan.variants.iter().map(|v| (series(results, &v.name), v.name.clone())).collect();
    let title = format!("Processor use over the run under {load}");
    let head = "Each mark is one trial's measured window, where it lay in the run: processor cores in use, by component. A level line is a \
                machine that stayed the same. Each panel has its own scale.";
    let about = format!(
        "Processor cores in use by each component in each trial under {load}, over the run"
    );
    Some(Plot::new(&format!("resources-{load}"), about, |width| {
        draw(&components, &names, &title, head, width)
    }))
}

fn component(results: &Results, load: &str, name: &str) -> Option<Component> {
    let mut by_variant: BTreeMap<usize, Vec<Moment>> = BTreeMap::new();
    for variant in &results.plan.variants {
        let Some(cell) = cell(results, &variant.name, load) else { continue };
        let moments: Vec<Moment> =
            cell.valid().into_iter().filter_map(|t| moment(results, t, name)).collect();
        if moments.len() >= 2 {
            by_variant.insert(series(results, &variant.name), moments);
        }
    }
    let used = by_variant.values().flatten().any(|(_, cores)| *cores >= 0.005);
    used.then(|| Component { name: name.to_owned(), by_variant })
}

fn moment(results: &Results, trial: &TrialRecord, component: &str) -> Option<Moment> {
    let window = trial.window.as_ref().filter(|w| w.duration_ns > 0)?;
    let used = trial.witness.as_ref()?.resources.get(component)?;
    let begin = DateTime::parse_from_rfc3339(&results.manifest.run.started_at).ok()?;
    let here = DateTime::parse_from_rfc3339(&trial.started_at).ok()?;
    let minutes = (here - begin).num_milliseconds() as f64 / 60e3;
    Some((minutes, used.cpu_us as f64 * 1e3 / window.duration_ns as f64))
}

fn draw(
    components: &[Component],
    names: &BTreeMap<usize, String>,
    title: &str,
    about: &str,
    width: f64,
) -> Picture {
    let mut canvas = Canvas::new(width);
    let top = header(&mut canvas, title, about);
    let seen = |i: &usize| components.iter().any(|c| c.by_variant.contains_key(i));
    let entries: Vec<(Key, String)> = names
        .iter()
        .filter(|(i, _)| seen(i))
        .map(|(i, name)| (Key::Series(*i), name.clone()))
        .collect();
    let top = legend(&mut canvas, top, &entries);
    let last = components.iter().flat_map(|c| c.by_variant.values()).flatten();
    let last = last.map(|(minutes, _)| *minutes).fold(0.0, f64::max);
    let tiles = Tiles::new(width, top, components.len(), 124.0);
    for (i, component) in components.iter().enumerate() {
        let at = tiles.title(i);
        canvas.text("strong", Anchor::Start, at, &format!("{}, cores", component.name));
        one(&mut canvas, component, last, tiles.panel(i));
    }
    canvas.finish(tiles.bottom() + 8.0, title, &said(components, names))
}

fn one(canvas: &mut Canvas, component: &Component, last: f64, panel: Panel) {
    let most = component.by_variant.values().flatten().map(|(_, cores)| *cores).fold(0.0, f64::max);
    let x = Scale::linear((0.0, last * 1.02), (panel.left, panel.right));
    let y = Scale::linear((0.0, most * 1.08), (panel.bottom, panel.top));
    let level = Axis::new(x, 5, "", |m| short(&format!("{} min", sig3(m))));
    let upright = Axis::new(y, 5, "", |cores| short(&sig3(cores)));
    axes(canvas, panel, &level, &upright);
    for (i, moments) in &component.by_variant {
        let points: Vec<(f64, f64)> =
            moments.iter().map(|(m, cores)| (x.at(*m), y.at(*cores))).collect();
        canvas.path(&format!("thin l{}", i % SERIES), &points);
        canvas.marks(*i, &points);
    }
}

/// The same in words.
fn said(components: &[Component], names: &BTreeMap<usize, String>) -> String {
    let of = |c: &Component| {
        let variants = c.by_variant.iter().map(|(i, moments)| {
            let low = moments.iter().map(|m| m.1).fold(f64::INFINITY, f64::min);
            let high = moments.iter().map(|m| m.1).fold(0.0, f64::max);
            let name = names.get(i).map_or("", String::as_str);
            format!("{name} {} to {}", sig3(low), sig3(high))
        });
        format!("{}: {} cores", c.name, variants.collect::<Vec<_>>().join(", "))
    };
    components.iter().map(of).collect::<Vec<_>>().join("; ")
}
