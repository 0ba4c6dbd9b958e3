//! `querylab run FILE…`: from a file to a checked-in report.

use std::path::{Path, PathBuf};

use tokio::sync::watch;

use super::args::{Global, MessageFormat, RunArgs};
use super::exit::Exit;
use super::gate::{self, Against};
use super::progress::Painter;
use super::tools::{self, User};
use super::{ci, diagnostics, external, out, signals, source};
use crate::lab::{self, Ended, Event, Interrupt, NotResumed, Options, Stop};
use crate::plan::{Plan, PostgresAddress};
use crate::report::{Claims, Gated, Report};
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
            Ok((spec, plan)) => match check(global, args, (&spec, &plan)) {
                Ok(external) => resolved.push((spec, plan, external)),
                Err(exit) => refused = refused.worst(exit),
            },
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
        for (spec, plan, external) in &resolved {
            let exit = one(global, args, (spec, plan, external.as_ref()), interrupt.clone())
                .await
                .unwrap_or_else(|exit| exit);
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

/// Whether the command line goes with a plan; and where its Postgres is, if that is not querylab's.
fn check(
    global: &Global,
    args: &RunArgs,
    (spec, plan): (&Spec, &Plan),
) -> Result<Option<PostgresAddress>, Exit> {
    check_partition(args, plan)?;
    external::address(global, (spec, plan), args.allow_external)
}

async fn one(
    global: &Global,
    args: &RunArgs,
    (spec, plan, external): (&Spec, &Plan, Option<&PostgresAddress>),
    interrupt: watch::Receiver<Interrupt>,
) -> Result<Exit, Exit> {
    let project = source::project_of(spec);
    let results_root = args.out.clone().unwrap_or_else(|| project.join("results"));
    let against = if args.judge.gate { Against::of(spec, plan)? } else { None };
    let runs_root = project.join(".querylab").join("runs");
    let mut session = tools::session_options(plan, &args.tools, args.keep)?;
    session.needs.external = external.cloned();
    let options = Options {
        session,
        wait: if args.no_wait { Wait::Refuse } else { Wait::Queue },
        // Data that are to stay for a look must not be those of the cache.
        cache: tools::data_cache(args.fresh, if args.keep { User::Person } else { User::Run })?,
        results_root: results_root.clone(),
        command: command(args, &spec.path),
        resume: resumed(args, &runs_root, plan)?,
        partition: args.parts.partition,
        runs_root,
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
    let ended = lab::run(spec, plan, &options, interrupt.clone(), &mut |event| {
        if let Event::RunStarted { dir, .. } = &event {
            diagnostics::keep_in(Path::new(dir));
        }
        painter.draw(&event);
    })
    .await;
    painter.finish();
    let run = Asked { global, args, spec, plan, root: &results_root, against: against.as_ref() };
    let concluded = conclude(&run, ended);
    let exit = match concluded {
        Ok((results, report)) => {
            let again = Again { options: &options, interrupt, painter: &mut painter };
            judge(&run, &results, &report, again).await
        }
        Err(exit) => Err(exit),
    };
    diagnostics::keep_no_more();
    exit
}

/// A run, as it was asked for.
struct Asked<'a> {
    global: &'a Global,
    args: &'a RunArgs,
    spec: &'a Spec,
    plan: &'a Plan,
    root: &'a Path,
    against: Option<&'a Against>,
}

/// What it takes to run a part once more.
struct Again<'a> {
    options: &'a Options,
    interrupt: watch::Receiver<Interrupt>,
    painter: &'a mut Painter,
}

/// Thresholds, claims, and the kept run under `--gate`.
async fn judge(
    run: &Asked<'_>,
    results: &Results,
    report: &Report,
    again: Again<'_>,
) -> Result<Exit, Exit> {
    let mut exit = limits(run.args, report);
    let mut gated = None;
    if let Some(against) = run.against {
        let (judged, failed) = hold(run, against, results, again).await;
        exit = exit.worst(failed).worst(gate::conclude(&judged));
        gated = Some(judged);
    }
    hand_out(run, results, report, gated.as_ref())?;
    Ok(exit)
}

