//! `querylab merge PART…`: parts of a run as one.

use super::args_kept::MergeArgs;
use super::exit::Exit;
use super::out;
use crate::results::{self, Publication};

pub(super) fn merge(args: &MergeArgs) -> Result<Exit, Exit> {
    let merged =
        results::merge(&args.parts).map_err(|e| out::fail(Exit::Input, format!("{e:#}")))?;
    let failed = |e: anyhow::Error| out::fail(Exit::Environment, format!("{e:#}"));
    let report = crate::report::render(&merged.results).map_err(failed)?;
    let publication = Publication {
        results: &merged.results,
        merged_toml: &merged.merged_toml,
        tables: &report.tables,
        timeline: merged.timeline.clone(),
        texts: &report.texts,
        history: crate::report::kept_figures(&merged.results),
    };
    let folder = results::publish(&args.out, &publication).map_err(failed)?;
    if out::is_json() {
        out::object(&serde_json::json!({
            "event": "merged", "folder": out::path(&folder), "parts": args.parts.len(),
            "thresholds_failed": report.thresholds_failed, "claims_refuted": report.claims_refuted,
        }))?;
    } else {
        out::tell(&format!("\n{}\n", report.headline.join("\n")))?;
        out::tell(&format!("report: {}\n", folder.join("report.md").display()))?;
    }
    for failed in &report.thresholds_failed {
        out::fail(Exit::Gate, format!("threshold: {failed}"));
    }
    Ok(if report.thresholds_failed.is_empty() { Exit::Done } else { Exit::Gate })
}
