//! The URL of somebody else's Postgres, read as an address. No message repeats a part of it, because any may be the password.

use std::net::IpAddr;

use super::{PostgresAddress, Whose};

/// Where Postgres listens unless it is told otherwise.
const PORT: u16 = 5432;
/// Longer is no URL that anybody has.
const LONGEST: usize = 4096;
const SHAPE: &str = "it is not like `postgres://user:password@host:5432/database`";
const SEVERAL: &str = "it names several hosts, and one is to be measured";
const UNKNOWN: &str =
    "it has a parameter other than `host`, `port`, `user`, `password`, `dbname` and `sslmode`";
const CLEAR: &str = "connections are not encrypted here: go through a tunnel on this machine, or say that it may go in the clear with `sslmode=disable` in the URL";

/// The parts of a URL, as far as they are known.
#[derive(Default)]
struct Parts {
    host: Option<String>,
    port: Option<u16>,
    user: Option<String>,
    password: Option<String>,
    database: Option<String>,
    may_be_clear: bool,
}

impl PostgresAddress {
    /// Reads `postgres://user:password@host:5432/database`. All of it is in there: nothing is taken from the environment or
    /// from password files.
    ///
    /// # Errors
    ///
    /// What is wrong, as a fragment that repeats nothing of it.
    pub fn of_others(url: &str) -> Result<Self, String> {
        let parts = parts(url)?;
        let host = parts.host.filter(|host| !host.is_empty()).ok_or("it names no host")?;
        let database = parts.database.filter(|d| !d.is_empty()).ok_or("it names no database")?;
        let user = parts.user.filter(|user| !user.is_empty()).ok_or("it names no user")?;
        let is_socket = host.starts_with('/');
        let is_here = is_socket
            || host == "localhost"
            || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
        if !is_here && !parts.may_be_clear {
            return Err(CLEAR.into());
        }
        let (socket_dir, host) = if is_socket { (host, None) } else { ("/".into(), Some(host)) };
        Ok(Self {
            socket_dir: socket_dir.into(),
            port: parts.port.unwrap_or(PORT),
            user,
            password: parts.password.unwrap_or_default(),
            database,
            whose: Whose::Others { host },
        })
    }
}

fn parts(url: &str) -> Result<Parts, String> {
    let rest = ["postgres://", "postgresql://"].iter().find_map(|scheme| url.strip_prefix(scheme));
    let rest = rest.filter(|_| url.len() <= LONGEST && !url.contains('#')).ok_or(SHAPE)?;
    let (before, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, database) = before.split_once('/').unwrap_or((before, ""));
    let mut parts = Parts { database: Some(decoded(database)?), ..Parts::default() };
    let host = match authority.rsplit_once('@') {
        None => authority,
        Some((who, host)) => {
            let (user, password) = match who.split_once(':') {
                None => (who, None),
                Some((user, password)) => (user, Some(password)),
            };
            parts.user = Some(decoded(user)?);
            parts.password = password.map(decoded).transpose()?;
            host
        }
    };
    if host.contains(',') {
        return Err(SEVERAL.into());
    }
    let (host, number) = host_and_port(host)?;
    parts.host = Some(decoded(host)?);
    parts.port = number.map(port).transpose()?;
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').ok_or(UNKNOWN)?;
        parameter(&mut parts, key, decoded(value)?)?;
    }
    Ok(parts)
}

/// `host:5432` or `[::1]:5432`.
fn host_and_port(text: &str) -> Result<(&str, Option<&str>), String> {
    if let Some(rest) = text.strip_prefix('[') {
        let (host, after) = rest.split_once(']').ok_or(SHAPE)?;
        return match after.strip_prefix(':') {
            Some(port) => Ok((host, Some(port))),
            None if after.is_empty() => Ok((host, None)),
            None => Err(SHAPE.into()),
        };
    }
    Ok(match text.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (text, None),
    })
}

fn port(text: &str) -> Result<u16, String> {
    text.parse().ok().filter(|port| *port > 0).ok_or_else(|| "its port is none".into())
}

