//! `querylab report DIR`: renders again from a results folder; starts nothing.

use super::args::ReportArgs;
use super::exit::Exit;
use super::out;
use crate::results;

pub(super) fn report(args: &ReportArgs) -> Result<Exit, Exit> {
    let results = results::read(&args.dir).map_err(|e| out::fail(Exit::Input, format!("{e:#}")))?;
    let report =
        crate::report::render(&results).map_err(|e| out::fail(Exit::Input, format!("{e:#}")))?;
    if args.stdout && out::is_json() {
        let event = serde_json::json!({ "event": "report", "markdown": report.markdown });
        out::object(&event)?;
        return Ok(Exit::Done);
    }
    if args.stdout {
        out::stdout(&report.markdown)?;
        return Ok(Exit::Done);
    }
    let changed = results::write_derived(&args.dir, &results, &report.tables, &report.markdown)
        .map_err(|e| out::fail(Exit::Environment, format!("{e:#}")))?;
    let file = args.dir.join("report.md");
    if out::is_json() {
        let event =
            serde_json::json!({ "event": "report", "file": out::path(&file), "changed": changed });
        out::object(&event)?;
        return Ok(Exit::Done);
    }
    let how = if changed { "written anew" } else { "the same, byte for byte" };
    out::stdout(&format!("{}: {how}\n", file.display()))?;
    Ok(Exit::Done)
}
