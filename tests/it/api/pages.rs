//! Pages by key and by offset, over a table that changes between them.

use querylab::plan::{CursorPlan, EndpointPlan, ParamPlace, ParamPlan};
use querylab::spec::ParamType;

use super::client::{Api, endpoint, param};
use super::servers::{self, execute};

fn by_key() -> EndpointPlan {
    let in_cursor = |name: &str, r#type| ParamPlan {
        optional: true,
        place: ParamPlace::Cursor,
        ..param(name, r#type)
    };
    let query = "SELECT id, made FROM orders WHERE kind = $3 AND ($1::timestamptz IS NULL OR (made, id) > ($1, $2)) \
                 ORDER BY made, id LIMIT $4";
    let mut list = endpoint(
        "/orders",
        query,
        vec![
            in_cursor("made", ParamType::Timestamptz),
            in_cursor("id", ParamType::Bigint),
            param("kind", ParamType::Text),
            ParamPlan { default: Some("10".to_owned()), ..param("limit", ParamType::Integer) },
        ],
    );
    list.cursor = vec![
        CursorPlan { param: 0, column: "made".to_owned() },
        CursorPlan { param: 1, column: "id".to_owned() },
    ];
    list
}

fn ids(answer: &serde_json::Value) -> Vec<i64> {
    let rows = answer.as_array().expect("rows");
    rows.iter().map(|row| row["id"].as_i64().expect("an id")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_row_is_seen_once_however_the_table_changes_before_it() {
    let Some(servers) = servers::start(false).await else { return };
    let mut boss = servers.boss().await;
    let table = "CREATE TABLE orders (id bigint PRIMARY KEY, made timestamptz, kind text); GRANT ALL ON orders TO api;
                 INSERT INTO orders SELECT n, '2024-01-01'::timestamptz + (n / 7) * interval '1 ms', 'a b&c' FROM generate_series(1, 95) n;
                 INSERT INTO orders SELECT n, '2024-01-01', 'other' FROM generate_series(1000, 1100) n";
    execute(&mut boss, table).await;
    let paged = vec![param("limit", ParamType::Integer), param("offset", ParamType::Bigint)];
    let query = "SELECT id FROM orders WHERE kind = 'a b&c' ORDER BY made, id LIMIT $1 OFFSET $2";
    let offset = endpoint("/paged", query, paged);
    let api = Api::start(servers.launch(vec![by_key(), offset])).await;

    let mut seen: Vec<i64> = Vec::new();
    let mut path = "/orders?kind=a+b%26c&limit=20".to_owned();
    for page in 0.. {
        let answer = api.get(&path).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        let rows = ids(&answer.json());
        seen.extend(&rows);
        let Some(link) = answer.headers.get("link") else {
            assert!(rows.is_empty() && page == 5, "page {page}: {rows:?}");
            break;
        };
        let next = link.strip_prefix('<').and_then(|l| l.strip_suffix(">; rel=\"next\""));
        path = next.expect("a link").to_owned();
        assert!(path.ends_with(&format!("&cursor={}", answer.headers["x-next-cursor"])));
        // What comes before the page that was seen moves nothing.
        execute(&mut boss, &format!("INSERT INTO orders VALUES (-{page}, '2023-01-01', 'a b&c')"))
            .await;
    }
    assert_eq!(seen, (1..=95).collect::<Vec<i64>>());

    let first = ids(&api.get("/paged?limit=20&offset=5").await.json());
    execute(&mut boss, "INSERT INTO orders VALUES (-100, '2022-01-01', 'a b&c')").await;
    let second = ids(&api.get("/paged?limit=20&offset=25").await.json());
    assert_eq!(first.last(), second.first(), "by offset a row is seen twice");
    api.stop().await.expect("stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cursor_of_anybody_else_is_refused() {
    let Some(servers) = servers::start(false).await else { return };
    let mut boss = servers.boss().await;
    let table = "CREATE TABLE orders (id bigint PRIMARY KEY, made timestamptz, kind text); GRANT ALL ON orders TO api;
                 INSERT INTO orders SELECT n, now(), 'a' FROM generate_series(1, 30) n";
    execute(&mut boss, table).await;
    let other = EndpointPlan { name: "other".to_owned(), path: "/other".to_owned(), ..by_key() };
    let api = Api::start(servers.launch(vec![by_key(), other])).await;
    let first = api.get("/orders?kind=a").await;
    let cursor = first.headers["x-next-cursor"].clone();
    assert_eq!(ids(&api.get(&format!("/orders?kind=a&cursor={cursor}")).await.json())[0], 11);
    for path in [
        format!("/other?kind=a&cursor={cursor}"),
        format!("/orders?kind=a&cursor={}", cursor.replace('3', "4")),
        format!("/orders?kind=a&cursor={cursor}&cursor={cursor}"),
        "/orders?kind=a&cursor=".to_owned(),
        "/orders?kind=a&cursor=zz".to_owned(),
        "/orders?kind=a&id=5".to_owned(),
    ] {
        let answer = api.get(&path).await;
        assert_eq!(answer.status, 400, "{path}");
        assert!(["cursor", "id"].iter().any(|name| answer.json()["param"] == *name), "{path}");
    }
    api.stop().await.expect("stops");
}
