//! The room as a whole: the worked example loads, and broken files get every one of their mistakes at its place.

mod columns;
mod external;
mod fuzz;
mod layers;
mod loads;
mod matrix;
mod mistakes;
mod refusals;

use std::path::Path;

use super::{Color, Layers, Problems, Spec, load_text, render};

const WORKED: &str = include_str!("../../../tests/fixtures/0001-email-lookup.toml");

/// Loads a text as if it were the worked example's file.
fn load_as_worked(text: &str, layers: &Layers) -> Result<Spec, Problems> {
    load_text(Path::new("exp/0001-email-lookup.toml"), text.to_owned(), layers)
}

/// The worked example with `from` replaced by `to`, which must be there exactly once or more.
fn changed(changes: &[(&str, &str)]) -> String {
    let mut text = WORKED.to_owned();
    for (from, to) in changes {
        assert!(text.contains(from), "the worked example has no {from:?}");
        text = text.replacen(from, to, 1);
    }
    text
}

/// The problems of a text, as people see them.
fn says(text: &str) -> String {
    match load_as_worked(text, &Layers::default()) {
        Ok(_) => "it loads".into(),
        Err(problems) => render(&problems, Color::Plain),
    }
}

/// Code and line of each problem.
fn codes_and_lines(text: &str, layers: &Layers) -> Vec<String> {
    let Err(problems) = load_as_worked(text, layers) else { return Vec::new() };
    let line = |place: &super::Place| match place {
        super::Place::File { line, .. } => line.to_string(),
        super::Place::Environment(name) => name.clone(),
        super::Place::CommandLine(typed) => typed.clone(),
        super::Place::Nowhere => "nowhere".into(),
    };
    problems.list.iter().map(|p| format!("{} {}", p.code, line(&p.place))).collect()
}
