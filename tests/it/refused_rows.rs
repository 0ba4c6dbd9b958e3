//! Rows that Postgres does not take: the error names the rule, the value, the line and the generator.

use querylab::dataset;

use crate::api::servers;
use crate::generators::{addresses, planned};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_that_break_a_rule_are_named_with_their_columns() {
    let Some(servers) = servers::start(false).await else { return };
    // Rules that no reader of the migrations could see.
    let hidden = |rule: &str| format!("DO $$ BEGIN EXECUTE '{rule}'; END $$;");
    let users = "CREATE TABLE users (id integer PRIMARY KEY);\n";
    for (schema, column, says) in [
        (
            hidden("CREATE UNIQUE INDEX one_a ON orders (a)"),
            r#"{ generator = "integer", min = 1, max = 5 }"#,
            ["one_a", "dataset.tables.orders.columns", "is duplicated"],
        ),
        (
            hidden("ALTER TABLE orders ALTER a SET NOT NULL"),
            r#"{ generator = "integer", min = 1, max = 5, null_ratio = 0.5 }"#,
            ["null value", "dataset.tables.orders.columns.a", "COPY orders, line"],
        ),
        (
            format!("{users}ALTER TABLE orders ADD FOREIGN KEY (a) REFERENCES users;"),
            r#"{ generator = "integer", min = 1, max = 5 }"#,
            ["orders_a_fkey", "is not present", "table `orders`"],
        ),
        (
            hidden("ALTER TABLE orders ALTER a TYPE smallint"),
            r#"{ generator = "sequence", start = 32766 }"#,
            ["row 3 of `orders.a`", "32768 does not fit smallint", "table `orders`"],
        ),
        (
            hidden("ALTER TABLE orders ADD CHECK (a < 3)"),
            r#"{ generator = "sequence" }"#,
            ["orders_a_check", "COPY orders, line 3", "table `orders`"],
        ),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let schema = format!("CREATE TABLE orders (n integer, a integer);\n{schema}");
        let columns = format!(
            "[dataset]\nmigrations = \"../migrations/all\"\n[dataset.tables.orders]\nrows = 100\n\
             [dataset.tables.orders.columns]\nn = {{ generator = \"sequence\" }}\na = {column}\n\
             [indexes]\nidx_days_at = \"CREATE INDEX idx_days_at ON orders (n)\"\n\
             idx_orders_title = \"CREATE INDEX idx_orders_title ON orders (a)\"\n"
        );
        let plan = planned(folder.path(), &schema, &columns);
        let addresses = addresses(&servers);
        let migrations = folder.path().join("migrations/all");
        let failed = dataset::prepare(&addresses, &migrations, &plan, &mut |_| {}).await;
        let said = format!("{:#}", failed.unwrap_err());
        assert!(says.iter().all(|part| said.contains(part)), "{said}");
        let mut admin = servers::connect_to(&addresses.admin).await;
        let drop = "DROP DATABASE ql_template WITH (FORCE)";
        sqlx::raw_sql(drop).execute(&mut admin).await.unwrap();
    }
}
