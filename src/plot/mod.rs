//! Pictures: numbers in, SVG out. The same numbers give the same bytes; there is no clock, no file and no font here.
//!
//! One file serves both themes: colours are classes, and the style sheet within asks the reader's preference. A picture
//! is drawn for a width in pixels, so that its letters keep their size on a telephone.

mod axis;
mod canvas;
mod header;
mod labels;
mod palette;
mod scale;

pub use axis::{Axis, Panel, axes, level_axis};
pub use canvas::{Anchor, Canvas, Picture, Point};
pub use header::{Key, header, legend};
pub use labels::{fit, spread_out, text_width, wrap};
pub use palette::{SERIES, style};
pub use scale::{Scale, short};
