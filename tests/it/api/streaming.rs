//! Answers in lines: whole, broken off, given up, and long.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use querylab::plan::{ApiLaunch, EndpointPlan, ParamPlan};
use querylab::spec::{AnswerShape, ParamType};
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::time::{Instant, sleep, timeout};

use super::client::{Api, endpoint, param};
use super::servers;

fn lines(path: &str, query: &str, params: Vec<ParamPlan>) -> EndpointPlan {
    EndpointPlan { answer: AnswerShape::Lines, ..endpoint(path, query, params) }
}

fn numbers() -> EndpointPlan {
    let query = "SELECT n, 'row ' || n AS text FROM generate_series(1, $1::int) n";
    lines("/numbers", query, vec![param("rows", ParamType::Integer)])
}

/// A body without the lengths of its chunks; none if the last chunk is missing.
pub(super) fn unchunked(mut body: &str) -> Option<String> {
    let mut whole = String::new();
    loop {
        let (length, rest) = body.split_once("\r\n")?;
        let length = usize::from_str_radix(length, 16).ok()?;
        whole.push_str(rest.get(..length)?);
        body = rest.get(length + 2..)?;
        if length == 0 {
            return Some(whole);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lines_are_rows_and_a_failure_is_never_a_whole_answer() {
    let Some(servers) = servers::start(false).await else { return };
    let query = "SELECT CASE WHEN n = 90000 THEN 1 / (n - n) ELSE n END AS n FROM generate_series(1, 100000) n";
    let late = lines("/late", query, vec![]);
    let early = lines("/early", "SELECT 1 / $1 AS n", vec![param("n", ParamType::Integer)]);
    let api = Api::start(servers.launch(vec![numbers(), late, early])).await;
    let three = api.get("/numbers?rows=3").await;
    assert_eq!(three.headers["content-type"], "application/x-ndjson");
    let text = unchunked(&three.body).expect("whole");
    assert_eq!(
        text,
        "{\"n\":1,\"text\":\"row 1\"}\n{\"n\":2,\"text\":\"row 2\"}\n{\"n\":3,\"text\":\"row 3\"}\n"
    );
    let none = api.get("/numbers?rows=0").await;
    assert_eq!((none.status, unchunked(&none.body).as_deref()), (200, Some("")));
    let many = unchunked(&api.get("/numbers?rows=20000").await.body).expect("whole");
    assert_eq!(many.lines().count(), 20_000);
    for line in many.lines().step_by(997) {
        serde_json::from_str::<serde_json::Value>(line).expect("a line is JSON");
    }
    assert_eq!(api.get("/early?n=0").await.status, 422);
    let broken = api.get("/late").await;
    assert_eq!((broken.status, unchunked(&broken.body)), (200, None), "it broke off, visibly");
    assert_eq!(api.counters().await.server_errors, 1);
    assert_eq!(api.get("/early?n=1").await.status, 200);
    api.stop().await.expect("stops");
    let log = servers.request_log();
    let of = |path: &str| -> Vec<u64> {
        let lines = log.iter().filter(|line| line["endpoint"] == path);
        lines.filter_map(|line| line["response_size_bytes"].as_u64()).collect()
    };
    assert_eq!(of("/numbers"), [text.len() as u64, 0, many.len() as u64]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_goes_away_frees_its_connection() {
    let Some(servers) = servers::start(false).await else { return };
    let one = endpoint("/one", "SELECT 1 AS one", vec![]);
    let mut launch = servers.launch(vec![numbers(), one]);
    (launch.api.pool.size, launch.api.pool.max_overflow) = (1, 0);
    let api = Api::start(launch).await;
    let mut stream = UnixStream::connect(&api.socket).await.expect("listens");
    let request = b"GET /numbers?rows=50000000 HTTP/1.1\r\nHost: x\r\n\r\n";
    stream.write_all(request).await.expect("sent");
    let mut some = vec![0; 65_536];
    stream.read_exact(&mut some).await.expect("rows come");
    drop(stream);
    let asked = Instant::now();
    assert_eq!(api.get("/one").await.status, 200);
    assert!(asked.elapsed() < Duration::from_secs(3), "{:?}", asked.elapsed());
    api.stop().await.expect("stops");
}

/// The API as a process of its own, stopped when the test ends.
struct Process(Child);

impl Process {
    #[expect(clippy::disallowed_methods, reason = "tests start the real binary")]
    fn start(launch: &ApiLaunch, folder: &Path) -> Self {
        let config = folder.join("launch.json");
        std::fs::write(&config, serde_json::to_vec(launch).expect("JSON")).expect("written");
        let spec = serde_json::json!({
            "name": "api-0", "program": { "api": { "config": config } }, "env": {}, "home": folder,
            "user": null, "death_signal": 15, "open_files": 256, "guard": std::process::id(),
        });
        let child = Command::new(env!("CARGO_BIN_EXE_querylab"))
            .args(["__child", &spec.to_string()])
            .env_clear()
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        Self(child.expect("it starts"))
    }

    /// The most memory that it ever had resident, in KiB.
    fn peak_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0.id()));
        let status = status.expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("its peak");
        line.trim().trim_end_matches(" kB").parse().expect("a number")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let id = i32::try_from(self.0.id()).ok().and_then(Pid::from_raw);
        if let Some(id) = id {
            kill_process(id, Signal::TERM).ok();
        }
        drop(self.0.wait());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_million_rows_take_less_than_64_mb() {
    let Some(servers) = servers::start(false).await else { return };
    let mut launch = servers.launch(vec![numbers()]);
    launch.api.statement_timeout_ns = 120_000_000_000;
    let folder = launch.listen.parent().expect("a folder").to_owned();
    let process = Process::start(&launch, &folder);
    let mut stream = None;
    for _ in 0..400 {
        match UnixStream::connect(&launch.listen).await {
            Ok(connected) => {
                stream = Some(connected);
                break;
            }
            Err(_) => sleep(Duration::from_millis(50)).await,
        }
    }
    let mut stream = stream.expect("the API listens within 20 s");
    let request = b"GET /numbers?rows=1000000 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    stream.write_all(request).await.expect("sent");
    let count = async {
        let (mut rows, mut last, mut piece) = (0_usize, Vec::new(), vec![0; 65_536]);
        loop {
            let length = stream.read(&mut piece).await.expect("received");
            if length == 0 {
                return (rows, last);
            }
            rows += piece[..length].split(|byte| *byte == b'}').count() - 1;
            last.extend_from_slice(&piece[..length]);
            last.drain(..last.len().saturating_sub(7));
        }
    };
    let (rows, last) = timeout(Duration::from_mins(2), count).await.expect("all rows come");
    assert_eq!(rows, 1_000_000);
    assert!(last.ends_with(b"0\r\n\r\n"), "the answer is whole");
    let peak = process.peak_kib();
    assert!(peak < 64 * 1024, "{peak} KiB");
}
