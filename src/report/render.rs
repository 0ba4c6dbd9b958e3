//! Results in, report out: judged once, then placed by the template in `infra/report.md.j2`.

use anyhow::Context as _;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, UndefinedBehavior};

use super::claims::Counts;
use super::view::{Found, view};
use super::{claims, compared, decision, errors, tables, tables_of_use, thresholds};
use crate::results::{Results, Table};
use crate::stats::Held;

/// The template is part of the program, so that a report needs no file beside the results.
const TEMPLATE: &str = include_str!("../../infra/report.md.j2");

/// What a report is and says.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// `report.md`.
    pub markdown: String,
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
    let compared = compared::comparisons(results);
    let errors = errors::compared(results);
    let noise = compared::noise(results);
    let judged = claims::judge(results);
    let limits = thresholds::judge(results);
    let counts = Counts::of(&judged);
    let found = Found {
        compared: &compared,
        errors: &errors,
        noise: noise.as_ref(),
        claims: &judged,
        counts,
        limits: &limits,
    };
    Ok(Report {
        markdown: markdown(results, &found)?,
        tables: vec![
            tables::summary(results),
            tables::comparisons(results, &compared, &errors, noise.as_ref()),
            tables::claims(&judged),
            tables_of_use::resources(results),
            tables::indexes(results),
        ]
        .into_iter()
        .chain(tables_of_use::breakdown(results))
        .chain(tables::index_costs(results))
        .collect(),
        thresholds_failed: limits
            .iter()
            .filter(|l| !l.holds)
            .map(thresholds::Limit::line)
            .collect(),
        claims_refuted: judged
            .iter()
            .filter(|j| j.held == Held::Refuted)
            .map(|j| {
                let (claimed, measured) = (j.claimed(), j.measured());
                format!("{}: claimed {claimed}, measured {measured}", j.claim.id)
            })
            .collect(),
        claims: counts,
        headline: decision::headline(results, &compared),
    })
}

fn markdown(results: &Results, found: &Found<'_>) -> anyhow::Result<String> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    environment.set_syntax(
        SyntaxConfig::builder()
            .trim_blocks(true)
            .lstrip_blocks(true)
            .build()
            .context("cannot configure the template's syntax")?,
    );
    environment
        .add_template("report.md.j2", TEMPLATE)
        .context("cannot read the template infra/report.md.j2")?;
    let template = environment.get_template("report.md.j2").context("cannot find the template")?;
    let text =
        template.render(Serde(view(results, found))).context("cannot fill infra/report.md.j2")?;
    Ok(text.trim_end().to_owned() + "\n")
}
