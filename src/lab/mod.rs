//! The conductor: for each trial stage, check answers, warm, drive, watch, save.
//!
//! It introduces the works to each other by handing over plain values, keeps what was measured whatever happens next, and
//! says what it does as events; it prints nothing.

mod accounting;
mod around;
mod blocks;
mod breakdown;
mod calibrate;
mod clock;
mod counts;
mod data;
mod done;
mod event;
mod idle;
mod init;
mod manifest;
mod obtain;
mod offload;
mod others;
mod pilot;
mod preflight;
mod proof;
mod reads;
mod ready;
mod record;
mod resume;
mod run;
mod serve;
mod so_far;
mod trial;
mod validity;
mod versions;
mod watched;
mod witness;

pub use calibrate::{
    Calibrated, Calibrating, Calibration, Ceiling, ClockFigures, Embedded, Folder, Lag, Noise,
    NoiseFigure, ProcessorFigures, Seen, calibrate,
};
pub use event::{Event, Interrupt, Stop, stop_of};
pub use init::{Found, Initiated, Initiating, init};
pub use manifest::git_revision;
pub use obtain::DataCache;
pub use resume::{NotResumed, resumable};
pub use run::{Ended, Options, run};
pub use serve::{Listeners, Served, Serving, serve};
