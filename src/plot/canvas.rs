//! A canvas: marks, lines and texts become SVG elements, rounded to a tenth of a pixel.

use std::fmt::Write as _;

use super::palette::{SERIES, style};

/// Pixels from the left and from the top.
pub type Point = (f64, f64);

/// Which end of a text stands at its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Anchor {
    /// Its beginning.
    Start,
    /// Its middle.
    Middle,
    /// Its end.
    End,
}

impl Anchor {
    /// As SVG says it; its beginning goes without saying.
    fn attribute(self) -> &'static str {
        match self {
            Self::Start => "",
            Self::Middle => " text-anchor=\"middle\"",
            Self::End => " text-anchor=\"end\"",
        }
    }
}

/// What is being drawn.
#[derive(Debug, Clone)]
pub struct Canvas {
    width: f64,
    body: String,
}

/// What was drawn.
#[derive(Debug, Clone, PartialEq)]
pub struct Picture {
    width: f64,
    height: f64,
    title: String,
    description: String,
    body: String,
}

impl Canvas {
    /// An empty one, so many pixels wide.
    pub fn new(width: f64) -> Self {
        Self { width, body: String::new() }
    }

    /// Pixels.
    pub fn width(&self) -> f64 {
        self.width
    }

    /// A straight line.
    pub fn line(&mut self, class: &str, from: Point, to: Point) {
        self.path(class, &[from, to]);
    }

    /// A line through points; nothing for fewer than two.
    pub fn path(&mut self, class: &str, points: &[Point]) {
        if points.len() > 1 {
            let d = through(points);
            self.push(format_args!("<path class=\"{class}\" d=\"{d}\"/>\n"));
        }
    }

    /// Many straight lines, like those of a grid.
    pub fn lines(&mut self, class: &str, lines: &[(Point, Point)]) {
        let d: String = lines.iter().map(|(from, to)| through(&[*from, *to])).collect();
        if !d.is_empty() {
            self.push(format_args!("<path class=\"{class}\" d=\"{d}\"/>\n"));
        }
    }

    /// A closed shape.
    pub fn shape(&mut self, class: &str, points: &[Point]) {
        let d = through(points);
        self.push(format_args!("<path class=\"{class}\" d=\"{d}z\"/>\n"));
    }

    /// A rectangle from its upper left corner; one that is nowhere broad is not drawn.
    pub fn rect(&mut self, class: &str, (x, y): Point, (width, height): (f64, f64)) {
        if width > 0.0 && height > 0.0 {
            self.push(format_args!(
                "<rect class=\"{class}\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"/>\n",
                px(x),
                px(y),
                px(width),
                px(height)
            ));
        }
    }

    /// A text on its base line.
    pub fn text(&mut self, class: &str, anchor: Anchor, (x, y): Point, text: &str) {
        let class = if class.is_empty() { String::new() } else { format!(" class=\"{class}\"") };
        self.push(format_args!(
            "<text{class} x=\"{}\" y=\"{}\"{}>{}</text>\n",
            px(x),
            px(y),
            anchor.attribute(),
            escaped(text)
        ));
    }

    /// Many texts of one class and anchor, like those of an axis.
    pub fn texts<'t>(
        &mut self,
        class: &str,
        anchor: Anchor,
        texts: impl IntoIterator<Item = (Point, &'t str)>,
    ) {
        self.push(format_args!("<g class=\"{class}\"{}>\n", anchor.attribute()));
        for (at, text) in texts {
            self.text("", Anchor::Start, at, text);
        }
        self.push(format_args!("</g>\n"));
    }

    /// The mark of a series, its colour and its form, at each of these places.
    pub fn marks(&mut self, series: usize, places: &[Point]) {
        let mut d = String::new();
        for (x, y) in places {
            let corners: &[Point] = match series % 5 {
                0 => {
                    push(&mut d, format_args!("M{} {}", px(x - 4.0), px(*y)));
                    // All but a tenth of a pixel of a circle, closed: one arc cannot end where it begins.
                    d.push_str("a4 4 0 1 0 0-.1z");
                    continue;
                }
                1 => &[(-3.5, -3.5), (3.5, -3.5), (3.5, 3.5), (-3.5, 3.5)],
                2 => &[(0.0, -5.0), (4.5, 4.0), (-4.5, 4.0)],
                3 => &[(0.0, -5.0), (5.0, 0.0), (0.0, 5.0), (-5.0, 0.0)],
                _ => &[(0.0, 5.0), (4.5, -4.0), (-4.5, -4.0)],
            };
            let around: Vec<Point> = corners.iter().map(|(dx, dy)| (x + dx, y + dy)).collect();
            d += &through(&around);
            d.push('z');
        }
        if !d.is_empty() {
            let class = format!("mark f{}", series % SERIES);
            self.push(format_args!("<path class=\"{class}\" d=\"{d}\"/>\n"));
        }
    }

    /// One of them.
    pub fn mark(&mut self, series: usize, at: Point) {
        self.marks(series, &[at]);
    }

    /// The picture: so high, with a name and a sentence for those who cannot see it.
    pub fn finish(self, height: f64, title: &str, description: &str) -> Picture {
        Picture {
            width: self.width,
            height: height.ceil(),
            title: title.to_owned(),
            description: description.to_owned(),
            body: self.body,
        }
    }

