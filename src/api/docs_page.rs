//! `GET /docs`: the same as `/openapi.json`, for people: one page that loads nothing and runs nothing.

use std::fmt::Write as _;

use serde_json::Value;

/// What the page may do: be shown, with its own style, and send its own forms to us.
pub(super) const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'";

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}\
code,pre{font:14px/1.4 ui-monospace,monospace}pre{background:#8881;padding:.5rem;overflow:auto}\
table{border-collapse:collapse}td,th{border:1px solid #8884;padding:.2rem .6rem;text-align:left}\
section{border-top:1px solid #8884;margin-top:2rem}:root{color-scheme:light dark}";

/// The page of a document as `openapi` makes them.
pub(super) fn page(document: &Value) -> String {
    let mut out = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>querylab API</title><style>{STYLE}</style><h1>querylab API</h1>\
         <p>Also as <a href=\"/openapi.json\">OpenAPI 3.1</a>.</p>"
    );
    for (path, item) in document["paths"].as_object().into_iter().flatten() {
        for (method, operation) in item.as_object().into_iter().flatten() {
            section(path, method, operation, &mut out);
        }
    }
    out.push_str("</html>\n");
    out
}

fn section(path: &str, method: &str, operation: &Value, out: &mut String) {
    let (shown, verb) = (escaped(path), method.to_ascii_uppercase());
    write!(out, "<section><h2><code>{verb} {shown}</code></h2>").expect("a String takes all");
    if let Some(summary) = operation["summary"].as_str() {
        write!(out, "<p>{}</p>", escaped(summary)).expect("a String takes all");
    }
    let params = operation["parameters"].as_array().map_or(&[][..], Vec::as_slice);
    if !params.is_empty() {
        table(params, out);
    }
    // A path with a parameter in it would need a script to be filled in.
    if method == "get" && !path.contains('{') {
        form(&shown, params, out);
    }
    schema("Body", &operation["requestBody"]["content"]["application/json"]["schema"], out);
    let answer = &operation["responses"]["200"]["content"]["application/json"]["schema"];
    schema("Answer", answer, out);
    out.push_str("</section>");
}

fn table(params: &[Value], out: &mut String) {
    out.push_str("<table><tr><th>parameter<th>in<th>required<th>what it may be");
    for param in params {
        let word = |key: &str| escaped(param[key].as_str().unwrap_or_default());
        let schema = match &param["schema"] {
            Value::Null => &param["content"]["application/json"]["schema"],
            schema => schema,
        };
        let required = if param["required"] == true { "yes" } else { "no" };
        let (name, place, schema) = (word("name"), word("in"), escaped(&schema.to_string()));
        write!(
            out,
            "<tr><td><code>{name}</code><td>{place}<td>{required}<td><code>{schema}</code>"
        )
        .expect("a String takes all");
    }
    out.push_str("</table>");
}

fn form(path: &str, params: &[Value], out: &mut String) {
    write!(out, "<form method=\"get\" action=\"{path}\">").expect("a String takes all");
    for param in params {
        let name = escaped(param["name"].as_str().unwrap_or_default());
        let required = if param["required"] == true { " required" } else { "" };
        write!(out, "<label>{name} <input name=\"{name}\"{required}></label> ")
            .expect("a String takes all");
    }
    out.push_str("<button>Ask</button></form>");
}

fn schema(title: &str, schema: &Value, out: &mut String) {
    if !schema.is_null() {
        let text = serde_json::to_string_pretty(schema).unwrap_or_default();
        write!(out, "<h3>{title}</h3><pre>{}</pre>", escaped(&text)).expect("a String takes all");
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn nothing_of_a_document_becomes_markup() {
        let page = page(&json!({ "paths": { "/a<b": { "get": {
            "summary": "<script>&",
            "parameters": [{ "name": "\"><x", "in": "query", "required": true, "schema": { "enum": ["<i>"] } }],
        } } } }));
        for markup in ["<script>", "<x", "<i>", "a<b"] {
            assert!(!page.contains(markup), "{markup} in {page}");
        }
        assert!(page.contains("name=\"&quot;&gt;&lt;x\" required"));
    }
}
