//! A file about somebody else's schema: two tables, keys in the path, defaults, and settings as the factor.

use super::*;
use crate::plan::{BindPlan, DistributionPlan, DrawSource};
use crate::spec::{Metric, ParamType, Place};

const ORDERS: &str = r#"
[experiment]
format = 1
id = "0002-orders"
title = "Orders of a customer"
question = "Does a generic plan matter?"
seed = 7

[dataset]
migrations = "../migrations/orders"
[dataset.tables.a_order]
rows = 1000
[dataset.tables.a_order.columns]
id = { generator = "sequence" }
customer_id = { generator = "integer", min = 1, max = 100 }
[dataset.tables.customer]
rows = 100
[dataset.tables.customer.columns]
id = { generator = "sequence" }

[params.customer]
type = "bigint"
from = "customer.id"
[params.order]
type = "text"
values = ["new", "old"]
distribution = { kind = "sequential" }
[params.limit]
type = "integer"
values = [10, 20]
min = 1
max = 100

[endpoints.orders]
route = "GET /customers/{customer}/orders"
query = "SELECT * FROM a_order WHERE customer_id = $1 AND $2::text IN ('new', 'old') LIMIT $3 OFFSET $4"
bind = ["customer", "order", "limit", { value = 0 }]

[load.open]
model = "open"
rate = "100/s"
duration = "10s"

[variants.auto]
endpoint = "orders"
[variants.generic]
endpoint = "orders"
services.postgres.settings.plan_cache_mode = "force_generic_plan"
[variants.wide]
endpoint = "orders"
services.api = { instances = 4, pool = { size = 40 } }

[design]
baseline = "auto"
loads = ["open"]
blocks = 6
"#;

const SCHEMA: &str = "CREATE TABLE customer (id bigint PRIMARY KEY);
CREATE TABLE IF NOT EXISTS public.a_order (id bigint, customer_id bigint REFERENCES customer);";

fn orders(changes: &[(&str, &str)]) -> Result<Plan, Vec<String>> {
    let folder = tempfile::tempdir().expect("a folder");
    let migrations = folder.path().join("migrations/orders");
    std::fs::create_dir_all(&migrations).expect("made");
    std::fs::create_dir(folder.path().join("experiments")).expect("made");
    std::fs::write(migrations.join("0001_orders.sql"), SCHEMA).expect("written");
    let text = changes.iter().fold(ORDERS.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replacen(from, to, 1)
    });
    let file = folder.path().join("experiments/0002-orders.toml");
    let spec = load_text(&file, text, &Layers::default()).expect("read");
    resolve(&spec).map_err(|all| all.into_iter().map(|p| p.what).collect())
}

