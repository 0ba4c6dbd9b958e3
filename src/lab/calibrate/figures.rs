//! What is known about a machine after its calibration: plain values, which are also the JSON object.

use std::collections::BTreeMap;

use serde::Serialize;

/// Version of the JSON object.
pub(super) const FORMAT: u32 = 1;
/// Log-ratios of equal trials that scatter by more make small differences invisible.
const SCATTER_LIMIT: f64 = 0.08;
/// Requests sent later than this have not kept to the schedule.
const LAG_LIMIT_US: f64 = 1000.0;
/// More time than this taken by other machines disturbs a window.
const STEAL_LIMIT: f64 = 0.02;
/// A processor that scatters more than this while it does the same again is not alone, or changes its clock.
const PROCESSOR_LIMIT: f64 = 0.05;

/// All of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Calibration {
    /// Version of this object.
    pub format: u32,
    /// Version of querylab.
    pub querylab: String,
    /// RFC 3339, UTC.
    pub finished_at: String,
    /// The machine.
    pub machine: BTreeMap<String, String>,
    /// Server and version.
    pub versions: BTreeMap<String, String>,
    /// Length of each measured window.
    pub window_s: f64,
    /// Clock and timers.
    pub clock: ClockFigures,
    /// The processor at work that never changes.
    pub processor: ProcessorFigures,
    /// How late the generator sends what is due, at two rates.
    pub schedule: Vec<Lag>,
    /// The most that the generator gets out of one core.
    pub ceiling: Ceiling,
    /// Share of the machine's time that the hypervisor gave to others meanwhile.
    pub steal_share: f64,
    /// The same variant twice.
    pub noise: Noise,
    /// What a reader should know before he believes a small difference here.
    pub warnings: Vec<String>,
}

/// The monotonic clock and the kernel's timers, as the generator uses them.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClockFigures {
    /// As the kernel says.
    pub resolution_ns: u64,
    /// Time that a reading takes.
    pub read_ns: f64,
    /// Waits that were tried.
    pub waits: u64,
    /// How long after its time a wait ends: median.
    pub overshoot_p50_us: f64,
    /// 99th percentile.
    pub overshoot_p99_us: f64,
    /// Longest.
    pub overshoot_max_us: f64,
}

/// SHA-256 of the same bytes again and again.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ProcessorFigures {
    /// Rounds.
    pub rounds: usize,
    /// Bytes hashed per second, by the median round.
    pub sha256_bytes_per_s: f64,
    /// Standard deviation of the logarithm of a round's time.
    pub spread: f64,
}

/// An open load of equal gaps against Nginx' static answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Lag {
    /// Offered.
    pub offered_rps: f64,
    /// Right answers per second.
    pub rate_rps: f64,
    /// Sent in the window.
    pub sent: u64,
    /// Not sent, because too many were under way.
    pub dropped: u64,
    /// How late requests were sent: median.
    pub lag_p50_us: f64,
    /// 99th percentile.
    pub lag_p99_us: f64,
    /// Longest.
    pub lag_max_us: f64,
}

/// A closed load against Nginx' static answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Ceiling {
    /// Users without a pause.
    pub users: u32,
    /// Answers per second.
    pub rate_rps: f64,
    /// CPU time of the generator for each request.
    pub cpu_per_request_us: f64,
    /// Of a core, that the generator used.
    pub generator_cpu_share: f64,
}

/// The same variant twice in each block.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Noise {
    /// Blocks asked for.
    pub blocks: u32,
    /// By metric.
    pub figures: Vec<NoiseFigure>,
}

/// How one metric scatters between blocks, and what follows for experiments here.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NoiseFigure {
    /// Metric.
    pub metric: String,
    /// Blocks in which both trials are valid.
    pub n: usize,
    /// Second over first, geometric mean: 1 where the machine agrees with itself.
    pub ratio: f64,
    /// Its 99 % interval, lower end.
    pub ratio_low_99: f64,
    /// Upper end.
    pub ratio_high_99: f64,
    /// Standard deviation of a block's log-ratio.
    pub sd_log: f64,
    /// Where the true one lies with 95 %, lower end: a spread from few blocks is known roughly.
    pub sd_log_low_95: f64,
    /// Upper end.
    pub sd_log_high_95: f64,
    /// The smallest difference that so many blocks show in four of five runs.
    pub detectable: Vec<Seen>,
    /// Fewest blocks that show a difference of 5 % in four of five runs; none where 1000 do not.
    pub blocks_to_see_5_percent: Option<u32>,
    /// Blocks whose 95 % interval is ±5 %.
    pub blocks_for_5_percent_half_width: u32,
}

/// What so many blocks show.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Seen {
    /// Blocks.
    pub blocks: usize,
    /// 0.035 for 3.5 %.
    pub difference: f64,
}

