//! What an API process is started with, and what it counts. Never part of the plan or of the results.

use serde::{Deserialize, Serialize};

use super::ApiPlan;

/// What an API process is started with (a file that only it can read; never part of the plan or of the results).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ApiLaunch {
    /// Unix socket to listen on.
    pub listen: std::path::PathBuf,
    /// Postgres.
    pub postgres: PostgresAddress,
    /// Redis.
    pub redis: Option<RedisAddress>,
    /// File to which the API appends a line for each request; none: it writes none.
    #[serde(default)]
    pub request_log: Option<std::path::PathBuf>,
    /// What cursors are signed with, the same for all processes of a run; none: each has its own.
    #[serde(default)]
    pub cursor_secret: Option<String>,
    /// What to serve.
    pub api: ApiPlan,
}

/// Where Postgres is, and as whom.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PostgresAddress {
    /// Folder of the unix socket.
    pub socket_dir: std::path::PathBuf,
    /// Port; of a socket a part of its name.
    pub port: u16,
    /// Role.
    pub user: String,
    /// Its password; never printed.
    pub password: String,
    /// Database.
    pub database: String,
    /// Whose server it is.
    #[serde(default)]
    pub whose: Whose,
}

/// Whose server it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Whose {
    /// Ours: started for a run and thrown away.
    #[default]
    Ours,
    /// Somebody else's, from which is only read.
    Others {
        /// Where it listens on TCP; none: on the unix socket.
        host: Option<String>,
    },
}

/// What each session on somebody else's server is set to: no transaction writes, and none is left open.
const READ_ONLY: [(&str, &str); 2] =
    [("default_transaction_read_only", "on"), ("idle_in_transaction_session_timeout", "60s")];

/// What is said where `PGOPTIONS` is set: a driver takes it over into every connection, and nothing of ours can unset it.
pub const PGOPTIONS_IS_SET: &str = "PGOPTIONS is set, and would change every connection: unset it";

/// The longest that a private Postgres may take to let somebody in, once it is ready.
pub const LET_IN_WITHIN: std::time::Duration = std::time::Duration::from_secs(10);

impl PostgresAddress {
    /// A host, or the folder of a unix socket, which begins with a slash.
    #[must_use]
    pub fn host(&self) -> String {
        match &self.whose {
            Whose::Others { host: Some(host) } => host.clone(),
            _ => self.socket_dir.to_string_lossy().into_owned(),
        }
    }

    /// Settings that each session must begin with, whoever opens it: none on a server of ours.
    #[must_use]
    pub fn limits(&self) -> &'static [(&'static str, &'static str)] {
        match self.whose {
            Whose::Ours => &[],
            Whose::Others { .. } => &READ_ONLY,
        }
    }

    /// The address as a URL for a driver, its password in it: never to be printed. It states everything that drivers
    /// otherwise look for in the environment or in password files. `room` is who connects; Postgres shows it.
    #[must_use]
    pub fn url(&self, room: &str) -> String {
        format!(
            "postgres://localhost/?host={}&port={}&user={}&password={}&dbname={}&sslmode=disable&application_name=querylab-{}",
            escaped(&self.host()),
            self.port,
            escaped(&self.user),
            escaped(&self.password),
            escaped(&self.database),
            escaped(room),
        )
    }
}

/// A value in the query of a URL, by RFC 3986.
fn escaped(text: &str) -> String {
    use std::fmt::Write as _;
    text.bytes().fold(String::with_capacity(text.len()), |mut url, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            url.push(char::from(byte));
        } else {
            write!(url, "%{byte:02X}").expect("a String takes all");
        }
        url
    })
}

/// Where Redis is.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RedisAddress {
    /// Unix socket.
    pub socket: std::path::PathBuf,
    /// Password; never printed.
    pub password: String,
}

impl std::fmt::Debug for PostgresAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "postgres {}@{}/{}", self.user, self.host(), self.database)
    }
}

impl std::fmt::Debug for RedisAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "redis {}", self.socket.display())
    }
}

