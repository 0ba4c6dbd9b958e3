//! Under which key an answer is stored, and how what is found there is recognised.
//!
//! A value is the answer's bytes behind a head: a tag, a fingerprint of the statement and of all the request's parameters,
//! the length, and where it is to be renewed before it ends, from when on. So rubbish, a truncated value, another endpoint's
//! answer or another tenant's is recognised, counted and overwritten, never served.

use bytes::Bytes;

use super::canonical::Zeros;
use super::param::Given;
use crate::plan::{CachePlan, KeyPiece};

/// Longer keys are not worth caching.
const LONGEST_KEY: usize = 1024;

/// Larger answers are served, not stored.
pub(super) const LARGEST_VALUE: usize = 1024 * 1024;

/// Format of our values; a change of it makes old values unknown.
const TAG: &[u8; 4] = b"QLB1";

/// The same, with a moment behind the length.
const TAG_RENEWED: &[u8; 4] = b"QLB2";

/// Tag, fingerprint, length, moment.
const LONGEST_HEAD: usize = 4 + 8 + 4 + 8;

/// Where an answer is stored, and how it is recognised.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    bytes: Vec<u8>,
    fingerprint: u64,
}

/// What was stored under a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stored {
    /// The answer's body; empty where it is known that there is no row.
    pub(super) answer: Bytes,
    renew_at_ms: Option<i64>,
}

impl Stored {
    /// Whether it should be renewed by now, in milliseconds of Unix time.
    pub(super) fn is_due(&self, now_ms: i64) -> bool {
        self.renew_at_ms.is_some_and(|moment| now_ms >= moment)
    }
}

