//! Numbers of a range by their shape: even, a bell, falling, or Zipf's.
//!
//! The bell is Marsaglia's polar method, the fall an inverted distribution; both are cut at the ends of the range by
//! drawing again, and need no more than `math` has, so they are the same everywhere.

use super::draw::{Key, mix, real, unit, whole};
use super::math::{exp, ln};
use super::shapes::Shape;
use super::value::Value;
use super::zipf::Zipf;

/// Draws of a bell before its middle is taken; at least one in four succeeds.
const MOST_TRIES: u64 = 256;
/// Whole numbers that a 64-bit float still holds exactly.
const EXACT: i64 = 1 << 53;
/// Powers of ten by the number of digits after the point.
const TENS: [f64; 10] = [1.0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9];

/// Numbers from one to another.
#[derive(Debug, Clone)]
enum Draw {
    Even,
    Bell {
        mean: f64,
        deviation: f64,
    },
    /// From the smallest: the mean distance, and the share of the whole that lies in the range.
    Fall {
        mean: f64,
        share: f64,
    },
    Zipf(Zipf),
}

impl Draw {
    /// For numbers from `low` to `high`, in the units of both.
    fn new(shape: Shape, low: f64, high: f64) -> Result<Self, String> {
        Ok(match shape {
            Shape::Uniform => Self::Even,
            Shape::Normal { mean, deviation } => {
                if !((low..=high).contains(&mean) && deviation > 0.0 && deviation <= high - low) {
                    return Err(format!("no bell around {mean} with a deviation of {deviation}"));
                }
                Self::Bell { mean, deviation }
            }
            Shape::Exponential { mean } => {
                let mean = mean - low;
                if !(mean > 0.0 && mean.is_finite()) {
                    return Err("the mean is not above the smallest number".into());
                }
                Self::Fall { mean, share: 1.0 - exp(-(high - low) / mean) }
            }
            Shape::Zipfian { exponent } => {
                if !(exponent > 0.0 && exponent <= 20.0) {
                    return Err(format!("an exponent of {exponent} is not above 0 and up to 20"));
                }
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "ranges are below 2^54, and the cast saturates"
                )]
                let count = (high - low).max(1.0) as u64;
                Self::Zipf(Zipf::new(count, exponent))
            }
        })
    }

    /// A number from `low` to `high`, `high` not included.
    fn place(&self, low: f64, high: f64, key: Key, row: u64) -> f64 {
        match self {
            Self::Even => real(low, high, mix(key, row, 0)),
            Self::Bell { mean, deviation } => {
                let x = bell(*mean, *deviation, low, high, |lane| unit(mix(key, row, lane)));
                if x < high { x } else { high.next_down() }
            }
            Self::Fall { mean, share } => {
                let x = low - mean * ln(1.0 - unit(mix(key, row, 0)) * share);
                if x < high { x } else { high.next_down() }
            }
            Self::Zipf(zipf) => low + zipf.rank(key, row, 0) as f64,
        }
    }
}

fn bell(mean: f64, deviation: f64, low: f64, high: f64, drawn: impl Fn(u64) -> f64) -> f64 {
    for pair in 0..MOST_TRIES {
        let a = 2.0 * drawn(2 * pair) - 1.0;
        let b = 2.0 * drawn(2 * pair + 1) - 1.0;
        let square = a * a + b * b;
        if square < 1.0 && square > 0.0 {
            let x = mean + deviation * a * (-2.0 * ln(square) / square).sqrt();
            if x >= low && x < high {
                return x;
            }
        }
    }
    mean
}

/// Whole numbers and decimals, both ends included.
#[derive(Debug, Clone)]
pub(super) struct Numbers {
    min: i64,
    max: i64,
    scale: u32,
    draw: Draw,
}

impl Numbers {
    /// `min` and `max` are in units of the last digit, the shape's mean and deviation in values.
    pub(super) fn new(min: i64, max: i64, scale: u32, shape: Shape) -> Result<Self, String> {
        let Some(ten) = TENS.get(scale as usize) else {
            return Err(format!("{scale} digits after the point are more than 9"));
        };
        if min > max || min < -EXACT || max > EXACT {
            return Err(format!("{min} to {max} is no range of numbers within 2^53"));
        }
        let shape = match shape {
            Shape::Normal { mean, deviation } => {
                Shape::Normal { mean: mean * ten, deviation: deviation * ten }
            }
            Shape::Exponential { mean } => Shape::Exponential { mean: mean * ten },
            even => even,
        };
        let draw = Draw::new(shape, min as f64, max as f64 + 1.0)?;
        Ok(Self { min, max, scale, draw })
    }

    /// The number of a row, in units of the last digit.
    pub(super) fn units(&self, key: Key, row: u64) -> i64 {
        let (low, high) = (self.min as f64, self.max as f64);
        let x = match &self.draw {
            Draw::Even => {
                return whole(self.min, self.max.abs_diff(self.min) + 1, mix(key, row, 0));
            }
            // Halves belong to the nearest number, so that the bell's middle is its mean.
            bell @ Draw::Bell { .. } => bell.place(low - 0.5, high + 0.5, key, row) + 0.5,
            other => other.place(low, high + 1.0, key, row),
        };
        #[expect(clippy::cast_possible_truncation, reason = "within 2^53")]
        let units = x.floor() as i64;
        units.clamp(self.min, self.max)
    }

    /// Whether they have no digits after the point.
    pub(super) fn are_whole(&self) -> bool {
        self.scale == 0
    }

    /// The same as a value.
    pub(super) fn value(&self, key: Key, row: u64) -> Value<'static> {
        let units = self.units(key, row);
        if self.scale == 0 { Value::Int(units) } else { Value::Decimal(units, self.scale) }
    }
}

