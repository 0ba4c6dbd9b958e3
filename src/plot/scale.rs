//! From values to pixels, and where the ticks stand.

/// A straight or a logarithmic scale.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scale {
    is_log: bool,
    low: f64,
    high: f64,
    from: f64,
    to: f64,
}

/// Most ticks that are ever asked for; a bound for loops.
const MOST: usize = 40;

impl Scale {
    /// Equal steps: values `low` to `high` on pixels `from` to `to`. Equal ends are drawn apart.
    pub fn linear((low, high): (f64, f64), (from, to): (f64, f64)) -> Self {
        let high = if high > low { high } else { low + 1.0 };
        Self { is_log: false, low, high, from, to }
    }

    /// Equal factors. Values must be positive; equal ends are drawn apart.
    pub fn log((low, high): (f64, f64), (from, to): (f64, f64)) -> Self {
        let low = if low > 0.0 { low } else { f64::MIN_POSITIVE };
        let high = if high > low { high } else { low * 2.0 };
        Self { is_log: true, low, high, from, to }
    }

    /// The pixel of a value. What is outside lands at the nearer end.
    pub fn at(&self, value: f64) -> f64 {
        let value = value.clamp(self.low, self.high);
        let share = if self.is_log {
            (value / self.low).ln() / (self.high / self.low).ln()
        } else {
            (value - self.low) / (self.high - self.low)
        };
        self.from + share * (self.to - self.from)
    }

    /// Whether a value is on it.
    pub fn holds(&self, value: f64) -> bool {
        (self.low..=self.high).contains(&value)
    }

    /// The pixels of both ends.
    pub fn ends(&self) -> (f64, f64) {
        (self.from, self.to)
    }

    /// At most so many round values on it.
    pub fn ticks(&self, most: usize) -> Vec<f64> {
        let most = most.clamp(2, MOST);
        if self.is_log && self.high / self.low > 6.0 {
            self.factors(most)
        } else {
            self.steps(most)
        }
    }

    fn steps(&self, most: usize) -> Vec<f64> {
        let raw = (self.high - self.low) / most as f64;
        let decade = 10f64.powf(raw.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0]
            .map(|m| m * decade)
            .into_iter()
            .find(|step| *step >= raw * 0.999_999)
            .unwrap_or(decade * 10.0);
        let first = (self.low / step - 1e-9).ceil();
        let values = (0..=MOST).map(|i| (first + i as f64) * step);
        values.take_while(|v| *v <= self.high + step * 1e-9).collect()
    }

    fn factors(&self, most: usize) -> Vec<f64> {
        const SETS: [&[f64]; 4] =
            [&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0], &[1.0, 2.0, 5.0], &[1.0, 3.0], &[1.0]];
        let (first, last) = (self.low.log10().floor(), self.high.log10().ceil());
        let within = |mantissas: &[f64], every: usize| -> Vec<f64> {
            let decades = (0..400_usize).step_by(every).map(|i| first + i as f64);
            decades
                .take_while(|e| *e <= last)
                .flat_map(|e| mantissas.iter().map(move |m| m * 10f64.powf(e)))
                .filter(|v| *v >= self.low * 0.999_999 && *v <= self.high * 1.000_001)
                .collect()
        };
        let dense = SETS.iter().map(|set| within(set, 1));
        let sparse = (2..=100).map(|every| within(&[1.0], every));
        dense.chain(sparse).find(|ticks| ticks.len() <= most).unwrap_or_default()
    }
}

/// A number with its unit, shorter: `1.00 ms` becomes `1 ms`, `0.800×` becomes `0.8×`.
pub fn short(text: &str) -> String {
    let is_number = |c: char| c.is_ascii_digit() || matches!(c, '.' | ',' | '-');
    let end = text.find(|c: char| !is_number(c)).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    if !number.contains('.') {
        return text.to_owned();
    }
    format!("{}{unit}", number.trim_end_matches('0').trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn plain(x: f64) -> String {
        short(&crate::units::sig3(x))
    }

    fn said(scale: Scale, most: usize) -> Vec<String> {
        scale.ticks(most).into_iter().map(plain).collect()
    }

    #[test]
    fn ticks_are_round() {
        let to = (0.0, 100.0);
        assert_eq!(said(Scale::linear((0.0, 9.3), to), 5), ["0", "2", "4", "6", "8"]);
        assert_eq!(said(Scale::linear((-3.7, 5.0), to), 6), ["-2", "0", "2", "4"]);
        assert_eq!(said(Scale::log((80.0, 3000.0), to), 6), ["100", "200", "500", "1000", "2000"]);
        assert_eq!(
            said(Scale::log((50.0, 4e7), to), 7),
            ["100", "1000", "10000", "100000", "1000000", "10000000"]
        );
        assert_eq!(
            said(Scale::log((0.62, 1.31), to), 8),
            ["0.7", "0.8", "0.9", "1", "1.1", "1.2", "1.3"]
        );
    }

    #[test]
    fn a_tick_is_short() {
        for (text, want) in [
            ("1.00 ms", "1 ms"),
            ("0.800×", "0.8×"),
            ("100 µs", "100 µs"),
            ("12,800/s", "12,800/s"),
            ("1.50 s", "1.5 s"),
            ("-5.00 s", "-5 s"),
        ] {
            assert_eq!(short(text), want);
        }
    }

    proptest! {
        #[test]
        fn any_scale_has_few_ticks_on_itself_and_stays_within_its_pixels(
            low in 1e-6..1e6_f64, factor in 1.0001..1e9_f64, most in 2..12_usize, is_log in any::<bool>(), x in 0.0..1e12_f64
        ) {
            let ends = (low, low * factor);
            let scale = if is_log { Scale::log(ends, (10.0, 90.0)) } else { Scale::linear(ends, (10.0, 90.0)) };
            let ticks = scale.ticks(most);
            prop_assert!(ticks.len() <= most + 1, "{:?}", ticks);
            for tick in ticks {
                let slack = low * (factor - 1.0) * 1e-6;
                prop_assert!(tick >= low - slack && tick <= low * factor + slack);
            }
            prop_assert!((9.999..=90.001).contains(&scale.at(x)));
        }
    }
}
