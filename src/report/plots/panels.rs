//! Small pictures of one kind in rows, each with axes of its own.

use crate::plot::{Canvas, Panel, Point};

/// Where so many panels lie: as many beside one another as are legible at this width.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tiles {
    width: f64,
    top: f64,
    columns: usize,
    count: usize,
    height: f64,
}

/// Room of a panel's title above its field.
const TITLE: f64 = 44.0;
/// Room of the ticks' texts below it.
const TICKS: f64 = 30.0;
/// Room of the ticks' texts left of it.
const LEFT: f64 = 62.0;
/// Between two panels.
const GAP: f64 = 14.0;

impl Tiles {
    /// Tiles from `top` on, fields `height` high.
    pub(super) fn new(width: f64, top: f64, count: usize, height: f64) -> Self {
        let columns = if width > 600.0 { count.clamp(1, 3) } else { 1 };
        Self { width, top, columns, count, height }
    }

    /// The field of one.
    pub(super) fn panel(&self, i: usize) -> Panel {
        let (column, row) = (i % self.columns, i / self.columns);
        let room = (self.width - 16.0) / self.columns as f64;
        let left = 8.0 + room * column as f64 + LEFT;
        let top = self.top + row as f64 * (TITLE + self.height + TICKS) + TITLE;
        Panel { left, top, right: left + room - LEFT - GAP, bottom: top + self.height }
    }

    /// Where a panel's title stands.
    pub(super) fn title(&self, i: usize) -> (f64, f64) {
        let panel = self.panel(i);
        (panel.left - LEFT + 6.0, panel.top - 26.0)
    }

    /// Below all of them.
    pub(super) fn bottom(&self) -> f64 {
        let rows = self.count.div_ceil(self.columns);
        self.top + rows as f64 * (TITLE + self.height + TICKS)
    }
}

/// The line at which bars begin.
pub(super) fn frame_of(canvas: &mut Canvas, (x, top): Point, height: f64) {
    canvas.line("axis", (x, top - 3.0), (x, top + height + 3.0));
}
