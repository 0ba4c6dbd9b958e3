//! A metric's value in one trial, why there is none, and how it is printed.

use super::breakdown::Part;
use crate::plan::{LoadPlan, ModelPlan};
use crate::results::{Outcome, TrialRecord, Window, Witness};
use crate::spec::{Better, Metric, Unit};
use crate::stats::{Orientation, Scale, Verdict, Why, Withheld, samples_needed};
use crate::units::{bytes, count, latency_ns, share, sig3};

/// Why there is no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Missing {
    /// The cell is not part of the design.
    NotRun,
    /// No trial of it is valid.
    NoTrials,
    /// The trial did not record it.
    NotMeasured,
    /// A quantile needs more samples.
    FewSamples(u64),
    /// The quantile lies among failed requests.
    AmongFailures,
    /// Requests were dropped: the latency is not that of the offered load.
    Saturated,
}

impl Missing {
    /// In a cell of a table.
    pub(super) fn text(self) -> String {
        match self {
            Self::NotRun => "not run".into(),
            Self::NoTrials => "failed".into(),
            Self::NotMeasured => "n/a".into(),
            Self::FewSamples(needed) => format!("n/a (needs {} samples)", count(needed)),
            Self::AmongFailures => "∞ (failures)".into(),
            Self::Saturated => Verdict::Withheld(Withheld::Saturated).word().into(),
        }
    }

    /// As the reason of a verdict.
    pub(super) fn why(self) -> Why {
        match self {
            Self::NotRun => Why::NotRun,
            Self::NoTrials => Why::FewBlocks { valid: 0 },
            Self::FewSamples(needed) => Why::FewSamples { needed },
            Self::AmongFailures => Why::AmongFailures,
            Self::NotMeasured | Self::Saturated => Why::Undefined,
        }
    }
}

/// Whether it is a latency, which means nothing where requests were dropped.
pub(super) fn is_latency(metric: Metric) -> bool {
    quantile(metric).is_some()
        || matches!(metric, Metric::ResponseTimeMax | Metric::ResponseTimeMean)
        || Part::of(metric).is_some()
}

/// Its name for people: `p95 response time`.
pub(super) fn name(metric: Metric) -> String {
    metric.name().replace('_', " ")
}

/// How its trial values are averaged.
pub(super) fn scale(metric: Metric) -> Scale {
    match metric.unit() {
        // Parts of a whole are added, and a difference may be negative.
        _ if Part::of(metric).is_some() => Scale::Linear,
        Unit::Micros | Unit::Bytes | Unit::PerSecond | Unit::BytesPerSecond => Scale::Log,
        Unit::Share | Unit::CoreShare | Unit::Number => Scale::Linear,
    }
}

/// Which way is better, in the words of the statistics.
pub(super) fn orientation(metric: Metric) -> Orientation {
    match metric.better() {
        Better::Lower => Orientation::LowerIsBetter,
        Better::Higher => Orientation::HigherIsBetter,
    }
}

/// A value with its unit, three digits.
pub(super) fn show(metric: Metric, value: f64) -> String {
    match metric.unit() {
        Unit::Micros => latency_ns(value * 1e3),
        Unit::Bytes => bytes(value),
        Unit::PerSecond => format!("{}/s", digits(value)),
        Unit::BytesPerSecond => format!("{}/s", bytes(value)),
        Unit::Share | Unit::CoreShare => share(value),
        Unit::Number => digits(value),
    }
}

/// Three digits, and a large number in groups: `570,000`.
pub(super) fn digits(value: f64) -> String {
    let text = sig3(value);
    text.parse().map_or(text, count)
}

