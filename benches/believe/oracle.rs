//! The latency oracle: an HTTP/1.1 server that answers each request a known time after it has arrived.
//!
//! Each connection has a thread, which sleeps until an absolute time of the monotonic clock: nothing queues, however
//! many requests are under way. It runs as a process of its own, so that it can be stopped, and ends with its stdin.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener, TcpStream};
use std::num::NonZeroU64;
use std::sync::{Arc, Mutex};

use anyhow::{Context as _, bail};
use rustix::net::{AddressFamily, SocketType};
use rustix::thread::clock_nanosleep_absolute;
use rustix::time::{ClockId, Timespec, clock_gettime};

use crate::laws::{Draws, Law};

/// Connections that may wait to be accepted: more than any check opens at once.
const BACKLOG: i32 = 4096;
/// Deep enough for one request and one answer.
const STACK: usize = 64 << 10;
/// Arrivals that are remembered.
const MOST_NOTED: usize = 1_000_000;
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n";

/// What the oracle was told to do.
struct Orders {
    law: Law,
    seed: u64,
    /// Milliseconds after the first request, and for how many.
    stall: Option<(u64, u64)>,
}

/// What it has seen.
struct State {
    draws: Draws,
    first_ns: Option<u64>,
    count: u64,
    arrived_ns: Vec<u64>,
}

struct Oracle {
    orders: Orders,
    state: Mutex<State>,
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

/// Serves until stdin ends; then tells what it has seen.
pub(crate) fn serve(words: &[String]) -> anyhow::Result<()> {
    let orders = Orders::read(words)?;
    // The kernel may wake a sleeper 50 µs late to save power; threads inherit this.
    rustix::thread::set_current_timer_slack(NonZeroU64::new(1)).context("the timer's slack")?;
    let socket = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None)?;
    rustix::net::bind(&socket, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0))?;
    rustix::net::listen(&socket, BACKLOG)?;
    let listener = TcpListener::from(socket);
    println!("port {}", listener.local_addr()?.port());
    let draws = Draws::new(orders.seed);
    let state = State { draws, first_ns: None, count: 0, arrived_ns: Vec::new() };
    let oracle = Arc::new(Oracle { orders, state: Mutex::new(state) });
    let accepting = Arc::clone(&oracle);
    std::thread::spawn(move || accept(&listener, &accepting));
    std::io::stdin().read_to_end(&mut Vec::new())?;
    let state = oracle.state.lock().expect("no thread has panicked");
    let mut told = format!("count {}\n", state.count);
    for ns in &state.arrived_ns {
        told.push_str(&ns.to_string());
        told.push('\n');
    }
    std::io::stdout().write_all(told.as_bytes())?;
    Ok(())
}

fn accept(listener: &TcpListener, oracle: &Arc<Oracle>) {
    for stream in listener.incoming().map_while(Result::ok) {
        let oracle = Arc::clone(oracle);
        let thread = std::thread::Builder::new().stack_size(STACK);
        // A connection without a thread is closed, and the client will say so.
        drop(thread.spawn(move || oracle.answer(stream)));
    }
}

impl Oracle {
    /// Answers one connection's requests until it ends.
    fn answer(&self, mut stream: TcpStream) {
        if stream.set_nodelay(true).is_err() {
            return;
        }
        let mut head = [0; 4096];
        let mut length = 0;
        while let Ok(count @ 1..) = stream.read(&mut head[length..]) {
            let arrived_ns = now_ns();
            length += count;
            if head[..length].ends_with(b"\r\n\r\n") {
                length = 0;
                sleep_until(self.answers_at(arrived_ns));
                if stream.write_all(ANSWER).is_err() {
                    return;
                }
            }
        }
    }

    /// When a request that has arrived then is answered.
    fn answers_at(&self, arrived_ns: u64) -> u64 {
        let mut state = self.state.lock().expect("no thread has panicked");
        state.count += 1;
        if state.arrived_ns.len() < MOST_NOTED {
            state.arrived_ns.push(arrived_ns);
        }
        let first_ns = *state.first_ns.get_or_insert(arrived_ns);
        if let Some((after, length)) = self.orders.stall {
            let stalls_ns = first_ns + after * 1_000_000;
            let ends_ns = stalls_ns + length * 1_000_000;
            if (stalls_ns..ends_ns).contains(&arrived_ns) {
                return ends_ns;
            }
        }
        let share = state.draws.share();
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

fn sleep_until(at_ns: u64) {
    let at = Timespec {
        tv_sec: i64::try_from(at_ns / 1_000_000_000).unwrap_or(i64::MAX),
        tv_nsec: (at_ns % 1_000_000_000).cast_signed(),
    };
    // A signal may wake it early.
    while now_ns() < at_ns {
        clock_nanosleep_absolute(ClockId::Monotonic, &at).ok();
    }
}
