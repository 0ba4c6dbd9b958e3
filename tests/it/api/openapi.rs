//! `/openapi.json` is true: a fuzzer that knows nothing but the document asks for everything that it promises, and for what
//! it does not; no answer fails, and each is what the document says.

use std::fmt::Write as _;

use querylab::plan::{CursorPlan, EndpointPlan, ParamPlace, ParamPlan};
use querylab::spec::{AnswerShape, ParamType};
use serde_json::{Value, json};

use super::client::{Answer, Api, endpoint, param};
use super::servers::{self, execute};
use super::streaming::unchunked;

/// Requests to each operation.
const ROUNDS: u64 = 120;

/// Texts that have broken something somewhere.
const NASTY: &[&str] = &[
    "",
    "0",
    "-1",
    "1e309",
    "999999999999999999999999",
    "NaN",
    "null",
    "true",
    "'; DROP TABLE things; --",
    "\u{0}",
    "é\u{301}\u{202e}\u{1f600}",
    "%",
    "{\"a\":[1]}",
    "[1,2]",
    "[null]",
    "\"",
    "\\u0000",
    "2024-02-30",
    "0001-01-01",
    "9999-12-31T23:59:60",
    "00000000-0000-0000-0000-000000000000",
    "../../etc/passwd",
];

/// The same choices in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        usize::try_from((z ^ (z >> 27)) >> 33).expect("31 bits") % most
    }

    /// A value that a schema allows, as far as it is told by type, format and choices.
    fn valid(&mut self, schema: &Value) -> Value {
        if let Some(all) = schema["enum"].as_array() {
            return all[self.below(all.len())].clone();
        }
        if let Some(all) = schema["anyOf"].as_array() {
            let one = all[self.below(all.len())].clone();
            return self.valid(&one);
        }
        let n = self.below(1000);
        match (schema["type"].as_str(), schema["format"].as_str()) {
            (Some("integer"), _) => {
                json!(
                    schema["minimum"]
                        .as_i64()
                        .unwrap_or(0)
                        .saturating_add(i64::try_from(n).expect("small"))
                )
            }
            (Some("number"), _) => json!(n as f64 / 8.0),
            (Some("boolean"), _) => json!(n.is_multiple_of(2)),
            (Some("array"), _) => (0..n % 4).map(|_| self.valid(&schema["items"])).collect(),
            (Some("null"), _) => Value::Null,
            (Some("string"), Some("uuid")) => json!("67e55044-10b1-426f-9247-bb680e5fe0c8"),
            (Some("string"), Some("date")) => json!(format!("2024-01-{:02}", 1 + n % 31)),
            (Some("string"), Some("date-time")) => json!("2024-01-01T00:00:00Z"),
            (Some("string"), _) if schema["pattern"].as_str().is_some_and(|p| p.contains('T')) => {
                json!("2024-01-01T00:00:00.5")
            }
            (Some("string"), _) if schema["pattern"].is_string() => json!(format!("{n}.50")),
            (Some("string"), _) => json!("abc"[..n % 4].to_owned()),
            _ => json!({ "any": [n, null] }),
        }
    }

    /// Mostly something valid.
    fn value(&mut self, schema: &Value) -> Value {
        if self.below(3) == 0 { json!(NASTY[self.below(NASTY.len())]) } else { self.valid(schema) }
    }
}

fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        write!(out, "%{byte:02X}").expect("a String takes all");
        out
    })
}

fn schema_of(param: &Value) -> &Value {
    if param["schema"].is_null() {
        &param["content"]["application/json"]["schema"]
    } else {
        &param["schema"]
    }
}

