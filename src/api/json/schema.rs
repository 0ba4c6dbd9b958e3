//! What a codec writes, as JSON Schema (2020-12, which is that of `OpenAPI` 3.1).

use serde_json::{Value, json};

use super::codec::Codec;

impl Codec {
    /// The schema of values of this type, NULL left aside.
    pub(in crate::api) fn schema(&self) -> Value {
        match self {
            Self::Plain(plain) => of_send_function(plain.send()),
            Self::Array(element) => {
                // How many dimensions an array has is known only once it is there.
                json!({ "type": "array", "items": { "anyOf": [element.nullable_schema(), { "type": "array" }] } })
            }
            Self::Range(bound) => json!({ "anyOf": [
                { "const": "empty" },
                {
                    "type": "object",
                    "properties": {
                        "lower": bound.nullable_schema(),
                        "upper": bound.nullable_schema(),
                        "bounds": { "enum": ["[]", "[)", "(]", "()"] },
                    },
                    "required": ["lower", "upper", "bounds"],
                },
            ] }),
        }
    }

    /// The same, or null: any column may be.
    pub(in crate::api) fn nullable_schema(&self) -> Value {
        match self.schema() {
            any if any == json!({}) => any,
            schema => json!({ "anyOf": [schema, { "type": "null" }] }),
        }
    }
}

fn of_send_function(send: &str) -> Value {
    let number = r"^(-?[0-9]+(\.[0-9]+)?|NaN|-?Infinity)$";
    match send {
        "boolsend" => json!({ "type": "boolean" }),
        "int2send" | "int4send" => json!({ "type": "integer", "format": "int32" }),
        "int8send" => json!({ "type": "integer", "format": "int64" }),
        "oidsend" | "xidsend" | "cidsend" | "xid8send" => {
            json!({ "type": "integer", "minimum": 0 })
        }
        "float4send" | "float8send" => {
            json!({ "anyOf": [{ "type": "number" }, { "enum": ["NaN", "Infinity", "-Infinity"] }] })
        }
        "numeric_send" | "cash_send" => json!({ "type": "string", "pattern": number }),
        "json_send" | "jsonb_send" => json!({}),
        "byteasend" => json!({ "type": "string", "contentEncoding": "base64" }),
        "uuid_send" => json!({ "type": "string", "format": "uuid" }),
        // Of all others Postgres' own text, whose forms (infinity, years before 1) are wider than JSON Schema's names for them.
        _ => json!({ "type": "string" }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_of_json_may_be_anything_and_others_may_be_null() {
        let codec = |send| Codec::of_send_function(send).expect("known");
        assert_eq!(codec("jsonb_send").nullable_schema(), json!({}));
        let numbers = Codec::Array(Box::new(codec("int4send"))).schema();
        assert_eq!(numbers["items"]["anyOf"][0]["anyOf"][1], json!({ "type": "null" }));
    }
}
