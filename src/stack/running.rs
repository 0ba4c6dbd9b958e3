//! All servers of a cell, started in order and stopped in reverse.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::error::{StackError, environment};
use super::nginx::{self, Nginx};
use super::postgres::{self, Postgres, Role};
use super::protocol::{Program, StopStep};
use super::redis::{self, Redis, forget_socket};
use super::scratch::{check_socket, random_hex};
use super::shared::{Place, Running, Server, Shared};
use super::{http, identity};
use crate::plan::{ApiLaunch, ApiPlan, PostgresAddress, RedisAddress, StackPlan};

/// For the first answer of an API process.
const READY: Duration = Duration::from_mins(1);
/// SIGTERM, then the kill.
const STOP: [StopStep; 1] = [StopStep { signal: 15, patience_ms: 3000 }];

/// Settings in force by server, then by name.
pub type SettingsInForce = BTreeMap<String, BTreeMap<String, String>>;

/// The servers of a cell, ready. They run until `stop`, or until the session ends.
pub struct Stack {
    /// Nginx: the only listener on TCP, on 127.0.0.1.
    pub address: SocketAddr,
    shared: Arc<Shared>,
    /// None where it is somebody else's.
    postgres: Option<Postgres>,
    redis: Option<Redis>,
    apis: Vec<Api>,
    nginx: Nginx,
}

/// An API process.
struct Api {
    running: Running,
    socket: PathBuf,
}

/// What has been started so far: stopped again where the rest fails.
#[derive(Default)]
struct Started(Vec<Running>);

impl Stack {
    /// Pids of each server's first processes, by component: `postgres`, `redis`, `nginx`, `api`. Helpers (backends,
    /// workers) are their descendants. Those of somebody else's Postgres are not known.
    pub fn pids(&self) -> BTreeMap<String, Vec<u32>> {
        let mut pids = BTreeMap::new();
        if let Some(postgres) = &self.postgres {
            pids.insert("postgres".to_owned(), vec![postgres.pid()]);
        }
        pids.insert("nginx".to_owned(), vec![self.nginx.running.pid]);
        if let Some(redis) = &self.redis {
            pids.insert("redis".to_owned(), vec![redis.running.pid]);
        }
        pids.insert("api".to_owned(), self.apis.iter().map(|a| a.running.pid).collect());
        pids
    }

    /// Settings as they are in force (those of Nginx: as they are in its file, after its own trial).
    pub fn settings(&self) -> SettingsInForce {
        let mut settings = SettingsInForce::new();
        let postgres = match (&self.postgres, &self.shared.external) {
            (Some(ours), _) => ours.settings.clone(),
            (None, Some(external)) => external.settings.clone(),
            (None, None) => BTreeMap::new(),
        };
        settings.insert("postgres".into(), postgres);
        settings.insert("nginx".into(), self.nginx.settings.clone());
        if let Some(redis) = &self.redis {
            settings.insert("redis".into(), redis.settings.clone());
        }
        settings
    }

    /// Each API process' own socket.
    pub fn api_sockets(&self) -> Vec<PathBuf> {
        self.apis.iter().map(|a| a.socket.clone()).collect()
    }

    /// Where Redis is, if there is one.
    pub fn redis_address(&self) -> Option<RedisAddress> {
        self.redis.as_ref().map(|_| redis::address(&self.shared))
    }

    /// Where Postgres is, and as whom. Somebody else's has one role and one database: those of its URL.
    pub fn postgres_address(&self, role: Role, database: &str) -> PostgresAddress {
        postgres::address(&self.shared, role, database)
    }

    /// Postgres itself; none where it is somebody else's.
    pub fn postgres(&self) -> Option<&Postgres> {
        self.postgres.as_ref()
    }

    /// Unix socket on which Nginx serves its `stub_status` under `/status`.
    pub fn nginx_status_socket(&self) -> &Path {
        &self.nginx.status_socket
    }

    /// Requests that Nginx has taken since it started, from clients of its port and of its status socket alike: the
    /// question itself counts as one. Fails if it does not answer.
    pub async fn nginx_requests(&self) -> std::io::Result<u64> {
        let answer = http::get_unix(&self.nginx.status_socket, "/status").await?;
        requests(&answer.text).ok_or_else(|| std::io::Error::other("Nginx gives no counts"))
    }

    /// Waits until any server ends without having been asked to (or the guard is gone); tells which and how, with its
    /// last words.
    pub async fn died(&self) -> String {
        self.shared.died(&self.everybody()).await
    }

    /// Stops the API and Nginx only: then their database connections end, and their statistics are complete.
    pub async fn stop_api(&mut self) -> Result<(), StackError> {
        let front = self.front();
        self.shared.stop(&front).await?;
        self.apis.clear();
        Ok(())
    }

    /// Stops everything in order (API, Nginx, Redis, Postgres), waits, and verifies that nothing is left.
    pub async fn stop(self) -> Result<(), StackError> {
        let apis: Vec<Running> = self.apis.iter().map(|a| a.running.clone()).collect();
        self.shared.stop(&apis).await?;
        self.shared.stop(std::slice::from_ref(&self.nginx.running)).await?;
        if let Some(redis) = &self.redis {
            self.shared.stop(std::slice::from_ref(&redis.running)).await?;
        }
        match self.postgres {
            Some(postgres) => postgres.stop().await,
            None => Ok(()),
        }
    }

    fn front(&self) -> Vec<Running> {
        let apis = self.apis.iter().map(|a| a.running.clone());
        apis.chain([self.nginx.running.clone()]).collect()
    }

