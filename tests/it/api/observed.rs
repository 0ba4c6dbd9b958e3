//! What the API tells about its requests: names, times, lines in the log, metrics.

use querylab::plan::{CachePlan, KeyPiece};
use querylab::spec::ParamType;
use serde_json::json;

use super::client::{Api, endpoint, param};
use super::servers;

/// A metric's value: of the only line that begins like this.
fn value(metrics: &str, line: &str) -> f64 {
    let mut found = metrics.lines().filter_map(|l| l.strip_prefix(line)?.strip_prefix(' '));
    let value = found.next().unwrap_or_else(|| panic!("no {line} in {metrics}"));
    assert_eq!(found.next(), None, "{line}");
    value.parse().expect("a number")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_request_has_a_name_its_times_and_one_line_in_the_log() {
    let Some(servers) = servers::start(true).await else { return };
    let slow = "SELECT $1 AS id, $2 AS q FROM pg_sleep(0.02)";
    let params = vec![param("id", ParamType::Integer), param("q", ParamType::Text)];
    let mut cached = endpoint("/slow/{id}", slow, params);
    let key = vec![KeyPiece::Param(0), KeyPiece::Text(":".to_owned()), KeyPiece::Param(1)];
    cached.cache = Some(CachePlan::aside(key, 60_000_000_000));
    let api = Api::start(servers.launch(vec![cached])).await;
    let named = |path: &str, name: &str| {
        format!(
            "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Request-Id: {name}\r\n\r\n"
        )
    };
    let first = api.raw(named("/slow/7?q=a%20b", "my-name").as_bytes()).await;
    assert_eq!((first.status, first.headers["x-request-id"].as_str()), (200, "my-name"));
    let timing = &first.headers["server-timing"];
    let query = timing.split("query;dur=").nth(1).and_then(|t| t.split(',').next());
    let query: f64 = query.and_then(|t| t.parse().ok()).expect("a time");
    assert!((20.0..2000.0).contains(&query), "{timing}");
    let second = api.raw(named("/slow/7?q=a%20b", "bad_name").as_bytes()).await;
    assert_eq!(second.cache(), "hit");
    let made = second.headers["x-request-id"].clone();
    assert!(uuid::Uuid::parse_str(&made).is_ok(), "{made}");
    assert_eq!(api.get("/slow/x?q=%22%0A").await.status, 400);
    assert_eq!(api.get("/nowhere?a=1").await.status, 404);
    api.stop().await.expect("stops");

    let lines = servers.request_log();
    assert_eq!(lines.len(), 4, "{lines:?}");
    assert_eq!(
        (&lines[0]["request_id"], &lines[1]["request_id"]),
        (&json!("my-name"), &json!(made))
    );
    assert_eq!(lines[0]["endpoint"], "/slow/{id}");
    assert_eq!(lines[0]["query_params"], json!({ "id": "7", "q": "a b" }));
    assert_eq!(lines[0]["response_size_bytes"], first.body.len());
    assert!(lines[0]["query_time_ms"].as_f64().is_some_and(|ms| (20.0..2000.0).contains(&ms)));
    let told = |line: usize| {
        let line = &lines[line];
        (line["cache_status"].clone(), line["db_queries"].clone(), line["status_code"].clone())
    };
    assert_eq!(told(0), (json!("miss"), json!(1), json!(200)));
    assert_eq!(told(1), (json!("hit"), json!(0), json!(200)));
    assert_eq!(told(2), (json!("bypass"), json!(0), json!(400)));
    assert_eq!(told(3), (json!("bypass"), json!(0), json!(404)));
    assert_eq!(lines[3]["endpoint"], "/nowhere");
    assert_eq!(lines[0].as_object().map(serde_json::Map::len), Some(10));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metrics_count_what_happened_and_a_strict_reader_takes_them() {
    let Some(servers) = servers::start(false).await else { return };
    let odd = endpoint("/odd/{n}", "SELECT 10 / $1 AS n", vec![param("n", ParamType::Integer)]);
    let late = endpoint("/late", "SELECT 1 AS n FROM pg_sleep(60)", vec![]);
    let mut launch = servers.launch(vec![odd, late]);
    launch.api.statement_timeout_ns = 300_000_000;
    let api = Api::start(launch).await;
    for path in ["/odd/1", "/odd/2", "/odd/0", "/odd/x", "/late", "/nowhere"] {
        api.get(path).await;
    }
    let answer = api.get("/metrics").await;
    assert_eq!(answer.headers["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    let metrics = answer.body;
    let count = |labels: &str| {
        value(&metrics, &format!("querylab_http_request_duration_seconds_count{{{labels}}}"))
    };
    assert!((count("endpoint=\"/odd/{n}\",method=\"GET\",status=\"2xx\"") - 2.0).abs() < 0.1);
    assert!((count("endpoint=\"/odd/{n}\",method=\"GET\",status=\"4xx\"") - 2.0).abs() < 0.1);
    assert!((count("endpoint=\"/late\",method=\"GET\",status=\"5xx\"") - 1.0).abs() < 0.1);
    assert!((count("endpoint=\"\",method=\"\",status=\"4xx\"") - 1.0).abs() < 0.1);
    let late = "querylab_http_request_duration_seconds_sum{endpoint=\"/late\",method=\"GET\",status=\"5xx\"}";
    assert!((0.3..3.0).contains(&value(&metrics, late)), "{metrics}");
    assert!((value(&metrics, "querylab_http_error_ratio") - 1.0 / 6.0).abs() < 1e-9);
    assert!((value(&metrics, "querylab_pool_connections{state=\"in_use\"}")).abs() < 0.1);
    assert!((value(&metrics, "querylab_pool_connections{state=\"idle\"}") - 1.0).abs() < 0.1);
    assert!((value(&metrics, "querylab_pool_wait_seconds_count") - 4.0).abs() < 0.1);
    assert!((value(&metrics, "querylab_request_log_dropped_total")).abs() < 0.1);
    promtool_takes(&metrics);
    api.stop().await.expect("stops");
}

/// Prometheus' own tool reads the text, where it is installed.
#[expect(clippy::print_stderr, reason = "a skipped check must be seen")]
#[expect(clippy::disallowed_methods, reason = "tests start the real tool")]
fn promtool_takes(metrics: &str) {
    use std::io::Write as _;
    use std::process::{Command, Stdio};
    let tool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut tool) = tool else {
        let required = std::env::var_os("QUERYLAB_REQUIRE_PROMETHEUS").is_some();
        assert!(!required, "QUERYLAB_REQUIRE_PROMETHEUS is set, but promtool is not found");
        eprintln!("SKIPPED: promtool (Debian's package `prometheus`) is not installed");
        return;
    };
    let mut input = tool.stdin.take().expect("piped");
    input.write_all(metrics.as_bytes()).expect("taken");
    drop(input);
    let output = tool.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{said}");
}
