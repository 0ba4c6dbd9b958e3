//! Figures in the words of services that keep series of them. Ratios come with their intervals; absolute figures with
//! the machine that they are of.

use serde_json::{Map, Value, json};

use super::figures::machine;
use crate::report::cells::cell;
use crate::report::compared::comparisons;
use crate::report::values::name;
use crate::results::Results;
use crate::spec::{Better, Metric, Unit};

/// In whose words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// `benchmark-action/github-action-benchmark`, `customSmallerIsBetter`: a list, without what is better when it is more.
    GithubActionBenchmark,
    /// Bencher Metric Format: name to measure to value and bounds.
    Bencher,
}

/// Metrics that are exported where a cell has them.
const METRICS: [Metric; 4] =
    [Metric::ResponseTimeP50, Metric::ResponseTimeP95, Metric::Throughput, Metric::MaxRate];

struct Figure {
    name: String,
    metric: Metric,
    unit: &'static str,
    value: f64,
    bounds: Option<(f64, f64)>,
}

/// The figures of a run.
pub fn exported(results: &Results, service: Service) -> Value {
    let figures = figures(results);
    match service {
        Service::GithubActionBenchmark => {
            let smaller = figures.iter().filter(|f| f.metric.better() == Better::Lower);
            smaller.map(of_action).collect()
        }
        Service::Bencher => {
            let mut all = Map::new();
            for figure in &figures {
                let measures = all.entry(figure.name.clone()).or_insert_with(|| json!({}));
                measures[measure(figure)] = of_bencher(figure);
            }
            Value::Object(all)
        }
    }
}

fn figures(results: &Results) -> Vec<Figure> {
    // Absolute figures of two machines are two series.
    let machine = match machine(results) {
        unknown if unknown.is_empty() => "unknown".to_owned(),
        known => known,
    };
    // As do those of two sizes.
    let id = format!("{}/{}", results.plan.experiment.id, results.plan.profile);
    let metrics = exported_metrics(results);
    let mut all = Vec::new();
    for plan in &results.plan.cells {
        let Some(own) = cell(results, &plan.variant, &plan.load) else { continue };
        for &metric in &metrics {
            let Ok(value) = own.value(metric) else { continue };
            all.push(Figure {
                name: format!("{id}/{}/{} (machine {machine})", plan.variant, plan.load),
                metric,
                unit: unit(metric),
                value: value.mean,
                bounds: value.interval.map(|i| (i.low, i.high)),
            });
        }
    }
    let baseline = &results.plan.design.baseline;
    for compared in comparisons(results) {
        let Some(comparison) = compared.comparison.filter(|_| metrics.contains(&compared.metric))
        else {
            continue;
        };
        all.push(Figure {
            name: format!("{id}/{} over {baseline}/{}", compared.variant, compared.load),
            metric: compared.metric,
            unit: "ratio",
            value: comparison.ratio,
            bounds: comparison.spread.map(|s| (s.interval.low, s.interval.high)),
        });
    }
    all
}

/// The usual ones, and the one that the experiment is about.
fn exported_metrics(results: &Results) -> Vec<Metric> {
    let mut all = METRICS.to_vec();
    let primary = results.plan.design.primary_metric;
    if !all.contains(&primary) {
        all.push(primary);
    }
    all
}

fn unit(metric: Metric) -> &'static str {
    match metric.unit() {
        Unit::Micros => "us",
        Unit::Bytes => "bytes",
        Unit::PerSecond => "requests/s",
        Unit::BytesPerSecond => "bytes/s",
        Unit::Share => "share",
        Unit::CoreShare => "cores",
        Unit::Number => "number",
    }
}

fn of_action(figure: &Figure) -> Value {
    let mut entry = json!({
        "name": format!("{}: {}", figure.name, name(figure.metric)),
        "unit": figure.unit,
        "value": figure.value,
    });
    if let Some((low, high)) = figure.bounds {
        entry["range"] = format!("{low} to {high}").into();
    }
    entry
}

/// A measure of Bencher has one unit, which its name tells: ratios are one of their own.
fn measure(figure: &Figure) -> String {
    let unit = match figure.unit {
        "requests/s" => "rps",
        "bytes/s" => "bytes-per-second",
        unit => unit,
    };
    format!("{}-{unit}", figure.metric.name().replace('_', "-"))
}

fn of_bencher(figure: &Figure) -> Value {
    let mut entry = json!({ "value": figure.value });
    if let Some((low, high)) = figure.bounds {
        entry["lower_value"] = low.into();
        entry["upper_value"] = high.into();
    }
    entry
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture::results;

    #[test]
    fn each_service_gets_its_own_shape() {
        let action = exported(&results(), Service::GithubActionBenchmark);
        let list = action.as_array().expect("a list");
        assert!(list.len() > 20);
        for entry in list {
            assert!(
                entry["name"].is_string() && entry["unit"].is_string() && entry["value"].is_f64(),
                "{entry}"
            );
        }
        assert!(!action.to_string().contains("throughput"), "more of it is better");
        let is_of_a_machine = |name: &str| name.contains("(machine ") != name.contains(" over ");
        assert!(list.iter().all(|entry| is_of_a_machine(entry["name"].as_str().unwrap_or(""))));
        let bencher = exported(&results(), Service::Bencher);
        let one = &bencher["0001-email-lookup/full/cached over btree/unloaded"]["response-time-p50-ratio"];
        let value = |key: &str| one[key].as_f64().unwrap_or_default();
        assert!(
            value("lower_value") < value("value") && value("value") < value("upper_value"),
            "{one}"
        );
    }
}
