//! Tables with every generator, loaded into a real Postgres: what is read back is what `rows` says.

use std::fs;
use std::path::Path;

use querylab::dataset::{self, Addresses};
use querylab::plan::{self, Plan, PostgresAddress};
use querylab::rows::Rows;
use querylab::spec::{Layers, load_text};
use sqlx::AssertSqlSafe;
use sqlx::postgres::PgConnection;

use crate::api::servers;

const SCHEMA: &str = "
CREATE TYPE state AS ENUM ('new', 'paid', 'it''s \"sent\"');
CREATE DOMAIN cents AS numeric(12, 2) CHECK (VALUE >= 0);
CREATE TABLE makers (
    id bigserial PRIMARY KEY,
    name text NOT NULL,
    boss bigint REFERENCES makers
);
CREATE TABLE users (
    n bigint PRIMARY KEY,
    id integer NOT NULL UNIQUE,
    email varchar(80) NOT NULL UNIQUE,
    full_name text NOT NULL,
    quoted text,
    key uuid NOT NULL UNIQUE,
    plain_key uuid NOT NULL
);
CREATE TABLE orders (
    n integer PRIMARY KEY,
    user_id integer NOT NULL REFERENCES users (id),
    hot_user integer NOT NULL REFERENCES users (id),
    maker bigint NOT NULL REFERENCES makers,
    line_of bigint NOT NULL REFERENCES makers,
    state state NOT NULL,
    total cents,
    bell real,
    fall double precision,
    grade smallint,
    small bigint,
    day date,
    due date,
    created_at timestamp,
    updated_at timestamp,
    office timestamptz,
    late interval GENERATED ALWAYS AS (updated_at - created_at) STORED,
    ok boolean,
    body text,
    search tsvector GENERATED ALWAYS AS (to_tsvector('simple', body)) STORED,
    title varchar(60),
    company text,
    details json,
    wide jsonb,
    tags text[],
    marks numeric[],
    states state[],
    raw bytea,
    address inet,
    six inet,
    place point,
    zip integer,
    city text
);
";

const COLUMNS: &str = r#"
[dataset]
migrations = "../migrations/all"
[dataset.tables.makers]
rows = 50
[dataset.tables.makers.columns]
name = { generator = "company" }
boss = { generator = "foreign-key", references = "makers.id", null_ratio = 0.5 }
[dataset.tables.users]
rows = 400
order = "shuffled"
[dataset.tables.users.columns]
n = { generator = "sequence" }
id = { generator = "permutation", min = -100, max = 1000 }
email = { generator = "email" }
full_name = { generator = "person-name" }
quoted = { generator = "template", template = "{full_name} \\ \"{row}\" \\N" }
key = { generator = "uuid", version = 7, start = "2024-01-01T00:00:00Z", step = "250us" }
plain_key = { generator = "uuid" }
[dataset.tables.orders]
rows = 3000
[dataset.tables.orders.columns]
n = { generator = "sequence" }
user_id = { generator = "foreign-key", references = "users.id" }
hot_user = { generator = "foreign-key", references = "users.id", distribution = "zipfian" }
maker = { generator = "foreign-key", references = "makers.id", per_parent = "equal" }
line_of = { generator = "foreign-key", references = "makers.id", per_parent = "exponential" }
state = { generator = "choice", values = ["new", "paid", "it's \"sent\""] }
total = { generator = "numeric", min = 0, max = 5000, distribution = "exponential", mean = 60, null_ratio = 0.1 }
bell = { generator = "float", min = -1, max = 1, distribution = "normal" }
fall = { generator = "float", min = 0, max = 1000, distribution = "exponential", mean = 5 }
grade = { generator = "integer", min = 1, max = 6, distribution = "normal" }
small = { generator = "integer", min = 1, max = 9007199254740992, distribution = "zipfian", exponent = 0.8 }
day = { generator = "date", start = "0001-01-01", end = "9999-12-31" }
due = { generator = "offset", column = "day", longest = "30d" }
created_at = { generator = "timestamp", start = "2024-01-01T00:00:00Z", end = "2025-01-01T00:00:00Z", growth = 4, order = "ascending" }
updated_at = { generator = "offset", column = "created_at", longest = "14d" }
office = { generator = "timestamp", start = "2024-01-01T00:00:00Z", end = "2025-01-01T00:00:00Z", business_hours = "09:00-17:00" }
ok = { generator = "bool", probability = 0.1 }
body = { generator = "sentences", min = 1, max = 4, vocabulary = 5000, exponent = 1.0 }
title = { generator = "text", min = 5, max = 60 }
company = { generator = "company", depends_on = "zip" }
details = { generator = "json", fields = { "a \"b\"" = { generator = "constant", value = "quote\"back\\slash" }, n = { generator = "numeric", min = 0, max = 9 }, tags = { generator = "array", min = 0, max = 3, of = { generator = "words", min = 1, max = 2 } } } }
wide = { generator = "json", fields = { in = { generator = "json", fields = { at = { generator = "timestamp", start = "2024-01-01T00:00:00Z", step = "1s" }, none = { generator = "bool", null_ratio = 1.0 } } } } }
tags = { generator = "array", min = 0, max = 4, of = { generator = "choice", values = ["a b", "c,d", "\"e\"", "f\\g", "NULL", "{}"], null_ratio = 0.2 } }
marks = { generator = "array", min = 1, max = 4, of = { generator = "numeric", min = -1, max = 1 } }
states = { generator = "array", min = 0, max = 2, of = { generator = "choice", values = ["new", "it's \"sent\""] } }
raw = { generator = "bytea", min = 0, max = 40 }
address = { generator = "inet" }
six = { generator = "inet", network = "2001:db8::/32" }
place = { generator = "point" }
zip = { generator = "integer", min = 10000, max = 10099, distribution = "zipfian" }
city = { generator = "words", min = 1, max = 1, depends_on = "zip", dependence = 0.9 }
"#;

