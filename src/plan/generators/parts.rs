//! Columns of values with parts: JSON, arrays, bytes, addresses, points.

use super::around::{Around, Mistake, mistake};
use super::build::generator;
use super::texts::{clean, length};
use crate::rows::{ColumnSpec, Generator};
use crate::spec::Column;

/// Longest value, in bytes.
const MOST_BYTES: u32 = 100_000;
/// Most elements of an array.
const MOST_ELEMENTS: u32 = 1000;
/// Private addresses, where no network is stated.
const NETWORK: &str = "10.0.0.0/8";
/// Longitude and latitude, where no area is stated.
const AREA: [f64; 4] = [-180.0, -90.0, 180.0, 90.0];

pub(super) fn json<'a>(
    around: &Around<'a>,
    name: &'a str,
    column: &'a Column,
) -> Result<Generator, Mistake> {
    let Some(members) = &column.fields else {
        return mistake("fields", "`json` has no fields", "write `fields = { … }`");
    };
    let mut fields = Vec::with_capacity(members.len());
    for (member, how) in members {
        let made = generator(around, name, how);
        fields.push(ColumnSpec {
            name: clean("fields", member)?,
            generator: made.map_err(|m| m.within(&["fields", member]))?,
            null_ratio: how.null_ratio.unwrap_or(0.0),
        });
    }
    Ok(Generator::Json { fields })
}

pub(super) fn array<'a>(
    around: &Around<'a>,
    name: &'a str,
    column: &'a Column,
) -> Result<Generator, Mistake> {
    let (min, max) = length(column, 0, MOST_ELEMENTS)?;
    let Some(how) = &column.of else {
        return mistake("of", "the array has no elements", "write `of = { generator = … }`");
    };
    let generator = generator(around, name, how).map_err(|m| m.within(&["of"]))?;
    if matches!(generator, Generator::Array { .. }) {
        let what = "an element can't be an array";
        return mistake("of", what, "take `json` for lists of lists");
    }
    if !generator.is_free() {
        let what = "elements have no row number of their own, and this generator counts rows";
        return mistake("of", what, "draw them: `integer`, `choice`, `words`, …");
    }
    let of =
        ColumnSpec { name: "element".into(), generator, null_ratio: how.null_ratio.unwrap_or(0.0) };
    Ok(Generator::Array { of: Box::new(of), min, max })
}

pub(super) fn bytes(column: &Column) -> Result<Generator, Mistake> {
    let (min, max) = length(column, 0, MOST_BYTES)?;
    Ok(Generator::Bytes { min, max })
}

pub(super) fn inet(column: &Column) -> Result<Generator, Mistake> {
    let network = column.network.as_deref().unwrap_or(NETWORK);
    let generator = Generator::Inet { network: network.to_owned() };
    match crate::rows::trial(&generator) {
        Ok(()) => Ok(generator),
        Err(what) => mistake("network", what, "an address, a slash, and the bits that are fixed"),
    }
}

pub(super) fn point(column: &Column) -> Result<Generator, Mistake> {
    let help = "write like `area = [-180, -90, 180, 90]`: least x, least y, most x, most y";
    let area = match &column.area {
        None => AREA,
        Some(area) => match <[f64; 4]>::try_from(area.as_slice()) {
            Ok(area) => area,
            Err(_) => return mistake("area", "an area has four numbers", help),
        },
    };
    let generator = Generator::Point { area };
    match crate::rows::trial(&generator) {
        Ok(()) => Ok(generator),
        Err(what) => mistake("area", what, help),
    }
}
