//! The tables that are loaded: the first experiment's, and pgbench's own.

use std::path::PathBuf;

use anyhow::{Result, anyhow};
use querylab::plan::{self, Plan};
use querylab::spec::{Layers, load_text};

/// A plan, and what it needs on disk.
pub(crate) struct Made {
    pub(crate) plan: Plan,
    pub(crate) migrations: PathBuf,
    pub(crate) schema: String,
    _folder: tempfile::TempDir,
}

/// Whether a table has its primary key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Key {
    With,
    Without,
}

/// Whether an index is declared.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Index {
    Without,
    OnEmail,
}

/// `users` as in the first experiment.
pub(crate) fn users(rows: u64, key: Key, index: Index) -> Result<Made> {
    let key = if key == Key::With { " PRIMARY KEY" } else { "" };
    let schema = format!(
        "CREATE TABLE users (id serial{key}, email varchar(255) NOT NULL, name varchar(255) NOT NULL,
         status varchar(20) DEFAULT 'active', created_at timestamp DEFAULT now());"
    );
    let tables = format!(
        r#"
[dataset.tables.users]
rows = {rows}
[dataset.tables.users.columns]
email = {{ generator = "template", template = "email{{row}}@example.com" }}
name = {{ generator = "person-name" }}
status = {{ generator = "weighted", weights = {{ active = 70, inactive = 30 }} }}
created_at = {{ generator = "timestamp", start = "2024-01-01T00:00:00Z", step = "1s" }}
"#
    );
    made(schema, &tables, "SELECT email FROM users LIMIT 1", index)
}

/// pgbench's tables, with the rows and the keys that `pgbench -i` gives them.
pub(crate) fn pgbench(scale: u64) -> Result<Made> {
    let schema = "CREATE TABLE pgbench_branches (bid int PRIMARY KEY, bbalance int, filler char(88)) WITH (fillfactor=100);
        CREATE TABLE pgbench_tellers (tid int PRIMARY KEY, bid int, tbalance int, filler char(84)) WITH (fillfactor=100);
        CREATE TABLE pgbench_accounts (aid int PRIMARY KEY, bid int, abalance int, filler char(84)) WITH (fillfactor=100);
        CREATE TABLE pgbench_history (tid int, bid int, aid int, delta int, mtime timestamp, filler char(22));";
    let table = |name: &str, rows: u64, key: &str, columns: &str| {
        format!(
            "[dataset.tables.{name}]\nrows = {rows}\n[dataset.tables.{name}.columns]\n\
             {key} = {{ generator = \"sequence\" }}\n{columns}\n"
        )
    };
    let zero = |name: &str| format!("{name} = {{ generator = \"constant\", value = 0 }}");
    let bid = |count: u64| format!("bid = {{ generator = \"integer\", min = 1, max = {count} }}");
    let blank = "filler = { generator = \"constant\", value = \"\" }";
    let tables = [
        table("pgbench_branches", scale, "bid", &zero("bbalance")),
        table(
            "pgbench_tellers",
            10 * scale,
            "tid",
            &format!("{}\n{}", bid(scale), zero("tbalance")),
        ),
        table(
            "pgbench_accounts",
            100_000 * scale,
            "aid",
            &format!("{}\n{}\n{blank}", bid(scale), zero("abalance")),
        ),
    ];
    made(
        schema.to_owned(),
        &tables.concat(),
        "SELECT aid FROM pgbench_accounts LIMIT 1",
        Index::Without,
    )
}

fn made(schema: String, tables: &str, query: &str, index: Index) -> Result<Made> {
    let (indexes, names) = match index {
        Index::Without => ("", ""),
        Index::OnEmail => (
            "[indexes]\nidx_users_email = \"CREATE INDEX idx_users_email ON users (email)\"",
            "\"idx_users_email\"",
        ),
    };
    let folder = tempfile::tempdir()?;
    let migrations = folder.path().join("migrations");
    std::fs::create_dir(&migrations)?;
    std::fs::create_dir(folder.path().join("experiments"))?;
    std::fs::write(migrations.join("0001_all.sql"), &schema)?;
    // pgbench's VACUUM is no part of what is compared.
    let text = format!(
        r#"
[experiment]
format = 1
id = "0001-load"
title = "Loading"
question = "How fast?"
seed = 20250105
[dataset]
migrations = "../migrations"
after_load = ["ANALYZE"]
{tables}
{indexes}
[endpoints.one]
route = "GET /one"
query = "{query}"
[load.one]
model = "closed"
users = 1
duration = "1s"
[variants.a]
endpoint = "one"
indexes = [{names}]
[variants.b]
endpoint = "one"
indexes = [{names}]
services.postgres.settings.plan_cache_mode = "force_generic_plan"
[design]
baseline = "a"
loads = ["one"]
blocks = 2
"#
    );
    let file = folder.path().join("experiments/0001-load.toml");
    let spec = load_text(&file, text, &Layers::default()).map_err(|e| anyhow!("{e}"))?;
    let plan = plan::resolve(&spec).map_err(|all| anyhow!("{all:?}"))?;
    Ok(Made { plan, migrations, schema, _folder: folder })
}
