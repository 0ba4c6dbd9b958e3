//! Where problems are collected while a plan is made, each with its place in the file.

use std::path::Path;

use serde_json::Value;

use super::codes;
use super::values::Files;
use crate::spec::{Place, Problem, Severity, Spec, did_you_mean};

/// Everything found so far.
pub(super) struct Notes<'s> {
    spec: &'s Spec,
    problems: Vec<Problem>,
    /// Sentences for `Plan::warnings`.
    pub(super) warnings: Vec<String>,
    /// Files of values read so far: each is read once, however many variants ask for it.
    pub(super) files: Files,
}

impl<'s> Notes<'s> {
    /// Nothing found yet.
    pub(super) fn new(spec: &'s Spec) -> Self {
        let files = Files::of(&spec.dir);
        Self { spec, problems: Vec::new(), warnings: Vec::new(), files }
    }

    /// The folder that the file's relative paths start from.
    pub(super) fn dir(&self) -> &'s Path {
        &self.spec.dir
    }

    /// Notes a mistake at a path of the file.
    pub(super) fn error(
        &mut self,
        code: &'static str,
        path: &[&str],
        what: impl Into<String>,
        help: impl Into<String>,
    ) {
        let place = self.spec.place_of(path);
        self.error_at(code, place, what, help);
    }

    /// Notes a mistake in the key at a path, not in its value.
    pub(super) fn wrong_key(
        &mut self,
        code: &'static str,
        path: &[&str],
        what: impl Into<String>,
        help: impl Into<String>,
    ) {
        let place = self.spec.place_of_key(path);
        self.error_at(code, place, what, help);
    }

    /// Notes a mistake at a place.
    pub(super) fn error_at(
        &mut self,
        code: &'static str,
        place: Place,
        what: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.keep(Problem::error(code, what, place).with_help(Some(help.into())));
    }

    /// Notes a mistake that contradicts a second place.
    pub(super) fn contradiction(
        &mut self,
        code: &'static str,
        path: &[&str],
        what: impl Into<String>,
        help: impl Into<String>,
        other: (&[&str], &str),
    ) {
        let second = self.spec.place_of(other.0);
        let problem = Problem::error(code, what, self.spec.place_of(path))
            .with_help(Some(help.into()))
            .with_other(second, other.1);
        self.keep(problem);
    }

    /// Notes a name that nothing has; `kind` is `endpoint`, `index`, ….
    pub(super) fn unknown<'k>(
        &mut self,
        path: &[&str],
        kind: &str,
        name: &str,
        known: impl IntoIterator<Item = &'k str>,
    ) {
        let place = self.spec.place_of(path);
        let (what, help) = no_such(kind, name, known);
        self.error_at(codes::UNKNOWN_NAME, place, what, help);
    }

    /// The same where the name is the key at the path.
    pub(super) fn unknown_key<'k>(
        &mut self,
        path: &[&str],
        kind: &str,
        name: &str,
        known: impl IntoIterator<Item = &'k str>,
    ) {
        let (what, help) = no_such(kind, name, known);
        self.wrong_key(codes::UNKNOWN_NAME, path, what, help);
    }

    /// Notes a key whose engine is not built yet.
    pub(super) fn not_yet(&mut self, path: &[&str], what: &str) {
        self.error(
            crate::spec::codes::NOT_YET,
            path,
            format!("{what} is not supported yet"),
            "leave it out for now",
        );
    }

    /// Takes over problems found elsewhere; of several that are equal the first is kept.
    pub(super) fn take(&mut self, problems: Vec<Problem>) {
        for problem in problems {
            self.keep(problem);
        }
    }

    /// A part that several variants share is looked at once for each of them: the same mistake is said once.
    fn keep(&mut self, problem: Problem) {
        if !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }

    /// Notes a sentence that a reader should know.
    pub(super) fn warn(&mut self, sentence: String) {
        if !self.warnings.contains(&sentence) {
            self.warnings.push(sentence);
        }
    }

    /// Whether anything of this kind is wrong so far.
    pub(super) fn any_error_of(&self, code: &str) -> bool {
        self.problems.iter().any(|p| p.code == code)
    }

    /// Whether anything is wrong so far.
    pub(super) fn any_error(&self) -> bool {
        self.problems.iter().any(|p| p.severity == Severity::Error)
    }

    /// The problems in the order of the file.
    pub(super) fn into_problems(mut self) -> Vec<Problem> {
        self.problems.sort_by(|a, b| (&a.place, a.code).cmp(&(&b.place, b.code)));
        self.problems
    }

    /// The path of a key that a variant may have patched: the patch's where it has the key, else the file's.
    pub(super) fn path_of<'p>(&self, variant: &'p str, path: &[&'p str]) -> Vec<&'p str> {
        let patched: Vec<&str> = ["variants", variant].iter().chain(path).copied().collect();
        let mut at = Some(&self.spec.tree);
        for key in &patched {
            at = at.and_then(Value::as_object).and_then(|table| table.get(*key));
        }
        if at.is_some() { patched } else { path.to_vec() }
    }
}

/// That nothing has this name, and which one was meant.
fn no_such<'k>(
    kind: &str,
    name: &str,
    known: impl IntoIterator<Item = &'k str>,
) -> (String, String) {
    const MOST: usize = 20;
    let known: Vec<&str> = known.into_iter().collect();
    let help = match did_you_mean(name, known.iter().copied()) {
        Some(close) => format!("did you mean `{close}`?"),
        None if known.is_empty() => format!("the file has no {kind} at all"),
        None => {
            let more = if known.len() > MOST { ", …" } else { "" };
            format!("known are `{}`{more}", known[..known.len().min(MOST)].join("`, `"))
        }
    };
    (format!("there is no {kind} `{name}`"), help)
}
