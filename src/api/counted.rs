//! A client's connection whose bytes are counted, and whose requests' heads have a deadline.
//!
//! hyper's own deadline also runs while a connection lies idle, where it is the proxy that ends it; and it sets a timer for
//! every request. This one begins with a head's first byte, and only where the head does not come in one piece.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::UnixStream;
use tokio::time::{Sleep, sleep};

use super::counters::Counters;

/// From a head's first byte to its last.
const HEAD_WITHIN: Duration = Duration::from_secs(10);

/// What a connection is about.
#[derive(Debug, Default)]
pub(super) struct Phase(AtomicU8);

const IDLE: u8 = 0;
const HEAD: u8 = 1;
const REQUEST: u8 = 2;

impl Phase {
    /// A head is there: what is read from now on belongs to the request.
    pub(super) fn request(&self) {
        self.0.store(REQUEST, Ordering::Relaxed);
    }

    /// The answer is made: what is read from now on is the next head.
    pub(super) fn answered(&self) {
        self.0.store(IDLE, Ordering::Relaxed);
    }

    fn is(&self, phase: u8) -> bool {
        self.0.load(Ordering::Relaxed) == phase
    }
}

/// The connection.
pub(super) struct Counted {
    stream: UnixStream,
    counters: Arc<Counters>,
    phase: Arc<Phase>,
    deadline: Option<Pin<Box<Sleep>>>,
}

impl Counted {
    /// Counts what passes `stream`; whoever reads heads tells the phase.
    pub(super) fn new(stream: UnixStream, counters: Arc<Counters>, phase: Arc<Phase>) -> Self {
        Self { stream, counters, phase, deadline: None }
    }

    /// Whether the rest of a head has been waited for long enough.
    fn is_late(&mut self, cx: &mut Context<'_>) -> bool {
        if !self.phase.is(HEAD) {
            self.deadline = None;
            return false;
        }
        let deadline = self.deadline.get_or_insert_with(|| Box::pin(sleep(HEAD_WITHIN)));
        deadline.as_mut().poll(cx).is_ready()
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
        if read.is_pending() {
            if self.is_late(cx) {
                let late = "the head of a request did not arrive in time";
                return Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, late)));
            }
            return read;
        }
        let received = buf.filled().len() - before;
        self.counters.received(received);
        if received > 0 && self.phase.is(IDLE) {
            self.phase.0.store(HEAD, Ordering::Relaxed);
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
        let mut near = Counted::new(near, Arc::clone(&counters), Arc::default());
        far.write_all(b"hello").await.expect("sent");
        let mut room = [0; 5];
        near.read_exact(&mut room).await.expect("received");
        near.write_all(b"ok").await.expect("sent");
        let pieces = [IoSlice::new(b"a"), IoSlice::new(b"bc")];
        assert_eq!(near.write_vectored(&pieces).await.expect("sent"), 3);
        let now = counters.read();
        assert_eq!((now.http_received_bytes, now.http_sent_bytes), (5, 5));
    }

    #[tokio::test(start_paused = true)]
    async fn half_a_head_is_waited_for_and_not_for_ever_and_an_idle_client_may_stay() {
        let phase = Arc::<Phase>::default();
        let (near, mut far) = UnixStream::pair().expect("a pair of sockets");
        let mut near = Counted::new(near, Arc::default(), Arc::clone(&phase));
        let mut room = [0; 8];
        let waited = tokio::time::timeout(HEAD_WITHIN * 9, near.read(&mut room)).await;
        assert!(waited.is_err(), "nothing of a head is there, so nothing is late");
        far.write_all(b"GET").await.expect("sent");
        assert_eq!(near.read(&mut room).await.expect("received"), 3);
        let late = tokio::time::timeout(HEAD_WITHIN * 2, near.read(&mut room)).await;
        assert_eq!(late.expect("ended").expect_err("late").kind(), io::ErrorKind::TimedOut);
        phase.request();
        let waited = tokio::time::timeout(HEAD_WITHIN * 9, near.read(&mut room)).await;
        assert!(waited.is_err(), "a request takes as long as it takes");
    }
}