#[test]
fn a_file_about_another_schema_resolves() {
    let plan = orders(&[]).expect("right");
    let tables: Vec<&str> = plan.dataset.tables.iter().map(|t| t.name.as_str()).collect();
    assert_eq!(tables, ["customer", "a_order"], "what is referred to is filled first");
    let cell = plan.cell_of("auto", "open").expect("a cell");
    assert!(cell.stack.redis.is_none(), "nothing has a cache");
    assert_eq!(cell.stack.client_connections, 4096);
    let endpoint = &cell.api.endpoints[0];
    let names: Vec<&str> = endpoint.params.iter().map(|p| p.name.as_str()).collect();
    assert_eq!(names, ["customer", "order", "limit"]);
    assert_eq!(endpoint.params[2].max, Some(100.0));
    let zero = BindPlan::Value { r#type: ParamType::Integer, text: "0".into() };
    let want = [BindPlan::Param(0), BindPlan::Param(1), BindPlan::Param(2), zero];
    assert_eq!(endpoint.bind, want);
    let draws = &cell.drive.targets[0].draws;
    assert_eq!(draws.len(), 3);
    assert_eq!(draws[0].distribution, DistributionPlan::Uniform { keys: None });
    assert_eq!(draws[1].source, DrawSource::Values(vec!["new".into(), "old".into()]));
    assert_eq!(draws[1].distribution, DistributionPlan::Sequential { keys: Some(2) });
    assert_eq!(plan.design.primary_metric, Metric::ResponseTimeP95, "arrivals by the clock");
    assert_eq!(plan.design.aa_check, None);
    assert_eq!(plan.trials.len(), 18);
    assert_eq!(plan.variants[0].title, "auto", "the name where no title was given");
}

#[test]
fn settings_and_pools_are_factors_and_connections_are_not() {
    let plan = orders(&[]).expect("right");
    let own = |variant: &str| {
        let delta = plan.deltas.iter().find(|d| d.variant == variant).expect("a delta");
        delta.factors.iter().map(|(f, _, _)| f.as_str()).collect::<Vec<_>>()
    };
    assert_eq!(own("generic"), ["settings.postgres.plan_cache_mode"]);
    assert_eq!(own("wide"), ["instances", "pool.size"]);
    for cell in &plan.cells {
        let settings = &cell.stack.postgres.settings;
        assert_eq!(settings["max_connections"], "215", "4 × (40 + 10) + 15, the same for all");
    }
    let generic = plan.cell_of("generic", "open").expect("a cell");
    assert_eq!(generic.stack.postgres.settings["plan_cache_mode"], "force_generic_plan");
    assert_eq!(plan.warnings.len(), 1, "{:?}", plan.warnings);
    assert!(plan.warnings[0].contains("`wide` differs from `auto` in two factors"));
}

#[test]
fn params_that_the_path_or_the_type_contradicts_are_refused() {
    let says = |change: (&str, &str), want: &str| {
        let all = orders(&[change]).expect_err(want);
        assert!(all.iter().any(|what| what.contains(want)), "{want}: {all:?}");
    };
    says(("values = [10, 20]\n", ""), "param `limit` has no values to ask for");
    says(("values = [10, 20]", "values = [10, 200]"), "`200` is not of its type and limits");
    says(("values = [10, 20]", "values = [10, \"ten\"]"), "`ten` is not of its type and limits");
    says(("values = [10, 20]", "from = \"a_order.cust\""), "`a_order` `cust`");
    says(
        ("type = \"bigint\"", "type = \"uuid\""),
        "the values of `customer.id` are not all of its type",
    );
    says(
        ("from = \"customer.id\"", "from = \"customer.id\"\nwhere = { id = 101 }"),
        "no row has the value `101`",
    );
    says(
        ("kind = \"sequential\"", "kind = \"sequential\", keys = 3"),
        "3 keys, but about 2 to choose from",
    );
    says(("{customer}/orders", "{customr}/orders"), "no param `customr`");
    says(("{customer}/orders", "{customer}.json"), "can't be served");
    says(("bind = [\"customer\", ", "bind = [{ value = 1 }, "), "which its query never uses");
}

#[test]
fn two_pairs_whose_captured_plans_would_have_one_file_are_refused() {
    let endpoint = "[endpoints.x-indexed]\nroute = \"GET /x\"\nquery = \"SELECT 1\"\n";
    let variant = |name: &str, endpoint: &str| {
        format!("[variants.{name}]\nendpoint = \"{endpoint}\"\nindexes = [\"idx_users_email\"]\n")
    };
    let added = |second: &str| {
        format!("{endpoint}{}{}[design]", variant("a", "x-indexed"), variant(second, "indexed"))
    };
    let says = says(&[("[design]", &added("a-x"))]);
    assert_eq!(
        says,
        [
            "QL0622 variant `a-x` with endpoint `indexed` and variant `a` with endpoint `x-indexed` would both be \
          `plans/a-x-indexed.json` | name one of the two otherwise"
        ]
    );
    let places = planned(&changed(&[("[design]", &added("a-x"))]), &Layers::default())
        .expect_err("a mistake")
        .iter()
        .map(|p| matches!(p.place, Place::File { .. }) && p.other.is_some())
        .collect::<Vec<_>>();
    assert_eq!(places, [true]);
    let apart = planned(&changed(&[("[design]", &added("a_x"))]), &Layers::default());
    assert!(apart.is_ok(), "{apart:?}");
}
