//! Whole files through `spec` and `plan`: the worked example, and what is wrong with it when one line changes.

mod changes;
mod example;
mod external;
mod folders;
mod loads;
mod matrix;
mod mistakes;
mod other;
mod parts;
mod static_files;
mod targets;
mod values;
mod versions;

use std::path::Path;

use super::{Plan, check_length, resolve, resolve_of_any_length};
use crate::spec::{Layers, Problem, Spec, load_text};

const EXAMPLE: &str = include_str!("../../../tests/fixtures/0001-email-lookup.toml");

/// The example as if it lay in a folder beside `migrations/`.
fn spec_of(text: &str, layers: &Layers) -> Spec {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/0001-email-lookup.toml");
    load_text(&path, text.to_owned(), layers).expect("a file that can be read")
}

fn profile(name: &str) -> Layers {
    Layers { profile: Some(name.to_owned()), ..Layers::default() }
}

fn planned(text: &str, layers: &Layers) -> Result<Plan, Vec<Problem>> {
    resolve(&spec_of(text, layers))
}

fn example() -> Plan {
    planned(EXAMPLE, &Layers::default()).expect("the example is right")
}

/// The example with parts replaced; each must be there.
fn changed(changes: &[(&str, &str)]) -> String {
    changes.iter().fold(EXAMPLE.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{from} is not in the example");
        text.replacen(from, to, 1)
    })
}

/// `code what | help` of each problem of the changed example.
fn says(changes: &[(&str, &str)]) -> Vec<String> {
    let problems = planned(&changed(changes), &Layers::default()).expect_err("a mistake");
    problems
        .into_iter()
        .map(|p| format!("{} {} | {}", p.code, p.what, p.help.unwrap_or_default()))
        .collect()
}
