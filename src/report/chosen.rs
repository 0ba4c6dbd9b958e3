//! One part of a report by its name, for a document of somebody else's.

use anyhow::{anyhow, bail};

use super::render::Report;
use super::view::View;
use crate::results::Results;

/// Parts that a name alone chooses.
const PARTS: &str =
    "decision, verdicts, claims, thresholds, indexes, plans, deltas, threats, question";
/// Parts of a load: `figures steady`.
const OF_LOADS: &str = "figures, ratios, breakdown, resources, usage";

/// The part of a report that `what` names; `folder` is the way from the document to the results, for pictures.
///
/// # Errors
///
/// If there is no such part; says which there are. Or if the report can't be rendered.
pub fn part(results: &Results, what: &str, folder: &str) -> anyhow::Result<String> {
    let view = super::render::viewed(results);
    let (name, of) = what.split_once(' ').unwrap_or((what, ""));
    if name == "plot" {
        return plot(&super::render::render(results)?, of, folder);
    }
    let text = if of.is_empty() { view.part(name) } else { view.part_of_load(name, of) };
    match text {
        Some(text) if text.is_empty() => bail!("the report has nothing under `{what}`"),
        Some(text) => Ok(text),
        None => bail!(
            "there is no `{what}`: choose one of {PARTS}, or one of {OF_LOADS} with a load ({}), or `plot NAME`",
            results.plan.loads.join(", ")
        ),
    }
}

fn plot(report: &Report, name: &str, folder: &str) -> anyhow::Result<String> {
    let path = format!("plots/{name}.svg");
    let is_it = |line: &&str| line.starts_with("![") && line.ends_with(&format!("]({path})"));
    let link = report.markdown.lines().find(is_it).ok_or_else(|| {
        let files = report.texts.iter().filter_map(|f| f.path.strip_prefix("plots/"));
        let names: Vec<&str> = files.map(|f| f.trim_end_matches(".svg")).collect();
        anyhow!("there is no plot `{name}`: there are {}", names.join(", "))
    })?;
    let folder = folder.trim_end_matches('/');
    Ok(if folder.is_empty() {
        link.to_owned()
    } else {
        link.replace(&format!("]({path})"), &format!("]({folder}/{path})"))
    })
}

impl View {
    fn part(&self, name: &str) -> Option<String> {
        let list = |items: &[String]| {
            items.iter().map(|item| format!("- {item}")).collect::<Vec<_>>().join("\n")
        };
        Some(match name {
            "decision" => self.decision_table.clone(),
            "question" => self.question.clone(),
            "verdicts" => list(&self.verdicts),
            "claims" => self.claims_table.clone(),
            "thresholds" => self.thresholds_table.clone(),
            "indexes" => self.index_table.clone(),
            "deltas" => self.deltas.clone(),
            "plans" => self.plan_table.clone(),
            "threats" => list(&self.threats),
            _ => return None,
        })
    }

    fn part_of_load(&self, name: &str, load: &str) -> Option<String> {
        let heading = super::markdown::code(load);
        let under = |tables: &[super::view::UnderLoad]| {
            tables.iter().find(|t| t.load == heading).map(|t| t.table.clone())
        };
        let of_load = self.loads.iter().find(|l| l.heading == heading)?;
        Some(match name {
            "figures" => of_load.figures.clone(),
            "ratios" => of_load.beside.clone(),
            "breakdown" => under(&self.breakdown).unwrap_or_default(),
            "resources" => under(&self.resources).unwrap_or_default(),
            "usage" => under(&self.usage).unwrap_or_default(),
            _ => return None,
        })
    }
}
