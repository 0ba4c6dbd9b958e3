//! Numbers for people: three significant digits and a unit.

/// Three significant digits, without an exponent: `0.00123`, `1.23`, `123`, `12300`.
pub fn sig3(x: f64) -> String {
    if x == 0.0 {
        return "0".into();
    }
    if !x.is_finite() {
        return if x.is_nan() { "n/a".into() } else { "∞".into() };
    }
    #[expect(clippy::cast_possible_truncation, reason = "the exponent of an f64 fits")]
    let exponent = x.abs().log10().floor() as i32;
    let scale = 10f64.powi(2 - exponent);
    let rounded = (x * scale).round() / scale;
    let decimals = usize::try_from((2 - exponent).max(0)).unwrap_or(0);
    // 9.996 rounds up to 10.0: print the digits of the rounded number, not one more.
    let decimals = if rounded.abs() >= 10f64.powi(exponent + 1) {
        decimals.saturating_sub(1)
    } else {
        decimals
    };
    format!("{rounded:.decimals$}")
}

/// A latency in nanoseconds: `62.1 µs`, `1.20 ms`, `8.01 s`.
pub fn latency_ns(ns: f64) -> String {
    match ns {
        n if !n.is_finite() => sig3(n),
        n if n < 1e3 => format!("{} ns", sig3(n)),
        n if n < 999_500.0 => format!("{} µs", sig3(n / 1e3)),
        n if n < 999_500_000.0 => format!("{} ms", sig3(n / 1e6)),
        n => format!("{} s", sig3(n / 1e9)),
    }
}

/// A longer duration in nanoseconds, to the second: `2m 5s`, `48s`.
pub fn duration_ns(ns: u64) -> String {
    let s = (ns + 500_000_000) / 1_000_000_000;
    match (s / 3600, s / 60 % 60, s % 60) {
        (0, 0, s) => format!("{s}s"),
        (0, m, s) => format!("{m}m {s:02}s"),
        (h, m, _) => format!("{h}h {m:02}m"),
    }
}

/// Bytes: `301 MB`, `1.20 GB` (powers of 1024).
pub fn bytes(n: f64) -> String {
    const UNITS: [&str; 5] = ["B", "kB", "MB", "GB", "TB"];
    let mut n = n;
    let mut unit = 0;
    while n >= 999.5 && unit + 1 < UNITS.len() {
        n /= 1024.0;
        unit += 1;
    }
    format!("{} {}", sig3(n), UNITS[unit])
}

/// A whole number with thin groups: `10,000,000`.
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    out
}

/// A share as a percentage: `94.1%`.
pub fn share(x: f64) -> String {
    format!("{}%", sig3(x * 100.0))
}

/// A ratio: `2.13×`.
pub fn ratio(x: f64) -> String {
    format!("{}×", sig3(x))
}

/// Bytes as lowercase hexadecimal digits: `"0aff"`.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a String takes all");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_significant_digits_and_a_unit() {
        let cases = [
            (sig3(9.996), "10.0"),
            (sig3(0.001_234), "0.00123"),
            (sig3(12_345.0), "12300"),
            (sig3(-1.005), "-1.00"),
            (latency_ns(62_100.0), "62.1 µs"),
            (latency_ns(999_700.0), "1.00 ms"),
            (latency_ns(8_012_000_000.0), "8.01 s"),
            (duration_ns(125_000_000_000), "2m 05s"),
            (bytes(315_621_376.0), "301 MB"),
            (bytes(12.0), "12.0 B"),
            (count(10_000_000), "10,000,000"),
            (share(0.9412), "94.1%"),
            (ratio(0.5), "0.500×"),
        ];
        for (got, want) in cases {
            assert_eq!(got, want);
        }
    }
}
