//! The database that the rows were loaded into becomes that of an index set: nothing of it may tell it from a clone.

use std::fs;

use querylab::dataset;
use querylab::plan::PostgresAddress;

use crate::api::servers;
use crate::generators::{addresses, planned};

const SCHEMA: &str = "CREATE TABLE orders (n integer, title text);\n";

const COLUMNS: &str = r#"
[dataset]
migrations = "../migrations/all"
[dataset.tables.orders]
rows = 100
[dataset.tables.orders.columns]
n = { generator = "sequence" }
title = { generator = "text", min = 5, max = 60 }
[indexes]
idx_days_at = "CREATE INDEX idx_days_at ON orders (n)"
idx_orders_title = "CREATE INDEX idx_orders_title ON orders (title)"
"#;

/// What a clone does not get of its template.
const OF_ITS_OWN: &str = "
DO $$ BEGIN
    EXECUTE format('ALTER DATABASE %I SET work_mem TO 5000', current_database());
    EXECUTE format('ALTER ROLE CURRENT_USER IN DATABASE %I SET random_page_cost TO 2', current_database());
    EXECUTE format('ALTER DATABASE %I CONNECTION LIMIT 50', current_database());
    EXECUTE format('REVOKE TEMPORARY ON DATABASE %I FROM PUBLIC', current_database());
END $$;
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_database_that_was_loaded_is_as_its_clones_are() {
    let Some(servers) = servers::start(false).await else { return };
    let folder = tempfile::tempdir().unwrap();
    let plan = planned(folder.path(), SCHEMA, COLUMNS);
    let addresses = addresses(&servers);
    let migrations = folder.path().join("migrations/all");
    fs::write(migrations.join("0002_of_its_own.sql"), OF_ITS_OWN).unwrap();
    dataset::prepare(&addresses, &migrations, &plan, &mut |_| {}).await.unwrap();
    assert_eq!(plan.index_sets.len(), 2);
    for set in &plan.index_sets {
        let address = PostgresAddress { database: set.database.clone(), ..addresses.admin.clone() };
        let mut boss = servers::connect_to(&address).await;
        let sql = "SELECT (SELECT count(*) FROM pg_db_role_setting WHERE setdatabase = d.oid), \
                   datacl::text, datconnlimit FROM pg_database d WHERE datname = current_database()";
        let own: (i64, Option<String>, i32) =
            sqlx::query_as(sql).fetch_one(&mut boss).await.unwrap();
        assert_eq!(own, (0, None, -1), "{}", set.database);
        let sql = "SELECT coalesce(sum(n_tup_ins + n_mod_since_analyze + n_ins_since_vacuum), 0)::bigint \
                   FROM pg_stat_user_tables";
        let counted: i64 = sqlx::query_scalar(sql).fetch_one(&mut boss).await.unwrap();
        assert_eq!(counted, 0, "{}", set.database);
    }
}
