//! The listening socket, its connections, and their end.

use std::future::Future;
use std::io::ErrorKind;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use super::counted::{Counted, Phase};
use super::laps::Arrived;
use super::{routes, start};
use crate::plan::ApiLaunch;

/// Requests under way at the end get this long.
const FINISH_WITHIN: Duration = Duration::from_secs(2);

/// More connections wait in the socket's own queue.
const MOST_CONNECTIONS: usize = 8192;

/// What hyper reads of a request's head before it gives up; the exact limit is the handler's.
const LARGEST_HEAD: usize = 64 * 1024;

/// After an error of `accept` (no file descriptor left), before the next try.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves until `shutdown` comes true: then nothing new is accepted, requests under way get two seconds, and the database
/// connections are closed. The socket exists only once every endpoint's statement has been prepared.
///
/// # Errors
///
/// If a server cannot be reached, an endpoint cannot work (its name is in the message), or the socket cannot be bound.
pub async fn serve(
    launch: ApiLaunch,
    shutdown: impl Future<Output = ()> + Send,
) -> anyhow::Result<()> {
    let (app, endpoints) = start::prepare(&launch).await?;
    let router = routes::router(&app, &endpoints)?;
    let listener = bind(&launch.listen).await?;
    let (stop, stopping) = watch::channel(());
    let mut attended = JoinSet::new();
    let mut shutdown = pin!(shutdown);
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            Some(_) = attended.join_next() => {}
            accepted = listener.accept(), if attended.len() < MOST_CONNECTIONS => match accepted {
                Ok((stream, _)) => {
                    let phase = Arc::<Phase>::default();
                    let counters = Arc::clone(&app.counters);
                    let stream = Counted::new(stream, counters, Arc::clone(&phase));
                    attended.spawn(attend(stream, phase, router.clone(), stopping.clone()));
                }
                Err(error) => {
                    tracing::warn!(%error, "accepting a connection");
                    sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
    drop((listener, stop));
    let finished = async { while attended.join_next().await.is_some() {} };
    if timeout(FINISH_WITHIN, finished).await.is_err() {
        tracing::warn!(requests = attended.len(), "stopped in the middle of requests");
        attended.shutdown().await;
    }
    app.connections.close().await;
    if let Some(log) = &app.log {
        log.stop().await;
    }
    match tokio::fs::remove_file(&launch.listen).await {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("removing {}", launch.listen.display()))
        }
        _ => Ok(()),
    }
}

/// Binds the socket; one that a killed predecessor left behind, where nobody listens, is replaced.
async fn bind(path: &Path) -> anyhow::Result<UnixListener> {
    let refused = |error: std::io::Error| error.kind() == ErrorKind::ConnectionRefused;
    if UnixStream::connect(path).await.is_err_and(refused) {
        tokio::fs::remove_file(path)
            .await
            .with_context(|| format!("removing the old socket {}", path.display()))?;
    }
    UnixListener::bind(path).with_context(|| format!("listening on {}", path.display()))
}

/// One client, request after request, until it goes or we stop. Idle clients are the proxy's kept-alive connections, and
/// it is the proxy that ends them: an end from our side would race with its next request.
async fn attend(
    stream: Counted,
    phase: Arc<Phase>,
    router: Router,
    mut stopping: watch::Receiver<()>,
) {
    let router = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: Request<Incoming>| {
        phase.request();
        request.extensions_mut().insert(Arrived(Instant::now()));
        let answer = router.call(request);
        let phase = Arc::clone(&phase);
        async move {
            let answer = answer.await;
            phase.answered();
            answer
        }
    });
    let mut connection = pin!(
        http1::Builder::new()
            .max_buf_size(LARGEST_HEAD)
            .serve_connection(TokioIo::new(stream), service)
    );
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        _ = stopping.changed() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a client's connection broke");
    }
}
