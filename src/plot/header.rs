//! What stands above a picture: its title, what to know, and which mark is whose.

use super::canvas::{Anchor, Canvas};
use super::labels::{fit, text_width, wrap};
use super::palette::SERIES;

/// How a thing is shown in a legend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// Mark and line of a series.
    Series(usize),
    /// A filled field of a series' colour.
    Field(usize),
    /// The field of what no part explains.
    Rest,
}

/// Writes the title and the lines below it. Returns the height at which the rest begins.
pub fn header(canvas: &mut Canvas, title: &str, about: &str) -> f64 {
    let room = canvas.width() - 16.0;
    let mut y = 8.0;
    for line in wrap(title, room, 15.0 * 1.06) {
        y += 18.0;
        canvas.text("title", Anchor::Start, (8.0, y), &line);
    }
    for line in wrap(about, room, 12.0) {
        y += 17.0;
        canvas.text("soft", Anchor::Start, (8.0, y), &line);
    }
    y + 10.0
}

/// Writes a legend from `y` on, in as many lines as it takes. Returns the height at which the rest begins.
pub fn legend(canvas: &mut Canvas, y: f64, entries: &[(Key, String)]) -> f64 {
    let room = canvas.width() - 16.0;
    let (mut x, mut y) = (8.0, y + 8.0);
    for (key, name) in entries {
        let name = fit(name, room - 30.0, 12.0);
        let width = 30.0 + text_width(&name, 12.0) + 12.0;
        if x > 8.0 && x + width > room + 8.0 {
            x = 8.0;
            y += 20.0;
        }
        match key {
            Key::Series(i) => {
                canvas.line(&format!("line l{}", i % SERIES), (x, y), (x + 22.0, y));
                canvas.mark(*i, (x + 11.0, y));
            }
            Key::Field(i) => {
                canvas.rect(&format!("f{}", i % SERIES), (x + 6.0, y - 6.0), (14.0, 12.0));
            }
            Key::Rest => canvas.rect("rest", (x + 6.0, y - 6.0), (14.0, 12.0)),
        }
        canvas.text("", Anchor::Start, (x + 28.0, y + 4.0), &name);
        x += width;
    }
    y + 16.0
}