/// The value of a trial that is valid; data metrics are not of trials.
pub(super) fn of_trial(metric: Metric, trial: &TrialRecord) -> Result<f64, Missing> {
    let window = trial.window.as_ref().ok_or(Missing::NotMeasured)?;
    if is_latency(metric) && trial.outcome == Outcome::Overloaded {
        return Err(Missing::Saturated);
    }
    if let Some(part) = Part::of(metric) {
        return part.of_trial(trial).ok_or(Missing::NotMeasured);
    }
    match metric {
        Metric::Throughput => Ok(window.rate_rps),
        Metric::MaxRate => window.max_rate_rps.ok_or(Missing::NotMeasured),
        Metric::ErrorRatio => per(window.failed as f64, window.due),
        Metric::CacheHitRatio => hit_ratio(window),
        Metric::StaleRatio => stale_ratio(window),
        _ if is_latency(metric) => latency(metric, window),
        _ => counted(metric, window, trial.witness.as_ref().ok_or(Missing::NotMeasured)?),
    }
}

fn per(sum: f64, requests: u64) -> Result<f64, Missing> {
    if requests == 0 { Err(Missing::NotMeasured) } else { Ok(sum / requests as f64) }
}

/// Answers by the cache over answers that asked it; those that went past it did not ask.
fn hit_ratio(window: &Window) -> Result<f64, Missing> {
    let of = |word: &str| window.cache.get(word).copied().unwrap_or(0);
    per(of("hit") as f64, of("hit") + of("miss") + of("error"))
}

/// Stale answers over those that were compared with the writes before them.
fn stale_ratio(window: &Window) -> Result<f64, Missing> {
    per(window.stale.unwrap_or(0) as f64, window.dated.unwrap_or(0))
}

fn quantile(metric: Metric) -> Option<u32> {
    match metric {
        Metric::ResponseTimeP50 | Metric::ServiceTimeP50 => Some(500),
        Metric::ResponseTimeP90 | Metric::ServiceTimeP90 => Some(900),
        Metric::ResponseTimeP95 | Metric::ServiceTimeP95 => Some(950),
        Metric::ResponseTimeP99 | Metric::ServiceTimeP99 => Some(990),
        Metric::ResponseTimeP999 => Some(999),
        _ => None,
    }
}

fn latency(metric: Metric, window: &Window) -> Result<f64, Missing> {
    let value = window.latency_us(metric);
    if let Some(per_mille) = quantile(metric) {
        let needed = samples_needed(per_mille);
        // Failures count as samples that took for ever: with enough of both and no value, it lies among them.
        match value {
            _ if window.sent < needed => return Err(Missing::FewSamples(needed)),
            None if window.failed > 0 => return Err(Missing::AmongFailures),
            _ => {}
        }
    }
    value.ok_or(Missing::NotMeasured)
}

fn counted(metric: Metric, window: &Window, witness: &Witness) -> Result<f64, Missing> {
    let cpu = |component: &str| {
        let used = witness.resources.get(component).ok_or(Missing::NotMeasured)?;
        per(used.cpu_us as f64, window.sent)
    };
    let share = |component: &str| {
        let used = witness.resources.get(component).ok_or(Missing::NotMeasured)?;
        per(used.cpu_us as f64 * 1e3, window.duration_ns)
    };
    let memory = |component: &str| {
        let used = witness.resources.get(component).ok_or(Missing::NotMeasured)?;
        used.pss_bytes.map(|bytes| bytes as f64).ok_or(Missing::NotMeasured)
    };
    let known = |sum: Option<u64>| {
        sum.ok_or(Missing::NotMeasured).and_then(|sum| per(sum as f64, witness.api_requests))
    };
    match metric {
        Metric::PostgresCpuShare => share("postgres"),
        Metric::RedisCpuShare => share("redis"),
        Metric::NginxCpuShare => share("nginx"),
        Metric::ApiCpuShare => share("api"),
        Metric::PostgresPssBytes => memory("postgres"),
        Metric::RedisPssBytes => memory("redis"),
        Metric::NginxPssBytes => memory("nginx"),
        Metric::ApiPssBytes => memory("api"),
        Metric::NetworkRate => network_rate(window, witness),
        // Of somebody else's Postgres none of its counts is known.
        Metric::IndexScansPerRequest if witness.buffers_hit.is_none() => Err(Missing::NotMeasured),
        Metric::IndexScansPerRequest => per(
            witness.index_scans.values().sum::<u64>() as f64,
            witness.api_requests.saturating_sub(witness.api_cache_hits),
        ),
        Metric::BuffersPerRequest => {
            known(witness.buffers_hit.zip(witness.buffers_read).map(|(hit, read)| hit + read))
        }
        Metric::StatementsPerRequest => per(witness.api_statements as f64, witness.api_requests),
        Metric::TempBytesPerRequest => known(witness.temp_bytes),
        Metric::WalBytesPerRequest => known(witness.wal_bytes),
        Metric::RedisOperationsPerRequest => known(witness.redis_operations),
        Metric::PostgresCpuPerRequest => cpu("postgres"),
        Metric::ApiCpuPerRequest => cpu("api"),
        Metric::RedisCpuPerRequest => cpu("redis"),
        Metric::NginxCpuPerRequest => cpu("nginx"),
        _ => Err(Missing::NotMeasured),
    }
}

