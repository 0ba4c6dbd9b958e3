//! One connection and one request on it: no pool, no queue, so that nothing waits but on the server.
//!
//! A request is one write of prepared bytes, an answer mostly one read; tokio's readiness tells whether there is
//! something to read, so a connection that is quiet costs no call of the kernel.

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

#[cfg(test)]
use tokio::io::DuplexStream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::{Instant, Sleep, sleep_until};

use super::answer::{Inbox, Look};
use super::check;
use super::clock::Clock;
use super::fault::Fault;
use super::lines::Lines;
use super::mould::Ask;
use crate::plan::{AnswerPlan, TargetPlan};

/// Where connections lead.
#[derive(Clone)]
pub(super) enum Door {
    /// The server.
    Tcp(SocketAddr),
    /// A server on this machine, past whoever stands before it.
    Unix(PathBuf),
    /// A scripted server inside a test.
    #[cfg(test)]
    Memory(std::rc::Rc<dyn Fn() -> io::Result<DuplexStream>>),
}

/// A place for one connection: open, or not yet, or no longer.
#[derive(Default)]
pub(super) struct Wire {
    link: Option<Link>,
    request: Vec<u8>,
    /// One for all requests: to put off a timer is cheap, a new one for each request is not.
    alarm: Option<Pin<Box<Sleep>>>,
    /// Holds the last answer.
    pub(super) inbox: Inbox,
    /// What was seen of the last answer, if it came in lines.
    pub(super) lines: Lines,
    /// What the last request moved over the connection, heads included.
    pub(super) moved: Moved,
}

/// Bytes in both directions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Moved {
    pub(super) sent_bytes: u64,
    pub(super) received_bytes: u64,
}

enum Link {
    Tcp(TcpStream),
    Unix(UnixStream),
    #[cfg(test)]
    Memory(DuplexStream),
}

/// When a whole answer came; what it says is in [`Wire::inbox`].
#[derive(Debug, Clone, Copy)]
#[expect(clippy::struct_field_names, reason = "the unit belongs to each name")]
pub(super) struct Times {
    pub(super) sent_ns: u64,
    pub(super) first_byte_ns: u64,
    pub(super) done_ns: u64,
}

impl Door {
    async fn open(&self) -> Result<Link, Fault> {
        match self {
            Self::Tcp(address) => {
                let stream = TcpStream::connect(address).await;
                let stream = stream.map_err(|e| Fault::of_connect(&e))?;
                stream.set_nodelay(true).map_err(|e| Fault::of_connect(&e))?;
                Ok(Link::Tcp(stream))
            }
            Self::Unix(path) => {
                let stream = UnixStream::connect(path).await;
                Ok(Link::Unix(stream.map_err(|e| Fault::of_connect(&e))?))
            }
            #[cfg(test)]
            Self::Memory(connect) => {
                Ok(Link::Memory(connect().map_err(|e| Fault::of_connect(&e))?))
            }
        }
    }
}