impl Key {
    /// The key of a request; none where it is too long.
    ///
    /// With one parameter in it, a key is the plan's text with the value pasted in. With several, their lengths follow
    /// behind a NUL, which no parameter can hold: otherwise `a:b` + `c` and `a` + `b:c` would be one key. Values that are
    /// equal have one key, for a write must find the entry of its row; those that Postgres writes differently have
    /// fingerprints of their own, for an answer may repeat them.
    pub(super) fn new(plan: &CachePlan, sql: &str, given: &[Given<'_>]) -> Option<Self> {
        let mut bytes = Vec::with_capacity(64);
        let mut lengths = Vec::new();
        for piece in &plan.key {
            match piece {
                KeyPiece::Text(text) => bytes.extend_from_slice(text.as_bytes()),
                KeyPiece::Param(place) => {
                    let before = bytes.len();
                    given.get(*place)?.value.spell(Zeros::Dropped, &mut bytes);
                    lengths.push(bytes.len() - before);
                }
            }
        }
        if lengths.len() > 1 {
            bytes.push(0);
            for length in lengths {
                bytes.extend_from_slice(length.to_string().as_bytes());
                bytes.push(b',');
            }
        }
        let mut fingerprint = fnv(FNV_START, sql.as_bytes());
        let mut spelled = Vec::with_capacity(64);
        for given in given {
            spelled.clear();
            given.value.spell(Zeros::Kept, &mut spelled);
            fingerprint = fnv(fnv(fingerprint, &spelled.len().to_be_bytes()), &spelled);
        }
        (bytes.len() <= LONGEST_KEY).then_some(Self { bytes, fingerprint })
    }

    /// What Redis calls it.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The value to store for an answer; none where it is too large.
    pub(super) fn value_of(&self, answer: &[u8], renew_at_ms: Option<i64>) -> Option<Vec<u8>> {
        let length = u32::try_from(answer.len()).ok()?;
        if answer.len() > LARGEST_VALUE {
            return None;
        }
        let mut value = Vec::with_capacity(LONGEST_HEAD + answer.len());
        value.extend_from_slice(if renew_at_ms.is_some() { TAG_RENEWED } else { TAG });
        value.extend_from_slice(&self.fingerprint.to_be_bytes());
        value.extend_from_slice(&length.to_be_bytes());
        if let Some(moment) = renew_at_ms {
            value.extend_from_slice(&moment.to_be_bytes());
        }
        value.extend_from_slice(answer);
        Some(value)
    }

    /// The answer in a value, if it is ours.
    pub(super) fn answer_in(&self, value: Vec<u8>) -> Option<Stored> {
        let (tag, rest) = value.split_first_chunk::<4>()?;
        let (fingerprint, rest) = rest.split_first_chunk::<8>()?;
        let (length, rest) = rest.split_first_chunk::<4>()?;
        let (renew_at_ms, answer) = if tag == TAG_RENEWED {
            let (moment, answer) = rest.split_first_chunk::<8>()?;
            (Some(i64::from_be_bytes(*moment)), answer)
        } else {
            (None, rest)
        };
        let ours = (tag == TAG || tag == TAG_RENEWED)
            && *fingerprint == self.fingerprint.to_be_bytes()
            && usize::try_from(u32::from_be_bytes(*length)).ok() == Some(answer.len());
        let head = value.len() - answer.len();
        ours.then(|| Stored { answer: Bytes::from(value).slice(head..), renew_at_ms })
    }
}

const FNV_START: u64 = 0xcbf2_9ce4_8422_2325;

/// FNV-1a: to tell answers apart that were mixed up, not to resist anybody who can write to our private Redis.
fn fnv(start: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(start, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use proptest::prelude::*;

    use super::*;
    use crate::api::value::Value;
    use crate::spec::ParamType;

    fn given(text: &str) -> Given<'_> {
        Given { value: Value::Text(Cow::Borrowed(text)) }
    }

    fn typed(r#type: ParamType, text: &str) -> Given<'_> {
        Given { value: Value::parse(r#type, &Cow::Borrowed(text)).expect(text) }
    }

    fn plan(pieces: Vec<KeyPiece>) -> CachePlan {
        CachePlan::aside(pieces, 1)
    }

    fn text(text: &str) -> KeyPiece {
        KeyPiece::Text(text.to_owned())
    }

    fn pair() -> CachePlan {
        plan(vec![text("k:"), KeyPiece::Param(0), text(":"), KeyPiece::Param(1)])
    }

    #[test]
    fn a_key_of_one_parameter_reads_as_the_plan_wrote_it() {
        let plan = plan(vec![text("user:email:"), KeyPiece::Param(0)]);
        let key = Key::new(&plan, "SELECT 1", &[given("a@b.c")]).expect("short");
        assert_eq!(key.bytes, b"user:email:a@b.c");
        assert_eq!(Key::new(&plan, "SELECT 1", &[given(&"x".repeat(2000))]), None);
    }

    #[test]
    fn a_key_says_what_a_parameter_is_and_not_how_it_was_spelled() {
        let plan = plan(vec![text("thing:"), KeyPiece::Param(0)]);
        let key =
            |given: Given<'_>| Key::new(&plan, "SELECT 1", &[given]).expect("a key that is short");
        let seven = key(typed(ParamType::Integer, "7"));
        assert_eq!(seven.bytes, b"thing:7");
        for spelling in ["007", "+7"] {
            assert_eq!(key(typed(ParamType::Integer, spelling)), seven, "{spelling}");
        }
        assert_ne!(key(given("007")), key(given("7")), "texts are what they are");
        let uuid = "67e55044-10b1-426f-9247-bb680e5fe0c8";
        let id = key(typed(ParamType::Uuid, uuid));
        assert_eq!(id.bytes, format!("thing:{uuid}").as_bytes());
        assert_eq!(key(typed(ParamType::Uuid, "67E5504410B1426F9247BB680E5FE0C8")), id);
        let (half, exact) =
            (key(typed(ParamType::Numeric, "1.5")), key(typed(ParamType::Numeric, "1.50")));
        assert_eq!(half.bytes, exact.bytes, "a write of one removes the entry of the other");
        assert_ne!(half.fingerprint, exact.fingerprint, "an answer may repeat it");
    }

    #[test]
    fn what_is_not_this_answer_is_recognised() {
        let plan = plan(vec![text("k:"), KeyPiece::Param(0)]);
        let key = Key::new(&plan, "SELECT 1", &[given("a")]).expect("short");
        let value = key.value_of(b"[{\"id\":1}]", None).expect("small");
        let answer = key.answer_in(value.clone()).expect("ours");
        assert_eq!((&answer.answer[..], answer.renew_at_ms), (&b"[{\"id\":1}]"[..], None));
        let renewed = key.value_of(b"[]", Some(7)).expect("small");
        for length in 0..renewed.len() {
            assert_eq!(key.answer_in(renewed[..length].to_vec()), None, "cut to {length}");
        }
        let renewed = key.answer_in(renewed).expect("ours");
        assert!(renewed.is_due(7) && !renewed.is_due(6) && !answer.is_due(i64::MAX));
        for length in 0..value.len() {
            assert_eq!(key.answer_in(value[..length].to_vec()), None, "cut to {length}");
        }
        assert_eq!(key.answer_in([&value[..], b" "].concat()), None);
        assert_eq!(key.answer_in(b"rubbish that is long enough".to_vec()), None);
        let other_tenant = Key::new(&plan, "SELECT 1", &[given("b")]).expect("short");
        assert_eq!(other_tenant.answer_in(value.clone()), None);
        let other_endpoint = Key::new(&plan, "SELECT 2", &[given("a")]).expect("short");
        assert_eq!(other_endpoint.answer_in(value.clone()), None);
        let not_in_the_key = Key::new(&plan, "SELECT 1", &[given("a"), given("x")]).expect("short");
        assert_eq!(not_in_the_key.answer_in(value), None);
    }

    proptest! {
        #[test]
        fn different_parameters_never_share_a_key(
            one in ("[a:]{0,6}", "[a:]{0,6}"), two in ("[a:]{0,6}", "[a:]{0,6}")
        ) {
            let key = |(a, b): &(String, String)| {
                Key::new(&pair(), "SELECT 1", &[given(a), given(b)]).expect("short").bytes
            };
            prop_assert_eq!(one == two, key(&one) == key(&two));
        }
    }
}
