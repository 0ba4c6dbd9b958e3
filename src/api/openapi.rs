//! `GET /openapi.json`: the endpoints as `OpenAPI` 3.1, made of what serves them.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::cursor;
use super::param::{Param, Place};
use super::start::Endpoint;
use super::streaming::LINES;
use super::value::Kind;
use crate::spec::{AnswerShape, ParamType};

/// The document.
pub(super) fn document(endpoints: &[Arc<Endpoint>]) -> Value {
    let mut paths = Map::new();
    for endpoint in endpoints {
        let item = paths.entry(endpoint.path.clone()).or_insert_with(|| json!({}));
        item[endpoint.method.to_ascii_lowercase()] = operation(endpoint);
    }
    for (path, summary, kind) in [
        ("/health/live", "Whether the process answers", "application/json"),
        (
            "/health/ready",
            "Whether Postgres, and Redis where there is one, answer",
            "application/json",
        ),
        ("/metrics", "Metrics in Prometheus' text format", "text/plain"),
    ] {
        paths.insert(
            path.to_owned(),
            json!({ "get": {
            "summary": summary,
            "responses": {
                "200": { "description": "It is well.", "content": { kind: {} } },
                "503": { "$ref": "#/components/responses/Problem" },
            },
        } }),
        );
    }
    json!({
        "openapi": "3.1.0",
        "info": { "title": "querylab", "version": env!("CARGO_PKG_VERSION") },
        "paths": paths,
        "components": { "schemas": { "Problem": problem() }, "responses": { "Problem": {
            "description": "Refused or failed (RFC 9457).",
            "content": { "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } },
        } } },
    })
}

fn problem() -> Value {
    json!({
        "type": "object",
        "properties": {
            "type": { "type": "string" },
            "title": { "type": "string" },
            "status": { "type": "integer", "minimum": 400, "maximum": 599 },
            "detail": { "type": "string" },
            "kind": { "type": "string" },
            "param": { "type": "string" },
            "sqlstate": { "type": "string" },
        },
        "required": ["type", "title", "status", "detail", "kind"],
    })
}

fn operation(endpoint: &Endpoint) -> Value {
    let headers = json!({
        "X-Request-Id": { "schema": { "type": "string" } },
        "Server-Timing": { "schema": { "type": "string" } },
        "X-Cache": { "schema": { "enum": ["hit", "miss", "error", "bypass"] } },
    });
    let problem = json!({ "$ref": "#/components/responses/Problem" });
    let (in_body, elsewhere): (Vec<&Param>, Vec<&Param>) = endpoint
        .params
        .list()
        .iter()
        .filter(|param| param.place != Place::Cursor)
        .partition(|param| param.place == Place::Body);
    let is_lines = endpoint.statement.shape() == AnswerShape::Lines;
    let kind = if is_lines { LINES } else { "application/json" };
    let mut operation = json!({
        "operationId": endpoint.name,
        "parameters": elsewhere.into_iter().map(parameter).collect::<Vec<_>>(),
        "responses": {
            "200": {
                "description": "The answer.",
                "headers": headers,
                "content": { kind: { "schema": endpoint.statement.schema() } },
            },
            "4XX": problem,
            "5XX": problem,
        },
    });
    if endpoint.params.cursor().is_some() {
        let cursor = json!({
            "name": cursor::NAME,
            "in": "query",
            "required": false,
            "description": "Where this page begins: X-Next-Cursor of the page before.",
            "schema": { "type": "string", "pattern": "^[0-9a-f]+$" },
        });
        if let Some(parameters) = operation["parameters"].as_array_mut() {
            parameters.push(cursor);
        }
    }
    if !in_body.is_empty() {
        operation["requestBody"] = body(&in_body);
    }
    operation
}

fn body(params: &[&Param]) -> Value {
    let properties: Map<String, Value> =
        params.iter().map(|param| (param.name.clone(), schema_in_body(param))).collect();
    let required: Vec<&str> =
        params.iter().filter(|p| p.is_required()).map(|p| p.name.as_str()).collect();
    json!({
        "required": true,
        "content": { "application/json": { "schema": {
            "type": "object",
            "properties": properties,
            "required": required,
            "additionalProperties": false,
        } } },
    })
}

fn parameter(param: &Param) -> Value {
    let place = if matches!(param.place, Place::Segment(_)) { "path" } else { "query" };
    let mut parameter = json!({
        "name": param.name,
        "in": place,
        "required": param.is_required() || place == "path",
    });
    // An array, and JSON, is written as JSON; a `schema` would mean a list with commas.
    if matches!(param.kind, Kind::Array(_) | Kind::One(ParamType::Json)) {
        parameter["content"] = json!({ "application/json": { "schema": schema(param) } });
    } else {
        parameter["schema"] = schema(param);
    }
    parameter
}

/// In a body, what may be left out may also be null.
fn schema_in_body(param: &Param) -> Value {
    let schema = schema(param);
    if param.is_required() || schema == json!({}) {
        return schema;
    }
    json!({ "anyOf": [schema, { "type": "null" }] })
}

/// What a parameter may be.
fn schema(param: &Param) -> Value {
    let mut schema = match param.kind {
        Kind::One(r#type) => one(param, r#type),
        Kind::Array(r#type) => json!({ "type": "array", "items": one(param, r#type) }),
    };
    if let Some(default) = &param.default {
        let text = Value::String(default.clone());
        let is_text = schema["type"] == "string";
        schema["default"] =
            if is_text { text } else { serde_json::from_str(default).unwrap_or(text) };
    }
    schema
}

fn one(param: &Param, r#type: ParamType) -> Value {
    let mut schema = match r#type {
        ParamType::Text => json!({ "type": "string" }),
        ParamType::Enum => json!({ "type": "string", "enum": param.one_of }),
        ParamType::Integer => {
            json!({ "type": "integer", "format": "int32", "minimum": i32::MIN, "maximum": i32::MAX })
        }
        ParamType::Bigint => {
            json!({ "type": "integer", "format": "int64", "minimum": i64::MIN, "maximum": i64::MAX })
        }
        ParamType::Float => json!({ "type": "number", "format": "double" }),
        ParamType::Numeric => json!({ "type": "string", "pattern": r"^-?[0-9]+(\.[0-9]+)?$" }),
        ParamType::Bool => json!({ "type": "boolean" }),
        ParamType::Uuid => json!({ "type": "string", "format": "uuid" }),
        ParamType::Date => json!({ "type": "string", "format": "date" }),
        ParamType::Timestamp => json!({
            "type": "string",
            "pattern": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?$",
        }),
        ParamType::Timestamptz => json!({ "type": "string", "format": "date-time" }),
        ParamType::Json => json!({}),
    };
    let mut limit = |key: &str, value: Option<Value>| {
        if let Some(value) = value {
            schema[key] = value;
        }
    };
    limit("minLength", param.min_length.map(Value::from));
    limit("maxLength", param.max_length.map(Value::from));
    limit(
        "pattern",
        param.pattern.as_ref().map(|pattern| Value::from(pattern_of(pattern.as_str()))),
    );
    if r#type == ParamType::Text && !param.one_of.is_empty() {
        limit("enum", Some(json!(param.one_of)));
    }
    // The bounds of a decimal, which is a string, cannot be said.
    if r#type != ParamType::Numeric {
        limit("minimum", param.min.map(Value::from));
        limit("maximum", param.max.map(Value::from));
    }
    schema
}

