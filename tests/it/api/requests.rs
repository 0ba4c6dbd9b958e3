//! Requests with everything that a parameter can be, as they reach a real Postgres.

use querylab::plan::{ParamPlace, ParamPlan};
use querylab::spec::{AnswerShape, ParamType};

use super::client::{Answer, Api, endpoint, param};
use super::servers::{self, execute};

async fn send(api: &Api, method: &str, path: &str, body: &str) -> Answer {
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    api.raw(request.as_bytes()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn arrays_enums_and_what_is_left_out_reach_postgres_as_what_they_are() {
    let Some(servers) = servers::start(false).await else { return };
    let mut boss = servers.boss().await;
    execute(&mut boss, "CREATE TYPE mood AS ENUM ('sad', 'happy')").await;
    let types = [
        (ParamType::Text, "%5B%22%C3%A9%5C%22%22,%22%22%5D", "[\"é\\\"\",\"\"]", "text[]"),
        (ParamType::Integer, "[1,-2]", "[1,-2]", "integer[]"),
        (ParamType::Bigint, "[9007199254740993,\"7\"]", "[9007199254740993,7]", "bigint[]"),
        (ParamType::Float, "[1.5,2e3]", "[1.5,2000.0]", "double precision[]"),
        (ParamType::Numeric, "[1.10,\"0.20\"]", "[\"1.10\",\"0.20\"]", "numeric[]"),
        (ParamType::Bool, "[true,false]", "[true,false]", "boolean[]"),
        (ParamType::Date, "[\"2024-02-29\"]", "[\"2024-02-29\"]", "date[]"),
        (ParamType::Json, "[{\"a\":1},[2]]", "[{\"a\": 1},[2]]", "jsonb[]"),
        (ParamType::Integer, "[]", "[]", "integer[]"),
    ];
    let mut endpoints: Vec<_> = types
        .iter()
        .enumerate()
        .map(|(place, (r#type, ..))| {
            let list = ParamPlan { array: true, ..param("v", *r#type) };
            let query = "SELECT $1 AS v, pg_typeof($1)::text AS kind";
            endpoint(&format!("/list{place}"), query, vec![list])
        })
        .collect();
    let mood = ParamPlan {
        one_of: vec!["sad".to_owned(), "happy".to_owned()],
        ..param("mood", ParamType::Enum)
    };
    endpoints.push(endpoint(
        "/mood",
        "SELECT $1::mood AS mood, $1 = 'sad'::mood AS sad",
        vec![mood],
    ));
    let number = ParamPlan { optional: true, ..param("n", ParamType::Integer) };
    let query = "SELECT $1 AS n, pg_typeof($1)::text AS kind";
    endpoints.push(endpoint("/optional", query, vec![number]));
    let api = Api::start(servers.launch(endpoints)).await;
    for (place, (_, given, written, kind)) in types.iter().enumerate() {
        let given = given.replace('"', "%22").replace(['{'], "%7B").replace('}', "%7D");
        let answer = api.get(&format!("/list{place}?v={given}")).await;
        let wanted = format!("[{{\"v\":{written},\"kind\":\"{kind}\"}}]");
        assert_eq!((answer.status, answer.body), (200, wanted), "{given}");
    }
    assert_eq!(api.get("/mood?mood=sad").await.body, "[{\"mood\":\"sad\",\"sad\":true}]");
    assert_eq!(api.get("/mood?mood=glad").await.json()["param"], "mood");
    // The first question to a connection prepares the statement: it must do so with the parameter's own type.
    for (path, n) in [("/optional", "null"), ("/optional?n=5", "5"), ("/optional", "null")] {
        let wanted = format!("[{{\"n\":{n},\"kind\":\"integer\"}}]");
        assert_eq!(api.get(path).await.body, wanted);
    }
    api.stop().await.expect("stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_is_read_whole_checked_by_name_and_limited() {
    let Some(servers) = servers::start(false).await else { return };
    let mut boss = servers.boss().await;
    let table = "CREATE TABLE things (id int PRIMARY KEY, name text, price numeric, data jsonb); GRANT ALL ON things TO api";
    execute(&mut boss, table).await;
    let body = |plan: ParamPlan| ParamPlan { place: ParamPlace::Body, ..plan };
    let params = || {
        vec![
            param("id", ParamType::Integer),
            body(param("name", ParamType::Text)),
            body(param("price", ParamType::Numeric)),
            body(ParamPlan { optional: true, ..param("data", ParamType::Json) }),
        ]
    };
    let columns = "id, name, price, data";
    let mut put = endpoint(
        "/things/{id}",
        &format!("INSERT INTO things ({columns}) VALUES ($1, $2, $3, $4) RETURNING {columns}"),
        params(),
    );
    put.method = "PUT".to_owned();
    put.answer = AnswerShape::Row;
    let mut get = endpoint(
        "/things/{id}",
        &format!("SELECT {columns} FROM things WHERE id = $1"),
        vec![param("id", ParamType::Integer)],
    );
    get.answer = AnswerShape::Row;
    let mut all = endpoint("/all", "SELECT n FROM generate_series(1, 2) n", vec![]);
    all.answer = AnswerShape::Row;
    let mut delete = endpoint(
        "/things",
        "DELETE FROM things WHERE id = $1",
        vec![param("id", ParamType::Integer)],
    );
    delete.method = "DELETE".to_owned();
    let api = Api::start(servers.launch(vec![put, get, all, delete])).await;

    let made = send(&api, "PUT", "/things/1", "{\"price\":12.50,\"name\":\"a\\u00e9\"}").await;
    let one = "{\"id\":1,\"name\":\"aé\",\"price\":\"12.50\",\"data\":null}";
    assert_eq!((made.status, made.body.as_str()), (200, one));
    assert_eq!(api.get("/things/1").await.body, one);
    let missing = api.get("/things/2").await;
    assert_eq!((missing.status, missing.json()["kind"].as_str()), (404, Some("no-row")));
    assert_eq!(api.get("/all").await.status, 500, "which of the two would it be?");
    for (body, param) in [
        ("{\"price\":1}", "name"),
        ("{\"name\":\"a\",\"price\":\"x\"}", "price"),
        ("{\"name\":\"a\",\"price\":1,\"id\":3}", "id"),
        ("{\"name\":\"a\",\"price\":1,\"price\":2}", "price"),
    ] {
        let answer = send(&api, "PUT", "/things/3", body).await;
        assert_eq!((answer.status, answer.json()["param"].as_str()), (400, Some(param)), "{body}");
    }
    let limit = 10 * 1024 * 1024;
    let sized = |size: usize| {
        let around = "{\"name\":\"\",\"price\":1}".len();
        format!("{{\"name\":\"{}\",\"price\":1}}", "x".repeat(size - around))
    };
    assert_eq!(send(&api, "PUT", "/things/4", &sized(limit)).await.status, 200);
    let head = "PUT /things/5 HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n";
    let large = api.raw(format!("{head}Content-Length: {}\r\n\r\n", limit + 1).as_bytes()).await;
    assert_eq!((large.status, large.headers["connection"].as_str()), (413, "close"));
    let text = "PUT /things/5 HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}";
    assert_eq!(api.raw(text.as_bytes()).await.status, 415);
    let gone = send(&api, "DELETE", "/things?id=4", "").await;
    assert_eq!((gone.status, gone.body.as_str()), (200, "{\"affected\":1}"));
    api.stop().await.expect("stops");
}
