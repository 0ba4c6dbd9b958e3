//! The servers of each variant: settings by allowlist, versions, connections.

use super::notes::Notes;
use super::settings::{self, Server};
use super::types::{PoolPlan, ServerPlan, StaticPlan};
use super::view::View;
use super::{codes, static_files};
use crate::spec::{self, PoolMode};

/// Connections of our own beside the pools: readiness, statistics, EXPLAIN, and those that Postgres keeps for superusers.
const RESERVED_CONNECTIONS: u64 = 15;
/// Postgres' own default, below which there is nothing to gain.
const USUAL_CONNECTIONS: u64 = 100;
/// Each is a process; more would measure the scheduler.
const MOST_CONNECTIONS: u64 = 2000;
const MAX_CONNECTIONS: &str = "max_connections";
/// Major versions of Postgres that can be asked for by their number.
pub const POSTGRES_MAJORS: std::ops::RangeInclusive<u32> = 15..=18;

/// The servers of one variant, Redis whether or not it is needed.
#[derive(Debug, Clone)]
pub(super) struct Servers {
    pub(super) postgres: ServerPlan,
    pub(super) redis: ServerPlan,
    pub(super) nginx: ServerPlan,
    pub(super) static_files: Option<StaticPlan>,
    pub(super) api_instances: u32,
    pub(super) pool: PoolPlan,
    pub(super) threads: Option<u32>,
    pub(super) cache_timeout_ns: u64,
    /// Postgres connections that the pools and we may open.
    connections: u64,
}

/// Decides the servers as a variant sees them.
pub(super) fn resolve(notes: &mut Notes<'_>, view: &View<'_>) -> Servers {
    let services = &view.document.services;
    let api = &services.api;
    let pool = &api.pool;
    let most = |n: u32| u64::from(n);
    let plan = pool_plan(notes, view, pool);
    let connections = most(api.instances) * (most(plan.size) + most(plan.max_overflow));
    let servers = Servers {
        postgres: server(notes, view, Server::Postgres, &services.postgres),
        redis: server(notes, view, Server::Redis, &services.redis),
        nginx: server(notes, view, Server::Nginx, &services.nginx),
        static_files: static_files::resolve(notes, view),
        api_instances: api.instances,
        pool: plan,
        threads: api.threads,
        cache_timeout_ns: api.cache_timeout.0,
        connections: connections + RESERVED_CONNECTIONS,
    };
    check_connections(notes, view, &servers);
    servers
}

/// Requests for each connection of a pipeline, where the file does not say: more than a few dozens wait for each other.
const DEPTH: u32 = 32;

fn pool_plan(notes: &mut Notes<'_>, view: &View<'_>, pool: &spec::Pool) -> PoolPlan {
    let is_shared = pool.mode == PoolMode::Pipeline;
    if pool.depth.is_some() && !is_shared {
        let path = notes.path_of(view.name, &["services", "api", "pool", "depth"]);
        let what = "a pool gives each request a connection of its own, so it has no `depth`";
        notes.error(
            codes::SETTING,
            &path,
            what.to_owned(),
            "leave it out, or write `mode = \"pipeline\"`",
        );
    }
    PoolPlan {
        size: pool.size,
        max_overflow: if is_shared { 0 } else { pool.max_overflow },
        pre_ping: pool.pre_ping,
        acquire_timeout_ns: pool.acquire_timeout.0,
        max_waiting: pool.max_waiting,
        pipeline_depth: is_shared.then(|| pool.depth.unwrap_or(DEPTH)),
    }
}

fn check_connections(notes: &mut Notes<'_>, view: &View<'_>, servers: &Servers) {
    let needed = servers.connections;
    let stated = servers.postgres.settings.get(MAX_CONNECTIONS).and_then(|n| n.parse::<u64>().ok());
    if needed > MOST_CONNECTIONS {
        let path = notes.path_of(view.name, &["services", "api", "pool"]);
        let what = format!("the pools may open {needed} database connections");
        let help = format!("keep instances × (size + max_overflow) below {MOST_CONNECTIONS}");
        notes.error(codes::CONNECTIONS, &path, what, help);
    } else if let Some(stated) = stated.filter(|stated| *stated < needed) {
        let key = ["services", "postgres", "settings", MAX_CONNECTIONS];
        let path = notes.path_of(view.name, &key);
        let pool = notes.path_of(view.name, &["services", "api", "pool"]);
        let what = format!(
            "`max_connections` is {stated}, but pools may open {} and querylab {RESERVED_CONNECTIONS}",
            needed - RESERVED_CONNECTIONS
        );
        let help = format!("write at least {needed}, or leave it out");
        notes.contradiction(codes::CONNECTIONS, &path, what, help, (&pool, "the pools"));
    }
}

