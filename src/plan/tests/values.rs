//! Params whose values stand in files beside the experiment, and hot sets.

use super::*;
use crate::plan::{DistributionPlan, DrawPlan, DrawSource};
use crate::spec::Place;

const FROM: &str = r#"from         = "users.email"
where        = { status = "active" }      # drawn from the generator: costs the database nothing
distribution = { kind = "zipfian", exponent = 0.99, keys = 10_000 }"#;

const LOG: &str = r#"{"timestamp":"2025-01-05T10:30:45.123Z","request_id":"req_abc123xyz","endpoint":"/users/cached","method":"GET","query_params":{"email":"c@x"},"query_time_ms":12,"cache_status":"hit","db_queries":0,"status_code":200,"response_size_bytes":256}
{"endpoint":"/users/scan","method":"GET","query_params":{"email":"a@x"},"status_code":200}
{"endpoint":"/users/cached","method":"GET","query_params":{"email":"b@x"},"status_code":200}
"#;

/// The example in a folder of its own, with this file of values, its params' source replaced.
fn with(file: &str, text: &str, source: &str) -> Result<Plan, Vec<Problem>> {
    // The smaller profile would lay a number of keys over a log, which has an order of its own.
    let smaller = "params.email.distribution.keys = 1_000\n";
    changed_with(file, text, &[(FROM, source), (smaller, "")])
}

fn changed_with(file: &str, text: &str, changes: &[(&str, &str)]) -> Result<Plan, Vec<Problem>> {
    let folder = tempfile::tempdir().expect("a folder");
    let users = folder.path().join("migrations/users");
    std::fs::create_dir_all(&users).expect("made");
    std::fs::create_dir(folder.path().join("experiments")).expect("made");
    let sql = "CREATE TABLE users (email text, name text, status text, created_at date);\n";
    std::fs::write(users.join("0001_users.sql"), sql).expect("written");
    std::fs::write(folder.path().join("experiments").join(file), text).expect("written");
    let path = folder.path().join("experiments/0001-email-lookup.toml");
    let spec = load_text(&path, changed(changes), &Layers::default());
    resolve(&spec.map_err(|refused| refused.list)?)
}

fn first_draw(plan: &Plan) -> &DrawPlan {
    &plan.cells[0].drive.targets[0].draws[0]
}

/// Line of the file of values, or 0 for the experiment's own, and what is said.
fn says(file: &str, text: &str, source: &str) -> Vec<String> {
    let problems = with(file, text, source).expect_err("a mistake");
    let line = |p: &Problem| match &p.place {
        Place::File { path, line, .. } if path.ends_with(file) => *line,
        _ => 0,
    };
    problems.iter().map(|p| format!("{} {}: {}", p.code, line(p), p.what)).collect()
}

#[test]
fn a_column_of_a_csv_file_is_a_source_for_every_distribution() {
    let source =
        |rest: &str| format!("from_csv = {{ file = \"keys.csv\", column = \"email\" }}\n{rest}");
    let csv = "id,email\n1,c@x\n2,a@x\n3,b@x\n";
    let cases = [
        ("", DistributionPlan::Uniform { keys: Some(3) }),
        (
            "distribution = { kind = \"zipfian\" }",
            DistributionPlan::Zipfian { exponent: 0.99, keys: 3 },
        ),
        (
            "distribution = { kind = \"sequential\", keys = 2 }",
            DistributionPlan::Sequential { keys: Some(2) },
        ),
        (
            "distribution = { kind = \"hot-set\", hot_keys = 1, hot_requests = \"80%\" }",
            DistributionPlan::HotSet { keys: 3, hot_keys: 1, hot_share: 0.8 },
        ),
    ];
    for (rest, wanted) in cases {
        let plan = with("keys.csv", csv, &source(rest)).expect(rest);
        let draw = first_draw(&plan);
        assert_eq!(draw.distribution, wanted);
        let DrawSource::Csv { values, .. } = &draw.source else { panic!("{:?}", draw.source) };
        assert_eq!(*values.list, ["c@x", "a@x", "b@x"].map(str::to_owned));
        assert_eq!((values.count, values.sha256.len()), (3, 64));
        let json = serde_json::to_string(&plan).expect("written");
        assert!(json.contains(&values.sha256) && !json.contains("c@x"), "only the digest");
    }
}

