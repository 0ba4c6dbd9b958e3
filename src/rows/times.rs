//! Moments of a range: even or growing, at any hour or in business hours, in any order or rising with the rows.
//!
//! The range is counted in ticks (microseconds, or days), of which business hours leave only some; a row takes one of
//! them, and the calendar comes last.

use super::draw::{Key, below, mix, unit};
use super::math::ln;
use super::shapes::Order;

/// Microseconds of a minute and of a day.
const MINUTE_US: i64 = 60_000_000;
const DAY_US: i64 = 1440 * MINUTE_US;

/// Ticks of a range.
#[derive(Debug, Clone)]
pub(super) struct Moments {
    /// The first tick, counted in open ticks where there are hours.
    first: i64,
    count: u64,
    rows: u64,
    order: Order,
    growth: Option<Growth>,
    hours: Option<Hours>,
}

impl Moments {
    /// Ticks from `first` to before `end`.
    pub(super) fn new(
        (first, end): (i64, i64),
        rows: u64,
        growth: f64,
        hours: Option<[u32; 2]>,
        order: Order,
    ) -> Result<Self, String> {
        if !(growth > 0.0 && (0.001..=1000.0).contains(&growth)) {
            return Err(format!("a growth of {growth} is not from 0.001 to 1000"));
        }
        let hours = hours.map(Hours::new).transpose()?;
        let open = |t| hours.as_ref().map_or(t, |hours| hours.open_before(t));
        let (first, end) = (open(first), open(end));
        if first >= end {
            return Err("no moment lies between start and end".into());
        }
        let growth = ((growth - 1.0).abs() > 1e-6).then(|| Growth::new(growth));
        Ok(Self { first, count: end.abs_diff(first), rows, order, growth, hours })
    }

    /// The tick of a row.
    pub(super) fn at(&self, key: Key, row: u64) -> i64 {
        let word = mix(key, row, 0);
        let place = match (self.order, &self.growth) {
            (Order::Random, None) => below(self.count, word),
            (Order::Random, Some(_)) => self.place(unit(word)),
            (Order::Ascending, _) => {
                // Each row has a slice of the range for itself.
                let rows = self.rows.max(1) as f64;
                let from = self.place(row.saturating_sub(1) as f64 / rows);
                let to = self.place(row as f64 / rows);
                from + below(to.saturating_sub(from).max(1), word)
            }
        };
        let tick = self.first.saturating_add_unsigned(place.min(self.count - 1));
        self.hours.as_ref().map_or(tick, |hours| hours.moment(tick))
    }

    /// The tick before which such a share of all rows lies.
    fn place(&self, share: f64) -> u64 {
        let share = self.growth.as_ref().map_or(share, |growth| growth.place(share));
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "from 0 to the number of ticks, and the cast saturates"
        )]
        let place = (share * self.count as f64) as u64;
        place.min(self.count)
    }
}

/// A density that rises by the same factor in each part of the range.
#[derive(Debug, Clone)]
struct Growth {
    factor: f64,
    log: f64,
}

impl Growth {
    fn new(factor: f64) -> Self {
        Self { factor, log: ln(factor) }
    }

    /// The place in the range before which such a share of all lies.
    fn place(&self, share: f64) -> f64 {
        ln(1.0 + share * (self.factor - 1.0)) / self.log
    }
}

/// Mondays to Fridays between two times of the day.
#[derive(Debug, Clone)]
struct Hours {
    open_us: i64,
    length_us: i64,
}

impl Hours {
    fn new([open, close]: [u32; 2]) -> Result<Self, String> {
        if open >= close || close > 1440 {
            return Err("business hours open before they close, within one day".into());
        }
        Ok(Self {
            open_us: i64::from(open) * MINUTE_US,
            length_us: i64::from(close - open) * MINUTE_US,
        })
    }

    /// Open microseconds before a moment, from an early Monday on.
    fn open_before(&self, us: i64) -> i64 {
        let (day, in_day) = (us.div_euclid(DAY_US), us.rem_euclid(DAY_US));
        // 1970-01-01 was a Thursday, the fourth day of its week.
        let (week, weekday) = ((day + 3).div_euclid(7), (day + 3).rem_euclid(7));
        let today = if weekday < 5 { (in_day - self.open_us).clamp(0, self.length_us) } else { 0 };
        (week * 5 + weekday.min(5)) * self.length_us + today
    }

    /// The moment after so many open microseconds.
    fn moment(&self, open: i64) -> i64 {
        let (day, in_day) = (open.div_euclid(self.length_us), open.rem_euclid(self.length_us));
        let (week, weekday) = (day.div_euclid(5), day.rem_euclid(5));
        (week * 7 + weekday - 3) * DAY_US + self.open_us + in_day
    }
}

