//! Names of requests: taken over from whoever named them first, else made here.

use std::fs::File;
use std::io::Read as _;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Context as _;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use uuid::fmt::Hyphenated;

/// The header field, in a request and in its answer.
pub(super) const FIELD: HeaderName = HeaderName::from_static("x-request-id");

/// Longer ones are replaced.
const LONGEST: usize = 64;

/// The name of one request: 1 to 64 letters, digits and hyphens, so that it can be written anywhere as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RequestId {
    bytes: [u8; LONGEST],
    length: u8,
}

impl RequestId {
    fn new(text: &[u8]) -> Option<Self> {
        let plain = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'-';
        if text.is_empty() || text.len() > LONGEST || !text.iter().all(plain) {
            return None;
        }
        let mut bytes = [0; LONGEST];
        bytes[..text.len()].copy_from_slice(text);
        Some(Self { bytes, length: u8::try_from(text.len()).ok()? })
    }

    /// The name that a request came with, if it is one and the only one.
    fn of(headers: &HeaderMap) -> Option<Self> {
        let mut named = headers.get_all(FIELD).iter();
        match (named.next(), named.next()) {
            (Some(name), None) => Self::new(name.as_bytes()),
            _ => None,
        }
    }

    /// Its characters, all of them ASCII.
    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }

    /// As the answer says it.
    pub(super) fn header(&self) -> HeaderValue {
        // Letters, digits and hyphens are always a value.
        HeaderValue::from_bytes(self.as_bytes()).unwrap_or_else(|_| HeaderValue::from_static("-"))
    }
}

/// Makes names: random UUIDs whose randomness is drawn once, at start.
///
/// Each comes of a number that was never used before, mixed so that neighbours look unlike: two of one process can't be
/// the same, two of different processes are as unlikely to be as any, and none costs a system call.
#[derive(Debug)]
pub(super) struct Ids {
    seeds: [u64; 2],
    next: AtomicU64,
}

impl Ids {
    /// Draws the seeds.
    ///
    /// # Errors
    ///
    /// If the system has no randomness to give.
    pub(super) fn new() -> anyhow::Result<Self> {
        let seeds = [random()?, random()?].map(u64::from_le_bytes);
        Ok(Self { seeds, next: AtomicU64::new(0) })
    }

    /// The request's own name, or a new one.
    pub(super) fn name(&self, headers: &HeaderMap) -> RequestId {
        RequestId::of(headers).unwrap_or_else(|| self.make())
    }

    fn make(&self) -> RequestId {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let [high, low] = self.seeds.map(|seed| mixed(seed.wrapping_add(number)));
        let random = (u128::from(high) << 64 | u128::from(low)).to_be_bytes();
        let uuid = uuid::Builder::from_random_bytes(random).into_uuid();
        let mut bytes = [0; LONGEST];
        uuid.hyphenated().encode_lower(&mut bytes[..Hyphenated::LENGTH]);
        RequestId { bytes, length: 36 }
    }
}

/// Random bytes of the kernel. What is to stay secret comes from here: from a request's name one can tell the next.
///
/// # Errors
///
/// If the system has no randomness to give.
pub(super) fn random<const N: usize>() -> anyhow::Result<[u8; N]> {
    let mut bytes = [0; N];
    let mut source = File::open("/dev/urandom").context("opening /dev/urandom")?;
    source.read_exact(&mut bytes).context("reading /dev/urandom")?;
    Ok(bytes)
}

/// The finisher of `SplitMix64`: different numbers stay different.
pub(super) fn mixed(number: u64) -> u64 {
    let mut z = number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn headers(names: &[&'static str]) -> HeaderMap {
        names.iter().map(|name| (FIELD, HeaderValue::from_static(name))).collect()
    }

    #[test]
    fn a_good_name_is_kept_and_others_are_replaced() {
        let ids = Ids::new().expect("randomness");
        let name = |names: &[&'static str]| {
            let id = ids.name(&headers(names));
            String::from_utf8(id.as_bytes().to_vec()).expect("ASCII")
        };
        assert_eq!(name(&["abc-DEF-123"]), "abc-DEF-123");
        let longest: &str = "x".repeat(64).leak();
        assert_eq!(name(&[longest]), longest);
        let longer: &str = "x".repeat(65).leak();
        for replaced in [&["a b"][..], &[""], &["a_b"], &[longer], &["a", "b"], &[]] {
            let made = name(replaced);
            let uuid = uuid::Uuid::parse_str(&made).expect("a UUID");
            assert_eq!(uuid.get_version_num(), 4, "{replaced:?} became {made}");
        }
    }

    #[test]
    fn no_two_names_are_the_same() {
        let ids = Ids::new().expect("randomness");
        let names: BTreeSet<Vec<u8>> =
            (0..10_000).map(|_| ids.make().as_bytes().to_vec()).collect();
        assert_eq!(names.len(), 10_000);
    }
}
