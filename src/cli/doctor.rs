//! `querylab doctor`, `setup`, `clean`: what is here, what is missing, what was left behind.

use std::fmt::Write;
use std::path::Path;

use super::args::{SetupArgs, ToolArgs};
use super::args_kept::CleanArgs;
use super::exit::Exit;
use super::{out, tools};
use crate::plan::POSTGRES_MAJORS;
use crate::results;
use crate::stack::{self, Cache, DoctorOptions, Finding, Health, Origin, Part, StackError};

pub(super) fn doctor(args: &ToolArgs) -> Result<Exit, Exit> {
    let options =
        DoctorOptions { run_as: args.run_as.clone(), surroundings: tools::surroundings() };
    let findings = tools::runtime()?.block_on(stack::doctor(&options));
    let mut exit = Exit::Done;
    let mut text = String::new();
    for finding in &findings {
        if finding.state == Health::Bad {
            exit = Exit::Environment;
        }
        if out::is_json() {
            out::object(&object(finding))?;
            continue;
        }
        let mark = match finding.state {
            Health::Good => "ok  ",
            Health::Warning => "warn",
            Health::Bad => "BAD ",
        };
        writeln!(text, "{mark}  {:<12} {}", finding.part, finding.detail)
            .expect("a String takes all");
        if let Some(fix) = &finding.fix {
            writeln!(text, "      {:<12} fix: {fix}", "").expect("a String takes all");
        }
    }
    out::tell(&text)?;
    Ok(exit)
}

fn object(finding: &Finding) -> serde_json::Value {
    let state = match finding.state {
        Health::Good => "good",
        Health::Warning => "warning",
        Health::Bad => "bad",
    };
    serde_json::json!({
        "event": "finding", "part": finding.part, "state": state, "detail": finding.detail,
        "fix": finding.fix,
    })
}

/// What is to be fetched.
enum Wanted {
    /// Whatever is missing.
    All,
    /// A server.
    Part(Part),
    /// A major version of Postgres.
    Postgres(u32),
}

/// The part of a name, like `nginx` or `postgres@18`.
fn wanted(name: &str) -> Result<Wanted, Exit> {
    let major = name.strip_prefix("postgres@").and_then(|major| major.parse().ok());
    if let Some(major) = major.filter(|major| POSTGRES_MAJORS.contains(major)) {
        return Ok(Wanted::Postgres(major));
    }
    Part::by_name(name).map(Wanted::Part).ok_or_else(|| {
        let known: Vec<&str> = Part::ALL.iter().map(|p| p.name()).collect();
        let (first, last) = (POSTGRES_MAJORS.start(), POSTGRES_MAJORS.end());
        out::fail(
            Exit::Input,
            format!(
                "`{name}` is no part that can be fetched: write one of {}, or `postgres@{first}` to `postgres@{last}`",
                known.join(", ")
            ),
        )
    })
}

pub(super) fn setup(args: &SetupArgs) -> Result<Exit, Exit> {
    let options = DoctorOptions { run_as: None, surroundings: tools::surroundings() };
    let mut parts = args.parts.iter().map(|name| wanted(name)).collect::<Result<Vec<_>, _>>()?;
    if parts.is_empty() {
        parts.push(Wanted::All);
    }
    let runtime = tools::runtime()?;
    for part in parts {
        let mut notice = |text: String| out::stderr(&format!("{text}\n"));
        let ready = runtime.block_on(async {
            match part {
                Wanted::All => stack::setup(None, &options, &mut notice).await,
                Wanted::Part(part) => stack::setup(Some(part), &options, &mut notice).await,
                Wanted::Postgres(major) => {
                    let ready = stack::setup_postgres(major, &options, &mut notice);
                    ready.await.map(|ready| vec![ready])
                }
            }
        });
        let ready = ready.map_err(|e| failed(&e))?;
        for server in ready {
            if out::is_json() {
                let origin = match server.origin {
                    Origin::Here => "here",
                    Origin::Fetched => "fetched",
                };
                out::object(&serde_json::json!({
                    "event": "server", "part": server.part, "version": server.version, "origin": origin,
                    "program": out::path(&server.program),
                }))?;
            } else {
                out::tell(&format!("{server}\n"))?;
            }
        }
    }
    Ok(Exit::Done)
}

pub(super) fn clean(args: &CleanArgs) -> Result<Exit, Exit> {
    let surroundings = tools::surroundings();
    let done = tools::runtime()?
        .block_on(stack::clean(&surroundings, if args.cache { Cache::Remove } else { Cache::Keep }))
        .map_err(|e| failed(&e))?;
    let mut nothing = done.is_empty();
    for text in done {
        // What the janitor did is a sentence; only of runs is the folder known apart from it.
        said(&Cleaned { done: "servers", path: None, text })?;
    }
    if let Some(project) = &args.runs {
        nothing &= remove_runs(project)? == 0;
    }
    if nothing && !out::is_json() {
        out::tell("nothing of ours was left\n")?;
    }
    Ok(Exit::Done)
}

/// One thing that `clean` did, or left alone.
struct Cleaned<'a> {
    done: &'a str,
    path: Option<&'a Path>,
    text: String,
}

fn said(cleaned: &Cleaned<'_>) -> Result<(), Exit> {
    if out::is_json() {
        return out::object(&serde_json::json!({
            "event": "cleaned", "done": cleaned.done, "path": cleaned.path.map(out::path),
            "text": cleaned.text,
        }));
    }
    out::tell(&format!("{}\n", cleaned.text))
}

/// Removes only folders that hold a `run.json` of ours and whose runner is gone. Returns how many it spoke of.
fn remove_runs(project: &Path) -> Result<usize, Exit> {
    let mut spoken_of = 0;
    for run in results::list_runs(&super::list::runs_below(project)?) {
        let path = Some(run.dir.as_path());
        spoken_of += 1;
        if super::list::is_alive(&run.file) {
            let text = format!("left {}: it is running", run.dir.display());
            said(&Cleaned { done: "left", path, text })?;
            continue;
        }
        std::fs::remove_dir_all(&run.dir).map_err(|e| {
            out::fail(Exit::Environment, format!("cannot remove {}: {e}", run.dir.display()))
        })?;
        said(&Cleaned { done: "removed", path, text: format!("removed {}", run.dir.display()) })?;
    }
    Ok(spoken_of)
}

fn failed(error: &StackError) -> Exit {
    out::fail(Exit::from(&crate::lab::stop_of(error)), error)
}
