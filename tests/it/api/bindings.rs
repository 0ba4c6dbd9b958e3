//! The ways in which values come into statements, as Postgres sees them.

use querylab::plan::{EndpointPlan, ParamPlan};
use querylab::spec::{BindStyle, ParamType};

use super::client::{Api, endpoint, param};
use super::servers::{self, execute};

fn endpoints(style: BindStyle) -> Vec<EndpointPlan> {
    let query = "SELECT $1 AS t, $2 AS n, $3 AS list, $4 AS day, $5 AS nothing, '$1' AS text, \
                 pg_typeof($1)::text || pg_typeof($2)::text || pg_typeof($3)::text || pg_typeof($4)::text AS kinds";
    let params = vec![
        param("t", ParamType::Text),
        param("n", ParamType::Numeric),
        ParamPlan { array: true, ..param("list", ParamType::Text) },
        param("day", ParamType::Date),
        ParamPlan { optional: true, ..param("nothing", ParamType::Json) },
    ];
    let mut all = vec![
        endpoint("/types", query, params),
        endpoint(
            "/n",
            "SELECT count(*) AS n FROM skewed WHERE n = $1",
            vec![param("n", ParamType::Integer)],
        ),
        endpoint(
            "/asked",
            "SELECT sum(generic_plans)::int8 AS generic, sum(custom_plans)::int8 AS custom, count(*) AS prepared \
             FROM pg_prepared_statements WHERE statement LIKE 'SELECT count%'",
            vec![],
        ),
    ];
    for endpoint in &mut all {
        endpoint.bind_style = style;
    }
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_style_gives_the_same_rows_and_plans_as_it_says() {
    let Some(servers) = servers::start(false).await else { return };
    let mut boss = servers.boss().await;
    let table = "CREATE TABLE skewed AS SELECT n / 1000 AS n FROM generate_series(1, 10000) n; GRANT ALL ON skewed TO api";
    execute(&mut boss, table).await;
    let answer = "[{\"t\":\"it's \\\\ $2\",\"n\":\"1.50\",\"list\":[\"a'\",\"{b}\"],\"day\":\"2024-02-29\",\
                  \"nothing\":null,\"text\":\"$1\",\"kinds\":\"textnumerictext[]date\"}]";
    for (style, asked) in [
        (BindStyle::Prepared, "[{\"generic\":0,\"custom\":3,\"prepared\":1}]"),
        (BindStyle::GenericPlan, "[{\"generic\":3,\"custom\":0,\"prepared\":1}]"),
        (BindStyle::Literal, "[{\"generic\":null,\"custom\":null,\"prepared\":0}]"),
    ] {
        let mut launch = servers.launch(endpoints(style));
        // One connection, so that it is the one whose statements are counted.
        (launch.api.pool.size, launch.api.pool.max_overflow) = (1, 0);
        let api = Api::start(launch).await;
        let path = "/types?t=it%27s%20%5C%20%242&n=1.50&list=%5B%22a%27%22,%22%7Bb%7D%22%5D&day=2024-02-29";
        assert_eq!(api.get(path).await.body, answer, "{style:?}");
        for (n, count) in [(0, 999), (5, 1000), (10, 1)] {
            let counted = api.get(&format!("/n?n={n}")).await.body;
            assert_eq!(counted, format!("[{{\"n\":{count}}}]"), "{style:?}");
        }
        assert_eq!(api.get("/asked").await.body, asked, "{style:?}");
        api.stop().await.expect("stops");
    }
}

/// The driver asks the server about a type that somebody has made, on the session that the answer comes over.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_answer_with_a_type_of_somebodys_own_comes_whole_in_each_style() {
    let Some(servers) = servers::start(false).await else { return };
    let mut boss = servers.boss().await;
    execute(&mut boss, "CREATE TYPE mood AS ENUM ('calm', 'wild')").await;
    let query = "SELECT 'wild'::mood AS mood, ARRAY['calm']::mood[] AS moods, repeat('x', 1000) AS text, n \
                 FROM generate_series(1, $1) n";
    for style in [BindStyle::Literal, BindStyle::Prepared] {
        for depth in [None, Some(4)] {
            let mut long = endpoint("/long", query, vec![param("n", ParamType::Integer)]);
            long.bind_style = style;
            let mut launch = servers.launch(vec![long]);
            launch.api.statement_timeout_ns = 3_000_000_000;
            let pool = &mut launch.api.pool;
            (pool.size, pool.max_overflow, pool.pipeline_depth) = (1, 0, depth);
            let api = Api::start(launch).await;
            for _ in 0..2 {
                let answer = api.get("/long?n=400").await;
                assert_eq!(answer.status, 200, "{style:?} {depth:?}: {}", answer.body);
                assert!(answer.body.len() > 400_000, "{}", answer.body.len());
                let rows = answer.json();
                assert_eq!(rows.as_array().map(Vec::len), Some(400));
                assert_eq!(
                    (&rows[399]["mood"], &rows[0]["moods"][0]),
                    (&"wild".into(), &"calm".into())
                );
            }
            api.stop().await.expect("stops");
        }
    }
}
