//! The order of things: the machine alone, the generator alone, then the same variant twice.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::sync::watch;

use super::embedded::Embedded;
use super::figures::{Calibration, ClockFigures, FORMAT, ProcessorFigures, warnings};
use super::{instrument, noise};
use crate::lab::watched::interrupted;
use crate::lab::{Ended, Event, Interrupt, Options, Stop, clock, run, stop_of};
use crate::load::timing;
use crate::probe::{self, Memory};
use crate::results::{self, TrialRecord};
use crate::stack::{MeasuringLock, SessionOptions, Wait};
use crate::stats::{median, scatter};

/// Waits of the kernel's timer that are tried.
const WAITS: u32 = 500;
/// Each of them.
const WAIT: Duration = Duration::from_millis(1);

/// How to calibrate.
#[derive(Debug, Clone)]
pub struct Calibrating {
    /// How the servers are had.
    pub session: SessionOptions,
    /// Wait for another measurement, or refuse.
    pub wait: Wait,
    /// The command, as typed.
    pub command: Vec<String>,
}

/// What is known now, and the trials that the noise was taken from.
#[derive(Debug, Clone, PartialEq)]
pub struct Calibrated {
    /// The figures.
    pub calibration: Calibration,
    /// The A/A trials, in the order in which they ran.
    pub trials: Vec<TrialRecord>,
}

/// Measures this machine, under the measuring lock. Nothing of it is left but what is returned.
///
/// # Errors
///
/// Why it ended early: a missing server, a load that failed, a signal.
pub async fn calibrate(
    embedded: &Embedded,
    calibrating: &Calibrating,
    interrupt: watch::Receiver<Interrupt>,
    events: &mut (dyn FnMut(Event) + Send),
) -> Result<Calibrated, Stop> {
    let options = options(embedded, calibrating);
    run::look_around(embedded.plan(), &options)?;
    let nobody = BTreeMap::new();
    let before = probe::snapshot(&nobody, Memory::Skip).map_err(|e| measurement(&e))?;
    let machine = probe::host();
    let lock = {
        let mut notice = |text: String| events(Event::Notice { text });
        tokio::select! {
            lock = MeasuringLock::acquire("calibrate", calibrating.wait, &mut notice) => lock,
            signal = interrupted(interrupt.clone()) => return Err(Stop::Interrupted(signal)),
        }
    };
    let lock = lock.map_err(|e| stop_of(&e))?;
    let window_ns = embedded.plan().cells.first().map_or(0, |cell| cell.drive.duration_ns);
    let (clock, processor) = tokio::select! {
        both = alone(Duration::from_nanos(window_ns), events) => both.map_err(|e| measurement(&e))?,
        signal = interrupted(interrupt.clone()) => return Err(Stop::Interrupted(signal)),
    };
    let looked = instrument::look(embedded, calibrating.session.clone(), interrupt.clone(), events);
    let looked = Box::pin(looked).await?;
    let results = Box::pin(twice(lock, embedded, &options, interrupt, events)).await?;
    let after = probe::snapshot(&nobody, Memory::Skip).map_err(|e| measurement(&e))?;
    let mut calibration = Calibration {
        format: FORMAT,
        querylab: env!("CARGO_PKG_VERSION").to_owned(),
        finished_at: clock::rfc3339(clock::utc_now()),
        machine,
        versions: results.manifest.versions.clone(),
        window_s: window_ns as f64 / 1e9,
        clock,
        processor,
        schedule: looked.schedule,
        ceiling: looked.ceiling,
        steal_share: after.steal_share_since(&before),
        noise: noise::noise(&results),
        warnings: Vec::new(),
    };
    calibration.warnings = warnings(&calibration);
    Ok(Calibrated { calibration, trials: results.trials })
}

/// Clock and processor, with no server running.
async fn alone(
    time: Duration,
    events: &mut (dyn FnMut(Event) + Send),
) -> anyhow::Result<(ClockFigures, ProcessorFigures)> {
    events(Event::Notice { text: "clock, timers and processor".into() });
    let timed = timing(WAITS, WAIT).await?;
    let rounds = tokio::task::spawn_blocking(move || probe::hash_rounds(time)).await?;
    let clock = ClockFigures {
        resolution_ns: timed.resolution_ns,
        read_ns: timed.read_ns,
        waits: u64::from(WAITS),
        overshoot_p50_us: timed.overshoot_p50_us,
        overshoot_p99_us: timed.overshoot_p99_us,
        overshoot_max_us: timed.overshoot_max_us,
    };
    let median_s = median(&rounds).unwrap_or(f64::INFINITY) / 1e9;
    let processor = ProcessorFigures {
        rounds: rounds.len(),
        sha256_bytes_per_s: probe::HASHED_BYTES as f64 / median_s,
        spread: scatter(&rounds).unwrap_or(0.0),
    };
    Ok((clock, processor))
}

/// How the A/A part is run: nothing of it is left.
fn options(embedded: &Embedded, calibrating: &Calibrating) -> Options {
    Options {
        session: calibrating.session.clone(),
        wait: calibrating.wait,
        // Its few rows are made faster than they are found.
        cache: None,
        runs_root: embedded.folder.join("runs"),
        results_root: embedded.folder.join("results"),
        command: calibrating.command.clone(),
        resume: None,
        partition: None,
    }
}

/// The same variant twice, block by block, under the lock that is held already.
async fn twice(
    lock: MeasuringLock,
    embedded: &Embedded,
    options: &Options,
    interrupt: watch::Receiver<Interrupt>,
    events: &mut (dyn FnMut(Event) + Send),
) -> Result<results::Results, Stop> {
    let (spec, plan) = &embedded.twice;
    let ended = run::under(lock, (spec, plan), options, interrupt, events).await;
    let Ended { dir, manifest, stop } = ended;
    if let Some(stop) = stop {
        return Err(stop);
    }
    match (dir, manifest) {
        (Some(dir), Some(manifest)) => {
            results::read_run(&dir, manifest).map_err(|e| Stop::Environment(format!("{e:#}")))
        }
        _ => Err(Stop::Environment("the run did not begin".into())),
    }
}

/// Something could not be measured.
pub(super) fn measurement(error: &anyhow::Error) -> Stop {
    Stop::Measurement(format!("{error:#}"))
}
