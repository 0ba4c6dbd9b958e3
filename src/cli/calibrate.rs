//! `querylab calibrate`: this machine's clock, processor, generator and noise, and the blocks that 5 % takes here.

use std::path::Path;

use anyhow::Context as _;

use super::args::{CalibrateArgs, Global, MessageFormat, ProgressKind};
use super::exit::Exit;
use super::progress::Painter;
use super::{calibrated, out, signals, tools};
use crate::lab::{self, Calibrated, Calibrating, Embedded, Folder};
use crate::results;
use crate::stack::Wait;
use crate::units::{self, Span};

/// Shorter windows hold nothing, longer ones are an experiment.
const SHORTEST: Span = Span::from_millis(200);
const LONGEST: Span = Span::from_secs(60);

pub(super) fn calibrate(global: &Global, args: &CalibrateArgs) -> Result<Exit, Exit> {
    let window = window(&args.duration).map_err(|text| out::fail(Exit::Input, text))?;
    let environment = |e: anyhow::Error| out::fail(Exit::Environment, format!("{e:#}"));
    if let Some(dir) = &args.out {
        // Better said before the measurement than after it.
        writable(dir).map_err(environment)?;
    }
    let scratch = tools::surroundings().scratch(rustix::process::geteuid().as_raw());
    let scratch = scratch.map_err(|e| environment(anyhow::anyhow!("{e}")))?;
    let folder = Folder::make(&scratch).map_err(environment)?;
    let embedded = Embedded::resolve(&folder, args.blocks, window)
        .map_err(|text| out::fail(Exit::Input, text))?;
    let calibrating = Calibrating {
        session: tools::session_options(embedded.plan(), &args.tools, false)?,
        wait: if args.no_wait { Wait::Refuse } else { Wait::Queue },
        command: ["querylab", "calibrate"].map(str::to_owned).to_vec(),
    };
    let is_json = args.json || global.message_format == MessageFormat::Json;
    let runtime = tools::runtime()?;
    let done = runtime.block_on(async {
        let interrupt = signals::listen()
            .map_err(|e| out::fail(Exit::Environment, format!("cannot listen for signals: {e}")))?;
        let mut painter = painter(global);
        if !global.quiet && !is_json {
            let about = units::duration_ns(embedded.plan().estimate.time_ns);
            out::stderr(&format!("calibrating this machine: half a minute, and about {about}\n"));
        }
        let done = lab::calibrate(&embedded, &calibrating, interrupt, &mut |event| {
            // Programs read one object, and nothing before it.
            if !is_json {
                painter.draw(&event);
            }
        })
        .await;
        painter.finish();
        done.map_err(|stop| out::fail(Exit::from(&stop), &stop))
    });
    runtime.shutdown_background();
    let done = done?;
    // Whatever becomes of the files, the figures are told.
    let kept = args.out.as_deref().map_or(Ok(()), |dir| keep(dir, &done));
    if is_json {
        out::tell(&format!("{}\n", calibrated::json(&done.calibration)))?;
    } else {
        out::tell(&calibrated::page(&done.calibration))?;
    }
    kept.map_err(environment)?;
    Ok(Exit::Done)
}

/// A bar on a terminal, lines elsewhere; never objects, which are for the result.
fn painter(global: &Global) -> Painter {
    let human = Global { message_format: MessageFormat::Human, ..global.clone() };
    Painter::new(&human, ProgressKind::Auto)
}

fn window(text: &str) -> Result<Span, String> {
    let span = text.parse::<Span>().map_err(|e| format!("--duration: {e}"))?;
    if (SHORTEST..=LONGEST).contains(&span) {
        Ok(span)
    } else {
        Err(format!("--duration: `{text}` is not from {SHORTEST} to {LONGEST}"))
    }
}

/// Whether files can be made there; the folder is.
fn writable(dir: &Path) -> anyhow::Result<()> {
    let probe = dir.join(format!(".calibrate-{}.tmp", std::process::id()));
    std::fs::create_dir_all(dir)
        .and_then(|()| std::fs::write(&probe, b""))
        .and_then(|()| std::fs::remove_file(&probe))
        .with_context(|| format!("--out: cannot write to {}", dir.display()))
}

/// `calibrate.json`, and the trials that its noise was taken from.
fn keep(dir: &Path, done: &Calibrated) -> anyhow::Result<()> {
    std::fs::create_dir_all(dir)?;
    let json = calibrated::json(&done.calibration) + "\n";
    results::write_atomic(&dir.join("calibrate.json"), json.as_bytes())?;
    results::write_table(dir, &results::trials_table(&done.trials))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_neither_a_moment_nor_an_hour() {
        assert_eq!(window("3s"), Ok(Span::from_secs(3)));
        assert_eq!(window("200ms"), Ok(SHORTEST));
        for wrong in ["0s", "199ms", "61s", "1h"] {
            let refused = window(wrong).expect_err(wrong);
            assert!(refused.contains("from 200ms to 1m"), "{refused}");
        }
        assert!(window("3").expect_err("no unit").contains("--duration"));
    }
}
