//! Experiments on a Postgres that is not querylab's.

use super::*;

const FILE: &str = include_str!("../../../tests/fixtures/external.toml");

fn spec(text: &str) -> Spec {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/external.toml");
    load_text(&path, text.to_owned(), &Layers::default()).expect("a file that can be read")
}

#[test]
fn a_plan_for_somebody_elses_postgres_makes_nothing_there() {
    let plan = resolve(&spec(FILE)).expect("a plan");
    assert_eq!(plan.url_from(), Some("QUERYLAB_TEST_URL"));
    assert!(plan.dataset.tables.is_empty() && plan.dataset.migration_digests.is_empty());
    assert!(plan.dataset.after_load.is_empty() && plan.dataset.migrations.is_empty());
    for cell in &plan.cells {
        assert_eq!(cell.stack.postgres.settings, std::collections::BTreeMap::new());
    }
    let set = plan.index_set_of("ten").expect("a set");
    let named: Vec<_> = set.indexes.iter().map(|i| (i.name.as_str(), i.sql.as_str())).collect();
    assert_eq!(named, [("people_email", "")]);
    let json = serde_json::to_string(&plan).expect("plain data");
    assert!(json.contains("QUERYLAB_TEST_URL") && !json.contains("postgres://"));
    assert_eq!(example().url_from(), None);
    assert!(!serde_json::to_string(&example()).expect("plain data").contains("url_from"));
}

#[test]
fn a_statement_that_does_more_than_read_is_refused_where_it_stands() {
    let query = "SELECT id, email FROM people WHERE email = $1";
    for (write, word) in [
        ("UPDATE people SET email = $1 RETURNING id", "UPDATE"),
        ("SELECT id FROM people WHERE email = $1 FOR SHARE", "for share"),
        ("SELECT set_config('a.b', $1, false)", "set_config"),
        ("WITH gone AS (DELETE FROM people WHERE email = $1 RETURNING 1) TABLE gone", "DELETE"),
    ] {
        assert!(FILE.contains(query));
        let text = FILE.replace(query, write);
        let problems = resolve(&spec(&text)).expect_err(write);
        let line = text.lines().position(|line| line.starts_with("query")).map(|at| at + 1);
        let found = problems.iter().find(|p| p.code == "QL0623").expect(write);
        assert!(found.what.contains(&format!("`{word}`")), "{}", found.what);
        assert!(
            matches!(&found.place, crate::spec::Place::File { line: at, .. } if Some(*at) == line),
            "{found:?}"
        );
    }
}

#[test]
fn who_is_not_allowed_hears_it_at_the_key() {
    let spec = spec(FILE);
    let problem = crate::plan::about_url_from(&spec, "no".into(), "help".into());
    let line = FILE.lines().position(|line| line.starts_with("url_from")).map(|at| at + 1);
    assert!(
        matches!(&problem.place, crate::spec::Place::File { line: at, .. } if Some(*at) == line),
        "{problem:?}"
    );
}
