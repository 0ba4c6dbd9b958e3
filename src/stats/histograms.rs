//! Histograms of the kind that loads are recorded in, against the samples themselves: merging loses nothing, and a
//! quantile is the sample's to the promised digits.

use hdrhistogram::Histogram;
use proptest::prelude::*;

fn recorded(samples: &[u64]) -> Histogram<u64> {
    let mut histogram = Histogram::new(3).expect("three digits are allowed");
    for ns in samples {
        histogram.record(*ns).expect("the histogram grows");
    }
    histogram
}

fn samples() -> impl Strategy<Value = Vec<u64>> {
    // From 1 µs to 100 s, evenly on logarithms.
    prop::collection::vec((3.0..11.0_f64).prop_map(ns), 1..400)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "under 10^11")]
fn ns(decade: f64) -> u64 {
    10_f64.powf(decade) as u64
}

proptest! {
    #[test]
    fn two_merged_are_the_one_of_all_samples(a in samples(), b in samples()) {
        let mut merged = recorded(&a);
        merged.add(recorded(&b)).expect("the histogram grows");
        let all = recorded(&[a, b].concat());
        prop_assert_eq!(&merged, &all);
        prop_assert_eq!(merged.len(), all.len());
        for q in [0.0, 0.5, 0.9, 0.99, 0.999, 1.0] {
            prop_assert_eq!(merged.value_at_quantile(q), all.value_at_quantile(q));
        }
    }

    #[test]
    fn a_quantile_is_that_of_the_sorted_samples(mut a in samples(), rank in 0.0..1.0_f64) {
        let histogram = recorded(&a);
        a.sort_unstable();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rank")]
        let k = ((rank * a.len() as f64) as usize).min(a.len() - 1);
        // The quantile in the middle of a sample's share, so that rounding does not choose its neighbour.
        let got = histogram.value_at_quantile((k as f64 + 0.5) / a.len() as f64) as f64;
        let exact = a[k] as f64;
        prop_assert!((got / exact - 1.0).abs() <= 1e-3, "{got} is not {exact}");
    }
}