/// Between clients and Nginx, both directions.
fn network_rate(window: &Window, witness: &Witness) -> Result<f64, Missing> {
    let client = witness.resources.get("generator").ok_or(Missing::NotMeasured)?;
    let moved = client.net_received_bytes.zip(client.net_sent_bytes);
    let (received, sent) = moved.ok_or(Missing::NotMeasured)?;
    per((received + sent) as f64 * 1e9, window.duration_ns)
}

/// How a load arrives, in a phrase.
pub(super) fn arrives(plan: &LoadPlan) -> String {
    let per = match plan.model {
        ModelPlan::Closed { .. } => " users",
        ModelPlan::Open { .. } => "/s",
    };
    let level = |level: f64| format!("{}{per}", digits(level));
    let stages: Vec<String> = plan
        .stages
        .iter()
        .map(|stage| {
            let span = crate::units::Span(stage.duration_ns);
            if stage.from.total_cmp(&stage.to).is_eq() {
                format!("{span} at {}", level(stage.from))
            } else {
                format!("{span} from {} to {}", digits(stage.from), level(stage.to))
            }
        })
        .collect();
    let mut text = model(&plan.model);
    match plan.processors {
        None => {}
        Some(1) => text += ", generator and servers on 1 processor",
        Some(count) => text = format!("{text}, generator and servers on {count} processors"),
    }
    if !stages.is_empty() {
        text = format!("{text} at first: {}", stages.join(", then "));
    }
    if let Some(search) = &plan.search {
        text = format!(
            "{text} at first; the highest rate up to {} that keeps {} at {} is looked for, and the window is driven at it",
            level(search.most_per_s),
            name(search.metric),
            latency_ns(search.at_most_ns as f64),
        );
    }
    text
}

fn model(model: &ModelPlan) -> String {
    match model {
        ModelPlan::Closed { users: 1, .. } => "closed loop, 1 user".into(),
        ModelPlan::Closed { users, .. } => format!("closed loop, {users} users"),
        ModelPlan::Open { rate_per_s, arrival, max_in_flight, connections } => {
            let arrival = match arrival {
                crate::spec::Arrival::Poisson => "Poisson arrivals",
                crate::spec::Arrival::Constant => "equal gaps",
            };
            let most = match connections {
                None => format!("at most {max_in_flight} under way"),
                Some(most) => format!("on {most} connections, at most {max_in_flight} waiting"),
            };
            format!("open loop, {rate_per_s}/s, {arrival}, {most}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stale_answers_are_a_share_of_those_that_were_compared() {
        let window = |dated, stale| Window { answered: 999, dated, stale, ..Window::default() };
        assert_eq!(stale_ratio(&window(Some(200), Some(3))), Ok(0.015));
        assert_eq!(stale_ratio(&window(Some(200), Some(0))), Ok(0.0));
        assert_eq!(stale_ratio(&window(None, None)), Err(Missing::NotMeasured));
    }
}
