//! The API running in this process, and a client that says exactly what it is told to.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use querylab::plan::{ApiCounters, ApiLaunch, EndpointPlan, ParamPlan};
use querylab::spec::{AnswerShape, BindStyle, ParamType};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// An API in this process.
pub(super) struct Api {
    pub(super) socket: PathBuf,
    stop: oneshot::Sender<()>,
    task: JoinHandle<anyhow::Result<()>>,
}

/// One answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: BTreeMap<String, String>,
    pub(super) body: String,
}

impl Answer {
    /// The body as JSON.
    pub(super) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).expect("the body is JSON")
    }

    /// How the cache took part.
    pub(super) fn cache(&self) -> &str {
        &self.headers["x-cache"]
    }
}

impl Api {
    /// Serves, and waits until it is ready.
    pub(super) async fn start(launch: ApiLaunch) -> Self {
        let socket = launch.listen.clone();
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(querylab::api::serve(launch, async {
            drop(stopped.await);
        }));
        for _ in 0..200 {
            if UnixStream::connect(&socket).await.is_ok() {
                return Self { socket, stop, task };
            }
            assert!(!task.is_finished(), "the API did not start: {:?}", task.await);
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("the API is not ready within 5 s");
    }

    /// Asks it to end; what it says at its end.
    pub(super) async fn stop(self) -> anyhow::Result<()> {
        drop(self.stop);
        self.task.await.expect("the API does not panic")
    }

    /// One GET on a connection of its own.
    pub(super) async fn get(&self, path: &str) -> Answer {
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        self.raw(request.as_bytes()).await
    }

    /// Any bytes; the first answer to them.
    pub(super) async fn raw(&self, request: &[u8]) -> Answer {
        raw(&self.socket, request).await
    }

    /// The counters now.
    pub(super) async fn counters(&self) -> ApiCounters {
        let answer = self.get("/__querylab/counters").await;
        serde_json::from_str(&answer.body).expect("counters")
    }
}

/// Sends bytes and reads until the end of the connection, which the request asks for or the server decides.
pub(super) async fn raw(socket: &std::path::Path, request: &[u8]) -> Answer {
    let exchange = async {
        let mut stream = UnixStream::connect(socket).await.expect("the API listens");
        stream.write_all(request).await.expect("sent");
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).await.expect("received");
        bytes
    };
    let bytes = timeout(Duration::from_secs(20), exchange).await.expect("answered within 20 s");
    let text = String::from_utf8(bytes).expect("text");
    let (head, body) = text.split_once("\r\n\r\n").expect("a head and a body");
    let (status, headers) = head.split_once("\r\n").unwrap_or((head, ""));
    Answer {
        status: status.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status"),
        headers: headers
            .lines()
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
            .collect(),
        body: body.to_owned(),
    }
}

/// A GET endpoint, named as its path.
pub(super) fn endpoint(path: &str, query: &str, params: Vec<ParamPlan>) -> EndpointPlan {
    EndpointPlan {
        name: path.trim_start_matches('/').to_owned(),
        method: "GET".to_owned(),
        path: path.to_owned(),
        query: query.to_owned(),
        bind: (0..params.len()).map(querylab::plan::BindPlan::Param).collect(),
        params,
        answer: AnswerShape::Rows,
        bind_style: BindStyle::Prepared,
        cursor: Vec::new(),
        writes: Vec::new(),
        cache: None,
    }
}

/// A required parameter.
pub(super) fn param(name: &str, r#type: ParamType) -> ParamPlan {
    ParamPlan::any(name, r#type)
}
