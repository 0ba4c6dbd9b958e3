//! Problems for people and for machines.

use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use serde::Serialize;

use super::source::floor;
use super::{Place, Problem, Problems, Severity};

/// Lines longer than this are shown in part, in bytes; the renderer cuts at the terminal's width by itself.
const WIDEST: usize = 2048;

/// Whether the text has colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Color {
    /// Plain text.
    Plain,
    /// With ANSI escapes.
    Ansi,
}

/// Problems for people: code, sentence, place, source line with carets, help.
pub fn render(problems: &Problems, color: Color) -> String {
    let renderer = match color {
        Color::Plain => Renderer::plain(),
        Color::Ansi => Renderer::styled(),
    };
    let mut text = String::new();
    for problem in &problems.list {
        let mut groups = vec![cause(problem, problems)];
        if let Some(help) = &problem.help {
            groups.push(Group::with_title(Level::HELP.secondary_title(one_line(help))));
        }
        text.push_str(&renderer.render(&groups));
        text.push_str("\n\n");
    }
    text
}

/// Problems for machines: one JSON object a line.
pub fn render_json(problems: &Problems) -> String {
    #[derive(Serialize)]
    struct Other<'a> {
        place: &'a Place,
        label: &'a str,
    }
    #[derive(Serialize)]
    struct Line<'a> {
        severity: Severity,
        code: &'a str,
        message: &'a str,
        help: Option<&'a str>,
        place: &'a Place,
        other: Option<Other<'a>>,
    }
    let mut text = String::new();
    for p in &problems.list {
        let line = Line {
            severity: p.severity,
            code: p.code,
            message: &p.what,
            help: p.help.as_deref(),
            place: &p.place,
            other: p.other.as_ref().map(|(place, label)| Other { place, label }),
        };
        // Texts and numbers only: there is nothing that could not be written.
        text.push_str(&serde_json::to_string(&line).unwrap_or_default());
        text.push('\n');
    }
    text
}

fn one_line(text: &str) -> String {
    text.replace(['\n', '\r'], " ")
}

fn cause<'a>(problem: &'a Problem, problems: &'a Problems) -> Group<'a> {
    let level = match problem.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let title = level.primary_title(one_line(&problem.what)).id(problem.code);
    let mut group = Group::with_title(title);
    group = at(group, &problem.place, "", AnnotationKind::Primary, problems);
    if let Some((place, label)) = &problem.other {
        group = at(group, place, label, AnnotationKind::Context, problems);
    }
    group
}

fn at<'a>(
    group: Group<'a>,
    place: &'a Place,
    label: &'a str,
    kind: AnnotationKind,
    problems: &'a Problems,
) -> Group<'a> {
    let (path, start, end, line, column) = match place {
        Place::Nowhere => return group,
        Place::Environment(name) => {
            return group.element(Origin::path(format!("environment variable {}", one_line(name))));
        }
        Place::CommandLine(typed) => {
            let flag = if typed.starts_with("--") { "" } else { "--set " };
            return group.element(Origin::path(format!("{flag}{}", one_line(typed))));
        }
        Place::File { path, start, end, line, column } => (path, *start, *end, *line, *column),
    };
    let origin = Origin::path(path.as_str()).line(line).char_column(column);
    let Some((_, text)) = problems.sources.iter().find(|(p, _)| p == path) else {
        return group.element(origin);
    };
    let (window, span, is_whole) = window(text, start, end);
    let mut annotation = kind.span(span);
    if !label.is_empty() {
        annotation = annotation.label(label);
    }
    // A byte order mark inside of a line has no width, and the column would be counted past it. Shown, it has, and it is
    // as many bytes.
    let snippet = Snippet::source(window.replace('\u{feff}', "\u{fffd}"))
        .line_start(line)
        .annotation(annotation);
    if is_whole {
        group.element(snippet.path(path.as_str()))
    } else {
        // A snippet counts columns from its own beginning, so the place is said apart from it.
        group.element(origin).element(snippet)
    }
}

/// The line that shows `start..end`, or a part of a long one; where the span is in it; whether it is all of the line.
fn window(text: &str, start: usize, end: usize) -> (&str, Range<usize>, bool) {
    let start = floor(text, start);
    let mut line_start = text[..start].rfind('\n').map_or(0, |at| at + 1);
    if line_start == 0 && text.starts_with('\u{feff}') {
        line_start = '\u{feff}'.len_utf8();
    }
    let start = start.max(line_start);
    let line_end = text[start..].find('\n').map_or(text.len(), |at| start + at);
    let line_end = match text[line_start..line_end].strip_suffix('\r') {
        Some(line) if line_end < text.len() => line_start + line.len(),
        _ => line_end,
    };
    let is_inside = start <= line_end;
    let start = start.min(line_end);
    let end = floor(text, end).clamp(start, line_end);
    if line_end - line_start <= WIDEST {
        return (&text[line_start..line_end], start - line_start..end - line_start, is_inside);
    }
    let from = floor(text, start.saturating_sub(WIDEST / 2)).max(line_start);
    let to = floor(text, from + WIDEST).min(line_end);
    let end = end.min(to).max(start);
    (&text[from..to], start - from..end - from, false)
}
