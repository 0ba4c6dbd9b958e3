//! The API's request log, asked again: what it holds is what is sent, in its order.

use std::fs;

use querylab::load::Shots;
use querylab::plan::{self, ParamPlan};
use querylab::spec::{self, Layers, ParamType};
use serde_json::{Value, json};

use super::client::{Api, endpoint, param};
use super::servers;
use crate::lab::Project;

const SEEN: &str = r#"
[params.id]
type     = "integer"
from_log = { file = "requests.jsonl", endpoint = "seen" }
[params.q]
type     = "text"
default  = "nothing"
from_log = { file = "requests.jsonl", endpoint = "seen" }

[endpoints.seen]
route = "GET /seen/{id}"
query = "SELECT $1 AS id, $2 AS q"
bind  = ["id", "q"]
check = { status = 200, rows = 1, fields = { id = "{id}", q = "{q}" } }

[endpoints.cached]"#;

/// Path and query of each line in a log that was no mistake of the client's.
fn asked(log: &[Value]) -> Vec<(Value, Value)> {
    let right =
        log.iter().filter(|line| line["status_code"] == 200 && line["endpoint"] == "/seen/{id}");
    right
        .map(|line| (line["query_params"]["id"].clone(), line["query_params"]["q"].clone()))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_log_is_asked_again_the_same_requests_in_the_same_order() {
    let Some(servers) = servers::start(false).await else { return };
    let q = ParamPlan { default: Some("nothing".into()), ..param("q", ParamType::Text) };
    let query = "SELECT $1 AS id, $2 AS q";
    let mut seen = endpoint("/seen/{id}", query, vec![param("id", ParamType::Integer), q]);
    seen.name = "seen".into();
    let launch = servers.launch(vec![seen, endpoint("/other", "SELECT 1 AS n", vec![])]);
    let api = Api::start(launch.clone()).await;
    let paths = [
        "/seen/7?q=a%20b",
        "/other",
        "/seen/8?q=%22%C3%A9%26%3D%2F%5C%0A",
        "/seen/x?q=1",
        "/seen/7?q=a%20b",
        "/nowhere",
        "/seen/-1",
        "/seen/9?q=",
        "/seen/2147483647?q=%F0%9F%A6%80",
    ];
    for path in paths {
        api.get(path).await;
    }
    api.stop().await.expect("stops");
    let first = servers.request_log();
    assert_eq!(first.len(), paths.len());
    assert_eq!(first[2]["query_params"], json!({ "id": "8", "q": "\"é&=/\\\n" }));

    // The same lines as a file of the experiment's, to the byte.
    let project = Project::new();
    let log = project.dir.join("experiments/requests.jsonl");
    fs::copy(launch.request_log.as_ref().expect("it has one"), log).expect("copied");
    let file = project.dir.join("experiments/tiny.toml");
    let text = fs::read_to_string(&file).expect("the fixture");
    let (text, expect) = (
        text.replacen("\n[endpoints.cached]", SEEN, 1),
        "expect   = { plan = { node = \"Index Scan\", index = \"idx_people_email\" }, index_scans_per_request = 1 }",
    );
    assert!(text.contains(expect));
    let text =
        text.replacen(expect, "", 1).replacen("endpoint = \"find\"", "endpoint = \"seen\"", 1);
    fs::write(&file, text).expect("written");
    let spec = spec::load(&file, &Layers::default()).expect("a file that can be read");
    let plan = plan::resolve(&spec).expect("a plan");
    let cell = plan.cells.iter().find(|cell| cell.variant == "btree").expect("a cell");
    let shots = Shots::new(&cell.drive, &plan.dataset.tables, 1, 2).expect("requests");

    let wanted = asked(&first);
    assert_eq!(wanted.len(), 6);
    // Where it begins is drawn; the order is the log's, and around.
    let count = wanted.len() as u64;
    let fresh = fs::remove_file(launch.request_log.as_ref().expect("it has one"));
    fresh.expect("removed");
    let api = Api::start(launch).await;
    for n in 0..count {
        let shot = shots.get(n);
        assert_eq!(api.get(&shot.uri).await.status, 200, "{}", shot.uri);
    }
    api.stop().await.expect("stops");
    let mut again = asked(&servers.request_log());
    // Two requests are alike, so a place is found by the one that is there once.
    let last =
        |all: &[(Value, Value)]| all.iter().position(|(id, _)| id == "2147483647").expect("there");
    let end = last(&again) + 1;
    again.rotate_left(end % wanted.len());
    let filled = |(id, q): (Value, Value)| (id, if q.is_null() { json!("nothing") } else { q });
    let wanted: Vec<_> = wanted.into_iter().map(filled).collect();
    assert_eq!(again, wanted);
}