/// Gives Postgres the same `max_connections` in every variant that states none: enough for the one that needs most.
pub(super) fn settle_connections(all: &mut [&mut Servers]) {
    let needed = all.iter().map(|s| s.connections).max().unwrap_or(0).max(USUAL_CONNECTIONS);
    for servers in all {
        // What somebody else's server takes is seen when it is met.
        if servers.postgres.url_from.is_some() {
            continue;
        }
        let settings = &mut servers.postgres.settings;
        settings.entry(MAX_CONNECTIONS.into()).or_insert_with(|| needed.to_string());
    }
}

fn server(
    notes: &mut Notes<'_>,
    view: &View<'_>,
    which: Server,
    asked: &spec::Server,
) -> ServerPlan {
    let mut plan = ServerPlan { url_from: asked.url_from.clone(), ..ServerPlan::default() };
    if let Some(version) = &asked.version {
        let major = major(version).filter(|_| which == Server::Postgres);
        let numbers = major.map(|major| vec![major]).or_else(|| min_version(version));
        if numbers.is_none() {
            let path = notes.path_of(view.name, &["services", which.key(), "version"]);
            let what = format!("`{version}` is no version that can be asked for");
            let help = match which {
                Server::Postgres => {
                    "write like `\">=15\"`, or `\"18\"` for this major version and no other"
                }
                _ => "write like `\">=7\"`",
            };
            notes.error(codes::SETTING, &path, what, help);
        }
        plan.min_version = numbers.unwrap_or_default();
        plan.major = major;
    }
    for (name, value) in &asked.settings {
        match settings::check(which, name, value) {
            Ok(text) => {
                let lacks = |major: &u32| !settings::is_known_to(*major, name);
                if let Some(major) = plan.major.filter(lacks) {
                    let path =
                        notes.path_of(view.name, &["services", which.key(), "settings", name]);
                    let what = format!("Postgres {major} has no setting `{name}`");
                    let help = "leave it out, or name a version that has it";
                    notes.error(codes::SETTING, &path, what, help);
                }
                plan.settings.insert(name.clone(), text);
            }
            Err(refused) => {
                let path = notes.path_of(view.name, &["services", which.key(), "settings", name]);
                if refused.is_name {
                    notes.wrong_key(codes::SETTING, &path, refused.what, refused.help);
                } else {
                    notes.error(codes::SETTING, &path, refused.what, refused.help);
                }
            }
        }
    }
    plan
}

/// `"18"` as 18: a major version of Postgres, of those that this program knows.
pub(super) fn major(text: &str) -> Option<u32> {
    text.trim().parse().ok().filter(|major| POSTGRES_MAJORS.contains(major))
}

/// `">=15.3"` as `[15, 3]`.
fn min_version(text: &str) -> Option<Vec<u32>> {
    let numbers = text.trim().strip_prefix(">=")?.trim().split('.');
    numbers.map(|n| n.parse::<u32>().ok()).collect::<Option<Vec<u32>>>().filter(|v| v.len() <= 3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_alone_is_a_major_version_that_is_known() {
        assert_eq!(major("18"), Some(18));
        for wrong in ["14", "19", ">=15", "15.3", "x", ""] {
            assert_eq!(major(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn versions_are_read_as_numbers() {
        assert_eq!(min_version(">=15"), Some(vec![15]));
        assert_eq!(min_version(">= 7.0.15"), Some(vec![7, 0, 15]));
        for wrong in ["15", ">15", ">=", ">=x", ">=1.2.3.4", ">=1..2"] {
            assert_eq!(min_version(wrong), None, "{wrong}");
        }
    }
}
