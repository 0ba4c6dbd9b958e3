//! Drafts of whole schemas: what they say, and that the file is right.

use std::collections::BTreeMap;
use std::path::Path;

use super::*;
use crate::spec::{Layers, load_text};

fn column(name: &str, kind: Kind, nullable: bool) -> ColumnFacts {
    ColumnFacts {
        name: name.into(),
        kind,
        nullable,
        type_name: "a type".into(),
        ..ColumnFacts::default()
    }
}

fn reference(column: &str, table: &str) -> Reference {
    Reference { columns: vec![column.into()], table: table.into(), others: vec!["id".into()] }
}

fn table(name: &str, columns: Vec<ColumnFacts>) -> TableFacts {
    let id = ColumnFacts { origin: Origin::Sequence, ..column("id", Kind::Integer(8), false) };
    let columns = std::iter::once(id).chain(columns).collect();
    let key = vec!["id".to_owned()];
    TableFacts {
        name: name.into(),
        columns,
        primary: key.clone(),
        unique: vec![key],
        ..TableFacts::default()
    }
}

fn wishes() -> Wishes {
    Wishes {
        id: "drafted".into(),
        origin: "a test".into(),
        migrations: "../migrations/x".into(),
        rows: 10_000,
        most_rows: 1_000_000,
        ..Wishes::default()
    }
}

/// The draft, checked as any file is.
fn drafted(tables: Vec<TableFacts>, wishes: &Wishes) -> Drafted {
    let schema = Schema { tables, notes: Vec::new() };
    let drafted = draft(&schema, wishes).expect("a draft");
    for profile in [None, Some("smoke".to_owned())] {
        let layers = Layers { profile, ..Layers::default() };
        if let Err(problems) =
            load_text(Path::new("experiments/drafted.toml"), drafted.text.clone(), &layers)
        {
            panic!("{}\n{:#?}", drafted.text, problems.list);
        }
    }
    drafted
}

fn has(drafted: &Drafted, line: &str) {
    assert!(drafted.text.lines().any(|l| l == line), "`{line}` in\n{}", drafted.text);
}

#[test]
fn tables_come_after_those_that_they_refer_to_with_keys_and_bounds() {
    let mut users = table(
        "users",
        vec![
            column("email", Kind::Text(Some(255)), false),
            column("state", Kind::Enum(vec!["on".into(), "off".into()]), false),
        ],
    );
    users.unique.push(vec!["email".into()]);
    let mut orders = table(
        "orders",
        vec![
            column("user_id", Kind::Integer(8), false),
            column("total", Kind::Numeric(Some((6, 2))), true),
            column("starts", Kind::Timestamp(true), false),
            column("ends", Kind::Timestamp(true), true),
        ],
    );
    orders.references.push(reference("user_id", "users"));
    orders.checks =
        ["CHECK ((total >= (5)::numeric))", "CHECK ((ends > starts))"].map(Into::into).into();
    orders.indexes.push(IndexFacts {
        name: "Orders_User".into(),
        sql: "CREATE INDEX \"Orders_User\" ON public.orders USING btree (user_id)".into(),
        method: "btree".into(),
        first: Some("user_id".into()),
        ..IndexFacts::default()
    });
    let draft = drafted(vec![orders, users], &wishes());
    assert_eq!(draft.tables, ["users", "orders"]);
    for line in [
        r#"id = { generator = "sequence" }"#,
        r#"email = { generator = "email" }"#,
        r#"state = { generator = "choice", values = ["on", "off"] }"#,
        r#"user_id = { generator = "foreign-key", references = "users.id" }"#,
        r#"total = { generator = "numeric", min = 5, max = 500, scale = 2 }"#,
        r#"ends = { generator = "offset", column = "starts", shortest = "1d", longest = "30d" }"#,
        r#"orders_user = "CREATE INDEX orders_user ON public.orders USING btree (user_id)""#,
        r#"indexes = ["orders_user"]"#,
    ] {
        has(&draft, line);
    }
}

#[test]
fn pairs_of_keys_are_unique_and_what_cannot_be_is_left_out_with_its_reason() {
    let users = table("users", Vec::new());
    let members = TableFacts {
        name: "members".into(),
        columns: vec![column("a", Kind::Integer(8), false), column("b", Kind::Integer(8), false)],
        unique: vec![vec!["a".into(), "b".into()]],
        references: vec![reference("a", "users"), reference("b", "groups")],
        ..TableFacts::default()
    };
    let groups = table("groups", vec![column("odd", Kind::Other("hyperloglog".into()), true)]);
    let strange = table("strange", vec![column("odd", Kind::Other("hyperloglog".into()), false)]);
    let mut under = table("under", vec![column("of", Kind::Integer(8), false)]);
    under.references.push(reference("of", "strange"));
    let left_alone =
        [column("one", Kind::Integer(8), false), column("two", Kind::Integer(8), false)];
    let [one, two] = left_alone;
    let (mut left, mut right) = (table("left", vec![one]), table("right", vec![two]));
    left.references.push(reference("one", "right"));
    right.references.push(reference("two", "left"));
    let draft = drafted(vec![users, members, groups, strange, under, left, right], &wishes());
    has(
        &draft,
        r#"a = { generator = "foreign-key", references = "users.id", per_parent = "equal" }"#,
    );
    has(&draft, "# `odd` is NULL: no values of type hyperloglog are made");
    let left: BTreeMap<_, _> = draft.left.iter().cloned().collect();
    assert!(left["strange"].contains("hyperloglog"), "{left:?}");
    assert!(left["under"].contains("refers to `strange`"), "{left:?}");
    assert!(left["left"].contains("circle") && left["right"].contains("`left`"), "{left:?}");
}

#[test]
fn statistics_decide_rows_shapes_and_null_and_a_missing_index_is_proposed() {
    let seen = |null_share, common: &[(&str, f64)]| Statistics {
        null_share,
        distinct: 3.0,
        common: common.iter().map(|(value, share)| ((*value).to_owned(), *share)).collect(),
        ..Statistics::default()
    };
    let mut accounts = table(
        "accounts",
        vec![ColumnFacts {
            statistics: Some(seen(0.2, &[("1", 0.5), ("2", 0.3)])),
            ..column("branch", Kind::Integer(4), true)
        }],
    );
    accounts.rows = Some(4_000_000);
    let empty = TableFacts { rows: Some(0), ..table("empty", Vec::new()) };
    let draft = drafted(vec![accounts, empty], &wishes());
    for line in [
        "# The database has about 4000000 rows.",
        "rows = 1000000",
        r#"branch = { generator = "weighted", weights = { "1" = 0.5, "2" = 0.3 }, null_ratio = 0.2 }"#,
        r#"idx_accounts_branch = "CREATE INDEX idx_accounts_branch ON accounts (branch)""#,
        "dataset.tables.accounts.rows = 1000",
        "# Not filled: empty: it is empty.",
    ] {
        has(&draft, line);
    }
}

#[test]
fn a_schema_without_a_table_that_can_be_filled_is_refused_in_a_sentence() {
    let refused = draft(&Schema::default(), &wishes()).expect_err("nothing there");
    assert_eq!(refused, "no table can be filled: there are none");
    let odd = table("odd name", Vec::new());
    let refused = draft(&Schema { tables: vec![odd], notes: Vec::new() }, &wishes());
    assert!(refused.expect_err("an odd one").contains("`odd name`"));
}
