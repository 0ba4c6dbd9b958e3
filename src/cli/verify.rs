//! `querylab verify DIR`: whether a results folder still is what was published; starts nothing, and writes nothing.

use std::path::Path;

use super::args::Global;
use super::args_kept::VerifyArgs;
use super::exit::Exit;
use super::{out, remeasure};
use crate::report::Report;
use crate::results::{self, Results};

pub(super) fn verify(global: &Global, args: &VerifyArgs) -> Result<Exit, Exit> {
    let bad_input = |e: anyhow::Error| out::fail(Exit::Input, format!("{e:#}"));
    let mut verified = results::verify(&args.dir).map_err(bad_input)?;
    let mut rendered = 0;
    if let Some(results) = &verified.results {
        let (same, other) = rebuilt(&args.dir, results).map_err(bad_input)?;
        rendered = same;
        for name in other {
            // What was edited has been said; this is about the hand that wrote it.
            if !verified.wrong.iter().any(|wrong| wrong.starts_with(&name)) {
                verified.wrong.push(format!(
                    "{name} is not what this querylab ({}) makes of the trials: `querylab report` writes it anew",
                    env!("CARGO_PKG_VERSION")
                ));
            }
        }
    }
    if out::is_json() {
        let state = if verified.wrong.is_empty() { "good" } else { "bad" };
        out::object(&serde_json::json!({
            "event": "verified", "folder": out::path(&args.dir), "state": state, "files": verified.files,
            "rebuilt": rendered, "wrong": verified.wrong, "unchecked": verified.unchecked,
        }))?;
    }
    let dir = args.dir.display();
    for unchecked in &verified.unchecked {
        out::stderr(&format!("warning: {dir}: {unchecked}\n"));
    }
    for wrong in &verified.wrong {
        out::fail(Exit::Input, format!("{dir}: {wrong}"));
    }
    if !verified.wrong.is_empty() {
        return Ok(Exit::Input);
    }
    if !out::is_json() {
        let files = verified.files;
        out::tell(&format!(
            "{dir}: {files} files as published, {rendered} of them rebuilt byte for byte\n"
        ))?;
    }
    match (&args.remeasure, &verified.results) {
        (Some(file), Some(kept)) => remeasure::remeasure(global, args, file, kept),
        _ => Ok(Exit::Done),
    }
}

/// How many derived files are the same when they are made again, and the names of those that are not, or are none that
/// would be made.
fn rebuilt(dir: &Path, results: &Results) -> anyhow::Result<(usize, Vec<String>)> {
    let (mut same, mut other) = (0, Vec::new());
    let made = derived(&crate::report::render(results)?)?;
    let is_made = |name: &String| made.iter().any(|(made, _)| made == name);
    let named = results.manifest.digests.keys().filter(|name| results::is_derived(name));
    other.extend(named.filter(|name| !is_made(name)).cloned());
    for (name, bytes) in made {
        if std::fs::read(dir.join(&name)).is_ok_and(|there| there == bytes) {
            same += 1;
        } else {
            other.push(name);
        }
    }
    Ok((same, other))
}

/// Every file that a report is written into, with its bytes.
fn derived(report: &Report) -> anyhow::Result<Vec<(String, Vec<u8>)>> {
    let texts = report.texts.iter().map(|text| (text.path.clone(), text.text.clone().into_bytes()));
    let mut files: Vec<_> = texts.collect();
    for table in &report.tables {
        files.push((table.file.clone(), results::table_bytes(table)?));
    }
    Ok(files)
}