/// Numbers with a fraction, the largest not included.
#[derive(Debug, Clone)]
pub(super) struct Reals {
    min: f64,
    max: f64,
    draw: Draw,
}

impl Reals {
    /// Any shape but Zipf's, which counts ranks.
    pub(super) fn new(min: f64, max: f64, shape: Shape) -> Result<Self, String> {
        if !(min.is_finite() && max.is_finite() && min < max && (max - min).is_finite()) {
            return Err(format!("{min} to {max} is no range of numbers"));
        }
        if matches!(shape, Shape::Zipfian { .. }) {
            return Err("Zipf's law counts ranks: take whole numbers".into());
        }
        Ok(Self { min, max, draw: Draw::new(shape, min, max)? })
    }

    /// The number of a row.
    pub(super) fn value(&self, key: Key, row: u64) -> f64 {
        self.draw.place(self.min, self.max, key, row)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KEY: Key = [11, 13];

    fn drawn(min: i64, max: i64, shape: Shape) -> Vec<f64> {
        let numbers = Numbers::new(min, max, 0, shape).expect("good");
        (1..=50_000).map(|row| numbers.units(KEY, row) as f64).collect()
    }

    fn mean(all: &[f64]) -> f64 {
        all.iter().sum::<f64>() / all.len() as f64
    }

    #[test]
    fn the_bell_has_its_mean_and_its_deviation() {
        let all = drawn(0, 1000, Shape::Normal { mean: 400.0, deviation: 50.0 });
        let middle = mean(&all);
        let squares: Vec<f64> = all.iter().map(|x| (x - middle) * (x - middle)).collect();
        assert!((middle - 400.0).abs() < 1.0, "{middle}");
        assert!((mean(&squares).sqrt() - 50.0).abs() < 1.0, "{}", mean(&squares).sqrt());
        let within = all.iter().filter(|x| (350.0..=450.0).contains(*x)).count() as f64;
        assert!((within / 50_000.0 - 0.688).abs() < 0.01, "{within}");
    }

    #[test]
    fn the_fall_has_its_mean_and_a_median_of_ln_2() {
        let mut all = drawn(100, 1_000_000, Shape::Exponential { mean: 1100.0 });
        assert!((mean(&all) - 1100.0).abs() < 20.0, "{}", mean(&all));
        all.sort_by(f64::total_cmp);
        assert!((all[25_000] - 793.0).abs() < 20.0, "{}", all[25_000]);
    }

    #[test]
    fn zipfs_smallest_is_the_most_frequent() {
        let all = drawn(10, 109, Shape::Zipfian { exponent: 1.0 });
        let count = |n: f64| all.iter().filter(|x| (**x - n).abs() < 0.5).count() as f64;
        assert!((count(10.0) / count(11.0) - 2.0).abs() < 0.1);
        assert!((count(10.0) / 50_000.0 - 0.1928).abs() < 0.01, "{}", count(10.0));
    }

    #[test]
    fn decimals_have_their_digits_and_their_mean_in_values() {
        let shape = Shape::Normal { mean: 9.5, deviation: 1.0 };
        let prices = Numbers::new(0, 2000, 2, shape).expect("good");
        let all: Vec<f64> = (1..=20_000).map(|row| prices.units(KEY, row) as f64).collect();
        assert!((mean(&all) - 950.0).abs() < 3.0, "{}", mean(&all));
        assert!(matches!(prices.value(KEY, 1), Value::Decimal(_, 2)));
    }

    #[test]
    fn what_has_no_shape_is_refused() {
        let bell = |mean, deviation| Shape::Normal { mean, deviation };
        for shape in [
            bell(12.0, 1.0),
            bell(5.0, 0.0),
            bell(5.0, 12.0),
            bell(f64::NAN, 1.0),
            Shape::Exponential { mean: 0.0 },
            Shape::Exponential { mean: f64::INFINITY },
            Shape::Zipfian { exponent: 0.0 },
            Shape::Zipfian { exponent: f64::NAN },
        ] {
            assert!(Numbers::new(0, 10, 0, shape).is_err(), "{shape:?}");
        }
        assert!(Numbers::new(1, 0, 0, Shape::Uniform).is_err());
        assert!(Numbers::new(0, i64::MAX, 0, Shape::Uniform).is_err());
        assert!(Numbers::new(0, 1, 10, Shape::Uniform).is_err());
        assert!(Reals::new(0.0, 1.0, Shape::Zipfian { exponent: 1.0 }).is_err());
        assert!(Reals::new(1.0, 1.0, Shape::Uniform).is_err());
    }

    proptest! {
        #[test]
        fn every_number_is_in_its_range(
            min in -1_000_000i64..1_000_000,
            width in 0i64..1_000_000,
            at in 0.0f64..1.0,
            wide in 0.001f64..1.0,
            row: u64,
        ) {
            let max = min + width;
            let mean = min as f64 + at * width as f64;
            let deviation = (width as f64 * wide).max(0.01);
            for shape in [
                Shape::Uniform,
                Shape::Normal { mean, deviation },
                Shape::Exponential { mean: mean + 0.5 },
                Shape::Zipfian { exponent: 0.01 + 3.0 * wide },
            ] {
                let units = Numbers::new(min, max, 0, shape).expect("good").units(KEY, row);
                prop_assert!((min..=max).contains(&units), "{:?}: {}", shape, units);
                if width > 0 && !matches!(shape, Shape::Zipfian { .. }) {
                    let (low, high) = (min as f64, max as f64);
                    let x = Reals::new(low, high, shape).expect("good").value(KEY, row);
                    prop_assert!((low..high).contains(&x), "{:?}: {}", shape, x);
                }
            }
        }
    }
}
