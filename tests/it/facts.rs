//! What a planner makes of the origin document's three indexes: why index sets are switched for each variant, and why its
//! predicate is written as it is.

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Row};

use crate::api::servers;

/// The document's table, with rows enough that an index pays.
const TABLE: &str = "
CREATE TABLE users (
    id SERIAL PRIMARY KEY,
    email VARCHAR(255) NOT NULL,
    name VARCHAR(255) NOT NULL,
    status VARCHAR(20) DEFAULT 'active',
    created_at TIMESTAMP DEFAULT NOW()
);
INSERT INTO users (email, name, status)
SELECT 'user' || n || '@example.com', 'User ' || n, CASE WHEN n % 10 < 7 THEN 'active' ELSE 'inactive' END
FROM generate_series(1, 300000) AS n;
";
const PLAIN: &str = "CREATE INDEX idx_users_email ON users (email)";
const PARTIAL: &str =
    "CREATE INDEX idx_users_email_active ON users (email) WHERE status = 'active'";
const COMPOSITE: &str = "CREATE INDEX idx_users_email_status ON users (email, status)";

async fn run(connection: &mut PgConnection, sql: &str) {
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(connection).await.unwrap();
}

async fn plan_of(connection: &mut PgConnection, statement: &str) -> String {
    let explain = AssertSqlSafe(format!("EXPLAIN (COSTS OFF) {statement}"));
    let rows = sqlx::raw_sql(explain).fetch_all(connection).await.unwrap();
    rows.iter().map(|row| row.get::<String, _>(0)).collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn the_planner_chooses_among_all_three_indexes_and_not_the_author() {
    let Some(servers) = servers::start(false).await else { return };
    let mut boss = servers.boss().await;
    run(&mut boss, TABLE).await;
    let by_email = "SELECT id FROM users WHERE email = 'user777@example.com'";
    for index in [PLAIN, PARTIAL, COMPOSITE] {
        run(&mut boss, index).await;
    }
    run(&mut boss, "VACUUM (FREEZE, ANALYZE) users").await;
    // The document says that this statement is answered from `idx_users_email`.
    let all = plan_of(&mut boss, by_email).await;
    assert!(all.contains("idx_users_email_status on users"), "{all}");
    run(&mut boss, "DROP INDEX idx_users_email_status").await;
    let without = plan_of(&mut boss, by_email).await;
    assert!(without.contains("idx_users_email on users"), "{without}");
}

#[tokio::test]
async fn a_bound_status_can_not_use_the_partial_index_in_a_generic_plan() {
    let Some(servers) = servers::start(false).await else { return };
    let mut boss = servers.boss().await;
    run(&mut boss, TABLE).await;
    run(&mut boss, PARTIAL).await;
    run(&mut boss, "VACUUM (FREEZE, ANALYZE) users").await;
    run(
        &mut boss,
        "PREPARE bound (text, text) AS SELECT id FROM users WHERE email = $1 AND status = $2;
         PREPARE literal (text) AS SELECT id FROM users WHERE email = $1 AND status = 'active'",
    )
    .await;
    let bound = "EXECUTE bound('user777@example.com', 'active')";
    let literal = "EXECUTE literal('user777@example.com')";
    run(&mut boss, "SET plan_cache_mode = force_custom_plan").await;
    let custom = plan_of(&mut boss, bound).await;
    assert!(custom.contains("idx_users_email_active on users"), "{custom}");
    run(&mut boss, "SET plan_cache_mode = force_generic_plan").await;
    let generic = plan_of(&mut boss, bound).await;
    assert!(generic.contains("Seq Scan on users") && !generic.contains("Index"), "{generic}");
    let literal = plan_of(&mut boss, literal).await;
    assert!(literal.contains("idx_users_email_active on users"), "{literal}");
}
