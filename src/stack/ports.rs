//! A free TCP port below the range that the kernel gives to clients, so that no client of the load can take it first.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use super::error::StackError;
use super::scratch::random_hex;

/// First port.
const FIRST: u16 = 20_000;
/// Number of ports.
const COUNT: u16 = 10_000;
/// Ports that are tried.
const TRIES: u16 = 200;

/// A port on 127.0.0.1 that was free a moment ago. Somebody may still take it before the server does: the caller tries
/// another one then.
pub(super) fn free_port() -> Result<u16, StackError> {
    let start = u16::from_str_radix(&random_hex(2)?, 16).unwrap_or(0) % COUNT;
    (0..TRIES)
        .map(|n| FIRST + (start + n * 47) % COUNT)
        .find(|port| TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, *port))).is_ok())
        .ok_or_else(|| {
            let last = FIRST + COUNT - 1;
            StackError::Environment(format!("no free port on 127.0.0.1 from {FIRST} to {last}"))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_not_given_out() {
        for _ in 0..20 {
            let port = free_port().expect("there are free ones");
            assert!((FIRST..FIRST + COUNT).contains(&port));
            let _taken = TcpListener::bind(("127.0.0.1", port)).expect("free");
            assert_ne!(free_port().expect("there are free ones"), port);
        }
    }
}