    fn push(&mut self, text: std::fmt::Arguments<'_>) {
        push(&mut self.body, text);
    }
}

fn push(to: &mut String, text: std::fmt::Arguments<'_>) {
    to.write_fmt(text).expect("a String takes text");
}

impl Picture {
    /// A file of its own, with its style sheet.
    pub fn file(&self) -> String {
        let (title, description) = (escaped(&self.title), escaped(&self.description));
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"plot\" role=\"img\" width=\"{w}\" height=\"{h}\" \
             viewBox=\"0 0 {w} {h}\">\n<title>{title}</title>\n<desc>{description}</desc>\n<style>\n{style}</style>\n\
             <rect class=\"ground\" width=\"{w}\" height=\"{h}\"/>\n{body}</svg>\n",
            w = px(self.width),
            h = px(self.height),
            style = style(".plot"),
            body = self.body,
        )
    }

    /// The same for a page that has the style sheet; `class` stands beside `plot`.
    pub fn inline(&self, class: &str) -> String {
        format!(
            "<svg class=\"plot {class}\" role=\"img\" aria-label=\"{title}. {description}\" width=\"{w}\" height=\"{h}\" \
             viewBox=\"0 0 {w} {h}\">\n{body}</svg>\n",
            w = px(self.width),
            h = px(self.height),
            title = escaped(&self.title),
            description = escaped(&self.description),
            body = self.body,
        )
    }
}

/// A path through points, each told from the one before: pages hold thousands of them.
fn through(points: &[Point]) -> String {
    let mut d = String::new();
    let mut here = (0, 0);
    for (i, (x, y)) in points.iter().enumerate() {
        // Steps between rounded places add up to rounded places.
        let there = (tenths(*x), tenths(*y));
        let step = (there.0 - here.0, there.1 - here.1);
        here = there;
        let (dx, dy) = (decimal(step.0), decimal(step.1));
        let gap = if step.1 < 0 { "" } else { " " };
        match step {
            _ if i == 0 => push(&mut d, format_args!("M{dx}{gap}{dy}")),
            (_, 0) => push(&mut d, format_args!("h{dx}")),
            (0, _) => push(&mut d, format_args!("v{dy}")),
            _ => push(&mut d, format_args!("l{dx}{gap}{dy}")),
        }
    }
    d
}

#[expect(clippy::cast_possible_truncation, reason = "no canvas is so large, and a cast saturates")]
fn tenths(x: f64) -> i64 {
    (x * 10.0).round() as i64
}

fn decimal(tenths: i64) -> String {
    let sign = if tenths < 0 { "-" } else { "" };
    let (whole, rest) = (tenths.unsigned_abs() / 10, tenths.unsigned_abs() % 10);
    match (whole, rest) {
        (_, 0) => format!("{sign}{whole}"),
        (0, _) => format!("{sign}.{rest}"),
        _ => format!("{sign}{whole}.{rest}"),
    }
}

/// A tenth of a pixel: less than anybody sees, and more than two machines' logarithms may differ by.
fn px(x: f64) -> String {
    let text = format!("{x:.1}");
    let text = text.strip_suffix(".0").unwrap_or(&text);
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            // XML knows no other control characters, not even escaped.
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_rounded_to_a_tenth_and_zero_has_no_sign() {
        for (x, want) in [(1.0, "1"), (0.04, "0"), (-0.04, "0"), (2.25, "2.2"), (100.96, "101")] {
            assert_eq!(px(x), want);
        }
    }

    #[test]
    fn a_path_is_told_in_steps_that_add_up() {
        let points =
            [(1.0, 2.0), (1.24, 1.0), (1.24, 1.04), (9.0, 1.04), (9.0, 30.55), (8.5, 31.0)];
        assert_eq!(through(&points), "M1 2l.2-1h0h7.8v29.6l-.5 .4");
        let mut end = (0, 0);
        for (x, y) in points {
            end = (tenths(x), tenths(y));
        }
        assert_eq!(end, (85, 310));
    }

    #[test]
    fn a_text_cannot_leave_its_element() {
        let mut canvas = Canvas::new(10.0);
        canvas.text("", Anchor::Start, (0.0, 0.0), "a<b>&\"\u{1}");
        let picture = canvas.finish(10.0, "\"<t>", "d&");
        let inline = picture.inline("wide");
        assert!(inline.contains(">a&lt;b&gt;&amp;&quot; </text>"), "{inline}");
        assert!(inline.contains("aria-label=\"&quot;&lt;t&gt;. d&amp;\""), "{inline}");
        assert!(picture.file().contains("<title>&quot;&lt;t&gt;</title>"));
    }

    #[test]
    fn every_series_has_a_mark_and_neighbours_differ() {
        let drawn = |series| {
            let mut canvas = Canvas::new(10.0);
            canvas.mark(series, (5.0, 5.0));
            canvas.body
        };
        for series in 0..20 {
            assert!(!drawn(series).is_empty());
            assert_ne!(drawn(series), drawn(series + 1));
        }
    }
}
