//! The latency oracle: an HTTP/1.1 server that answers each request a known time after it has arrived.
//!
//! One thread looks at the sockets and at the clock without ever sleeping: a sleeper is woken some 50 to 1000 µs late on a
//! virtual machine, and that would be the oracle's error and not the instrument's. So it needs a processor of its own. It
//! runs as a process of its own, so that it can be stopped, and ends with its stdin.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, bail};
use rustix::event::epoll;
use rustix::net::{AddressFamily, SocketType};
use rustix::time::{ClockId, Timespec, clock_gettime};

use crate::laws::{Draws, Law};

/// Connections that may wait to be accepted: more than any check opens at once.
const BACKLOG: i32 = 4096;
/// Arrivals that are remembered.
const MOST_NOTED: usize = 1_000_000;
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n";
/// The listening socket among those that are looked at; others have their place in the list of connections.
const LISTENER: u64 = u64::MAX;

/// What the oracle was told to do.
struct Orders {
    law: Law,
    seed: u64,
    /// Milliseconds after the first request, and for how many.
    stall: Option<(u64, u64)>,
}

impl Orders {
    fn read(words: &[String]) -> anyhow::Result<Self> {
        let mut orders = Self { law: Law::Constant(0.0), seed: 1, stall: None };
        for word in words {
            let (key, value) = word.split_once('=').with_context(|| format!("no order: {word}"))?;
            match key {
                "law" => orders.law = value.parse()?,
                "seed" => orders.seed = value.parse()?,
                "stall" => {
                    let (after, length) = value.split_once(':').context("AFTER:LENGTH")?;
                    orders.stall = Some((after.parse()?, length.parse()?));
                }
                _ => bail!("no order: {word}"),
            }
        }
        Ok(orders)
    }
}

/// A connection, and as much of a request's head as has come.
struct Connection {
    stream: TcpStream,
    head: Vec<u8>,
}

/// What it does and has seen.
struct Oracle {
    orders: Orders,
    draws: Draws,
    first_ns: Option<u64>,
    count: u64,
    arrived_ns: Vec<u64>,
    connections: Vec<Option<Connection>>,
    /// When the answers are due, the earliest first, and to which connection.
    due: BinaryHeap<Reverse<(u64, usize)>>,
}

/// Serves until stdin ends; then tells what it has seen.
pub(crate) fn serve(words: &[String]) -> anyhow::Result<()> {
    let orders = Orders::read(words)?;
    let socket = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None)?;
    rustix::net::bind(&socket, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0))?;
    rustix::net::listen(&socket, BACKLOG)?;
    let listener = TcpListener::from(socket);
    listener.set_nonblocking(true)?;
    println!("port {}", listener.local_addr()?.port());
    let is_over = Arc::new(AtomicBool::new(false));
    let ends = Arc::clone(&is_over);
    std::thread::spawn(move || {
        std::io::stdin().read_to_end(&mut Vec::new()).ok();
        ends.store(true, Ordering::Relaxed);
    });
    let mut oracle = Oracle {
        draws: Draws::new(orders.seed),
        orders,
        first_ns: None,
        count: 0,
        arrived_ns: Vec::with_capacity(MOST_NOTED),
        connections: Vec::new(),
        due: BinaryHeap::new(),
    };
    oracle.attend(&listener, &is_over)?;
    let mut told = format!("count {}\n", oracle.count);
    for ns in &oracle.arrived_ns {
        told.push_str(&ns.to_string());
        told.push('\n');
    }
    std::io::stdout().write_all(told.as_bytes())?;
    Ok(())
}

impl Oracle {
    /// Looks at sockets and clock in turn until it is told to end.
    fn attend(&mut self, listener: &TcpListener, is_over: &AtomicBool) -> anyhow::Result<()> {
        let sockets = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let listens = epoll::EventData::new_u64(LISTENER);
        epoll::add(&sockets, listener, listens, epoll::EventFlags::IN)?;
        let mut ready = Vec::with_capacity(256);
        let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
        while !is_over.load(Ordering::Relaxed) {
            epoll::wait(&sockets, rustix::buffer::spare_capacity(&mut ready), Some(&at_once))?;
            for event in ready.drain(..) {
                match event.data.u64() {
                    LISTENER => {
                        let Ok((stream, _)) = listener.accept() else { continue };
                        stream.set_nonblocking(true)?;
                        stream.set_nodelay(true)?;
                        let place = u64::try_from(self.connections.len())?;
                        let data = epoll::EventData::new_u64(place);
                        epoll::add(&sockets, &stream, data, epoll::EventFlags::IN)?;
                        self.connections.push(Some(Connection { stream, head: Vec::new() }));
                    }
                    place => self.read(usize::try_from(place)?),
                }
            }
            self.answer();
        }
        Ok(())
    }

    /// Reads what has come; a whole head is a request.
    fn read(&mut self, place: usize) {
        let Some(connection) = &mut self.connections[place] else { return };
        let mut bytes = [0; 4096];
        match connection.stream.read(&mut bytes) {
            Ok(count @ 1..) => {
                connection.head.extend_from_slice(&bytes[..count]);
                if connection.head.ends_with(b"\r\n\r\n") {
                    connection.head.clear();
                    let at_ns = self.answers_at(now_ns());
                    self.due.push(Reverse((at_ns, place)));
                }
            }
            Err(e) if e.kind() == ErrorKind::WouldBlock => {}
            // Dropping the socket takes it out of the kernel's list too.
            Ok(_) | Err(_) => self.connections[place] = None,
        }
    }

    /// Sends the answers that are due.
    fn answer(&mut self) {
        while let Some(Reverse((at_ns, place))) = self.due.peek().copied() {
            if now_ns() < at_ns {
                return;
            }
            self.due.pop();
            if let Some(connection) = &mut self.connections[place]
                && connection.stream.write_all(ANSWER).is_err()
            {
                self.connections[place] = None;
            }
        }
    }

    /// When a request that has arrived then is answered.
    fn answers_at(&mut self, arrived_ns: u64) -> u64 {
        self.count += 1;
        if self.arrived_ns.len() < MOST_NOTED {
            self.arrived_ns.push(arrived_ns);
        }
        let first_ns = *self.first_ns.get_or_insert(arrived_ns);
        if let Some((after, length)) = self.orders.stall {
            let stalls_ns = first_ns + after * 1_000_000;
            let ends_ns = stalls_ns + length * 1_000_000;
            if (stalls_ns..ends_ns).contains(&arrived_ns) {
                return ends_ns;
            }
        }
        let share = self.draws.share();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "not negative, and the cast saturates"
        )]
        let latency_ns = (self.orders.law.at(share) * 1e6) as u64;
        arrived_ns + latency_ns
    }
}

fn now_ns() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec.unsigned_abs() * 1_000_000_000 + now.tv_nsec.unsigned_abs()
}