/// One request to an operation, by its document alone.
fn request(dice: &mut Dice, path: &str, method: &str, operation: &Value) -> String {
    let mut path = path.to_owned();
    let mut query = Vec::new();
    for param in operation["parameters"].as_array().into_iter().flatten() {
        let value = dice.value(schema_of(param));
        let text = match (&value, param["content"].is_null()) {
            (Value::String(text), true) => text.clone(),
            _ => value.to_string(),
        };
        let name = param["name"].as_str().expect("a name");
        if param["in"] == "path" {
            path = path.replace(&format!("{{{name}}}"), &encoded(&text));
        } else if dice.below(8) > 0 {
            query.push(format!("{name}={}", encoded(&text)));
        }
        if dice.below(40) == 0 {
            query.push(format!("{name}=twice"));
        }
    }
    if dice.below(40) == 0 {
        query.push("unknown=1".to_owned());
    }
    let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
    let mut body = String::new();
    if let Some(properties) = schema["properties"].as_object() {
        let mut members = serde_json::Map::new();
        for (name, schema) in properties {
            if dice.below(8) > 0 {
                members.insert(name.clone(), dice.value(schema));
            }
        }
        body = Value::Object(members).to_string();
        if dice.below(20) == 0 {
            body.truncate(body.len() / 2);
        }
    }
    let (method, query) = (method.to_uppercase(), query.join("&"));
    format!(
        "{method} {path}?{query} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn as_promised(document: &Value, operation: &Value, answer: &Answer, request: &str) {
    let promised = operation["responses"]["200"]["content"].as_object().expect("a content");
    let (kind, content) = promised.iter().next().expect("a kind of it");
    let (kind, schema) = match answer.status {
        200 => (kind.as_str(), &content["schema"]),
        400..=499 => ("application/problem+json", &document["components"]["schemas"]["Problem"]),
        status => panic!("{status} for {request}: {}", answer.body),
    };
    assert_eq!(answer.headers["content-type"], kind, "{request}");
    let validator = jsonschema::validator_for(schema).expect("a schema");
    let values: Vec<Value> = if kind == "application/x-ndjson" {
        let body = unchunked(&answer.body).expect("whole");
        body.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect()
    } else {
        vec![answer.json()]
    };
    for value in values {
        assert!(validator.is_valid(&value), "{request}: {value} is not {schema}");
    }
}

pub(super) async fn fuzz(api: &Api) {
    let document = api.get("/openapi.json").await.json();
    assert_eq!(document["openapi"], "3.1.0");
    let mut dice = Dice(5);
    let mut right = 0;
    for (path, item) in document["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("operations") {
            if operation["operationId"].is_null() {
                assert_eq!(api.get(path).await.status, 200, "{path}");
                continue;
            }
            let before = right;
            for _ in 0..ROUNDS {
                let request = request(&mut dice, path, method, operation);
                let answer = api.raw(request.as_bytes()).await;
                as_promised(&document, operation, &answer, &request);
                right += u32::from(answer.status == 200);
            }
            assert!(right > before, "{method} {path} was never answered with rows");
        }
    }
    assert_eq!(api.counters().await.server_errors, 0);
    let page = api.get("/docs").await;
    assert!(page.body.contains("OpenAPI") && page.headers.contains_key("content-security-policy"));
    assert!(!page.body.contains("<script") && !page.body.contains("http://"), "nothing is loaded");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_read_of_any_type_fails_or_answers_otherwise_than_promised() {
    let Some(servers) = servers::start(false).await else { return };
    let types = [
        ("text", ParamType::Text),
        ("integer", ParamType::Integer),
        ("bigint", ParamType::Bigint),
        ("float", ParamType::Float),
        ("numeric", ParamType::Numeric),
        ("bool", ParamType::Bool),
        ("uuid", ParamType::Uuid),
        ("date", ParamType::Date),
        ("timestamp", ParamType::Timestamp),
        ("timestamptz", ParamType::Timestamptz),
        ("json", ParamType::Json),
    ];
    let endpoints = types.iter().flat_map(|(name, r#type)| {
        let one = param("v", *r#type);
        let list = ParamPlan { array: true, optional: true, ..one.clone() };
        let query = "SELECT $1 AS v, ARRAY[$1] AS list, pg_typeof($1)::text AS kind";
        let mut in_path = endpoint(&format!("/{name}/{{v}}"), query, vec![one.clone()]);
        in_path.name = format!("{name}-in-path");
        let mut in_query = endpoint(&format!("/{name}"), query, vec![one]);
        in_query.name = format!("{name}-in-query");
        let lists = endpoint(&format!("/{name}-list"), "SELECT $1 AS v", vec![list]);
        [in_path, in_query, lists]
    });
    let api = Api::start(servers.launch(endpoints.collect())).await;
    fuzz(&api).await;
    api.stop().await.expect("stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_write_fails_or_answers_otherwise_than_promised() {
    let Some(servers) = servers::start(false).await else { return };
    let mut boss = servers.boss().await;
    let tables = "CREATE TYPE mood AS ENUM ('sad', 'happy');
                  CREATE TABLE things (id bigserial PRIMARY KEY, name text NOT NULL, price numeric(8,2) CHECK (price >= 0),
                                       mood mood, tags text[], data jsonb, made timestamptz DEFAULT now());
                  GRANT ALL ON things, things_id_seq TO api";
    execute(&mut boss, tables).await;
    let body = |plan: ParamPlan| ParamPlan { place: ParamPlace::Body, ..plan };
    let optional = |plan: ParamPlan| ParamPlan { optional: true, ..plan };
    let mood = ParamPlan {
        one_of: vec!["sad".to_owned(), "happy".to_owned()],
        ..param("mood", ParamType::Enum)
    };
    let mut post = endpoint(
        "/things",
        "INSERT INTO things (name, price, mood, tags, data) VALUES ($1, $2, $3, $4, $5) RETURNING *",
        vec![
            body(ParamPlan { max_length: Some(20), ..param("name", ParamType::Text) }),
            body(param("price", ParamType::Numeric)),
            body(optional(mood.clone())),
            body(optional(ParamPlan { array: true, ..param("tags", ParamType::Text) })),
            body(optional(param("data", ParamType::Json))),
        ],
    );
    post.method = "POST".to_owned();
    post.answer = AnswerShape::Row;
    let list = ParamPlan {
        default: Some("10".to_owned()),
        min: Some(1.0),
        max: Some(100.0),
        ..param("limit", ParamType::Integer)
    };
    let query = "SELECT * FROM things WHERE $1::mood IS NULL OR mood = $1 ORDER BY id LIMIT $2";
    let mut all = endpoint("/things", query, vec![optional(mood), list]);
    all.name = "list".to_owned();
    let by_id = || vec![param("id", ParamType::Bigint)];
    let mut delete = endpoint("/things/{id}", "DELETE FROM things WHERE id = $1", by_id());
    delete.method = "DELETE".to_owned();
    delete.name = "delete".to_owned();
    let mut lines = endpoint("/things/lines", "SELECT * FROM things ORDER BY id LIMIT 50", vec![]);
    lines.answer = AnswerShape::Lines;
    let after = ParamPlan {
        optional: true,
        place: ParamPlace::Cursor,
        ..param("after", ParamType::Bigint)
    };
    let query = "SELECT * FROM things WHERE id > coalesce($1, 0) ORDER BY id LIMIT 5";
    let mut pages = endpoint("/things/pages", query, vec![after]);
    pages.cursor = vec![CursorPlan { param: 0, column: "id".to_owned() }];
    let endpoints: Vec<EndpointPlan> = vec![post, all, delete, lines, pages];
    let api = Api::start(servers.launch(endpoints)).await;
    fuzz(&api).await;
    api.stop().await.expect("stops");
}
