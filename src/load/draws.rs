//! Values of a parameter: which key a request asks for, as a pure function of its stream and its place.

use std::sync::Arc;

use anyhow::{Context as _, ensure};

use super::dice::{Dice, Stream};
use super::keys::Keys;
use super::places::Place;
use super::zipf::Zipf;
use crate::plan::{DistributionPlan, DrawPlan};
use crate::rows::Rows;

/// Values of one parameter, request by request.
#[derive(Debug, Clone)]
pub(super) struct Draw {
    /// The parameter.
    pub(super) param: String,
    keys: Keys,
    order: Order,
}

/// Which rank comes when.
#[derive(Debug, Clone)]
enum Order {
    Uniform,
    Zipfian(Zipf),
    /// From this rank on, and around.
    Sequential(u64),
    /// So many hot ranks, and their share of the requests.
    HotSet(u64, f64),
}

impl Draw {
    /// The values of a parameter: which keys exist comes from `data_seed`, their order from `params_seed`.
    ///
    /// # Errors
    ///
    /// If keys are drawn from what is not there, or fewer exist than are wanted.
    pub(super) fn new(
        plan: &DrawPlan,
        tables: &[Arc<Rows>],
        data_seed: u64,
        params_seed: u64,
    ) -> anyhow::Result<Self> {
        let (wanted, in_order) = match &plan.distribution {
            DistributionPlan::Uniform { keys } => (*keys, false),
            DistributionPlan::Zipfian { keys, .. } | DistributionPlan::HotSet { keys, .. } => {
                (Some(*keys), false)
            }
            DistributionPlan::Sequential { keys } => (*keys, true),
        };
        let keys = Keys::new(&plan.source, wanted, in_order, tables, data_seed)?;
        let count = keys.count().unwrap_or(1);
        let order = match &plan.distribution {
            DistributionPlan::Uniform { .. } => Order::Uniform,
            DistributionPlan::Zipfian { exponent, .. } => {
                let zipf = Zipf::new(*exponent, count);
                Order::Zipfian(
                    zipf.with_context(|| format!("no Zipf law has exponent {exponent}"))?,
                )
            }
            // Each block starts elsewhere: the same keys again would find what the last block left in memory.
            DistributionPlan::Sequential { .. } => {
                Order::Sequential(Dice::new("sequential", params_seed).stream(0).below(count))
            }
            DistributionPlan::HotSet { hot_keys, hot_share, .. } => {
                ensure!(
                    (1..count).contains(hot_keys) && *hot_share > 0.0 && *hot_share < 1.0,
                    "{hot_keys} hot keys of {count} with {hot_share} of the requests are no hot set"
                );
                Order::HotSet(*hot_keys, *hot_share)
            }
        };
        Ok(Self { param: plan.param.clone(), keys, order })
    }

    /// The value of the request at `place`, drawn from `stream`.
    pub(super) fn text(&self, stream: &mut Stream, place: Place) -> String {
        let count = self.keys.count();
        let rank = match (&self.order, count) {
            (Order::Zipfian(zipf), _) => zipf.draw(stream) - 1,
            (Order::Sequential(first), Some(count)) => place.rank(*first, count),
            (Order::Uniform, Some(count)) => stream.below(count),
            (Order::HotSet(hot, share), Some(count)) => {
                // Ranks are no order of rows, so hot keys lie anywhere in the table.
                if stream.unit() <= *share {
                    stream.below(*hot)
                } else {
                    hot + stream.below(count - hot)
                }
            }
            (_, None) => 0,
        };
        self.keys.text(rank, stream)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::places::Part;
    use crate::plan::{DrawSource, FileValues};

    fn logged(values: &[&str]) -> Draw {
        let list: Arc<[String]> = values.iter().map(|v| (*v).to_owned()).collect();
        let values = FileValues { sha256: String::new(), count: list.len() as u64, list };
        let source = DrawSource::Log { file: "r.jsonl".into(), endpoint: None, values };
        let distribution = DistributionPlan::Sequential { keys: None };
        let plan = DrawPlan { param: "p".into(), source, distribution };
        Draw::new(&plan, &[], 1, 7).expect("values")
    }

    #[test]
    fn a_log_is_asked_for_in_its_order_and_parameters_of_one_log_stay_together() {
        let (first, second) = (logged(&["a", "b", "c", "d"]), logged(&["1", "2", "3", "4"]));
        let text = |draw: &Draw, part, n| {
            draw.text(&mut Dice::new("test", n).stream(n), Place { part, n })
        };
        let mut window = String::new();
        for n in 0..8 {
            for part in [Part::Check, Part::Fill, Part::Warmup, Part::Window] {
                let pair = text(&first, part, n) + &text(&second, part, n);
                assert!(["a1", "b2", "c3", "d4"].contains(&pair.as_str()), "{pair}");
            }
            window += &text(&first, Part::Window, n);
        }
        assert!("abcdabcdabcd".contains(&window), "{window}");
    }
}