/// Anchors as ECMA 262 has them.
fn pattern_of(rust: &str) -> String {
    let inner = rust.strip_prefix(r"\A").and_then(|rest| rest.strip_suffix(r"\z"));
    inner.map_or_else(|| rust.to_owned(), |inner| format!("^{inner}$"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::ParamPlan;

    fn param(plan: &ParamPlan) -> Param {
        Param::new(plan, None).expect("a good plan")
    }

    #[test]
    fn limits_and_defaults_are_in_the_schema() {
        let word = param(&ParamPlan {
            pattern: Some("a|b".to_owned()),
            max_length: Some(3),
            default: Some("a".to_owned()),
            ..ParamPlan::any("word", ParamType::Text)
        });
        let wanted =
            json!({ "type": "string", "maxLength": 3, "pattern": "^(?:a|b)$", "default": "a" });
        assert_eq!(schema(&word), wanted);
        let list = param(&ParamPlan {
            array: true,
            min: Some(1.0),
            default: Some("[1]".to_owned()),
            ..ParamPlan::any("ids", ParamType::Integer)
        });
        let shown = parameter(&list);
        assert_eq!(shown["required"], json!(false));
        let schema = &shown["content"]["application/json"]["schema"];
        assert_eq!((&schema["items"]["minimum"], &schema["default"]), (&json!(1.0), &json!([1])));
    }

    #[test]
    fn what_may_be_left_out_of_a_body_may_be_null() {
        let optional = param(&ParamPlan { optional: true, ..ParamPlan::any("n", ParamType::Bool) });
        let body = body(&[&optional]);
        let schema = &body["content"]["application/json"]["schema"];
        assert_eq!(schema["required"], json!([]));
        assert_eq!(schema["properties"]["n"]["anyOf"][1], json!({ "type": "null" }));
    }
}
