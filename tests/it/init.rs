//! Schemas that nobody here wrote experiments for: drafted by `init`, checked, loaded and run.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::api::servers as private;
use crate::lab::{Project, expect_code, files, servers, text_of};

/// The tiny project with the fixture `shop` in it as well.
fn shop() -> Project {
    let project = Project::of_two_users();
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/shop");
    for (file, bytes) in files(&fixture) {
        let target = project.dir.join(file.strip_prefix(&fixture).unwrap());
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::write(target, bytes).unwrap();
    }
    project
}

#[test]
fn joins_and_writes_over_every_kind_of_object_run() {
    if !servers() {
        return;
    }
    let project = shop();
    expect_code(&project.output(&["check", "experiments/shop.toml"]), 0);
    let output = project.output(&["run", "experiments/shop.toml"]);
    expect_code(&output, 0);
    let report = fs::read_to_string(project.dir.join("results/shop/full/report.md")).unwrap();
    assert!(report.contains("**Every request accounted for:** yes"), "{report}");
    project.expect_nothing_left();
}

#[test]
fn migrations_become_an_experiment_that_checks_and_runs() {
    if !servers() {
        return;
    }
    let project = shop();
    let file = "experiments/0002-shop.toml";
    let init = ["init", "--schema", "migrations/shop", "-o", file, "--rows", "2000"];
    let output = project.output(&init);
    expect_code(&output, 0);
    assert!(
        text_of(&output.stdout).contains("8 tables, 0 left out"),
        "{}",
        text_of(&output.stdout)
    );
    let text = fs::read_to_string(project.dir.join(file)).unwrap();
    for part in [
        r#"migrations = "../migrations/shop""#,
        r#"email = { generator = "email" }"#,
        r#"user_id = { generator = "foreign-key", references = "users.id" }"#,
        r#"sent_at = { generator = "offset", column = "placed_at", shortest = "1d", longest = "30d" }"#,
        r#"channel = { generator = "choice", values = ["web", "phone", "it's a shop"] }"#,
        r#"state = { generator = "choice", values = ["new", "paid", "sent", "returned"] }"#,
        r#"at = { generator = "timestamp", start = "2024-01-01T00:00:00Z", end = "2025-01-01T00:00:00Z" }"#,
        "[endpoints.order_lines-by-product_id]",
    ] {
        assert!(text.contains(part), "`{part}` in\n{text}");
    }
    assert!(!text.contains("search = "), "nobody may state a generated column\n{text}");
    let again = project.output(&init);
    expect_code(&again, 2);
    assert!(text_of(&again.stderr).contains("not written over"));
    assert_eq!(fs::read_to_string(project.dir.join(file)).unwrap(), text);
    expect_code(&project.output(&["check", file]), 0);
    expect_code(&project.output(&["check", "--profile", "smoke", file]), 0);
    expect_code(&project.output(&["run", "--profile", "smoke", file]), 0);
    project.expect_nothing_left();
}

/// `pgbench`, where it is installed.
fn pgbench() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").ok()?.flatten();
    let mut found: Vec<PathBuf> =
        versions.map(|v| v.path().join("bin/pgbench")).filter(|p| p.is_file()).collect();
    found.sort();
    found.pop()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_tables_of_pgbench_are_read_from_their_database_and_run_anew() {
    let Some(pgbench) = pgbench() else {
        eprintln!("SKIPPED: no pgbench found");
        return;
    };
    let Some(running) = private::start(false).await else { return };
    let address = running.launch(Vec::new()).postgres;
    let host = address.socket_dir.to_str().unwrap();
    let made = Command::new(pgbench)
        .args(["-i", "-q", "-s", "1", "-h", host, "-p", &address.port.to_string(), "-U", "api"])
        .arg("postgres")
        .env("PGPASSWORD", &address.password)
        .output()
        .unwrap();
    expect_code(&made, 0);
    let url = format!(
        "postgres://api:{}@localhost/postgres?host={host}&port={}",
        address.password, address.port
    );
    let before = activity(&running).await;
    let project = Project::of_two_users();
    let file = "experiments/pgbench.toml";
    expect_code(&project.output(&["init", "--from-url", &url, "-o", file]), 0);
    assert_eq!(activity(&running).await, before, "nothing was written");
    let text = fs::read_to_string(project.dir.join(file)).unwrap();
    let schema = project.dir.join("migrations/pgbench/0001_schema.sql");
    let schema = fs::read_to_string(schema).unwrap();
    assert!(schema.contains("ALTER TABLE pgbench_accounts ADD CONSTRAINT"), "{schema}");
    for part in [
        "rows = 100000",
        r#"bid = { generator = "constant", value = "1" }"#,
        "# Not filled: pgbench_history: it is empty.",
        "[endpoints.pgbench_accounts-by-aid]",
    ] {
        assert!(text.contains(part), "`{part}` in\n{text}");
    }
    for said in [&text, &schema] {
        assert!(!said.contains(&address.password), "a password has no place in a file");
    }
    expect_code(&project.output(&["check", file]), 0);
    expect_code(&project.output(&["run", "--profile", "smoke", file]), 0);
    project.expect_nothing_left();
}

