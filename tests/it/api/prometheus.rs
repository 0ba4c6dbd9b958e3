//! A real Prometheus scrapes `/metrics`, and its own tool finds nothing to say about the text.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use querylab::plan::{CachePlan, KeyPiece};
use querylab::spec::ParamType;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::time::{Instant, sleep};

use super::client::{Api, endpoint, param};
use super::servers;

/// Long enough for a scrape a second on a busy machine.
const WITHIN: Duration = Duration::from_mins(1);

/// Ends it with the test.
struct Prometheus(Child);

impl Drop for Prometheus {
    fn drop(&mut self) {
        // `timeout` passes it on.
        if let Some(pid) = Pid::from_raw(self.0.id().cast_signed()) {
            kill_process(pid, Signal::TERM).ok();
        }
        self.0.wait().ok();
    }
}

/// The program, if Debian's package is installed.
fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join(name)).find(|p| p.is_file());
    let required = std::env::var_os("QUERYLAB_REQUIRE_PROMETHEUS").is_some();
    assert!(
        found.is_some() || !required,
        "QUERYLAB_REQUIRE_PROMETHEUS is set, and {name} is not here"
    );
    if found.is_none() {
        eprintln!("SKIPPED: {name} (Debian's package `prometheus`) is not installed");
    }
    found
}

/// The API listens on a socket, and Prometheus asks through TCP only.
async fn door_to(socket: PathBuf) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let socket = socket.clone();
            tokio::spawn(async move {
                if let Ok(mut api) = UnixStream::connect(socket).await {
                    copy_bidirectional(&mut client, &mut api).await.ok();
                }
            });
        }
    });
    port
}

fn start(program: &Path, folder: &Path, (port, target): (u16, u16)) -> Prometheus {
    let configuration = format!(
        "global: {{ scrape_interval: 1s, scrape_timeout: 1s }}\n\
         scrape_configs:\n  - job_name: querylab\n    static_configs: [{{ targets: ['127.0.0.1:{target}'] }}]\n"
    );
    let file = folder.join("prometheus.yml");
    std::fs::write(&file, configuration).expect("written");
    let child = Command::new("/usr/bin/timeout")
        .args(["--kill-after=5", "120"])
        .arg(program)
        .arg(format!("--config.file={}", file.display()))
        .arg(format!("--storage.tsdb.path={}", folder.join("data").display()))
        .arg(format!("--web.listen-address=127.0.0.1:{port}"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    Prometheus(child.expect("it starts"))
}

/// The value of a query with one result, as soon as there is one.
async fn value(port: u16, query: &str) -> Option<f64> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.ok()?;
    let request = format!("GET /api/v1/query?query={query} HTTP/1.0\r\nHost: x\r\n\r\n");
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.ok()?;
    let body: Value = serde_json::from_str(answer.split_once("\r\n\r\n")?.1).ok()?;
    body["data"]["result"][0]["value"][1].as_str()?.parse().ok()
}

/// The same, until it is as wanted.
async fn becomes(port: u16, query: &str, wanted: f64) {
    let since = Instant::now();
    let mut last = None;
    while since.elapsed() < WITHIN {
        last = value(port, query).await;
        if last.is_some_and(|value| (value - wanted).abs() < 1e-9) {
            return;
        }
        sleep(Duration::from_millis(200)).await;
    }
    panic!("{query} is {last:?} instead of {wanted}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_real_prometheus_scrapes_what_the_api_tells() {
    let Some(program) = program("prometheus") else { return };
    let Some(servers) = servers::start(true).await else { return };
    let mut cached =
        endpoint("/n/{n}", "SELECT 10 / $1 AS n", vec![param("n", ParamType::Integer)]);
    let key = vec![KeyPiece::Text("n:".to_owned()), KeyPiece::Param(0)];
    cached.cache = Some(CachePlan::aside(key, 60_000_000_000));
    let api = Api::start(servers.launch(vec![cached])).await;
    for path in ["/n/1", "/n/1", "/n/2", "/n/0", "/n/x"] {
        api.get(path).await;
    }
    let target = door_to(api.socket.clone()).await;
    // A port that was free a moment ago.
    let free = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = free.local_addr().expect("an address").port();
    drop(free);
    let folder = tempfile::tempdir().expect("a folder");
    let _prometheus = start(&program, folder.path(), (port, target));
    becomes(port, "up", 1.0).await;
    let requests = "sum(querylab_http_request_duration_seconds_count)";
    becomes(port, requests, 5.0).await;
    becomes(port, "querylab_cache_requests_total%7Bresult=%22hit%22%7D", 1.0).await;
    becomes(port, "querylab_cache_requests_total%7Bresult=%22miss%22%7D", 3.0).await;
    becomes(port, "count(querylab_build_info)", 1.0).await;
    // What it has scraped goes up with what is asked.
    api.get("/n/2").await;
    becomes(port, requests, 6.0).await;
    becomes(port, "histogram_quantile(0.99,sum%20by%20(le)(querylab_http_request_duration_seconds_bucket))%20%3E%20bool%200", 1.0).await;
    api.stop().await.expect("stops");
    becomes(port, "up", 0.0).await;
}
