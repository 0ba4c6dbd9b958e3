//! Plots: what a table cannot show at a glance. Each is drawn from the same cells and comparisons as the tables.
//!
//! A variant has the same colour and mark in all of them. Where a plot would have nothing to show there is none.

mod breakdown;
mod curves;
mod effects;
mod panels;
mod percentiles;
mod resources;
mod sweep;
#[cfg(test)]
mod tests;
mod timeline;

use crate::plot::Picture;
use crate::report::compared::{Compared, Noise};
use crate::results::{Results, TextFile};

/// Pixels of a plot on a desk, and in a file.
const WIDE: f64 = 880.0;
/// Pixels of the same on a telephone.
const NARROW: f64 = 344.0;

/// A plot, drawn for both.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Plot {
    /// Its file in the folder: `plots/effects.svg`.
    pub(super) path: String,
    /// What it shows, in a sentence that stands for it.
    pub(super) about: String,
    /// As a file.
    pub(super) wide: Picture,
    /// For a narrow page.
    pub(super) narrow: Picture,
}

impl Plot {
    /// Draws it for both widths. The name becomes that of a file.
    fn new(name: &str, about: String, draw: impl Fn(f64) -> Picture) -> Self {
        Self { path: format!("plots/{name}.svg"), about, wide: draw(WIDE), narrow: draw(NARROW) }
    }

    /// As Markdown.
    pub(super) fn link(&self) -> String {
        let about: String = self.about.chars().filter(|c| !matches!(c, '[' | ']' | '`')).collect();
        format!("![{}]({})", crate::report::markdown::cell(&about), self.path)
    }

    /// As a file of the folder.
    pub(super) fn file(&self) -> TextFile {
        TextFile { path: self.path.clone(), text: self.wide.file() }
    }
}

/// All plots of some results.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Plots(Vec<Plot>);

impl Plots {
    /// Draws them.
    pub(super) fn of(results: &Results, compared: &[Compared], noise: Option<&Noise>) -> Self {
        let mut all: Vec<Plot> = effects::primary(results, compared, noise).into_iter().collect();
        all.extend(sweep::plots(results));
        all.extend(curves::plots(results));
        for load in &results.plan.loads {
            all.extend(effects::under(results, compared, noise, load));
            all.extend(percentiles::plot(results, load));
            all.extend(timeline::plot(results, load));
            all.extend(breakdown::plot(results, load));
            all.extend(resources::plot(results, load));
        }
        Self(all)
    }

    /// Each of them.
    pub(super) fn all(&self) -> &[Plot] {
        &self.0
    }

    /// The link to `plots/<name>.svg`; nothing where there is no such plot.
    pub(super) fn link(&self, name: &str) -> String {
        let path = format!("plots/{name}.svg");
        self.0.iter().find(|plot| plot.path == path).map(Plot::link).unwrap_or_default()
    }

    /// Links to all whose names begin so.
    pub(super) fn links(&self, prefix: &str) -> Vec<String> {
        let path = format!("plots/{prefix}");
        self.0.iter().filter(|plot| plot.path.starts_with(&path)).map(Plot::link).collect()
    }
}

/// The number of a variant's colour and mark.
fn series(results: &Results, variant: &str) -> usize {
    results.plan.variants.iter().position(|v| v.name == variant).unwrap_or(0)
}
