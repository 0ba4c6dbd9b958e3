//! One HTTP request and its status: enough to know that a server answers.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

/// For one attempt.
const ATTEMPT: Duration = Duration::from_secs(2);
/// Most that is read of an answer.
const MOST: u64 = 64 * 1024;

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    /// Status.
    pub status: u16,
    /// Head and body, as text.
    pub text: String,
}

/// Asks over a unix socket.
pub(super) async fn get_unix(socket: &Path, path: &str) -> io::Result<Answer> {
    within(async { ask(UnixStream::connect(socket).await?, path).await }).await
}

/// Asks over TCP.
pub(super) async fn get_tcp(address: SocketAddr, path: &str) -> io::Result<Answer> {
    within(async { ask(TcpStream::connect(address).await?, path).await }).await
}

async fn within(work: impl Future<Output = io::Result<Answer>>) -> io::Result<Answer> {
    timeout(ATTEMPT, work).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

async fn ask(stream: impl AsyncRead + AsyncWrite + Unpin, path: &str) -> io::Result<Answer> {
    let mut stream = stream;
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut bytes = Vec::new();
    stream.take(MOST).read_to_end(&mut bytes).await?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let status = text
        .strip_prefix("HTTP/1.")
        .and_then(|t| t.split(' ').nth(1)?.parse().ok())
        .ok_or_else(|| io::Error::other("no HTTP answer"))?;
    Ok(Answer { status, text })
}
