//! `querylab compare FIRST SECOND`: two runs, or two revisions of an experiment, held against each other.

use std::path::Path;

use super::args_kept::CompareArgs;
use super::exit::Exit;
use super::out;
use crate::report;
use crate::results::{self, Results};

pub(super) fn compare(args: &CompareArgs) -> Result<Exit, Exit> {
    let (first, second) = (read(&args.first)?, read(&args.second)?);
    let found = report::beside(&first, &second);
    if !found.apart.is_empty() && !args.cross_machine {
        for why in &found.apart {
            out::fail(Exit::Input, why);
        }
        let hint = "these runs are not compared; --cross-machine tells their figures all the same, without a verdict";
        return Err(out::fail(Exit::Input, hint));
    }
    if out::is_json() || args.json {
        let mut object = serde_json::to_value(&found).expect("texts and numbers are JSON");
        object["event"] = "compared".into();
        out::object(&object)?;
    } else {
        out::stdout(&found.text())?;
    }
    Ok(Exit::Done)
}

/// A folder that was not edited.
pub(super) fn read(dir: &Path) -> Result<Results, Exit> {
    results::read(dir).map_err(|e| out::fail(Exit::Input, format!("{e:#}")))
}
