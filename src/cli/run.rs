//! `querylab run FILE…`: from a file to a checked-in report.

use std::path::{Path, PathBuf};

use tokio::sync::watch;

use super::args::{Global, MessageFormat, RunArgs};
use super::exit::Exit;
use super::progress::Painter;
use super::tools::{self, User};
use super::{diagnostics, out, signals, source};
use crate::lab::{self, Ended, Event, Interrupt, Options, Stop};
use crate::plan::Plan;
use crate::report::Report;
use crate::results::{self, Manifest, Publication, Results, State};
use crate::spec::Spec;
use crate::stack::Wait;
use crate::stats::Held;

pub(super) fn run(global: &Global, args: &RunArgs) -> Result<Exit, Exit> {
    // All files are checked before any of them starts.
    let mut resolved = Vec::new();
    let mut refused = Exit::Done;
    for file in &args.files {
        match source::resolve(global, file, &args.layers) {
            Ok(both) => resolved.push(both),
            Err(exit) => refused = refused.worst(exit),
        }
    }
    if refused != Exit::Done {
        return Ok(refused);
    }
    let runtime = tools::runtime()?;
    let worst = runtime.block_on(async {
        let interrupt = signals::listen()
            .map_err(|e| out::fail(Exit::Environment, format!("cannot listen for signals: {e}")))?;
        let mut worst = Exit::Done;
        for (spec, plan) in &resolved {
            let exit =
                one(global, args, spec, plan, interrupt.clone()).await.unwrap_or_else(|exit| exit);
            worst = worst.worst(exit);
            if matches!(exit, Exit::Interrupted(_)) {
                break;
            }
        }
        Ok(worst)
    });
    // Blocking work that was cancelled must not hold the end up.
    runtime.shutdown_background();
    worst
}

async fn one(
    global: &Global,
    args: &RunArgs,
    spec: &Spec,
    plan: &Plan,
    interrupt: watch::Receiver<Interrupt>,
) -> Result<Exit, Exit> {
    let project = source::project_of(spec);
    let results_root = args.out.clone().unwrap_or_else(|| project.join("results"));
    let options = Options {
        session: tools::session_options(plan, &args.tools, args.keep)?,
        wait: if args.no_wait { Wait::Refuse } else { Wait::Queue },
        // Data that are to stay for a look must not be those of the cache.
        cache: tools::data_cache(args.fresh, if args.keep { User::Person } else { User::Run })?,
        runs_root: project.join(".querylab").join("runs"),
        results_root: results_root.clone(),
        command: command(args, &spec.path),
    };
    let mut painter = Painter::new(global, args.progress);
    if !global.quiet {
        if global.message_format == MessageFormat::Human {
            out::stderr(&format!("{}: {}\n", plan.experiment.id, plan.experiment.title));
        }
        for warning in &plan.warnings {
            out::stderr(&format!("warning: {warning}\n"));
        }
    }
    let ended = lab::run(spec, plan, &options, interrupt, &mut |event| {
        if let Event::RunStarted { dir, .. } = &event {
            diagnostics::keep_in(Path::new(dir));
        }
        painter.draw(&event);
    })
    .await;
    painter.finish();
    let exit = conclude(global, args, spec, &results_root, ended);
    diagnostics::keep_no_more();
    exit
}

/// The command as one would type it again, from the project's folder.
fn command(args: &RunArgs, file: &Path) -> Vec<String> {
    let file = std::fs::canonicalize(file).unwrap_or_else(|_| file.to_path_buf());
    let mut words = vec!["querylab".to_owned(), "run".to_owned()];
    let name = file.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let in_experiments =
        file.parent().and_then(Path::file_name).is_some_and(|d| d == "experiments");
    words.push(if in_experiments { format!("experiments/{name}") } else { name });
    let layers = &args.layers;
    let mut flag = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            words.push(format!("--{name}"));
            words.push(value);
        }
    };
    flag("profile", layers.profile.clone());
    for set in &layers.sets {
        flag("set", Some(set.clone()));
    }
    flag("blocks", layers.blocks.map(|n| n.to_string()));
    flag("seed", layers.seed.map(|n| n.to_string()));
    flag("time-budget", layers.time_budget.clone());
    flag("variant", layers.variant.clone());
    flag("load", layers.load.clone());
    for (name, value) in source::overrides_of_environment().into_iter().rev() {
        // As a variable, so that its value is read the same way; before the command, as one types it.
        words.insert(0, format!("{name}={value}"));
    }
    words
}

