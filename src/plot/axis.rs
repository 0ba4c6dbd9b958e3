//! A panel with its axes: grid, ticks with their units, titles.

use super::canvas::{Anchor, Canvas};
use super::labels::text_width;
use super::scale::Scale;

/// Where a panel's field lies; its axes' texts stand outside of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Panel {
    /// Left edge.
    pub left: f64,
    /// Upper edge.
    pub top: f64,
    /// Right edge.
    pub right: f64,
    /// Lower edge.
    pub bottom: f64,
}

/// An axis: values to pixels, its ticks as they are said, and what it is of, with the unit.
#[derive(Debug, Clone, PartialEq)]
pub struct Axis {
    /// Values to pixels.
    pub scale: Scale,
    /// Value and text of each tick.
    pub ticks: Vec<(f64, String)>,
    /// What it is of.
    pub title: String,
}

impl Axis {
    /// Round ticks, at most so many, in the words of `say`.
    pub fn new(scale: Scale, most: usize, title: &str, say: impl Fn(f64) -> String) -> Self {
        let ticks = scale.ticks(most).into_iter().map(|x| (x, say(x))).collect();
        Self { scale, ticks, title: title.to_owned() }
    }

    /// The same for an axis that lies: so few of them that no text touches the next.
    pub fn level(scale: Scale, most: usize, title: &str, say: impl Fn(f64) -> String) -> Self {
        let mut fewer = (3..=most).rev().map(|most| Self::new(scale, most, title, &say));
        fewer.find(Self::has_room).unwrap_or_else(|| Self::new(scale, 2, title, &say))
    }

    fn has_room(&self) -> bool {
        let half = |text: &str| text_width(text, TEXT_PX) / 2.0;
        self.ticks.windows(2).all(|two| {
            let apart = (self.scale.at(two[1].0) - self.scale.at(two[0].0)).abs();
            apart >= half(&two[0].1) + half(&two[1].1) + GAP_PX
        })
    }
}

/// The size of an axis' texts, and what is left free between two of them at least.
const TEXT_PX: f64 = 12.0;
const GAP_PX: f64 = 4.0;

/// Draws the level axis below a panel, and its grid only between the given heights: texts that stand in the panel are not
/// crossed by it.
pub fn level_axis(canvas: &mut Canvas, panel: Panel, x: &Axis, fields: &[(f64, f64)]) {
    let ticks = || x.ticks.iter().map(|(value, text)| (x.scale.at(*value), text.as_str()));
    let grid: Vec<_> = ticks()
        .flat_map(|(at, _)| fields.iter().map(move |(from, to)| ((at, *from), (at, *to))))
        .collect();
    canvas.lines("grid", &grid);
    let below = panel.bottom + 16.0;
    canvas.texts("soft", Anchor::Middle, ticks().map(|(at, text)| ((at, below), text)));
    canvas.line("axis", (panel.left, panel.bottom), (panel.right, panel.bottom));
    if !x.title.is_empty() {
        let middle = f64::midpoint(panel.left, panel.right);
        canvas.text("soft", Anchor::Middle, (middle, panel.bottom + 33.0), &x.title);
    }
}

/// Draws grid and axes. The title of the upright axis stands above it, that of the level one below.
pub fn axes(canvas: &mut Canvas, panel: Panel, x: &Axis, y: &Axis) {
    let ticks = || y.ticks.iter().map(|(value, text)| (y.scale.at(*value), text.as_str()));
    let grid: Vec<_> = ticks().map(|(at, _)| ((panel.left, at), (panel.right, at))).collect();
    canvas.lines("grid", &grid);
    let beside = panel.left - 6.0;
    canvas.texts("soft", Anchor::End, ticks().map(|(at, text)| ((beside, at + 4.0), text)));
    level_axis(canvas, panel, x, &[(panel.top, panel.bottom)]);
    if !y.title.is_empty() {
        canvas.text("soft", Anchor::Start, (panel.left - 40.0, panel.top - 10.0), &y.title);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_a_level_axis_do_not_touch() {
        for (low, high, pixels) in [(0.72, 40.0, 560.0), (0.8, 3.1, 560.0), (0.002, 1.4, 300.0)] {
            let axis = Axis::level(Scale::log((low, high), (100.0, 100.0 + pixels)), 9, "", |v| {
                format!("{v:.1}×")
            });
            assert!(axis.ticks.len() >= 2 && axis.has_room(), "{axis:?}");
        }
        let crowded =
            Axis::new(Scale::log((0.72, 9.5), (100.0, 380.0)), 12, "", |v| format!("{v:.1}×"));
        assert!(!crowded.has_room(), "{crowded:?}");
    }
}
