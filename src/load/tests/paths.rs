//! The three ways on real sockets: each is timed, counted and checked for itself.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use http_body_util::Full;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::time::{Duration, sleep};

use super::scripts::{closed, job, right};
use crate::load::{PathFault, Paths, time_paths};

const STATIC: &str = "/static";

/// Answers right after so many milliseconds, and what is static at once.
async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin, ms: u64) {
    let service = service_fn(async |request: Request<hyper::body::Incoming>| {
        let is_static = request.uri().path() == STATIC;
        let body = if is_static { "ok".to_owned() } else { right(request.uri()) };
        if !is_static {
            sleep(Duration::from_millis(ms)).await;
        }
        Ok::<_, Infallible>(Response::new(Full::new(Bytes::from(body))))
    });
    let server = hyper::server::conn::http1::Builder::new();
    drop(server.serve_connection(TokioIo::new(stream), service).await);
}

/// A server that stands for Nginx with an API behind it, and one that stands for the API alone.
async fn servers(folder: &Path, whole_ms: u64, api_ms: u64) -> (SocketAddr, PathBuf) {
    let tcp = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = tcp.local_addr().expect("an address");
    let path = folder.join("api.sock");
    let unix = UnixListener::bind(&path).expect("a socket");
    tokio::spawn(async move {
        while let Ok((stream, _)) = tcp.accept().await {
            tokio::spawn(serve(stream, whole_ms));
        }
    });
    tokio::spawn(async move {
        while let Ok((stream, _)) = unix.accept().await {
            tokio::spawn(serve(stream, api_ms));
        }
    });
    (address, path)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn each_way_is_gone_equally_often_and_takes_its_own_time() {
    let folder = tempfile::tempdir().expect("a folder");
    let (address, api) = servers(folder.path(), 12, 5).await;
    let paths = Paths { api, nginx: STATIC.into() };
    let times = time_paths(job(closed(1, 0), address), paths).await.expect("timed");
    assert_eq!(times.fault, None);
    assert!(times.rounds >= 20, "three seconds are many rounds: {times:?}");
    // The first round opens the connections and is in no sum.
    for sent in [times.nginx_sent, times.api_sent, times.whole_sent] {
        assert_eq!(sent, times.rounds + 1, "{times:?}");
    }
    let mean_ms = |ns: u64| ns as f64 / times.rounds as f64 / 1e6;
    assert!(mean_ms(times.nginx_ns) < 5.0, "{times:?}");
    assert!((5.0..12.0).contains(&mean_ms(times.api_ns)), "{times:?}");
    assert!(mean_ms(times.whole_ns) >= 12.0, "{times:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_wrong_answer_or_none_ends_it_and_says_where() {
    let folder = tempfile::tempdir().expect("a folder");
    let (address, api) = servers(folder.path(), 0, 0).await;
    let paths = Paths { api, nginx: STATIC.into() };
    let mut plan = closed(1, 0);
    plan.targets[0].check.rows = Some(2);
    let times = time_paths(job(plan, address), paths.clone()).await.expect("timed");
    let Some(PathFault::Wrong(text)) = &times.fault else { panic!("{times:?}") };
    assert!(text.contains("1 rows instead of 2"), "{text}");
    assert_eq!((times.rounds, times.nginx_sent, times.api_sent, times.whole_sent), (0, 1, 1, 0));

    let nobody = Paths { api: folder.path().join("nobody.sock"), ..paths };
    let times = time_paths(job(closed(1, 0), address), nobody).await.expect("timed");
    assert!(matches!(&times.fault, Some(PathFault::Unanswered(_))), "{times:?}");
}
