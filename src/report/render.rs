//! Results in, report out: judged once, then placed by the template in `infra/report.md.j2`.

use anyhow::Context as _;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, UndefinedBehavior};

use super::claims::Counts;
use super::view::{Found, View, view};
use super::{decision, page, tables, tables_of_use, thresholds};
use crate::results::{Results, Table, TextFile};
use crate::stats::Held;

/// The template is part of the program, so that a report needs no file beside the results.
const TEMPLATE: &str = include_str!("../../infra/report.md.j2");
/// Steps of a template, far above what a report takes.
const MOST_STEPS: u64 = 20_000_000;
/// Bytes that a template may give, far above the longest report.
const MOST_BYTES: usize = 16 << 20;

/// What a report is and says.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// `report.md`.
    pub markdown: String,
    /// All that is written for people: `report.md`, `report.html`, `plots/….svg`.
    pub texts: Vec<TextFile>,
    /// `summary.csv`, `comparisons.csv`, `claims.csv`, `resources.csv`, `indexes.csv`, and
    /// `breakdown.csv` where stages were clocked, `index_costs.csv` where writes were priced.
    pub tables: Vec<Table>,
    /// Thresholds that failed, a line each: exit code 10.
    pub thresholds_failed: Vec<String>,
    /// Claims that are refuted, a line each: exit code 10 under `--strict-claims`.
    pub claims_refuted: Vec<String>,
    /// Claims by what became of them.
    pub claims: Counts,
    /// A short table for a terminal, no Markdown.
    pub headline: Vec<String>,
}

/// Renders a results folder that was read. The same results give the same bytes.
///
/// # Errors
///
/// Only if the built-in template does not fit the view: a bug.
pub fn render(results: &Results) -> anyhow::Result<Report> {
    render_with(results, None)
}

/// The same with a template of the user's own in place of `infra/report.md.j2`; the page is made of what it gives.
///
/// # Errors
///
/// If the template can't be read or names what there is not; says where.
pub fn render_with(results: &Results, template: Option<&str>) -> anyhow::Result<Report> {
    let found = Found::of(results);
    let (markdown, plots) =
        (markdown(template.unwrap_or(TEMPLATE), results, &found)?, &found.plots);
    let html = page::page(&markdown, plots.all())?;
    let mut texts = vec![
        TextFile { path: "report.md".into(), text: markdown.clone() },
        TextFile { path: "report.html".into(), text: html },
    ];
    texts.extend(plots.all().iter().map(super::plots::Plot::file));
    Ok(Report {
        markdown,
        texts,
        tables: vec![
            tables::summary(results),
            tables::comparisons(results, &found.compared, &found.errors, found.noise.as_ref()),
            tables::claims(&found.claims),
            tables_of_use::resources(results),
            tables::indexes(results),
        ]
        .into_iter()
        .chain(tables_of_use::breakdown(results))
        .chain(tables::index_costs(results))
        .collect(),
        thresholds_failed: found
            .limits
            .iter()
            .filter(|l| !l.holds)
            .map(thresholds::Limit::line)
            .collect(),
        claims_refuted: found
            .claims
            .iter()
            .filter(|j| j.held == Held::Refuted)
            .map(|j| {
                let (claimed, measured) = (j.claimed(), j.measured());
                format!("{}: claimed {claimed}, measured {measured}", j.claim.id)
            })
            .collect(),
        claims: found.counts,
        headline: decision::headline(results, &found.compared),
    })
}

/// What a template places, for those who want a part of it.
pub(super) fn viewed(results: &Results) -> View {
    view(results, &Found::of(results))
}

fn markdown(template: &str, results: &Results, found: &Found<'_>) -> anyhow::Result<String> {
    let text = fill("report.md.j2", template, &view(results, found))?;
    Ok(text.trim_end().to_owned() + "\n")
}

/// Fills a template: what it names must be there, and blocks leave no empty lines.
///
/// # Errors
///
/// With the template's name and line.
pub(super) fn fill<T: serde::Serialize>(
    name: &str,
    template: &str,
    view: &T,
) -> anyhow::Result<String> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    // A template that loops without end is stopped.
    environment.set_fuel(Some(MOST_STEPS));
    environment.set_syntax(
        SyntaxConfig::builder()
            .trim_blocks(true)
            .lstrip_blocks(true)
            .build()
            .context("cannot configure the template's syntax")?,
    );
    environment
        .add_template(name, template)
        .with_context(|| format!("cannot read the template {name}"))?;
    let template = environment.get_template(name).context("cannot find the template")?;
    let mut text = Bounded(Vec::new());
    template
        .render_captured_to(Serde(view), &mut text)
        .with_context(|| format!("cannot fill the template {name}"))?;
    String::from_utf8(text.0).context("a template gives text")
}

/// Takes so many bytes and no more: a short loop in a template can give gigabytes.
struct Bounded(Vec<u8>);

impl std::io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.0.len() + bytes.len() > MOST_BYTES {
            let text = format!("it gives more than {} MiB", MOST_BYTES >> 20);
            return Err(std::io::Error::other(text));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_that_gives_more_and_more_is_stopped() {
        let loops = "{% for n in range(10000) %}{{ text }}{% endfor %}";
        let view = std::collections::BTreeMap::from([("text", "x".repeat(10_000))]);
        let refused = format!("{:#}", fill("t", loops, &view).expect_err("100 MB"));
        assert!(refused.contains("more than 16 MiB"), "{refused}");
        assert_eq!(fill("t", "{{ text | length }}", &view).expect("short"), "10000");
    }
}
