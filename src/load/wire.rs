//! One connection and one request on it: hyper without a pool, so that nothing waits but on the server.

use std::net::SocketAddr;

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt as _, Empty};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{HOST, HeaderValue};
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use tokio::task::AbortHandle;

use super::clock::Clock;
use super::fault::{CacheWord, Fault};

/// More body than this is not an answer but a mistake, and would be held in memory.
const LARGEST_BODY: usize = 64 << 20;

/// Where connections lead.
#[derive(Clone)]
pub(super) enum Door {
    /// The server.
    Tcp(SocketAddr),
    /// A scripted server inside a test.
    #[cfg(test)]
    Memory(std::rc::Rc<dyn Fn() -> std::io::Result<tokio::io::DuplexStream>>),
}

/// A place for one connection: open, or not yet, or no longer.
#[derive(Default)]
pub(super) struct Wire {
    link: Option<Link>,
}

struct Link {
    sender: SendRequest<Empty<Bytes>>,
    task: AbortHandle,
}

impl Drop for Link {
    /// Ends the connection even where an answer is still on its way: nobody will read it.
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A whole answer.
pub(super) struct Answer {
    pub(super) sent_ns: u64,
    pub(super) first_byte_ns: u64,
    pub(super) done_ns: u64,
    pub(super) status: u16,
    pub(super) cache: Option<CacheWord>,
    pub(super) body: Bytes,
}

impl Door {
    /// The `Host` header.
    pub(super) fn host(&self) -> HeaderValue {
        let name = match self {
            Self::Tcp(address) => address.to_string(),
            #[cfg(test)]
            Self::Memory(_) => "localhost".into(),
        };
        HeaderValue::from_str(&name).expect("an address is plain ASCII")
    }

    async fn open(&self) -> Result<Link, Fault> {
        match self {
            Self::Tcp(address) => {
                let stream = tokio::net::TcpStream::connect(address).await;
                let stream = stream.map_err(|e| Fault::of_connect(&e))?;
                stream.set_nodelay(true).map_err(|e| Fault::of_connect(&e))?;
                start(TokioIo::new(stream)).await
            }
            #[cfg(test)]
            Self::Memory(connect) => {
                start(TokioIo::new(connect().map_err(|e| Fault::of_connect(&e))?)).await
            }
        }
    }
}

async fn start<S>(stream: S) -> Result<Link, Fault>
where
    S: hyper::rt::Read + hyper::rt::Write + Unpin + 'static,
{
    let (sender, connection) = handshake(stream).await.map_err(|_| Fault::Connect)?;
    // Its error reaches the request that it concerns; between requests it only means "open a new one".
    let task = tokio::task::spawn_local(async move { drop(connection.await) });
    Ok(Link { sender, task: task.abort_handle() })
}

impl Wire {
    /// Opens the connection unless it is open.
    pub(super) async fn open(&mut self, door: &Door) -> Result<(), Fault> {
        if !self.is_open() {
            self.link = Some(door.open().await?);
        }
        Ok(())
    }

    /// Whether the connection was open when last seen.
    pub(super) fn is_open(&self) -> bool {
        self.link.as_ref().is_some_and(|link| !link.sender.is_closed())
    }

    /// Sends one request and reads its whole answer, on a new connection if the old one is gone (`reopened` counts
    /// them). Dropped before its end, or failed, it leaves the connection closed.
    pub(super) async fn exchange(
        &mut self,
        door: &Door,
        (method, uri, host): (&Method, &str, &HeaderValue),
        clock: &Clock,
        reopened: &mut u64,
    ) -> Result<Answer, Fault> {
        let request = Request::builder().method(method).uri(uri).header(HOST, host);
        let mut request = request.body(Empty::new()).map_err(|_| Fault::BadRequest)?;
        // A server may end an idle connection at any moment. A request that never went out on it is no failure: it
        // goes out on a new one, once, and the time that this takes counts.
        if let Some(mut link) = self.link.take() {
            if link.sender.ready().await.is_ok() {
                let sent_ns = clock.now();
                match link.sender.try_send_request(request).await {
                    Ok(response) => return self.read(link, response, sent_ns, clock).await,
                    Err(mut error) => match error.take_message() {
                        Some(unsent) => request = unsent,
                        None => return Err(Fault::of_head(error.error())),
                    },
                }
            }
            *reopened += 1;
        }
        let mut link = door.open().await?;
        link.sender.ready().await.map_err(|_| Fault::Reset)?;
        let sent_ns = clock.now();
        let response = link.sender.send_request(request).await;
        let response = response.map_err(|e| Fault::of_head(&e))?;
        self.read(link, response, sent_ns, clock).await
    }

    async fn read(
        &mut self,
        link: Link,
        response: Response<hyper::body::Incoming>,
        sent_ns: u64,
        clock: &Clock,
    ) -> Result<Answer, Fault> {
        let first_byte_ns = clock.now();
        let (head, mut body) = response.into_parts();
        let mut whole = BytesMut::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|_| Fault::BodyTruncated)?;
            if let Some(data) = frame.data_ref() {
                if whole.len() + data.len() > LARGEST_BODY {
                    return Err(Fault::BodyTooLarge);
                }
                whole.extend_from_slice(data);
            }
        }
        let done_ns = clock.now();
        if !link.sender.is_closed() {
            self.link = Some(link);
        }
        Ok(Answer {
            sent_ns,
            first_byte_ns,
            done_ns,
            status: head.status.as_u16(),
            cache: head.headers.get("x-cache").map(|value| CacheWord::read(value.as_bytes())),
            body: whole.freeze(),
        })
    }
}
