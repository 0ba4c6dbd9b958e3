//! From a file's name to its plan, with every mistake printed.

use std::path::{Path, PathBuf};

use super::args::{Global, LayerArgs, MessageFormat};
use super::exit::Exit;
use super::out;
use crate::plan::{self, Plan};
use crate::spec::{self, Layers, Problems, Spec};

/// Reads, layers, checks and resolves one file.
pub(super) fn resolve(
    global: &Global,
    path: &Path,
    args: &LayerArgs,
) -> Result<(Spec, Plan), Exit> {
    let layers = layers(args);
    let spec = spec::load(path, &layers).map_err(|mut problems| {
        if let Some(partial) = problems.partial.take() {
            problems.add(plan::further_mistakes(&partial));
        }
        refuse(global, &problems)
    })?;
    let refused = |list| refuse(global, &spec.problems(list));
    let mut plan = plan::resolve_of_any_length(&spec).map_err(refused)?;
    if args.variant.is_some() || args.load.is_some() {
        let variants: Vec<&str> = plan.variants.iter().map(|v| v.name.as_str()).collect();
        let variant = pattern("--variant", args.variant.as_deref(), "variant", &variants)?;
        let loads: Vec<&str> = plan.loads.iter().map(String::as_str).collect();
        let load = pattern("--load", args.load.as_deref(), "load profile", &loads)?;
        let baseline = plan.design.baseline.clone();
        let keeps = |v: &str, l: &str| (v == baseline || variant.matches(v)) && load.matches(l);
        plan = plan
            .restricted_to(keeps)
            .ok_or_else(|| out::fail(Exit::Input, "no cell matches `--variant` and `--load`"))?;
    }
    // Last, because a part of what takes too long may not.
    plan::check_length(&spec, &plan).map_err(refused)?;
    Ok((spec, plan))
}

/// Whether only a part of the experiment was asked for.
pub(super) fn is_partial(args: &LayerArgs) -> bool {
    args.variant.is_some() || args.load.is_some()
}

/// A glob that matches something: the baseline always stays, so that a typing mistake would run it alone.
fn pattern(
    flag: &str,
    glob: Option<&str>,
    kind: &str,
    names: &[&str],
) -> Result<glob::Pattern, Exit> {
    let glob = glob.unwrap_or("*");
    let pattern = glob::Pattern::new(glob)
        .map_err(|e| out::fail(Exit::Input, format!("{flag}: `{glob}` is not a pattern: {e}")))?;
    if !names.iter().any(|name| pattern.matches(name)) {
        let hint = spec::did_you_mean(glob, names.iter().copied()).map_or_else(
            || format!("there are {}", names.join(", ")),
            |name| format!("did you mean `{name}`?"),
        );
        let text = format!("{flag}: no {kind} of this plan matches `{glob}`: {hint}");
        return Err(out::fail(Exit::Input, text));
    }
    Ok(pattern)
}

fn layers(args: &LayerArgs) -> Layers {
    let mut sets = args.sets.clone();
    if let Some(blocks) = args.blocks {
        sets.push(format!("design.blocks={blocks}"));
    }
    if let Some(seed) = args.seed {
        sets.push(format!("experiment.seed={seed}"));
    }
    if let Some(budget) = &args.time_budget {
        sets.push(format!("design.time_budget={budget:?}"));
    }
    Layers { profile: args.profile.clone(), environment: overrides_of_environment(), sets }
}

/// Variables that override keys of the file, sorted.
pub(super) fn overrides_of_environment() -> Vec<(String, String)> {
    let mut overrides: Vec<(String, String)> = std::env::vars_os()
        .filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.to_string_lossy().into_owned()))
        })
        .filter(|(name, _)| name.starts_with("QUERYLAB__"))
        .collect();
    overrides.sort();
    overrides
}

/// Says the problems; the exit code for them.
pub(super) fn refuse(global: &Global, problems: &Problems) -> Exit {
    say(global, problems);
    if global.message_format == MessageFormat::Human {
        let errors = problems.list.iter().filter(|p| p.severity == spec::Severity::Error).count();
        let plural = if errors == 1 { "" } else { "s" };
        out::stderr(&format!("{errors} error{plural}; nothing was started\n"));
    }
    Exit::Input
}

fn say(global: &Global, problems: &Problems) {
    match global.message_format {
        MessageFormat::Human => {
            let color = if out::is_colored(out::Stream::Stderr) {
                spec::Color::Ansi
            } else {
                spec::Color::Plain
            };
            out::stderr(&spec::render(problems, color));
        }
        // A closed pipe ends the program soon enough; the exit code says what was found.
        MessageFormat::Json => out::stdout(&spec::render_json(problems)).unwrap_or_default(),
    }
}

/// The project that a file belongs to: the parent of a folder named `experiments`, else the file's own folder.
pub(super) fn project_of(spec: &Spec) -> PathBuf {
    let dir = std::fs::canonicalize(&spec.dir).unwrap_or_else(|_| spec.dir.clone());
    match (dir.file_name(), dir.parent()) {
        (Some(name), Some(parent)) if name == "experiments" => parent.to_path_buf(),
        _ => dir,
    }
}
