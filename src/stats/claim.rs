//! Claims: whether an interval holds what a sentence says.

use crate::stats::Interval;

/// What became of a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Held {
    /// All of the interval is within the limits.
    Supported,
    /// All of it is outside.
    Refuted,
    /// It straddles a limit, or there is no interval.
    Inconclusive,
}

impl Held {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Supported => "supported",
            Self::Refuted => "refuted",
            Self::Inconclusive => "inconclusive",
        }
    }
}

/// Judges a measured interval by the limits, which are both inclusive; a limit left out is infinite.
///
/// An interval that holds both limits in it (wider than what is claimed) is inconclusive: it neither lies within
/// nor outside.
pub fn hold(measured: Interval, low: Option<f64>, high: Option<f64>) -> Held {
    let limits =
        Interval { low: low.unwrap_or(f64::NEG_INFINITY), high: high.unwrap_or(f64::INFINITY) };
    if measured.low.is_nan() || measured.high.is_nan() {
        Held::Inconclusive
    } else if measured.within(limits) {
        Held::Supported
    } else if measured.high < limits.low || measured.low > limits.high {
        Held::Refuted
    } else {
        Held::Inconclusive
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_interval_within_supports_outside_refutes_and_across_is_inconclusive() {
        let cases = [
            ((6.1, 9.9), Some(6.0), Some(10.0), "supported"),
            ((6.0, 10.0), Some(6.0), Some(10.0), "supported"),
            ((1.0, 5.9), Some(6.0), Some(10.0), "refuted"),
            ((1.0, 6.0), Some(6.0), Some(10.0), "inconclusive"),
            ((10.0, 11.0), Some(6.0), Some(10.0), "inconclusive"),
            ((6.1, f64::NAN), Some(6.0), None, "inconclusive"),
            ((10.1, 11.0), Some(6.0), Some(10.0), "refuted"),
            ((5.0, 7.0), Some(6.0), Some(10.0), "inconclusive"),
            ((1.0, 99.0), Some(6.0), Some(10.0), "inconclusive"),
            ((0.95, 0.97), Some(0.94), None, "supported"),
            ((0.90, 0.93), Some(0.94), None, "refuted"),
            ((0.0, 0.93), None, Some(0.94), "supported"),
            ((f64::NAN, 7.0), Some(6.0), Some(10.0), "inconclusive"),
        ];
        for ((low, high), at_least, at_most, want) in cases {
            let got = hold(Interval { low, high }, at_least, at_most);
            assert_eq!(got.word(), want, "{low} to {high}");
        }
    }

    #[test]
    fn both_ends_are_in_an_interval() {
        let i = Interval { low: 0.5, high: 4.0 };
        assert!(i.contains(0.5) && i.contains(4.0) && !i.contains(0.49) && !i.contains(4.1));
        assert!(i.within(i) && !i.within(Interval { low: 0.6, ..i }));
        assert!(!i.within(Interval { high: 3.9, ..i }));
        assert_eq!(i.inverted(), Interval { low: 0.25, high: 2.0 });
    }

    proptest! {
        #[test]
        fn a_narrower_interval_never_overturns(
            low in -1e3..1e3_f64, width in 0.0..1e3_f64, a in -1e3..1e3_f64, b in 0.0..1e3_f64,
            from in 0.0..1.0_f64, to in 0.0..1.0_f64,
        ) {
            let wide = Interval { low, high: low + width };
            let (from, to) = (from.min(to), from.max(to));
            let narrow = Interval { low: low + from * width, high: low + to * width };
            let limits = (Some(a), Some(a + b));
            let was = hold(wide, limits.0, limits.1);
            if was != Held::Inconclusive && narrow.within(wide) {
                prop_assert_eq!(hold(narrow, limits.0, limits.1), was);
            }
        }
    }
}