impl Link {
    fn poll_read(&mut self, cx: &mut Context<'_>, into: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut buf = ReadBuf::new(into);
        let read = match self {
            Self::Tcp(stream) => Pin::new(stream).poll_read(cx, &mut buf),
            Self::Unix(stream) => Pin::new(stream).poll_read(cx, &mut buf),
            #[cfg(test)]
            Self::Memory(stream) => Pin::new(stream).poll_read(cx, &mut buf),
        };
        read.map_ok(|()| buf.filled().len())
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self {
            Self::Tcp(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Unix(stream) => Pin::new(stream).poll_write(cx, bytes),
            #[cfg(test)]
            Self::Memory(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    /// The same for two pieces in one call of the kernel.
    fn poll_write_both(
        &mut self,
        cx: &mut Context<'_>,
        pieces: [&[u8]; 2],
    ) -> Poll<io::Result<usize>> {
        let pieces = pieces.map(IoSlice::new);
        match self {
            Self::Tcp(stream) => Pin::new(stream).poll_write_vectored(cx, &pieces),
            Self::Unix(stream) => Pin::new(stream).poll_write_vectored(cx, &pieces),
            #[cfg(test)]
            Self::Memory(stream) => Pin::new(stream).poll_write_vectored(cx, &pieces),
        }
    }

    /// Whether the server has neither ended the connection nor said anything unasked, as far as the kernel has told.
    async fn is_quiet(&mut self) -> bool {
        poll_fn(|cx| Poll::Ready(self.poll_read(cx, &mut [0]).is_pending())).await
    }

    /// Writes a whole request; fails with the number of bytes that did go out.
    async fn write(&mut self, head: &[u8], body: &[u8]) -> Result<(), usize> {
        let mut written = 0;
        while written < head.len() + body.len() {
            let of_head = &head[written.min(head.len())..];
            let of_body = &body[written.saturating_sub(head.len())..];
            let wrote = if of_body.is_empty() {
                poll_fn(|cx| self.poll_write(cx, of_head)).await
            } else {
                poll_fn(|cx| self.poll_write_both(cx, [of_head, of_body])).await
            };
            match wrote {
                Ok(count) if count > 0 => written += count,
                _ => return Err(written),
            }
        }
        Ok(())
    }
}

impl Wire {
    /// Opens the connection unless it is open.
    pub(super) async fn open(&mut self, door: &Door) -> Result<(), Fault> {
        if self.link.is_none() {
            self.link = Some(door.open().await?);
        }
        Ok(())
    }

    /// What is wrong with the last answer, which came whole and with the right status; none if nothing is.
    pub(super) fn wrong(&self, target: &TargetPlan, params: &[(String, String)]) -> Option<String> {
        match target.answer {
            AnswerPlan::Lines => self.lines.end(target, &self.inbox.kept),
            AnswerPlan::Rows | AnswerPlan::Row => check::wrong(target, params, &self.inbox.kept),
        }
    }

    /// The same as [`Self::exchange`], given up at the deadline.
    pub(super) async fn exchange_until(
        &mut self,
        deadline: Instant,
        door: &Door,
        ask: Ask<'_>,
        clock: &Clock,
        reopened: &mut u64,
    ) -> Result<Times, Fault> {
        let mut alarm = self.alarm.take().unwrap_or_else(|| Box::pin(sleep_until(deadline)));
        alarm.as_mut().reset(deadline);
        let answer = {
            let mut exchange = pin!(self.exchange(door, ask, clock, reopened));
            let either = poll_fn(|cx| match exchange.as_mut().poll(cx) {
                Poll::Ready(answer) => Poll::Ready(answer),
                Poll::Pending => alarm.as_mut().poll(cx).map(|()| Err(Fault::Timeout)),
            });
            either.await
        };
        self.alarm = Some(alarm);
        answer
    }

    /// Sends one request and reads its whole answer, on a new connection if the old one is gone (`reopened` counts
    /// them). Dropped before its end, or failed, it leaves the connection closed.
    async fn exchange(
        &mut self,
        door: &Door,
        ask: Ask<'_>,
        clock: &Clock,
        reopened: &mut u64,
    ) -> Result<Times, Fault> {
        self.moved = Moved::default();
        ask.cast(&mut self.request)?;
        self.inbox.begin(ask.mould.is_head, ask.mould.body);
        self.lines.begin();
        // A server may end an idle connection at any moment. A request that never went out on it is no failure: it
        // goes out on a new one, once, and the time that this takes counts.
        if let Some(mut link) = self.link.take() {
            if link.is_quiet().await {
                let sent_ns = clock.now();
                match link.write(&self.request, ask.content()).await {
                    Ok(()) => return self.read(link, ask, sent_ns, clock).await,
                    Err(0) => {}
                    Err(_) => return Err(Fault::Reset),
                }
            }
            *reopened += 1;
        }
        let mut link = door.open().await?;
        let sent_ns = clock.now();
        link.write(&self.request, ask.content()).await.map_err(|_| Fault::Reset)?;
        self.read(link, ask, sent_ns, clock).await
    }

    async fn read(
        &mut self,
        mut link: Link,
        ask: Ask<'_>,
        sent_ns: u64,
        clock: &Clock,
    ) -> Result<Times, Fault> {
        let inbox = &mut self.inbox;
        self.moved.sent_bytes = (self.request.len() + ask.content().len()) as u64;
        let mut first_byte_ns = None;
        loop {
            let room = inbox.room()?;
            let read = poll_fn(|cx| link.poll_read(cx, room)).await;
            let now = clock.now();
            let count = match read {
                Ok(0) => {
                    inbox.ended()?;
                    let first_byte_ns = first_byte_ns.unwrap_or(now);
                    return Ok(Times { sent_ns, first_byte_ns, done_ns: now });
                }
                Ok(count) => count,
                Err(_) => return Err(inbox.broken()),
            };
            let first_byte_ns = *first_byte_ns.get_or_insert(now);
            inbox.arrived(count);
            self.moved.received_bytes += count as u64;
            let look = inbox.look()?;
            if let Some((target, params)) = ask.lines
                && inbox.status == target.check.status
            {
                self.lines.take(target, params, &mut inbox.kept);
            }
            if look == Look::Whole {
                if inbox.stays_open {
                    self.link = Some(link);
                }
                return Ok(Times { sent_ns, first_byte_ns, done_ns: now });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, duplex};

    use super::*;

    #[tokio::test]
    async fn head_and_body_go_out_whole_however_little_is_taken_at_once() {
        for room in [1, 3, 7, 64] {
            let (near, mut far) = duplex(room);
            let reading = tokio::spawn(async move {
                let mut seen = String::new();
                far.read_to_string(&mut seen).await.expect("text");
                seen
            });
            let mut link = Link::Memory(near);
            assert_eq!(link.write(b"a head; ", b"and its body").await, Ok(()));
            assert_eq!(link.write(b"no body", b"").await, Ok(()));
            drop(link);
            assert_eq!(reading.await.expect("read"), "a head; and its bodyno body", "{room}");
        }
    }
}
