//! A client's connection whose bytes are counted.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::UnixStream;

use super::counters::Counters;

/// The connection.
pub(super) struct Counted {
    stream: UnixStream,
    counters: Arc<Counters>,
}

impl Counted {
    /// Counts what passes `stream`.
    pub(super) fn new(stream: UnixStream, counters: Arc<Counters>) -> Self {
        Self { stream, counters }
    }

    fn count_sent(&self, written: &Poll<io::Result<usize>>) {
        if let Poll::Ready(Ok(bytes)) = written {
            self.counters.sent(*bytes);
        }
    }
}

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        if read.is_ready() {
            self.counters.received(buf.filled().len() - before);
        }
        read
    }
}

impl AsyncWrite for Counted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.count_sent(&written);
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bytes);
        self.count_sent(&written);
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    #[tokio::test]
    async fn bytes_are_counted_in_both_directions() {
        let counters = Arc::new(Counters::default());
        let (near, mut far) = UnixStream::pair().expect("a pair of sockets");
        let mut near = Counted::new(near, Arc::clone(&counters));
        far.write_all(b"hello").await.expect("sent");
        let mut room = [0; 5];
        near.read_exact(&mut room).await.expect("received");
        near.write_all(b"ok").await.expect("sent");
        let pieces = [IoSlice::new(b"a"), IoSlice::new(b"bc")];
        assert_eq!(near.write_vectored(&pieces).await.expect("sent"), 3);
        let now = counters.read();
        assert_eq!((now.http_received_bytes, now.http_sent_bytes), (5, 5));
    }
}
