//! Values within values: the quotes of JSON and of arrays, and the escapes of COPY around them.

use super::value::write_hex;

/// Writes the bytes from `start` on again, some of them by `write`.
fn rewrite(
    out: &mut Vec<u8>,
    start: usize,
    special: impl Fn(u8) -> bool,
    write: impl Fn(u8, &mut Vec<u8>),
) {
    // Most texts have nothing special, and stay where they are.
    let Some(first) = out[start..].iter().position(|byte| special(*byte)) else { return };
    let tail = out.split_off(start + first);
    for byte in tail {
        if special(byte) { write(byte, out) } else { out.push(byte) }
    }
}

/// Escapes what was appended since `start` for COPY's text format.
pub(super) fn escape_copy(out: &mut Vec<u8>, start: usize) {
    rewrite(
        out,
        start,
        |byte| matches!(byte, b'\\' | b'\t' | b'\n' | b'\r'),
        |byte, out| {
            out.push(b'\\');
            out.push(match byte {
                b'\t' => b't',
                b'\n' => b'n',
                b'\r' => b'r',
                other => other,
            });
        },
    );
}

/// Makes a JSON string of what `write` appends.
pub(super) fn json_string(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    quoted(out, write, |byte| byte < b' ');
}

/// Makes a quoted element of an array of what `write` appends.
pub(super) fn array_element(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    quoted(out, write, |_| false);
}

/// Quotes what `write` appends: a backslash before quotes and backslashes, and JSON's number for what is to have none.
fn quoted(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>), is_numbered: impl Fn(u8) -> bool) {
    out.push(b'"');
    let start = out.len();
    write(out);
    rewrite(
        out,
        start,
        |byte| is_numbered(byte) || matches!(byte, b'"' | b'\\'),
        |byte, out| {
            if is_numbered(byte) {
                out.extend_from_slice(b"\\u00");
                write_hex(byte, out);
            } else {
                out.push(b'\\');
                out.push(byte);
            }
        },
    );
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn quotes_are_escaped_as_each_form_wants_it() {
        let mut out = b"x".to_vec();
        array_element(&mut out, |out| out.extend_from_slice(b"a\"b\\c"));
        assert_eq!(out, b"x\"a\\\"b\\\\c\"");
        escape_copy(&mut out, 1);
        assert_eq!(out, b"x\"a\\\\\"b\\\\\\\\c\"");
    }

    proptest! {
        #[test]
        fn any_text_survives_json(text in "\\PC{0,20}|[\\x01-\\x7f]{0,20}") {
            let mut out = Vec::new();
            json_string(&mut out, |out| out.extend_from_slice(text.as_bytes()));
            let read: String = serde_json::from_slice(&out).expect("JSON");
            prop_assert_eq!(read, text);
        }
    }
}