fn parameter(parts: &mut Parts, key: &str, value: String) -> Result<(), String> {
    match key {
        "host" if value.contains(',') => return Err(SEVERAL.into()),
        "host" => parts.host = Some(value),
        "port" => parts.port = Some(port(&value)?),
        "user" => parts.user = Some(value),
        "password" => parts.password = Some(value),
        "dbname" => parts.database = Some(value),
        "sslmode" => match value.as_str() {
            "disable" => parts.may_be_clear = true,
            "allow" | "prefer" => {}
            _ => return Err(CLEAR.into()),
        },
        _ => return Err(UNKNOWN.into()),
    }
    Ok(())
}

/// A part of a URL without its percent signs.
fn decoded(text: &str) -> Result<String, String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let (digits, after) = rest.split_at_checked(2).ok_or(SHAPE)?;
        let digits = std::str::from_utf8(digits).map_err(|_| SHAPE)?;
        // A sign would be taken for a part of the number.
        let is_hex = digits.bytes().all(|b| b.is_ascii_hexdigit());
        let byte = u8::from_str_radix(digits, 16).ok().filter(|_| is_hex).ok_or(SHAPE)?;
        bytes.push(byte);
        rest = after;
    }
    let text = String::from_utf8(bytes).map_err(|_| SHAPE)?;
    if text.contains('\0') { Err(SHAPE.into()) } else { Ok(text) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(url: &str) -> PostgresAddress {
        PostgresAddress::of_others(url).expect(url)
    }

    #[test]
    fn every_part_is_read_and_nothing_else_is_asked() {
        let address = read("postgres://me:p%40ss@127.0.0.1:6000/shop");
        assert_eq!((address.user.as_str(), address.password.as_str()), ("me", "p@ss"));
        assert_eq!((address.host().as_str(), address.port), ("127.0.0.1", 6000));
        assert_eq!(address.database, "shop");
        assert_eq!(read("postgresql://me@[::1]/d").host(), "::1");
        let far = read("postgres://me@db.example/d?sslmode=disable");
        assert_eq!(
            (far.host().as_str(), far.port, far.password.as_str()),
            ("db.example", 5432, "")
        );
        let socket = read("postgres:///d?host=/tmp/a%20b&user=me&port=5433");
        assert_eq!((socket.host().as_str(), socket.port), ("/tmp/a b", 5433));
        for address in [address, far, socket] {
            assert!(address.limits().contains(&("default_transaction_read_only", "on")));
            assert!(!format!("{address:?}").contains("p@ss"));
        }
    }

    #[test]
    fn what_is_refused_is_not_repeated() {
        for (url, why) in [
            ("hunter2", "is not like"),
            ("http://me:hunter2@localhost/d", "is not like"),
            ("postgres://me:hunter2@localhost", "no database"),
            ("postgres://:hunter2@localhost/d", "no user"),
            ("postgres://me:hunter2@/d", "no host"),
            ("postgres://me:hunter2@localhost:x/d", "port"),
            ("postgres://me:hunter2@localhost:0/d", "port"),
            ("postgres://me:hunter2%@localhost/d", "is not like"),
            ("postgres://me:hunter2%+1@localhost/d", "is not like"),
            ("postgres://me:hunter2@a,b/d", "several hosts"),
            ("postgres://me@localhost/d?hunter2=x", "a parameter other than"),
            ("postgres://me@localhost/d?options=-chunter2", "a parameter other than"),
            ("postgres://me:hunter2@10.0.0.5/d", "not encrypted"),
            ("postgres://me:hunter2@localhost/d?sslmode=require", "not encrypted"),
            ("postgres://me:hunter2@localhost/d%00", "is not like"),
        ] {
            let error = PostgresAddress::of_others(url).expect_err(url);
            assert!(error.contains(why) && !error.contains("hunter2"), "{url}: {error}");
        }
    }

    proptest! {
        #[test]
        fn whatever_a_variable_holds_nothing_panics(url in "(postgres://)?[ -~é%@:/?&=\\[\\]]{0,40}") {
            drop(PostgresAddress::of_others(&url));
        }

        #[test]
        fn a_password_of_any_letters_comes_back(password in "[^\\x00]{1,20}") {
            let coded = password.bytes().fold(String::new(), |text, b| text + &format!("%{b:02x}"));
            let address = read(&format!("postgres://me:{coded}@localhost/d"));
            prop_assert_eq!(address.password, password);
        }
    }
}
