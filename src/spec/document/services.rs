//! `[services]`: the servers under test.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Settings;
use crate::units::Span;

/// `[services]`: the servers under test.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Services {
    /// Postgres. Always there.
    #[serde(default)]
    pub postgres: Server,
    /// Redis. Started when any endpoint of a variant has a cache.
    #[serde(default)]
    pub redis: Server,
    /// Nginx, in front of the API.
    #[serde(default)]
    pub nginx: Server,
    /// The embedded API.
    #[serde(default)]
    pub api: ApiService,
}

/// One server: the version that it must have, and its settings.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Server {
    /// The oldest version that will do: `">=15"`.
    #[serde(default)]
    #[schemars(regex(pattern = "^>=[0-9]{1,3}(\\.[0-9]{1,3}){0,2}$"))]
    pub version: Option<String>,
    /// Settings of the server, in its own words and units; only known tuning settings are allowed.
    #[serde(default)]
    pub settings: Settings,
    /// How others reach it.
    #[serde(default)]
    pub transport: Transport,
}

/// How a server is reached.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Transport {
    /// A unix socket in a private folder.
    #[default]
    Unix,
    /// TCP on 127.0.0.1.
    Tcp,
}

/// `[services.api]`: the embedded API.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ApiService {
    /// Number of API processes behind Nginx.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 16))]
    pub instances: u32,
    /// Database connections of each process.
    #[serde(default)]
    pub pool: Pool,
    /// Longest wait for an answer of Redis before the request goes on without it.
    #[serde(default = "cache_timeout")]
    pub cache_timeout: Span,
}

fn one() -> u32 {
    1
}

fn cache_timeout() -> Span {
    Span::from_millis(50)
}

impl Default for ApiService {
    fn default() -> Self {
        Self { instances: 1, pool: Pool::default(), cache_timeout: cache_timeout() }
    }
}

/// Connection pool: `size` connections stay, `max_overflow` more are opened on demand and closed on return.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Pool {
    /// Connections that stay open.
    #[schemars(range(min = 1, max = 500))]
    pub size: u32,
    /// Connections opened on demand beyond them.
    #[schemars(range(min = 0, max = 500))]
    pub max_overflow: u32,
    /// Whether a connection is tested with a round trip before each use.
    pub pre_ping: bool,
    /// Longest wait for a free connection.
    pub acquire_timeout: Span,
}

impl Default for Pool {
    fn default() -> Self {
        Self { size: 20, max_overflow: 10, pre_ping: true, acquire_timeout: Span::from_secs(30) }
    }
}