    fn everybody(&self) -> Vec<Running> {
        let redis = self.redis.iter().map(|r| r.running.clone());
        let postgres = self.postgres.iter().map(|p| p.running.clone());
        redis.chain(postgres).chain(self.front()).collect()
    }
}

/// The third number after the line `server accepts handled requests`.
fn requests(status: &str) -> Option<u64> {
    let (_, after) = status.split_once("server accepts handled requests")?;
    after.split_ascii_whitespace().nth(2)?.parse().ok()
}

/// Starts everything that a cell needs at its place; where one fails, those before it are stopped again.
pub(super) async fn start(
    shared: &Arc<Shared>,
    plan: &StackPlan,
    api: &ApiPlan,
    (database, place): (&str, &Place),
    notice: &mut dyn FnMut(String),
) -> Result<Stack, StackError> {
    let mut started = Started::default();
    match Box::pin(start_all(shared, plan, api, (database, place), (&mut started, notice))).await {
        Ok(stack) => Ok(stack),
        Err(error) => {
            // The reason why is worth more than a second one from stopping.
            drop(shared.stop(&started.0).await);
            if shared.external.is_some() {
                for number in 0..plan.api_instances {
                    // Those that were not written can't be removed.
                    drop(forget_launch(shared, &format!("api-{number}")));
                }
            }
            Err(error)
        }
    }
}

async fn start_all(
    shared: &Arc<Shared>,
    plan: &StackPlan,
    api: &ApiPlan,
    (database, place): (&str, &Place),
    (started, notice): (&mut Started, &mut dyn FnMut(String)),
) -> Result<Stack, StackError> {
    let pool = api.pool.size.saturating_add(api.pool.max_overflow);
    let connections = plan.api_instances.saturating_mul(pool);
    let postgres = if let Some(external) = &shared.external {
        external.has_room_for(connections)?;
        None
    } else {
        let ours = postgres::start(shared, &plan.postgres, (connections, place), notice).await?;
        started.0.push(ours.running.clone());
        Some(ours)
    };
    let redis = match &plan.redis {
        None => None,
        Some(plan) => {
            let redis = redis::start(shared, plan, place).await?;
            started.0.push(redis.running.clone());
            Some(redis)
        }
    };
    let launch = ApiLaunch {
        listen: PathBuf::new(),
        postgres: postgres::address(shared, Role::App, database),
        redis: redis.as_ref().map(|_| redis::address(shared)),
        request_log: None,
        cursor_secret: Some(random_hex(32)?),
        api: api.clone(),
    };
    let mut apis = Vec::new();
    for number in 0..plan.api_instances {
        let one = start_api(shared, number, &launch, plan.client_connections, place).await?;
        started.0.push(one.running.clone());
        apis.push(one);
    }
    for one in &apis {
        wait_for_api(shared, one).await?;
        if postgres.is_none() {
            forget_launch(shared, &one.running.name)?;
        }
    }
    let sockets: Vec<PathBuf> = apis.iter().map(|a| a.socket.clone()).collect();
    let nginx = nginx::start(shared, plan, &sockets, place).await?;
    let address = nginx.address;
    Ok(Stack { address, shared: Arc::clone(shared), postgres, redis, apis, nginx })
}

async fn start_api(
    shared: &Arc<Shared>,
    number: u32,
    launch: &ApiLaunch,
    client_connections: u32,
    place: &Place,
) -> Result<Api, StackError> {
    let workshop = &shared.workshop;
    let name = format!("api-{number}");
    let socket = workshop.scratch.sockets.join(format!("{name}.sock"));
    check_socket(&socket)?;
    forget_socket(&socket)?;
    let home = workshop.scratch.home(&name, &workshop.identity)?;
    let request_log = Some(home.join("requests.jsonl"));
    let launch = ApiLaunch { listen: socket.clone(), request_log, ..launch.clone() };
    let text = serde_json::to_string(&launch)
        .map_err(|e| StackError::Provisioning(format!("cannot write the API's plan: {e}")))?;
    let config = workshop.scratch.config.join(format!("{name}.json"));
    identity::write_private(&config, &text, &workshop.identity)?;
    let running = shared
        .start(Server {
            program: Program::Api { config },
            home,
            name,
            death_signal: 15,
            open_files: u64::from(client_connections).saturating_add(4096),
            rank: 0,
            place: place.clone(),
            stop: &STOP,
        })
        .await?;
    Ok(Api { running, socket })
}

/// Removes what an API was started with: it has somebody else's password in it, and the run's folder may be kept.
fn forget_launch(shared: &Shared, name: &str) -> Result<(), StackError> {
    let config = shared.workshop.scratch.config.join(format!("{name}.json"));
    let gone = std::fs::remove_file(config);
    gone.map_err(|e| environment("cannot remove the file that an API was started with", e))
}

async fn wait_for_api(shared: &Shared, api: &Api) -> Result<(), StackError> {
    let hello = async || -> Result<(), String> {
        match http::get_unix(&api.socket, "/health/ready").await {
            Ok(a) if a.status == 200 => Ok(()),
            Ok(a) => Err(format!("it is up but not ready: {}", a.text.trim_end())),
            Err(e) => Err(e.to_string()),
        }
    };
    shared.until_ready(&api.running, READY, hello).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_requests_are_the_third_number_of_the_status() {
        let text = "Active connections: 2 \nserver accepts handled requests\n 7 7 42 \nReading: 0";
        assert_eq!(requests(text), Some(42));
        assert_eq!(requests("HTTP/1.1 404"), None);
    }
}
