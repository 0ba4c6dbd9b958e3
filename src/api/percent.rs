//! Percent-decoding that never guesses: a bad escape, bytes that are no UTF-8 and NUL are refused.
//!
//! Usual decoders put U+FFFD where bytes are no UTF-8; then two different requests are one, down to the cache key.

use std::borrow::Cow;

/// Whether `+` is a space, as in query strings, or itself, as in paths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Plus {
    /// In a query string.
    Space,
    /// In a path.
    Itself,
}

/// Why a text cannot be decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Undecodable {
    /// `%` without two hexadecimal digits.
    Escape,
    /// Not UTF-8 once decoded.
    Utf8,
    /// Holds NUL, which no Postgres text can.
    Nul,
}

/// Decodes one name or value; borrows what has nothing to decode.
///
/// # Errors
///
/// See [`Undecodable`].
pub(super) fn decode(text: &str, plus: Plus) -> Result<Cow<'_, str>, Undecodable> {
    let special = |byte: u8| byte == b'%' || byte == 0 || (byte == b'+' && plus == Plus::Space);
    let Some(first) = text.bytes().position(special) else { return Ok(Cow::Borrowed(text)) };
    let mut decoded = Vec::with_capacity(text.len());
    decoded.extend_from_slice(&text.as_bytes()[..first]);
    let mut rest = text.bytes().skip(first);
    while let Some(byte) = rest.next() {
        decoded.push(match byte {
            b'%' => {
                let high = rest.next().and_then(hex).ok_or(Undecodable::Escape)?;
                let low = rest.next().and_then(hex).ok_or(Undecodable::Escape)?;
                high << 4 | low
            }
            b'+' if plus == Plus::Space => b' ',
            byte => byte,
        });
    }
    if decoded.contains(&0) {
        return Err(Undecodable::Nul);
    }
    String::from_utf8(decoded).map(Cow::Owned).map_err(|_| Undecodable::Utf8)
}

fn hex(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_has_no_escape_is_borrowed() {
        assert!(matches!(decode("a@b.c", Plus::Space), Ok(Cow::Borrowed("a@b.c"))));
        assert!(matches!(decode("a+b", Plus::Itself), Ok(Cow::Borrowed("a+b"))));
    }

    #[test]
    fn escapes_are_decoded_and_plus_is_a_space_in_a_query_only() {
        assert_eq!(decode("a%2Fb%20c+d", Plus::Space).as_deref(), Ok("a/b c d"));
        assert_eq!(decode("a%2fb+d", Plus::Itself).as_deref(), Ok("a/b+d"));
        assert_eq!(decode("%C3%A9", Plus::Space).as_deref(), Ok("é"));
    }

    #[test]
    fn what_is_no_text_is_refused_and_never_replaced() {
        for text in ["%ff%fe", "%C3", "a%80b", "%ED%A0%80"] {
            assert_eq!(decode(text, Plus::Space), Err(Undecodable::Utf8), "{text}");
        }
        for text in ["%", "%4", "%zz", "a%-1"] {
            assert_eq!(decode(text, Plus::Space), Err(Undecodable::Escape), "{text}");
        }
        assert_eq!(decode("a%00b", Plus::Itself), Err(Undecodable::Nul));
    }

    proptest! {
        #[test]
        fn every_text_survives_being_escaped(text in "[^\0]*") {
            let escaped = text.bytes().fold(String::new(), |text, byte| format!("{text}%{byte:02X}"));
            let decoded = decode(&escaped, Plus::Space);
            prop_assert_eq!(decoded.as_deref(), Ok(text.as_str()));
        }

        #[test]
        fn no_text_panics(text in any::<String>()) {
            drop(decode(&text, Plus::Space));
        }
    }
}
