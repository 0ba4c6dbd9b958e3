//! Arrays and ranges: values that hold values. Every count is checked against the bytes that are there.

use super::reader::{Malformed, Reader};

/// Writes one of the values within, or `null`.
type Write<'a> = dyn Fn(Option<&[u8]>, &mut Vec<u8>) -> Result<(), Malformed> + 'a;

/// Postgres' own limit of an array's dimensions.
const MOST_DIMENSIONS: usize = 6;

/// Nested JSON arrays, one for each dimension. Lower bounds other than 1 are not told, as in `to_jsonb`.
pub(super) fn array(element: &Write<'_>, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Malformed> {
    let mut reader = Reader::new(bytes);
    let dimensions = usize::try_from(reader.i32()?).map_err(|_| Malformed)?;
    let (_has_nulls, _element_oid) = (reader.i32()?, reader.u32()?);
    if dimensions == 0 {
        out.extend_from_slice(b"[]");
        return reader.end();
    }
    if dimensions > MOST_DIMENSIONS {
        return Err(Malformed);
    }
    let mut lengths = [0; MOST_DIMENSIONS];
    for length in &mut lengths[..dimensions] {
        *length = usize::try_from(reader.i32()?).map_err(|_| Malformed)?;
        let _lower_bound = reader.i32()?;
    }
    // Each element takes four bytes at least, so this bounds the loops below by what was received.
    let elements = lengths[..dimensions].iter().try_fold(1_usize, |all, one| all.checked_mul(*one));
    if elements.is_none_or(|elements| elements > reader.left() / 4) {
        return Err(Malformed);
    }
    dimension(element, &lengths[..dimensions], &mut reader, out)?;
    reader.end()
}

fn dimension(
    element: &Write<'_>,
    lengths: &[usize],
    reader: &mut Reader<'_>,
    out: &mut Vec<u8>,
) -> Result<(), Malformed> {
    let Some((length, inner)) = lengths.split_first() else {
        return element(reader.field()?, out);
    };
    out.push(b'[');
    for place in 0..*length {
        if place > 0 {
            out.push(b',');
        }
        dimension(element, inner, reader, out)?;
    }
    out.push(b']');
    Ok(())
}

const EMPTY: u8 = 0x01;
const LOWER_INCLUDED: u8 = 0x02;
const UPPER_INCLUDED: u8 = 0x04;
const LOWER_INFINITE: u8 = 0x08;
const UPPER_INFINITE: u8 = 0x10;

/// `{"lower":1,"upper":10,"bounds":"[)"}`, an infinite bound `null`; the empty range is `"empty"`.
pub(super) fn range(bound: &Write<'_>, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Malformed> {
    let mut reader = Reader::new(bytes);
    let flags = reader.u8()?;
    if flags & EMPTY != 0 {
        out.extend_from_slice(b"\"empty\"");
        return reader.end();
    }
    let mut end = |infinite: u8| {
        if flags & infinite == 0 { reader.field() } else { Ok(None) }
    };
    out.extend_from_slice(b"{\"lower\":");
    bound(end(LOWER_INFINITE)?, out)?;
    out.extend_from_slice(b",\"upper\":");
    bound(end(UPPER_INFINITE)?, out)?;
    out.extend_from_slice(b",\"bounds\":\"");
    out.push(if flags & LOWER_INCLUDED == 0 { b'(' } else { b'[' });
    out.push(if flags & UPPER_INCLUDED == 0 { b')' } else { b']' });
    out.extend_from_slice(b"\"}");
    reader.end()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::json::codec::Codec;

    fn integers() -> Codec {
        Codec::of_send_function("int4send").expect("known")
    }

    fn words(numbers: &[i32]) -> Vec<u8> {
        numbers.iter().flat_map(|number| number.to_be_bytes()).collect()
    }

    fn written(codec: &Codec, bytes: &[u8]) -> Result<String, Malformed> {
        let mut out = Vec::new();
        codec.write(bytes, &mut out)?;
        Ok(String::from_utf8(out).expect("JSON is UTF-8"))
    }

    #[test]
    fn arrays_nest_as_deep_as_their_dimensions_and_hold_nulls() {
        let codec = Codec::Array(Box::new(integers()));
        assert_eq!(written(&codec, &words(&[0, 0, 23])).as_deref(), Ok("[]"));
        let flat = words(&[1, 1, 23, 3, 1, 4, 7, -1, 4, 9]);
        assert_eq!(written(&codec, &flat).as_deref(), Ok("[7,null,9]"));
        let square = words(&[2, 0, 23, 2, 1, 2, 1, 4, 1, 4, 2, 4, 3, 4, 4]);
        assert_eq!(written(&codec, &square).as_deref(), Ok("[[1,2],[3,4]]"));
    }

    #[test]
    fn an_array_that_claims_more_than_it_holds_is_refused_at_once() {
        let codec = Codec::Array(Box::new(integers()));
        for header in [
            words(&[1, 0, 23, i32::MAX, 1]),
            words(&[6, 0, 23, 9999, 1, 9999, 1, 9999, 1, 9999, 1, 9999, 1, 9999, 1]),
            words(&[7, 0, 23]),
            words(&[-1, 0, 23]),
            words(&[1, 0, 23, 1, 1, 4, 7, 0]),
        ] {
            assert_eq!(written(&codec, &header), Err(Malformed));
        }
    }

    #[test]
    fn ranges_tell_their_bounds() {
        let codec = Codec::Range(Box::new(integers()));
        let bounded = [&[LOWER_INCLUDED][..], &words(&[4, 1, 4, 10])].concat();
        let json = "{\"lower\":1,\"upper\":10,\"bounds\":\"[)\"}";
        assert_eq!(written(&codec, &bounded).as_deref(), Ok(json));
        let endless = [&[UPPER_INFINITE][..], &words(&[4, 1])].concat();
        let json = "{\"lower\":1,\"upper\":null,\"bounds\":\"()\"}";
        assert_eq!(written(&codec, &endless).as_deref(), Ok(json));
        assert_eq!(written(&codec, &[EMPTY]).as_deref(), Ok("\"empty\""));
    }
}
