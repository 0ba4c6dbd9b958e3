//! This machine as an instrument: its clock, its processor, the load generator alone, and what differs where nothing does.
//!
//! Nothing new is measured with: the A/A part is an experiment like any other, run by [`crate::lab::run`], and the
//! generator's part is one stack, served by [`crate::lab::serve`] and driven at Nginx' own static answer.

mod embedded;
mod figures;
mod instrument;
mod noise;
mod run;

pub use embedded::{Embedded, Folder};
pub use figures::{
    Calibration, Ceiling, ClockFigures, Lag, Noise, NoiseFigure, ProcessorFigures, Seen,
};
pub use run::{Calibrated, Calibrating, calibrate};
