//! From row numbers to numbers that look drawn: the keyed mix, and what is cut out of its words.
//!
//! A value is a keyed mix of the row number and nothing else: two rounds of `SplitMix64`'s finaliser (Steele, Lea and
//! Flood, OOPSLA 2014) under a 128-bit key that is the SHA-256 of seed, table and column. Rows are input, so any row is
//! as cheap as the next one and no state is shared between threads. A stream cipher would do the same at five times
//! the cost; nobody attacks these rows, they only have to look independent and be the same everywhere.

use sha2::{Digest, Sha256};

use super::value::Value;

/// What a column's words are mixed under.
pub(super) type Key = [u64; 2];

/// The keys of a column: of its values, and of its NULLs.
pub(super) fn keys(seed: u64, table: &str, column: &str) -> [Key; 2] {
    let mut hash = Sha256::new();
    hash.update(b"querylab rows 1");
    hash.update(seed.to_le_bytes());
    for part in [table, column] {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part.as_bytes());
    }
    let digest = hash.finalize();
    let word = |i: usize| {
        u64::from_le_bytes(digest[i * 8..i * 8 + 8].try_into().expect("eight bytes of a digest"))
    };
    [[word(0), word(1)], [word(2), word(3)]]
}

/// The keyed mix: a well spread word for each (key, row, lane).
pub(super) fn mix(key: Key, row: u64, lane: u64) -> u64 {
    const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;
    let counter = row.wrapping_mul(GOLDEN).wrapping_add(key[0]);
    finalise(finalise(counter) ^ key[1].wrapping_add(lane.wrapping_mul(GOLDEN)))
}

/// `SplitMix64`'s finaliser: a bijection of words.
pub(super) fn finalise(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The smallest word that is not below a share of all words.
pub(super) fn threshold(share: f64) -> u64 {
    // As casts saturate, a share of 1 becomes the largest word; 2^-64 of the rows escape it.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 0 and 2^64, and the cast saturates"
    )]
    let word = (share * 18_446_744_073_709_551_616.0) as u64;
    word
}

/// Multiply and shift instead of a remainder: the bias is below span / 2^64, which no dataset can show. A span of 0 is
/// one of 2^64.
pub(super) fn whole(min: i64, span: u64, word: u64) -> i64 {
    let offset = if span == 0 { word } else { below(span, word) };
    min.wrapping_add(offset.cast_signed())
}

/// A number below `count`, by the same multiplication.
pub(super) fn below(count: u64, word: u64) -> u64 {
    ((u128::from(word) * u128::from(count)) >> 64) as u64
}

/// A number from 0 to 1, 1 not included.
pub(super) fn unit(word: u64) -> f64 {
    (word >> 11) as f64 / 9_007_199_254_740_992.0
}

/// A number from `min` to `max`, `max` not included.
pub(super) fn real(min: f64, max: f64, word: u64) -> f64 {
    let x = min + unit(word) * (max - min);
    // Rounding may reach `max`, which is not in the range.
    if x < max { x } else { max.next_down() }
}

/// Position below `count` from 32 random bits.
pub(super) fn scaled(count: u32, bits: u64) -> u32 {
    ((u64::from(count) * (bits & 0xffff_ffff)) >> 32) as u32
}

/// Position in a short list from 32 random bits.
pub(super) fn one_of(count: usize, bits: u64) -> usize {
    scaled(u32::try_from(count).expect("the lists are short"), bits) as usize
}

/// Position of the choice whose share of all words holds this one.
pub(super) fn pick(below: &[u64], word: u64) -> usize {
    below.partition_point(|limit| word >= *limit)
}

/// A word that stands for a value: equal values have equal words.
pub(super) fn word_of(value: &Value<'_>) -> u64 {
    // FNV-1a, and the finaliser behind it because neighbours must become strangers.
    let of_bytes = |bytes: &[u8]| {
        bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
        })
    };
    finalise(match value {
        Value::Null => 0,
        Value::Int(n) | Value::Decimal(n, _) | Value::TimestampUs(n) | Value::Date(n) => {
            n.cast_unsigned()
        }
        Value::Float(x) => x.to_bits(),
        Value::Bool(truth) => u64::from(*truth) + 1,
        Value::Text(text) => of_bytes(text.as_bytes()),
        Value::Bytes(bytes) => of_bytes(bytes),
        Value::Uuid(bytes) => of_bytes(bytes),
    })
}
