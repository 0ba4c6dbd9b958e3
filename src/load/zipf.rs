//! Zipf's law over 1 to n by rejection-inversion: constant time and memory for any n.
//!
//! W. Hörmann and G. Derflinger, "Rejection-inversion to generate variates from monotone discrete distributions", ACM
//! TOMACS 6 (1996). About one draw in a hundred is rejected.

use super::dice::Stream;

/// Rank k from 1 to n with probability proportional to 1 / k^exponent.
#[derive(Debug, Clone)]
pub(super) struct Zipf {
    exponent: f64,
    count: u64,
    /// The hat's integral left of 1 and right of n: between them lies every u.
    from: f64,
    to: f64,
    /// A point this near to its rank is accepted without a look at the hat.
    near: f64,
}

impl Zipf {
    /// None if there is no rank, or the exponent is not a finite number above 0.
    pub(super) fn new(exponent: f64, count: u64) -> Option<Self> {
        if count == 0 || !exponent.is_finite() || exponent <= 0.0 {
            return None;
        }
        let mut zipf = Self { exponent, count, from: 0.0, to: 0.0, near: 0.0 };
        zipf.from = zipf.integral(1.5) - 1.0;
        zipf.to = zipf.integral(count as f64 + 0.5);
        zipf.near = 2.0 - zipf.inverse(zipf.integral(2.5) - zipf.hat(2.0));
        Some(zipf)
    }

    /// A rank from 1 to n.
    pub(super) fn draw(&self, stream: &mut Stream) -> u64 {
        loop {
            let u = self.to + stream.unit() * (self.from - self.to);
            let x = self.inverse(u);
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "the cast saturates, and what leaves the ranks is put back into them"
            )]
            let rank = ((x + 0.5) as u64).clamp(1, self.count);
            let k = rank as f64;
            if k - x <= self.near || u >= self.integral(k + 0.5) - self.hat(k) {
                return rank;
            }
        }
    }

    fn hat(&self, x: f64) -> f64 {
        (-self.exponent * x.ln()).exp()
    }

    /// The integral of the hat, (x^(1-e) - 1) / (1 - e), in a form that is stable near e = 1.
    fn integral(&self, x: f64) -> f64 {
        let log = x.ln();
        expm1_ratio((1.0 - self.exponent) * log) * log
    }

    fn inverse(&self, y: f64) -> f64 {
        // Below -1 only by rounding.
        let t = (y * (1.0 - self.exponent)).max(-1.0);
        (ln1p_ratio(t) * y).exp()
    }
}

/// ln(1 + x) / x, also at 0.
fn ln1p_ratio(x: f64) -> f64 {
    if x.abs() > 1e-8 { x.ln_1p() / x } else { 1.0 - x * (0.5 - x * (1.0 / 3.0 - x * 0.25)) }
}

/// (exp(x) - 1) / x, also at 0.
fn expm1_ratio(x: f64) -> f64 {
    if x.abs() > 1e-8 { x.exp_m1() / x } else { 1.0 + x * 0.5 * (1.0 + x / 3.0 * (1.0 + x * 0.25)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::dice::Dice;

    /// Exact probabilities against 400,000 draws: each of the first ranks within 5 sigma, the tail as a whole too.
    fn check(exponent: f64, count: u64) {
        const DRAWS: u64 = 400_000;
        let zipf = Zipf::new(exponent, count).expect("a good law");
        let mut stream = Dice::new("test", 7).stream(count);
        let mut seen = [0u64; 21];
        for _ in 0..DRAWS {
            let rank = zipf.draw(&mut stream);
            assert!((1..=count).contains(&rank));
            seen[usize::try_from(rank.min(21)).expect("small") - 1] += 1;
        }
        let total: f64 = (1..=count).map(|k| (k as f64).powf(-exponent)).sum();
        let mut rest = 1.0;
        for k in 1..=21u64 {
            let exact = (k as f64).powf(-exponent) / total;
            let exact = if k == 21 {
                rest
            } else if k <= count {
                exact
            } else {
                0.0
            };
            rest -= exact;
            let sigma = (DRAWS as f64 * exact.max(1e-9) * (1.0 - exact).max(1e-9)).sqrt();
            let off = seen[usize::try_from(k).expect("small") - 1] as f64 - DRAWS as f64 * exact;
            assert!(off.abs() <= 5.0 * sigma + 1.0, "s={exponent} n={count} k={k}: off by {off}");
        }
    }

    #[test]
    fn draws_follow_the_exact_probabilities() {
        for (exponent, count) in
            [(0.99, 10_000), (1.0, 1000), (0.5, 100), (2.0, 50), (1.2, 3), (0.01, 20), (1.0, 1)]
        {
            check(exponent, count);
        }
    }

    /// Share of hits among the last `judged` of `requests` at `rate_rps`, in a cache of any size that keeps a key for 300 s
    /// after a miss has put it there.
    fn hit_ratio(
        (requests, judged): (u32, u32),
        rate_rps: f64,
        key: impl Fn(&mut Stream) -> u64,
    ) -> f64 {
        let mut stream = Dice::new("test", 11).stream(u64::from(requests));
        let mut put_at = std::collections::BTreeMap::new();
        let mut hits = 0;
        for n in 0..requests {
            let now = f64::from(n) / rate_rps;
            let key = key(&mut stream);
            if put_at.get(&key).is_some_and(|at| now - at < 300.0) {
                hits += u32::from(n >= requests - judged);
            } else {
                put_at.insert(key, now);
            }
        }
        f64::from(hits) / f64::from(judged)
    }

    #[test]
    fn the_origins_hit_ratio_needs_skewed_keys_or_half_a_million_requests_a_second() {
        let among = |keys| {
            let zipf = Zipf::new(0.99, keys).expect("a good law");
            move |stream: &mut Stream| zipf.draw(stream)
        };
        let is = |ratio: f64, wanted: f64| {
            assert!((ratio - wanted).abs() < 0.01, "{ratio} instead of {wanted}");
        };
        // While a cache fills, so fast that nothing is old.
        is(hit_ratio((47_000, 5_000), 1e6, among(10_000)), 0.94);
        is(hit_ratio((253_000, 20_000), 1e6, among(100_000)), 0.90);
        // At rest, where keys grow old as fast as they are read again.
        is(hit_ratio((900_000, 300_000), 1000.0, among(10_000)), 0.97);
        is(hit_ratio((450_000, 150_000), 500.0, among(100_000)), 0.81);
        // Uniform keys: 522 requests/s for 10,000 of them, so 522,000 for ten million.
        let uniform = |stream: &mut Stream| (stream.unit() * 10_000.0).floor().to_bits();
        is(hit_ratio((470_000, 156_600), 522.0, uniform), 0.94);
    }

    #[test]
    fn laws_that_are_none_are_refused() {
        for (exponent, count) in
            [(0.0, 10), (-1.0, 10), (f64::NAN, 10), (f64::INFINITY, 10), (1.0, 0)]
        {
            assert!(Zipf::new(exponent, count).is_none(), "{exponent} {count}");
        }
    }
}
