//! The author's mistakes: where, what, and what to write instead.

use std::fmt;

use serde::Serialize;

/// How grave a problem is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Nothing is started.
    Error,
    /// Said, and gone on.
    Warning,
}

/// Where a problem is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// Bytes `start..end` of a file.
    File {
        /// Path as the author gave it.
        path: String,
        /// First byte.
        start: usize,
        /// One past the last byte.
        end: usize,
        /// Line, from 1.
        line: usize,
        /// Column in characters, from 1.
        column: usize,
    },
    /// An environment variable, by name.
    Environment(String),
    /// A `--set` on the command line, as typed.
    CommandLine(String),
    /// Nowhere in particular.
    Nowhere,
}

impl Place {
    /// Whether two places share text, or are the same variable or flag.
    fn overlaps(&self, other: &Self) -> bool {
        match (self, other) {
            (
                Self::File { path: a, start, end, .. },
                Self::File { path: b, start: from, end: to, .. },
            ) => a == b && start < to && from < end,
            (Self::Nowhere, _) | (_, Self::Nowhere) => false,
            (a, b) => a == b,
        }
    }
}

/// One mistake of the author. Printed as `error[QL0207]: …`, `--> file:line:column`, the source line and a help.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// How grave.
    pub severity: Severity,
    /// `QL0207`: stable, documented in `docs/EXPERIMENT.md`.
    pub code: &'static str,
    /// What is wrong, as a lowercase fragment.
    pub what: String,
    /// What to write instead.
    pub help: Option<String>,
    /// Where.
    pub place: Place,
    /// A second place that it contradicts.
    pub other: Option<(Place, String)>,
}

impl Problem {
    /// An error without help.
    pub fn error(code: &'static str, what: impl Into<String>, place: Place) -> Self {
        let severity = Severity::Error;
        Self { severity, code, what: what.into(), help: None, place, other: None }
    }

    /// The same with what to write instead.
    #[must_use]
    pub fn with_help(mut self, help: Option<String>) -> Self {
        self.help = help;
        self
    }

    /// The same with a second place, and what stands there.
    #[must_use]
    pub fn with_other(mut self, place: Place, label: impl Into<String>) -> Self {
        self.other = Some((place, label.into()));
        self
    }
}

/// Every mistake found, and the text they were found in.
#[derive(Debug, Clone, Default)]
pub struct Problems {
    /// In the order of the file.
    pub list: Vec<Problem>,
    /// Texts by path, for source lines.
    pub sources: Vec<(String, String)>,
    /// The file without its mistakes, where there is enough of it: only for finding more of them.
    pub partial: Option<Box<super::Spec>>,
}

impl Problems {
    /// Adds what was found later, but not what follows from a mistake that is already here: a problem at a place that has
    /// one.
    pub fn add(&mut self, more: Vec<Problem>) {
        let known: Vec<Place> = self.list.iter().map(|p| p.place.clone()).collect();
        self.list.extend(more.into_iter().filter(|p| !known.iter().any(|k| k.overlaps(&p.place))));
        self.list.sort_by(|a, b| (&a.place, a.code, &a.what).cmp(&(&b.place, b.code, &b.what)));
        self.list.dedup();
    }

    /// Whether any of them is an error.
    pub fn any_error(&self) -> bool {
        self.list.iter().any(|p| p.severity == Severity::Error)
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for p in &self.list {
            writeln!(f, "{}: {}", p.code, p.what)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}