/// Renders, publishes, and says how it went.
fn conclude(
    global: &Global,
    args: &RunArgs,
    spec: &Spec,
    root: &Path,
    ended: Ended,
) -> Result<Exit, Exit> {
    let stopped = ended.stop.as_ref();
    let (Some(dir), Some(manifest)) = (ended.dir, ended.manifest) else {
        let stop = stopped.cloned().unwrap_or(Stop::Environment("the run did not begin".into()));
        return Err(out::fail(Exit::from(&stop), stop));
    };
    let written = write(args, spec, root, dir, manifest);
    // Why it ended comes before what could not be written about it.
    if let Some(stop) = stopped {
        if let Ok((results, report, folder)) = &written {
            summary(global, results, report, folder)?;
        }
        return Err(out::fail(Exit::from(stop), stop));
    }
    let (results, report, folder) = written?;
    summary(global, &results, &report, &folder)?;
    Ok(gate(args, &report))
}

/// Writes the run's tables and report, and publishes it if it is complete.
fn write(
    args: &RunArgs,
    spec: &Spec,
    root: &Path,
    dir: PathBuf,
    manifest: Manifest,
) -> Result<(Results, Report, PathBuf), Exit> {
    let failed = |e: anyhow::Error| out::fail(Exit::Environment, format!("{e:#}"));
    let results = results::read_run(&dir, manifest).map_err(failed)?;
    let report = crate::report::render(&results)
        .map_err(|e| out::fail(Exit::Environment, format!("cannot render the report: {e:#}")))?;
    let publication = Publication {
        results: &results,
        merged_toml: &spec.merged_toml,
        tables: &report.tables,
        timeline: Some(results::timeline(&dir, &results.trials).map_err(failed)?),
        markdown: &report.markdown,
    };
    results::write_into(&dir, &publication).map_err(failed)?;
    let mut folder = dir;
    if results.manifest.run.state == State::Complete && !args.no_publish {
        if source::is_partial(&args.layers) {
            out::stderr("not published: only a part of the experiment was run\n");
        } else {
            folder = results::publish(root, &publication).map_err(failed)?;
        }
    }
    Ok((results, report, folder))
}

fn summary(global: &Global, results: &Results, report: &Report, folder: &Path) -> Result<(), Exit> {
    if global.message_format == MessageFormat::Json {
        return out::object(&serde_json::json!({
            "event": "finished", "state": results.manifest.run.state, "folder": out::path(folder),
            "thresholds_failed": report.thresholds_failed, "claims_refuted": report.claims_refuted,
        }));
    }
    if !global.quiet {
        out::tell(&format!("\n{}\n", report.headline.join("\n")))?;
    }
    out::tell(&format!("report: {}\n", relative(&folder.join("report.md")).display()))
}

/// Shorter to read, and still right, where the folder is below the current one.
fn relative(path: &Path) -> PathBuf {
    let here = std::env::current_dir().ok();
    here.and_then(|here| path.strip_prefix(here).ok().map(Path::to_path_buf))
        .unwrap_or_else(|| path.to_path_buf())
}

fn gate(args: &RunArgs, report: &Report) -> Exit {
    for failed in &report.thresholds_failed {
        out::fail(Exit::Gate, format!("threshold: {failed}"));
    }
    let refuted = args.strict_claims && !report.claims_refuted.is_empty();
    if refuted {
        for claim in &report.claims_refuted {
            out::fail(Exit::Gate, format!("claim {}: {claim}", Held::Refuted.word()));
        }
    }
    if refuted || !report.thresholds_failed.is_empty() { Exit::Gate } else { Exit::Done }
}
