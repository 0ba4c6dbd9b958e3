//! The figures of a run, each beside what it is held to, as a table of Markdown.

use std::fmt::Write as _;

/// What a figure is held to.
#[derive(Clone, Copy)]
pub(crate) enum Bar {
    /// Nothing: something to compare with.
    None,
    AtLeast(f64),
    AtMost(f64),
}

struct Line {
    what: String,
    figure: String,
    bar: String,
    is_missed: bool,
}

/// All figures so far.
#[derive(Default)]
pub(crate) struct Table {
    lines: Vec<Line>,
}

impl Table {
    /// Adds a figure: `shown` is how people read it, `held` what the bar is for.
    pub(crate) fn add(&mut self, what: &str, shown: String, held: f64, bar: Bar) {
        let (bar, is_missed) = match bar {
            Bar::None => (String::new(), false),
            // A figure that is no number misses every bar.
            Bar::AtLeast(least) => (format!("at least {least}"), !held.ge(&least)),
            Bar::AtMost(most) => (format!("at most {most}"), !held.le(&most)),
        };
        self.lines.push(Line { what: what.to_owned(), figure: shown, bar, is_missed });
    }

    /// How many bars are missed.
    pub(crate) fn missed(&self) -> usize {
        self.lines.iter().filter(|line| line.is_missed).count()
    }

    /// The table.
    pub(crate) fn print(&self) -> String {
        let mut text = String::from("| what | figure | bar | |\n|---|---|---|---|\n");
        for line in &self.lines {
            let word = match (line.is_missed, line.bar.is_empty()) {
                (true, _) => "**missed**",
                (false, true) => "",
                (false, false) => "held",
            };
            let Line { what, figure, bar, .. } = line;
            // A String takes all that is written to it.
            writeln!(text, "| {what} | {figure} | {bar} | {word} |").unwrap_or_default();
        }
        text
    }
}
