//! Every type comes out as Postgres itself would say it (`to_jsonb` or its text), where our policy does not differ.

use sqlx::{AssertSqlSafe, Row as _};

use super::client::{Api, endpoint};
use super::servers;

/// An expression, and how Postgres says what we should: `@` stands for the expression.
const VALUES: &[(&str, &str)] = &[
    ("true", "to_jsonb(@)"),
    ("(-32768)::int2", "to_jsonb(@)"),
    ("2147483647", "to_jsonb(@)"),
    ("(-9223372036854775808)::int8", "to_jsonb(@)"),
    ("0.1::float4", "to_jsonb(@)"),
    ("1.7976931348623157e308::float8", "to_jsonb(@)"),
    ("-5e-324::float8", "to_jsonb(@)"),
    ("'NaN'::float8", "to_jsonb(@)"),
    ("'-Infinity'::float4", "to_jsonb(@)"),
    ("12345678901234567890.123456789000::numeric", "to_jsonb(@::text)"),
    ("0.00000000000000000000000001::numeric", "to_jsonb(@::text)"),
    ("'NaN'::numeric", "to_jsonb(@::text)"),
    ("1e200::numeric", "to_jsonb(@::text)"),
    ("-10000.0001::numeric", "to_jsonb(@::text)"),
    ("0::numeric(20,5)", "to_jsonb(@::text)"),
    ("'-12345.67'::money", "to_jsonb(replace(replace(@::text, '$', ''), ',', ''))"),
    ("'é \"quoted\" \\ back'::text", "to_jsonb(@)"),
    ("'x'::char(5)", "to_jsonb(@)"),
    ("'v'::varchar", "to_jsonb(@)"),
    ("'n'::name", "to_jsonb(@)"),
    ("'c'::\"char\"", "to_jsonb(@)"),
    ("'sad'::mood", "to_jsonb(@)"),
    ("7::positive", "to_jsonb(@)"),
    ("'67e55044-10b1-426f-9247-bb680e5fe0c8'::uuid", "to_jsonb(@)"),
    ("'0044-03-15 BC'::date", "to_jsonb(@)"),
    ("'5874897-12-31'::date", "to_jsonb(@)"),
    ("'infinity'::date", "to_jsonb(@)"),
    ("'23:59:59.999999'::time", "to_jsonb(@)"),
    ("'24:00:00'::time", "to_jsonb(@)"),
    ("'12:30:00.5-03:30'::timetz", "to_jsonb(@)"),
    ("'294276-12-31 23:59:59.9'::timestamp", "to_jsonb(@)"),
    ("'4713-01-01 00:00:00 BC'::timestamp", "to_jsonb(@)"),
    ("'2024-02-29 12:00:00.123+02'::timestamptz", "replace(to_jsonb(@)::text, '+00:00', 'Z')"),
    ("'-infinity'::timestamptz", "to_jsonb(@)"),
    ("'1 year 2 mons 3 days 04:05:06.789'::interval", "to_jsonb(@)"),
    ("'-1 mons 3 days -00:00:00.5'::interval", "to_jsonb(@)"),
    ("'0'::interval", "to_jsonb(@)"),
    ("'{\"a\": [1, 2.50]}'::json", "to_jsonb(@)"),
    ("'{\"b\": null, \"a\": \"x\"}'::jsonb", "to_jsonb(@)"),
    ("'$.a[*]'::jsonpath", "to_jsonb(@)"),
    ("'\\xdeadbeef00'::bytea", "to_jsonb(encode(@, 'base64'))"),
    ("4294967295::oid", "to_jsonb(@::text::int8)"),
    ("'192.168.1.1'::inet", "to_jsonb(@)"),
    ("'::ffff:1.2.3.4/96'::inet", "to_jsonb(@)"),
    ("'2001:db8::1'::inet", "to_jsonb(@)"),
    ("'10.0.0.0/8'::cidr", "to_jsonb(@)"),
    ("'08:00:2b:01:02:03'::macaddr", "to_jsonb(@)"),
    ("'08:00:2b:01:02:03:04:05'::macaddr8", "to_jsonb(@)"),
    ("B'10110'", "to_jsonb(@)"),
    ("'16/B374D848'::pg_lsn", "to_jsonb(@)"),
    ("'(7,2)'::tid", "to_jsonb(@)"),
    ("'(1.5,-2)'::point", "to_jsonb(@)"),
    ("'[(0,0),(1,1)]'::lseg", "to_jsonb(@)"),
    ("'(2,2),(0,0)'::box", "to_jsonb(@)"),
    ("'{1,-1,0}'::line", "to_jsonb(@)"),
    ("'[(0,0),(1,1),(2,0)]'::path", "to_jsonb(@)"),
    ("'((0,0),(1,1),(2,0))'::polygon", "to_jsonb(@)"),
    ("'<(1,2),3>'::circle", "to_jsonb(@)"),
    ("ARRAY[1, NULL, 3]", "to_jsonb(@)"),
    ("ARRAY[['a', NULL], ['c', 'd \"e\"']]", "to_jsonb(@)"),
    ("'{}'::text[]", "to_jsonb(@)"),
    ("'[0:1]={1,2}'::int[]", "to_jsonb(@)"),
    ("ARRAY[1.50, NULL]::numeric[]", "to_jsonb(@::text[])"),
    ("ARRAY['sad', NULL]::mood[]", "to_jsonb(@)"),
    ("ARRAY[7]::positive[]", "to_jsonb(@)"),
    ("ARRAY['2024-01-01'::date]", "to_jsonb(@)"),
    ("ARRAY['{\"a\": 1}'::jsonb]", "to_jsonb(@)"),
    ("'1 2 3'::int2vector", "to_jsonb(@::int2[])"),
    ("int4range(1, 10)", "'{\"lower\":1,\"upper\":10,\"bounds\":\"[)\"}'"),
    ("'empty'::int4range", "'\"empty\"'"),
    (
        "daterange('2024-01-01', NULL)",
        "'{\"lower\":\"2024-01-01\",\"upper\":null,\"bounds\":\"[)\"}'",
    ),
    ("NULL::text", "'null'"),
    ("NULL::int[]", "'null'"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_type_comes_out_as_postgres_itself_would_say_it() {
    let Some(servers) = servers::start(false).await else { return };
    let mut boss = servers.boss().await;
    let types = "CREATE TYPE mood AS ENUM ('sad', 'happy');
                 CREATE DOMAIN positive AS int CHECK (VALUE > 0);
                 SET intervalstyle = 'iso_8601'; SET timezone = 'UTC'";
    servers::execute(&mut boss, types).await;
    let endpoints = VALUES.iter().enumerate().map(|(place, (expression, _))| {
        endpoint(&format!("/v{place}"), &format!("SELECT {expression} AS v"), vec![])
    });
    let api = Api::start(servers.launch(endpoints.collect())).await;
    for (place, (expression, wanted)) in VALUES.iter().enumerate() {
        let sql =
            format!("SELECT ({})::text AS wanted", wanted.replace('@', &format!("({expression})")));
        let row = sqlx::query(AssertSqlSafe(sql)).fetch_one(&mut boss).await.expect(expression);
        let wanted: String = row.get("wanted");
        let wanted: serde_json::Value = serde_json::from_str(&wanted).expect("JSON");
        let answer = api.get(&format!("/v{place}")).await;
        assert_eq!(answer.status, 200, "{expression}: {}", answer.body);
        let got = answer.json();
        assert_eq!(got[0]["v"], wanted, "{expression}");
    }
    api.stop().await.expect("stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_type_that_cannot_be_written_is_refused_at_start_with_the_way_out() {
    let Some(servers) = servers::start(false).await else { return };
    for (query, wanted) in [
        ("SELECT ROW(1, 2) AS pair", "cast it to text"),
        ("SELECT to_tsvector('simple', 'a') AS words", "`words` of type"),
        ("SELECT 'pg_class'::regclass AS kind", "cast it to text"),
        ("SELECT 1 AS id, 2 AS id", "two columns are named `id`"),
        ("SELECT nothing FROM nowhere", "query: relation \"nowhere\" does not exist"),
        ("SELECT '{[1,2]}'::int4multirange AS r", "cast it to text"),
        ("SELECT $1::int AS n", "1 placeholders and 0 are bound"),
    ] {
        let launch = servers.launch(vec![endpoint("/broken", query, vec![])]);
        let error = querylab::api::serve(launch, std::future::pending()).await;
        let error = format!("{:#}", error.expect_err("refused"));
        assert!(error.contains("endpoint `broken`") && error.contains(wanted), "{query}: {error}");
    }
}
