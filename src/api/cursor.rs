//! Pages by key: where the next one begins is told in a cursor that clients cannot make up or change.
//!
//! A cursor is the last row's key columns as JSON behind a signature (HMAC-SHA-256, its first 128 bits) over them and the
//! endpoint's name, all in hexadecimal digits. All processes of one run share the secret; the next run has another one.

use std::fmt::Write as _;
use std::sync::Arc;

use anyhow::Context as _;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use super::json_body::{Items, unquoted};

/// The parameter that carries it.
pub(super) const NAME: &str = "cursor";

/// Bytes of the signature.
const SIGNATURE: usize = 16;

/// Longer ones are not ours: as bytes.
const LONGEST: usize = 4096;

/// What is wrong with a cursor; it does not tell how near a forged one came.
const FORGED: &str = "is not a cursor of this endpoint";

/// Signs and reads the cursors of one endpoint.
#[derive(Clone)]
pub(super) struct Cursor {
    signer: Hmac<Sha256>,
    /// The parameters that a cursor stands for, as places among those of the endpoint, and the columns that they continue.
    keys: Arc<[(usize, String)]>,
}

impl std::fmt::Debug for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Not with what it signs with.
        f.debug_struct("Cursor").field("keys", &self.keys).finish_non_exhaustive()
    }
}

impl Cursor {
    /// Of the endpoint of this name.
    ///
    /// # Errors
    ///
    /// If the secret cannot be one.
    pub(super) fn new(
        secret: &[u8],
        endpoint: &str,
        keys: Vec<(usize, String)>,
    ) -> anyhow::Result<Self> {
        let mut signer = Hmac::<Sha256>::new_from_slice(secret).context("the cursors' secret")?;
        signer.update(endpoint.as_bytes());
        signer.update(&[0]);
        Ok(Self { signer, keys: keys.into() })
    }

    /// The values that a cursor stands for, each with its parameter's place.
    ///
    /// # Errors
    ///
    /// If it is not one that we signed for this endpoint.
    pub(super) fn read(&self, text: &str) -> Result<Vec<(usize, String)>, &'static str> {
        let bytes = from_hex(text).ok_or(FORGED)?;
        let (signature, payload) = bytes.split_at_checked(SIGNATURE).ok_or(FORGED)?;
        let mut signer = self.signer.clone();
        signer.update(payload);
        signer.verify_truncated_left(signature).map_err(|_| FORGED)?;
        let values: Vec<String> = serde_json::from_slice(payload).map_err(|_| FORGED)?;
        if values.len() != self.keys.len() {
            return Err(FORGED);
        }
        Ok(self.keys.iter().map(|(place, _)| *place).zip(values).collect())
    }

    /// The cursor behind the last row of an answer; none where there is no row, or where a key is NULL.
    pub(super) fn next(&self, answer: &[u8]) -> Option<String> {
        let text = std::str::from_utf8(answer).ok()?;
        let row = Items::of_array(text)?.last()?;
        let values: Option<Vec<String>> =
            self.keys.iter().map(|(_, column)| column_of(row, column)).collect();
        let payload = serde_json::to_vec(&values?).ok()?;
        let mut signer = self.signer.clone();
        signer.update(&payload);
        let signature = signer.finalize().into_bytes();
        let mut hex = String::with_capacity(2 * (SIGNATURE + payload.len()));
        for byte in signature.iter().take(SIGNATURE).chain(&payload) {
            write!(hex, "{byte:02x}").expect("a String takes all");
        }
        Some(hex)
    }
}

/// A column of a row as a parameter's text.
fn column_of(row: &str, column: &str) -> Option<String> {
    let mut items = Items::of_object(row)?;
    while let (Some(name), Some(value)) = (items.next(), items.next()) {
        if unquoted(name).is_ok_and(|name| name == column) {
            return match value {
                "null" => None,
                text if text.starts_with('"') => Some(unquoted(text).ok()?.into_owned()),
                other => Some(other.to_owned()),
            };
        }
    }
    None
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    if text.len() > 2 * LONGEST || text.len() % 2 == 1 {
        return None;
    }
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    text.as_bytes().chunks(2).map(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cursor(secret: &[u8], endpoint: &str) -> Cursor {
        let keys = vec![(1, "made".to_owned()), (0, "id".to_owned())];
        Cursor::new(secret, endpoint, keys).expect("a secret")
    }

    #[test]
    fn a_cursor_brings_the_last_row_back_and_nothing_else_is_one() {
        let ours = cursor(b"secret", "things");
        let answer = b"[{\"id\":1,\"made\":\"x\"},{\"id\":9007199254740993,\"made\":\"a\\\"b\"}]";
        let next = ours.next(answer).expect("there is a row");
        let values = ours.read(&next).expect("ours");
        assert_eq!(values, [(1, "a\"b".to_owned()), (0, "9007199254740993".to_owned())]);
        for other in [cursor(b"other", "things"), cursor(b"secret", "others")] {
            assert!(other.read(&next).is_err());
        }
        for place in 0..next.len() {
            let mut forged = next.clone().into_bytes();
            forged[place] = if forged[place] == b'0' { b'1' } else { b'0' };
            assert!(ours.read(std::str::from_utf8(&forged).expect("ASCII")).is_err(), "{place}");
            assert!(ours.read(&next[..place]).is_err(), "cut to {place}");
        }
        for wrong in ["", "é", "zz", "00"] {
            assert!(ours.read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_last_page_has_no_next_one() {
        let ours = cursor(b"secret", "things");
        assert_eq!(ours.next(b"[]"), None);
        assert_eq!(ours.next(b"[{\"id\":1,\"made\":null}]"), None);
    }
}