/// What an API process has counted since it started: `GET /__querylab/counters` on its own socket.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiCounters {
    /// Requests, whatever their answer; those for health and for these counters are none.
    pub requests: u64,
    /// Requests refused before the cache or a statement was thought of: no such path, a bad parameter, too long.
    pub refused: u64,
    /// Requests that found no database connection, and so made no statement.
    pub unconnected: u64,
    /// Those of them that waited for one in vain.
    #[serde(default)]
    pub pool_timeouts: u64,
    /// Those of them that found as many waiting as may.
    #[serde(default)]
    pub pool_full: u64,
    /// SQL statements sent for requests (pings of the pool not included).
    pub statements: u64,
    /// Cached requests answered from Redis.
    pub cache_hits: u64,
    /// Cached requests that Redis did not have.
    pub cache_misses: u64,
    /// Cached requests for which Redis failed, was too slow or held rubbish.
    pub cache_errors: u64,
    /// Requests that went past the cache: their endpoint has none, or their key is too long.
    pub cache_bypasses: u64,
    /// Those of the misses that got the answer of another request, and so made no statement.
    #[serde(default)]
    pub coalesced: u64,
    /// Those of the statements that renewed an entry of the cache, and so answered no request.
    #[serde(default)]
    pub renewals: u64,
    /// Writes and renewals that Redis did not hear of.
    #[serde(default)]
    pub cache_write_failures: u64,
    /// Answers of 500 and above.
    pub server_errors: u64,
    /// Database connections opened.
    pub connections_opened: u64,
    /// Longest and total wait for a connection.
    pub pool_wait_total_ns: u64,
    /// Longest wait for a connection.
    pub pool_wait_max_ns: u64,
    /// Where the time of requests to endpoints went.
    #[serde(default)]
    pub stages: StageSums,
    /// Bytes that came in from clients, questions for health and counters included.
    #[serde(default)]
    pub http_received_bytes: u64,
    /// Bytes that went out to clients.
    #[serde(default)]
    pub http_sent_bytes: u64,
}

/// Where the time of requests went inside of the API: sums over the requests that have got their answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StageSums {
    /// Requests whose times these are.
    pub requests: u64,
    /// From the request's head being there to the handler with its parameters read.
    pub routing_ns: u64,
    /// Waiting for a database connection: queue, opening, ping.
    pub pool_wait_ns: u64,
    /// Asking Redis and telling it.
    pub cache_ns: u64,
    /// From a connection in hand to the last row there.
    pub query_ns: u64,
    /// Rows to JSON, and the response around it.
    pub serialise_ns: u64,
}

impl StageSums {
    /// What was added between `before` and now.
    #[must_use]
    pub fn since(&self, before: &Self) -> Self {
        self.with(before, u64::saturating_sub)
    }

    /// Both together: the sums of two processes.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        self.with(other, u64::saturating_add)
    }

    fn with(&self, other: &Self, both: fn(u64, u64) -> u64) -> Self {
        Self {
            requests: both(self.requests, other.requests),
            routing_ns: both(self.routing_ns, other.routing_ns),
            pool_wait_ns: both(self.pool_wait_ns, other.pool_wait_ns),
            cache_ns: both(self.cache_ns, other.cache_ns),
            query_ns: both(self.query_ns, other.query_ns),
            serialise_ns: both(self.serialise_ns, other.serialise_ns),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_as_a_url_states_all_and_escapes_all() {
        let address = PostgresAddress {
            socket_dir: "/tmp/a b&c".into(),
            port: 5432,
            user: "me".into(),
            password: "p=%é".into(),
            database: "ql_template".into(),
            whose: Whose::Ours,
        };
        assert_eq!(
            address.url("probe"),
            "postgres://localhost/?host=%2Ftmp%2Fa%20b%26c&port=5432&user=me&password=p%3D%25%C3%A9&dbname=ql_template\
             &sslmode=disable&application_name=querylab-probe"
        );
        assert!(address.limits().is_empty());
    }
}
