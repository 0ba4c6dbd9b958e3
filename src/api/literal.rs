//! Values written into a statement's text, where an experiment asks what that costs (`bind_style = "literal"`).
//!
//! Only values that were checked and typed come here, each as a quoted constant with its type behind it; a text can't hold
//! NUL, its quotes are doubled, and the connection reads a backslash as itself (`standard_conforming_strings`).

use super::value::{Kind, Value};
use crate::plan::{SqlPiece, sql_pieces};
use crate::spec::ParamType;

/// A statement with holes.
#[derive(Debug)]
pub(super) struct Literal(Vec<Piece>);

#[derive(Debug)]
enum Piece {
    Text(String),
    /// The place in the statement's bindings, from 0.
    Hole(usize),
}

impl Literal {
    /// Takes a statement apart.
    pub(super) fn new(sql: &str) -> Self {
        let pieces = sql_pieces(sql).into_iter().map(|piece| match piece {
            SqlPiece::Text(text) => Piece::Text(text.to_owned()),
            SqlPiece::Placeholder(number) => Piece::Hole(number.saturating_sub(1)),
        });
        Self(pieces.collect())
    }

    /// The statement with these values; none where a hole has no value.
    pub(super) fn fill(&self, values: &[&Value<'_>]) -> Option<String> {
        let mut sql = String::with_capacity(256);
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => sql.push_str(text),
                Piece::Hole(place) => {
                    sql.push('(');
                    constant(values.get(*place)?, &mut sql);
                    sql.push(')');
                }
            }
        }
        Some(sql)
    }
}

fn constant(value: &Value<'_>, sql: &mut String) {
    let (text, r#type) = match value {
        Value::Text(text) => (text.to_string(), ParamType::Text),
        Value::Enum(text) => (text.to_string(), ParamType::Enum),
        Value::Json(text) => (text.to_string(), ParamType::Json),
        Value::Integer(number) => (number.to_string(), ParamType::Integer),
        Value::Bigint(number) => (number.to_string(), ParamType::Bigint),
        Value::Float(number) => (number.to_string(), ParamType::Float),
        Value::Numeric(number) => (number.to_plain_string(), ParamType::Numeric),
        Value::Bool(truth) => (truth.to_string(), ParamType::Bool),
        Value::Uuid(uuid) => (uuid.to_string(), ParamType::Uuid),
        Value::Date(date) => (date.to_string(), ParamType::Date),
        Value::Timestamp(time) => (time.to_string(), ParamType::Timestamp),
        Value::Timestamptz(time) => (time.to_rfc3339(), ParamType::Timestamptz),
        Value::Array(r#type, values) => return array(*r#type, values, sql),
        Value::Null(kind) => return null(*kind, sql),
    };
    sql.push('\'');
    sql.push_str(&text.replace('\'', "''"));
    sql.push('\'');
    cast(r#type, "", sql);
}

fn array(r#type: ParamType, values: &[Value<'_>], sql: &mut String) {
    sql.push_str("ARRAY[");
    for (place, value) in values.iter().enumerate() {
        if place > 0 {
            sql.push(',');
        }
        constant(value, sql);
    }
    sql.push(']');
    cast(r#type, "[]", sql);
}

fn null(kind: Kind, sql: &mut String) {
    sql.push_str("NULL");
    match kind {
        Kind::One(r#type) => cast(r#type, "", sql),
        Kind::Array(r#type) => cast(r#type, "[]", sql),
    }
}

/// `::text[]`; nothing of an enum, whose constant takes the type that is wanted there.
fn cast(r#type: ParamType, dimensions: &str, sql: &mut String) {
    if r#type != ParamType::Enum {
        sql.push_str("::");
        sql.push_str(r#type.sql_name());
        sql.push_str(dimensions);
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;

    #[test]
    fn values_stand_where_their_placeholders_stood_and_nowhere_else() {
        let literal = Literal::new("SELECT $2, '$1', $1 -- $2\n FROM t WHERE a = $1");
        let text = Value::Text(Cow::Borrowed("it's \\ $2; --"));
        let number = Value::Array(ParamType::Integer, vec![Value::Integer(-1), Value::Integer(2)]);
        let filled = literal.fill(&[&text, &number]).expect("both are there");
        let quoted = "('it''s \\ $2; --'::text)";
        assert_eq!(
            filled,
            format!(
                "SELECT (ARRAY['-1'::int4,'2'::int4]::int4[]), '$1', {quoted} -- $2\n FROM t WHERE a = {quoted}"
            )
        );
        assert_eq!(literal.fill(&[&text]), None);
        let null = Value::Null(Kind::One(ParamType::Date));
        let enumerated = Value::Enum(Cow::Borrowed("sad"));
        assert_eq!(
            Literal::new("$1 $2").fill(&[&null, &enumerated]).as_deref(),
            Some("(NULL::date) ('sad')")
        );
    }
}