#[test]
fn the_digest_of_a_file_counts_and_its_path_does_not() {
    let plan = |name: &str, text: &str| {
        let source = format!("from_csv = {{ file = \"{name}\", column = \"email\" }}");
        with(name, text, &source).expect("right").fingerprint
    };
    let first = plan("keys.csv", "email\na\n");
    assert_eq!(first, plan("other.csv", "email\na\n"));
    assert_ne!(first, plan("keys.csv", "email\nb\n"));
}

#[test]
fn a_log_is_replayed_in_its_order_and_may_be_that_of_one_endpoint() {
    for (endpoint, wanted) in [
        ("", vec!["c@x", "a@x", "b@x"]),
        (", endpoint = \"cached\"", vec!["c@x", "b@x"]),
        (", endpoint = \"GET /users/cached\"", vec!["c@x", "b@x"]),
        (", endpoint = \"/users/scan\"", vec!["a@x"]),
    ] {
        let source = format!("from_log = {{ file = \"r.jsonl\"{endpoint} }}");
        let plan = with("r.jsonl", LOG, &source).expect("right");
        let draw = first_draw(&plan);
        let keys = Some(wanted.len() as u64);
        assert_eq!(draw.distribution, DistributionPlan::Sequential { keys });
        let DrawSource::Log { values, .. } = &draw.source else { panic!("{:?}", draw.source) };
        assert_eq!(values.list.iter().collect::<Vec<_>>(), wanted);
    }
}

#[test]
fn what_is_wrong_with_a_file_of_values_is_said_where_it_stands() {
    let csv = |file: &str| format!("from_csv = {{ file = \"{file}\", column = \"email\" }}");
    let log = |rest: &str| format!("from_log = {{ file = \"r.jsonl\"{rest} }}");
    let wide = format!("email\nok\n{}\n", "x".repeat(300));
    let all = [
        says("k.csv", "email\na\n", &csv("none.csv")),
        says("k.csv", "email\na\n", &csv("/etc/passwd")),
        says("k.csv", "mail\na\n", &csv("k.csv")),
        says("k.csv", "id,email\n1,a\n2\n", &csv("k.csv")),
        says("k.csv", &wide, &csv("k.csv")),
        says("r.jsonl", "{}\nnonsense\n", &log("")),
        says("r.jsonl", LOG, &log(", endpoint = \"cachd\"")),
        says("r.jsonl", LOG, &log(", endpoint = \"/none\"")),
    ];
    let all: Vec<String> = all
        .into_iter()
        .map(|problems| problems.join(" + "))
        .map(|text| match (text.find("`/"), text.find("/experiments/")) {
            // The folder is another one each time.
            (Some(from), Some(to)) => format!("{}`…{}", &text[..from], &text[to..]),
            _ => text,
        })
        .collect();
    insta::assert_snapshot!(all.join("\n"));
}

#[test]
fn a_patch_that_adds_a_second_source_and_a_hot_set_that_is_none_are_refused() {
    let says = |changes: &[(&str, &str)]| {
        let problems = changed_with("k.csv", "email\na\nb\n", changes).expect_err("a mistake");
        problems.into_iter().map(|p| format!("{} {}", p.code, p.what)).collect::<Vec<_>>()
    };
    let patch = "[design]\n";
    let added = "[variants.other]\nendpoint = \"indexed\"\nparams.email.from_csv = { file = \"k.csv\", \
                 column = \"email\" }\n[design]\n";
    assert_eq!(
        says(&[(patch, added)]),
        ["QL0401 `params.email.from_csv` is a second source beside `from`"]
    );
    let zipf = "kind = \"zipfian\", exponent = 0.99, keys = 10_000";
    let hot = |rest: &str| format!("kind = \"hot-set\", keys = 100, {rest}");
    for (rest, wanted) in [
        (
            "hot_keys = 100, hot_requests = \"90%\"",
            "100 hot keys of 100: some must be, and some not",
        ),
        ("hot_keys = \"99.9%\", hot_requests = \"90%\"", "100 hot keys of 100"),
    ] {
        let all = says(&[(zipf, &hot(rest))]);
        assert!(all.len() == 1 && all[0].contains(wanted), "{all:?}");
    }
    let ten = hot("hot_keys = \"9.6%\", hot_requests = \"90%\"");
    let plan = changed_with("k.csv", "", &[(zipf, &ten)]).expect("right");
    let wanted = DistributionPlan::HotSet { keys: 100, hot_keys: 10, hot_share: 0.9 };
    assert_eq!(first_draw(&plan).distribution, wanted);
}
