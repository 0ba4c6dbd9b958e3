//! What is sent and read beside lookups: bodies, lines, versions of rows.

use super::*;
use crate::plan::{AnswerPlan, MemberForm, TargetPlan, VersionRole};

/// The cached variant also writes, with a body, and reads lines.
const WRITES: &str = r#"
[params.name]
type   = "text"
values = ["Ada", "Grace"]
[params.age]
type   = "integer"
values = [7]
[params.note]
type     = "json"
required = false
[endpoints.rename]
route  = "PATCH /users/{email}"
query  = "UPDATE users SET name = $2 || $3::text || $4::text WHERE email = $1 RETURNING email, id AS version"
bind   = ["email", "name", "age", "note"]
body   = ["age", "name", "note"]
writes = ["cached"]
check  = { rows = 1, version = "version" }
[endpoints.touch]
route = "POST /users/touch"
query = "UPDATE users SET status = status WHERE email = $1"
bind  = ["email"]
body  = ["email"]
check = { fields = { affected = 1 } }
[endpoints.every]
route  = "GET /users"
query  = "SELECT id FROM users WHERE email = $1"
bind   = ["email"]
answer = "lines"
[endpoints.cached]"#;

/// The example with these writes, and parts of it replaced.
fn text(changes: &[(&str, &str)]) -> String {
    let cached = "check = { status = 200, rows = 1, fields = { email = \"{email}\" } }";
    let (before, after) = EXAMPLE.split_once("\n[endpoints.cached]").expect("an endpoint");
    let after = after.replacen(cached, "check = { rows = 1, version = \"id\" }", 1);
    let mix = "mix = { cached = 5, rename = 3, touch = 1, every = 1 }";
    let after = after.replacen("endpoint = \"cached\"", mix, 1);
    let text = format!("{before}{WRITES}{after}");
    changes.iter().fold(text, |text, (from, to)| {
        assert!(text.contains(from), "{from} is not there");
        text.replacen(from, to, 1)
    })
}

fn targets() -> Vec<TargetPlan> {
    let plan = planned(&text(&[]), &Layers::default()).unwrap_or_else(|all| panic!("{all:#?}"));
    plan.cell_of("cached", "unloaded").expect("a cell").drive.targets.clone()
}

fn of(targets: &[TargetPlan], endpoint: &str) -> TargetPlan {
    targets.iter().find(|t| t.endpoint == endpoint).expect("a target").clone()
}

#[test]
fn a_body_has_its_members_in_the_order_of_their_binding_each_in_the_form_of_its_type() {
    let targets = targets();
    let rename = of(&targets, "rename");
    let members: Vec<_> = rename.body.iter().map(|m| (m.param.as_str(), m.form)).collect();
    let wanted =
        [("name", MemberForm::Text), ("age", MemberForm::Number), ("note", MemberForm::Json)];
    assert_eq!(members, wanted);
    let drawn: Vec<_> = rename.draws.iter().map(|d| d.param.as_str()).collect();
    assert_eq!(drawn, ["email", "name", "age"], "what has no values is left out");
    assert_eq!((rename.answer, of(&targets, "touch").answer), (AnswerPlan::Rows, AnswerPlan::Row));
    assert_eq!(of(&targets, "every").answer, AnswerPlan::Lines);
    assert!(of(&targets, "cached").body.is_empty());
}

#[test]
fn versions_connect_a_write_with_the_rows_that_its_readers_ask_for() {
    let targets = targets();
    let version = |endpoint| of(&targets, endpoint).version.expect("a version");
    let (read, write) = (version("cached"), version("rename"));
    assert_eq!((read.role, write.role), (VersionRole::Reads, VersionRole::Writes));
    assert_eq!((read.column.as_str(), write.column.as_str()), ("id", "version"));
    assert_eq!(read.rows, write.rows);
    assert_eq!(
        (read.rows[0].endpoint.as_str(), &read.rows[0].params),
        ("cached", &vec!["email".to_owned()])
    );
    assert_eq!(of(&targets, "touch").version, None);
}

#[test]
fn what_is_as_before_is_written_as_before() {
    let plan = serde_json::to_string(&example()).expect("JSON");
    for key in ["\"body\"", "\"answer\":\"rows\"", "\"version\":null", "\"form\""] {
        assert!(!plan.contains(key), "{key} changes the fingerprints of files that do not use it");
    }
}

#[test]
fn a_write_to_a_cache_does_not_answer_in_lines() {
    let changes = [
        ("writes = [\"cached\"]", "writes = [\"cached\"]\nanswer = \"lines\""),
        ("check  = { rows = 1, version = \"version\" }", "check  = { status = 200 }"),
    ];
    let problems = planned(&text(&changes), &Layers::default()).expect_err("a mistake");
    let says = "`rename` answers in lines";
    let problem = problems.iter().find(|p| p.code == "QL0606" && p.what.contains(says));
    let problem = problem.unwrap_or_else(|| panic!("{problems:#?}"));
    assert_ne!(problem.place, crate::spec::Place::Nowhere);
}

#[test]
fn a_version_that_says_nothing_is_refused_at_its_place() {
    let says = |from: &str, to: &str| {
        let problems = planned(&text(&[(from, to)]), &Layers::default()).expect_err("a mistake");
        let problem = problems.into_iter().next().expect("one");
        assert_ne!(problem.place, crate::spec::Place::Nowhere);
        format!("{} {}", problem.code, problem.what)
    };
    assert_eq!(
        says("check = { fields = { affected = 1 } }", "check = { rows = 1, version = \"v\" }"),
        "QL0614 the version of `touch` is compared with nothing"
    );
    assert_eq!(
        says("check  = { rows = 1, version = \"version\" }", "check  = { version = \"version\" }"),
        "QL0614 an answer of `rename` may have several rows, and so several versions"
    );
}