/// Rows of some tables of the shop; the others stay as they were made, and nobody has counted them.
const ROWS: &str = "
INSERT INTO countries SELECT chr(64 + n) || chr(65 + n), 'Country ' || n FROM generate_series(1, 20) AS n;
INSERT INTO users (email, name, country, created_at, tags)
    SELECT 'u' || n || '@x.org', CASE WHEN n % 4 = 0 THEN 'Ann' ELSE 'Bob' END, 'AB',
           timestamptz '2023-01-01' + n * interval '1 hour', ARRAY['a'] FROM generate_series(1, 800) AS n;
INSERT INTO orders (user_id, state, channel, placed_at, total)
    SELECT 1 + n % 50, (ARRAY['new', 'paid', 'sent']::order_state[])[1 + n % 3], 'web',
           timestamp '2024-01-01' + n * interval '1 minute', n * n % 1000 FROM generate_series(1, 1200) AS n;
ANALYZE countries, users, orders;
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_schema_with_every_kind_of_object_is_made_anew_from_its_catalogue() {
    let Some(running) = private::start(false).await else { return };
    let project = shop();
    let made = fs::read_to_string(project.dir.join("migrations/shop/0001_shop.sql")).unwrap();
    let mut boss = running.boss().await;
    for sql in [made.as_str(), ROWS] {
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned())).execute(&mut boss).await.unwrap();
    }
    let address = running.launch(Vec::new()).postgres;
    let host = address.socket_dir.to_str().unwrap();
    let url = format!(
        "postgres://boss:{}@localhost/postgres?host={host}&port={}",
        address.password, address.port
    );
    let file = "experiments/again.toml";
    let output = project.output(&["init", "--from-url", &url, "-o", file, "--rows", "500"]);
    expect_code(&output, 0);
    let text = fs::read_to_string(project.dir.join(file)).unwrap();
    let schema = fs::read_to_string(project.dir.join("migrations/again/0001_schema.sql")).unwrap();
    for part in [
        "CREATE TYPE order_state AS ENUM ('new', 'paid', 'sent', 'returned')",
        "CREATE DOMAIN cents AS bigint",
        "GENERATED ALWAYS AS IDENTITY",
        "PARTITION BY RANGE (at)",
        "CREATE TABLE events_2024a PARTITION OF events",
        "ALTER SEQUENCE orders_id_seq OWNED BY orders.id",
        "CREATE VIEW order_totals",
        "FUNCTION public.spent",
        "CREATE TRIGGER users_touch",
        "FOREIGN KEY (user_id) REFERENCES users(id) ON DELETE CASCADE",
    ] {
        assert!(schema.contains(part), "`{part}` in\n{schema}");
    }
    assert!(!schema.contains("orders_user_idx"), "secondary indexes are the variants'\n{schema}");
    for part in [
        "rows = 1200",
        "rows = 500",
        r#"name = { generator = "weighted", weights = { "Bob" = 0.75, "Ann" = 0.25 } }"#,
        r#"orders_user_idx = "CREATE INDEX orders_user_idx ON public.orders USING btree (user_id)""#,
    ] {
        assert!(text.contains(part), "`{part}` in\n{text}");
    }
    let left = text.lines().find(|line| line.starts_with("# Not filled"));
    assert_eq!(left, None, "every table can be filled");
    expect_code(&project.output(&["run", "--profile", "smoke", file]), 0);
    project.expect_nothing_left();
}

/// Rows that were ever written to the tables of users, and how many tables there are.
async fn activity(servers: &private::Servers) -> (i64, i64) {
    let mut boss = servers.boss().await;
    let sql = "SELECT coalesce(sum(n_tup_ins + n_tup_upd + n_tup_del), 0)::int8, count(*) FROM pg_stat_user_tables";
    sqlx::query_as(sql).fetch_one(&mut boss).await.unwrap()
}

#[test]
fn what_init_cannot_do_is_said_and_nothing_is_written() {
    let project = Project::of_two_users();
    let refused = |args: &[&str], code: i32, says: &str| {
        let output = project.output(args);
        expect_code(&output, code);
        let said = text_of(&output.stderr);
        assert!(said.contains(says), "`{says}` in\n{said}");
        assert!(!said.contains("se-cret"), "{said}");
    };
    refused(&["init"], 2, "--schema");
    refused(&["init", "--schema", "none"], 2, "cannot read none");
    let both = ["init", "--schema", "migrations/people", "--from-url", "postgres://x/y"];
    refused(&both, 2, "cannot be used with");
    refused(
        &["init", "--schema", "migrations/people", "-o", "X.toml"],
        2,
        "no name for an experiment",
    );
    refused(&["init", "--from-url", "mysql://me:se-cret@h/d"], 2, "postgres://user:password@host");
    let nobody = "postgres://me:se-cret@127.0.0.1:9/db";
    refused(&["init", "--from-url", nobody, "-o", "experiments/x.toml"], 3, "cannot connect");
    assert!(!project.dir.join("experiments/x.toml").exists());
    assert!(!project.dir.join("migrations/x").exists());
}
