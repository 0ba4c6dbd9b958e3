//! Text, and what is written as text: bytes, bits, identifiers. JSON is passed through.

#[cfg(test)]
use super::codec::tests::{check, written};
use super::reader::{Malformed, Reader, exactly};

/// A JSON string of any text.
pub(in crate::api) fn string(value: &str, out: &mut Vec<u8>) {
    let plain = |byte: u8| byte >= 0x20 && byte != b'"' && byte != b'\\';
    if value.bytes().all(plain) {
        out.push(b'"');
        out.extend_from_slice(value.as_bytes());
        out.push(b'"');
    } else if serde_json::to_writer(&mut *out, value).is_err() {
        // A buffer takes every byte and a string is always JSON, so there is nothing to undo.
        out.extend_from_slice(b"null");
    }
}

/// The connection speaks UTF-8, so anything else is a server's mistake (or its encoding `SQL_ASCII`).
fn checked(bytes: &[u8]) -> Result<&str, Malformed> {
    std::str::from_utf8(bytes).map_err(|_| Malformed)
}

/// `text` and everything that sends itself as text.
pub(super) fn utf8(bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Malformed> {
    string(checked(bytes)?, out);
    Ok(())
}

/// `"char"`: one byte, which above 127 is written in octal as Postgres does; zero is the empty text.
pub(super) fn single_byte(bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Malformed> {
    match bytes {
        [0] => string("", out),
        [byte] if byte.is_ascii() => string(checked(bytes)?, out),
        [byte] => string(&format!("\\{byte:03o}"), out),
        _ => return Err(Malformed),
    }
    Ok(())
}

/// `json`: exactly as it was stored.
pub(super) fn json(bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Malformed> {
    out.extend_from_slice(checked(bytes)?.as_bytes());
    Ok(())
}

/// `jsonb`: text behind a version byte.
pub(super) fn jsonb(bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Malformed> {
    json(unversioned(bytes)?, out)
}

/// `jsonpath`: text behind a version byte.
pub(super) fn versioned(bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Malformed> {
    utf8(unversioned(bytes)?, out)
}

fn unversioned(bytes: &[u8]) -> Result<&[u8], Malformed> {
    match bytes {
        [1, text @ ..] => Ok(text),
        _ => Err(Malformed),
    }
}

/// `bytea`: base64 with padding (RFC 4648).
#[expect(clippy::unnecessary_wraps, reason = "the table wants one shape")]
pub(super) fn base64(bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Malformed> {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    out.reserve(bytes.len().div_ceil(3) * 4 + 2);
    out.push(b'"');
    for chunk in bytes.chunks(3) {
        let byte = |at: usize| usize::from(chunk.get(at).copied().unwrap_or(0));
        let bits = (byte(0) << 16) | (byte(1) << 8) | byte(2);
        for (place, shift) in [18, 12, 6, 0].into_iter().enumerate() {
            let digit = if place <= chunk.len() { ALPHABET[(bits >> shift) & 63] } else { b'=' };
            out.push(digit);
        }
    }
    out.push(b'"');
    Ok(())
}

/// `uuid`, hyphenated and in lower case.
pub(super) fn uuid(bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Malformed> {
    let uuid = uuid::Uuid::from_slice(bytes).map_err(|_| Malformed)?;
    let mut text = [0; uuid::fmt::Hyphenated::LENGTH];
    out.push(b'"');
    out.extend_from_slice(uuid.hyphenated().encode_lower(&mut text).as_bytes());
    out.push(b'"');
    Ok(())
}

/// `bit`, `bit varying`: zeros and ones.
pub(super) fn bits(bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Malformed> {
    let mut reader = Reader::new(bytes);
    let count = usize::try_from(reader.i32()?).map_err(|_| Malformed)?;
    let packed = exactly(reader.rest(), |rest| rest.take(count.div_ceil(8)))?;
    out.push(b'"');
    for place in 0..count {
        let bit = packed[place / 8] >> (7 - place % 8) & 1;
        out.push(b'0' + bit);
    }
    out.push(b'"');
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn text_is_escaped_as_json_wants_it() {
        check("textsend", b"plain", "\"plain\"");
        check("textsend", "a\"b\\c\n\u{1}é".as_bytes(), "\"a\\\"b\\\\c\\n\\u0001é\"");
        assert_eq!(written("textsend", &[0xFF]), Err(Malformed));
        check("charsend", b"x", "\"x\"");
        check("charsend", &[0], "\"\"");
        check("charsend", &[0xE9], "\"\\\\351\"");
    }

    #[test]
    fn json_is_inlined_and_jsonb_loses_its_version_byte() {
        check("json_send", b"{\"a\": [1,2]}", "{\"a\": [1,2]}");
        check("jsonb_send", b"\x01{\"a\": 1}", "{\"a\": 1}");
        assert_eq!(written("jsonb_send", b"\x02{}"), Err(Malformed));
        assert_eq!(written("jsonb_send", b""), Err(Malformed));
    }

    #[test]
    fn bytes_are_base64_with_padding() {
        check("byteasend", b"", "\"\"");
        check("byteasend", b"f", "\"Zg==\"");
        check("byteasend", b"fo", "\"Zm8=\"");
        check("byteasend", b"foobar", "\"Zm9vYmFy\"");
        check("byteasend", &[0xFB, 0xFF], "\"+/8=\"");
    }

    #[test]
    fn bits_and_identifiers() {
        check("bit_send", &[0, 0, 0, 10, 0b1010_0001, 0b1100_0000], "\"1010000111\"");
        check("varbit_send", &[0, 0, 0, 0], "\"\"");
        assert_eq!(written("bit_send", &[0, 0, 0, 9, 1]), Err(Malformed));
        assert_eq!(written("bit_send", &[0xFF, 0xFF, 0xFF, 0xFF]), Err(Malformed));
        check("uuid_send", &[0xAB; 16], "\"abababab-abab-abab-abab-abababababab\"");
    }

    proptest! {
        #[test]
        fn any_text_comes_back_from_json(text in any::<String>()) {
            let mut out = Vec::new();
            string(&text, &mut out);
            prop_assert_eq!(serde_json::from_slice::<String>(&out).expect("JSON"), text);
        }
    }
}
