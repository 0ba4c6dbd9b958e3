//! The door: arguments, printing, exit codes. One verb a file; nothing below prints.

mod args;
mod args_kept;
mod args_of_itself;
mod args_of_results;
mod asked;
mod cache;
mod calibrate;
mod calibrated;
mod check;
mod ci;
mod compare;
mod completions;
mod describe;
mod diagnostics;
mod doctor;
mod drive;
mod driven;
mod exit;
mod external;
mod gate;
mod history;
mod init;
mod list;
mod man;
mod matrix;
mod merge;
mod out;
mod plan;
mod progress;
mod remeasure;
mod report;
mod run;
mod serve;
mod signals;
mod site;
mod source;
mod splice;
mod tools;
mod variables;
mod verify;

use std::path::Path;
use std::process::ExitCode;

use args::{Cli, MessageFormat, Verb, When};
use clap::Parser;
use exit::Exit;

/// The program. The hidden verbs come first, because a guard and a trampoline must not start a runtime or read flags.
pub fn main() -> ExitCode {
    let args: Vec<String> = std::env::args_os().map(|a| a.to_string_lossy().into_owned()).collect();
    match args.get(1).map(String::as_str) {
        Some("__guard") => return crate::stack::guard_main(&args[2..]),
        Some("__child") => return crate::stack::child_main(&args[2..], api),
        _ => {}
    }
    if let Err(e) = crate::stack::relaunch_without_foreign_settings() {
        return out::fail(
            Exit::Environment,
            format!("cannot start again without PG* variables: {e}"),
        )
        .code();
    }
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(e) => return usage(&args, &e),
    };
    out::set_color(cli.global.color);
    out::set_format(cli.global.message_format);
    if let Err(exit) = diagnostics::start(cli.global.verbose) {
        return exit.code();
    }
    dispatch(cli).code()
}

/// `__api` is no program of its own: the trampoline calls it after it has dropped its rights, because the binary may lie
/// where the unprivileged user cannot execute it.
fn api(config: &Path) -> ExitCode {
    crate::api::main_with(config)
}

/// Help, or what is wrong with the command line. How to say it is taken from the line as far as it can be understood.
fn usage(args: &[String], error: &clap::Error) -> ExitCode {
    let text = error.render();
    if !error.use_stderr() {
        return out::stdout(&text.to_string()).map_or_else(Exit::code, |()| ExitCode::SUCCESS);
    }
    out::set_color(args::typed(args, "--color").unwrap_or(When::Auto));
    if args::typed(args, "--message-format") == Some(MessageFormat::Json) {
        let event = serde_json::json!({
            "event": "error", "exit": Exit::Input.number(), "text": text.to_string().trim_end(),
        });
        // Where nobody reads, the exit code still tells.
        out::object(&event).unwrap_or_default();
    }
    let colored = out::is_colored(out::Stream::Stderr);
    out::stderr(&if colored { text.ansi().to_string() } else { text.to_string() });
    Exit::Input.code()
}

fn dispatch(cli: Cli) -> Exit {
    let global = cli.global;
    let done = match cli.verb {
        Verb::Run(args) => run::run(&global, &args),
        Verb::Check(args) => check::check(&global, &args),
        Verb::Plan(args) => plan::plan(&global, &args),
        Verb::List(args) => list::list(&args),
        Verb::Serve(args) => serve::serve(&global, &args),
        Verb::Report(args) => report::report(&args),
        Verb::Splice(args) => Ok(splice::splice(&args)),
        Verb::Site(args) => site::site(&args),
        Verb::Verify(args) => verify::verify(&global, &args),
        Verb::Compare(args) => compare::compare(&args),
        Verb::History(args) => history::history(&args),
        Verb::Gate(args) => gate::gate(&args),
        Verb::Merge(args) => merge::merge(&args),
        Verb::Matrix(args) => matrix::matrix(&args),
        Verb::Export(args) => ci::export(&args),
        Verb::Drive(args) => drive::drive(&global, &args),
        Verb::Calibrate(args) => calibrate::calibrate(&global, &args),
        Verb::Doctor(args) => doctor::doctor(&args),
        Verb::Setup(args) => doctor::setup(&args),
        Verb::Clean(args) => doctor::clean(&args),
        Verb::Cache(verb) => cache::cache(&verb),
        Verb::Init(args) => init::init(&global, &args),
        Verb::Schema => schema(),
        Verb::Completions(args) => completions::completions(&args),
        Verb::Man(args) => man::man(&args),
    };
    done.unwrap_or_else(|exit| exit)
}

fn schema() -> Result<Exit, Exit> {
    let schema =
        serde_json::to_string_pretty(&crate::spec::json_schema()).expect("a schema is JSON");
    out::stdout(&format!("{schema}\n"))?;
    Ok(Exit::Done)
}
