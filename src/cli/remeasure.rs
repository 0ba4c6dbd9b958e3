//! `querylab verify DIR --remeasure FILE`: the same plan measured once more; do the kept conclusions still hold?

use std::path::Path;

use super::args_kept::VerifyArgs;
use super::exit::Exit;
use super::progress::Painter;
use super::tools::{self, User};
use super::{args, out, signals, source};
use crate::lab::{self, Options};
use crate::report::{self, Conclusion, Passes};
use crate::results::{self, Results};
use crate::stack::Wait;

pub(super) fn remeasure(
    global: &args::Global,
    args: &VerifyArgs,
    file: &Path,
    kept: &Results,
) -> Result<Exit, Exit> {
    let profile = Some(kept.plan.profile.clone()).filter(|profile| profile != "full");
    let layers = args::LayerArgs { profile, ..args::LayerArgs::default() };
    let (spec, plan) = source::resolve(global, file, &layers)?;
    if plan.fingerprint != kept.plan.fingerprint {
        let text = format!(
            "--remeasure: {} is another plan than that of {}: take the file as it was then (commit {})",
            file.display(),
            args.dir.display(),
            kept.manifest.revision.as_deref().unwrap_or("unknown")
        );
        return Err(out::fail(Exit::Input, text));
    }
    let project = source::project_of(&spec);
    let options = Options {
        session: tools::session_options(&plan, &args.tools, false)?,
        wait: Wait::Queue,
        cache: tools::data_cache(false, User::Run)?,
        runs_root: project.join(".querylab").join("runs"),
        results_root: project.join(".querylab"),
        command: vec!["querylab".into(), "verify".into(), "--remeasure".into()],
        resume: None,
        partition: None,
    };
    let mut painter = Painter::new(global, args::ProgressKind::Auto);
    let runtime = tools::runtime()?;
    let ended: Result<lab::Ended, Exit> = runtime.block_on(async {
        let interrupt = signals::listen()
            .map_err(|e| out::fail(Exit::Environment, format!("cannot listen for signals: {e}")))?;
        let draw = &mut |event: lab::Event| painter.draw(&event);
        Ok(lab::run(&spec, &plan, &options, interrupt, draw).await)
    });
    // Blocking work that was cancelled must not hold the end up.
    runtime.shutdown_background();
    let ended = ended?;
    painter.finish();
    if let Some(stop) = &ended.stop {
        return Err(out::fail(Exit::from(stop), stop));
    }
    let (Some(dir), Some(manifest)) = (ended.dir, ended.manifest) else {
        return Err(out::fail(Exit::Environment, "the run did not begin"));
    };
    let now = results::read_run(&dir, manifest)
        .map_err(|e| out::fail(Exit::Environment, format!("{e:#}")))?;
    tell(&report::conclusions(kept, &now))
}

/// A line for each conclusion; the gravest decides how it ends.
fn tell(all: &[Conclusion]) -> Result<Exit, Exit> {
    for c in all {
        if out::is_json() {
            let mut object = serde_json::to_value(c).expect("texts are JSON");
            object["event"] = "concluded".into();
            out::object(&object)?;
            continue;
        }
        let word = match c.passes {
            Passes::Yes => "holds",
            Passes::Unknown => "can't be told",
            Passes::No => "does not hold",
        };
        out::tell(&format!("{word}: {}: kept {}, now {}\n", c.what, c.kept, c.now))?;
    }
    Ok(match all.iter().map(|c| c.passes).max() {
        Some(Passes::Yes) => Exit::Done,
        Some(Passes::No) => out::fail(Exit::Gate, "kept conclusions do not hold any more"),
        Some(Passes::Unknown) | None => {
            out::fail(Exit::Inconclusive, "not every kept conclusion could be decided again")
        }
    })
}
