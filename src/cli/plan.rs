//! `querylab plan FILE`: what a run would do, in which order, and what it would take.

use super::args::{Global, MessageFormat, PlanArgs};
use super::exit::Exit;
use super::{describe, out, source};

pub(super) fn plan(global: &Global, args: &PlanArgs) -> Result<Exit, Exit> {
    let (_, plan) = source::resolve(global, &args.file, &args.layers)?;
    let text = if global.message_format == MessageFormat::Json {
        // The same object as with `--json`, on the one line that this format promises.
        let json = serde_json::to_string(&plan).expect("a plan is JSON");
        format!("{json}\n")
    } else if args.json {
        let json = serde_json::to_string_pretty(&plan).expect("a plan is JSON");
        format!("{json}\n")
    } else {
        describe::plan(&plan)
    };
    out::stdout(&text)?;
    Ok(Exit::Done)
}
