//! `[load]`: how requests arrive, and for how long.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Settings;
use super::processors::Processors;
use crate::spec::Metric;
use crate::units::{Rate, Share, Span};

/// `[load.NAME]`: how requests arrive.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Load {
    /// Closed: users wait for their answers. Open: requests arrive by the clock.
    pub model: LoadModel,
    /// `closed`: number of users.
    #[serde(default)]
    #[schemars(range(min = 1, max = 10_000))]
    pub users: Option<u32>,
    /// `closed`: pause between an answer and the next request, always the same.
    #[serde(default)]
    pub think_time: Option<Span>,
    /// `open`: offered rate.
    #[serde(default)]
    pub rate: Option<Rate>,
    /// `open`: how arrivals are spaced.
    #[serde(default)]
    pub arrival: Option<Arrival>,
    /// `open`: requests under way at most; beyond it arrivals are dropped, counted, and the trial is overloaded.
    #[serde(default)]
    #[schemars(range(min = 1, max = 10_000))]
    pub max_in_flight: Option<u32>,
    /// `open`: connections at most; arrivals wait for a free one, and those who wait count as under way. Left out, every
    /// arrival is sent at once.
    #[serde(default)]
    #[schemars(range(min = 1, max = 10_000))]
    pub connections: Option<u32>,
    /// Processors that the generator and the servers of a trial share, the machine's last ones. Left out: all of them.
    #[serde(default)]
    pub processors: Option<Processors>,
    /// A request without an answer by then has failed.
    #[serde(default = "timeout")]
    pub timeout: Span,
    /// Load before the measured window.
    #[serde(default)]
    pub warmup: Warmup,
    /// The measured window.
    #[serde(default)]
    pub duration: Option<Span>,
    /// The measured window in parts, instead of `duration` and of `rate` or `users`: levels and ramps.
    #[serde(default)]
    pub stages: Option<Vec<Stage>>,
    /// `open`: looks for the highest rate that keeps an objective, and drives the window at it; instead of `rate`.
    #[serde(default)]
    pub search: Option<Search>,
    /// The curve of which this profile is a point; `[matrix]` writes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub curve: Option<String>,
    /// Where on its curve the point lies: an axis to its value; `[matrix]` writes it.
    #[serde(default, skip_serializing_if = "Settings::is_empty")]
    pub at: Settings,
}

fn timeout() -> Span {
    Span::from_secs(30)
}

/// Load models (Schroeder, Wierman, Harchol-Balter, NSDI 2006).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LoadModel {
    /// A fixed number of users, each with one request at a time.
    Closed,
    /// Requests arrive whether or not earlier ones were answered.
    Open,
}

/// Arrival processes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Arrival {
    /// Exponential gaps.
    #[default]
    Poisson,
    /// Equal gaps.
    Constant,
}

/// A part of the window: a level, or a ramp from where the part before it ended.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Stage {
    /// How long.
    pub duration: Span,
    /// `open`: this rate throughout.
    #[serde(default)]
    pub rate: Option<Rate>,
    /// `open`: evenly from the rate before to this one.
    #[serde(default)]
    pub ramp_to: Option<Rate>,
    /// `closed`: so many users throughout.
    #[serde(default)]
    #[schemars(range(min = 1, max = 10_000))]
    pub users: Option<u32>,
    /// `closed`: evenly from the users before to so many.
    #[serde(default)]
    #[schemars(range(min = 1, max = 10_000))]
    pub ramp_to_users: Option<u32>,
}

/// `search`: rates are tried one after the other, and each is held against the objective.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Search {
    /// What a rate must keep: `"response_time_p99 <= 50ms"`.
    pub objective: String,
    /// The first rate, also that of the warm-up.
    pub start: Rate,
    /// No higher rate is tried.
    pub most: Rate,
    /// How long each rate is judged.
    #[serde(default = "step")]
    pub step: Span,
    /// How long each rate is driven before it is judged.
    #[serde(default = "settle")]
    pub settle: Span,
    /// The search ends when the lowest rate that failed is within this of the highest that was kept.
    #[serde(default = "precision")]
    pub precision: Share,
}

fn step() -> Span {
    Span::from_secs(5)
}

fn settle() -> Span {
    Span::from_secs(1)
}

fn precision() -> Share {
    Share(0.05)
}

impl Search {
    /// Reads an objective: a response or service time, and the most that it may be.
    ///
    /// # Errors
    ///
    /// What is wrong with it, as the end of a sentence.
    pub fn read_objective(text: &str) -> Result<(Metric, Span), &'static str> {
        let Some((name, most)) = text.split_once("<=") else { return Err("is no condition") };
        let is_it = |metric: &Metric| metric.name() == name.trim() && metric.is_time_of_requests();
        let Some(metric) = Metric::ALL.into_iter().find(is_it) else {
            return Err("names no response or service time");
        };
        match most.trim().parse::<Span>() {
            Ok(most) if most.0 > 0 => Ok((metric, most)),
            Ok(_) => Err("allows no time at all"),
            Err(_) => Err("has no duration as its limit"),
        }
    }
}

/// Load before the measured window.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Warmup {
    /// At least so long.
    pub min: Span,
    /// At most so long.
    pub max: Span,
    /// Ends early when this holds: `"steady"`, or a condition like `"cache_hit_ratio >= 0.90"`.
    pub until: String,
}

impl Default for Warmup {
    fn default() -> Self {
        Self { min: Span::from_secs(1), max: Span::from_secs(10), until: "steady".into() }
    }
}

/// `fill`: load before the warm-up, at its own pace, until a condition holds.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Fill {
    /// Users of a closed loop.
    #[schemars(range(min = 1, max = 10_000))]
    pub users: u32,
    /// The condition must hold by then, or the trial has failed.
    pub max: Span,
    /// `"cache_hit_ratio >= 0.94"`.
    pub until: String,
}
