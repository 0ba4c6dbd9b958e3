//! Postgres' binary wire format to JSON, written straight into the answer's buffer.
//!
//! A [`Codec`] is chosen once, at start, from the name of the type's send function (the function that made the bytes), so
//! domains, enums, extension types that send text and types of a user's own need no list of OIDs. Policies: exact decimals
//! (`numeric`, `money`) are strings; NaN and infinities are strings; times are ISO 8601, `timestamptz` in UTC with `Z`;
//! `bytea` is base64; bit strings, network addresses and geometry are their usual text; ranges are objects with `lower`,
//! `upper` and `bounds`; `json` is inlined as it is. Years before 1 carry Postgres' own suffix ` BC`.

mod address;
mod codec;
mod geometry;
mod nested;
mod number;
mod reader;
mod schema;
mod text;
mod time;

pub(in crate::api) use codec::Codec;
pub(in crate::api) use reader::Malformed;
pub(in crate::api) use text::string as write_string;