/// Holds a run against the kept one, once more where that could tell, and together with earlier runs of the same; and how
/// the second look failed, if it did.
async fn hold(
    run: &Asked<'_>,
    against: &Against,
    results: &Results,
    again: Again<'_>,
) -> (Gated, Exit) {
    let ledger = against.ledger(&source::project_of(run.spec), results);
    let first = against.judge(results, None, ledger.as_ref());
    let open = first.to_confirm();
    if open.is_empty() {
        against.remember(ledger, results, None);
        return (first, Exit::Done);
    }
    match confirm(run, &open, again).await {
        Ok(confirmed) => {
            let both = against.judge(results, Some(&confirmed), ledger.as_ref());
            against.remember(ledger, results, Some(&confirmed));
            (both, Exit::Done)
        }
        // What the first look found for certain is told all the same.
        Err(failed) => {
            against.remember(ledger, results, None);
            (first.unconfirmed(), failed)
        }
    }
}

/// What was judged, as those who are not looking at the terminal read it: JUnit, and the words of a CI server.
fn hand_out(
    run: &Asked<'_>,
    results: &Results,
    report: &Report,
    gated: Option<&Gated>,
) -> Result<(), Exit> {
    let strict = if run.args.strict_claims { Claims::Strict } else { Claims::Told };
    if let Some(file) = &run.args.judge.junit {
        ci::write_junit(file, results, gated, strict)?;
    }
    ci::tell_the_server(run.spec, results, report, gated, strict)
}

/// What the first look did not pass is measured once more, and both are looked at together: no run fails for a bad minute.
async fn confirm(
    run: &Asked<'_>,
    open: &[(String, String)],
    again: Again<'_>,
) -> Result<Results, Exit> {
    let baseline = &run.plan.design.baseline;
    let is_open = |variant: &str, load: &str| {
        let of_load =
            |(v, l): &(String, String)| l == load && (v == variant || variant == baseline);
        open.iter().any(of_load)
    };
    let part = run.plan.clone().restricted_to(is_open).ok_or(Exit::Inconclusive)?;
    let named: Vec<String> = open.iter().map(|(v, l)| format!("{v} under {l}")).collect();
    out::stderr(&format!(
        "gate: measured once more before anything is said: {}\n",
        named.join(", ")
    ));
    let mut session = tools::session_options(&part, &run.args.tools, run.args.keep)?;
    session.needs.external = again.options.session.needs.external.clone();
    let options = Options { session, resume: None, ..again.options.clone() };
    let ended = lab::run(run.spec, &part, &options, again.interrupt, &mut |event| {
        again.painter.draw(&event);
    })
    .await;
    again.painter.finish();
    if let Some(stop) = &ended.stop {
        return Err(out::fail(Exit::from(stop), stop));
    }
    let (Some(dir), Some(manifest)) = (ended.dir, ended.manifest) else {
        return Err(out::fail(Exit::Environment, "the second run did not begin"));
    };
    results::read_run(&dir, manifest).map_err(|e| out::fail(Exit::Environment, format!("{e:#}")))
}

/// The folder of the run that is gone on with, under `--resume`.
fn resumed(args: &RunArgs, runs: &Path, plan: &Plan) -> Result<Option<PathBuf>, Exit> {
    if !args.parts.resume {
        return Ok(None);
    }
    lab::resumable(runs, plan, args.parts.partition).map(Some).map_err(|why| match why {
        NotResumed::Asked(text) => out::fail(Exit::Input, text),
        NotResumed::Machine(text) => out::fail(Exit::Environment, text),
    })
}

/// Parts are whole blocks, and there must be some.
fn check_partition(args: &RunArgs, plan: &Plan) -> Result<(), Exit> {
    let Some(part) = args.parts.partition else { return Ok(()) };
    let refused = |text: String| Err(out::fail(Exit::Input, text));
    if plan.design.precision.is_some() {
        return refused(format!(
            "--partition {part}: `design.precision` decides the number of blocks by the first of them, which another part may have"
        ));
    }
    if args.judge.gate {
        return refused(format!(
            "--partition {part}: a part has too few blocks to be judged: join the parts, and use `querylab gate`"
        ));
    }
    if part.of() > plan.design.blocks {
        let blocks = plan.design.blocks;
        return refused(format!("--partition {part}: there are only {blocks} blocks to divide"));
    }
    if args.out.is_none() && !args.no_publish {
        return refused(format!(
            "--partition {part}: a part is no result of the experiment; name another folder for it with --out, and join the parts with `querylab merge`"
        ));
    }
    Ok(())
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
    flag("partition", args.parts.partition.map(|part| part.to_string()));
    for (name, value) in source::overrides_of_environment().into_iter().rev() {
        // As a variable, so that its value is read the same way; before the command, as one types it.
        words.insert(0, format!("{name}={value}"));
    }
    words
}

