//! Redis: its configuration, its readiness (and that it is ours and nobody else's), its settings in force.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use redis::{AsyncConnectionConfig, ConnectionAddr, ConnectionInfo, IntoConnectionInfo};

use super::amounts::redis_is;
use super::config::{self, RedisConfig, Settings};
use super::error::{StackError, environment};
use super::identity;
use super::locate::Part;
use super::protocol::{Program, StopStep};
use super::scratch::check_socket;
use super::shared::{Place, Running, Server, Shared};
use crate::plan::{RedisAddress, ServerPlan};

/// For the first answer.
const READY: Duration = Duration::from_secs(30);
/// For one command.
const COMMAND: Duration = Duration::from_secs(2);
/// SIGTERM, then the kill.
const STOP: [StopStep; 1] = [StopStep { signal: 15, patience_ms: 3000 }];

/// Unless the file says otherwise: a cache, nothing on disk.
const DEFAULTS: [(&str, &str); 6] = [
    ("appendonly", "no"),
    ("save", ""),
    ("stop-writes-on-bgsave-error", "no"),
    ("tcp-keepalive", "0"),
    ("timeout", "0"),
    ("databases", "1"),
];

/// What the stack decides itself.
const OWNED: [&str; 20] = [
    "aclfile",
    "appenddirname",
    "appendfilename",
    "bind",
    "daemonize",
    "dbfilename",
    "dir",
    "enable-debug-command",
    "enable-module-command",
    "include",
    "loadmodule",
    "logfile",
    "pidfile",
    "port",
    "rename-command",
    "requirepass",
    "supervised",
    "unixsocket",
    "unixsocketperm",
    "user",
];

/// Reported beside what is set.
const TELLING: [&str; 3] = ["maxmemory", "maxmemory-policy", "io-threads"];

/// A Redis that answers.
pub(super) struct Redis {
    pub running: Running,
    pub settings: Settings,
}

/// Its socket.
fn socket(shared: &Shared) -> PathBuf {
    shared.workshop.scratch.sockets.join("redis.sock")
}

/// Where it is.
pub(super) fn address(shared: &Shared) -> RedisAddress {
    RedisAddress { socket: socket(shared), password: shared.secrets.redis.clone() }
}

/// Starts Redis and waits until it answers with the settings that were asked for.
pub(super) async fn start(
    shared: &Arc<Shared>,
    plan: &ServerPlan,
    place: &Place,
) -> Result<Redis, StackError> {
    let workshop = &shared.workshop;
    let home = workshop.scratch.home("redis", &workshop.identity)?;
    let socket = socket(shared);
    check_socket(&socket)?;
    let settings = config::lay_over("redis", &DEFAULTS, &OWNED, &plan.settings)?;
    let text = config::redis(&RedisConfig {
        socket: &socket,
        password: &shared.secrets.redis,
        dir: &home,
        settings: settings.clone(),
    })?;
    let file = workshop.scratch.config.join("redis.conf");
    identity::write_private(&file, &text, &workshop.identity)?;
    forget_socket(&socket)?;
    let found = shared.program(Part::Redis)?;
    let running = shared
        .start(Server {
            name: "redis".into(),
            program: Program::Exec {
                path: found.program.clone(),
                args: vec![file.display().to_string()],
                libraries: found.libraries.clone(),
            },
            home,
            death_signal: 15,
            open_files: 65_536,
            rank: 2,
            place: place.unpadded(),
            stop: &STOP,
        })
        .await?;
    match settle(shared, &running, plan, settings).await {
        Ok(settings) => Ok(Redis { running, settings }),
        Err(error) => {
            shared.stop(&[running]).await?;
            Err(error)
        }
    }
}

/// A socket that a killed server left behind is in the next one's way.
pub(super) fn forget_socket(socket: &std::path::Path) -> Result<(), StackError> {
    match std::fs::remove_file(socket) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            Err(environment(&format!("cannot remove {}", socket.display()), e))
        }
        _ => Ok(()),
    }
}

async fn settle(
    shared: &Shared,
    running: &Running,
    plan: &ServerPlan,
    settings: Settings,
) -> Result<Settings, StackError> {
    // A second server on the same socket would take it over without a word, so its pid is compared.
    let hello = async || -> Result<(), String> {
        let info = ask(shared, &["INFO", "server"]).await.map_err(|e| e.to_string())?;
        let info: String = redis::from_redis_value(info).map_err(|e| e.to_string())?;
        let pid = info.lines().find_map(|l| l.strip_prefix("process_id:")).map(str::trim);
        if pid == Some(running.pid.to_string().as_str()) {
            Ok(())
        } else {
            Err(format!("another process ({pid:?}) answers on its socket"))
        }
    };
    shared.until_ready(running, READY, hello).await?;
    let mut in_force = Settings::new();
    let names = settings.keys().map(String::as_str).chain(TELLING);
    for name in names {
        let refused =
            |e: String| StackError::Provisioning(format!("redis: CONFIG GET {name}: {e}"));
        let value =
            ask(shared, &["CONFIG", "GET", name]).await.map_err(|e| refused(e.to_string()))?;
        let pairs: Vec<(String, String)> =
            redis::from_redis_value(value).map_err(|e| refused(e.to_string()))?;
        in_force.extend(pairs);
    }
    for (name, asked) in &plan.settings {
        let wrong = match in_force.get(&name.to_ascii_lowercase()) {
            None => format!("redis has no setting of that name (asked for: {asked:?})"),
            Some(value) if !redis_is(asked, value) => {
                format!("{asked:?} was asked for, {value:?} is in force")
            }
            Some(_) => continue,
        };
        return Err(StackError::Provisioning(format!("services.redis.settings.{name}: {wrong}")));
    }
    Ok(in_force)
}

async fn ask(shared: &Shared, words: &[&str]) -> redis::RedisResult<redis::Value> {
    let handshake = redis::RedisConnectionInfo::default().set_password(&shared.secrets.redis);
    let info: ConnectionInfo = ConnectionAddr::Unix(socket(shared)).into_connection_info()?;
    let client = redis::Client::open(info.set_redis_settings(handshake))?;
    let limits = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(COMMAND))
        .set_response_timeout(Some(COMMAND));
    let mut connection = client.get_multiplexed_async_connection_with_config(&limits).await?;
    let mut command = redis::cmd(words[0]);
    for word in &words[1..] {
        command.arg(*word);
    }
    command.query_async(&mut connection).await
}
