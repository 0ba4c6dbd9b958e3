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
    /// The oldest version that will do: `">=15"`. Of Postgres also one major version and no other: `"18"`.
    #[serde(default)]
    #[schemars(regex(pattern = "^(>=[0-9]{1,3}(\\.[0-9]{1,3}){0,2}|[0-9]{1,3})$"))]
    pub version: Option<String>,
    /// Settings of the server, in its own words and units; only known tuning settings are allowed.
    #[serde(default)]
    pub settings: Settings,
    /// How others reach it.
    #[serde(default)]
    pub transport: Transport,
    /// Of Postgres only: the environment variable that holds the URL of a server that is not querylab's. It is only read
    /// from, and only with `--allow-external`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = "^QUERYLAB_[A-Z0-9][A-Z0-9_]{0,59}$"))]
    pub url_from: Option<String>,
    /// Of Nginx only: files that it serves itself, without the API.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub r#static: Option<StaticFiles>,
}

/// `static` of Nginx: files that it serves itself.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StaticFiles {
    /// What their addresses begin with, from `/` to `/`.
    #[serde(default = "usual_path")]
    #[schemars(regex(pattern = "^(/[A-Za-z0-9_~-][A-Za-z0-9._~-]{0,59}){1,3}/$"))]
    pub path: String,
    /// The folder with the files, relative to this file. Those in folders below it are served too; what begins with a dot is
    /// not.
    #[schemars(length(min = 1))]
    pub folder: String,
}

fn usual_path() -> String {
    "/static/".to_owned()
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
    /// Threads that serve in each process; as many as there are processors, but no more than two, if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 16))]
    pub threads: Option<u32>,
    /// How values come into statements.
    #[serde(default, skip_serializing_if = "BindStyle::is_usual")]
    pub bind_style: BindStyle,
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
        Self {
            instances: 1,
            pool: Pool::default(),
            threads: None,
            bind_style: BindStyle::default(),
            cache_timeout: cache_timeout(),
        }
    }
}

/// How values come into statements.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum BindStyle {
    /// Bound to a statement that each connection prepares once; Postgres chooses between a plan for them and one for all.
    #[default]
    Prepared,
    /// Bound to a prepared statement whose plan is the same for all values (`plan_cache_mode = force_generic_plan`).
    GenericPlan,
    /// Quoted in the statement's text, which is parsed and planned for each request.
    Literal,
}

impl BindStyle {
    /// Whether it is what applications usually do.
    pub fn is_usual(&self) -> bool {
        *self == Self::Prepared
    }
}

/// Whether a request has a database connection of its own.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PoolMode {
    /// It has, while its statement is under way.
    #[default]
    Pool,
    /// It shares one of `size` connections with other requests, whose statements follow one another without waiting.
    Pipeline,
}

impl PoolMode {
    /// Whether it is what applications usually do.
    pub fn is_usual(&self) -> bool {
        *self == Self::Pool
    }
}

/// Connection pool: `size` connections stay, `max_overflow` more are opened on demand and closed when not wanted.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Pool {
    /// Whether a request has a connection of its own.
    #[serde(skip_serializing_if = "PoolMode::is_usual")]
    pub mode: PoolMode,
    /// Connections that stay open.
    #[schemars(range(min = 1, max = 500))]
    pub size: u32,
    /// With `mode = "pipeline"`: requests for each connection; more of them wait. 32 if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1000))]
    pub depth: Option<u32>,
    /// Connections opened on demand beyond them, closed when they are not wanted for a moment; none with `mode = "pipeline"`.
    #[schemars(range(min = 0, max = 500))]
    pub max_overflow: u32,
    /// Whether a connection is tested with a round trip before each use.
    pub pre_ping: bool,
    /// Longest wait for a free connection.
    pub acquire_timeout: Span,
    /// Requests that may wait for one; more are answered with 503 at once. 1024 if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100_000))]
    pub max_waiting: Option<u32>,
}

impl Default for Pool {
    fn default() -> Self {
        Self {
            mode: PoolMode::Pool,
            size: 20,
            depth: None,
            max_overflow: 10,
            pre_ping: true,
            acquire_timeout: Span::from_secs(30),
            max_waiting: None,
        }
    }
}