/// What a reader should know, by limits that are the reports' own.
pub(super) fn warnings(c: &Calibration) -> Vec<String> {
    use crate::units::{latency_ns, share, sig3};
    let mut out = Vec::new();
    for load in &c.schedule {
        let at = format!("at {}/s", sig3(load.offered_rps));
        if load.lag_p99_us > LAG_LIMIT_US {
            let lag = latency_ns(load.lag_p99_us * 1e3);
            out.push(format!(
                "the generator is late {at}: one request in a hundred by {lag} or more"
            ));
        }
        if load.dropped > 0 {
            out.push(format!("{at} Nginx alone does not keep up: {} dropped", load.dropped));
        }
    }
    if c.processor.spread > PROCESSOR_LIMIT {
        let spread = share(c.processor.spread);
        out.push(format!(
            "the processor scatters by {spread} at work that never changes: is it shared?"
        ));
    }
    if c.steal_share > STEAL_LIMIT {
        let stolen = share(c.steal_share);
        out.push(format!("other machines on this host took {stolen} of the processors' time"));
    }
    for figure in &c.noise.figures {
        let metric = figure.metric.replace('_', " ");
        if figure.n < crate::stats::FEWEST_BLOCKS {
            let n = figure.n;
            out.push(format!(
                "the scatter of {metric} is that of {n} blocks, which is hardly known"
            ));
        }
        if figure.sd_log > SCATTER_LIMIT {
            let scatter = share(figure.sd_log);
            out.push(format!(
                "{metric} of equal trials scatters by {scatter} here: quieten the machine"
            ));
        }
        if figure.ratio_low_99 > 1.0 || figure.ratio_high_99 < 1.0 {
            out.push(format!(
                "{metric} of a variant differs from itself here: its interval excludes 1"
            ));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    type Disturb = fn(&mut Calibration);

    fn quiet() -> Calibration {
        let lag = |rate: f64| Lag {
            offered_rps: rate,
            rate_rps: rate,
            sent: 3000,
            dropped: 0,
            lag_p50_us: 20.0,
            lag_p99_us: 90.0,
            lag_max_us: 400.0,
        };
        Calibration {
            format: FORMAT,
            querylab: "0".into(),
            finished_at: String::new(),
            machine: BTreeMap::new(),
            versions: BTreeMap::new(),
            window_s: 3.0,
            clock: ClockFigures {
                resolution_ns: 1,
                read_ns: 30.0,
                waits: 500,
                overshoot_p50_us: 60.0,
                overshoot_p99_us: 120.0,
                overshoot_max_us: 900.0,
            },
            processor: ProcessorFigures { rounds: 40, sha256_bytes_per_s: 1.6e9, spread: 0.01 },
            schedule: vec![lag(1000.0), lag(5000.0)],
            ceiling: Ceiling {
                users: 50,
                rate_rps: 90_000.0,
                cpu_per_request_us: 6.0,
                generator_cpu_share: 0.6,
            },
            steal_share: 0.001,
            noise: Noise {
                blocks: 8,
                figures: vec![NoiseFigure {
                    metric: "response_time_p50".into(),
                    n: 8,
                    ratio: 1.001,
                    ratio_low_99: 0.98,
                    ratio_high_99: 1.02,
                    sd_log: 0.015,
                    sd_log_low_95: 0.01,
                    sd_log_high_95: 0.03,
                    detectable: vec![Seen { blocks: 8, difference: 0.017 }],
                    blocks_to_see_5_percent: Some(6),
                    blocks_for_5_percent_half_width: 6,
                }],
            },
            warnings: Vec::new(),
        }
    }

    #[test]
    fn a_quiet_machine_gets_no_warning_and_each_disturbance_gets_one() {
        assert_eq!(warnings(&quiet()), Vec::<String>::new());
        let cases: [(&str, Disturb); 8] = [
            ("the generator is late at 5000/s", |c| c.schedule[1].lag_p99_us = 1500.0),
            ("does not keep up: 7 dropped", |c| c.schedule[0].dropped = 7),
            ("the processor scatters by 9.00%", |c| c.processor.spread = 0.09),
            ("took 5.00% of the processors' time", |c| c.steal_share = 0.05),
            ("that of 3 blocks", |c| c.noise.figures[0].n = 3),
            ("response time p50 of equal trials scatters by 12.0%", |c| {
                c.noise.figures[0].sd_log = 0.12;
            }),
            ("differs from itself", |c| c.noise.figures[0].ratio_low_99 = 1.001),
            ("differs from itself", |c| c.noise.figures[0].ratio_high_99 = 0.999),
        ];
        for (words, disturb) in cases {
            let mut c = quiet();
            disturb(&mut c);
            let told = warnings(&c);
            assert!(told.len() == 1 && told[0].contains(words), "{words}: {told:?}");
        }
    }
}
