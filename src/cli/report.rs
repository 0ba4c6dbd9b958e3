//! `querylab report DIR`: renders again from a results folder; starts nothing.

use std::io::Read as _;
use std::path::Path;

use super::args_of_results::ReportArgs;
use super::exit::Exit;
use super::out;
use crate::report::{Report, render, render_with};
use crate::results::{self, Results};

/// Bytes of a template of the user's own.
const LONGEST_TEMPLATE: u64 = 1 << 20;

pub(super) fn report(args: &ReportArgs) -> Result<Exit, Exit> {
    let results = results::read(&args.dir).map_err(|e| input(&e))?;
    if let Some(template) = &args.template {
        return with_template(args, &results, template);
    }
    let report = render(&results).map_err(|e| input(&e))?;
    if args.stdout {
        return print(&report);
    }
    let changed = results::write_derived(&args.dir, &results, &report.tables, &report.texts)
        .map_err(|e| environment(&e))?;
    let file = args.dir.join("report.md");
    let page = args.dir.join("report.html");
    if out::is_json() {
        let event = serde_json::json!({
            "event": "report", "file": out::path(&file), "page": out::path(&page), "changed": changed,
        });
        out::object(&event)?;
        return Ok(Exit::Done);
    }
    let how = if changed { "written anew" } else { "the same, byte for byte" };
    out::stdout(&format!("{}: {how}\n{}\n", file.display(), page.display()))?;
    Ok(Exit::Done)
}

/// What a template of the user's own gives is his: it is printed or written where he says, and the folder stays as it is.
fn with_template(args: &ReportArgs, results: &Results, template: &Path) -> Result<Exit, Exit> {
    let text = template_text(template).map_err(|e| {
        out::fail(Exit::Input, format!("cannot read the template {}: {e}", template.display()))
    })?;
    let report = render_with(results, Some(&text))
        .map_err(|e| out::fail(Exit::Input, format!("{}: {e:#}", template.display())))?;
    let Some(file) = args.output.as_ref().filter(|_| !args.stdout) else { return print(&report) };
    let is_page = file.extension().is_some_and(|e| e.eq_ignore_ascii_case("html"));
    let written = if is_page { page_of(&report) } else { &report.markdown };
    results::write_atomic(file, written.as_bytes()).map_err(|e| environment(&e))?;
    if out::is_json() {
        let event = serde_json::json!({
            "event": "report", "file": out::path(file), "page": null, "changed": true,
        });
        out::object(&event)?;
        return Ok(Exit::Done);
    }
    out::stdout(&format!("{}: written\n", file.display()))?;
    Ok(Exit::Done)
}

/// A file that has no end is no template.
fn template_text(file: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    std::fs::File::open(file)?.take(LONGEST_TEMPLATE + 1).read_to_string(&mut text)?;
    if text.len() as u64 > LONGEST_TEMPLATE {
        return Err(std::io::Error::other("it is longer than 1 MiB"));
    }
    Ok(text)
}

fn page_of(report: &Report) -> &str {
    report.texts.iter().find(|f| f.path == "report.html").map_or("", |f| f.text.as_str())
}

fn print(report: &Report) -> Result<Exit, Exit> {
    if out::is_json() {
        out::object(&serde_json::json!({ "event": "report", "markdown": report.markdown }))?;
    } else {
        out::stdout(&report.markdown)?;
    }
    Ok(Exit::Done)
}

fn input(e: &anyhow::Error) -> Exit {
    out::fail(Exit::Input, format!("{e:#}"))
}

fn environment(e: &anyhow::Error) -> Exit {
    out::fail(Exit::Environment, format!("{e:#}"))
}