/// Renders, publishes, and says how it went.
fn conclude(run: &Asked<'_>, ended: Ended) -> Result<(Results, Report), Exit> {
    let stopped = ended.stop.as_ref();
    let (Some(dir), Some(manifest)) = (ended.dir, ended.manifest) else {
        let stop = stopped.cloned().unwrap_or(Stop::Environment("the run did not begin".into()));
        return Err(out::fail(Exit::from(&stop), stop));
    };
    let written = write(run, dir, manifest);
    // Why it ended comes before what could not be written about it.
    if let Some(stop) = stopped {
        if let Ok((results, report, folder)) = &written {
            let gated = run.against.and_then(|against| against.condemn(stop, results));
            let told = summary(run, results, report, folder);
            // What can't be written has been said, and changes nothing about why it ended.
            told.and_then(|()| hand_out(run, results, report, gated.as_ref())).unwrap_or_default();
        }
        return Err(out::fail(Exit::from(stop), stop));
    }
    let (results, report, folder) = written?;
    summary(run, &results, &report, &folder)?;
    Ok((results, report))
}

/// Writes the run's tables and report, and publishes it if it is complete.
fn write(
    run: &Asked<'_>,
    dir: PathBuf,
    manifest: Manifest,
) -> Result<(Results, Report, PathBuf), Exit> {
    let Asked { args, spec, root, .. } = *run;
    let failed = |e: anyhow::Error| out::fail(Exit::Environment, format!("{e:#}"));
    let results = results::read_run(&dir, manifest).map_err(failed)?;
    let report = crate::report::render(&results)
        .map_err(|e| out::fail(Exit::Environment, format!("cannot render the report: {e:#}")))?;
    let publication = Publication {
        results: &results,
        merged_toml: &spec.merged_toml,
        tables: &report.tables,
        timeline: Some(results::timeline(&dir, &results.trials).map_err(failed)?),
        texts: &report.texts,
        history: crate::report::kept_figures(&results),
    };
    results::write_into(&dir, &publication).map_err(failed)?;
    let mut folder = dir;
    if results.manifest.run.state == State::Complete && !args.no_publish {
        if source::is_partial(&args.layers) {
            out::stderr("not published: only a part of the experiment was run\n");
        } else if run.against.is_some_and(|against| against.is(&target(root, &results))) {
            out::stderr("not published: the kept run stays what later runs are held against\n");
        } else {
            folder = results::publish(root, &publication).map_err(failed)?;
        }
    }
    Ok((results, report, folder))
}

/// Where results would be published.
fn target(root: &Path, results: &Results) -> PathBuf {
    root.join(&results.plan.experiment.id).join(&results.plan.profile)
}

fn summary(run: &Asked<'_>, results: &Results, report: &Report, folder: &Path) -> Result<(), Exit> {
    let Asked { global, args, .. } = run;
    if global.message_format == MessageFormat::Json {
        return out::object(&serde_json::json!({
            "event": "finished", "state": results.manifest.run.state, "folder": out::path(folder),
            "thresholds_failed": report.thresholds_failed, "claims_refuted": report.claims_refuted,
        }));
    }
    let mut text = String::new();
    if !global.quiet {
        text = format!("\n{}\n", report.headline.join("\n"));
    }
    let at = relative(&folder.join("report.md"));
    text.extend(["report: ", &at.to_string_lossy(), "\n"]);
    ci::tell_beside(args.judge.junit.as_deref(), &text)
}

/// Shorter to read, and still right, where the folder is below the current one.
fn relative(path: &Path) -> PathBuf {
    let here = std::env::current_dir().ok();
    here.and_then(|here| path.strip_prefix(here).ok().map(Path::to_path_buf))
        .unwrap_or_else(|| path.to_path_buf())
}

fn limits(args: &RunArgs, report: &Report) -> Exit {
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
