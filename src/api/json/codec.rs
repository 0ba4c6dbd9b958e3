//! Which type is written how: the table, and the one function that every value goes through.

use super::reader::Malformed;
use super::{address, geometry, nested, number, text, time};

/// How the bytes of one type become JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::api) enum Codec {
    /// A type of its own.
    Plain(Plain),
    /// Any array of them, however many dimensions.
    Array(Box<Self>),
    /// A range over them.
    Range(Box<Self>),
}

/// Writes one value's bytes as JSON.
pub(in crate::api) type Write = fn(&[u8], &mut Vec<u8>) -> Result<(), Malformed>;

/// A type that holds no other type.
#[derive(Debug, Clone, Copy)]
pub(in crate::api) struct Plain {
    send: &'static str,
    write: Write,
}

impl Plain {
    /// The function in `pg_proc` that sends such values.
    pub(super) fn send(&self) -> &'static str {
        self.send
    }
}

impl PartialEq for Plain {
    fn eq(&self, other: &Self) -> bool {
        self.send == other.send
    }
}

impl Eq for Plain {}

/// Send function in `pg_proc` and what it sends.
const PLAIN: &[(&str, Write)] = &[
    ("boolsend", number::boolean),
    ("int2send", number::int2),
    ("int4send", number::int4),
    ("int8send", number::int8),
    ("oidsend", number::uint4),
    ("xidsend", number::uint4),
    ("cidsend", number::uint4),
    ("xid8send", number::uint8),
    ("float4send", number::float4),
    ("float8send", number::float8),
    ("numeric_send", number::numeric),
    ("cash_send", number::money),
    ("textsend", text::utf8),
    ("varcharsend", text::utf8),
    ("bpcharsend", text::utf8),
    ("namesend", text::utf8),
    ("unknownsend", text::utf8),
    ("xml_send", text::utf8),
    ("enum_send", text::utf8),
    ("citextsend", text::utf8),
    ("cstring_send", text::utf8),
    ("void_send", text::utf8),
    ("charsend", text::single_byte),
    ("json_send", text::json),
    ("jsonb_send", text::jsonb),
    ("jsonpath_send", text::versioned),
    ("byteasend", text::base64),
    ("uuid_send", text::uuid),
    ("bit_send", text::bits),
    ("varbit_send", text::bits),
    ("date_send", time::date),
    ("time_send", time::time),
    ("timetz_send", time::timetz),
    ("timestamp_send", time::timestamp),
    ("timestamptz_send", time::timestamptz),
    ("interval_send", time::interval),
    ("inet_send", address::inet),
    ("cidr_send", address::inet),
    ("macaddr_send", address::mac),
    ("macaddr8_send", address::mac),
    ("pg_lsn_send", address::log_position),
    ("tidsend", address::tuple_id),
    ("point_send", geometry::point),
    ("lseg_send", geometry::segment),
    ("box_send", geometry::rectangle),
    ("line_send", geometry::line),
    ("path_send", geometry::path),
    ("poly_send", geometry::polygon),
    ("circle_send", geometry::circle),
];

impl Codec {
    /// The codec of a type that sends itself with this function; none for what is not supported, and for those that hold
    /// another type.
    pub(in crate::api) fn of_send_function(name: &str) -> Option<Self> {
        let (send, write) = PLAIN.iter().find(|(send, _)| *send == name)?;
        Some(Self::Plain(Plain { send, write: *write }))
    }

    /// Appends one value that is not NULL.
    ///
    /// # Errors
    ///
    /// If the bytes are not what the type promises; the buffer may then hold a part of the value.
    pub(in crate::api) fn write(&self, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Malformed> {
        match self {
            Self::Plain(plain) => (plain.write)(bytes, out),
            Self::Array(element) => {
                nested::array(&|field, out| element.write_nullable(field, out), bytes, out)
            }
            Self::Range(bound) => {
                nested::range(&|field, out| bound.write_nullable(field, out), bytes, out)
            }
        }
    }

    /// Appends a value or `null`.
    pub(in crate::api) fn write_nullable(
        &self,
        bytes: Option<&[u8]>,
        out: &mut Vec<u8>,
    ) -> Result<(), Malformed> {
        if let Some(bytes) = bytes {
            return self.write(bytes, out);
        }
        out.extend_from_slice(b"null");
        Ok(())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// What a type writes for these bytes.
    pub(in crate::api::json) fn written(send: &str, bytes: &[u8]) -> Result<String, Malformed> {
        let codec = Codec::of_send_function(send).expect("the table knows it");
        let mut out = Vec::new();
        codec.write(bytes, &mut out)?;
        Ok(String::from_utf8(out).expect("JSON is UTF-8"))
    }

    /// One type, bytes, and the JSON that must come of them.
    pub(in crate::api::json) fn check(send: &str, bytes: &[u8], json: &str) {
        assert_eq!(written(send, bytes).as_deref(), Ok(json), "{send} {bytes:?}");
        serde_json::from_str::<serde_json::Value>(json).expect("the expectation itself is JSON");
    }

    #[test]
    fn no_type_panics_on_bytes_that_are_cut_short_or_too_long() {
        let long = [0x7F_u8; 80];
        for (send, _) in PLAIN {
            for length in 0..long.len() {
                // Only that it comes back matters here; what is right is tested type by type.
                drop(written(send, &long[..length]));
            }
        }
    }

    #[test]
    fn fixed_width_types_refuse_every_other_width() {
        for (send, width) in [("int4send", 4), ("uuid_send", 16), ("timestamptz_send", 8)] {
            for length in (0..24).filter(|length| *length != width) {
                assert_eq!(written(send, &vec![1; length]), Err(Malformed), "{send} {length}");
            }
        }
    }

    #[test]
    fn an_unknown_send_function_has_no_codec() {
        assert_eq!(Codec::of_send_function("record_send"), None);
        assert_eq!(Codec::of_send_function("tsvectorsend"), None);
    }
}
