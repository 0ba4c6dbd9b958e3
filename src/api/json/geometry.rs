//! Geometry, as the text that Postgres writes; numbers keep their shortest digits.

use std::io::Write as _;

#[cfg(test)]
use super::codec::tests::check;
use super::reader::{Malformed, Reader};

fn number(value: f64, out: &mut Vec<u8>) -> Result<(), Malformed> {
    let written = if value.is_infinite() {
        write!(out, "{}Infinity", if value < 0.0 { "-" } else { "" })
    } else if value.is_nan() || (1e-5..1e15).contains(&value.abs()) || value == 0.0 {
        write!(out, "{value}")
    } else {
        write!(out, "{value:e}")
    };
    written.map_err(|_| Malformed)
}

fn pair(reader: &mut Reader<'_>, out: &mut Vec<u8>) -> Result<(), Malformed> {
    out.push(b'(');
    number(reader.f64()?, out)?;
    out.push(b',');
    number(reader.f64()?, out)?;
    out.push(b')');
    Ok(())
}

fn pairs(
    reader: &mut Reader<'_>,
    count: usize,
    around: [&[u8]; 2],
    out: &mut Vec<u8>,
) -> Result<(), Malformed> {
    out.push(b'"');
    out.extend_from_slice(around[0]);
    for place in 0..count {
        if place > 0 {
            out.push(b',');
        }
        pair(reader, out)?;
    }
    out.extend_from_slice(around[1]);
    out.push(b'"');
    reader.end()
}

/// `(x,y)`.
pub(super) fn point(bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Malformed> {
    pairs(&mut Reader::new(bytes), 1, [b"", b""], out)
}

/// `[(x,y),(x,y)]`.
pub(super) fn segment(bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Malformed> {
    pairs(&mut Reader::new(bytes), 2, [b"[", b"]"], out)
}

/// `(x,y),(x,y)`.
pub(super) fn rectangle(bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Malformed> {
    pairs(&mut Reader::new(bytes), 2, [b"", b""], out)
}

/// `{A,B,C}`.
pub(super) fn line(bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Malformed> {
    let mut reader = Reader::new(bytes);
    for before in ["\"{", ",", ","] {
        out.extend_from_slice(before.as_bytes());
        number(reader.f64()?, out)?;
    }
    out.extend_from_slice(b"}\"");
    reader.end()
}

fn point_count(reader: &mut Reader<'_>) -> Result<usize, Malformed> {
    usize::try_from(reader.i32()?).map_err(|_| Malformed)
}

/// Closed in parentheses, open in brackets.
pub(super) fn path(bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Malformed> {
    let mut reader = Reader::new(bytes);
    let around: [&[u8]; 2] = if reader.u8()? == 0 { [b"[", b"]"] } else { [b"(", b")"] };
    let count = point_count(&mut reader)?;
    pairs(&mut reader, count, around, out)
}

/// `((x,y),…)`.
pub(super) fn polygon(bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Malformed> {
    let mut reader = Reader::new(bytes);
    let count = point_count(&mut reader)?;
    pairs(&mut reader, count, [b"(", b")"], out)
}

/// `<(x,y),r>`.
pub(super) fn circle(bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Malformed> {
    let mut reader = Reader::new(bytes);
    out.extend_from_slice(b"\"<");
    pair(&mut reader, out)?;
    out.push(b',');
    number(reader.f64()?, out)?;
    out.extend_from_slice(b">\"");
    reader.end()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn doubles(numbers: &[f64]) -> Vec<u8> {
        numbers.iter().flat_map(|number| number.to_be_bytes()).collect()
    }

    #[test]
    fn shapes_are_written_as_postgres_writes_them() {
        check("point_send", &doubles(&[1.0, -2.5]), "\"(1,-2.5)\"");
        check("lseg_send", &doubles(&[0.0, 0.0, 1.0, 1.0]), "\"[(0,0),(1,1)]\"");
        check("box_send", &doubles(&[1.0, 1.0, 0.0, 0.0]), "\"(1,1),(0,0)\"");
        check("line_send", &doubles(&[1.0, -1.0, 0.5]), "\"{1,-1,0.5}\"");
        check("circle_send", &doubles(&[1.0, 2.0, 3.0]), "\"<(1,2),3>\"");
        let two = doubles(&[1.0, 2.0, 3.0, 4.0]);
        let count = [0, 0, 0, 2];
        check("path_send", &[&[0][..], &count, &two].concat(), "\"[(1,2),(3,4)]\"");
        check("path_send", &[&[1][..], &count, &two].concat(), "\"((1,2),(3,4))\"");
        check("poly_send", &[&count[..], &two].concat(), "\"((1,2),(3,4))\"");
    }
}