const REST: &str = r#"
[experiment]
format = 1
id = "0001-all"
title = "Every generator"
question = "Do the rows arrive?"
seed = 11

[endpoints.one]
route = "GET /one"
query = "SELECT n FROM orders WHERE n = 1"
[load.one]
model = "closed"
users = 1
duration = "1s"
[variants.a]
endpoint = "one"
[variants.b]
endpoint = "one"
services.postgres.settings.plan_cache_mode = "force_generic_plan"
[design]
baseline = "a"
loads = ["one"]
blocks = 2
"#;

/// The plan of the file above, in a folder with its migration.
fn planned(folder: &Path) -> Plan {
    let migrations = folder.join("migrations/all");
    fs::create_dir_all(&migrations).unwrap();
    fs::create_dir(folder.join("experiments")).unwrap();
    fs::write(migrations.join("0001_all.sql"), SCHEMA).unwrap();
    let text = COLUMNS.to_owned() + REST;
    let file = folder.join("experiments/0001-all.toml");
    let spec = load_text(&file, text, &Layers::default()).unwrap_or_else(|e| panic!("{e}"));
    plan::resolve(&spec).unwrap_or_else(|all| panic!("{all:?}"))
}

/// Names and types of the columns of a table.
async fn types(connection: &mut PgConnection, table: &str) -> Vec<(String, String)> {
    let sql = "SELECT attname::text, format_type(atttypid, atttypmod) FROM pg_attribute \
               WHERE attrelid = $1::regclass AND attnum > 0";
    sqlx::query_as(sql).bind(table).fetch_all(connection).await.unwrap()
}

