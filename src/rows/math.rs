//! Logarithm and exponential of nothing but sums, products and quotients.
//!
//! Those of the standard library are the platform's, and differ in the last bit from one to the next; rows must not.
//! IEEE 754 fixes the four operations and the square root to the bit. Good to about 15 digits, which no row can show.

/// The natural logarithm of a positive, normal number.
pub(super) fn ln(x: f64) -> f64 {
    let bits = x.to_bits();
    let mut exponent = ((bits >> 52) & 0x7ff).cast_signed() - 1023;
    let mut m = f64::from_bits(bits & 0x000f_ffff_ffff_ffff | 0x3ff0_0000_0000_0000);
    if m > std::f64::consts::SQRT_2 {
        m /= 2.0;
        exponent += 1;
    }
    // ln m = 2 artanh((m - 1) / (m + 1)), a series in a square below 0.03.
    let s = (m - 1.0) / (m + 1.0);
    let square = s * s;
    let mut sum = 0.0;
    for odd in [21.0, 19.0, 17.0, 15.0, 13.0, 11.0, 9.0, 7.0, 5.0, 3.0, 1.0] {
        sum = sum * square + 1.0 / odd;
    }
    exponent as f64 * std::f64::consts::LN_2 + 2.0 * s * sum
}

/// e to the power of `x`, for `x` from -700 to 700; beyond, the value at the end.
pub(super) fn exp(x: f64) -> f64 {
    // ln 2 in two parts, the first of them exact in products with small whole numbers.
    let high = f64::from_bits(0x3fe6_2e42_fee0_0000);
    let low = f64::from_bits(0x3dea_39ef_3579_3c76);
    let x = x.clamp(-700.0, 700.0);
    let power = (x * std::f64::consts::LOG2_E + 0.5).floor();
    let rest = (x - power * high) - power * low;
    let mut sum = 1.0;
    for n in [14.0, 13.0, 12.0, 11.0, 10.0, 9.0, 8.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0] {
        sum = 1.0 + sum * rest / n;
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "from 13 to 2033, the exponents of normal numbers"
    )]
    let biased = (power + 1023.0) as u64;
    sum * f64::from_bits(biased << 52)
}

/// (e^x - 1) / x, which is 1 at 0.
pub(super) fn exp_minus_one_over(x: f64) -> f64 {
    if x.abs() > 1e-5 { (exp(x) - 1.0) / x } else { 1.0 + x / 2.0 * (1.0 + x / 3.0) }
}

/// ln(1 + x) / x, which is 1 at 0.
pub(super) fn ln_one_plus_over(x: f64) -> f64 {
    if x.abs() > 1e-5 { ln(1.0 + x) / x } else { 1.0 - x * (0.5 - x / 3.0) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn known_values_are_met_to_the_bit_everywhere() {
        // The bits are the promise: another machine must make the same rows.
        assert_eq!(ln(1.0).to_bits(), 0.0_f64.to_bits());
        assert_eq!(exp(0.0).to_bits(), 1.0_f64.to_bits());
        assert!((ln(10.0) - std::f64::consts::LN_10).abs() < 1e-15);
        assert!((exp(1.0) - std::f64::consts::E).abs() < 1e-15);
    }

    proptest! {
        #[test]
        fn they_agree_with_the_platforms(x in 1e-300f64..1e300, y in -690.0f64..690.0) {
            prop_assert!((ln(x) - x.ln()).abs() <= 1e-14 * x.ln().abs().max(0.1));
            prop_assert!((exp(y) / y.exp() - 1.0).abs() < 1e-13);
        }

        #[test]
        fn quotients_are_smooth_where_they_change_hands(x in -3e-5f64..3e-5) {
            prop_assert!((exp_minus_one_over(x) - (1.0 + x / 2.0)).abs() < 1e-9);
            prop_assert!((ln_one_plus_over(x) - (1.0 - x / 2.0)).abs() < 1e-9);
        }
    }
}