/// 16 bytes of a UUID of version 7 (RFC 9562): milliseconds, the twelve bits below them, and 62 random ones.
pub(super) fn uuid_v7(us: i64, word: u64) -> [u8; 16] {
    let (ms, rest) = (us.div_euclid(1000).cast_unsigned(), us.rem_euclid(1000).cast_unsigned());
    let below_ms = rest * 4096 / 1000;
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&(ms << 16 | 0x7000 | below_ms).to_be_bytes());
    bytes[8..].copy_from_slice(&word.to_be_bytes());
    bytes[8] = bytes[8] & 0x3f | 0x80;
    bytes
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Datelike, NaiveTime, Utc, Weekday};
    use proptest::prelude::*;

    use super::*;

    const KEY: Key = [17, 19];
    /// 2024-01-01, a Monday, and two years later.
    const RANGE: (i64, i64) = (1_704_067_200_000_000, 1_767_225_600_000_000);

    fn moment(us: i64) -> DateTime<Utc> {
        DateTime::from_timestamp_micros(us).expect("in range")
    }

    #[test]
    fn moments_are_spread_over_their_range() {
        let moments = Moments::new(RANGE, 10_000, 1.0, None, Order::Random).expect("good");
        let middle = i64::midpoint(RANGE.0, RANGE.1);
        let early = (1..=10_000).filter(|row| moments.at(KEY, *row) < middle).count();
        assert!(early.abs_diff(5000) < 200, "{early}");
    }

    #[test]
    fn growth_makes_the_end_as_many_times_busier() {
        for order in [Order::Random, Order::Ascending] {
            let moments = Moments::new((0, 1_000_000), 100_000, 9.0, None, order).expect("good");
            let mut tenths = [0_i32; 10];
            for row in 1..=100_000 {
                let tenth = usize::try_from(moments.at(KEY, row) / 100_000).expect("in range");
                tenths[tenth] += 1;
            }
            // From the middle of the first tenth to the middle of the last: 9^0.9.
            let ratio = f64::from(tenths[9]) / f64::from(tenths[0]);
            assert!((ratio - 7.22).abs() < 0.4, "{order:?} {ratio} {tenths:?}");
        }
    }

    #[test]
    fn ascending_moments_never_fall_and_reach_both_ends() {
        for (growth, hours) in [(1.0, None), (3.0, None), (0.2, Some([540, 1020]))] {
            let all = Moments::new(RANGE, 5000, growth, hours, Order::Ascending).expect("good");
            let times: Vec<i64> = (1..=5000).map(|row| all.at(KEY, row)).collect();
            assert!(times.is_sorted());
            assert!(times[0] < RANGE.0 + 8 * DAY_US && times[4999] > RANGE.1 - 8 * DAY_US);
        }
        // More rows than ticks: still in order, still in range.
        let few = Moments::new((0, 3), 10, 1.0, None, Order::Ascending).expect("good");
        let times: Vec<i64> = (1..=10).map(|row| few.at(KEY, row)).collect();
        assert!(times.is_sorted() && times.iter().all(|t| (0..3).contains(t)), "{times:?}");
    }

    #[test]
    fn ranges_without_a_moment_are_refused() {
        let new = |range, growth, hours| {
            Moments::new(range, 10, growth, hours, Order::Random).map(|_| ()).is_err()
        };
        assert!(new((5, 5), 1.0, None));
        assert!(new(RANGE, 0.0, None) && new(RANGE, f64::NAN, None));
        assert!(new(RANGE, 1.0, Some([540, 540])) && new(RANGE, 1.0, Some([0, 1441])));
        // A week-end: 2024-01-06 and the day after.
        let saturday = RANGE.0 + 5 * DAY_US;
        assert!(new((saturday, saturday + 2 * DAY_US), 1.0, Some([540, 1020])));
    }

    #[test]
    fn version_7_has_the_time_of_the_standards_example() {
        // RFC 9562, A.6: 2022-02-22T19:22:22Z is 017F22E2-79B0-7….
        let bytes = uuid_v7(1_645_557_742_000_000, u64::MAX);
        let id = uuid::Uuid::from_bytes(bytes);
        assert_eq!(id.get_version_num(), 7);
        assert_eq!(id.to_string(), "017f22e2-79b0-7000-bfff-ffffffffffff");
        assert!(uuid_v7(1_645_557_742_000_999, 0) > uuid_v7(1_645_557_742_000_500, u64::MAX));
    }

    proptest! {
        #[test]
        fn business_hours_are_on_weekdays_and_within_their_range(
            row: u64,
            start in -60_000_000_000_000_000i64..250_000_000_000_000_000,
            days in 7i64..400,
            open in 0u32..1400,
            length in 1u32..40,
        ) {
            let range = (start, start + days * DAY_US);
            let hours = Some([open, open + length]);
            let moments = Moments::new(range, 10, 1.0, hours, Order::Random).expect("a week");
            let us = moments.at(KEY, row);
            prop_assert!((range.0..range.1).contains(&us));
            let time = moment(us);
            prop_assert!(!matches!(time.weekday(), Weekday::Sat | Weekday::Sun), "{}", time);
            let minute = (time.time() - NaiveTime::MIN).num_minutes();
            prop_assert!((i64::from(open)..i64::from(open + length)).contains(&minute), "{}", time);
        }
    }
}
