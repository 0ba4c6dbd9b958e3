//! What of a run goes into its history: the primary metric of every variant, and its ratio to the baseline.

use crate::report::cells::{cell, compare};
use crate::report::values::orientation;
use crate::results::{Results, lasting, sha256_hex};
use crate::stats::Question;

/// Digits that are kept: more are noise.
const DIGITS: i32 = 6;

/// Further columns of `history.csv`: the machine as a digest, and figures as `name=value` joined by `;`.
///
/// `btree:unloaded:response_time_p50` is a value in the metric's unit, `cached/btree:…` a ratio to the baseline.
pub fn kept_figures(results: &Results) -> Vec<(&'static str, String)> {
    let figures: Vec<String> =
        figures(results).into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    vec![("machine", machine(results)), ("figures", figures.join(";"))]
}

/// Same digest, same machine, as far as it can be told. Empty where nothing is known of it.
pub(super) fn machine(results: &Results) -> String {
    let lasting = lasting(&results.manifest.host);
    if lasting.is_empty() {
        return String::new();
    }
    let json = serde_json::to_vec(&lasting).expect("a map of texts is JSON");
    sha256_hex(&json)[..12].to_owned()
}

fn figures(results: &Results) -> Vec<(String, f64)> {
    let design = &results.plan.design;
    let (metric, load) = (design.primary_metric, design.primary_load.as_str());
    let what = format!("{load}:{}", metric.name());
    let mut all = Vec::new();
    for variant in results.plan.variants.iter().map(|v| v.name.as_str()) {
        let Some(own) = cell(results, variant, load) else { continue };
        if own.is_incorrect() {
            continue;
        }
        if let Ok(value) = own.value(metric) {
            all.push((format!("{variant}:{what}"), rounded(value.mean)));
        }
        let baseline = cell(results, &design.baseline, load).filter(|_| variant != design.baseline);
        let Some(pairs) = baseline.and_then(|b| own.pairs(&b, metric).ok()) else { continue };
        let question = Question {
            orientation: orientation(metric),
            confidence: design.confidence,
            margin: design.margin,
            family: 1,
        };
        if let Ok(compared) = compare(results, &pairs, question) {
            all.push((format!("{variant}/{}:{what}", design.baseline), rounded(compared.ratio)));
        }
    }
    all
}

/// So many digits, so that another order of additions on another processor makes no other row.
fn rounded(value: f64) -> f64 {
    if value <= 0.0 || !value.is_finite() {
        return value;
    }
    #[expect(clippy::cast_possible_truncation, reason = "the exponent of a finite number is small")]
    let scale = 10_f64.powi(DIGITS - 1 - value.log10().floor() as i32);
    (value * scale).round() / scale
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture::results;

    #[test]
    fn a_history_keeps_values_and_ratios_under_their_names() {
        let columns = kept_figures(&results());
        let [("machine", machine), ("figures", figures)] = columns.as_slice() else {
            panic!("two columns: {columns:?}");
        };
        assert_eq!(machine.len(), 12);
        assert_eq!(figures.split(';').count(), 9, "five values, four ratios: {figures}");
        assert!(figures.contains("cached/btree:unloaded:response_time_p50=0.5"), "{figures}");
        assert!((rounded(123_456.789) - 123_457.0).abs() < 1e-9);
    }

    #[test]
    fn the_load_of_the_machine_makes_it_no_other_machine() {
        let mut busy = results();
        busy.manifest.host.insert("load_average_before".into(), "9".into());
        assert_eq!(machine(&busy), machine(&results()));
        busy.manifest.host.insert("cores".into(), "64".into());
        assert_ne!(machine(&busy), machine(&results()));
    }
}
