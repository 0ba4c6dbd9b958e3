//! Parameters of every type reach Postgres as what they are, and answers keep the order of columns and rows.

use querylab::plan::BindPlan;
use querylab::spec::ParamType;

use super::client::{Api, endpoint, param};
use super::servers;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parameters_of_every_type_reach_postgres_unharmed() {
    let Some(servers) = servers::start(false).await else { return };
    let types = [
        ("text", ParamType::Text, "text", "%C3%A9'%3B--%22", "\"é';--\\\"\""),
        ("integer", ParamType::Integer, "integer", "-7", "-7"),
        ("bigint", ParamType::Bigint, "bigint", "9007199254740993", "9007199254740993"),
        ("float", ParamType::Float, "double precision", "1.5e-3", "0.0015"),
        ("numeric", ParamType::Numeric, "numeric", "-0.10", "\"-0.10\""),
        ("bool", ParamType::Bool, "boolean", "true", "true"),
        (
            "uuid",
            ParamType::Uuid,
            "uuid",
            "67E55044-10b1-426f-9247-bb680e5fe0c8",
            "\"67e55044-10b1-426f-9247-bb680e5fe0c8\"",
        ),
        ("date", ParamType::Date, "date", "2024-02-29", "\"2024-02-29\""),
        (
            "timestamp",
            ParamType::Timestamp,
            "timestamp without time zone",
            "2024-01-01T00:00:00.5",
            "\"2024-01-01T00:00:00.5\"",
        ),
        (
            "timestamptz",
            ParamType::Timestamptz,
            "timestamp with time zone",
            "2024-01-01T02:00:00%2B02:00",
            "\"2024-01-01T00:00:00Z\"",
        ),
        ("json", ParamType::Json, "jsonb", "%7B%22a%22:%20[1]%7D", "{\"a\": [1]}"),
    ];
    let endpoints = types.iter().map(|(name, r#type, ..)| {
        endpoint(
            &format!("/{name}"),
            "SELECT $1 AS v, pg_typeof($1)::text AS kind",
            vec![param("v", *r#type)],
        )
    });
    let api = Api::start(servers.launch(endpoints.collect())).await;
    for (name, _, kind, given, written) in types {
        let answer = api.get(&format!("/{name}?v={given}")).await;
        let wanted = format!("[{{\"v\":{written},\"kind\":\"{kind}\"}}]");
        assert_eq!((answer.status, answer.body), (200, wanted), "{name}");
    }
    api.stop().await.expect("stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_and_columns_keep_their_order_and_fixed_values_their_place() {
    let Some(servers) = servers::start(false).await else { return };
    let query = "SELECT n AS z, n || $2 AS a FROM generate_series(1, $1::int) n ORDER BY n DESC";
    let mut list = endpoint("/list", query, vec![param("n", ParamType::Integer)]);
    list.bind.push(BindPlan::Value { r#type: ParamType::Text, text: "!".to_owned() });
    let nothing = endpoint("/nothing", "SELECT 1 AS one WHERE false", vec![]);
    let broken = endpoint(
        "/broken",
        "SELECT CASE WHEN n = 900 THEN 1 / (n - n) ELSE n END AS n FROM generate_series(1, 1000) n",
        vec![],
    );
    let api = Api::start(servers.launch(vec![list, nothing, broken])).await;
    assert_eq!(api.get("/list?n=2").await.body, "[{\"z\":2,\"a\":\"2!\"},{\"z\":1,\"a\":\"1!\"}]");
    assert_eq!(api.get("/nothing").await.body, "[]");
    let many = api.get("/list?n=5000").await;
    assert_eq!(many.json().as_array().map(Vec::len), Some(5000));
    for _ in 0..3 {
        assert_eq!(
            api.get("/broken").await.status,
            422,
            "an error in the middle is no half answer"
        );
        assert_eq!(api.get("/list?n=1").await.body, "[{\"z\":1,\"a\":\"1!\"}]");
    }
    api.stop().await.expect("stops");
}