/// Rows of the table whose column is not what `rows` makes of the row with that `n`.
async fn differences(
    connection: &mut PgConnection,
    rows: &Rows,
    (column, kind): (&str, &str),
) -> i64 {
    let (table, total) = (&rows.spec().name, rows.spec().rows);
    let text = |column: &str| -> Vec<Option<String>> {
        let at = rows.column(column).unwrap();
        (1..=total).map(|row| rows.value(at, row).text()).collect()
    };
    // Compared as Postgres prints both; NULL is like NULL only.
    let sql = format!(
        "SELECT {total} - count(*) FROM {table} t JOIN unnest($1::text[], $2::text[]) AS e(key, value) \
         ON t.n::text = e.key AND t.{column}::text IS NOT DISTINCT FROM (e.value::{kind})::text"
    );
    let query = sqlx::query_scalar(AssertSqlSafe(sql)).bind(text("n")).bind(text(column));
    query.fetch_one(connection).await.unwrap_or_else(|e| panic!("{table}.{column}: {e}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_loaded_is_what_rows_says() {
    let Some(servers) = servers::start(false).await else { return };
    let folder = tempfile::tempdir().unwrap();
    let plan = planned(folder.path());
    let app = servers.launch(Vec::new()).postgres;
    let admin = PostgresAddress { user: "boss".into(), ..app.clone() };
    let addresses = Addresses { admin, app };
    let migrations = folder.path().join("migrations/all");
    let made = dataset::prepare(&addresses, &migrations, &plan, &mut |_| {}).await.unwrap();
    assert_eq!(made.tables.len(), 3);

    let mut connection = servers::connect_to(&addresses.app_to("ql_template")).await;
    let mut compared = 0;
    // Names of makers may be alike: that table has no key to compare its rows by, but to refer to.
    for table in plan.dataset.tables.iter().filter(|table| table.name != "makers") {
        let rows = Rows::new(plan.dataset.data_seed, table.clone()).unwrap();
        let known = types(&mut connection, &table.name).await;
        for column in &table.columns {
            let (_, kind) = known.iter().find(|(name, _)| *name == column.name).unwrap();
            let wrong =
                differences(&mut connection, &rows, (column.name.as_str(), kind.as_str())).await;
            assert_eq!(wrong, 0, "{}.{}", table.name, column.name);
            compared += 1;
        }
    }
    assert!(compared > 35, "{compared}");

    // What Postgres itself makes of the values; each of these is true.
    for truth in [
        "(SELECT count(*) = 50 AND count(boss) BETWEEN 10 AND 40 FROM makers)",
        "(SELECT count(*) = 3000 FROM orders JOIN users ON users.id = user_id)",
        // The hottest of 400 has far more than its share of 7.5 rows.
        "(SELECT max(c) > 200 FROM (SELECT count(*) AS c FROM orders GROUP BY hot_user) AS x)",
        "(SELECT min(c) = 60 AND max(c) = 60 FROM (SELECT count(*) AS c FROM orders GROUP BY maker) AS x)",
        "(SELECT max(c) > 100 FROM (SELECT count(*) AS c FROM orders GROUP BY line_of) AS x)",
        "(SELECT bool_and(extract(isodow FROM office::timestamp) < 6 \
          AND extract(hour FROM office::timestamp) BETWEEN 9 AND 16) FROM orders)",
        "(SELECT bool_and(late >= '0' AND late <= '14 days') FROM orders)",
        "(SELECT bool_and(due - day BETWEEN 0 AND 30) FROM orders)",
        "(SELECT max(c) = 1 FROM (SELECT count(DISTINCT company) AS c FROM orders GROUP BY zip) AS x)",
        "(SELECT bool_and(details->>'a \"b\"' = 'quote\"back\\slash') FROM orders)",
        "(SELECT bool_and(wide#>'{in,none}' = 'null') FROM orders)",
        "(SELECT count(*) > 0 FROM orders WHERE 'f\\g' = ANY (tags))",
        "(SELECT count(*) > 100 FROM orders WHERE search @@ to_tsquery('simple', 'along | also'))",
        "(SELECT bool_and(address << '10.0.0.0/8' AND six << '2001:db8::/32') FROM orders)",
        "(SELECT avg(bell) BETWEEN -0.05 AND 0.05 AND stddev(bell) BETWEEN 0.3 AND 0.37 FROM orders)",
        "(SELECT avg(total) BETWEEN 55 AND 65 FROM orders)",
        // Moments rise with the rows, and rows lie by their number but where one fits into a gap before.
        "(SELECT bool_and(created_at >= before) FROM \
          (SELECT created_at, lag(created_at) OVER (ORDER BY n) AS before FROM orders) AS x)",
        "(SELECT corr(n, place) > 0.99 FROM \
          (SELECT n, row_number() OVER (ORDER BY ctid) AS place FROM orders) AS x)",
        // Shuffled ones don't.
        "(SELECT abs(corr(n, place)) < 0.2 FROM \
          (SELECT n, row_number() OVER (ORDER BY ctid) AS place FROM users) AS x)",
        // UUIDs of version 7 rise with the rows.
        "(SELECT bool_and(key > before) FROM \
          (SELECT key, lag(key) OVER (ORDER BY n) AS before FROM users) AS x)",
    ] {
        let held: Option<bool> = sqlx::query_scalar(AssertSqlSafe(format!("SELECT {truth}")))
            .fetch_one(&mut connection)
            .await
            .unwrap();
        assert_eq!(held, Some(true), "{truth}");
    }
}
